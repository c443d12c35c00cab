//! The order of an image that nobody explained.

use super::super::exchange::Exchange;
use super::super::layout::{Evidence, Layout};
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
        for &(command, logical, length, changed) in datagrams {
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
    }
    evidence
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
