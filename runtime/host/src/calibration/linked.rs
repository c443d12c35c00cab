//! What the ram behind a crank or a table asks of its axis, taken off the measured current before anything is fitted to it.
//!
//! # Derivation
//! With ram mass, linkage and counterbalance of the drawing, the load of the ram is known of every position
//! ([`mod@twinstep_models::press::linked`]): velocity and acceleration are the differences of the positions around it. What is left of the current is
//! that of an axis with one inertia, and is fitted as that of any other. The noise of an acceleration of one cycle is averaged by the windows of the
//! fit, as that of the current is. The load belongs to the position, and the current comes later by a delay that the fit finds; so
//! it is taken off with the delay of the pass before.

use twinstep_models::press::linked::Linked;

/// Passes with the delay of the one before: the load does not change within a cycle by what would move the delay any further.
pub(super) const PASSES: u32 = 3;

/// The load at every position (A), with nothing in the press; no number where it is not known.
pub(super) fn loads(linked: &Linked, x: &[f64], period_s: f64) -> Vec<f64> {
    let inner = x.windows(3).map(|x| {
        let v = (x[2] - x[0]) / (2.0 * period_s);
        let a = (x[2] - 2.0 * x[1] + x[0]) / (period_s * period_s);
        linked.load_a(&linked.at(x[1], v), a, 0.0)
    });
    let unknown = std::iter::once(f64::NAN);
    let mut all: Vec<f64> = unknown.clone().chain(inner).chain(unknown).collect();
    all.truncate(x.len());
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
