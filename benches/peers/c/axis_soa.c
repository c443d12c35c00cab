/* The algorithm of our kernel in C over structure of arrays: what a good C programmer gets out of a compiler.
 *
 * `predict_axis` and `substeps` are `cascade::advance_on`, `compare_axis` is `Watch::push`, `correct_axis` is
 * `observer::correct`, and `load_axis` is `LoadFilter::push`, operation by operation. When those change, these and `start`
 * follow; the table's checks tell whether they did. Left out are drives that close their loops once a cycle, modes other than CSP and stiff parts:
 * there are none here. An axis that is let go at the first moment of a cycle is stepped in substeps here, and in one exact step there; so is, up to the
 * very moment, one that meets its limit there. Both happen on the motion to and fro alone, which is compared to 1 um.
 */
#include "axis_step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line more than a power of two: arrays 8 kB apart would all compete for the same lines of the cache. */
enum { AXES_MAX = 1024 + 8, TARGETS = 5, BLOCK = 8, CHANNELS = 3, WHITENED = 2 };

#define LANE __attribute__((aligned(64))) double
#define NARROW __attribute__((aligned(64))) float
#define INLINE static inline __attribute__((always_inline))

/* Parameters, with everything that can be computed beforehand: see `LaneParams` and `WatchParams`. */
static struct {
    LANE moving[ROWS][COLUMNS][AXES_MAX], resting[ROWS][COLUMNS][AXES_MAX];
    LANE inertia[AXES_MAX], acceleration_per_a[AXES_MAX], coulomb_positive_a[AXES_MAX], coulomb_negative_a[AXES_MAX],
        viscous[AXES_MAX], stribeck_a[AXES_MAX], stribeck_per_v2[AXES_MAX], direction_per_v[AXES_MAX], gravity_a[AXES_MAX],
        position_gain_per_s[AXES_MAX], velocity_gain[AXES_MAX], integral_gain[AXES_MAX], velocity_feedforward[AXES_MAX],
        limit_a[AXES_MAX], current_decay[AXES_MAX], filter_decay[AXES_MAX], dead_cycles[AXES_MAX], bend[AXES_MAX],
        continuous[AXES_MAX], gain_position[AXES_MAX], gain_velocity[AXES_MAX], gain_disturbance[AXES_MAX],
        delay_weight[4][AXES_MAX], load_share[AXES_MAX];
    NARROW limit[CHANNELS][AXES_MAX], correlation[WHITENED][AXES_MAX], per_sigma[WHITENED][AXES_MAX],
        window[WHITENED][AXES_MAX], cusum[WHITENED][AXES_MAX];
} p;

/* State; `history_m[0]` holds the newest targets. */
static struct {
    LANE history_m[TARGETS][AXES_MAX], position_m[AXES_MAX], velocity_m_per_s[AXES_MAX], current_a[AXES_MAX],
        reported_a[AXES_MAX], integral_a[AXES_MAX], disturbance_a[AXES_MAX], contact_a[AXES_MAX], otherwise[AXES_MAX];
    NARROW watch_before[WHITENED][AXES_MAX], window[WHITENED][AXES_MAX], up[WHITENED][AXES_MAX], down[WHITENED][AXES_MAX],
        square[AXES_MAX], deviations[AXES_MAX], judged[AXES_MAX];
    LANE x[3][AXES_MAX], i[3][AXES_MAX], c[2][AXES_MAX], position[2][AXES_MAX], way[AXES_MAX], measured[2][AXES_MAX],
        explained[2][AXES_MAX], contact[2][AXES_MAX];
    LANE load_measured_a[AXES_MAX], load_predicted_a[AXES_MAX], load_inertial_a[AXES_MAX], load_contact_a[AXES_MAX],
        load_position_m[AXES_MAX], load_velocity_m_per_s[AXES_MAX], load_acceleration_m_per_s2[AXES_MAX];
} s;

/* State and reference before the step, for those axes that are stepped otherwise. */
static struct {
    LANE position_m[AXES_MAX], velocity_m_per_s[AXES_MAX], current_a[AXES_MAX], integral_a[AXES_MAX], reported_a[AXES_MAX],
        from_m[AXES_MAX], to_m[AXES_MAX], first_m[AXES_MAX], second_m[AXES_MAX];
} before;

static size_t count, padded;
static double step_s, period_s;

INLINE double clamp(double x, double limit)
{
    double low = x < -limit ? -limit : x;
    return low > limit ? limit : low;
}

INLINE double dry_friction_a(size_t l, double v)
{
    double coulomb = v >= 0.0 ? p.coulomb_positive_a[l] : p.coulomb_negative_a[l];
    return coulomb + p.stribeck_a[l] / (1.0 + v * v * p.stribeck_per_v2[l]);
}

INLINE void predict_axis(size_t l)
{
    /* The reference of this cycle. */
    double older = s.history_m[1][l], middle = s.history_m[0][l], newer = middle + (middle - older);
    double dead = p.dead_cycles[l], bend = p.bend[l], per_s = 1.0 / period_s;
    for (int n = 1; n < TARGETS - 1; n++) {
        int reached = n <= dead;
        older = reached ? s.history_m[n + 1][l] : older;
        middle = reached ? s.history_m[n][l] : middle;
        newer = reached ? s.history_m[n - 1][l] : newer;
    }
    double first_m = middle - older, second_m = newer - middle;
    double from_m = middle - bend * first_m, to_m = middle + (1.0 - bend) * second_m;

    double x = s.position_m[l], v = s.velocity_m_per_s[l], i = s.current_a[l], q = s.integral_a[l], r = s.reported_a[l];
    before.position_m[l] = x;
    before.velocity_m_per_s[l] = v;
    before.current_a[l] = i;
    before.integral_a[l] = q;
    before.reported_a[l] = r;
    before.from_m[l] = from_m;
    before.to_m[l] = to_m;
    before.first_m[l] = first_m;
    before.second_m[l] = second_m;
    double load = s.disturbance_a[l] + s.contact_a[l] + p.gravity_a[l];
    double e = from_m - x, slope = first_m * per_s, bent = (second_m - first_m) * per_s;

    /* Moving on: friction at the velocity that was, then at the mean one. */
#define MOVING(row)                                                                                                        \
    (p.moving[row][4][l] * slope + p.moving[row][5][l] * bent                                                              \
     + (p.moving[row][2][l] * i + p.moving[row][3][l] * q + (p.moving[row][0][l] * e + p.moving[row][1][l] * v)))
    int positive = v > 0.0;
    double direction = positive ? 1.0 : -1.0;
    double coulomb = positive ? p.coulomb_positive_a[l] : p.coulomb_negative_a[l];
    double stribeck = p.stribeck_a[l], per_v2 = p.stribeck_per_v2[l];
    double free = MOVING(VELOCITY), on_velocity = p.moving[VELOCITY][6][l];
    double dry = coulomb + stribeck / (1.0 + v * v * per_v2);
    double guess = free + on_velocity * (load + direction * dry), mean = 0.5 * (v + guess);
    double dry_mean = coulomb + stribeck / (1.0 + mean * mean * per_v2);
    double b = load + direction * dry_mean;
    double v1 = free + on_velocity * b;
    double way = MOVING(WAY) + p.moving[WAY][6][l] * b;
    double i1 = MOVING(CURRENT) + p.moving[CURRENT][6][l] * b;
    double q1 = MOVING(INTEGRAL) + p.moving[INTEGRAL][6][l] * b;
    double r1 = MOVING(REPORTED) + p.moving[REPORTED][7][l] * r + p.moving[REPORTED][6][l] * b;
    int goes_on = (v1 * direction > 0.0) & (guess * direction > 0.0) & (v * direction > 0.0);

    /* Resting: what velocity there is ends in the first substep. */
    double i1_rest = p.resting[CURRENT][0][l] * e + p.resting[CURRENT][2][l] * i + p.resting[CURRENT][3][l] * q
                     + p.resting[CURRENT][4][l] * slope + p.resting[CURRENT][5][l] * bent;
    double q1_rest = q + p.resting[INTEGRAL][0][l] * e + p.resting[INTEGRAL][4][l] * slope + p.resting[INTEGRAL][5][l] * bent;
    double r1_rest = p.resting[REPORTED][0][l] * e + p.resting[REPORTED][2][l] * i + p.resting[REPORTED][3][l] * q
                     + p.resting[REPORTED][4][l] * slope + p.resting[REPORTED][5][l] * bent + p.resting[REPORTED][7][l] * r;
    double impulse = step_s * p.acceleration_per_a[l], push = v + (i - load - p.viscous[l] * v) * impulse;
    double hold_positive = p.coulomb_positive_a[l] + stribeck, hold_negative = p.coulomb_negative_a[l] + stribeck;
    double after = i1_rest - load;
    int rests = (push <= hold_positive * impulse) & (-push <= hold_negative * impulse) & (after <= hold_positive)
                & (-after <= hold_negative);

    double x1 = goes_on ? x + way : x + 0.5 * v * step_s;
    v1 = goes_on ? v1 : 0.0;
    i1 = goes_on ? i1 : i1_rest;
    q1 = goes_on ? q1 : q1_rest;
    r1 = goes_on ? r1 : r1_rest;
    double kv = p.velocity_gain[l], kx = p.position_gain_per_s[l], kff = p.velocity_feedforward[l], limit = p.limit_a[l];
    double asked = kv * (kx * e + kff * slope - v) + q;
    double asked_after = kv * (kx * (to_m - x1) + kff * (second_m * per_s) - v1) + q1;
    int unlimited = (asked <= limit) & (-asked <= limit) & (asked_after <= limit) & (-asked_after <= limit);
    s.otherwise[l] = (goes_on | rests) & unlimited ? 0.0 : 1.0;
    s.position_m[l] = x1;
    s.velocity_m_per_s[l] = v1;
    s.current_a[l] = i1;
    s.integral_a[l] = q1;
    s.reported_a[l] = r1;
}

/* One axis that starts, stops, turns around or meets its limit. */
static __attribute__((noinline)) void substeps(size_t l)
{
    double x = before.position_m[l], v = before.velocity_m_per_s[l], i = before.current_a[l];
    double q = before.integral_a[l], r = before.reported_a[l], per_s = 1.0 / period_s;
    double load = s.disturbance_a[l] + s.contact_a[l] + p.gravity_a[l];
    for (int n = 0; n < SUBSTEPS; n++) {
        double t = (n + 0.5) / SUBSTEPS;
        int first = t < p.bend[l];
        double target_m = first ? before.from_m[l] + t * before.first_m[l] : before.to_m[l] - (1.0 - t) * before.second_m[l];
        double slope_m = first ? before.first_m[l] : before.second_m[l];
        double error = p.position_gain_per_s[l] * (target_m - x) + p.velocity_feedforward[l] * (slope_m * per_s) - v;
        double asked = p.velocity_gain[l] * error + q, aim = clamp(asked, p.limit_a[l]);
        if (asked == aim)
            q += p.integral_gain[l] * step_s * error;
        i = aim + (i - aim) * p.current_decay[l];
        r = i + (r - i) * p.filter_decay[l];
        /* Dry friction is an impulse that can stop the axis but never turn it around. */
        double slow = p.stribeck_a[l] / (1.0 + v * v * p.stribeck_per_v2[l]), impulse = p.acceleration_per_a[l] * step_s;
        double free = v + (i - (load + p.viscous[l] * v)) * impulse;
        double forward = free - (p.coulomb_positive_a[l] + slow) * impulse;
        double backward = free + (p.coulomb_negative_a[l] + slow) * impulse;
        double next = (forward > 0.0 ? forward : 0.0) + (backward < 0.0 ? backward : 0.0);
        x += (v + next) * (0.5 * step_s);
        v = next;
    }
    s.position_m[l] = x;
    s.velocity_m_per_s[l] = v;
    s.current_a[l] = i;
    s.integral_a[l] = q;
    s.reported_a[l] = r;
}

INLINE float bounded(float sum, float threshold)
{
    float low = sum > 0.0f ? sum : 0.0f;
    return low < threshold + threshold ? low : threshold + threshold;
}

INLINE float toward(float mean, float x, float weight)
{
    float square = x * x;
    square = square < 1e30f ? square : 1e30f;
    square = square > 1e-30f ? square : 1e-30f;
    return mean + weight * (square - mean);
}

/* Limits on three innovations; window and CUSUM on those of position and current. */
INLINE void compare_axis(size_t l, double m, double m_per_s, double a)
{
    float e[CHANNELS] = {m - s.position_m[l], m_per_s - s.velocity_m_per_s[l], a - s.reported_a[l]};
    int judge = s.judged[l] != 0.0f, alarm = 0;
    for (int c = 0; c < CHANNELS; c++)
        alarm |= fabsf(e[c]) >= p.limit[c][l];
    for (int w = 0; w < WHITENED; w++) {
        float x = e[2 * w], y = (x - p.correlation[w][l] * s.watch_before[w][l]) * p.per_sigma[w][l];
        float window = toward(s.window[w][l], y, 1.0f / 64.0f);
        float up = bounded(s.up[w][l] + y - 0.5f, p.cusum[w][l]), down = bounded(s.down[w][l] - y - 0.5f, p.cusum[w][l]);
        alarm |= (window >= p.window[w][l]) | (up >= p.cusum[w][l]) | (down >= p.cusum[w][l]);
        s.watch_before[w][l] = judge ? x : 0.0f;
        s.window[w][l] = judge ? window : 0.0f;
        s.up[w][l] = judge ? up : 0.0f;
        s.down[w][l] = judge ? down : 0.0f;
    }
    s.square[l] = judge ? toward(s.square[l], e[2], 1.0f / 16.0f) : s.square[l];
    s.deviations[l] += alarm & judge ? 1.0f : 0.0f;
}

INLINE void correct_axis(size_t l, double m, double a, double used)
{
    double innovation_m = (m - s.position_m[l]) * used;
    s.position_m[l] += p.gain_position[l] * innovation_m;
    s.velocity_m_per_s[l] += p.gain_velocity[l] * innovation_m;
    s.disturbance_a[l] -= p.gain_disturbance[l] * innovation_m;
    double innovation_a = (a - s.reported_a[l]) * used;
    double share = p.continuous[l] > 0.0 ? 0.5 : 1.0;
    s.reported_a[l] += share * innovation_a;
    s.current_a[l] += share * innovation_a;
    s.integral_a[l] += 0.15 * innovation_a * p.continuous[l];
}

INLINE double filter(double (*stages)[AXES_MAX], size_t l, double x)
{
    double first = stages[0][l] + p.load_share[l] * (x - stages[0][l]);
    double second = stages[1][l] + p.load_share[l] * (first - stages[1][l]);
    stages[0][l] = first;
    stages[1][l] = second;
    return second;
}

/* The inverse dynamics of the filtered motion. */
INLINE void load_axis(size_t l, double m, double a)
{
    double per_s = 1.0 / period_s, x1 = s.x[0][l], x2 = s.x[1][l], x3 = s.x[2][l];
    double i1 = s.i[0][l], i2 = s.i[1][l], i3 = s.i[2][l], c1 = s.c[0][l], c2 = s.c[1][l];
    double v = (x1 - x3) * (0.5 * per_s), direction = clamp(v * p.direction_per_v[l], 1.0);
    double explained = dry_friction_a(l, v) * direction + p.viscous[l] * v + p.gravity_a[l] + c2;
    double measured = p.delay_weight[0][l] * a + p.delay_weight[1][l] * i1 + p.delay_weight[2][l] * i2
                      + p.delay_weight[3][l] * i3;
    double behind = s.position[1][l], earlier = s.way[l], way = filter(s.position, l, x1) - behind;
    double acceleration = (way - earlier) * (per_s * per_s);
    double inertial = p.inertia[l] * acceleration;
    s.load_contact_a[l] = filter(s.contact, l, c2);
    s.load_position_m[l] = behind;
    s.way[l] = way;
    s.load_predicted_a[l] = inertial + filter(s.explained, l, explained);
    s.load_measured_a[l] = filter(s.measured, l, measured);
    s.load_inertial_a[l] = inertial;
    s.load_velocity_m_per_s[l] = 0.5 * (way + earlier) * per_s;
    s.load_acceleration_m_per_s2[l] = acceleration;
    s.x[2][l] = x2;
    s.x[1][l] = x1;
    s.x[0][l] = m;
    s.i[2][l] = i2;
    s.i[1][l] = i1;
    s.i[0][l] = a;
    s.c[1][l] = c1;
    s.c[0][l] = s.contact_a[l];
}

static void put_axis(size_t l, const struct axis *raw)
{
    double pole = exp(-2.0 * 3.14159265358979323846 * raw->observer_hz * period_s), rest = 1.0 - pole;
    double vs = raw->stribeck_velocity_m_per_s;
    p.inertia[l] = raw->inertia;
    p.acceleration_per_a[l] = 1.0 / raw->inertia;
    p.coulomb_positive_a[l] = raw->coulomb_positive_a;
    p.coulomb_negative_a[l] = raw->coulomb_negative_a;
    p.viscous[l] = raw->viscous;
    p.stribeck_a[l] = raw->stribeck_a;
    p.stribeck_per_v2[l] = 1.0 / (vs * vs);
    p.direction_per_v[l] = 100.0 / vs;
    p.gravity_a[l] = raw->gravity_a;
    p.position_gain_per_s[l] = raw->position_gain_per_s;
    p.velocity_gain[l] = raw->velocity_gain;
    p.integral_gain[l] = raw->integral_gain;
    p.velocity_feedforward[l] = raw->velocity_feedforward;
    p.limit_a[l] = raw->limit_a;
    p.current_decay[l] = exp(-step_s / raw->current_time_constant_s);
    p.filter_decay[l] = exp(-step_s / raw->current_filter_s);
    p.dead_cycles[l] = 1.0;
    p.bend[l] = 0.0;
    p.continuous[l] = 1.0;
    p.gain_position[l] = 1.0 - pole * pole * pole;
    p.gain_velocity[l] = 1.5 * rest * rest * (1.0 + pole) / period_s;
    p.gain_disturbance[l] = rest * rest * rest * raw->inertia / (period_s * period_s);
    /* No delay of the current: two cycles ago. */
    p.delay_weight[2][l] = 1.0;
    p.load_share[l] = 1.0 / (1.0 + 0.5 * (0.008 / period_s));
}

static void start(const struct scenario *sc)
{
    static const struct scenario *known;
    if (sc->axes > AXES_MAX)
        abort();
    count = sc->axes;
    padded = (count + BLOCK - 1) / BLOCK * BLOCK;
    period_s = sc->period_s;
    step_s = period_s / SUBSTEPS;
    memset(&s, 0, sizeof s);
    for (size_t l = 0; l < padded; l++) {
        size_t a = l < count ? l : count - 1; /* what fills the last lane computes a copy */
        if (known != sc) {
            put_axis(l, &sc->params[a]);
            for (int moves = 0; moves < 2; moves++) {
                struct step step;
                exact_step(&step, &sc->params[a], period_s, p.bend[l], moves);
                for (int r = 0; r < ROWS; r++)
                    for (int c = 0; c < COLUMNS; c++)
                        (moves ? p.moving : p.resting)[r][c][l] = step.row[r][c];
            }
            for (int c = 0; c < CHANNELS; c++)
                p.limit[c][l] = sc->limits[c];
            /* The same as in src/ours.rs. */
            for (int w = 0; w < WHITENED; w++) {
                p.correlation[w][l] = 0.5;
                p.per_sigma[w][l] = 1.0 / (0.25 * sc->limits[2 * w]);
                p.window[w][l] = 3.0;
                p.cusum[w][l] = 12.0;
            }
        }
        struct state at = sc->start[a];
        s.position_m[l] = at.position_m;
        s.velocity_m_per_s[l] = at.velocity_m_per_s;
        s.current_a[l] = at.current_a;
        s.integral_a[l] = at.integral_a;
        s.reported_a[l] = at.reported_a;
        s.judged[l] = 1.0f;
        for (int n = 0; n < TARGETS; n++)
            s.history_m[n][l] = sc->targets_m[a] - n * (sc->targets_m[count + a] - sc->targets_m[a]);
        for (int n = 0; n < 3; n++)
            s.x[n][l] = at.position_m, s.i[n][l] = at.reported_a;
        for (int n = 0; n < 2; n++)
            s.position[n][l] = at.position_m, s.measured[n][l] = at.reported_a, s.explained[n][l] = p.gravity_a[l];
    }
    known = sc;
}

static void cycle(const struct scenario *sc, size_t k)
{
    for (int n = TARGETS - 1; n > 0; n--)
        memcpy(s.history_m[n], s.history_m[n - 1], padded * sizeof(double));
    memcpy(s.history_m[0], sc->targets_m + (k + 1) * count, count * sizeof(double));
#pragma omp simd
    for (size_t l = 0; l < padded; l++)
        predict_axis(l);
    for (size_t block = 0; block < count; block += BLOCK) {
        double any = 0.0;
        for (size_t l = block; l < block + BLOCK; l++)
            any += s.otherwise[l];
        if (any != 0.0)
            for (size_t l = block; l < block + BLOCK && l < count; l++)
                if (s.otherwise[l] != 0.0)
                    substeps(l);
    }
}

static void full_cycle(const struct scenario *sc, size_t k)
{
    const double *m = sc->measured_m + k * count, *m_per_s = sc->measured_m_per_s + k * count,
                 *a = sc->measured_a + k * count;
    cycle(sc, k);
#pragma omp simd
    for (size_t l = 0; l < count; l++)
        compare_axis(l, m[l], m_per_s[l], a[l]);
#pragma omp simd
    for (size_t l = 0; l < count; l++)
        correct_axis(l, m[l], a[l], 1.0);
#pragma omp simd
    for (size_t l = 0; l < count; l++)
        load_axis(l, m[l], a[l]);
}

static void tell(struct state *out)
{
    for (size_t l = 0; l < count; l++)
        out[l] = (struct state){s.position_m[l], s.velocity_m_per_s[l], s.current_a[l], s.integral_a[l], s.reported_a[l]};
}

/* What detectors and filter have come to, in the order of src/ours.rs. */
static void evidence(void)
{
    const float *const narrow[] = {s.deviations, s.window[0], s.window[1], s.up[0], s.up[1], s.down[0], s.down[1], s.square};
    for (size_t n = 0; n < sizeof narrow / sizeof *narrow; n++) {
        double sum = 0.0;
        for (size_t l = 0; l < count; l++)
            sum += fabs((double)narrow[n][l]);
        printf("%.17g\n", sum);
    }
    const double *const figures[] = {s.load_measured_a, s.load_predicted_a, s.load_position_m, s.load_velocity_m_per_s, s.load_acceleration_m_per_s2};
    for (size_t n = 0; n < sizeof figures / sizeof *figures; n++) {
        double sum = 0.0;
        for (size_t l = 0; l < count; l++)
            sum += fabs(figures[n][l]);
        printf("%.17g\n", sum);
    }
}

const struct runner soa_runner = {"soa", start, cycle, tell, NULL};
const struct runner soa_full_runner = {"soa-full", start, full_cycle, tell, evidence};
