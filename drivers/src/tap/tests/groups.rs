//! Masters that exchange the process data in several parts, some of them less often.

use super::super::TapBus;
use super::super::apart::apart;
use super::super::layout::Layout;
use super::super::learn::Learner;
use super::super::mismatch::Mismatch;
use super::super::report::report;
use super::super::rhythm::{Groups, Member};
use super::super::source::TapError;
use super::{PERIOD_NS, Script, sizes};
use crate::bus::{Bus, BusCause, ProcessImage};
use crate::clock::Clock;
use crate::ethercat::EthercatBus;
use crate::ethercat::frame::{DATAGRAM_HEADER, HEADERS, new, push_datagram};
use crate::ethercat::plan::Direction;
use crate::frame::{Datagram, command as c};
use crate::link::Link;
use crate::link::in_process::InProcess;
use crate::link::pcap::PcapLink;
use crate::segment::testing::bench;
use twinstep_config::machine::{Machine, Tap};
use twinstep_models::sample::Missing;

/// A datagram of a master, and in which cycles it goes.
#[derive(Clone, Copy)]
struct Part {
    command: u8,
    logical: u32,
    length: usize,
    every: u64,
    /// After the start of the cycle (ns).
    at_ns: u64,
}

/// Another master on our segment: its frames from the start-up on, and where its cycles begin among them.
struct Other {
    machine: Machine,
    script: Script,
    /// Number of frames before the exchange in parts.
    started: usize,
}

/// Takes the segment to OP and then exchanges `parts` of the image for `cycles`.
fn master(name: &str, cycles: u64, parts: impl Fn(u32) -> Vec<Part>) -> Other {
    let path =
        std::env::temp_dir().join(format!("twinstep-tap-{}-{name}.pcap", std::process::id()));
    let (mut machine, segment) = bench(&sizes(), PERIOD_NS);
    let link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let mut bus = EthercatBus::bring_up(PcapLink::create(link, &path).unwrap(), &machine).unwrap();
    bus.link_mut().finish().unwrap();
    let script = Script::of(&path);
    let started = script.0.len();
    let map = report(&mut script.clone()).unwrap().map;
    let logical = map.pieces.iter().map(|piece| piece.logical_bit / 8);
    let parts = parts(logical.min().unwrap() as u32);
    let (clock, start_ns) = (bus.clock().clone(), bus.next_cycle_ns());
    let link = bus.link_mut();
    let mut buffer = [0; 1514];
    for cycle in 0..cycles {
        let mut due: Vec<&Part> = parts
            .iter()
            .filter(|part| cycle % part.every == 0)
            .collect();
        due.sort_by_key(|part| part.at_ns);
        for part in due {
            clock.wait_until_ns(start_ns + cycle * PERIOD_NS + part.at_ns);
            let mut frame = new();
            let [a, b, c, d] = part.logical.to_le_bytes();
            let position = u16::from_le_bytes([a, b]);
            push_datagram(
                &mut frame,
                part.command,
                position,
                u16::from_le_bytes([c, d]),
                part.length,
            );
            // Masters number their datagrams.
            frame[HEADERS + 1] = cycle as u8;
            let data = HEADERS + DATAGRAM_HEADER;
            if part.command != c::LRD {
                for at in 0..part.length {
                    frame[data + at] = (cycle as u8).wrapping_mul(3).wrapping_add(at as u8) | 1;
                }
            }
            link.send(&frame).unwrap();
            let deadline_ns = clock.now_ns() + PERIOD_NS / 2;
            link.receive(&mut buffer, deadline_ns).unwrap().unwrap();
        }
    }
    link.finish().unwrap();
    let mut script = Script::of(&path);
    for (frame, _) in &mut script.0[..started] {
        leave_process_data_out(frame);
    }
    std::fs::remove_file(&path).unwrap();
    machine.bus.as_mut().unwrap().tap = Some(Tap::default());
    Other {
        machine,
        script,
        started,
    }
}

/// While this master starts it exchanges none: its own datagrams become such that do nothing.
fn leave_process_data_out(frame: &mut [u8]) {
    let mut at = HEADERS;
    while let Some(datagram) = Datagram::parse(frame, at) {
        if datagram.command == c::LRW {
            frame[at] = 0;
        }
        if !datagram.more {
            return;
        }
        at = datagram.end();
    }
}

impl Other {
    fn ready(&self, script: Script) -> (TapBus<Script>, ProcessImage) {
        let mut bus = TapBus::new(script, &self.machine).unwrap();
        assert!(bus.ready().unwrap_or_else(|error| panic!("{error}")));
        let image = crate::object_map::Layout::new(&self.machine)
            .unwrap()
            .image();
        (bus, image)
    }

    fn late(&self) -> Script {
        let mut script = self.script.clone();
        script.0.drain(..self.started);
        script
    }

    /// Data of the returned frames of `command`, in order.
    fn data(&self, command: u8, logical: u32) -> Vec<Vec<u8>> {
        let frames = self.script.0[self.started..].iter();
        let mine = frames.filter(|(frame, _)| {
            let datagram = &frame[HEADERS..HEADERS + DATAGRAM_HEADER];
            frame[6] & 2 != 0
                && datagram[0] == command
                && u32::from_le_bytes(datagram[2..6].try_into().unwrap()) == logical
        });
        mine.map(|(frame, _)| {
            let length = usize::from(frame[HEADERS + 6]);
            frame[HEADERS + DATAGRAM_HEADER..][..length].to_vec()
        })
        .collect()
    }
}

/// Inputs and outputs of all three: 21 and 12 bytes, inputs first.
const INPUTS: usize = 21;
const OUTPUTS: usize = 12;

fn part(command: u8, logical: u32, length: usize) -> Part {
    Part {
        command,
        logical,
        length,
        every: 1,
        at_ns: 0,
    }
}

#[test]
fn reads_and_writes_in_frames_of_their_own_are_one_cycle() {
    let other = master("apart", 60, |logical| {
        vec![
            part(c::LWR, logical + INPUTS as u32, OUTPUTS),
            Part {
                at_ns: 20_000,
                ..part(c::LRD, logical, INPUTS)
            },
        ]
    });
    let logical = other.machine_logical();
    let inputs = other.data(c::LRD, logical);
    let outputs = other.data(c::LWR, logical + INPUTS as u32);
    for script in [other.script.clone(), other.late()] {
        let (mut bus, mut image) = other.ready(script);
        let mut heard = Vec::new();
        while bus.exchange(&mut image, &mut || {}).is_ok() {
            assert!(image.valid.iter().all(Result::is_ok));
            heard.push((image.inputs.clone(), image.outputs.clone()));
        }
        assert!(heard.len() > 40, "{}", heard.len());
        let sent = inputs.iter().cloned().zip(outputs.iter().cloned());
        let sent: Vec<_> = sent.skip(60 - heard.len()).collect();
        assert_eq!(heard, sent);
        assert_eq!(bus.counters(), Default::default());
    }
}

impl Other {
    fn machine_logical(&self) -> u32 {
        let map = report(&mut self.script.clone()).unwrap().map;
        let logical = map.pieces.iter().map(|piece| piece.logical_bit / 8);
        logical.min().unwrap() as u32
    }

    /// Two groups: the first two SubDevices every cycle, the third every fourth.
    fn of_two_groups(name: &str, at_ns: u64) -> Self {
        master(name, 120, |logical| {
            vec![
                part(c::LRD, logical, 18),
                part(c::LWR, logical + INPUTS as u32, OUTPUTS),
                Part {
                    every: 4,
                    at_ns,
                    ..part(c::LRD, logical + 18, 3)
                },
            ]
        })
    }
}

#[test]
fn a_slower_group_stands_beside_the_cycle() {
    // In the same burst, and in the middle of the cycle.
    for (name, at_ns) in [("burst", 0), ("middle", 500_000)] {
        let other = Other::of_two_groups(name, at_ns);
        let logical = other.machine_logical();
        let fast = other.data(c::LRD, logical);
        let slow = other.data(c::LRD, logical + 18);
        for script in [other.script.clone(), other.late()] {
            let (mut bus, mut image) = other.ready(script);
            let mut heard = Vec::new();
            while bus.exchange(&mut image, &mut || {}).is_ok() {
                heard.push((image.inputs.clone(), image.valid.clone()));
            }
            let first = 120 - heard.len();
            assert!(first < 40, "{first}");
            for (cycle, (inputs, valid)) in (first..).zip(&heard) {
                assert_eq!(inputs[..18], fast[cycle], "{name} {cycle}");
                let third = &inputs[18..];
                // The one of this cycle may come after the cycle was told.
                let youngest = [cycle / 4, (cycle / 4).saturating_sub(1)];
                if valid[2].is_ok() {
                    let told = youngest.iter().any(|at| slow[*at] == *third);
                    assert!(told, "{name} {cycle}");
                }
                let expected = cycle > first + 4;
                assert!(
                    !expected || valid.iter().all(Result::is_ok),
                    "{cycle}: {valid:?}"
                );
            }
            assert_eq!(bus.counters(), Default::default());
        }
    }
}

#[test]
fn a_machine_with_the_slower_period_thins_the_faster_group_out() {
    let mut other = Other::of_two_groups("thin", 0);
    other.machine.cycle.period_ns = 4 * PERIOD_NS;
    let logical = other.machine_logical();
    let fast = other.data(c::LRD, logical);
    let slow = other.data(c::LRD, logical + 18);
    let (mut bus, mut image) = other.ready(other.script.clone());
    let mut heard = Vec::new();
    while let Ok(stamp) = bus.exchange(&mut image, &mut || {}) {
        assert_eq!(stamp.time_ns, heard.len() as u64 * 4 * PERIOD_NS);
        heard.push(image.inputs.clone());
    }
    let first = 30 - heard.len();
    assert!(first < 15, "{first}");
    for (cycle, inputs) in (first..).zip(&heard) {
        assert_eq!(inputs[18..], slow[cycle], "{cycle}");
        assert_eq!(inputs[..18], fast[4 * cycle], "{cycle}");
    }
}

#[test]
fn every_group_has_working_counters_of_its_own() {
    let mut other = Other::of_two_groups("counters", 0);
    let logical = other.machine_logical();
    let slow = other.data(c::LRD, logical + 18);
    // Answers of the slow group: one with a wrong counter, and from there on three cycles later none any more.
    let mut answers = 0;
    let started = other.started;
    let mut at = 0;
    other.script.0.retain_mut(|(frame, _)| {
        at += 1;
        let datagram = &frame[HEADERS..HEADERS + DATAGRAM_HEADER];
        let mine = at > started
            && frame[6] & 2 != 0
            && datagram[0] == c::LRD
            && u32::from_le_bytes(datagram[2..6].try_into().unwrap()) == logical + 18;
        if !mine {
            return true;
        }
        answers += 1;
        if answers == 16 {
            let counter = HEADERS + DATAGRAM_HEADER + 3;
            frame[counter] = 0;
        }
        answers < 20
    });
    let (mut bus, mut image) = other.ready(other.script.clone());
    let mut outcomes = Vec::new();
    loop {
        match bus.exchange(&mut image, &mut || {}) {
            Err(fault) if fault.cause == BusCause::End => break,
            result => outcomes.push((result.is_ok(), image.valid[2], image.inputs[18..].to_vec())),
        }
    }
    let first = 120 - outcomes.len();
    // The others have nothing to do with it.
    assert!(outcomes.iter().all(|(ok, ..)| *ok));
    let valid = |cycle: usize| outcomes[cycle - first].1;
    let held = |cycle: usize| outcomes[cycle - first].2.clone();
    // The wrong one is the answer in cycle 60; the cycle was told before it came.
    assert_eq!(valid(60), Ok(()));
    for cycle in 61..64 {
        assert_eq!(valid(cycle), Err(Missing::WorkingCounter), "{cycle}");
        assert_eq!(held(cycle), slow[14], "{cycle}");
    }
    assert_eq!(valid(66), Ok(()));
    // The last answer is that of cycle 72.
    assert_eq!((valid(76), held(76)), (Ok(()), slow[18].clone()));
    assert_eq!(valid(119), Err(Missing::NoFrame));
    let counters = bus.counters();
    assert_eq!(counters.working_counter_errors, 1);
    assert_eq!(
        counters.lost, 10,
        "cycles 76 to 112; that of 116 is under way"
    );
}

#[test]
fn a_group_that_never_comes_is_named() {
    let other = master("silent", 300, |logical| vec![part(c::LRD, logical, 18)]);
    let mut bus = TapBus::new(other.script.clone(), &other.machine).unwrap();
    let Err(TapError::Mismatch(mismatch)) = bus.ready() else {
        panic!("ready");
    };
    assert_eq!(
        mismatch,
        Mismatch::Silent {
            name: "dev0".into()
        }
    );
}

#[test]
fn an_axis_needs_new_values_every_cycle() {
    let (mut machine, _) = bench(&[(4, 4), (4, 4)], PERIOD_NS);
    let shipped = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let mut axis = shipped.axes[0].clone();
    axis.name = "dev1".into();
    machine.axes.push(axis);
    let bus = machine.bus.clone().unwrap();
    let layout = Layout::configured(&bus, &Learner::default(), &[[0, 4], [8, 12]]);
    let member = |logical, every| Member {
        key: (c::LRW, logical),
        length: 8,
        every,
    };
    let groups = |first, second| Groups {
        anchor: (c::LRW, 0),
        members: vec![member(0, first), member(8, second)],
    };
    let slow = apart(&layout, &groups(None, Some(4)), &machine);
    assert_eq!(
        slow,
        Err(Mismatch::Slow {
            name: "dev1".into(),
            every: 4
        })
    );
    let fast = apart(&layout, &groups(None, Some(1)), &machine).unwrap();
    assert_eq!(fast.limits, [None, None, Some(3), Some(3)]);
    let input = layout.spans[0].direction == Direction::Input;
    assert!(input);
    // The other one is no axis.
    assert!(apart(&layout, &groups(Some(4), None), &machine).is_ok());
}
