/* An exact step in C over structure of arrays: an axis that moves on, or rests, with its current below the limit is a linear
 * system, whose step over a whole cycle is computed beforehand. The Stribeck term is taken at the mean velocity of the cycle,
 * in two passes. Axes that start, stop, turn around or meet their limit are stepped one by one, semi-implicitly, in substeps.
 *
 * Predict only, for drives without dead time beyond one cycle: the reference is a straight line over the cycle.
 */
#include "axis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AXES_MAX = 1024, COLUMNS = 7, BASIS_SUBSTEPS = 2000 };

#define LANE __attribute__((aligned(64))) double
#define INLINE static inline __attribute__((always_inline))

/* Rows of the step: from following error, velocity, current, integrator, slope of the reference, load; and reported current. */
enum { WAY, VELOCITY, CURRENT, INTEGRAL, REPORTED, ROWS };
enum { FROM_E, FROM_V, FROM_I, FROM_Q, FROM_SLOPE, FROM_LOAD, FROM_R };

static LANE moving[ROWS][COLUMNS][AXES_MAX], resting[ROWS][COLUMNS][AXES_MAX];

static struct {
    LANE per_inertia[AXES_MAX], coulomb_positive_a[AXES_MAX], coulomb_negative_a[AXES_MAX], viscous[AXES_MAX],
        stribeck_a[AXES_MAX], stribeck_per_v2[AXES_MAX], gravity_a[AXES_MAX], kx[AXES_MAX], kv[AXES_MAX], ki[AXES_MAX],
        kff[AXES_MAX], limit_a[AXES_MAX], current_decay[AXES_MAX], filter_decay[AXES_MAX];
} p;

static struct {
    LANE from_m[AXES_MAX], to_m[AXES_MAX], position_m[AXES_MAX], velocity_m_per_s[AXES_MAX], current_a[AXES_MAX],
        integral_a[AXES_MAX], reported_a[AXES_MAX], otherwise[AXES_MAX];
} s;

/* State before the step, for those that are stepped otherwise. */
static struct {
    LANE position_m[AXES_MAX], velocity_m_per_s[AXES_MAX], current_a[AXES_MAX], integral_a[AXES_MAX], reported_a[AXES_MAX];
} before;

static size_t count, padded;
static double step_s, period_s;

/* Derivative of (way, v, i, q, reported) of the linear system. */
static void linear(const struct axis *a, const double y[ROWS], double e, double slope, double load, int moves, double d[ROWS])
{
    double v = moves ? y[VELOCITY] : 0.0;
    double error = a->position_gain_per_s * (e - y[WAY]) + a->velocity_feedforward * slope - v;
    d[WAY] = v;
    d[VELOCITY] = moves ? (y[CURRENT] - a->viscous * v - load) / a->inertia : 0.0;
    d[CURRENT] = (a->velocity_gain * error + y[INTEGRAL] - y[CURRENT]) / a->current_time_constant_s;
    d[INTEGRAL] = a->integral_gain * error;
    d[REPORTED] = (y[CURRENT] - y[REPORTED]) / a->current_filter_s;
}

/* The step, column by column: integrated so finely that nothing is left of the scheme. */
static void transition(const struct axis *a, size_t l, int moves, double (*out)[COLUMNS][AXES_MAX])
{
    const double h = period_s / BASIS_SUBSTEPS;
    for (int column = 0; column < COLUMNS; column++) {
        double y[ROWS] = {0.0, column == FROM_V && moves, column == FROM_I, column == FROM_Q, column == FROM_R};
        double e = column == FROM_E, slope = column == FROM_SLOPE, load = column == FROM_LOAD;
        for (int n = 0; n < BASIS_SUBSTEPS; n++) {
            static const double share[4] = {0.0, 0.5, 0.5, 1.0}, weight[4] = {6.0, 3.0, 3.0, 6.0};
            double k[ROWS] = {0.0}, sum[ROWS], at[ROWS];
            memcpy(sum, y, sizeof y);
            for (int stage = 0; stage < 4; stage++) {
                for (int r = 0; r < ROWS; r++)
                    at[r] = y[r] + share[stage] * h * k[r];
                linear(a, at, e + slope * h * (n + share[stage]), slope, load, moves, k);
                for (int r = 0; r < ROWS; r++)
                    sum[r] += h / weight[stage] * k[r];
            }
            memcpy(y, sum, sizeof y);
        }
        for (int r = 0; r < ROWS; r++)
            out[r][column][l] = y[r];
    }
}

INLINE void predict_axis(size_t l)
{
    double x = s.position_m[l], v = s.velocity_m_per_s[l], i = s.current_a[l], q = s.integral_a[l], r = s.reported_a[l];
    double e = s.from_m[l] - x, slope = (s.to_m[l] - s.from_m[l]) / period_s, load = p.gravity_a[l];
    before.position_m[l] = x;
    before.velocity_m_per_s[l] = v;
    before.current_a[l] = i;
    before.integral_a[l] = q;
    before.reported_a[l] = r;
#define LINEAR(m, row)                                                                                                     \
    (m[row][FROM_E][l] * e + m[row][FROM_V][l] * v + m[row][FROM_I][l] * i + m[row][FROM_Q][l] * q                         \
     + m[row][FROM_SLOPE][l] * slope)
    double direction = v > 0.0 ? 1.0 : -1.0;
    double coulomb = v > 0.0 ? p.coulomb_positive_a[l] : p.coulomb_negative_a[l];
    double free = LINEAR(moving, VELOCITY), by_load = moving[VELOCITY][FROM_LOAD][l];
    double dry = coulomb + p.stribeck_a[l] / (1.0 + v * v * p.stribeck_per_v2[l]);
    double guess = free + by_load * (load + direction * dry), mean = 0.5 * (v + guess);
    double b = load + direction * (coulomb + p.stribeck_a[l] / (1.0 + mean * mean * p.stribeck_per_v2[l]));
    double v1 = free + by_load * b;
    int goes_on = (v1 * direction > 0.0) & (guess * direction > 0.0) & (v != 0.0);

    double i1_rest = LINEAR(resting, CURRENT);
    double impulse = step_s * p.per_inertia[l], push = v + (i - load - p.viscous[l] * v) * impulse;
    double start = v != 0.0 ? v : push;
    double held = (start >= 0.0 ? p.coulomb_positive_a[l] : p.coulomb_negative_a[l]) + p.stribeck_a[l];
    double after = i1_rest - load;
    int rests = (push <= held * impulse) & (push >= -held * impulse)
                & (after <= p.coulomb_positive_a[l] + p.stribeck_a[l]) & (after >= -p.coulomb_negative_a[l] - p.stribeck_a[l]);

    double x1 = x + (goes_on ? LINEAR(moving, WAY) + moving[WAY][FROM_LOAD][l] * b : 0.5 * v * step_s);
    v1 = goes_on ? v1 : 0.0;
    double i1 = goes_on ? LINEAR(moving, CURRENT) + moving[CURRENT][FROM_LOAD][l] * b : i1_rest;
    double q1 = goes_on ? LINEAR(moving, INTEGRAL) + moving[INTEGRAL][FROM_LOAD][l] * b : LINEAR(resting, INTEGRAL);
    double r1 = goes_on ? LINEAR(moving, REPORTED) + moving[REPORTED][FROM_LOAD][l] * b + moving[REPORTED][FROM_R][l] * r
                        : LINEAR(resting, REPORTED) + resting[REPORTED][FROM_R][l] * r;
    double asked = p.kv[l] * (p.kx[l] * e + p.kff[l] * slope - v) + q;
    double asked1 = p.kv[l] * (p.kx[l] * (s.to_m[l] - x1) + p.kff[l] * slope - v1) + q1;
    int unlimited = (asked <= p.limit_a[l]) & (asked >= -p.limit_a[l]) & (asked1 <= p.limit_a[l]) & (asked1 >= -p.limit_a[l]);
    s.otherwise[l] = (goes_on | rests) & unlimited ? 0.0 : 1.0;
    s.position_m[l] = x1;
    s.velocity_m_per_s[l] = v1;
    s.current_a[l] = i1;
    s.integral_a[l] = q1;
    s.reported_a[l] = r1;
}

static double clamp(double x, double limit) { return x > limit ? limit : x < -limit ? -limit : x; }

static __attribute__((noinline)) void substeps(size_t l)
{
    double x = before.position_m[l], v = before.velocity_m_per_s[l], i = before.current_a[l];
    double q = before.integral_a[l], r = before.reported_a[l], way_m = s.to_m[l] - s.from_m[l];
    for (int n = 0; n < SUBSTEPS; n++) {
        double target_m = s.to_m[l] - (1.0 - (n + 0.5) / SUBSTEPS) * way_m;
        double error = p.kx[l] * (target_m - x) + p.kff[l] * way_m / period_s - v;
        double asked = p.kv[l] * error + q, limited = clamp(asked, p.limit_a[l]);
        if (asked == limited)
            q += p.ki[l] * error * step_s;
        i = limited + (i - limited) * p.current_decay[l];
        r = i + (r - i) * p.filter_decay[l];
        double free = v + (i - p.gravity_a[l] - p.viscous[l] * v) * p.per_inertia[l] * step_s;
        double direction = v != 0.0 ? v : free;
        double coulomb = direction >= 0.0 ? p.coulomb_positive_a[l] : p.coulomb_negative_a[l];
        double dry = coulomb + p.stribeck_a[l] / (1.0 + direction * direction * p.stribeck_per_v2[l]);
        double brake = dry * p.per_inertia[l] * step_s;
        double next = free > brake ? free - brake : free < -brake ? free + brake : 0.0;
        x += 0.5 * (v + next) * step_s;
        v = next;
    }
    s.position_m[l] = x;
    s.velocity_m_per_s[l] = v;
    s.current_a[l] = i;
    s.integral_a[l] = q;
    s.reported_a[l] = r;
}

static void start(const struct scenario *sc)
{
    static const struct scenario *known;
    if (sc->axes > AXES_MAX)
        abort();
    count = sc->axes;
    padded = (count + 7) / 8 * 8;
    period_s = sc->period_s;
    step_s = period_s / SUBSTEPS;
    for (size_t l = 0; l < padded; l++) {
        size_t a = l < count ? l : count - 1; /* what fills the last lane computes a copy */
        struct axis raw = sc->params[a];
        if (known != sc) {
            transition(&raw, l, 1, moving);
            transition(&raw, l, 0, resting);
        }
        p.per_inertia[l] = 1.0 / raw.inertia;
        p.coulomb_positive_a[l] = raw.coulomb_positive_a;
        p.coulomb_negative_a[l] = raw.coulomb_negative_a;
        p.viscous[l] = raw.viscous;
        p.stribeck_a[l] = raw.stribeck_a;
        p.stribeck_per_v2[l] = 1.0 / (raw.stribeck_velocity_m_per_s * raw.stribeck_velocity_m_per_s);
        p.gravity_a[l] = raw.gravity_a;
        p.kx[l] = raw.position_gain_per_s;
        p.kv[l] = raw.velocity_gain;
        p.ki[l] = raw.integral_gain;
        p.kff[l] = raw.velocity_feedforward;
        p.limit_a[l] = raw.limit_a;
        p.current_decay[l] = exp(-step_s / raw.current_time_constant_s);
        p.filter_decay[l] = exp(-step_s / raw.current_filter_s);
        s.to_m[l] = sc->targets_m[a];
        s.position_m[l] = sc->start[a].position_m;
        s.velocity_m_per_s[l] = sc->start[a].velocity_m_per_s;
        s.current_a[l] = sc->start[a].current_a;
        s.integral_a[l] = sc->start[a].integral_a;
        s.reported_a[l] = sc->start[a].reported_a;
    }
    known = sc;
}

static void cycle(const struct scenario *sc, size_t k)
{
    memcpy(s.from_m, s.to_m, padded * sizeof *s.to_m);
    memcpy(s.to_m, sc->targets_m + (k + 1) * count, count * sizeof *s.to_m);
#pragma omp simd
    for (size_t l = 0; l < padded; l++)
        predict_axis(l);
    for (size_t l = 0; l < count; l++)
        if (s.otherwise[l] != 0.0)
            substeps(l);
}

static void tell(struct state *out)
{
    for (size_t l = 0; l < count; l++)
        out[l] = (struct state){s.position_m[l], s.velocity_m_per_s[l], s.current_a[l], s.integral_a[l], s.reported_a[l]};
}

const struct runner exact_runner = {"exact", start, cycle, tell};
