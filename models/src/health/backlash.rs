//! Lost motion at reversals, inferred from the motor's encoder and its current.
//!
//! # Derivation
//! After a reversal the motor first runs alone: through the gap, the twist of the screw and the bristles of the guide. As
//! long as the load does not move, the current lacks its friction and its inertia. The way from rest until the current has reached
//! what the whole axis needs is the lost motion. With the friction level F (A) and gravity g the needed current is
//! `g + s F + J a`; the crossing of `g + s F / 2 + J a / 2` is taken, the middle between the motor alone and the whole, and is
//! interpolated between two cycles.
//!
//! The drive reports its current later than its position: the position of `delay` cycles ago belongs to it.
//!
//! What is seen of a gap is what the motor is from the flank at rest. A load that was braked harder than by its own friction has crossed the gap
//! before, and stands somewhere in it: then the figure is at most what it has stayed behind at the end, however wide the gap is. See
//! [`super::crossing`].
//!
//! There is no second encoder, so the figure is inferred. It holds twist and bristles too; what has *risen* is the gap. Where
//! gravity is larger than the friction it keeps the gap closed, and there is nothing to be seen.

/// Positions that are remembered (cycles): the delay of the current reaches back 2.
const REMEMBERED: usize = 4;
/// Cycles after the start within which the crossing must come.
const LONGEST: u32 = 60;
/// Cycles at rest before a start counts.
const REST: u32 = 10;

/// What the meter needs to know of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MeterParams {
    /// Calibrated inertia (A s2/m).
    pub inertia: f64,
    /// Calibrated Coulomb friction, the mean of both directions (A).
    pub coulomb_a: f64,
    /// Calibrated gravity, and half of what friction in positive direction is above that in negative (A).
    pub gravity_a: f64,
    /// Delay of the current against the position (cycles, -1 to 2).
    pub delay_cycles: f64,
    /// Way within which an axis stands (m).
    pub still_m: f64,
    /// Period (s).
    pub period_s: f64,
}

impl MeterParams {
    /// Whether a gap can open at all: gravity does not hold it closed.
    pub fn observable(&self) -> bool {
        self.coulomb_a > 0.0 && self.gravity_a.abs() < self.coulomb_a
    }
}

/// Where the meter stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Stage {
    /// Moving, or nothing known.
    #[default]
    Away,
    /// At rest.
    Rest,
    /// Started against the last movement.
    Started,
}

/// Watches the starts of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ReversalMeter {
    past_m: [f64; REMEMBERED],
    known: u32,
    stage: Stage,
    cycles: u32,
    rest_m: f64,
    /// Direction of the movement before the rest.
    before: f64,
    direction: f64,
    last_way_m: f64,
    last_share: f64,
}

impl ReversalMeter {
    /// After a gap in the samples nothing is known.
    pub fn clear(&mut self) {
        let before = self.before;
        *self = Self {
            before,
            ..Self::default()
        };
    }

    /// Whether a start is being watched.
    pub fn watching(&self) -> bool {
        self.stage == Stage::Started
    }

    /// Says in which direction the axis has just moved (+1, -1), at the end of every movement.
    pub fn moved(&mut self, direction: f64) {
        self.before = direction;
    }

    /// Takes in a raw cycle, at rest and after a start. Returns the lost motion (m) of a reversal that was seen whole.
    pub fn push(&mut self, p: &MeterParams, position_m: f64, current_a: f64) -> Option<f64> {
        self.past_m.rotate_right(1);
        self.past_m[0] = position_m;
        self.known = self.known.saturating_add(1);
        if self.known < REMEMBERED as u32 {
            return None;
        }
        let [x0, x1, x2, _] = self.past_m;
        match self.stage {
            Stage::Away => {
                let still = (x0 - x1).abs() < 0.1 * p.still_m && (x1 - x2).abs() < 0.1 * p.still_m;
                self.cycles = if still { self.cycles + 1 } else { 0 };
                if self.cycles >= REST {
                    self.stage = Stage::Rest;
                    self.rest_m = x0;
                }
                None
            }
            Stage::Rest => {
                let way = x0 - self.rest_m;
                if way.abs() < p.still_m {
                    // Creeping into place is no start.
                    self.rest_m += 0.1 * way;
                    return None;
                }
                self.direction = if way > 0.0 { 1.0 } else { -1.0 };
                self.cycles = 0;
                self.last_share = 0.0;
                self.last_way_m = 0.0;
                self.stage = if self.before * self.direction < 0.0 {
                    Stage::Started
                } else {
                    Stage::Away
                };
                None
            }
            Stage::Started => self.cross(p, current_a),
        }
    }

    fn cross(&mut self, p: &MeterParams, current_a: f64) -> Option<f64> {
        self.cycles += 1;
        let x = &self.past_m;
        // Where the axis was when this current flowed.
        let back = p.delay_cycles.clamp(0.0, 2.0);
        let whole = if back >= 1.0 { 1 } else { 0 };
        let share = back - whole as f64;
        let at = x[whole] + share * (x[whole + 1] - x[whole]);
        let way = self.direction * (at - self.rest_m);
        let acceleration = (x[0] - 2.0 * x[1] + x[2]) / (p.period_s * p.period_s);
        let needed = 0.5 * (p.coulomb_a + (self.direction * p.inertia * acceleration).max(0.0));
        let has = self.direction * (current_a - p.gravity_a);
        let reached = has / needed;
        let (before, before_m) = (self.last_share, self.last_way_m);
        (self.last_share, self.last_way_m) = (reached, way);
        if reached >= 1.0 {
            self.stage = Stage::Away;
            self.cycles = 0;
            if before >= 1.0 || reached <= before {
                return None;
            }
            let crossing = before_m + (1.0 - before) / (reached - before) * (way - before_m);
            return Some(crossing.max(0.0));
        }
        if self.cycles > LONGEST {
            self.stage = Stage::Away;
            self.cycles = 0;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: MeterParams = MeterParams {
        inertia: 0.4,
        coulomb_a: 0.9,
        gravity_a: 0.1,
        delay_cycles: 0.0,
        still_m: 1e-6,
        period_s: 0.001,
    };

    /// A start in direction `s` with jerk 120 m/s3 and a gap: the motor has a third of the inertia and a fifth of the friction.
    fn start(m: &mut ReversalMeter, s: f64, gap_m: f64, from_m: f64) -> Option<f64> {
        m.moved(-s);
        for _ in 0..30 {
            assert_eq!(m.push(&P, from_m, P.gravity_a - s * 0.3), None);
        }
        (1..80).find_map(|k| {
            let t = f64::from(k) * P.period_s;
            let (way, a) = (20.0 * t * t * t, 120.0 * t);
            let whole = P.coulomb_a + P.inertia * a;
            let i = if way > gap_m { whole } else { 0.25 * whole };
            m.push(&P, from_m + s * way, P.gravity_a + s * i)
        })
    }

    #[test]
    fn the_way_until_the_load_moves_is_found() {
        for s in [1.0, -1.0] {
            for gap_m in [20e-6, 70e-6, 150e-6] {
                let mut m = ReversalMeter::default();
                let found = start(&mut m, s, gap_m, 0.3).expect("a reversal");
                // Within the way of one cycle at that speed.
                assert!((found - gap_m).abs() < 0.2 * gap_m, "{gap_m}: {found}");
            }
        }
    }

    #[test]
    fn a_start_in_the_same_direction_is_no_reversal() {
        let mut m = ReversalMeter::default();
        m.moved(1.0);
        for _ in 0..30 {
            m.push(&P, 0.0, 0.1);
        }
        for k in 1..60 {
            let way = 20e-9 * f64::from(k * k * k);
            assert_eq!(m.push(&P, way, 2.0), None);
        }
        assert!(!m.watching());
    }

    #[test]
    fn gravity_beyond_friction_hides_a_gap() {
        assert!(P.observable());
        assert!(
            !MeterParams {
                gravity_a: -2.0,
                ..P
            }
            .observable()
        );
    }
}
