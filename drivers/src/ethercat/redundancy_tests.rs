//! A ring in virtual time: whole, broken everywhere, and mended again.

use super::tests::PERIOD_NS;
use super::*;
use crate::link::in_process::InProcess;
use crate::link::redundant::Redundant;
use crate::segment::Segment;
use crate::segment::testing::bench;
use twinstep_config::fault::{BusFault, Fault, FaultKind};

type Ring = EthercatBus<Redundant<InProcess>>;

const SIZES: [(usize, usize); 6] = [(4, 6), (2, 4), (0, 3), (8, 8), (4, 5), (2, 2)];
/// Cycle of the fault.
const AT: u64 = 100;

fn segment(faults: &[(BusFault, &str)]) -> (Machine, Segment) {
    let (machine, mut segment) = bench(&SIZES, PERIOD_NS);
    segment.make_redundant();
    for (fault, target) in faults {
        let fault = Fault {
            kind: match fault {
                BusFault::Watchdog => FaultKind::FrameLoss { count: 1 },
                fault => FaultKind::Bus(*fault),
            },
            target: (*target).to_owned(),
            at_ns: AT * PERIOD_NS,
            ramp_ns: 0,
        };
        segment.inject(&fault).unwrap();
    }
    (machine, segment)
}

fn up(segment: Segment, machine: &Machine) -> Result<Ring, BringUpError> {
    let ends = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    EthercatBus::bring_up(Redundant::new(ends), machine)
}

/// What a run showed.
#[derive(Default, Debug)]
struct Seen {
    reports: Vec<(u64, News, Option<usize>, Cause, f64)>,
    /// Cycles without all inputs.
    bad: Vec<u64>,
    /// Largest phase error, and SYNC0 pulses that a SubDevice missed or had twice between two frames.
    phase_ns: i64,
    slips: u64,
}

fn run(faults: &[(BusFault, &str)], cycles: u64) -> Seen {
    let (machine, segment) = segment(faults);
    let mut bus = up(segment, &machine).unwrap();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let mut seen = Seen::default();
    let mut pulses: Option<[u8; 6]> = None;
    for number in 0..cycles {
        let clock = bus.clock().clone();
        clock.wait_until_ns(next_ns);
        image.outputs.fill(number as u8);
        image.inputs.fill(0xee);
        let result = bus.exchange(&mut image, &mut || {});
        bus.acyclic(Duration::from_micros(100));
        next_ns += PERIOD_NS;
        if let Some(error) = bus.phase_error_ns() {
            next_ns = next_ns.saturating_add_signed(-error / 8);
            seen.phase_ns = seen.phase_ns.max(error.abs());
        }
        let reports = core::iter::from_fn(|| bus.take_report());
        let told = reports.map(|r| (number, r.news, r.subdevice, r.cause, r.measured));
        seen.reports.extend(told);
        if result.is_err() || image.valid.iter().any(Result::is_err) {
            seen.bad.push(number);
            pulses = None;
            continue;
        }
        // Everybody's inputs are his outputs of the cycle before, the last byte counts his pulses.
        let (mut at, mut now) = (0, [0; 6]);
        for ((outputs, inputs), pulse) in SIZES.into_iter().zip(&mut now) {
            let own = &image.inputs[at..at + inputs];
            if number > 1 && seen.bad.last().is_none_or(|bad| bad + 2 < number) {
                let echoed = outputs.min(inputs - 1);
                assert!(
                    own[..echoed]
                        .iter()
                        .all(|byte| *byte == (number as u8).wrapping_sub(1)),
                    "{number}: {own:?}"
                );
            }
            *pulse = own[inputs - 1];
            at += inputs;
        }
        if let Some(last) = pulses {
            let slipped = last
                .iter()
                .zip(now)
                .filter(|(last, now)| last.wrapping_add(1) != *now);
            seen.slips += slipped.count() as u64;
        }
        pulses = Some(now);
    }
    seen
}

#[test]
fn a_break_anywhere_costs_no_cycle_and_is_named() {
    for (at, target) in ["dev0", "dev1", "dev2", "dev3", "dev4", "dev5", "bus"]
        .into_iter()
        .enumerate()
    {
        let fault = BusFault::Cable {
            for_ns: 5_000 * PERIOD_NS,
        };
        let seen = run(&[(fault, target)], 8_000);
        assert!(seen.bad.is_empty(), "{target}: {seen:?}");
        let place = (at < SIZES.len()).then_some(at);
        let told = |cycle, news| (cycle, news, place, Cause::RingBroken, at as f64);
        let [raised, cleared] = seen.reports[..] else {
            panic!("{target}: {seen:?}")
        };
        // Of an end from which nothing comes any more three frames are waited for, which is two cycles at most.
        let silent = [0, SIZES.len()].contains(&at);
        assert!(
            (AT..=AT + 2 * u64::from(silent)).contains(&raised.0),
            "{target}: {raised:?}"
        );
        assert!(
            (AT + 5_000..=AT + 5_001).contains(&cleared.0),
            "{target}: {cleared:?}"
        );
        assert_eq!(raised, told(raised.0, News::Raised), "{target}");
        assert_eq!(cleared, told(cleared.0, News::Cleared), "{target}");
        // The clocks of the half without the reference follow it all the same.
        assert_eq!(seen.slips, 0, "{target}: {seen:?}");
        // Until it is sure that the first end is silent, the longer way to the reference counts as lateness.
        let way_ns = if at == 0 {
            500 * (SIZES.len() as i64 - 1)
        } else {
            0
        };
        assert!(seen.phase_ns < way_ns + 1_000, "{target}: {seen:?}");
    }
}

#[test]
fn one_without_power_stops_nobody_else() {
    let fault = BusFault::Power {
        for_ns: 200 * PERIOD_NS,
    };
    let seen = run(&[(fault, "dev3")], 2_000);
    let (first, last) = (seen.bad.first().unwrap(), seen.bad.last().unwrap());
    assert!(*first == AT && *last < AT + 400, "{first} {last}");
    let causes: Vec<_> = seen.reports.iter().map(|r| (r.1, r.2, r.3)).collect();
    assert_eq!(
        causes,
        [
            (News::Raised, Some(3), Cause::NoAnswer),
            (News::Cleared, Some(3), Cause::NoAnswer)
        ]
    );
}

#[test]
fn a_lost_frame_is_no_break() {
    let seen = run(&[(BusFault::Watchdog, "bus")], 600);
    assert_eq!(seen.bad, [AT]);
    assert!(seen.reports.is_empty(), "{seen:?}");
}

#[test]
fn a_start_with_a_broken_ring_names_the_break() {
    let segment = |faults: &[_]| {
        let (machine, mut segment) = segment(faults);
        // A cable that breaks is broken for the frame after.
        segment.advance(999_000_000);
        (machine, segment)
    };
    let (machine, mut broken) = segment(&[]);
    assert!(broken.cut(2, false, 0, u64::MAX / 2));
    let error = up(broken, &machine).err().unwrap();
    let BringUpError::Ring { before, behind } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (before.as_deref(), behind.as_deref()),
        (Some("dev1"), Some("dev2"))
    );
    let (machine, mut broken) = segment(&[]);
    assert!(broken.cut(0, false, 0, u64::MAX / 2));
    let error = up(broken, &machine).err().unwrap();
    assert!(
        error
            .to_string()
            .contains("between the first interface and 'dev0'"),
        "{error}"
    );
    // The redundant cable itself may be missing.
    let (machine, mut broken) = segment(&[]);
    assert!(broken.cut(SIZES.len(), false, 0, u64::MAX / 2));
    assert!(up(broken, &machine).is_ok());
}
