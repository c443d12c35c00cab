//! Target positions, and the way they make a drive go: the newest, and those that the dead time reaches back to.

use super::params::LaneParams;
use crate::lane::Lane;
use crate::simd::Vector;

/// Targets remembered for the dead time: the newest first.
pub const TARGETS: usize = 5;

/// The targets that a drive has been sent: `history[0]` is the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Reference {
    /// Targets (m), newest first.
    pub history_m: [Lane; TARGETS],
}

impl Reference {
    /// Takes in the newest target.
    #[inline(always)]
    pub fn push(&mut self, target_m: &Lane) {
        for n in (1..TARGETS).rev() {
            self.history_m[n] = self.history_m[n - 1];
        }
        self.history_m[0] = *target_m;
    }

    /// [`Self::push`] of a part with the vector of a unit.
    #[inline(always)]
    pub fn push_on<V: Vector>(&mut self, target_m: V, part: usize) {
        let mut newer = target_m;
        for lane in &mut self.history_m {
            let older = V::load(lane, part);
            newer.store(lane, part);
            newer = older;
        }
    }

    /// The target that has not come yet (m): the reference goes on as it did.
    #[inline(always)]
    fn ahead<V: Vector>(&self, part: usize) -> V {
        let [newest, older] = V::each([&self.history_m[0], &self.history_m[1]], part);
        newest + (newest - older)
    }

    /// The references that the drives follow in the coming cycle.
    #[inline(always)]
    pub(super) fn paths<V: Vector>(&self, p: &LaneParams, part: usize) -> Paths<V> {
        let bend = V::load(&p.bend, part);
        let h = &self.history_m;
        let (older, middle, newer) = match p.dead_alike {
            Some(0) => (V::load(&h[1], part), V::load(&h[0], part), self.ahead(part)),
            Some(1) => (
                V::load(&h[2], part),
                V::load(&h[1], part),
                V::load(&h[0], part),
            ),
            Some(2) => (
                V::load(&h[3], part),
                V::load(&h[2], part),
                V::load(&h[1], part),
            ),
            _ => {
                let (mut older, mut middle, mut newer) =
                    (V::load(&h[1], part), V::load(&h[0], part), self.ahead(part));
                for n in 1..TARGETS - 1 {
                    let reached = V::mask(p.dead[n - 1], part);
                    older = V::select(reached, V::load(&h[n + 1], part), older);
                    middle = V::select(reached, V::load(&h[n], part), middle);
                    newer = V::select(reached, V::load(&h[n - 1], part), newer);
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
