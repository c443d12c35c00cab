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
