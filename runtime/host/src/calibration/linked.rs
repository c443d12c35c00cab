//! What the ram behind a crank or a table asks of its axis, taken off the measured current before anything is fitted to it.
//!
//! # Derivation
//! With ram mass, linkage and counterbalance of the drawing, the load of the ram is known of every position
//! ([`mod@twinstep_models::press::linked`]): velocity and acceleration are the differences of the positions around it. What is left of the current is
//! that of an axis with one inertia, and is fitted as that of any other. The noise of an acceleration of one cycle is averaged by the windows of the
//! fit, as that of the current is. The load belongs to the position, and the current comes later by a delay that the fit finds; so
//! it is taken off with the delay of the pass before, until that stands ([`Delay`]).
//!
//! Of a current that comes d later a load with the delay `d0` is taken off. What is left is to first order that of an axis whose current comes
//! `d + r (d - d0)` later, r being the inertia of the ram over that of the rest: from pass to pass an error e becomes `-r e`. Where the delay
//! goes on by a `1 + r`th of what a pass finds nothing is left of it. r changes with the angle, and its mean is told by two passes: what is found
//! falls by `1 + r` for each by which the delay was moved.

use twinstep_models::press::linked::{Linked, RAM_SHARE_MAX};

/// Passes: two tell the share of the ram, and the third has the delay as far as that is one number.
const PASSES: u32 = 6;
/// A delay that moves by less stands (cycles).
const STANDS: f64 = 0.01;

/// The delay with which the load is taken off (cycles), from pass to pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delay {
    /// That of the next pass.
    pub cycles: f64,
    /// That of the pass before, and by how much more was found.
    before: Option<(f64, f64)>,
    left: u32,
}

impl Delay {
    /// Begins with this delay (cycles).
    pub(super) fn new(cycles: f64) -> Self {
        Self {
            cycles,
            before: None,
            left: PASSES - 1,
        }
    }

    /// A pass found this delay (cycles), and the ram to have up to `share` times the inertia of the rest. Returns whether there is another pass.
    pub(super) fn found(&mut self, cycles: f64, share: f64) -> bool {
        let more = cycles - self.cycles;
        if self.left == 0 || !more.is_finite() || more * more < STANDS * STANDS {
            return false;
        }
        self.left -= 1;
        let told = self
            .before
            .map(|(at, more_there)| (more_there - more) / (self.cycles - at));
        let most = 1.0 + RAM_SHARE_MAX;
        let falls = match told {
            Some(falls) if (1.0..=most).contains(&falls) => falls,
            // A ram that swings has half of its largest inertia in the mean.
            _ => (1.0 + 0.5 * share).clamp(1.0, most),
        };
        self.before = Some((self.cycles, more));
        self.cycles += more / falls;
        true
    }
}

/// The load at every position (A), with nothing in the press; no number where it is not known: nothing is differentiated across the border of two
/// segments or recordings, which begin at `starts`, in their order.
pub(super) fn loads(linked: &Linked, x: &[f64], starts: &[usize], period_s: f64) -> Vec<f64> {
    let mut all = vec![f64::NAN; x.len()];
    let ends = starts.iter().skip(1).copied().chain([x.len()]);
    for (from, to) in starts.iter().copied().zip(ends) {
        let piece = x.get(from..to).unwrap_or_default();
        for (k, x) in piece.windows(3).enumerate() {
            let v = (x[2] - x[0]) / (2.0 * period_s);
            let a = (x[2] - 2.0 * x[1] + x[0]) / (period_s * period_s);
            all[from + k + 1] = linked.load_a(&linked.at(x[1], v), a, 0.0);
        }
    }
    all
}

/// Takes the loads off the measured current, which comes `delay` later (cycles). A sample of which the load is not known is not used.
pub(super) fn take_off(
    loads_a: &[f64],
    delay: f64,
    measured_a: &[f64],
    (current_a, usable): (&mut [f64], &mut [bool]),
) {
    let (whole, share) = (delay.floor(), delay - delay.floor());
    // A delay is a few cycles.
    let whole = whole as isize;
    let load_a = |k: usize, back: isize| {
        let at = k.checked_add_signed(-back)?;
        loads_a.get(at).copied().filter(|load_a| load_a.is_finite())
    };
    for k in 0..current_a.len().min(usable.len()) {
        let (later, earlier) = (load_a(k, whole), load_a(k, whole + 1));
        match later.zip(earlier) {
            Some((later, earlier)) => {
                current_a[k] = measured_a[k] - (later + share * (earlier - later));
            }
            None => {
                current_a[k] = measured_a[k];
                usable[k] = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::identify::{self, fit_axis};
    use twinstep_models::press::frame::{Counterbalance, Motor};
    use twinstep_models::press::kinematics::Kinematics;
    use twinstep_models::press::ram::Linkage;

    const PERIOD_S: f64 = 1e-3;
    const RAD_PER_M: f64 = 60.0;
    const KF: f64 = 50.0;
    const MASS_KG: f64 = 5.0;

    /// A crank that swings from 0.4 to 2.7 rad, with a ram of up to `share` times the inertia of the rest.
    fn crank(share: f64) -> Linked {
        let way = [0.4, 2.7].map(|q| q / RAD_PER_M);
        let crank = Kinematics::crank(0.05, 0.2).expect("a crank");
        let linkage = Linkage::new(crank, RAD_PER_M, 0.0, way);
        Linked {
            linkage,
            motor: Motor {
                torque_constant_nm_per_a: KF,
                efficiency: 0.92,
                efficiency_back: 0.9,
            },
            counterbalance: Counterbalance::default(),
            ram_mass_kg: share * MASS_KG / (linkage.most() * linkage.most()),
            standstill_m_per_s: 1e-3,
        }
    }

    /// Position, velocity and acceleration: swings of two lengths.
    fn motion(t: f64) -> [f64; 3] {
        let half_m = 0.25 * 2.3 / RAD_PER_M;
        let mut all = [0.4 / RAD_PER_M + 2.0 * half_m, 0.0, 0.0];
        for w in [1.7, 3.1].map(|hz| 2.0 * std::f64::consts::PI * hz) {
            let (sin, cos) = libm::sincos(w * t);
            all[0] -= half_m * cos;
            all[1] += half_m * w * sin;
            all[2] += half_m * w * w * cos;
        }
        all
    }

    /// Positions and the current, which comes `delay` (cycles) later.
    fn record(linked: &Linked, delay: f64) -> (Vec<f64>, Vec<f64>) {
        let current_a = |t: f64| {
            let [x, v, a] = motion(t);
            let load_a = linked.load_a(&linked.at(x, v), a, 0.0);
            MASS_KG / KF * a + 0.4 * v.signum() + 0.3 * v + 0.1 + load_a
        };
        (0..6000)
            .map(|k| {
                let t = f64::from(k) * PERIOD_S;
                (motion(t)[0], current_a(t - delay * PERIOD_S))
            })
            .unzip()
    }

    /// Would show a delay that a heavy ram drives away from pass to pass.
    #[test]
    fn the_delay_of_a_heavy_ram_is_found() {
        for share in [0.3, 1.0, 2.0, 3.0, RAM_SHARE_MAX] {
            let (linked, is) = (crank(share), 1.6);
            let (x, measured_a) = record(&linked, is);
            let loads_a = loads(&linked, &x, &[0], PERIOD_S);
            let mut delay = Delay::new(0.0);
            let (mut current_a, mut passes) = (measured_a.clone(), 0);
            let fit = loop {
                let mut usable = vec![true; x.len()];
                let into = (&mut current_a[..], &mut usable[..]);
                take_off(&loads_a, delay.cycles, &measured_a, into);
                let fit = fit_axis(&identify::AxisRecord {
                    period_s: PERIOD_S,
                    position_m: &x,
                    current_a: &current_a,
                    reference_m: &x,
                    usable: &usable,
                })
                .expect("it moves");
                passes += 1;
                let share = share * MASS_KG / (KF * fit.inertia.value);
                if !delay.found(fit.current_delay_s / PERIOD_S, share) {
                    break fit;
                }
            };
            let found = (fit.current_delay_s / PERIOD_S, KF * fit.inertia.value);
            println!("share {share}: {passes} passes, {found:?}");
            assert!((found.0 - is).abs() < 0.1, "share {share}: {found:?}");
            assert!(
                (found.1 / MASS_KG - 1.0).abs() < 0.02,
                "share {share}: {found:?}"
            );
        }
    }

    #[test]
    fn a_delay_that_does_not_settle_ends() {
        let mut delay = Delay::new(0.0);
        let mut passes = 1;
        while delay.found(delay.cycles + if passes % 2 == 0 { 9.0 } else { -9.0 }, 4.0) {
            passes += 1;
        }
        assert_eq!(passes, PASSES);
        assert!(!Delay::new(0.0).found(f64::NAN, 1.0));
    }

    /// Would show a velocity of some metres in a millisecond where one recording ends and another begins.
    #[test]
    fn nothing_is_differentiated_across_a_border() {
        let linked = crank(2.0);
        let (x, _) = record(&linked, 0.0);
        // The same pieces apart: what one has by itself is what it has beside others.
        let pieces = [&x[..10], &x[400..420], &x[50..52], &x[3000..3100]];
        let (mut joined, mut starts, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        for piece in pieces {
            starts.push(joined.len());
            joined.extend_from_slice(piece);
            apart.extend(loads(&linked, piece, &[0], PERIOD_S));
        }
        let all = loads(&linked, &joined, &starts, PERIOD_S);
        let bits = |all: &[f64]| -> Vec<u64> { all.iter().map(|a| a.to_bits()).collect() };
        assert_eq!(bits(&all), bits(&apart));
        let unknown: Vec<usize> = (0..all.len()).filter(|k| all[*k].is_nan()).collect();
        assert_eq!(unknown, [0, 9, 10, 29, 30, 31, 32, 131]);
        // No sample uses a load of a border, however late its current is.
        for delay in [0.0, 1.6, -0.5] {
            let zeros = vec![0.0; all.len()];
            let (mut left_a, mut usable) = (zeros.clone(), vec![true; all.len()]);
            take_off(&all, delay, &zeros, (&mut left_a, &mut usable));
            let most = (0..all.len()).filter(|k| usable[*k]);
            let most = most.fold(0.0_f64, |most, k| most.max(left_a[k].abs()));
            assert!(most > 0.0 && most < 50.0, "{delay}: {most} A");
        }
    }

    #[test]
    fn a_load_is_taken_off_the_current_that_comes_later() {
        let loads: Vec<f64> = (0..10)
            .map(|k| if k == 0 { f64::NAN } else { f64::from(k) })
            .collect();
        let measured: Vec<f64> = (0..10).map(|k| 100.0 + f64::from(k)).collect();
        for (delay, first, left) in [
            (0.0, 2, 100.0),
            (1.0, 3, 101.0),
            (1.25, 3, 101.25),
            (-1.0, 1, 99.0),
        ] {
            let (mut current, mut usable) = (measured.clone(), vec![true; 10]);
            take_off(&loads, delay, &measured, (&mut current, &mut usable));
            let known = usable.iter().position(|known| *known);
            assert_eq!(known, Some(first), "{delay}: {usable:?}");
            assert!((current[5] - left).abs() < 1e-12, "{delay}: {current:?}");
        }
    }
}
