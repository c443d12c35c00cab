//! What the servo axis in full shows of a round: its currents each way, what is lost between motor and load, and how they swing.

use std::f64::consts::TAU;
use twinstep_models::servo::{Mechanics, ServoState};

/// Steps of the target that differ by less than this share are of one speed (1).
const EVEN: f64 = 1e-6;
/// Fewest cycles at one speed that a current is taken of.
const FEWEST: usize = 16;

/// Figures of a round; what ends in `_a` is as the drive tells currents.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct ServoFigures {
    /// Largest current, without its sign (A).
    pub peak_a: f64,
    /// Share of the cycles in which the loops ask for the limit (1).
    pub limited_share: f64,
    /// Largest distance of the position loop's encoder from the target (m).
    pub following_error_m: f64,
    /// Mean current at constant speed to larger positions, in the later half of each stretch (A); none: there is no such stretch.
    pub positive_a: Option<f64>,
    /// The same to smaller positions, with its sign (A).
    pub negative_a: Option<f64>,
    /// Standard deviation of the current about its mean there (A).
    pub ripple_a: Option<f64>,
    /// What the mean way from the load to the motor differs by between constant speed to larger and to smaller positions (m);
    /// none: one of them is not there.
    pub lost_motion_m: Option<f64>,
    /// Largest distance of the load from the target at the end of a rest (m).
    pub rest_error_m: Option<f64>,
    /// Largest peak to peak of the way from the load to the motor within a rest (m).
    pub swing_m: Option<f64>,
    /// At which motor and load swing against each other (Hz); none: they are rigid.
    pub resonance_hz: Option<f64>,
    /// At which the load swings while the motor is held (Hz).
    pub antiresonance_hz: Option<f64>,
}

/// Least and largest of what was seen.
#[derive(Clone, Copy, Debug, Default)]
struct Span(Option<(f64, f64)>);

impl Span {
    fn take(&mut self, value: f64) {
        let (low, high) = self.0.unwrap_or((value, value));
        self.0 = Some((low.min(value), high.max(value)));
    }

    fn width(self) -> Option<f64> {
        self.0.map(|(low, high)| high - low)
    }
}

/// Currents at constant speed in one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    sum_a: f64,
    /// Of the way from the load to the motor (m).
    sum_m: f64,
    count: usize,
}

impl Way {
    fn mean_a(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_a / self.count as f64)
    }

    fn mean_m(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_m / self.count as f64)
    }
}

/// Gathers the figures, cycle by cycle.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    figures: ServoFigures,
    cycles: u64,
    limited: u64,
    /// The targets of the two cycles before (m), newest first.
    before_m: [Option<f64>; 2],
    /// Current and way from load to motor in the stretch at constant speed that is under way (A, m), and its direction.
    stretch: Vec<(f64, f64)>,
    forward: bool,
    ways: [Way; 2],
    ripple_a2: f64,
    ripple_count: usize,
    /// Of the rest under way: its move, the way from load to motor, and the last of the load's distance from the target (m).
    rest: Option<usize>,
    swing: Span,
    off_m: f64,
}

impl Tally {
    /// Takes the end of a cycle: the move behind which the axis rests, if it does, whether it is in a part, the target (m), what
    /// was reached, the place that the position loop's encoder sees (m), and the limit of the current (A, as the state has it).
    pub fn take(
        &mut self,
        rests: Option<usize>,
        in_part: bool,
        target_m: f64,
        state: &ServoState,
        encoder_m: f64,
        limit_a: f64,
    ) {
        self.cycles += 1;
        self.limited += u64::from(state.loops.answer_a().abs() >= limit_a);
        let f = &mut self.figures;
        f.peak_a = f.peak_a.max(state.current_a.abs());
        f.following_error_m = f.following_error_m.max((target_m - encoder_m).abs());
        let m = &state.mechanics;
        let way_m = m.motor_position_m() - m.position_m;
        self.speed(target_m, in_part, state.current_a, way_m);
        if rests != self.rest {
            self.end_of_rest();
            self.rest = rests;
        }
        if rests.is_some() {
            self.swing.take(way_m);
            self.off_m = m.position_m - target_m;
        }
    }

    /// Follows the speed of the target; a stretch ends where it changes, and in a part, whose force is neither ripple nor friction.
    fn speed(&mut self, target_m: f64, in_part: bool, current_a: f64, way_m: f64) {
        if let [Some(last_m), Some(older_m)] = self.before_m {
            let (step_m, before_m) = (target_m - last_m, last_m - older_m);
            if !in_part && step_m != 0.0 && (step_m - before_m).abs() <= EVEN * step_m.abs() {
                self.forward = step_m > 0.0;
                self.stretch.push((current_a, way_m));
            } else {
                self.end_of_stretch();
            }
        }
        self.before_m = [Some(target_m), self.before_m[0]];
    }

    fn end_of_stretch(&mut self) {
        // The earlier half has what is left of gaining speed.
        let later = &self.stretch[self.stretch.len() / 2..];
        if later.len() >= FEWEST {
            let sum_a: f64 = later.iter().map(|(a, _)| a).sum();
            let mean_a = sum_a / later.len() as f64;
            let way = &mut self.ways[usize::from(self.forward)];
            way.sum_a += sum_a;
            way.sum_m += later.iter().map(|(_, m)| m).sum::<f64>();
            way.count += later.len();
            let square = |(a, _): &(f64, f64)| (a - mean_a) * (a - mean_a);
            self.ripple_a2 += later.iter().map(square).sum::<f64>();
            self.ripple_count += later.len();
        }
        self.stretch.clear();
    }

    fn end_of_rest(&mut self) {
        if self.rest.is_none() {
            return;
        }
        let f = &mut self.figures;
        f.swing_m = larger(f.swing_m, self.swing.width());
        f.rest_error_m = larger(f.rest_error_m, Some(self.off_m.abs()));
        self.swing = Span::default();
    }

    /// The figures; `amplitude_per_a` is the amplitude of a current per ampere that the drive tells.
    pub fn finish(mut self, mechanics: &Mechanics, amplitude_per_a: f64) -> ServoFigures {
        self.end_of_stretch();
        self.end_of_rest();
        let told = |a: f64| a / amplitude_per_a;
        let ripple_a2 = self.ripple_a2 / self.ripple_count.max(1) as f64;
        let [backward, forward] = self.ways;
        let spring = mechanics.compliance.map(|c| c.stiffness_n_per_m);
        let hz = |of: f64| of.sqrt() / TAU;
        let (m1, m2) = (mechanics.motor_mass_kg, mechanics.load_mass_kg);
        ServoFigures {
            peak_a: told(self.figures.peak_a),
            limited_share: self.limited as f64 / self.cycles.max(1) as f64,
            positive_a: forward.mean_a().map(told),
            negative_a: backward.mean_a().map(told),
            ripple_a: (self.ripple_count > 0).then(|| told(ripple_a2.sqrt())),
            lost_motion_m: (forward.mean_m().zip(backward.mean_m())).map(|(f, b)| (f - b).abs()),
            resonance_hz: spring.map(|k| hz(k / m1 + k / m2)),
            antiresonance_hz: spring.map(|k| hz(k / m2)),
            ..self.figures
        }
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (one, other) => one.or(other),
    }
}
