/* What all peers in C share: the axis' parameters and state, and what is asked of a runner.
 *
 * Equations, as in `models/src/axis/mod.rs`, with x (m), v (m/s), motor current i, integrator q, reported current f (A):
 *
 *   x' = v                       i* = kv (w - v) + q, |i*| <= limit
 *   v' = (i - g - F(v)) / m      w  = kx (r - x) + kff r'
 *   i' = (i* - i) / tau          q' = ki (w - v) while i* is not limited
 *   f' = (i - f) / tau_f         F(v) = fv v + (fc+- + fs / (1 + (v / vs)^2)) sgn(v)
 *
 * The reference r moves on a straight line from the last target to the next. Continuous peers smooth sgn to tanh(v / eps).
 */
#ifndef AXIS_H
#define AXIS_H

#include <stddef.h>

enum { SUBSTEPS = 4 };

/* Parameters of one axis in the order of the scenario file. `prepare` replaces the fields marked so. */
struct axis {
    double inertia;                   /* A s2/m; prepared: its reciprocal */
    double coulomb_positive_a;        /* A */
    double coulomb_negative_a;        /* A */
    double viscous;                   /* A s/m */
    double stribeck_a;                /* A */
    double stribeck_velocity_m_per_s; /* m/s; prepared: 1 / square */
    double gravity_a;                 /* A */
    double position_gain_per_s;       /* 1/s */
    double velocity_gain;             /* A s/m */
    double integral_gain;             /* A/m */
    double velocity_feedforward;      /* 1 */
    double limit_a;                   /* A */
    double current_time_constant_s;   /* s; prepared: its reciprocal */
    double current_filter_s;          /* s; prepared: its reciprocal */
    double smooth_m_per_s;            /* eps of the smooth sign (m/s); prepared: its reciprocal */
    double observer_hz;               /* Hz */
};

enum { PARAMS = sizeof(struct axis) / sizeof(double) };

struct state {
    double position_m, velocity_m_per_s, current_a, integral_a, reported_a;
};

enum { STATES = sizeof(struct state) / sizeof(double) };

/* One motion of all axes; arrays are [cycle][axis]. `targets_m` has one row more than there are cycles. */
struct scenario {
    size_t axes, cycles;
    double period_s;
    double limits[3]; /* on the residuals of position (m), velocity (m/s) and current (A) */
    const struct axis *params;
    const struct state *start;
    const double *targets_m, *measured_m, *measured_m_per_s, *measured_a;
};

/* Puts all axes at the scenario's start; computes one cycle of all axes; tells all states. */
struct runner {
    const char *name;
    void (*start)(const struct scenario *);
    void (*cycle)(const struct scenario *, size_t k);
    void (*states)(struct state *);
    void (*evidence)(void); /* prints what else was computed; may be NULL */
};

struct axis prepare(struct axis raw);

/* One cycle by Runge-Kutta of fourth order in SUBSTEPS substeps; `axis` is prepared. */
void rk4_step(const struct axis *axis, struct state *state, double from_m, double to_m, double period_s);

extern const struct runner rk4_runner, rk4_fine_runner, soa_runner, soa_full_runner, casadi_runner;

#endif
