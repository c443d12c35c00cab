//! A bus around a bus that writes down what passes.

use super::{RecordingError, Writer};
use crate::bus::{Bus, BusCounters, BusFault, ProcessImage};
use std::time::Duration;
use twinstep_models::sample::CycleStamp;

/// Records every exchange of the bus inside. The image's recipe and part are recorded as they are after the exchange.
///
/// When a row cannot be written, the cycle goes on without recording; [`Self::finish`] says why.
#[derive(Debug)]
pub struct Recorder<B> {
    bus: B,
    writer: Writer,
    error: Option<RecordingError>,
}

impl<B: Bus> Recorder<B> {
    /// Puts a recorder around a bus.
    pub fn new(bus: B, writer: Writer) -> Self {
        Self {
            bus,
            writer,
            error: None,
        }
    }

    /// The bus inside.
    pub fn get_ref(&self) -> &B {
        &self.bus
    }

    /// The bus inside.
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.bus
    }

    /// Why the recording stopped, if it did.
    pub fn error(&self) -> Option<&RecordingError> {
        self.error.as_ref()
    }

    /// Ends the recording and gives the bus back.
    pub fn finish(self) -> (B, Result<(), RecordingError>) {
        let result = match self.error {
            Some(error) => Err(error),
            None => self.writer.finish(),
        };
        (self.bus, result)
    }
}

impl<B: Bus> Bus for Recorder<B> {
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault> {
        let result = self.bus.exchange(image, in_flight);
        if self.error.is_none() {
            let stamp = match &result {
                Ok(stamp) => *stamp,
                Err(fault) => fault.stamp,
            };
            self.error = self.writer.write(&stamp, &result, image).err();
        }
        result
    }

    fn acyclic(&mut self, budget: Duration) {
        self.bus.acyclic(budget);
    }

    fn phase_error_ns(&self) -> Option<i64> {
        self.bus.phase_error_ns()
    }

    fn counters(&self) -> BusCounters {
        self.bus.counters()
    }
}
