//! A recording of the whole run and the ring, from one recorder.

use super::notes::Note;
use super::ring::Ring;
use crate::error::HostError;
use crate::recorder::{Record, RecordSink};

/// What fails with the file ends the file, and is told at its end; the ring goes on.
pub struct Sinks {
    file: Option<Box<dyn RecordSink>>,
    failure: Option<HostError>,
    ring: Ring,
}

impl Sinks {
    /// Both; `file` where the whole run is recorded.
    pub fn new(file: Option<Box<dyn RecordSink>>, ring: Ring) -> Self {
        Self {
            file,
            failure: None,
            ring,
        }
    }

    fn with_file(&mut self, act: impl FnOnce(&mut dyn RecordSink) -> Result<(), HostError>) {
        if let (Some(file), None) = (&mut self.file, &self.failure) {
            self.failure = act(&mut **file).err();
        }
    }
}

impl RecordSink for Sinks {
    fn write(&mut self, record: &Record) -> Result<(), HostError> {
        self.with_file(|file| file.write(record));
        self.ring.write(record);
        Ok(())
    }

    fn note(&mut self, note: &Note) -> Result<(), HostError> {
        self.with_file(|file| file.note(note));
        self.ring.note(note);
        Ok(())
    }

    fn tick(&mut self) -> Result<(), HostError> {
        self.with_file(|file| file.tick());
        self.ring.tick();
        Ok(())
    }

    fn wants_checkpoints(&self) -> bool {
        true
    }

    fn wants_note(&self) -> bool {
        self.ring.wants_note()
    }

    fn miss_note(&mut self) {
        self.ring.miss_note();
    }

    fn finish(self: Box<Self>, dropped: u64) -> Result<(), HostError> {
        let Self {
            file,
            failure,
            ring,
        } = *self;
        ring.finish();
        let finished = file.map_or(Ok(()), |file| file.finish(dropped));
        failure.map_or(finished, Err)
    }
}
