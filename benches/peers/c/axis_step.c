/* The exact step of the linear part of an axis over one period, by a matrix exponential: what `transition.rs` of the models does,
 * operation by operation. Computed once, before anything is timed.
 *
 * States e (reference - x), v, i, q, p (reported), and the constants s (slope) and b (load). Time is counted in periods, length
 * in T^2 / m and velocity in T / m. exp(A t) is a Taylor series of order 14 on A t / 2^n, squared n times.
 */
#include "axis_step.h"

#include <math.h>
#include <string.h>

enum { N = 7, E = 0, V, I, Q, P, S, B };

typedef double matrix[N][N];

static void identity(matrix m)
{
    memset(m, 0, sizeof(matrix));
    for (int n = 0; n < N; n++)
        m[n][n] = 1.0;
}

static void product(matrix out, matrix a, matrix b)
{
    matrix result;
    for (int r = 0; r < N; r++)
        for (int c = 0; c < N; c++) {
            double sum = 0.0;
            for (int k = 0; k < N; k++)
                sum += a[r][k] * b[k][c];
            result[r][c] = sum;
        }
    memcpy(out, result, sizeof result);
}

static void exponential(matrix out, matrix a, double t)
{
    double norm = 0.0, scale = t;
    for (int r = 0; r < N; r++) {
        double sum = 0.0;
        for (int c = 0; c < N; c++)
            sum += fabs(a[r][c]) * t;
        norm = sum > norm ? sum : norm;
    }
    int squarings = 0;
    for (; norm > 0.25; norm *= 0.5, scale *= 0.5)
        squarings++;
    matrix term;
    identity(out);
    identity(term);
    for (int n = 1; n <= 14; n++) {
        product(term, term, a);
        double factor = scale / n;
        for (int r = 0; r < N; r++)
            for (int c = 0; c < N; c++) {
                term[r][c] *= factor;
                out[r][c] += term[r][c];
            }
    }
    while (squarings--)
        product(out, out, out);
}

/* A drive with a continuous cascade; lags of less than a 32nd of a period are taken as that long. */
static void generator(matrix g, const struct axis *a, double t, int moving)
{
    double m = a->inertia, length = t * t / m, speed = t / m;
    memset(g, 0, sizeof(matrix));
    g[E][S] = 1.0;
    if (moving) {
        g[E][V] = -1.0;
        g[V][V] = -a->viscous * speed;
        g[V][I] = 1.0;
        g[V][B] = -1.0;
    }
    double lag = a->current_time_constant_s / t, shortest = 1.0 / 32.0;
    double rate = 1.0 / (lag > shortest ? lag : shortest);
    double on_error = a->position_gain_per_s * length, on_slope = a->velocity_feedforward * speed;
    g[I][E] = rate * a->velocity_gain * on_error;
    g[I][S] = rate * a->velocity_gain * on_slope;
    g[I][Q] = rate;
    g[I][I] = -rate;
    g[Q][E] = t * a->integral_gain * on_error;
    g[Q][S] = t * a->integral_gain * on_slope;
    if (moving) {
        g[I][V] = -rate * a->velocity_gain * speed;
        g[Q][V] = -t * a->integral_gain * speed;
    }
    lag = a->current_filter_s / t;
    rate = 1.0 / (lag > shortest ? lag : shortest);
    g[P][I] = rate;
    g[P][P] = -rate;
}

static void row(double out[COLUMNS], matrix whole, matrix rest, int n, double size, const double unit[N])
{
    static const int from[] = {E, V, I, Q, S};
    for (int c = 0; c < 5; c++)
        out[c] = whole[n][from[c]] * size / unit[from[c]];
    out[5] = rest[n][S] * size / unit[S];
    out[6] = whole[n][B] * size / unit[B];
    out[7] = whole[n][P] * size / unit[P];
}

void exact_step(struct step *out, const struct axis *a, double period_s, double bend, int moving)
{
    matrix g, whole, rest;
    generator(g, a, period_s, moving);
    exponential(whole, g, 1.0);
    exponential(rest, g, 1.0 - bend);
    double length = period_s * period_s / a->inertia, speed = period_s / a->inertia;
    const double unit[N] = {length, speed, 1.0, 1.0, 1.0, speed, 1.0};
    /* The way is what the error lacks to the movement of the reference. */
    row(out->row[WAY], whole, rest, E, length, unit);
    for (int c = 0; c < COLUMNS; c++)
        out->row[WAY][c] = -out->row[WAY][c];
    out->row[WAY][0] += 1.0;
    out->row[WAY][4] += period_s;
    out->row[WAY][5] += (1.0 - bend) * period_s;
    row(out->row[VELOCITY], whole, rest, V, speed, unit);
    row(out->row[CURRENT], whole, rest, I, 1.0, unit);
    row(out->row[INTEGRAL], whole, rest, Q, 1.0, unit);
    row(out->row[REPORTED], whole, rest, P, 1.0, unit);
}
