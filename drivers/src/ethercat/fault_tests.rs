//! Faults of the bus while it cycles in OP, and during bring-up: what is reported, and how soon all is well again.

use super::tests::{PERIOD_NS, cycle, link, sizes};
use super::*;
use crate::segment::Segment;
use crate::segment::testing::bench;
use twinstep_config::fault::{BusFault, Fault, FaultKind};

fn inject(segment: &mut Segment, fault: BusFault, target: &str, at_cycle: u64) {
    let fault = Fault {
        kind: FaultKind::Bus(fault),
        target: target.to_owned(),
        at_ns: at_cycle * PERIOD_NS,
        ramp_ns: 0,
    };
    segment.inject(&fault).unwrap();
}

/// A report: news, SubDevice, cause, figure.
type Told = (News, Option<usize>, Cause, f64);

/// Reports by kind, and the cycles from the fault until all inputs of a cycle were right for good.
fn seen(faults: &[(BusFault, &str)], cycles: u64) -> (Vec<Told>, u64) {
    const AT: u64 = 100;
    let (machine, mut segment) = bench(&sizes(), PERIOD_NS);
    for (fault, target) in faults {
        inject(&mut segment, *fault, target, AT);
    }
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let mut bad = AT;
    let mut reports = Vec::new();
    for number in 0..cycles {
        image.outputs.fill(number as u8);
        image.inputs.fill(0xaa);
        let result = cycle(&mut bus, &mut image, &mut next_ns);
        let all = result.is_ok() && image.valid.iter().all(Result::is_ok);
        assert!(all || number >= AT, "cycle {number}: {result:?}");
        if !all {
            bad = number + 1;
        }
        // Inputs never come from a datagram that not all took part in.
        for (n, range) in [(0, 0..12), (1, 12..18), (2, 18..21)] {
            if matches!(
                image.valid[n],
                Err(Missing::NoFrame | Missing::WorkingCounter)
            ) {
                assert!(image.inputs[range].iter().all(|byte| *byte == 0xaa));
            }
        }
        let new = core::iter::from_fn(|| bus.take_report());
        reports.extend(new.map(|r| (r.news, r.subdevice, r.cause, r.measured)));
    }
    (reports, bad - AT)
}

#[test]
fn frames_that_go_wrong_are_named_for_what_they_are() {
    use News::{Cleared, Raised};
    let late = |by_ns, count| BusFault::FrameLate { by_ns, count };
    // A late answer takes with it the question who is where, asked outside of the cycle.
    let (reports, bad) = seen(&[(late(900_000, 3), "bus")], 400);
    assert!((1..=3).contains(&bad), "{bad}");
    // The first come in the middle of the next cycle.
    assert_eq!(
        reports,
        [
            (Raised, None, Cause::FramesLate, 2.0),
            (Cleared, None, Cause::FramesLate, 3.0)
        ]
    );
    let (reports, bad) = seen(&[(BusFault::FrameDuplicate { count: 3 }, "bus")], 400);
    assert_eq!(bad, 0);
    assert_eq!(
        (reports[0].0, reports[0].2),
        (Raised, Cause::FramesDuplicated)
    );
    assert_eq!(reports[1], (Cleared, None, Cause::FramesDuplicated, 3.0));
    let (reports, bad) = seen(&[(BusFault::FrameForeign { count: 2 }, "bus")], 400);
    assert_eq!(bad, 0);
    assert_eq!(reports[1], (Cleared, None, Cause::FramesForeign, 2.0));
    let (reports, bad) = seen(&[(BusFault::FrameTruncate { count: 2 }, "bus")], 400);
    assert!((1..=2).contains(&bad), "{bad}");
    assert_eq!(reports[0].2, Cause::FramesForeign);
}

#[test]
fn damaged_frames_are_traced_to_a_cable() {
    let (reports, bad) = seen(&[(BusFault::FrameCorrupt { count: 3 }, "dev1")], 400);
    assert!((1..=3).contains(&bad), "{bad}");
    assert_eq!(
        reports,
        [
            (News::Raised, Some(1), Cause::FramesDamaged, 3.0),
            (News::Cleared, Some(1), Cause::FramesDamaged, 0.0)
        ]
    );
}

#[test]
fn who_does_not_process_its_datagram_is_found() {
    for (n, name) in ["dev0", "dev1", "dev2"].into_iter().enumerate() {
        let (reports, bad) = seen(&[(BusFault::WorkingCounter { count: 20 }, name)], 400);
        assert!((1..=20).contains(&bad), "{bad}");
        assert_eq!(
            reports,
            [
                (News::Raised, Some(n), Cause::WorkingCounter, 0.0),
                (News::Cleared, Some(n), Cause::WorkingCounter, 0.0)
            ]
        );
    }
}

#[test]
fn a_break_is_placed_and_told_from_a_loss_of_power() {
    use News::{Cleared, Raised, Updated};
    let for_ns = 200 * PERIOD_NS;
    let (reports, bad) = seen(&[(BusFault::Cable { for_ns }, "dev1")], 1500);
    assert!((200..400).contains(&bad), "{bad}");
    assert_eq!(
        reports,
        [
            (Raised, Some(1), Cause::LineBroken, 2.0),
            (Updated, Some(1), Cause::LinkLost, 1.0),
            (Cleared, Some(1), Cause::CableBroken, 0.0)
        ]
    );
    let (reports, bad) = seen(&[(BusFault::Power { for_ns }, "dev1")], 1500);
    assert!((200..600).contains(&bad), "{bad}");
    assert_eq!(
        reports,
        [
            (Raised, Some(1), Cause::LineBroken, 2.0),
            (Updated, Some(1), Cause::LinkLost, 1.0),
            (Updated, Some(1), Cause::PowerLost, 0.0),
            (Cleared, Some(1), Cause::PowerLost, 0.0)
        ]
    );
}

#[test]
fn states_that_are_left_and_refused_are_named_with_their_code() {
    use News::{Cleared, Raised, Updated};
    let refuse = |state, count| BusFault::AlRefuse {
        state,
        code: 0x1a,
        count,
    };
    let (reports, bad) = seen(&[(refuse(8, 2), "dev1")], 400);
    assert!((3..60).contains(&bad), "{bad}");
    let al = |news| (news, Some(1), Cause::AlError, f64::from(0x1a));
    assert_eq!(reports, [al(Raised), al(Cleared)]);
    // It never comes back, and the others go on.
    let (reports, _) = seen(&[(refuse(8, 1_000_000), "dev1")], 400);
    let refused = (Updated, Some(1), Cause::Refused, f64::from(0x1a));
    assert_eq!(reports, [al(Raised), refused]);
    let (reports, _) = seen(&[(refuse(4, 1_000_000), "dev1")], 1500);
    assert_eq!(reports, [al(Raised), refused]);
    let (reports, bad) = seen(&[(BusFault::Watchdog, "dev0")], 400);
    assert!((1..60).contains(&bad), "{bad}");
    let watchdog = |news| (news, Some(0), Cause::AlError, f64::from(0x1b));
    assert_eq!(reports, [watchdog(Raised), watchdog(Cleared)]);
}

#[test]
fn an_eeprom_that_cannot_be_read_is_the_named_end() {
    let for_ns = 100 * PERIOD_NS;
    let faults = [
        (BusFault::EepromChecksum, "dev2"),
        (BusFault::Power { for_ns }, "dev2"),
    ];
    let (reports, _) = seen(&faults, 1500);
    let eeprom = (News::Raised, Some(2), Cause::EepromUnreadable, 0.0);
    assert!(reports.contains(&eeprom), "{reports:?}");
    assert!(
        reports.iter().all(|report| report.0 != News::Cleared),
        "{reports:?}"
    );
    let (machine, mut segment) = bench(&sizes(), PERIOD_NS);
    inject(&mut segment, BusFault::EepromChecksum, "dev2", 0);
    let error = EthercatBus::bring_up(link(segment), &machine)
        .err()
        .unwrap();
    assert!(
        matches!(error, BringUpError::Eeprom { position: 2, .. }),
        "{error}"
    );
}

#[test]
fn clocks_that_jump_are_named_and_come_back() {
    for (n, name) in [(1, "dev1"), (0, "dev0")] {
        let (reports, bad) = seen(&[(BusFault::ClockJump { step_ns: 20_000 }, name)], 3000);
        let (news, subdevice, cause, off_s) = reports[0];
        assert_eq!(
            (news, subdevice, cause),
            (News::Raised, Some(n), Cause::ClockOff),
            "{reports:?}"
        );
        assert!((off_s - 20e-6).abs() < 2e-6, "{off_s}");
        assert_eq!(
            reports[1..],
            [(News::Cleared, Some(n), Cause::ClockOff, 0.0)]
        );
        assert!(bad <= 2, "{bad}");
    }
}

#[test]
fn emergencies_are_read_in_op() {
    let (reports, bad) = seen(&[(BusFault::Emergency { code: 0x8130 }, "dev1")], 300);
    assert_eq!(bad, 0);
    let emergency = (News::Raised, Some(1), Cause::Emergency, f64::from(0x8130));
    assert_eq!(reports, [emergency]);
}

#[test]
fn bring_up_survives_what_mailboxes_do() {
    let cell = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let up = |fault, target: &str| {
        let mut segment = Segment::new(&cell, 1, 1).unwrap();
        inject(&mut segment, fault, target, 0);
        EthercatBus::bring_up(link(segment), &cell)
    };
    for target in ["infeed", "gripper", "press"] {
        let mut bus = up(BusFault::Emergency { code: 0x2310 }, target).unwrap();
        let report = bus.take_report().unwrap();
        assert_eq!(
            (report.cause, report.measured),
            (Cause::Emergency, f64::from(0x2310))
        );
        assert_eq!(bus.name(report.subdevice.unwrap()), target);
        // Nothing of what was read behind it is missing.
        let drive = target != "gripper";
        let scaling = bus.scaling(report.subdevice.unwrap());
        assert_eq!(scaling.is_some_and(|s| s.rated_current_ma.is_some()), drive);
        assert!(
            up(
                BusFault::MailboxLate {
                    by_ns: 50_000_000,
                    count: 3
                },
                target
            )
            .is_ok()
        );
        assert!(
            up(
                BusFault::MailboxBusy {
                    for_ns: 100_000_000
                },
                target
            )
            .is_ok()
        );
        // Aborts and a mailbox that never answers end with an error that says whose, and at what.
        let abort = BusFault::SdoAbort {
            code: 0x0800_0022,
            count: 100,
        };
        let error = up(abort, target).err().unwrap();
        let text = error.to_string();
        assert!(
            matches!(&error, BringUpError::SdoAborted { name, code: 0x0800_0022, .. } if name == target),
            "{text}"
        );
        assert!(
            text.contains("cannot be stored in its present state"),
            "{text}"
        );
        let busy = BusFault::MailboxBusy {
            for_ns: 3_600_000_000_000,
        };
        let error = up(busy, target).err().unwrap();
        assert!(
            matches!(&error, BringUpError::MailboxSilent { name, .. } if name == target),
            "{error}"
        );
    }
}

#[test]
fn one_without_inputs_that_does_not_process_its_datagram_is_found() {
    let (machine, mut segment) = bench(&[(4, 6), (3, 0), (2, 0), (4, 5)], PERIOD_NS);
    inject(
        &mut segment,
        BusFault::WorkingCounter { count: 20 },
        "dev2",
        100,
    );
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let mut reports = Vec::new();
    for number in 0..400_u64 {
        image.outputs.fill(number as u8);
        let _ = cycle(&mut bus, &mut image, &mut next_ns);
        reports.extend(core::iter::from_fn(|| bus.take_report()));
    }
    let told: Vec<_> = reports
        .iter()
        .map(|r| (r.news, r.subdevice, r.cause))
        .collect();
    let culprit = |news| (news, Some(2), Cause::WorkingCounter);
    assert_eq!(told, [culprit(News::Raised), culprit(News::Cleared)]);
}
