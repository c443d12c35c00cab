//! 200 SubDevices: an image of several frames, in OP over thousands of cycles, scanned, and with faults far down the line.

use super::tests::{Faulty, PERIOD_NS, link};
use super::*;
use crate::link::in_process::InProcess;
use crate::segment::testing::bench;
use twinstep_config::fault::{BusFault, Fault, FaultKind};

const COUNT: usize = 200;
const CYCLES: u64 = 3_000;

/// 2 to 16 bytes of outputs, 4 to 23 of inputs.
fn sizes() -> Vec<(usize, usize)> {
    (0..COUNT).map(|n| (2 + n % 15, 4 + n % 20)).collect()
}

fn fault(fault: BusFault, target: usize, at_cycle: u64) -> Fault {
    Fault {
        kind: FaultKind::Bus(fault),
        target: format!("dev{target}"),
        at_ns: at_cycle * PERIOD_NS,
        ramp_ns: 0,
    }
}

/// One cycle, with as long for an access as a ring of this length needs.
fn cycle(
    bus: &mut EthercatBus<Faulty>,
    image: &mut ProcessImage,
    next_ns: &mut u64,
    acyclic_us: u64,
) -> Result<CycleStamp, crate::bus::BusFault> {
    let clock = bus.clock().clone();
    clock.wait_until_ns(*next_ns);
    let result = bus.exchange(image, &mut || {});
    bus.acyclic(Duration::from_micros(acyclic_us));
    *next_ns += PERIOD_NS;
    if let Some(error) = bus.phase_error_ns() {
        *next_ns = next_ns.saturating_add_signed(-error / 8);
    }
    result
}

#[test]
fn two_hundred_subdevices_stay_in_op_with_right_working_counters() {
    let (machine, mut segment) = bench(&sizes(), PERIOD_NS);
    segment
        .inject(&fault(BusFault::WorkingCounter { count: 24 }, 150, 2_000))
        .unwrap();
    segment
        .inject(&fault(BusFault::FrameCorrupt { count: 3 }, 180, 2_200))
        .unwrap();
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    let frames = bus.plan.frames.len();
    assert!(frames >= 3, "{frames} frames");
    let expected: u16 = bus.plan.datagrams.iter().skip(2).map(|d| d.expected).sum();
    assert_eq!(usize::from(expected), 3 * COUNT);
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let mut reports = Vec::new();
    let mut bad = Vec::new();
    for number in 0..CYCLES {
        image.outputs.fill(number as u8);
        let result = cycle(&mut bus, &mut image, &mut next_ns, 400);
        if result.is_err() || image.valid.iter().any(Result::is_err) {
            bad.push(number);
        } else if number > 1 && bad.last().is_none_or(|last| last + 2 < number) {
            let mut at = 0;
            for (outputs, inputs) in sizes() {
                let own = &image.inputs[at..at + inputs];
                let echoed = outputs.min(inputs - 1);
                let sent = (number as u8).wrapping_sub(1);
                assert!(
                    own[..echoed].iter().all(|byte| *byte == sent),
                    "{number}: {own:?}"
                );
                at += inputs;
            }
        }
        let new = core::iter::from_fn(|| bus.take_report());
        reports.extend(new.map(|r| (r.news, r.subdevice, r.cause)));
        if number < 2_000 {
            assert!(
                bad.is_empty() && reports.is_empty(),
                "{number}: {result:?} {reports:?}"
            );
            assert_eq!(bus.counters(), BusCounters::default());
        }
    }
    // 24 datagrams are some cycles of several frames each, and three damaged frames one or two.
    assert!((2..=26).contains(&bad.len()), "{bad:?}");
    for (n, cause) in [(150, Cause::WorkingCounter), (180, Cause::FramesDamaged)] {
        for news in [News::Raised, News::Cleared] {
            assert!(reports.contains(&(news, Some(n), cause)), "{reports:?}");
        }
    }
    // The frame behind the damaged ones comes back after the deadline of that cycle, which is told once.
    let late = |(_, subdevice, cause): &&(News, Option<usize>, Cause)| {
        subdevice.is_none() && *cause == Cause::FramesLate
    };
    assert_eq!(bus.counters().late, 1);
    assert_eq!(reports.iter().filter(late).count(), 2, "{reports:?}");
    assert_eq!(reports.len(), 6, "{reports:?}");
    assert!(bus.shutdown());
}

#[test]
fn two_hundred_subdevices_are_scanned() {
    let (_, mut segment) = bench(&sizes(), PERIOD_NS);
    // A cable that was loose for a while before.
    segment.advance(1_000);
    assert!(segment.cut(120, false, 10, 1_000_000));
    segment.advance(500_000);
    segment.advance(5_000_000);
    let ring = InProcess::new(segment, Clock::virtual_from(6_000_000));
    let found = scan::scan(ring, scan::Depth::Look).unwrap();
    assert_eq!(found.len(), COUNT);
    for (n, (one, (outputs, inputs))) in found.iter().zip(sizes()).enumerate() {
        assert_eq!((one.position, one.parent), (n, n.checked_sub(1)));
        let bytes = |entries: &[twinstep_config::machine::PdoEntry]| {
            entries.iter().map(|e| usize::from(e.bits)).sum::<usize>() / 8
        };
        assert_eq!(
            (bytes(&one.outputs), bytes(&one.inputs)),
            (outputs, inputs),
            "{n}"
        );
        // Both sides of the loose cable have counted it.
        let lost = match n {
            119 => [0, 1, 0, 0],
            120 => [1, 0, 0, 0],
            _ => [0; 4],
        };
        assert_eq!(one.errors.lost_links, lost, "{n}");
    }
}
