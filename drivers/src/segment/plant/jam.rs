//! A jam: what holds a load in the place where it stood when it began, and may push it on from there.

/// Angle by which the load swings on a jam within a step of the drive (rad): stiffer than any machine around it, and well within what the
/// integration follows.
const PHASE: f64 = 0.2;
/// Damping ratio of that swing (1).
const DAMPING: f64 = 0.5;

/// What holds one load or ram. Free until it jams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jam {
    stiffness_n_per_m: f64,
    damping_n_s_per_m: f64,
    /// Where it was caught (m).
    caught_m: Option<f64>,
    /// By how much that place has moved on (m).
    push_m: f64,
}

impl Jam {
    /// Nothing holds what has `mass_kg` and is looked at every `dt_s`.
    pub fn new(mass_kg: f64, dt_s: f64) -> Self {
        let per_s = PHASE / dt_s;
        Self {
            stiffness_n_per_m: per_s * per_s * mass_kg,
            damping_n_s_per_m: 2.0 * DAMPING * per_s * mass_kg,
            caught_m: None,
            push_m: 0.0,
        }
    }

    /// `push_m`: jammed, and pushed on by so much (m). `stands_m` is where it stands (m): what moves is caught where it stands next.
    pub fn supervise(&mut self, push_m: Option<f64>, stands_m: Option<f64>) {
        self.push_m = push_m.unwrap_or(0.0);
        self.caught_m = match push_m {
            Some(_) => self.caught_m.or(stands_m),
            None => None,
        };
    }

    /// Force on what is at `at_m` (m) and moves with `m_per_s` (m/s) (N, towards larger positions).
    #[inline]
    pub fn force_n(&self, at_m: f64, m_per_s: f64) -> f64 {
        match self.caught_m {
            None => 0.0,
            Some(caught_m) => {
                self.stiffness_n_per_m * (caught_m + self.push_m - at_m)
                    - self.damping_n_s_per_m * m_per_s
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_catches_what_stands_and_lets_go_of_it() {
        let mut jam = Jam::new(90.0, 62.5e-6);
        jam.supervise(Some(0.0), None);
        assert_eq!(jam.force_n(0.3, 0.5), 0.0, "it moves");
        jam.supervise(Some(0.0), Some(0.35));
        assert_eq!(jam.force_n(0.35, 0.0), 0.0);
        // A tenth of a millimetre is more than any drive can do, both ways, however it moved since.
        jam.supervise(Some(0.0), Some(0.36));
        let back_n = jam.force_n(0.3501, 0.0);
        let forth_n = jam.force_n(0.3499, 0.0);
        assert!(back_n < -50e3 && (forth_n + back_n).abs() < 1.0);
        assert!(jam.force_n(0.35, 0.01) < 0.0);
        // Pushed on, it pushes towards larger positions.
        jam.supervise(Some(20e-6), None);
        assert!(jam.force_n(0.35, 0.0) > 10e3);
        jam.supervise(None, Some(0.35));
        assert_eq!(jam.force_n(0.4, 0.0), 0.0);
    }

    #[test]
    fn a_load_comes_to_rest_on_it_within_milliseconds() {
        let (mass_kg, dt_s) = (90.0, 62.5e-6);
        let mut jam = Jam::new(mass_kg, dt_s);
        jam.supervise(Some(0.0), Some(0.0));
        let (mut x, mut v, mut most) = (0.0_f64, 0.0, 0.0_f64);
        for _ in 0..320 {
            x += v * dt_s;
            most = most.max(x);
            v += dt_s * (6e3 + jam.force_n(x, v)) / mass_kg;
        }
        let rests_m = 6e3 / jam.stiffness_n_per_m;
        assert!((x - rests_m).abs() < 0.01 * rests_m, "{x} {rests_m}");
        assert!(most < 1.5 * rests_m, "{most} {rests_m}");
    }
}
