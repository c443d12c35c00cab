//! A vacuum gripper: an ejector evacuates a small volume, a leak fills it again. A chamber under pressure that loses it is the
//! same circuit with its final pressure above the ambient one.
//!
//! # Derivation
//! The volume V is isothermal. A **leak** is a narrow gap or pores, where the flow is laminar: the mass flow of a compressible
//! gas is proportional to the difference of the squared pressures (Hagen and Poiseuille, isothermal), so
//!
//! ```text
//! p' = c (pa^2 - p^2)          vacuum fills up, pressure decays, one law for both
//! ```
//!
//! with pa the ambient pressure and c in 1/(Pa s). Rates are given at the final pressure pr of the circuit: `L = c |pa^2 - pr^2|`.
//! (An orifice would be choked below half the ambient pressure, where this law too is flat within 25 %; near the ambient
//! pressure the flow of an orifice goes with the root of the difference, which no seal was seen to do.)
//!
//! The **ejector** (or the supply of a chamber) pulls with a suction that falls linearly to 0 at pr, as its data sheet has it:
//! `p' = (pr - p) / tau`. Both together are a Riccati equation with constant coefficients,
//!
//! ```text
//! p' = (pr - p) / tau + c (pa^2 - p^2) = -c (p - p1) (p - p2),   p2 < 0 < p1
//! lambda = sqrt(1/tau^2 + 4 c q) = c (p1 - p2),   q = pr / tau + c pa^2,   p1 = 2 q / (1/tau + lambda)
//! ```
//!
//! and d = p - p1 obeys `d' = -d (lambda + c d)`, whose solution over a period T is exact for every T:
//!
//! ```text
//! d(T) = d e / (1 + c d (1 - e) / lambda),   e = exp(-lambda T)
//! ```
//!
//! A **valve** opens some time after it was told to, and until then the circuit is one with the ejector off: the cycle in which it opens is two
//! such steps, one of each kind. (What it lets through after it was told to close is not predicted: at the end of an evacuation that is nothing.)
//!
//! With the ejector off it is u = (p - pa) / (p + pa) that decays as `exp(-2 c pa T)`: in `ln |u|` a hold is a straight line, from
//! whose slope the leak rate is read (`leak.rs`). The blow-off is not predicted: the last reading stands.

pub mod cause;
mod circuit;
mod leak;
mod line;

pub use circuit::{LARGEST_PA, Step};
pub use leak::{LeakMeter, LeakRate, SOUND_S, Verdict, WINDOW_S, alarm_sigma};
pub use line::Line;

/// Ambient pressure (Pa).
pub const AMBIENT_PA: f64 = 101_325.0;
/// Time constant with which the observer takes in the innovation (s).
const OBSERVER_S: f64 = 9.5e-3;
/// Time of a hold or an evacuation after which the pressure is judged: the cycle of a change cannot be known beforehand (s).
const CHANGE_S: f64 = 0.05;
/// Time below half the limit after which a limit is cleared (s).
const CALM_S: f64 = 0.2;
/// Least distance between final and ambient pressure (Pa): without one there is no circuit.
const LEAST_SPAN_PA: f64 = 1.0;

/// One circuit as the configuration has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circuit {
    /// Absolute pressure that the ejector or the supply reaches (Pa, 0 to 1e8, not the ambient one).
    pub final_pressure_pa: f64,
    /// Time constant of the evacuation (s, > 0).
    pub time_constant_s: f64,
    /// Dead time of the valve, from the first sample of an evacuation on (s, >= 0; 0: none, or within the time constant).
    pub valve_delay_s: f64,
    /// Healthy leak at the final pressure (Pa/s, >= 0).
    pub leak_pa_per_s: f64,
    /// Its standard deviation from hold to hold (Pa/s, >= 0).
    pub leak_sigma_pa_per_s: f64,
    /// Leak from which on the circuit is leaky (Pa/s, > 0); none: not judged while a hold lasts.
    pub leak_limit_pa_per_s: Option<f64>,
    /// Standard deviation of a reading (Pa); 0: to be learnt.
    pub noise_pa: f64,
    /// Step of a reading (Pa); 0: not known.
    pub resolution_pa: f64,
    /// Standard errors above the healthy leak that an alarm needs (1), see [`alarm_sigma`].
    pub alarm_sigma: f64,
    /// Period (s, 31.25e-6 to 1).
    pub period_s: f64,
    /// Time of a hold that is left out while valves settle (s).
    pub settle_s: f64,
    /// Time of a hold that a slope needs (s).
    pub least_s: f64,
}

/// Parameters of one circuit with everything that can be computed beforehand. Immutable: a new set is a new plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VacuumParams {
    evacuate: Step,
    hold: Step,
    /// Whole cycles of an evacuation in which the valve is closed yet.
    closed_cycles: u32,
    /// The cycle after these, where the valve opens within it: until then, and from then on.
    opens: Option<[Step; 2]>,
    /// Final minus ambient pressure (Pa).
    span_pa: f64,
    /// `|pa^2 - pr^2| / 2 pa` (Pa).
    rate_per_slope: f64,
    leak_pa_per_s: f64,
    leak_sigma_pa_per_s: f64,
    leak_limit_pa_per_s: Option<f64>,
    alarm_sigma: f64,
    /// Variance of the mean of a block (Pa2).
    noise_pa2: f64,
    resolution_pa: f64,
    floor_pa2: f64,
    gain: f64,
    period_s: f64,
    settle_cycles: u32,
    least_cycles: u32,
    block_cycles: u32,
    window_points: usize,
    /// Cycles in a phase after which the pressure is judged.
    pub change_cycles: u32,
    /// Cycles below half the limit after which a limit is cleared.
    pub calm_cycles: u32,
}

impl VacuumParams {
    /// Builds the parameters. A final pressure at the ambient one is moved away from it by 1 Pa, into the vacuum.
    pub fn new(c: &Circuit) -> Self {
        let mut span_pa = c.final_pressure_pa - AMBIENT_PA;
        if span_pa < LEAST_SPAN_PA && span_pa > -LEAST_SPAN_PA {
            span_pa = -LEAST_SPAN_PA;
        }
        let final_pa = AMBIENT_PA + span_pa;
        let size = |x: f64| if x < 0.0 { -x } else { x };
        let squares = size(final_pa * final_pa - AMBIENT_PA * AMBIENT_PA);
        let leak = c.leak_pa_per_s / squares;
        // At least one, and no more than fit.
        let cycles = |time_s: f64| {
            let count = libm::round(time_s / c.period_s);
            if count >= 1.0 { count as u32 } else { 1 }
        };
        let delay_s = if c.valve_delay_s > 0.0 && c.valve_delay_s.is_finite() {
            c.valve_delay_s
        } else {
            0.0
        };
        let closed = libm::floor(delay_s / c.period_s);
        let closed_s = delay_s - closed * c.period_s;
        let pull_per_s = 1.0 / c.time_constant_s;
        let opens = (closed_s > 0.0).then(|| {
            [
                Step::new(0.0, final_pa, leak, closed_s),
                Step::new(pull_per_s, final_pa, leak, c.period_s - closed_s),
            ]
        });
        let block_cycles = cycles(leak::BLOCK_S);
        let in_window = leak::WINDOW_S / (f64::from(block_cycles) * c.period_s);
        let window_points =
            (libm::round(in_window) as usize).clamp(leak::WINDOW_MIN, leak::WINDOW_MAX);
        Self {
            evacuate: Step::new(pull_per_s, final_pa, leak, c.period_s),
            hold: Step::new(0.0, final_pa, leak, c.period_s),
            closed_cycles: closed as u32,
            opens,
            span_pa,
            rate_per_slope: squares / (2.0 * AMBIENT_PA),
            leak_pa_per_s: c.leak_pa_per_s,
            leak_sigma_pa_per_s: c.leak_sigma_pa_per_s,
            leak_limit_pa_per_s: c.leak_limit_pa_per_s,
            alarm_sigma: c.alarm_sigma,
            noise_pa2: c.noise_pa * c.noise_pa / f64::from(block_cycles),
            resolution_pa: c.resolution_pa,
            floor_pa2: c.resolution_pa * c.resolution_pa / 12.0,
            gain: -libm::expm1(-c.period_s / OBSERVER_S),
            period_s: c.period_s,
            settle_cycles: (c.settle_s / c.period_s) as u32,
            least_cycles: (c.least_s / c.period_s) as u32,
            block_cycles,
            window_points,
            change_cycles: cycles(CHANGE_S + delay_s),
            calm_cycles: cycles(CALM_S),
        }
    }
}

impl VacuumParams {
    /// Pressure a cycle later, `in_phase` samples after an evacuation began, its first one included (Pa).
    fn evacuated(&self, pressure_pa: f64, in_phase: u32) -> f64 {
        if in_phase <= self.closed_cycles {
            return self.hold.advance(pressure_pa);
        }
        match &self.opens {
            Some([closed, open]) if in_phase - 1 == self.closed_cycles => {
                open.advance(closed.advance(pressure_pa))
            }
            _ => self.evacuate.advance(pressure_pa),
        }
    }
}

/// What the ejector and the valve were told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Phase {
    /// Ejector on.
    Evacuate,
    /// Both off: the part is held by what is left.
    Hold,
    /// Blow-off: not predicted.
    #[default]
    Release,
}

/// What one cycle brought to light.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// The leak rate of a hold that has just ended.
    pub ended: Option<LeakRate>,
    /// A verdict on the hold that was not there a cycle ago, with the rate it rests on.
    pub verdict: Option<(Verdict, LeakRate)>,
}

/// State of one circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct VacuumState {
    /// Estimated pressure (Pa).
    pub pressure_pa: f64,
    phase: Phase,
    in_phase: u32,
    meter: LeakMeter,
}

impl VacuumState {
    /// Advances by one cycle: the pressure that is expected in the coming sample (Pa).
    pub fn predict(&mut self, p: &VacuumParams) -> f64 {
        match self.phase {
            Phase::Evacuate => self.pressure_pa = p.evacuated(self.pressure_pa, self.in_phase),
            Phase::Hold => self.pressure_pa = p.hold.advance(self.pressure_pa),
            Phase::Release => {}
        }
        self.pressure_pa
    }

    /// The phase that the last sample was in, and the cycles spent in it.
    pub fn phase(&self) -> (Phase, u32) {
        (self.phase, self.in_phase)
    }

    /// The hold in progress: its leak rate, and what is known of the circuit.
    pub fn meter(&self) -> &LeakMeter {
        &self.meter
    }

    /// Takes in the measurement of this cycle.
    pub fn correct(&mut self, p: &VacuumParams, measured_pa: f64, phase: Phase) -> Found {
        let mut found = Found::default();
        if phase != self.phase {
            if self.phase == Phase::Hold && self.in_phase >= self.least(p) {
                found.ended = self.meter.hold_rate(p);
            }
            self.phase = phase;
            self.in_phase = 0;
            self.meter.restart();
        }
        self.in_phase = self.in_phase.saturating_add(1);
        if phase == Phase::Hold && self.in_phase > p.settle_cycles {
            let before = self.meter.verdict();
            if self.meter.push(p, measured_pa) && self.meter.verdict() != before {
                found.verdict = self.evidence(p);
            }
        }
        let gain = if phase == Phase::Release { 1.0 } else { p.gain };
        self.pressure_pa += gain * (measured_pa - self.pressure_pa);
        found
    }

    fn least(&self, p: &VacuumParams) -> u32 {
        p.settle_cycles.saturating_add(p.least_cycles)
    }

    /// The rate that a verdict rests on: a leak shows soonest in the last second.
    fn evidence(&self, p: &VacuumParams) -> Option<(Verdict, LeakRate)> {
        let verdict = self.meter.verdict();
        let (hold, window) = (self.meter.hold_rate(p), self.meter.window_rate());
        let rate = match (verdict, hold, window) {
            (Verdict::Leaky, Some(h), Some(w)) if w.rate_pa_per_s > h.rate_pa_per_s => w,
            (_, Some(h), _) => h,
            (_, None, w) => w?,
        };
        Some((verdict, rate))
    }

    /// A cycle without a sample: the prediction stands in for it.
    pub fn coast(&mut self) {
        self.in_phase = self.in_phase.saturating_add(1);
        if self.phase == Phase::Hold {
            self.meter.coast();
        }
    }

    /// Forgets the hold in progress: after a gap.
    pub fn interrupt(&mut self) {
        self.phase = Phase::Release;
        self.in_phase = 0;
        self.meter.restart();
    }
}

#[cfg(test)]
mod tests;
