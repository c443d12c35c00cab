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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GROUP: Group = Group {
        publisher_id: 0x0102,
        writer_group_id: 0x0304,
        version: 0x0506_0708,
        number: 1,
        stamped: false,
    };
    const STAMPED_GROUP: Group = Group {
        stamped: true,
        ..GROUP
    };

    fn set(writer_id: u16, bytes: usize) -> DataSet {
        DataSet {
            writer_id,
            version: (7, 9),
            bytes,
        }
    }

    #[test]
    fn a_message_has_the_bytes_of_the_standard() {
        let mut message = Message::new(&GROUP, &[set(0x0a0b, 2), set(0x0c0d, 1)], 1500).unwrap();
        message.set_sequence(0x1112);
        message
            .data_set(0, 0x2122, 0)
            .unwrap()
            .copy_from_slice(&[0xaa, 0xbb]);
        message.data_set(1, 0x3132, 0x8000).unwrap()[0] = 0xcc;
        assert!(message.data_set(2, 0, 0).is_none());
        #[rustfmt::skip]
        let expected = [
            // version and flags, extended flags, PublisherId
            0xf1, 0x01, 0x02, 0x01,
            // group: flags, id, version, number, sequence
            0x0f, 0x04, 0x03, 0x08, 0x07, 0x06, 0x05, 0x01, 0x00, 0x12, 0x11,
            // payload: count, writer ids, sizes
            2, 0x0b, 0x0a, 0x0d, 0x0c, 15, 0, 14, 0,
            0x7b, 0x22, 0x21, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 0xaa, 0xbb,
            0x7b, 0x32, 0x31, 0x00, 0x80, 7, 0, 0, 0, 9, 0, 0, 0, 0xcc,
        ];
        assert_eq!(message.bytes(), expected);
        // Without a place for it there is no time.
        message.set_time(1);
        assert_eq!(message.bytes(), expected);
    }

    #[test]
    fn a_time_stamp_stands_between_writer_ids_and_sizes() {
        let sets = [set(0x0a0b, 0), set(0x0c0d, 0)];
        let mut message = Message::new(&STAMPED_GROUP, &sets, 1500).unwrap();
        // 28 November 2026, 12:00:00.1 UTC: 134403408001000000 after 1601.
        message.set_time(849_182_400_100_000_099);
        let bytes = message.bytes();
        assert_eq!(bytes[1], 0x21);
        assert_eq!(bytes[20..28], 134_403_408_001_000_000_u64.to_le_bytes());
        assert_eq!(bytes[28..32], [13, 0, 13, 0]);
        let read = NetworkMessage::parse(bytes).unwrap();
        assert_eq!(read.time_ns, Some(849_182_400_100_000_000));
        // A time before 2000 is none that distributed clocks could tell.
        message.bytes[20..28].fill(0);
        let read = NetworkMessage::parse(message.bytes()).unwrap();
        assert_eq!(read.time_ns, None);
    }

    #[test]
    fn what_is_written_is_read() {
        for (group, count) in [GROUP, STAMPED_GROUP]
            .into_iter()
            .flat_map(|group| [1, 2, MAX_MESSAGES].map(|count| (group, count)))
        {
            let sets: Vec<_> = (0..count).map(|n| set(n as u16 + 1, n % 5)).collect();
            let mut message = Message::new(&group, &sets, 1500).unwrap();
            assert_eq!(message.bytes().len(), length(&sets, group.stamped));
            message.set_sequence(77);
            message.set_time(1_200);
            for n in 0..count {
                message
                    .data_set(n, 500 + n as u16, 3)
                    .unwrap()
                    .fill(n as u8);
            }
            let read = NetworkMessage::parse(message.bytes()).unwrap();
            assert_eq!(read.publisher_id, Some(0x0102));
            assert_eq!(read.time_ns, group.stamped.then_some(1_200));
            assert_eq!(
                (read.writer_group_id, read.group_version),
                (Some(0x0304), Some(0x0506_0708))
            );
            assert_eq!((read.number, read.sequence), (Some(1), Some(77)));
            let messages: Vec<_> = read.messages().map(Result::unwrap).collect();
            assert_eq!(messages.len(), count);
            for (n, message) in messages.iter().enumerate() {
                assert!(message.valid && message.raw_key_frame);
                assert_eq!(message.writer_id, Some(n as u16 + 1));
                assert_eq!(
                    (message.sequence, message.status),
                    (Some(500 + n as u16), Some(3))
                );
                assert_eq!(
                    (message.major_version, message.minor_version),
                    (Some(7), Some(9))
                );
                assert_eq!(message.fields, vec![n as u8; n % 5]);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let new = |sets: &[DataSet], room| Message::new(&GROUP, sets, room).unwrap_err();
        assert_eq!(new(&[], 1500), LayoutError::Messages(0));
        assert_eq!(new(&[set(1, 1); 65], 9000), LayoutError::Messages(65));
        let actual = length(&[set(1, 100)], false);
        let room = actual - 1;
        assert_eq!(
            new(&[set(1, 100)], room),
            LayoutError::TooLong { actual, room }
        );
    }

    #[test]
    fn other_messages_are_typed_errors() {
        let parse = |bytes: &[u8]| NetworkMessage::parse(bytes).unwrap_err();
        assert_eq!(parse(&[]), Malformed::Short);
        assert_eq!(parse(&[0x02]), Malformed::Version(2));
        assert_eq!(parse(&[0x81, 0x10]), Malformed::Unsupported); // security
        assert_eq!(parse(&[0x91, 0x04, 1]), Malformed::Unsupported); // an id in words
        assert_eq!(
            parse(&[0x41, 2, 1, 0, 2, 0, 9, 0, 9, 0, 0]),
            Malformed::Sizes
        );
        // The smallest: one message, no header at all, no fields.
        let read = NetworkMessage::parse(&[0x01, 0x03]).unwrap();
        let only = read.messages().next().unwrap().unwrap();
        assert!(only.valid && only.raw_key_frame && only.fields.is_empty());
        assert_eq!((only.writer_id, only.sequence), (None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(message) = NetworkMessage::parse(&bytes) {
                let total: usize = message.messages().flatten().map(|one| one.fields.len()).sum();
                prop_assert!(total <= bytes.len());
                prop_assert!(message.messages().count() <= 255);
            }
        }
    }
}
