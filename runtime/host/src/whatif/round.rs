//! One round of a motion program: its moves, when each begins, and where the target is.
//!
//! The moves are those of the cycle's own program ([`twinstep_cycle::motion`]), begun where a round ends: at rest at the last target.

use twinstep_cycle::motion::Program;
use twinstep_cycle::profile::{Limits, Profile};
use twinstep_models::sample::Context;

/// One move, and the rest after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// Where from (m).
    pub from_m: f64,
    /// Where to (m).
    pub to_m: f64,
    /// When it begins, from the start of the round (s).
    pub begins_s: f64,
    /// Time of the move (s).
    pub move_s: f64,
    /// Rest after it (s).
    pub dwell_s: f64,
    /// Recipe and part.
    pub context: Context,
    profile: Profile,
}

/// All moves of a round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// In their order.
    pub moves: Vec<Move>,
    /// Length (s).
    pub length_s: f64,
}

impl Round {
    /// The round of `program`, once for each of the contexts `strokes`; of an axis that is no press these are of one entry.
    pub fn new(program: &Program, strokes: &[Context]) -> Self {
        let mut round = Self::default();
        let Some(last) = program.steps.last() else {
            return round;
        };
        let mut from_m = last.to_m;
        for context in strokes {
            for step in &program.steps {
                let limits = Limits {
                    velocity_m_per_s: step.velocity_m_per_s,
                    acceleration_m_per_s2: program.acceleration_m_per_s2,
                    jerk_m_per_s3: program.jerk_m_per_s3,
                };
                let profile = Profile::new(from_m, step.to_m, &limits);
                let one = Move {
                    from_m,
                    to_m: step.to_m,
                    begins_s: round.length_s,
                    move_s: profile.duration_s(),
                    dwell_s: step.dwell_s,
                    context: *context,
                    profile,
                };
                round.length_s += one.move_s + one.dwell_s;
                round.moves.push(one);
                from_m = step.to_m;
            }
        }
        round
    }

    /// Which move is under way at `time_s` of the round, and since when (s). Past the end it is the last one.
    pub fn at(&self, time_s: f64) -> (usize, f64) {
        let begun = self.moves.partition_point(|one| one.begins_s <= time_s);
        let number = begun.saturating_sub(1);
        let begins_s = self.moves.get(number).map_or(0.0, |one| one.begins_s);
        (number, time_s - begins_s)
    }

    /// The target at `time_s` of the round (m).
    pub fn target_m(&self, time_s: f64) -> f64 {
        let (number, since_s) = self.at(time_s);
        (self.moves.get(number)).map_or(0.0, |one| one.profile.position_m(since_s))
    }

    /// Where it begins and ends (m).
    pub fn start_m(&self) -> f64 {
        self.moves.last().map_or(0.0, |one| one.to_m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_cycle::motion::{Progress, Step};
    use twinstep_models::sample::Told;

    fn program() -> Program {
        let step = |to_m, velocity_m_per_s, dwell_s| Step {
            to_m,
            velocity_m_per_s,
            dwell_s,
            ends_stroke: false,
            told: Told::Position,
        };
        Program {
            steps: [
                step(0.4, 0.5, 0.3),
                step(0.1, 0.2, 0.0),
                step(0.05, 0.5, 0.25),
            ]
            .into_iter()
            .collect(),
            acceleration_m_per_s2: 3.0,
            jerk_m_per_s3: 60.0,
        }
    }

    #[test]
    fn targets_are_those_of_the_cycle_s_own_program() {
        let program = program();
        let round = Round::new(&program, &[Context::default()]);
        let mut progress = Progress::default();
        progress.start(&program, round.start_m());
        for k in 1..6000_u32 {
            let time_s = f64::from(k) * 0.001;
            let sent_m = progress.advance(&program, 0.001);
            let own_m = round.target_m(time_s % round.length_s);
            assert!((sent_m - own_m).abs() < 1e-9, "{time_s}: {sent_m} {own_m}");
        }
    }

    #[test]
    fn a_round_has_its_moves_one_after_the_other() {
        let round = Round::new(&program(), &[Context::default(); 2]);
        assert_eq!(round.moves.len(), 6);
        assert_eq!((round.start_m(), round.moves[0].from_m), (0.05, 0.05));
        for pair in round.moves.windows(2) {
            let ends_s = pair[0].begins_s + pair[0].move_s + pair[0].dwell_s;
            assert!((ends_s - pair[1].begins_s).abs() < 1e-12);
            assert_eq!(pair[0].to_m, pair[1].from_m);
        }
        assert_eq!(round.at(0.0), (0, 0.0));
        assert_eq!(round.at(1e9).0, 5);
        let second = round.moves[1].begins_s;
        assert_eq!(round.at(second), (1, 0.0));
    }

    #[test]
    fn no_program_has_no_round() {
        let round = Round::new(&Program::default(), &[Context::default()]);
        assert_eq!((round.length_s, round.target_m(1.0)), (0.0, 0.0));
    }
}
