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
//! Each is held for a cycle, from `reference_delay` after it was sent: within a cycle of the kernel it changes once, at an instant that
//! the plan knows. So the exact step of all axes side by side holds in every mode, each with columns of its own
//! ([`super::transition`]):
//!
//! - CSV is CSP with kx = 0, kff = 1 and a reference of the slope w0, which bends when w0 changes.
//! - CST has kv = ki = 0 too, and c, cut to the limit as the drive does, for an integrator.
//! - A constant c is the same as an integrator that holds c more. Its change is a step of q: in CSV and CST its column stands in place of
//!   that of the position error, which nothing follows there.
//! - In CSP w0, its change and that of c have three columns beside the others, which are added only where an axis has an offset.
//!
//! In CST the way of an axis that stops in the first substep is that of a constant deceleration (`steps.rs`).
//!
//! A lane whose axes are all in one mode takes the step of that mode as the plan has it; in a mixed one the columns are put together, place by
//! place. What does not hold exactly is stepped one by one, in substeps, as in CSP (`substeps.rs`).

pub mod plan;
pub(super) mod step;

use super::params::LaneParams;
use super::reference::TARGETS;
use crate::lane::{Lane, ZERO};
use crate::sample;
use crate::simd::Vector;

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

    /// Which axes of a lane follow what, of those whose drive is known.
    pub(super) const fn modes(&self, p: &LaneParams) -> Modes {
        let known = p.continuous | p.sampled;
        Modes {
            offsets: self.offsets & known,
            velocity: self.velocity & known,
            torque: self.torque & known,
        }
    }

    /// A bit for each axis that is told in this way.
    pub const fn places(&self, told: sample::Told) -> u8 {
        match told {
            sample::Told::Position => !self.any(),
            sample::Told::PositionAndOffsets => self.offsets,
            sample::Told::Velocity => self.velocity,
            sample::Told::Torque => self.torque,
            sample::Told::Own => self.own,
        }
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

    /// All eight axes go on in the modes in which they are: [`Self::push`] of all of them. `row(l)` begins with the velocity (m/s) and the
    /// current (A) that axis `l` was told.
    #[inline(always)]
    pub fn go_on<V: Vector>(&mut self, row: impl Fn(usize) -> [f64; 4]) {
        // Elsewhere nobody asks whether anything is 0.
        let in_position = !(self.velocity | self.torque | self.own);
        let mut any = 0;
        for part in 0..V::PARTS {
            let [m_per_s, a, _, _] = V::columns(part, &row);
            put_first(&mut self.velocity_m_per_s, m_per_s, part);
            put_first(&mut self.current_a, a, part);
            if in_position != 0 {
                any |= not_zero::<V>(&self.velocity_m_per_s, part);
                any |= not_zero::<V>(&self.current_a, part);
            }
        }
        self.offsets = any & in_position;
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
}

/// Puts the newest before a history.
#[inline(always)]
fn put_first<V: Vector>(history: &mut [Lane; TARGETS], newest: V, part: usize) {
    let mut newer = newest;
    for lane in history {
        let older = V::load(lane, part);
        newer.store(lane, part);
        newer = older;
    }
}

/// A bit for each place of a history of which anything is not 0.
#[inline(always)]
fn not_zero<V: Vector>(history: &[Lane; TARGETS], part: usize) -> u8 {
    let (zero, mut any) = (V::splat(0.0), V::mask(0, part));
    for lane in history {
        any = V::either(any, V::load(lane, part).size().above(zero));
    }
    V::bits(any, part)
}

/// A bit for each axis of a lane in one of these.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modes {
    /// CSP with an offset.
    pub offsets: u8,
    /// CSV.
    pub velocity: u8,
    /// CST.
    pub torque: u8,
}

impl Modes {
    /// A bit for each axis that follows no position.
    pub const fn apart(&self) -> u8 {
        self.velocity | self.torque
    }
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
        assert_eq!((told.any(), told.places(sample::Told::Velocity)), (2, 2));
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
    fn a_lane_that_goes_on_is_told_what_each_of_its_axes_is() {
        use crate::simd::Portable;
        let modes = [
            sample::Told::Velocity,
            sample::Told::Torque,
            sample::Told::PositionAndOffsets,
            sample::Told::Position,
        ];
        let (mut one, mut eight) = (Told::NOTHING, Told::NOTHING);
        for told in [&mut one, &mut eight] {
            for l in 0..8 {
                told.push(l, modes[l % 4], 0.0, 0.0);
            }
        }
        for k in 0..20 {
            // Offsets fade out and come again.
            let row = |l: usize| match l % 4 {
                3 => [0.0; 4],
                2 if k % 10 > 2 => [0.0; 4],
                _ => [f64::from(k) + l as f64, -0.5 * l as f64, 0.0, 0.0],
            };
            for l in 0..8 {
                let [m_per_s, a, _, _] = row(l);
                assert!(!one.push(l, modes[l % 4], m_per_s, a));
            }
            eight.go_on::<Portable>(row);
            assert_eq!(one, eight, "{k}");
        }
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
        assert_eq!((told.any(), told.places(sample::Told::Own)), (1, 1));
    }
}
