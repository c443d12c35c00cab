//! The figures of a motion, taken sample by sample: currents, following error, settling, energy.

use super::round::{Move, Round};
use twinstep_models::rollout::Moment;

/// What is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Against {
    /// Period (s).
    pub period_s: f64,
    /// Way around the target within which an axis has settled (m).
    pub band_m: f64,
    /// Force of the axis per current (N/A).
    pub force_constant_n_per_a: f64,
}

/// Figures of a stretch of motion.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Samples.
    pub samples: u64,
    /// Largest current as the drive reports it, without its sign (A).
    pub peak_a: f64,
    /// Sum of its squares (A2).
    pub squares_a2: f64,
    /// Samples at which the loops asked for more than the limit.
    pub limited: u64,
    /// Largest distance from the reference of the drive (m).
    pub following_error_m: f64,
    /// Work of the motor while it drives (J).
    pub drive_j: f64,
    /// Work that comes back while it brakes (J).
    pub brake_j: f64,
    /// Largest force of a part on the ram (N).
    pub part_n: f64,
    /// Work into the part (J).
    pub part_j: f64,
}

impl Figures {
    /// Takes a sample in: the way since the one before (m), and the load of a part on this way (A).
    pub fn take(&mut self, against: &Against, m: &Moment, way_m: f64, part_a: f64) {
        self.samples += 1;
        self.peak_a = self.peak_a.max(m.reported_a.abs());
        self.squares_a2 += m.reported_a * m.reported_a;
        self.limited += u64::from(m.limited);
        let behind_m = (m.reference_m - m.position_m).abs();
        self.following_error_m = self.following_error_m.max(behind_m);
        let work_j = against.force_constant_n_per_a * m.current_a * way_m;
        self.drive_j += work_j.max(0.0);
        self.brake_j += (-work_j).max(0.0);
        let part_n = against.force_constant_n_per_a * part_a;
        self.part_n = self.part_n.max(part_n.abs());
        self.part_j += part_n * way_m;
    }

    /// Root mean square of the current (A).
    pub fn rms_a(&self) -> f64 {
        if self.samples == 0 {
            return 0.0;
        }
        (self.squares_a2 / self.samples as f64).sqrt()
    }

    /// Adds another stretch.
    pub fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.peak_a = self.peak_a.max(other.peak_a);
        self.squares_a2 += other.squares_a2;
        self.limited += other.limited;
        self.following_error_m = self.following_error_m.max(other.following_error_m);
        self.drive_j += other.drive_j;
        self.brake_j += other.brake_j;
        self.part_n = self.part_n.max(other.part_n);
        self.part_j += other.part_j;
    }
}

/// Figures of one move of the program, over all its repetitions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MoveFigures {
    /// Of the move and its rest.
    pub figures: Figures,
    /// Longest time from the end of the move to the last sample outside of the band (s); none: it was outside at the end of the rest.
    pub settling_s: Option<f64>,
    /// Largest way beyond the target (m).
    pub overshoot_m: f64,
    /// Repetitions.
    pub repetitions: u64,
}

/// Takes the motion of a whole program.
#[derive(Clone, Debug)]
pub struct Meter<'a> {
    round: &'a Round,
    against: Against,
    moves: Vec<MoveFigures>,
    /// The move under way, and the time in it at which the axis was last outside of the band (s).
    current: Option<(usize, f64)>,
    /// Whether it was outside at the last sample.
    outside: bool,
    /// Time of the last sample since the move began (s).
    since_s: f64,
}

impl<'a> Meter<'a> {
    /// Nothing seen yet.
    pub fn new(round: &'a Round, against: Against) -> Self {
        Self {
            moves: vec![
                MoveFigures {
                    settling_s: Some(0.0),
                    ..MoveFigures::default()
                };
                round.moves.len()
            ],
            round,
            against,
            current: None,
            outside: false,
            since_s: 0.0,
        }
    }

    /// Takes in a sample at `time_s` of the round.
    pub fn take(&mut self, time_s: f64, m: &Moment, way_m: f64, part_a: f64) {
        let (number, since_s) = self.round.at(time_s);
        let Some(one) = self.round.moves.get(number) else {
            return;
        };
        if self.current.is_none_or(|(n, _)| n != number) {
            self.end_move();
            self.current = Some((number, one.move_s));
        }
        self.since_s = since_s;
        let figures = &mut self.moves[number];
        figures.figures.take(&self.against, m, way_m, part_a);
        figures.overshoot_m = figures.overshoot_m.max(beyond_m(one, m.position_m));
        self.outside = (m.position_m - one.to_m).abs() > self.against.band_m;
        if let Some((_, last_s)) = &mut self.current
            && self.outside
        {
            *last_s = since_s.max(*last_s);
        }
    }

    /// A move has ended: when had it settled?
    fn end_move(&mut self) {
        let Some((number, last_s)) = self.current.take() else {
            return;
        };
        let one = &self.round.moves[number];
        let figures = &mut self.moves[number];
        figures.repetitions += 1;
        let settled_s = if self.outside {
            None
        } else {
            Some(last_s - one.move_s)
        };
        figures.settling_s = match (figures.settling_s, settled_s) {
            (Some(before), Some(now)) => Some(before.max(now)),
            _ => None,
        };
    }

    /// The figures of every move. What the last one came to is not known where it was cut short.
    pub fn finish(mut self) -> Vec<MoveFigures> {
        let last = self.current.and_then(|(n, _)| self.round.moves.get(n));
        let whole = last.is_some_and(|one| {
            self.since_s + 1.5 * self.against.period_s >= one.move_s + one.dwell_s
        });
        if whole {
            self.end_move();
        }
        self.moves
    }
}

/// How far a position is beyond the target of a move (m), 0 where it is not.
fn beyond_m(one: &Move, position_m: f64) -> f64 {
    let direction = if one.to_m < one.from_m { -1.0 } else { 1.0 };
    if one.to_m == one.from_m {
        return 0.0;
    }
    (direction * (position_m - one.to_m)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_cycle::motion::{Program, Step};
    use twinstep_models::sample::{Context, Told};

    const AGAINST: Against = Against {
        period_s: 0.001,
        band_m: 1e-4,
        force_constant_n_per_a: 10.0,
    };

    fn round() -> Round {
        let step = |to_m| Step {
            to_m,
            velocity_m_per_s: 0.5,
            dwell_s: 0.2,
            ends_stroke: false,
            told: Told::Position,
        };
        let program = Program {
            steps: [step(0.2), step(0.0)].into_iter().collect(),
            acceleration_m_per_s2: 5.0,
            jerk_m_per_s3: 100.0,
        };
        Round::new(&program, &[Context::default()])
    }

    /// Follows the round `late_s` behind, and `beyond_m` too far at both ends.
    fn measured(late_s: f64, beyond: f64) -> Vec<MoveFigures> {
        let round = round();
        let mut meter = Meter::new(&round, AGAINST);
        let cycles = (round.length_s / AGAINST.period_s) as u32;
        for k in 0..cycles {
            let time_s = f64::from(k) * AGAINST.period_s;
            let target_m = round.target_m((time_s - late_s).max(0.0));
            let moment = Moment {
                reference_m: round.target_m(time_s),
                position_m: target_m * (1.0 + beyond / 0.2),
                current_a: 2.0,
                reported_a: -2.0,
                ..Moment::default()
            };
            meter.take(time_s, &moment, 1e-4, 0.0);
        }
        meter.finish()
    }

    #[test]
    fn an_axis_that_is_late_settles_late() {
        let on_time = measured(0.0, 0.0);
        assert_eq!(on_time[0].settling_s, Some(0.0));
        let late = measured(0.05, 0.0);
        let settling_s = late[0].settling_s.unwrap();
        // The last 0.1 mm of the move take some of the time that it is late.
        assert!((0.03..0.05).contains(&settling_s), "{settling_s}");
        assert!(late[0].figures.following_error_m > 0.02);
        assert_eq!(late[0].repetitions, 1);
        assert_eq!(
            measured(0.25, 0.0)[0].settling_s,
            None,
            "the rest is shorter"
        );
    }

    #[test]
    fn what_goes_too_far_overshoots_and_does_not_settle() {
        let far = measured(0.0, 3e-4);
        assert!((far[0].overshoot_m - 3e-4).abs() < 1e-12, "{far:?}");
        assert_eq!(far[0].settling_s, None);
        // On the way back it ends where it should.
        assert_eq!(far[1].overshoot_m, 0.0);
        assert_eq!(far[1].settling_s, Some(0.0));
    }

    #[test]
    fn currents_and_work_are_summed_up() {
        let moves = measured(0.0, 0.0);
        let mut all = Figures::default();
        moves.iter().for_each(|one| all.add(&one.figures));
        assert_eq!((all.peak_a, all.rms_a()), (2.0, 2.0));
        let expected_j = 10.0 * 2.0 * 1e-4 * all.samples as f64;
        assert!((all.drive_j - expected_j).abs() < 1e-9, "{all:?}");
        assert_eq!(all.brake_j, 0.0);
        assert_eq!(Figures::default().rms_a(), 0.0);
    }
}
