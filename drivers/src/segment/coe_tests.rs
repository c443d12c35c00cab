//! What the server answers, message by message.

use super::super::application::{ABORT_NO_OBJECT, ABORT_NO_SUBINDEX};
use super::super::pdo_config::ABORT_IN_USE;
use super::super::testing::Cupboard;
use super::*;

fn ask(server: &mut CoeServer, application: &mut Cupboard, sdo: &[u8]) -> Vec<u8> {
    let mut body = vec![0, SERVICE_REQUEST << 4];
    body.extend_from_slice(sdo);
    let description = Description::for_test("lift", 12, 14);
    let message = answer(server, &body, &description, application).unwrap();
    message.as_bytes()[HEADER..].to_vec()
}

/// What a device in PRE-OP answers.
fn answer(
    server: &mut CoeServer,
    body: &[u8],
    description: &Description,
    application: &mut dyn Application,
) -> Option<Message> {
    let mut behind = Behind {
        description,
        sync: Synchronisation::default(),
        sync_config: &mut SyncConfig::default(),
        pdos: &mut PdoConfig::new(description, 0x200),
        pre_op: true,
        application,
    };
    server.answer(body, &mut behind)
}

#[test]
fn expedited_upload_of_the_mapping() {
    let (mut server, mut application) = (CoeServer::new(128), Cupboard::default());
    let answer = ask(
        &mut server,
        &mut application,
        &[0x40, 0x12, 0x1c, 1, 0, 0, 0, 0],
    );
    assert_eq!(answer, [0, 0x30, 0x4b, 0x12, 0x1c, 1, 0x00, 0x16, 0, 0]);
}

#[test]
fn refusals_carry_abort_codes() {
    let (mut server, mut application) = (CoeServer::new(128), Cupboard::default());
    let mut code = |sdo: &[u8]| {
        let answer = ask(&mut server, &mut application, sdo);
        assert_eq!(answer[2], 0x80);
        u32::from_le_bytes(answer[6..10].try_into().unwrap())
    };
    assert_eq!(code(&[0x40, 0x77, 0x1c, 0, 0, 0, 0, 0]), ABORT_NO_OBJECT);
    assert_eq!(code(&[0x40, 0x18, 0x10, 9, 0, 0, 0, 0]), ABORT_NO_SUBINDEX);
    assert_eq!(code(&[0x2f, 0x00, 0x1c, 0, 0, 0, 0, 0]), ABORT_READ_ONLY);
    assert_eq!(code(&[0x2f, 0x00, 0x16, 0, 9, 0, 0, 0]), ABORT_IN_USE);
    assert_eq!(code(&[0x50, 0x18, 0x10, 2, 0, 0, 0, 0]), ABORT_ACCESS);
    assert_eq!(code(&[0x60, 0, 0, 0, 0, 0, 0, 0]), ABORT_COMMAND);
    assert_eq!(code(&[0xe0, 0, 0, 0, 0, 0, 0, 0]), ABORT_COMMAND);
    assert_eq!(code(&[0x23, 0, 0x20, 0, 1]), ABORT_LENGTH);
}

#[test]
fn complete_access_gives_all_entries_at_once() {
    let (mut server, mut application) = (CoeServer::new(128), Cupboard::default());
    let mut upload = |index: [u8; 2], from: u8| {
        let sdo = [0x50, index[0], index[1], from, 0, 0, 0, 0];
        ask(&mut server, &mut application, &sdo)
    };
    // 0x1C12: a count that takes two bytes, then one PDO.
    assert_eq!(
        upload([0x12, 0x1c], 0)[2..],
        [0x53, 0x12, 0x1c, 0, 1, 0, 0, 0x16]
    );
    assert_eq!(
        upload([0x12, 0x1c], 1)[2..],
        [0x5b, 0x12, 0x1c, 1, 0, 0x16, 0, 0]
    );
    let identity = upload([0x18, 0x10], 0);
    assert_eq!(identity[2..10], [0x51, 0x18, 0x10, 0, 18, 0, 0, 0]);
    assert_eq!(identity[10..16], [4, 0, 0x0b, 0x0b, 0, 0]);
    // What has no entries is one value.
    assert_eq!(
        upload([0x00, 0x10], 0)[2..],
        [0x53, 0x00, 0x10, 0, 0x91, 1, 0, 0]
    );
}

#[test]
fn information_lists_names_and_types_every_object_in_fragments() {
    use super::super::cia402::Drive;
    let machine = super::super::plant::rig::press_cell();
    let mut drive = Drive::new(0, &machine);
    let mut description = Description::for_test("lift", 12, 14);
    description.rx_pdos[0].entries[0].index = 0x6040;
    let mut server = CoeServer::new(128);
    let mut ask = |request: &[u8]| {
        let mut body = vec![0, SERVICE_INFORMATION << 4];
        body.extend_from_slice(request);
        let first = answer(&mut server, &body, &description, &mut drive).unwrap();
        let mut parts = vec![first.as_bytes()[HEADER..].to_vec()];
        while let Some(next) = server.next_fragment() {
            parts.push(next.as_bytes()[HEADER..].to_vec());
        }
        parts
    };
    let lengths = ask(&[1, 0, 0, 0, 0, 0]);
    assert_eq!(lengths[0][2], 2);
    let parts = ask(&[1, 0, 0, 0, 1, 0]);
    // 57 words a fragment: more objects than that go on in a second one, which says that it is the last.
    let left: Vec<_> = parts.iter().map(|p| (p[2], p[4])).collect();
    let last = left.len() - 1;
    for (n, (opcode, left)) in left.iter().enumerate() {
        assert_eq!(
            (*opcode, usize::from(*left)),
            (if n < last { 0x82 } else { 2 }, last - n)
        );
    }
    let data: Vec<u8> = parts.iter().flat_map(|p| p[6..].to_vec()).collect();
    let indices: Vec<u16> = data[2..]
        .as_chunks()
        .0
        .iter()
        .map(|b| u16::from_le_bytes(*b))
        .collect();
    assert_eq!(
        indices.len(),
        usize::from(u16::from_le_bytes([lengths[0][8], lengths[0][9]]))
    );
    assert!(indices.is_sorted() && indices.contains(&0x1018) && indices.contains(&0x6064));
    for index in indices {
        let [low, high] = index.to_le_bytes();
        let object = &ask(&[3, 0, 0, 0, low, high])[0];
        assert_eq!(object[2], 4, "{index:04x}: {object:02x?}");
        assert!(object.len() > 13, "{index:04x} has no name");
        for subindex in 0..=object[10] {
            let entry = &ask(&[5, 0, 0, 0, low, high, subindex, 0])[0];
            // Mapping tables of this test have gaps in nothing; what is there says its type.
            assert_eq!(entry[2], 6, "{index:04x}:{subindex}: {entry:02x?}");
        }
    }
    let refused = &ask(&[3, 0, 0, 0, 0x34, 0x12])[0];
    assert_eq!(
        (refused[2], &refused[6..10]),
        (7, &0x0602_0000_u32.to_le_bytes()[..])
    );
}

#[test]
fn long_values_travel_in_segments_both_ways() {
    let (mut server, mut application) = (CoeServer::new(128), Cupboard::default());
    let value: Vec<u8> = (0..=255).collect();
    let mut request = vec![0x21, 0, 0x20, 0];
    request.extend_from_slice(&256_u32.to_le_bytes());
    assert_eq!(ask(&mut server, &mut application, &request)[2], 0x60);
    for (at, chunk) in value.chunks(100).enumerate() {
        let last = (at + 1) * 100 >= value.len();
        let mut segment = vec![u8::from(last) | ((at % 2) as u8) << 4];
        segment.extend_from_slice(chunk);
        assert_eq!(ask(&mut server, &mut application, &segment)[2] & 0xe0, 0x20);
    }
    assert_eq!(application.value, value);

    let answer = ask(
        &mut server,
        &mut application,
        &[0x40, 0, 0x20, 0, 0, 0, 0, 0],
    );
    assert_eq!(answer[2], 0x41);
    assert_eq!(answer[6..10], 256_u32.to_le_bytes());
    let mut back = Vec::new();
    let mut toggle = 0;
    loop {
        let answer = ask(&mut server, &mut application, &[0x60 | toggle]);
        back.extend_from_slice(&answer[3..]);
        toggle ^= 0x10;
        if answer[2] & 1 != 0 {
            break;
        }
    }
    assert_eq!(back, value);
}
