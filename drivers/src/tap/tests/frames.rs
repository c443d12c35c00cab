//! Pairing and counting of single frames.

use super::super::pairing::{Pairing, REMEMBERED, Seen};
use super::super::source::Way;
use crate::ethercat::frame::{new, push_datagram};
use crate::frame::command;

/// A frame out with this datagram index, and its answer.
fn pair(index: u8) -> (Vec<u8>, Vec<u8>) {
    let mut sent = new();
    push_datagram(&mut sent, command::BRD, 0, 0x0130, 2);
    sent[17] = index;
    let mut back = sent.clone();
    back[6] |= 2;
    back[18] = 3; // three have counted the position up
    back[26] = 8;
    back[28] = 3;
    back.resize(60, 0);
    (sent, back)
}

fn take(pairing: &mut Pairing, frame: &[u8], time_ns: u64) -> Seen {
    pairing.take(frame, frame.len(), time_ns, Way::Both)
}

#[test]
fn an_answer_finds_its_frame_among_others() {
    let mut pairing = Pairing::default();
    let frames: Vec<_> = (0..4).map(pair).collect();
    for (at, (sent, _)) in frames.iter().enumerate() {
        assert_eq!(take(&mut pairing, sent, 0), Seen::Outbound(at as u64));
    }
    for (at, (sent, back)) in frames.iter().enumerate().rev() {
        assert_eq!(take(&mut pairing, back, 1000), Seen::Answer(at as u64));
        assert_eq!(pairing.sent(at as u64), sent);
        assert_eq!(pairing.answer(), back);
    }
    assert_eq!(pairing.finish().unexplained(), 0);
}

#[test]
fn every_kind_is_counted_once() {
    let mut pairing = Pairing::default();
    let (sent, back) = pair(1);
    assert_eq!(take(&mut pairing, &pair(9).1, 0), Seen::Other); // before the first pair
    take(&mut pairing, &sent, 0);
    take(&mut pairing, &back, 1);
    take(&mut pairing, &back, 2); // duplicate
    take(&mut pairing, &pair(2).0, 3); // never answered in time ...
    take(&mut pairing, &pair(3).0, 200_000_003);
    assert_eq!(pairing.counts().unanswered, 1);
    assert_eq!(take(&mut pairing, &pair(2).1, 200_000_004), Seen::Answer(1)); // ... but late
    take(&mut pairing, &pair(4).1, 5); // answer to nothing
    pairing.take(&sent[..20], sent.len(), 6, Way::Both);
    pairing.take(&sent[..13], sent.len(), 6, Way::Both);
    let mut malformed = sent.clone();
    malformed[22] = 1; // the datagram is shorter than the frame, and another should follow
    malformed[23] |= 0x80;
    take(&mut pairing, &malformed, 7);
    let mut variables = sent.clone();
    variables[15] = 0x40;
    take(&mut pairing, &variables, 8);
    let mut arp = sent.clone();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    take(&mut pairing, &arp, 9);
    take(&mut pairing, &arp, 9);
    let counts = pairing.finish();
    assert_eq!(
        (counts.frames, counts.outbound, counts.returned),
        (14, 3, 1)
    );
    assert_eq!((counts.before, counts.duplicate, counts.late), (1, 1, 1));
    assert_eq!(
        (counts.unanswered, counts.under_way, counts.orphan),
        (0, 1, 1)
    );
    assert_eq!((counts.truncated, counts.malformed), (2, 1));
    assert_eq!((counts.other_ethercat, counts.foreign), (1, 2));
    assert_eq!(counts.protocols, [(0x0806, 2)]);
    assert_eq!(counts.unexplained(), 1 + 2 + 1);
    let listed = counts.outbound + counts.returned + counts.before + counts.duplicate + counts.late;
    let others = counts.orphan + counts.truncated + counts.malformed + counts.other_ethercat;
    assert_eq!(listed + others + counts.foreign, counts.frames);
}

#[test]
fn of_equal_frames_the_older_was_lost() {
    let mut pairing = Pairing::default();
    let (sent, back) = pair(1);
    take(&mut pairing, &sent, 0);
    take(&mut pairing, &sent, 1_000_000);
    assert_eq!(take(&mut pairing, &back, 1_010_000), Seen::Answer(1));
    // And where both come back, both are explained.
    assert_eq!(take(&mut pairing, &back, 1_020_000), Seen::Answer(0));
    assert_eq!(pairing.finish().unexplained(), 0);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut pairing = Pairing::default();
    for number in 0..10 * REMEMBERED as u64 {
        let (sent, _) = pair(number as u8);
        assert_eq!(take(&mut pairing, &sent, number), Seen::Outbound(number));
    }
    assert!(pairing.sent(0).is_empty());
    let counts = pairing.finish();
    assert_eq!(counts.under_way + counts.unanswered, 10 * REMEMBERED as u64);
    assert_eq!(counts.under_way, REMEMBERED as u64);
}

#[test]
fn the_port_tells_the_way_where_the_address_does_not() {
    let mut pairing = Pairing::default();
    let (mut sent, mut back) = pair(1);
    // A master whose own address has the bit: only ports tell the ways apart.
    sent[6] = 2;
    back[6] = 2;
    let went = pairing.take(&sent, sent.len(), 0, Way::Outbound);
    assert_eq!(went, Seen::Outbound(0));
    assert_eq!(
        pairing.take(&back, back.len(), 1, Way::Returned),
        Seen::Answer(0)
    );
}
