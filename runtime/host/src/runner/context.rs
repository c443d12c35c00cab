//! The context of the cycle: who told it, and whether anybody did.

use super::Runner;
use crate::attached::Attached;
use crate::context_watch::ContextLine;
use twinstep_cycle::event::Event;
use twinstep_drivers::bus::ProcessImage;
use twinstep_models::sample::{AxisReading, Context, CycleStamp, Missing, Samples, StationReading};

impl<B: Attached> Runner<'_, B> {
    /// Recipe, part, tool, load and temperature of the image.
    pub(super) fn context(&self) -> Context {
        context_of(&self.image)
    }

    /// Says once that what is told from outside is none of the configuration's.
    pub(super) fn watch_context(&mut self, stamp: CycleStamp) -> Option<Event> {
        if !self.map.is_told_context() {
            return None;
        }
        let number = || self.map.unknown_number(&self.image);
        (self.told).cycle(context_of(&self.image), stamp, number)
    }

    /// How long something of it was unknown; none where nobody tells any.
    pub fn told_context(&self) -> Option<ContextLine> {
        self.map.is_told_context().then(|| self.told.line())
    }
}

fn context_of(image: &ProcessImage) -> Context {
    Context {
        recipe: image.recipe,
        part: image.part,
        conditions: image.conditions,
    }
}

/// What the pipeline judges: readings, with the context of their image and how the exchange went.
pub(crate) fn samples_of<'s>(
    axes: &'s [Result<AxisReading, Missing>],
    stations: &'s [Result<StationReading, Missing>],
    image: &ProcessImage,
    bus: Result<(), Missing>,
) -> Samples<'s> {
    Samples {
        axes,
        stations,
        context: context_of(image),
        bus,
    }
}
