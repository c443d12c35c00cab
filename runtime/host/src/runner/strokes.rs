//! Judged strokes, on their way out of the cycle.

use super::Runner;
use crate::attached::Attached;
use crate::strokes::{SentStroke, ShortCurve};

impl<B: Attached> Runner<'_, B> {
    /// Copies the curves of strokes that were judged in this cycle: a slice of the acyclic phase, before the next stroke begins.
    pub(super) fn copy_curves(&mut self) {
        if self.outlets.strokes.is_none() {
            return;
        }
        for (n, copy) in self.curves.iter_mut().enumerate() {
            let Some(press) = self.pipeline.press(n) else {
                continue;
            };
            let Some(record) = press.judged() else {
                continue;
            };
            // Where the next one has begun already, its points are not those that were judged.
            if press.curve().points().len() == record.features.points as usize {
                copy.copy(press.curve());
            } else {
                copy.clear();
            }
        }
    }

    /// Sends what was judged to the thread that writes strokes.
    pub(super) fn publish_strokes(&mut self) {
        for n in 0..self.pipeline.plan().presses.len() {
            let Some(record) = self.pipeline.take_stroke(n) else {
                continue;
            };
            let Some(outlet) = &mut self.outlets.strokes else {
                continue;
            };
            let curve = self
                .curves
                .get(n)
                .map_or_else(ShortCurve::default, Clone::clone);
            let stroke = SentStroke { record, curve };
            if self.pacer.is_real() {
                outlet.send(stroke);
            } else {
                outlet.send_waiting(stroke);
            }
        }
    }
}
