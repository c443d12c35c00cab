//! Axes that are told more than a position, or something else.
//!
//! # Derivation
//! The drive of the parent module takes a velocity w0 and a current c besides (offsets 0x60B1 and 0x60B2, or targets):
//!
//! ```text
//! CSP:  w = kx (r - x) + kff r' + w0    i* = kv (w - v) + q + c
//! CSV:  w = w0                          i* = kv (w - v) + q + c
//! CST:                                  i* = c,  q stays
//! ```
//!
//! Each is held for a cycle, from `reference_delay` after it was sent. In CSP a constant w0 is the same as a reference that lies
//! `w0 / kx` further on, and a constant c the same as an integrator that holds c more: the exact step of all axes side by side goes on
//! to hold with both shifted, by the mean of what they are over the cycle. CSV is CSP with kx = 0, kff = 1 and a reference of the slope
//! w0; CST has kv = ki = 0 too, and c for an integrator: both have exact substeps of their own, and are stepped one by one.
//!
//! A lane with such an axis is stepped on the portable vector, whatever the processor has: all give the same bits.

use super::params::LaneParams;
use super::reference::TARGETS;
use crate::lane::{LANES, Lane, ZERO};
use crate::sample;

/// What eight drives are told besides positions: a bit for each axis, and the figures, newest first.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub struct Told {
    /// Velocities: targets and offsets (m/s).
    velocity_m_per_s: [Lane; TARGETS],
    /// Currents: targets and offsets (A).
    current_a: [Lane; TARGETS],
    /// In CSP, with an offset that is or was not 0.
    offsets: u8,
    /// In CSV.
    velocity: u8,
    /// In CST.
    torque: u8,
    /// In a mode of its own.
    own: u8,
}

impl Told {
    /// All in CSP, without offsets.
    pub const NOTHING: Self = Self {
        velocity_m_per_s: [ZERO; TARGETS],
        current_a: [ZERO; TARGETS],
        offsets: 0,
        velocity: 0,
        torque: 0,
        own: 0,
    };

    /// A bit for each axis that is told anything but a position.
    pub const fn any(&self) -> u8 {
        self.offsets | self.velocity | self.torque | self.own
    }

    /// Whether axis `l` is in CST.
    pub(super) const fn torque(&self, l: usize) -> bool {
        self.torque & (1 << l) != 0
    }

    /// A bit for each axis that follows no position.
    pub const fn apart(&self) -> u8 {
        self.velocity | self.torque
    }

    /// How axis `l` is told what to do.
    pub const fn of(&self, l: usize) -> sample::Told {
        let bit = 1 << l;
        if self.velocity & bit != 0 {
            sample::Told::Velocity
        } else if self.torque & bit != 0 {
            sample::Told::Torque
        } else if self.own & bit != 0 {
            sample::Told::Own
        } else if self.offsets & bit != 0 {
            sample::Told::PositionAndOffsets
        } else {
            sample::Told::Position
        }
    }

    /// The velocity that axis `l` was told last (m/s).
    pub const fn velocity_m_per_s(&self, l: usize) -> f64 {
        self.velocity_m_per_s[0][l]
    }

    /// Axis `l` was told this: velocity (m/s) and current (A). Returns whether its mode is another one than before: then nothing that
    /// was told before counts.
    pub fn push(&mut self, l: usize, told: sample::Told, m_per_s: f64, a: f64) -> bool {
        let changes = !self.of(l).same_mode(told);
        for (history, newest) in [
            (&mut self.velocity_m_per_s, m_per_s),
            (&mut self.current_a, a),
        ] {
            for n in (1..TARGETS).rev() {
                history[n][l] = if changes { newest } else { history[n - 1][l] };
            }
            history[0][l] = newest;
        }
        let bit = 1 << l;
        let put = |bits: &mut u8, on: bool| {
            *bits = (*bits & !bit) | if on { bit } else { 0 };
        };
        put(&mut self.velocity, told == sample::Told::Velocity);
        put(&mut self.torque, told == sample::Told::Torque);
        put(&mut self.own, told == sample::Told::Own);
        // An offset acts until it has gone out of the history.
        let zero = |history: &[Lane; TARGETS]| history.iter().all(|lane| lane[l] == 0.0);
        let any = !(zero(&self.velocity_m_per_s) && zero(&self.current_a));
        let position = sample::Told::Position.same_mode(told);
        put(&mut self.offsets, position && any);
        changes
    }

    /// Nothing is known of what axis `l` was told in this cycle: it goes on as it was.
    pub fn repeat(&mut self, l: usize) {
        let (m_per_s, a) = (self.velocity_m_per_s[0][l], self.current_a[0][l]);
        self.push(l, self.of(l), m_per_s, a);
    }

    /// Makes axis `l` what axis `of` of `other` is.
    pub fn copy(&mut self, l: usize, other: &Self, of: usize) {
        for (to, from) in [
            (&mut self.velocity_m_per_s, &other.velocity_m_per_s),
            (&mut self.current_a, &other.current_a),
        ] {
            for (to, from) in to.iter_mut().zip(from) {
                to[l] = from[of];
            }
        }
        for (to, from) in [
            (&mut self.offsets, other.offsets),
            (&mut self.velocity, other.velocity),
            (&mut self.torque, other.torque),
            (&mut self.own, other.own),
        ] {
            *to = (*to & !(1 << l)) | ((from >> of & 1) << l);
        }
    }

    /// Velocity (m/s) and current (A) that act on axis `l` in the stretch of the coming cycle from the share `from` to the share `to`.
    pub(super) fn mean(&self, p: &LaneParams, l: usize, from: f64, to: f64) -> (f64, f64) {
        let (whole, change) = (usize::from(p.fine.told_whole[l]), p.fine.told_change[l]);
        // Until the change what was sent a cycle earlier still acts.
        let until = if change < from {
            from
        } else if change > to {
            to
        } else {
            change
        };
        let share = (until - from) / (to - from);
        let mean = |history: &[Lane; TARGETS]| {
            let (older, newer) = (history[whole + 1][l], history[whole][l]);
            share * older + (1.0 - share) * newer
        };
        (mean(&self.velocity_m_per_s), mean(&self.current_a))
    }

    /// What references and integrators are shifted by over the coming cycle.
    pub(super) fn shifts(&self, p: &LaneParams) -> Shifts {
        let mut shifts = Shifts {
            way_m: ZERO,
            current_a: ZERO,
            offsets: self.offsets & (p.continuous | p.sampled),
            apart: self.apart() & (p.continuous | p.sampled),
        };
        for l in (0..LANES).filter(|l| shifts.offsets & (1 << l) != 0) {
            let (m_per_s, a) = self.mean(p, l, 0.0, 1.0);
            let gain = p.position_gain_per_s[l];
            shifts.way_m[l] = if gain > 0.0 { m_per_s / gain } else { 0.0 };
            shifts.current_a[l] = a;
        }
        shifts
    }
}

/// See the derivation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shifts {
    /// Of the references (m).
    pub way_m: Lane,
    /// Of the integrators (A).
    pub current_a: Lane,
    /// A bit for each axis that they are for: all others keep their very bits.
    pub offsets: u8,
    /// A bit for each axis that is stepped by itself.
    pub apart: u8,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::AxisParams;

    fn params(cycles: f64) -> LaneParams {
        let axis = AxisParams {
            reference_delay_s: Some(cycles * 1e-3),
            cascade_valid: true,
            ..AxisParams::IDLE
        };
        LaneParams::new(&[axis; 2], 1e-3)
    }

    #[test]
    fn what_was_told_acts_a_delay_later_for_a_cycle() {
        let mut told = Told::NOTHING;
        for n in 0..5 {
            let m_per_s = f64::from(n);
            told.push(1, sample::Told::Velocity, m_per_s, -m_per_s);
        }
        assert_eq!((told.any(), told.apart()), (2, 2));
        for (cycles, mean) in [(0.0, 4.0), (1.0, 3.0), (1.25, 2.75), (2.5, 1.5), (3.0, 1.0)] {
            let p = params(cycles);
            assert_eq!(told.mean(&p, 1, 0.0, 1.0), (mean, -mean), "{cycles}");
        }
        // It changes after a quarter of the cycle.
        let p = params(1.25);
        assert_eq!(told.mean(&p, 1, 0.0, 0.25).0, 2.0);
        assert_eq!(told.mean(&p, 1, 0.25, 0.5).0, 3.0);
    }

    #[test]
    fn another_mode_forgets_what_was_told_and_offsets_fade_out() {
        let mut told = Told::NOTHING;
        assert!(!told.push(0, sample::Told::PositionAndOffsets, 0.5, 0.0));
        for _ in 0..TARGETS - 1 {
            assert!(!told.push(0, sample::Told::Position, 0.0, 0.0));
            assert_eq!(told.of(0), sample::Told::PositionAndOffsets);
        }
        told.push(0, sample::Told::Position, 0.0, 0.0);
        assert_eq!(told, Told::NOTHING);
        told.push(0, sample::Told::PositionAndOffsets, 0.5, 0.1);
        assert!(told.push(0, sample::Told::Torque, 0.0, 2.0));
        assert_eq!(told.mean(&params(2.5), 0, 0.0, 1.0), (0.0, 2.0));
        told.repeat(0);
        assert_eq!(told.of(0), sample::Told::Torque);
        assert!(told.push(0, sample::Told::Own, 0.0, 0.0));
        assert_eq!((told.any(), told.apart()), (1, 0));
    }
}
