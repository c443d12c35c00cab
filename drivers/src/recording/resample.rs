//! Rows at any times onto the cycles of a period.

use crate::bus::ProcessImage;
use std::ops::ControlFlow;

/// Longest step between two rows that is interpolated (periods).
pub(super) const MAX_BRIDGE: f64 = 5.0;
/// Share of the period by which a row may be early and still stand for a cycle: the rounding of decimal times.
const ROUNDING: f64 = 1e-6;

/// The row before, and the cycles that were put so far.
pub(super) struct Resampler {
    before: ProcessImage,
    between: ProcessImage,
    before_s: f64,
    /// First byte of the outputs that are switches.
    switches: usize,
    first: (u64, f64),
    cycle: u64,
}

impl Resampler {
    /// For images as large as `image`, whose outputs from byte `switches` on are switches.
    pub(super) fn new(image: &ProcessImage, switches: usize) -> Self {
        Self {
            before: image.clone(),
            between: image.clone(),
            before_s: 0.0,
            switches,
            first: (0, 0.0),
            cycle: 0,
        }
    }

    /// The last cycle that was put.
    pub(super) fn cycle(&self) -> u64 {
        self.cycle
    }

    /// A segment starts with the row `image` in cycle `cycle`.
    pub(super) fn restart(&mut self, cycle: u64, time_s: f64, image: &ProcessImage) {
        (self.first, self.cycle) = ((cycle, time_s), cycle);
        self.keep(time_s, image);
    }

    /// The next row is `image`: puts every cycle between the row before and this one.
    pub(super) fn advance(
        &mut self,
        time_s: f64,
        period_s: f64,
        image: &ProcessImage,
        put: &mut impl FnMut(u64, f64, &ProcessImage) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let bridged = time_s - self.before_s <= MAX_BRIDGE * period_s;
        self.between.valid.clone_from(&image.valid);
        loop {
            let next = self.cycle + 1;
            // From the segment's start each time: nothing adds up over a long one.
            let at_s = self.first.1 + (next - self.first.0) as f64 * period_s;
            if at_s > time_s + ROUNDING * period_s {
                break;
            }
            self.cycle = next;
            let share = ((at_s - self.before_s) / (time_s - self.before_s)).min(1.0);
            if bridged || share == 1.0 {
                self.blend(share, image);
                put(next, at_s, &self.between)?;
            }
        }
        self.keep(time_s, image);
        ControlFlow::Continue(())
    }

    fn keep(&mut self, time_s: f64, image: &ProcessImage) {
        self.before_s = time_s;
        self.before.inputs.copy_from_slice(&image.inputs);
        self.before.outputs.copy_from_slice(&image.outputs);
        (self.before.recipe, self.before.part) = (image.recipe, image.part);
        self.before.conditions = image.conditions;
    }

    fn blend(&mut self, share: f64, image: &ProcessImage) {
        mix(
            &self.before.inputs,
            &image.inputs,
            share,
            &mut self.between.inputs,
        );
        mix(
            &self.before.outputs,
            &image.outputs,
            share,
            &mut self.between.outputs,
        );
        let row = if share == 1.0 { image } else { &self.before };
        (self.between.recipe, self.between.part) = (row.recipe, row.part);
        self.between.conditions = row.conditions;
        if let (Some(switches), Some(row)) = (
            self.between.outputs.get_mut(self.switches..),
            row.outputs.get(self.switches..),
        ) {
            switches.copy_from_slice(row);
        }
    }
}

/// Floats of two rows, mixed.
fn mix(before: &[u8], after: &[u8], share: f64, out: &mut [u8]) {
    let float = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_le_bytes);
    for ((a, b), out) in
        (before.chunks_exact(8).zip(after.chunks_exact(8))).zip(out.chunks_exact_mut(8))
    {
        let (a, b) = (float(a), float(b));
        // A row that stands for the cycle alone needs no neighbour.
        let value = if share == 1.0 { b } else { a + share * (b - a) };
        let value = if value.is_nan() { f64::NAN } else { value };
        out.copy_from_slice(&value.to_le_bytes());
    }
}
