//! ethercrab and the simulated segment, from INIT to OP and through faults, in virtual time.

use super::exchange::phase_error_ns;
use super::*;
use crate::bus::BusCause;
use crate::link::LinkError;
use crate::link::fault::{FaultyLink, Mischief};
use crate::link::in_process::InProcess;
use crate::segment::application::AlState;
use crate::segment::testing::{bench, bench_of, terminal};
use crate::segment::{Description, Segment};
use twinstep_config::machine::SiiFile;

pub(super) const PERIOD_NS: u64 = 1_000_000;
pub(super) type Faulty = FaultyLink<InProcess>;

/// Two SubDevices that return their outputs, one with inputs only.
pub(super) fn sizes() -> [(usize, usize); 3] {
    [(8, 12), (4, 6), (0, 3)]
}

pub(super) fn link(segment: Segment) -> Faulty {
    FaultyLink::new(InProcess::new(segment, Clock::virtual_from(1_000_000_000)))
}

pub(super) fn up() -> EthercatBus<Faulty> {
    let (machine, segment) = bench(&sizes(), PERIOD_NS);
    EthercatBus::bring_up(link(segment), &machine).unwrap()
}

/// One cycle as the host runs it, steering by the phase error.
pub(super) fn cycle(
    bus: &mut EthercatBus<Faulty>,
    image: &mut ProcessImage,
    next_ns: &mut u64,
) -> Result<CycleStamp, BusFault> {
    let clock = bus.clock().clone();
    clock.wait_until_ns(*next_ns);
    let result = bus.exchange(image, &mut || {});
    bus.acyclic(Duration::from_micros(100));
    *next_ns += PERIOD_NS;
    if let Some(error) = bus.phase_error_ns() {
        *next_ns = next_ns.saturating_add_signed(-error / 8);
    }
    result
}

#[test]
fn reaches_op_and_exchanges_process_data() {
    let mut bus = up();
    let mut image = bus.new_image();
    assert_eq!((image.outputs.len(), image.inputs.len()), (12, 21));
    let mut next_ns = bus.next_cycle_ns();
    let mut last_pulse = None;
    for number in 0..200_u64 {
        image.outputs.fill(number as u8);
        let stamp = cycle(&mut bus, &mut image, &mut next_ns).unwrap();
        assert_eq!((stamp.cycle, stamp.time_ns), (number, number * PERIOD_NS));
        assert!(image.valid.iter().all(Result::is_ok));
        // Outputs of one frame act at the next SYNC0 and are in the frame after it.
        if number > 1 {
            assert_eq!(image.inputs[..8], [number as u8 - 1; 8]);
            assert_eq!(image.inputs[12..16], [number as u8 - 1; 4]);
        }
        // Exactly one SYNC0 between two frames, for every SubDevice.
        let pulses = [image.inputs[11], image.inputs[17], image.inputs[20]];
        if let Some(last) = last_pulse.replace(pulses) {
            let last: [u8; 3] = last;
            assert_eq!(pulses, last.map(|count| count.wrapping_add(1)));
        }
        let error = bus.phase_error_ns().unwrap();
        assert!(error.abs() < 2_000, "phase error {error}");
    }
    assert_eq!(bus.counters(), BusCounters::default());
    assert!(bus.shutdown());
    assert_eq!(bus.take_report(), None);
}

#[test]
fn follows_a_reference_clock_that_runs_at_its_own_rate() {
    let (machine, mut segment) = bench(&sizes(), PERIOD_NS);
    segment.set_clock_drift_ppb(40_000);
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let mut pulse = None;
    for _ in 0..50_000 {
        cycle(&mut bus, &mut image, &mut next_ns).unwrap();
        let now = image.inputs[11];
        assert!(pulse.is_none_or(|before: u8| before.wrapping_add(1) == now));
        pulse = Some(now);
        assert!(bus.phase_error_ns().unwrap().abs() < 2_000);
    }
}

#[test]
fn bad_frames_are_counted_and_the_cycle_goes_on() {
    let mut bus = up();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let length = bus.plan.frames[0].len();
    let cases = [
        Mischief::Lose,
        Mischief::Delay(900_000),
        Mischief::Duplicate,
        Mischief::Truncate(length - 1),
        Mischief::Truncate(3),
        Mischief::Foreign,
        Mischief::Corrupt(1),
    ];
    for mischief in cases {
        for _ in 0..3 {
            cycle(&mut bus, &mut image, &mut next_ns).unwrap();
        }
        let before = bus.counters();
        image.inputs.fill(0xaa);
        bus.link_mut().plan(0, mischief);
        let result = cycle(&mut bus, &mut image, &mut next_ns);
        let seen = image.clone();
        for _ in 0..3 {
            cycle(&mut bus, &mut image, &mut next_ns).unwrap();
        }
        let after = bus.counters();
        let counted = (
            after.lost - before.lost,
            after.late - before.late,
            after.duplicate - before.duplicate,
            after.foreign - before.foreign,
            after.working_counter_errors - before.working_counter_errors,
        );
        let (expected, cause) = match mischief {
            Mischief::Lose => ((1, 0, 0, 0, 0), Some(Missing::NoFrame)),
            Mischief::Delay(_) => ((0, 1, 0, 0, 0), Some(Missing::NoFrame)),
            Mischief::Duplicate => ((0, 0, 1, 0, 0), None),
            Mischief::Truncate(_) => ((1, 0, 0, 1, 0), Some(Missing::NoFrame)),
            Mischief::Foreign => ((0, 0, 0, 1, 0), None),
            Mischief::Corrupt(_) => ((0, 0, 0, 0, 1), Some(Missing::WorkingCounter)),
        };
        assert_eq!(counted, expected, "{mischief:?}");
        match cause {
            None => assert!(result.is_ok(), "{mischief:?}"),
            Some(why) => {
                let fault = result.unwrap_err();
                assert_eq!(fault.stamp.time_ns, fault.stamp.cycle * PERIOD_NS);
                assert!(
                    seen.valid.iter().all(|valid| *valid == Err(why)),
                    "{mischief:?}"
                );
                assert!(seen.inputs.iter().all(|&byte| byte == 0xaa), "{mischief:?}");
            }
        }
    }
}

#[test]
fn a_wrong_working_counter_names_what_was_expected() {
    let mut bus = up();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    bus.link_mut().plan(0, Mischief::Corrupt(2));
    let fault = cycle(&mut bus, &mut image, &mut next_ns).unwrap_err();
    let BusCause::WorkingCounter { expected, actual } = fault.cause else {
        panic!("{fault:?}");
    };
    assert_eq!((expected, actual), (3 + 3 + 1, 7 ^ 0xff));
}

#[test]
fn a_refused_state_is_reported_in_words() {
    for (state, code, words) in [
        (AlState::PreOp, 0x0016, "mailbox"),
        (AlState::SafeOp, 0x001e, "SyncManager 3"),
        (AlState::Op, 0x0032, "PLL"),
    ] {
        let (machine, mut segment) = bench(&sizes(), PERIOD_NS);
        segment.refuse(1, state, code);
        let Err(error) = EthercatBus::bring_up(link(segment), &machine) else {
            panic!("{state:?} was not refused");
        };
        let text = error.to_string();
        assert!(text.contains("'dev1'") && text.contains(words), "{text}");
        assert!(text.contains(&format!("0x{code:04x}")), "{text}");
    }
}

#[test]
fn a_subdevice_known_by_its_image_is_in_op_and_nobodys() {
    let of = |name: &str| Description::for_test(name, 8, 12);
    let all = vec![of("first"), terminal(), of("drive"), of("last")];
    let eeproms: Vec<_> = all.iter().map(|one| one.eeprom.clone()).collect();
    let (mut machine, segment) = bench_of(all, PERIOD_NS);
    let subdevices = &mut machine.bus.as_mut().unwrap().subdevices;
    for at in [1, 2] {
        let (path, bytes) = (String::new(), eeproms[at].clone());
        subdevices[at].sii = Some(SiiFile { path, bytes });
        subdevices[at].outputs.clear();
        subdevices[at].inputs.clear();
    }
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    let mut image = bus.new_image();
    assert_eq!((image.outputs.len(), image.inputs.len()), (16, 24));
    let mut next_ns = bus.next_cycle_ns();
    for number in 0..20 {
        image.outputs.fill(number);
        cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    }
    // The outputs of two frames before, the last byte counts pulses.
    assert_eq!(image.inputs[..8], [18; 8]);
    assert_eq!(image.inputs[12..20], [18; 8]);
}

#[test]
fn another_machine_on_the_bus_is_named() {
    let (mut machine, segment) = bench(&sizes(), PERIOD_NS);
    let bus = machine.bus.as_mut().unwrap();
    bus.subdevices[2].product_code = 0x77;
    let error = EthercatBus::bring_up(link(segment), &machine)
        .err()
        .unwrap();
    assert!(
        matches!(error, BringUpError::Identity { position: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("'dev2'"), "{error}");

    let (_, segment) = bench(&sizes()[..2], PERIOD_NS);
    let error = EthercatBus::bring_up(link(segment), &machine)
        .err()
        .unwrap();
    assert!(error.to_string().contains("before 'dev2'"), "{error}");

    let (mut machine, segment) = bench(&sizes(), PERIOD_NS);
    machine.bus.as_mut().unwrap().subdevices[0].inputs.pop();
    let error = EthercatBus::bring_up(link(segment), &machine)
        .err()
        .unwrap();
    let BringUpError::ProcessData {
        expected: 11,
        found: 12,
        ..
    } = error
    else {
        panic!("{error}");
    };

    let (machine, _) = bench(&sizes(), PERIOD_NS);
    let (_, empty) = bench(&[], PERIOD_NS);
    let error = EthercatBus::bring_up(link(empty), &machine).err().unwrap();
    assert!(matches!(error, BringUpError::NoAnswer), "{error}");
}

#[test]
fn a_watchdog_is_reported_and_the_subdevice_comes_back() {
    let mut bus = up();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    for _ in 0..5 {
        cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    }
    // 150 ms without a frame: the SyncManager watchdogs of the two with outputs bite after 100 ms.
    next_ns += 150 * PERIOD_NS;
    cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    assert!(
        image
            .valid
            .iter()
            .all(|valid| *valid == Err(Missing::NotOperational))
    );
    let reports = |bus: &mut EthercatBus<Faulty>| -> Vec<_> {
        core::iter::from_fn(|| bus.take_report())
            .map(|r| (r.news, r.subdevice, r.cause, r.measured))
            .collect()
    };
    let watchdog = |news, n| (news, Some(n), Cause::AlError, f64::from(0x1b));
    assert_eq!(
        reports(&mut bus),
        [watchdog(News::Raised, 0), watchdog(News::Raised, 1)]
    );
    cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    // The one without outputs stayed in OP and is believed as soon as all were asked.
    assert_eq!(image.valid[2], Ok(()));
    for _ in 0..20 {
        cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    }
    assert!(image.valid.iter().all(Result::is_ok), "{:?}", image.valid);
    assert_eq!(
        reports(&mut bus),
        [watchdog(News::Cleared, 0), watchdog(News::Cleared, 1)]
    );
}

#[test]
fn frames_are_lost_where_the_fault_says_so() {
    let (machine, mut segment) = bench(&sizes(), PERIOD_NS);
    segment
        .inject(&twinstep_config::fault::Fault {
            kind: twinstep_config::fault::FaultKind::FrameLoss { count: 3 },
            target: "bus".to_owned(),
            at_ns: 10 * PERIOD_NS,
            ramp_ns: 0,
        })
        .unwrap();
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let mut lost = Vec::new();
    for number in 0..30 {
        let clock = bus.clock().clone();
        clock.wait_until_ns(next_ns);
        next_ns += PERIOD_NS;
        if bus.exchange(&mut image, &mut || {}).is_err() {
            lost.push(number);
        }
    }
    assert_eq!(lost, [10, 11, 12]);
    assert_eq!(bus.counters().lost, 3);
}

#[test]
fn a_large_image_takes_several_frames() {
    let sizes = [(60, 60); 40];
    let (machine, segment) = bench(&sizes, PERIOD_NS);
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    assert_eq!(bus.plan.frames.len(), 4);
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    for number in 0..10 {
        image.outputs.fill(number);
        cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    }
    assert!(image.valid.iter().all(Result::is_ok));
    assert_eq!(image.inputs[..8], [8; 8]);
    // One lost frame of four takes only its own SubDevices away.
    bus.link_mut().plan(1, Mischief::Lose);
    cycle(&mut bus, &mut image, &mut next_ns).unwrap_err();
    let missing = image.valid.iter().filter(|valid| valid.is_err()).count();
    assert!(missing > 0 && missing < 40, "{missing}");
}

#[test]
fn a_broken_link_is_an_error_and_not_a_panic() {
    struct Broken(Clock);
    impl Link for Broken {
        fn send(&mut self, _: &[u8]) -> Result<(), LinkError> {
            Err(LinkError::TooLong(9_999))
        }
        fn receive(&mut self, _: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
            self.0.wait_until_ns(deadline_ns);
            Ok(None)
        }
        fn clock(&self) -> &Clock {
            &self.0
        }
    }
    let (machine, _) = bench(&sizes(), PERIOD_NS);
    let error = EthercatBus::bring_up(Broken(Clock::virtual_from(0)), &machine)
        .err()
        .unwrap();
    assert!(
        matches!(error, BringUpError::Link(LinkError::TooLong(9_999))),
        "{error}"
    );
}

#[test]
fn phase_error_is_centred() {
    assert_eq!(phase_error_ns(10_250_010, 1_000_000, 250_000), 10);
    assert_eq!(phase_error_ns(10_249_990, 1_000_000, 250_000), -10);
    assert_eq!(phase_error_ns(10_750_000, 1_000_000, 250_000), 500_000);
}

#[test]
fn the_press_cell_reaches_op() {
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    for _ in 0..1_000 {
        cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    }
    assert!(image.valid.iter().all(Result::is_ok));
    assert_eq!(bus.counters(), BusCounters::default());
    // Drives answer the scaling objects that the configuration is checked against.
    for (at, subdevice) in machine
        .bus
        .iter()
        .flat_map(|bus| &bus.subdevices)
        .enumerate()
    {
        let is_drive = subdevice.outputs.iter().any(|entry| entry.index == 0x6040);
        assert_eq!(
            bus.scaling(at)
                .is_some_and(|s| s.rated_current_ma.is_some()),
            is_drive
        );
    }
}

#[test]
fn the_largest_segment_is_brought_up_on_a_small_stack() {
    let sizes = [(8, 8); twinstep_config::machine::MAX_SUBDEVICES];
    let (machine, segment) = bench(&sizes, 2 * PERIOD_NS);
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let spawned = thread.spawn(move || {
        let mut bus = EthercatBus::bring_up(link(segment), &machine).unwrap();
        let mut image = bus.new_image();
        bus.exchange(&mut image, &mut || {}).unwrap();
        assert!(image.valid.iter().all(Result::is_ok));
        assert!(wire::wire_time_ns(&machine) < 2 * PERIOD_NS);
    });
    spawned.unwrap().join().unwrap();
}

#[test]
fn a_bus_moves_to_its_cycle_thread() {
    fn is_send<T: Send>() {}
    is_send::<EthercatBus<InProcess>>();
    is_send::<EthercatBus<Box<dyn Link + Send>>>();
    is_send::<EthercatBus<crate::link::raw_socket::RawSocket>>();
}
