//! The order of an image that nobody explained.

use super::super::evidence::Evidence;
use super::super::exchange::Exchange;
use super::super::layout::Layout;
use super::super::learn::Learner;
use super::super::mismatch::Mismatch;
use super::PERIOD_NS;
use crate::ethercat::plan::Direction;
use crate::frame::command as c;
use crate::segment::testing::bench;
use twinstep_config::machine::{Bus, ImageOrder};

/// Inputs 12 + 6, outputs 8 + 4.
fn bus() -> Bus {
    bench(&[(8, 12), (4, 6)], PERIOD_NS).0.bus.unwrap()
}

/// Evidence of datagrams of `length` bytes at `logical`, in which the bytes `changed` come back changed.
fn shown(datagrams: &[(u8, u32, usize, &[usize])], cycles: usize) -> Evidence {
    let mut evidence = Evidence::default();
    for _ in 0..cycles {
        datagrams
            .iter()
            .for_each(|datagram| take(&mut evidence, *datagram));
    }
    evidence
}

/// A datagram that was answered.
fn take(evidence: &mut Evidence, (command, logical, length, changed): (u8, u32, usize, &[usize])) {
    let sent = vec![0; length];
    let mut back = sent.clone();
    changed.iter().for_each(|at| back[*at] = 1);
    evidence.take(&Exchange {
        command,
        position: logical as u16,
        offset: (logical >> 16) as u16,
        sent: &sent,
        back: &back,
        counter: 6,
    });
}

fn decide(evidence: &Evidence, order: Option<ImageOrder>) -> Result<Option<Layout>, Mismatch> {
    evidence.decide(&bus(), &Learner::default(), order)
}

/// First logical address of inputs and outputs.
fn starts(layout: &Layout) -> (u32, u32) {
    let first = |direction| {
        let mine = layout
            .spans
            .iter()
            .filter(|span| span.direction == direction);
        mine.map(|span| span.logical).min().unwrap()
    };
    (first(Direction::Input), first(Direction::Output))
}

#[test]
fn a_byte_that_changes_is_an_input() {
    for (changed, inputs, outputs) in [(0, 0x1_0000, 0x1_0012), (29, 0x1_000c, 0x1_0000)] {
        let evidence = shown(&[(c::LRW, 0x1_0000, 30, &[changed])], 5);
        let layout = decide(&evidence, None).unwrap().unwrap();
        assert_eq!(starts(&layout), (inputs, outputs), "{changed}");
        assert!(!layout.learnt);
    }
    // Byte 15 may be either; it shows nothing, however long it goes on.
    let evidence = shown(&[(c::LRW, 0, 30, &[15])], 5);
    assert_eq!(decide(&evidence, None), Ok(None));
    let evidence = shown(&[(c::LRW, 0, 30, &[15])], 2100);
    assert_eq!(decide(&evidence, None), Err(Mismatch::AnyOrder));
    let asked = decide(&evidence, Some(ImageOrder::OutputsFirst));
    assert_eq!(starts(&asked.unwrap().unwrap()), (12, 0));
    let evidence = shown(&[(c::LRW, 0, 30, &[0, 29])], 5);
    assert_eq!(decide(&evidence, None), Err(Mismatch::NoOrder));
}

#[test]
fn states_of_mailboxes_stand_behind_the_process_data() {
    let evidence = shown(&[(c::LRW, 0, 32, &[31])], 5);
    assert_eq!(starts(&decide(&evidence, None).unwrap().unwrap()), (12, 0));
    let total = |found| {
        Err(Mismatch::Total {
            configured: 30,
            found,
        })
    };
    for found in [29, 33] {
        let evidence = shown(&[(c::LRW, 0, found, &[])], 5);
        assert_eq!(decide(&evidence, None), total(found));
    }
}

#[test]
fn reads_and_writes_apart_need_no_order() {
    let evidence = shown(&[(c::LWR, 0x800, 12, &[]), (c::LRD, 0x1000, 18, &[])], 5);
    assert_eq!(
        starts(&decide(&evidence, None).unwrap().unwrap()),
        (0x1000, 0x800)
    );
}

#[test]
fn an_image_in_two_datagrams_is_one_image() {
    let evidence = shown(&[(c::LRW, 0, 20, &[1]), (c::LRW, 20, 10, &[])], 5);
    assert_eq!(starts(&decide(&evidence, None).unwrap().unwrap()), (0, 18));
}

#[test]
fn groups_take_the_subdevices_one_after_the_other() {
    // SOEM gives every group a logical address of its own; outputs come first in each.
    let evidence = shown(
        &[(c::LRW, 0x1_0000, 20, &[19]), (c::LRW, 0x2_0000, 10, &[4])],
        5,
    );
    let layout = decide(&evidence, None).unwrap().unwrap();
    let places: Vec<_> = layout
        .spans
        .iter()
        .map(|span| (span.owner, span.direction, span.logical))
        .collect();
    assert_eq!(
        places,
        [
            (0, Direction::Input, 0x1_0008),
            (0, Direction::Output, 0x1_0000),
            (1, Direction::Input, 0x2_0004),
            (1, Direction::Output, 0x2_0000),
        ]
    );
    // The second group is a byte short, or has more than a mailbox left over.
    for length in [9, 12] {
        let evidence = shown(
            &[(c::LRW, 0, 20, &[19]), (c::LRW, 0x2_0000, length, &[4])],
            5,
        );
        let found = 20 + length;
        assert_eq!(
            decide(&evidence, None),
            Err(Mismatch::Total {
                configured: 30,
                found
            })
        );
    }
}

#[test]
fn groups_that_touch_are_told_apart_by_how_often_they_come() {
    let mut evidence = Evidence::default();
    for cycle in 0..40 {
        let mut datagrams: Vec<(u8, u32, usize, &[usize])> = vec![(c::LRW, 0, 20, &[19])];
        if cycle % 4 == 0 {
            datagrams.push((c::LRW, 20, 10, &[4]));
        }
        for exchange in datagrams {
            take(&mut evidence, exchange);
        }
    }
    let layout = decide(&evidence, None).unwrap().unwrap();
    let logical: Vec<_> = layout.spans.iter().map(|span| span.logical).collect();
    assert_eq!(logical, [8, 0, 24, 20]);
}

#[test]
fn reads_and_writes_of_groups_need_no_order() {
    let evidence = shown(
        &[
            (c::LWR, 0x800, 8, &[]),
            (c::LWR, 0x900, 4, &[]),
            (c::LRD, 0x1000, 12, &[]),
            (c::LRD, 0x2000, 6, &[]),
        ],
        5,
    );
    let layout = decide(&evidence, None).unwrap().unwrap();
    let logical: Vec<_> = layout.spans.iter().map(|span| span.logical).collect();
    assert_eq!(logical, [0x1000, 0x800, 0x2000, 0x900]);
}
