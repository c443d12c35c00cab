use super::*;
use proptest::prelude::*;

/// An answer as a clock sends it: `data` behind the managementId.
pub(crate) fn answer(asked: Asked, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = request(asked, 0, 0, sequence).to_vec();
    bytes[46] = RESPONSE;
    bytes[50..52].copy_from_slice(&(2 + data.len() as u16).to_be_bytes());
    bytes.extend(data);
    let length = bytes.len() as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The data of each kind, with figures in it.
pub(crate) fn data(asked: Asked) -> Vec<u8> {
    let mut bytes = vec![0; 50];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    let length = match asked {
        Asked::Current => {
            put(0, &2_u16.to_be_bytes());
            put(2, &(-1234_i64 << 16).to_be_bytes());
            put(10, &(5678_i64 << 16 | 0x8000).to_be_bytes());
            18
        }
        Asked::Parent => {
            put(24, &[0xa0, 1, 2, 0xff, 0xfe, 3, 4, 5]);
            32
        }
        Asked::TimeProperties => {
            put(0, &37_i16.to_be_bytes());
            put(2, &[0b1100]);
            4
        }
        Asked::Port => {
            put(8, &3_u16.to_be_bytes());
            put(10, &[9]);
            26
        }
        Asked::TimeStatus => {
            put(0, &(-1234_i64).to_be_bytes());
            put(8, &1_700_000_000_000_000_000_i64.to_be_bytes());
            put(38, &1_u32.to_be_bytes());
            50
        }
    };
    bytes.truncate(length);
    bytes
}

#[test]
fn a_request_asks_everybody_and_changes_nothing() {
    let bytes = request(Asked::Port, 7, 1, 0x1234);
    assert_eq!(bytes.len(), 54);
    assert_eq!(bytes[..6], [0x1d, 2, 0, 54, 7, 0]);
    assert_eq!(bytes[30..34], [0x12, 0x34, 4, 0x7f]);
    assert_eq!(bytes[34..44], [0xff; 10]);
    assert_eq!(bytes[46] & 0x0f, GET);
    assert_eq!(bytes[48..], [0, 1, 0, 2, 0x20, 0x04]);
}

#[test]
fn answers_are_read() {
    let expected = [
        Answer::Port {
            number: 3,
            state: PortState::Slave,
        },
        Answer::Current {
            steps_removed: 2,
            offset_ns: -1234,
            path_delay_ns: 5678,
        },
        Answer::Parent {
            grandmaster: ClockIdentity([0xa0, 1, 2, 0xff, 0xfe, 3, 4, 5]),
        },
        Answer::TimeProperties {
            utc_offset_s: Some(37),
        },
        Answer::TimeStatus {
            last_sync_ns: 1_700_000_000_000_000_000,
            follows: true,
        },
    ];
    for (asked, expected) in Asked::ALL.into_iter().zip(expected) {
        let mut bytes = answer(asked, 9, &data(asked));
        assert_eq!(parse(&bytes), Ok((9, expected)), "{asked:?}");
        assert_eq!(expected.asked(), asked);
        // What follows the stated length does not count.
        bytes.extend([0xee; 40]);
        assert_eq!(parse(&bytes), Ok((9, expected)));
    }
    let mut unsure = data(Asked::TimeProperties);
    unsure[2] = 0;
    let unsure = answer(Asked::TimeProperties, 1, &unsure);
    let none = Answer::TimeProperties { utc_offset_s: None };
    assert_eq!(parse(&unsure), Ok((1, none)));
    let identity = ClockIdentity([0xa0, 1, 2, 0xff, 0xfe, 3, 4, 5]);
    assert_eq!(identity.to_string(), "a00102.fffe.030405");
}

#[test]
fn a_refusal_is_an_answer() {
    let mut bytes = answer(Asked::TimeStatus, 5, &[0; 6]);
    bytes[48..50].copy_from_slice(&TLV_ERROR.to_be_bytes());
    // managementErrorId NO_SUCH_ID, then what it is about.
    bytes[52..56].copy_from_slice(&[0, 2, 0xc0, 0]);
    let refused = Answer::Refused(Asked::TimeStatus, 2);
    assert_eq!(parse(&bytes), Ok((5, refused)));
}

#[test]
fn what_is_no_answer_says_why() {
    let whole = answer(Asked::Current, 1, &data(Asked::Current));
    for cut in 0..whole.len() {
        let short =
            matches!(parse(&whole[..cut]), Err(Malformed::Short { found, .. }) if found == cut);
        assert!(short, "{cut}: {:?}", parse(&whole[..cut]));
    }
    let with = |at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        parse(&bytes)
    };
    assert_eq!(with(0, 0x0b), Err(Malformed::NotManagement(0x0b, 2)));
    assert_eq!(with(1, 1), Err(Malformed::NotManagement(0x0d, 1)));
    assert_eq!(with(1, 0x12), parse(&whole), "version 2.1");
    assert_eq!(with(46, GET), Err(Malformed::NotResponse(0)));
    assert_eq!(with(49, 8), Err(Malformed::Tlv(8)));
    assert_eq!(with(53, 0x77), Err(Malformed::NotAsked(0x2077)));
    // A TLV that is longer than the message, and one that is too short for what it is.
    assert!(matches!(with(51, 200), Err(Malformed::Short { .. })));
    assert!(matches!(with(51, 10), Err(Malformed::Short { .. })));
    assert!(matches!(with(3, 50), Err(Malformed::Short { .. })));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_mangled_answer_panics(n in 0_usize..5, at in 0_usize..104, value: u8) {
        let asked = Asked::ALL[n];
        let mut bytes = answer(asked, 1, &data(asked));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        let _ = parse(&bytes);
    }
}
