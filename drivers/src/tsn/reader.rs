//! The data set of one device, as it is expected.

use super::devices::{Piece, length, pieces};
use super::uadp::{DataSetMessage, NetworkMessage};
use crate::bus::BusCounters;
use crate::object_map::Layout;
use twinstep_config::machine::PubSub;
use twinstep_models::sample::Missing;

/// A sequence number this far back is an old message; further back the publisher has started again.
const OLD: i16 = 64;
/// A gap that is longer than this is no gap: the publisher has started again.
const LONGEST_GAP: i16 = 1000;

/// Where a message stands against the cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is this cycle's, after a gap of so many that never came.
    Now(u16),
    /// It is a later cycle's.
    Ahead,
    /// It was there already.
    Duplicate,
    /// It is older than one that was there.
    Old,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Reader {
    publisher_id: u64,
    writer_group_id: u16,
    writer_id: u16,
    major_version: Option<u32>,
    bytes: usize,
    /// Its place on the bus.
    pub subdevice: usize,
    /// Where its fields go.
    pub pieces: Vec<Piece>,
    /// Sequence number of the last message.
    last: Option<u16>,
    /// Cycles that were told without it since.
    skipped: u16,
    /// What this cycle's message said; none while it has not come.
    pub fresh: Option<Result<(), Missing>>,
}

impl Reader {
    /// Readers of all data sets.
    pub fn all(all: &PubSub, layout: &Layout) -> Vec<Self> {
        let places = pieces(all, layout);
        let reader = |(one, pieces): (&twinstep_config::machine::DataSet, Vec<Piece>)| Self {
            publisher_id: u64::from(one.publisher_id),
            writer_group_id: all.stream.writer_group_id,
            writer_id: one.writer_id,
            major_version: one.major_version,
            bytes: length(one),
            subdevice: one.subdevice,
            pieces,
            last: None,
            skipped: 0,
            fresh: None,
        };
        all.data_sets.iter().zip(places).map(reader).collect()
    }

    /// Whether a message is of this data set.
    pub fn is_meant(&self, network: &NetworkMessage<'_>, message: &DataSetMessage<'_>) -> bool {
        network.publisher_id == Some(self.publisher_id)
            && network
                .writer_group_id
                .is_none_or(|id| id == self.writer_group_id)
            && message.writer_id == Some(self.writer_id)
    }

    /// Whether it can be read: raw, complete, numbered, of the right length and version. A message that reaches to the end of
    /// its frame may have padding behind it.
    pub fn fits(&self, message: &DataSetMessage<'_>) -> bool {
        message.raw_key_frame
            && message.sequence.is_some()
            && message.fields.len() >= self.bytes
            && self
                .major_version
                .is_none_or(|version| message.major_version == Some(version))
    }

    /// Where a message with this sequence number stands.
    pub fn standing(&self, sequence: u16) -> Standing {
        let Some(last) = self.last else {
            return Standing::Now(0);
        };
        let step = sequence.wrapping_sub(last) as i16;
        match step {
            0 => Standing::Duplicate,
            _ if (-OLD..0).contains(&step) => Standing::Old,
            _ if self.fresh.is_some() => Standing::Ahead,
            _ if !(0..=LONGEST_GAP).contains(&step) => Standing::Now(0),
            _ => {
                let gap = step as u16 - 1;
                if gap > self.skipped {
                    Standing::Ahead
                } else {
                    Standing::Now(gap)
                }
            }
        }
    }

    /// Takes this cycle's message: its fields go to inputs and outputs unless the publisher says that they are bad.
    pub fn take(
        &mut self,
        message: &DataSetMessage<'_>,
        gap: u16,
        (inputs, outputs): (&mut [u8], &mut [u8]),
        counters: &mut BusCounters,
    ) {
        counters.lost += u64::from(gap);
        // It was told as missing, and came after all.
        counters.late += u64::from(self.skipped.saturating_sub(gap));
        self.skipped = 0;
        self.last = message.sequence;
        // Good and uncertain values can be used; what the publisher calls bad cannot.
        let good = message.valid && message.status.is_none_or(|status| status & 0x8000 == 0);
        self.fresh = Some(if good {
            Ok(())
        } else {
            Err(Missing::NotOperational)
        });
        for piece in self.pieces.iter().filter(|_| good) {
            let image = if piece.output {
                &mut *outputs
            } else {
                &mut *inputs
            };
            if let (Some(to), Some(from)) = (
                image.get_mut(piece.at..piece.at + piece.bytes),
                message.fields.get(piece.from..piece.from + piece.bytes),
            ) {
                to.copy_from_slice(from);
            }
        }
    }

    /// The cycle is told. Returns what it came to for this data set.
    pub fn finish(&mut self) -> Result<(), Missing> {
        self.fresh.take().unwrap_or_else(|| {
            self.skipped = self.skipped.saturating_add(1);
            Err(Missing::NoFrame)
        })
    }
}
