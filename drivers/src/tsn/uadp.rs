//! UADP NetworkMessages (OPC 10000-14, "UADP message mapping"): written with a fixed layout, read as they come.
//!
//! What is written: version 1 with a PublisherId of 16 bits, a GroupHeader in full, a PayloadHeader, and DataSetMessages
//! with raw field encoding, sequence number, status and configuration version, all of them key frames. What is read may leave any
//! of the optional parts out; a time stamp of the whole message is written where the group has one; messages with security, promoted fields, or another encoding
//! than raw are typed errors. Integers are little-endian.
//!
//! Neither allocates: a message is laid out once and only its figures change from cycle to cycle.

use core::fmt;

/// EtherType of UADP over Ethernet.
pub const ETHERTYPE: [u8; 2] = [0xb6, 0x2c];
/// Most DataSetMessages in one NetworkMessage that is written here.
pub const MAX_MESSAGES: usize = 64;
/// Bytes in front of the writer ids: flags, PublisherId, GroupHeader, count.
const HEAD: usize = 2 + 2 + 11 + 1;
/// Header of a DataSetMessage: flags, sequence number, status, major and minor version.
pub const MESSAGE_HEAD: usize = 1 + 2 + 2 + 4 + 4;

/// Version 1, PublisherId, GroupHeader, PayloadHeader, ExtendedFlags1.
const FLAGS: u8 = 0xf1;
/// PublisherId of 16 bits, and a time stamp.
const EXTENDED: u8 = 0x01;
const STAMPED: u8 = 0x20;
/// Length of a time stamp: a DateTime, 100 ns since 1601.
const STAMP: usize = 8;
/// 1 January 2000, the epoch of distributed clocks, as a DateTime.
const EPOCH_2000: u64 = 145_731 * 86_400 * 10_000_000;
/// WriterGroupId, GroupVersion, NetworkMessageNumber, SequenceNumber.
const GROUP_FLAGS: u8 = 0x0f;
/// Valid, raw, sequence number, status, major and minor version.
const MESSAGE_FLAGS: u8 = 0x7b;
const GROUP_SEQUENCE_AT: usize = 4 + 1 + 2 + 4 + 2;

/// Who publishes, and in which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// PublisherId.
    pub publisher_id: u16,
    /// WriterGroupId.
    pub writer_group_id: u16,
    /// GroupVersion (VersionTime: seconds since 2000).
    pub version: u32,
    /// NetworkMessageNumber: place among the messages of one publishing interval, from 1.
    pub number: u16,
    /// Messages carry the time of their values.
    pub stamped: bool,
}

/// What does not change of a DataSetMessage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// DataSetWriterId.
    pub writer_id: u16,
    /// ConfigurationVersion, major and minor (VersionTime).
    pub version: (u32, u32),
    /// Length of its fields (bytes).
    pub bytes: usize,
}

/// Why a message cannot be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// None, or more than [`MAX_MESSAGES`].
    Messages(usize),
    /// Longer than the room for it (bytes).
    TooLong {
        /// Its length.
        actual: usize,
        /// The room.
        room: usize,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages(count) => {
                write!(
                    f,
                    "{count} data sets in one message, 1 to {MAX_MESSAGES} are possible"
                )
            }
            Self::TooLong { actual, room } => {
                write!(f, "a message of {actual} bytes, {room} fit into a frame")
            }
        }
    }
}

impl std::error::Error for LayoutError {}

/// A NetworkMessage whose layout is fixed: figures are put where they belong.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
    /// Where the time stamp stands.
    stamp_at: Option<usize>,
    /// Where each DataSetMessage begins, and the length of its fields.
    places: Vec<(usize, usize)>,
}

/// Length of a NetworkMessage with these data sets, and a time stamp or not (bytes).
pub fn length(data_sets: &[DataSet], stamped: bool) -> usize {
    let sizes = if data_sets.len() > 1 {
        2 * data_sets.len()
    } else {
        0
    };
    let messages = data_sets.iter().map(|one| MESSAGE_HEAD + one.bytes);
    let stamp = if stamped { STAMP } else { 0 };
    HEAD + 2 * data_sets.len() + stamp + sizes + messages.sum::<usize>()
}

impl Message {
    /// Lays a message out. This allocates; nothing afterwards does.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn new(group: &Group, data_sets: &[DataSet], room: usize) -> Result<Self, LayoutError> {
        let actual = length(data_sets, group.stamped);
        if data_sets.is_empty() || data_sets.len() > MAX_MESSAGES {
            return Err(LayoutError::Messages(data_sets.len()));
        }
        if actual > room.min(usize::from(u16::MAX)) {
            return Err(LayoutError::TooLong { actual, room });
        }
        let extended = if group.stamped {
            EXTENDED | STAMPED
        } else {
            EXTENDED
        };
        let mut bytes = vec![FLAGS, extended];
        bytes.extend_from_slice(&group.publisher_id.to_le_bytes());
        bytes.push(GROUP_FLAGS);
        bytes.extend_from_slice(&group.writer_group_id.to_le_bytes());
        bytes.extend_from_slice(&group.version.to_le_bytes());
        bytes.extend_from_slice(&group.number.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]); // sequence number
        bytes.push(data_sets.len() as u8);
        for one in data_sets {
            bytes.extend_from_slice(&one.writer_id.to_le_bytes());
        }
        let stamp_at = group.stamped.then_some(bytes.len());
        if group.stamped {
            bytes.resize(bytes.len() + STAMP, 0);
        }
        // A single message reaches to the end.
        for one in data_sets.iter().filter(|_| data_sets.len() > 1) {
            let size = (MESSAGE_HEAD + one.bytes) as u16;
            bytes.extend_from_slice(&size.to_le_bytes());
        }
        let mut places = Vec::new();
        for one in data_sets {
            places.push((bytes.len(), one.bytes));
            bytes.push(MESSAGE_FLAGS);
            bytes.extend_from_slice(&[0; 4]); // sequence number, status
            bytes.extend_from_slice(&one.version.0.to_le_bytes());
            bytes.extend_from_slice(&one.version.1.to_le_bytes());
            bytes.resize(bytes.len() + one.bytes, 0);
        }
        Ok(Self {
            bytes,
            stamp_at,
            places,
        })
    }

    /// Sets the group's sequence number.
    pub fn set_sequence(&mut self, sequence: u16) {
        if let Some(place) = self.bytes.get_mut(GROUP_SEQUENCE_AT..GROUP_SEQUENCE_AT + 2) {
            place.copy_from_slice(&sequence.to_le_bytes());
        }
    }

    /// Sets the time of the values (ns since 2000), as far as 100 ns can say it; without a place for it nothing happens.
    pub fn set_time(&mut self, time_ns: u64) {
        let place = self
            .stamp_at
            .and_then(|at| self.bytes.get_mut(at..at + STAMP));
        if let Some(place) = place {
            place.copy_from_slice(&(EPOCH_2000 + time_ns / 100).to_le_bytes());
        }
    }

    /// Sets sequence number and status (the upper half of a StatusCode) of data set `n`, and gives its fields to be filled;
    /// none where there is no such data set.
    pub fn data_set(&mut self, n: usize, sequence: u16, status: u16) -> Option<&mut [u8]> {
        let &(at, bytes) = self.places.get(n)?;
        let message = self.bytes.get_mut(at..at + MESSAGE_HEAD + bytes)?;
        let (head, fields) = message.split_at_mut_checked(MESSAGE_HEAD)?;
        head.get_mut(1..3)?.copy_from_slice(&sequence.to_le_bytes());
        head.get_mut(3..5)?.copy_from_slice(&status.to_le_bytes());
        Some(fields)
    }

    /// The message as it stands.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why bytes are no message that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end in the middle.
    Short,
    /// Another version than 1.
    Version(u8),
    /// Security, chunks, discovery, promoted fields, or an id that is no number.
    Unsupported,
    /// Sizes do not add up.
    Sizes,
}

/// The header of a NetworkMessage that was read, and its DataSetMessages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkMessage<'a> {
    /// PublisherId, of 8 to 64 bits.
    pub publisher_id: Option<u64>,
    /// WriterGroupId.
    pub writer_group_id: Option<u16>,
    /// GroupVersion.
    pub group_version: Option<u32>,
    /// NetworkMessageNumber.
    pub number: Option<u16>,
    /// SequenceNumber of the group.
    pub sequence: Option<u16>,
    /// Time of the values (ns since 2000), where a time stamp after that says so.
    pub time_ns: Option<u64>,
    count: usize,
    /// Writer ids, empty where there is no PayloadHeader.
    writer_ids: &'a [u8],
    /// Sizes, empty for a single message.
    sizes: &'a [u8],
    payload: &'a [u8],
}

/// A DataSetMessage that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSetMessage<'a> {
    /// DataSetWriterId; none without a PayloadHeader.
    pub writer_id: Option<u16>,
    /// The publisher says that it is valid.
    pub valid: bool,
    /// Fields are raw, and all of them are there: a key frame.
    pub raw_key_frame: bool,
    /// SequenceNumber.
    pub sequence: Option<u16>,
    /// Upper half of a StatusCode; 0 is good.
    pub status: Option<u16>,
    /// Major configuration version.
    pub major_version: Option<u32>,
    /// Minor configuration version.
    pub minor_version: Option<u32>,
    /// The fields. A single message reaches to the end of the frame, padding included.
    pub fields: &'a [u8],
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (front, rest) = self.0.split_at_checked(bytes).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(front)
    }

    /// An unsigned number of up to eight bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, Malformed> {
        let bytes = self.take(bytes)?.iter().rev();
        Ok(bytes.fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.number(1)? as u8)
    }

    fn u16_if(&mut self, there: bool) -> Result<Option<u16>, Malformed> {
        there.then(|| Ok(self.number(2)? as u16)).transpose()
    }

    fn u32_if(&mut self, there: bool) -> Result<Option<u32>, Malformed> {
        there.then(|| Ok(self.number(4)? as u32)).transpose()
    }
}

impl<'a> NetworkMessage<'a> {
    /// Reads the header of a NetworkMessage. Whether its DataSetMessages can be read, [`Self::messages`] says one by one.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        let flags = reader.u8()?;
        if flags & 0x0f != 1 {
            return Err(Malformed::Version(flags & 0x0f));
        }
        let has = |bit: u8| flags & bit != 0;
        let extended = if has(0x80) { reader.u8()? } else { 0 };
        let extended_2 = if extended & 0x80 != 0 {
            reader.u8()?
        } else {
            0
        };
        // Security, and anything but whole messages of data sets.
        if extended & 0x10 != 0 || extended_2 != 0 {
            return Err(Malformed::Unsupported);
        }
        let publisher_id = match (has(0x10), extended & 0x07) {
            (false, _) => None,
            (true, kind @ 0..=3) => Some(reader.number(1 << kind)?),
            (true, _) => return Err(Malformed::Unsupported),
        };
        if extended & 0x08 != 0 {
            reader.take(16)?; // DataSetClassId
        }
        let group = if has(0x20) { reader.u8()? } else { 0 };
        let writer_group_id = reader.u16_if(group & 1 != 0)?;
        let group_version = reader.u32_if(group & 2 != 0)?;
        let number = reader.u16_if(group & 4 != 0)?;
        let sequence = reader.u16_if(group & 8 != 0)?;
        let (count, writer_ids): (usize, &[u8]) = if has(0x40) {
            let count = usize::from(reader.u8()?);
            (count, reader.take(2 * count)?)
        } else {
            (1, &[])
        };
        let mut time_ns = None;
        if extended & STAMPED != 0 {
            let since_2000 = reader.number(STAMP)?.checked_sub(EPOCH_2000);
            time_ns = since_2000.and_then(|ticks| ticks.checked_mul(100));
        }
        if extended & 0x40 != 0 {
            reader.take(2)?; // picoseconds
        }
        let sizes = if count > 1 {
            reader.take(2 * count)?
        } else {
            &[]
        };
        let total: usize = pairs(sizes).map(usize::from).sum();
        if total > reader.0.len() {
            return Err(Malformed::Sizes);
        }
        Ok(Self {
            publisher_id,
            writer_group_id,
            group_version,
            number,
            sequence,
            time_ns,
            count,
            writer_ids,
            sizes,
            payload: reader.0,
        })
    }

    /// Its DataSetMessages, at most 255.
    pub fn messages(&self) -> impl Iterator<Item = Result<DataSetMessage<'a>, Malformed>> {
        let mut writer_ids = pairs(self.writer_ids);
        let mut sizes = pairs(self.sizes);
        let mut rest = Reader(self.payload);
        (0..self.count).map(move |_| {
            let size = sizes.next().map_or(rest.0.len(), usize::from);
            DataSetMessage::parse(writer_ids.next(), rest.take(size)?)
        })
    }
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
}

impl<'a> DataSetMessage<'a> {
    fn parse(writer_id: Option<u16>, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        let flags = reader.u8()?;
        let has = |bit: u8| flags & bit != 0;
        let more = if has(0x80) { reader.u8()? } else { 0 };
        let sequence = reader.u16_if(has(0x08))?;
        if more & 0x10 != 0 {
            reader.take(8)?; // time stamp
        }
        if more & 0x20 != 0 {
            reader.take(2)?; // picoseconds
        }
        Ok(Self {
            writer_id,
            valid: has(0x01),
            raw_key_frame: flags & 0x06 == 0x02 && more & 0x0f == 0,
            sequence,
            status: reader.u16_if(has(0x10))?,
            major_version: reader.u32_if(has(0x20))?,
            minor_version: reader.u32_if(has(0x40))?,
            fields: reader.0,
        })
    }
}

#[cfg(test)]
#[path = "uadp_tests.rs"]
mod tests;
