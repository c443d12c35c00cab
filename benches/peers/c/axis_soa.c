/* The algorithm of `models/src/axis` in C over structure of arrays: what a good C programmer gets out of a compiler.
 *
 * `predict_axis`, `compare_axis` and `correct_axis` are the discrete algorithm, operation by operation that of
 * `cascade::advance`, of limits on the three innovations, and of `observer::correct`. When those change, these three and
 * `start` follow; the table's check that both give the same trajectories tells whether they did.
 */
#include "axis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AXES_MAX = 1024, TARGETS = 5 };

#define LANE __attribute__((aligned(64))) double
#define INLINE static inline __attribute__((always_inline))

/* Parameters, with everything that can be computed beforehand: see `LaneParams`. */
static struct {
    LANE acceleration_per_a[AXES_MAX], coulomb_positive_a[AXES_MAX], coulomb_negative_a[AXES_MAX], viscous[AXES_MAX],
        stribeck_a[AXES_MAX], stribeck_per_v2[AXES_MAX], gravity_a[AXES_MAX], position_gain_per_s[AXES_MAX],
        velocity_gain[AXES_MAX], integral_gain[AXES_MAX], velocity_feedforward[AXES_MAX], limit_a[AXES_MAX],
        current_decay[AXES_MAX], filter_decay[AXES_MAX], dead_cycles[AXES_MAX], continuous[AXES_MAX], sampled[AXES_MAX],
        gain_position[AXES_MAX], gain_velocity[AXES_MAX], gain_disturbance[AXES_MAX];
} p;

/* State; `history_m[0]` holds the newest targets. */
static struct {
    LANE history_m[TARGETS][AXES_MAX], position_m[AXES_MAX], velocity_m_per_s[AXES_MAX], current_a[AXES_MAX],
        reported_a[AXES_MAX], integral_a[AXES_MAX], disturbance_a[AXES_MAX], contact_a[AXES_MAX], deviations[AXES_MAX];
} s;

static size_t count, padded;
static double step_s, period_s;

struct point {
    double m, m_per_cycle;
};

INLINE double clamp(double x, double limit)
{
    double low = x < -limit ? -limit : x;
    return low > limit ? limit : low;
}

/* The reference so many cycles before the newest target. */
INLINE struct point reference(size_t l, double cycles_back)
{
    double from = s.history_m[1][l], to = s.history_m[0][l], base = 0.0;
    for (int n = 1; n < TARGETS - 1; n++) {
        int older = cycles_back > n;
        from = older ? s.history_m[n + 1][l] : from;
        to = older ? s.history_m[n][l] : to;
        base = older ? n : base;
    }
    double slope = to - from;
    return (struct point){to - (cycles_back - base) * slope, slope};
}

INLINE void predict_axis(size_t l)
{
    double before_m = s.position_m[l], x = before_m, v = s.velocity_m_per_s[l], i = s.current_a[l];
    double q = s.integral_a[l], f = s.reported_a[l], load = s.disturbance_a[l] + s.contact_a[l];
#pragma GCC unroll 4
    for (int n = 0; n < SUBSTEPS; n++) {
        double tau = (n + 0.5) / SUBSTEPS;
        struct point r = reference(l, p.dead_cycles[l] - tau);
        double wanted = p.position_gain_per_s[l] * (r.m - x) + p.velocity_feedforward[l] * r.m_per_cycle / period_s;
        double error = wanted - v;
        double asked = p.velocity_gain[l] * error + q;
        double limited = clamp(asked, p.limit_a[l]);
        double grow = asked == limited ? p.integral_gain[l] * error * step_s : 0.0;
        q += grow * p.continuous[l];
        double aim = p.continuous[l] > 0.0 ? limited : i;
        i = aim + (i - aim) * p.current_decay[l];
        f = i + (f - i) * p.filter_decay[l];
        /* Mechanics: dry friction is an impulse that can stop the axis but never turn it around. */
        double push = (i - load - p.gravity_a[l] - p.viscous[l] * v) * p.acceleration_per_a[l] * step_s;
        double free = v + push;
        double direction = v != 0.0 ? v : free;
        double coulomb = direction >= 0.0 ? p.coulomb_positive_a[l] : p.coulomb_negative_a[l];
        double dry = coulomb + p.stribeck_a[l] / (1.0 + direction * direction * p.stribeck_per_v2[l]);
        double brake = dry * p.acceleration_per_a[l] * step_s;
        double next = free > brake ? free - brake : free < -brake ? free + brake : 0.0;
        x += 0.5 * (v + next) * step_s;
        v = next;
    }
    /* A sampled drive has computed its next current from this sample. */
    struct point r = reference(l, p.dead_cycles[l] - 1.0);
    double mean = (x - before_m) / period_s;
    double wanted = p.position_gain_per_s[l] * (r.m - x) + p.velocity_feedforward[l] * r.m_per_cycle / period_s;
    double next = clamp(p.velocity_gain[l] * (wanted - mean), p.limit_a[l]);
    i += p.sampled[l] * (next - i);
    f += p.sampled[l] * (next - f);
    s.position_m[l] = x;
    s.velocity_m_per_s[l] = v;
    s.current_a[l] = i;
    s.integral_a[l] = q;
    s.reported_a[l] = f;
}

INLINE double beyond(double residual, double limit) { return residual > limit || residual < -limit ? 1.0 : 0.0; }

INLINE void compare_axis(const struct scenario *sc, size_t l, double m, double m_per_s, double a)
{
    s.deviations[l] += beyond(m - s.position_m[l], sc->limits[0]) + beyond(m_per_s - s.velocity_m_per_s[l], sc->limits[1])
                       + beyond(a - s.reported_a[l], sc->limits[2]);
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

static void start(const struct scenario *sc)
{
    if (sc->axes > AXES_MAX)
        abort();
    count = sc->axes;
    padded = (count + 7) / 8 * 8;
    period_s = sc->period_s;
    step_s = period_s / SUBSTEPS;
    memset(&s, 0, sizeof s);
    for (size_t l = 0; l < padded; l++) {
        size_t a = l < count ? l : count - 1; /* what fills the last lane computes a copy */
        struct axis raw = sc->params[a];
        double pole = exp(-2.0 * 3.14159265358979323846 * raw.observer_hz * period_s), rest = 1.0 - pole;
        double vs = raw.stribeck_velocity_m_per_s;
        p.acceleration_per_a[l] = 1.0 / raw.inertia;
        p.coulomb_positive_a[l] = raw.coulomb_positive_a;
        p.coulomb_negative_a[l] = raw.coulomb_negative_a;
        p.viscous[l] = raw.viscous;
        p.stribeck_a[l] = raw.stribeck_a;
        p.stribeck_per_v2[l] = 1.0 / (vs * vs);
        p.gravity_a[l] = raw.gravity_a;
        p.position_gain_per_s[l] = raw.position_gain_per_s;
        p.velocity_gain[l] = raw.velocity_gain;
        p.integral_gain[l] = raw.integral_gain;
        p.velocity_feedforward[l] = raw.velocity_feedforward;
        p.limit_a[l] = raw.limit_a;
        p.current_decay[l] = exp(-step_s / raw.current_time_constant_s);
        p.filter_decay[l] = exp(-step_s / raw.current_filter_s);
        p.dead_cycles[l] = 1.0;
        p.continuous[l] = 1.0;
        p.sampled[l] = 0.0;
        p.gain_position[l] = 1.0 - pole * pole * pole;
        p.gain_velocity[l] = 1.5 * rest * rest * (1.0 + pole) / period_s;
        p.gain_disturbance[l] = rest * rest * rest * raw.inertia / (period_s * period_s);
        s.position_m[l] = sc->start[a].position_m;
        s.velocity_m_per_s[l] = sc->start[a].velocity_m_per_s;
        s.current_a[l] = sc->start[a].current_a;
        s.integral_a[l] = sc->start[a].integral_a;
        s.reported_a[l] = sc->start[a].reported_a;
        for (int n = 0; n < TARGETS; n++)
            s.history_m[n][l] = sc->targets_m[a] - n * (sc->targets_m[count + a] - sc->targets_m[a]);
    }
}

static inline void push_targets(const double *targets_m)
{
    memmove(s.history_m[1], s.history_m[0], (TARGETS - 1) * sizeof s.history_m[0]);
    memcpy(s.history_m[0], targets_m, count * sizeof *targets_m);
}

static void cycle(const struct scenario *sc, size_t k)
{
    push_targets(sc->targets_m + (k + 1) * count);
#pragma omp simd
    for (size_t l = 0; l < padded; l++)
        predict_axis(l);
}

static void full_cycle(const struct scenario *sc, size_t k)
{
    const double *m = sc->measured_m + k * count, *m_per_s = sc->measured_m_per_s + k * count,
                 *a = sc->measured_a + k * count;
    cycle(sc, k);
#pragma omp simd
    for (size_t l = 0; l < count; l++)
        compare_axis(sc, l, m[l], m_per_s[l], a[l]);
#pragma omp simd
    for (size_t l = 0; l < count; l++)
        correct_axis(l, m[l], a[l], 1.0);
}

static void tell(struct state *out)
{
    for (size_t l = 0; l < count; l++)
        out[l] = (struct state){s.position_m[l], s.velocity_m_per_s[l], s.current_a[l], s.integral_a[l], s.reported_a[l]};
}

const struct runner soa_runner = {"soa", start, cycle, tell};
const struct runner soa_full_runner = {"soa-full", start, full_cycle, tell};
