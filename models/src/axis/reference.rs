//! Target positions, and the way they make a drive go: the newest, and those that the dead time reaches back to. They are kept in turn: a cycle
//! writes one of them.

use super::params::LaneParams;
use crate::lane::Lane;
use crate::simd::Vector;

/// Targets remembered for the dead time, the newest among them.
pub const TARGETS: usize = 5;

/// The targets that a drive has been sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub struct Reference {
    /// Targets (m).
    targets_m: [Lane; TARGETS],
    /// Place of the newest (below [`TARGETS`]).
    newest: u8,
}

impl Reference {
    /// Nothing sent but the same target ever since (m).
    pub const fn at(target_m: &Lane) -> Self {
        Self {
            targets_m: [*target_m; TARGETS],
            newest: 0,
        }
    }

    /// Takes in the newest target.
    #[inline(always)]
    pub fn push(&mut self, target_m: &Lane) {
        self.turn();
        *self.place() = *target_m;
    }

    /// Begins a cycle: the newest target is written by [`Self::put`], part by part.
    #[inline(always)]
    pub fn turn(&mut self) {
        let last = TARGETS as u8 - 1;
        self.newest = if self.newest == 0 {
            last
        } else {
            self.newest - 1
        };
    }

    /// Writes a part of the newest target, after [`Self::turn`].
    #[inline(always)]
    pub fn put<V: Vector>(&mut self, target_m: V, part: usize) {
        target_m.store(self.place(), part);
    }

    #[inline(always)]
    fn place(&mut self) -> &mut Lane {
        &mut self.targets_m[self.place_of(0)]
    }

    /// The target of so many cycles before the newest (0 to 4; m).
    #[inline(always)]
    pub fn ago_m(&self, cycles: usize) -> &Lane {
        &self.targets_m[self.place_of(cycles)]
    }

    #[inline(always)]
    const fn place_of(&self, cycles: usize) -> usize {
        let place = self.newest as usize + cycles;
        let place = if place < TARGETS {
            place
        } else {
            place - TARGETS
        };
        // A checkpoint that was tampered with may bring any.
        if place < TARGETS { place } else { 0 }
    }

    /// Axis `l` was sent this target so many cycles before the newest (0 to 4; m).
    pub fn put_ago(&mut self, cycles: usize, l: usize, target_m: f64) {
        let place = self.place_of(cycles);
        self.targets_m[place][l] = target_m;
    }

    /// Axis `l` has been told to stay here (m).
    pub fn lock(&mut self, l: usize, target_m: f64) {
        for target in &mut self.targets_m {
            target[l] = target_m;
        }
    }

    /// The target that has not come yet (m): the reference goes on as it did.
    #[inline(always)]
    fn ahead<V: Vector>(&self, part: usize) -> V {
        let [newest, older] = V::each([self.ago_m(0), self.ago_m(1)], part);
        newest + (newest - older)
    }

    /// The references that the drives follow in the coming cycle.
    #[inline(always)]
    pub(super) fn paths<V: Vector>(&self, p: &LaneParams, part: usize) -> Paths<V> {
        let bend = V::load(&p.bend, part);
        let (older, middle, newer) = match p.dead_alike {
            Some(0) => (
                V::load(self.ago_m(1), part),
                V::load(self.ago_m(0), part),
                self.ahead(part),
            ),
            Some(1) => (
                V::load(self.ago_m(2), part),
                V::load(self.ago_m(1), part),
                V::load(self.ago_m(0), part),
            ),
            Some(2) => (
                V::load(self.ago_m(3), part),
                V::load(self.ago_m(2), part),
                V::load(self.ago_m(1), part),
            ),
            _ => {
                let (mut older, mut middle, mut newer) = (
                    V::load(self.ago_m(1), part),
                    V::load(self.ago_m(0), part),
                    self.ahead(part),
                );
                for n in 1..TARGETS - 1 {
                    let reached = V::mask(p.dead[n - 1], part);
                    older = V::select(reached, V::load(self.ago_m(n + 1), part), older);
                    middle = V::select(reached, V::load(self.ago_m(n), part), middle);
                    newer = V::select(reached, V::load(self.ago_m(n - 1), part), newer);
                }
                (older, middle, newer)
            }
        };
        let first_m = middle - older;
        let second_m = newer - middle;
        Paths {
            from_m: middle - bend * first_m,
            to_m: middle + (V::splat(1.0) - bend) * second_m,
            first_m,
            second_m,
        }
    }
}

/// Pieces of references, one cycle long, bent once.
#[derive(Clone, Copy)]
pub(super) struct Paths<V> {
    /// Start (m).
    pub(super) from_m: V,
    /// End (m).
    pub(super) to_m: V,
    /// Slope before the bend (m/cycle).
    pub(super) first_m: V,
    /// Slope after it (m/cycle).
    pub(super) second_m: V,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::LANES;

    #[test]
    fn targets_are_known_by_their_age() {
        let mut reference = Reference::at(&[-1.0; LANES]);
        for n in 0..23 {
            reference.push(&[f64::from(n); LANES]);
            for ago in 0..TARGETS as i32 {
                let sent = f64::from(if n < ago { -1 } else { n - ago });
                assert_eq!(reference.ago_m(ago as usize)[5], sent, "{n} {ago}");
            }
        }
        reference.put_ago(3, 2, 7.5);
        assert_eq!(reference.ago_m(3)[..4], [19.0, 19.0, 7.5, 19.0]);
        reference.lock(1, 0.25);
        assert!((0..TARGETS).all(|ago| reference.ago_m(ago)[1] == 0.25));
    }
}
