/* The scheme one would write first: classic Runge-Kutta of fourth order in four substeps, one axis after the other. */
#include "axis.h"

#include <math.h>
#include <stdlib.h>

/* Substeps of the solution that accuracy is measured against. */
enum { FINE_SUBSTEPS = 64 };

struct axis prepare(struct axis a)
{
    a.inertia = 1.0 / a.inertia;
    a.stribeck_velocity_m_per_s = 1.0 / (a.stribeck_velocity_m_per_s * a.stribeck_velocity_m_per_s);
    a.current_time_constant_s = 1.0 / a.current_time_constant_s;
    a.current_filter_s = 1.0 / a.current_filter_s;
    a.smooth_m_per_s = 1.0 / a.smooth_m_per_s;
    return a;
}

static inline struct state slope(const struct axis *p, struct state s, double r_m, double r_m_per_s)
{
    double v = s.velocity_m_per_s;
    double wanted = p->position_gain_per_s * (r_m - s.position_m) + p->velocity_feedforward * r_m_per_s;
    double error = wanted - v;
    double asked = p->velocity_gain * error + s.integral_a;
    double limited = asked > p->limit_a ? p->limit_a : asked < -p->limit_a ? -p->limit_a : asked;
    double coulomb = v >= 0.0 ? p->coulomb_positive_a : p->coulomb_negative_a;
    double dry = coulomb + p->stribeck_a / (1.0 + v * v * p->stribeck_velocity_m_per_s);
    double friction = p->viscous * v + dry * tanh(v * p->smooth_m_per_s);
    return (struct state){
        .position_m = v,
        .velocity_m_per_s = (s.current_a - p->gravity_a - friction) * p->inertia,
        .current_a = (limited - s.current_a) * p->current_time_constant_s,
        .integral_a = asked == limited ? p->integral_gain * error : 0.0,
        .reported_a = (s.current_a - s.reported_a) * p->current_filter_s,
    };
}

static inline struct state plus(struct state s, struct state k, double h)
{
    s.position_m += h * k.position_m;
    s.velocity_m_per_s += h * k.velocity_m_per_s;
    s.current_a += h * k.current_a;
    s.integral_a += h * k.integral_a;
    s.reported_a += h * k.reported_a;
    return s;
}

static inline void step(const struct axis *p, struct state *state, double from_m, double to_m, double period_s, int substeps)
{
    struct state s = *state;
    double h = period_s / substeps, speed = (to_m - from_m) / period_s;
    for (int n = 0; n < substeps; n++) {
        double r = from_m + speed * h * n, middle = r + 0.5 * h * speed;
        struct state k1 = slope(p, s, r, speed);
        struct state k2 = slope(p, plus(s, k1, 0.5 * h), middle, speed);
        struct state k3 = slope(p, plus(s, k2, 0.5 * h), middle, speed);
        struct state k4 = slope(p, plus(s, k3, h), r + h * speed, speed);
        s = plus(plus(plus(plus(s, k1, h / 6.0), k2, h / 3.0), k3, h / 3.0), k4, h / 6.0);
    }
    *state = s;
}

void rk4_step(const struct axis *axis, struct state *state, double from_m, double to_m, double period_s)
{
    step(axis, state, from_m, to_m, period_s, SUBSTEPS);
}

static struct axis *axes;
static struct state *states;
static size_t count;

static void start(const struct scenario *sc)
{
    count = sc->axes;
    axes = realloc(axes, count * sizeof *axes);
    states = realloc(states, count * sizeof *states);
    if (!axes || !states)
        abort();
    for (size_t a = 0; a < count; a++) {
        axes[a] = prepare(sc->params[a]);
        states[a] = sc->start[a];
    }
}

static inline void all(const struct scenario *sc, size_t k, int substeps)
{
    const double *from_m = sc->targets_m + k * count, *to_m = from_m + count;
    for (size_t a = 0; a < count; a++)
        step(&axes[a], &states[a], from_m[a], to_m[a], sc->period_s, substeps);
}

static void cycle(const struct scenario *sc, size_t k) { all(sc, k, SUBSTEPS); }

static void fine_cycle(const struct scenario *sc, size_t k) { all(sc, k, FINE_SUBSTEPS); }

static void tell(struct state *out)
{
    for (size_t a = 0; a < count; a++)
        out[a] = states[a];
}

const struct runner rk4_runner = {"rk4", start, cycle, tell, NULL};
const struct runner rk4_fine_runner = {"rk4-fine", start, fine_cycle, tell, NULL};
