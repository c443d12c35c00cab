//! Parts of a recording that may be used: where samples follow one another, and in two halves.

use super::axis::AxisRecord;
use super::drive_gains::{LEAST, SETTLE_S};

/// Samples that follow one another and may be used, from and to; the start of each is for the filters.
pub(super) fn stretches(r: &AxisRecord<'_>) -> Ranges {
    let settle = (SETTLE_S / r.period_s) as usize;
    let mut all = Vec::new();
    let mut from = None;
    for k in 0..=r.usable.len() {
        match (from, r.usable.get(k) == Some(&true)) {
            (None, true) => from = Some(k),
            (Some(start), false) => {
                if k - start > settle + LEAST / 4 {
                    all.push((start + settle, k));
                }
                from = None;
            }
            _ => {}
        }
    }
    all
}

/// Samples from and to, several times.
pub(super) type Ranges = Vec<(usize, usize)>;

/// Two halves of the samples in order, cut inside of a stretch where it must be.
pub(super) fn halves(all: &[(usize, usize)], mut first: usize) -> (Ranges, Ranges) {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for &(from, to) in all {
        let cut = to.min(from + first);
        first -= cut - from;
        if cut > from {
            one.push((from, cut));
        }
        if to > cut {
            two.push((cut, to));
        }
    }
    (one, two)
}
