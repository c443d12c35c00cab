//! The scheme of `c/axis_rk4.c` in plain scalar Rust.

use crate::Runner;
use crate::scenario::{Params, STATES, Scenario, State};
use std::error::Error;

/// Substeps of a cycle.
const SUBSTEPS: u32 = 4;

/// All axes: what is constant, prepared as in C, and the states.
#[derive(Default)]
pub struct Rk4 {
    axes: Vec<Params>,
    states: Vec<State>,
}

/// Divisions beforehand.
fn prepare(mut p: Params) -> Params {
    p.inertia = 1.0 / p.inertia;
    p.stribeck_velocity_m_per_s = 1.0 / (p.stribeck_velocity_m_per_s * p.stribeck_velocity_m_per_s);
    p.current_time_constant_s = 1.0 / p.current_time_constant_s;
    p.current_filter_s = 1.0 / p.current_filter_s;
    p.smooth_m_per_s = 1.0 / p.smooth_m_per_s;
    p
}

#[inline(always)]
fn slope(p: &Params, &[x, v, i, q, reported]: &State, r_m: f64, r_m_per_s: f64) -> State {
    let error = p.position_gain_per_s * (r_m - x) + p.velocity_feedforward * r_m_per_s - v;
    let asked = p.velocity_gain * error + q;
    let limited = asked.clamp(-p.limit_a, p.limit_a);
    let coulomb = if v >= 0.0 {
        p.coulomb_positive_a
    } else {
        p.coulomb_negative_a
    };
    let dry = coulomb + p.stribeck_a / (1.0 + v * v * p.stribeck_velocity_m_per_s);
    let friction = p.viscous * v + dry * libm::tanh(v * p.smooth_m_per_s);
    [
        v,
        (i - p.gravity_a - friction) * p.inertia,
        (limited - i) * p.current_time_constant_s,
        if asked == limited {
            p.integral_gain * error
        } else {
            0.0
        },
        (i - reported) * p.current_filter_s,
    ]
}

#[inline(always)]
fn plus(s: &State, k: &State, h: f64) -> State {
    let mut sum = *s;
    for n in 0..STATES {
        sum[n] += h * k[n];
    }
    sum
}

fn step(p: &Params, s: &mut State, from_m: f64, to_m: f64, period_s: f64) {
    let h = period_s / f64::from(SUBSTEPS);
    let speed = (to_m - from_m) / period_s;
    for n in 0..SUBSTEPS {
        let r = from_m + speed * h * f64::from(n);
        let middle = r + 0.5 * h * speed;
        let k1 = slope(p, s, r, speed);
        let k2 = slope(p, &plus(s, &k1, 0.5 * h), middle, speed);
        let k3 = slope(p, &plus(s, &k2, 0.5 * h), middle, speed);
        let k4 = slope(p, &plus(s, &k3, h), r + h * speed, speed);
        for (k, weight) in [(k1, 6.0), (k2, 3.0), (k3, 3.0), (k4, 6.0)] {
            *s = plus(s, &k, h / weight);
        }
    }
}

impl Runner for Rk4 {
    fn start(&mut self, scenario: &Scenario) -> Result<(), Box<dyn Error>> {
        self.axes = scenario.params.iter().copied().map(prepare).collect();
        self.states.clone_from(&scenario.start);
        Ok(())
    }

    fn cycle(&mut self, scenario: &Scenario, k: usize) -> Result<(), Box<dyn Error>> {
        let targets = scenario.targets_m(k).iter().zip(scenario.targets_m(k + 1));
        for ((p, s), (from_m, to_m)) in self.axes.iter().zip(&mut self.states).zip(targets) {
            step(p, s, *from_m, *to_m, scenario.period_s);
        }
        Ok(())
    }

    fn states(&mut self, states: &mut [State]) -> Result<(), Box<dyn Error>> {
        states.copy_from_slice(&self.states);
        Ok(())
    }
}
