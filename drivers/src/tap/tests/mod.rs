//! A tap on twinstep's own MainDevice and segment, in virtual time, and on frames that are made up.

mod context;
mod frames;
mod groups;
mod hostile;
mod images;
mod layout;
mod learn;
mod restart;

use super::TapBus;
use super::capture::CaptureFile;
use super::source::{FrameSource, Heard, MAX_CAPTURED, Next, TapError, Way};
use crate::bus::{Bus, BusCause, BusCounters, ProcessImage};
use crate::clock::Clock;
use crate::conformance::bus_conformance;
use crate::ethercat::EthercatBus;
use crate::link::in_process::InProcess;
use crate::link::pcap::PcapLink;
use crate::segment::Description;
use crate::segment::testing::bench_of;
use std::path::PathBuf;
use twinstep_config::machine::{Machine, Tap};

const PERIOD_NS: u64 = 1_000_000;
const CYCLES: u64 = 60;

/// Two SubDevices with both directions, one with inputs only.
fn sizes() -> [(usize, usize); 3] {
    [(8, 12), (4, 6), (0, 3)]
}

/// Frames with their times, as a source that ends.
#[derive(Clone, Default)]
pub(super) struct Script(Vec<(Vec<u8>, u64)>, usize);

impl FrameSource for Script {
    fn next(&mut self, buffer: &mut [u8], _: u64) -> Result<Next, TapError> {
        let Some((frame, time_ns)) = self.0.get(self.1) else {
            return Ok(Next::End);
        };
        self.1 += 1;
        let length = frame.len().min(buffer.len());
        buffer[..length].copy_from_slice(&frame[..length]);
        Ok(Next::Frame(Heard {
            length,
            wire_length: frame.len(),
            time_ns: *time_ns,
            way: Way::Both,
        }))
    }

    fn is_live(&self) -> bool {
        false
    }
}

impl Script {
    /// All frames of a capture.
    fn of(path: &PathBuf) -> Self {
        let mut source = CaptureFile::open(path).unwrap();
        let mut buffer = [0; MAX_CAPTURED];
        let mut frames = Vec::new();
        while let Next::Frame(heard) = source.next(&mut buffer, 0).unwrap() {
            frames.push((buffer[..heard.length].to_vec(), heard.time_ns));
        }
        Self(frames, 0)
    }

    /// Places of the frames with process data that go out, or that come back.
    fn process_frames(&self, returned: bool) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.0.len())
            .filter(|at| {
                let frame = &self.0[*at].0;
                let back = frame[6] & 2 != 0;
                back == returned
                    && super::exchange::exchanges(frame, frame)
                        .any(|datagram| datagram.is_logical())
            })
            .collect();
        // Those of the cycles that were counted are the last ones.
        places.drain(..places.len() - CYCLES as usize);
        places
    }
}

/// A run of our own MainDevice: the machine, its frames, and the image of every cycle.
struct Run {
    machine: Machine,
    script: Script,
    images: Vec<ProcessImage>,
}

fn run(name: &str) -> Run {
    run_of(name, devices(&sizes()))
}

/// SubDevices of these outputs and inputs (bytes), as the bench has them.
fn devices(sizes: &[(usize, usize)]) -> Vec<Description> {
    let of = |(at, &(outputs, inputs)): (usize, &(usize, usize))| {
        Description::for_test(&format!("dev{at}"), outputs, inputs)
    };
    sizes.iter().enumerate().map(of).collect()
}

/// As [`run`], with other SubDevices.
fn run_of(name: &str, descriptions: Vec<Description>) -> Run {
    run_with(name, descriptions, |_| {})
}

/// As [`run_of`], with another configuration of master and tap.
fn run_with(name: &str, descriptions: Vec<Description>, change: impl Fn(&mut Machine)) -> Run {
    let path =
        std::env::temp_dir().join(format!("twinstep-tap-{}-{name}.pcap", std::process::id()));
    let (mut machine, segment) = bench_of(descriptions, PERIOD_NS);
    change(&mut machine);
    let link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let link = PcapLink::create(link, &path).unwrap();
    let mut bus = EthercatBus::bring_up(link, &machine).unwrap();
    let mut image = bus.new_image();
    let (clock, mut next_ns) = (bus.clock().clone(), bus.next_cycle_ns());
    let mut images = Vec::new();
    for cycle in 0..CYCLES {
        clock.wait_until_ns(next_ns);
        next_ns += PERIOD_NS;
        for (at, byte) in image.outputs.iter_mut().enumerate() {
            *byte = (cycle as u8).wrapping_mul(3).wrapping_add(at as u8) | 1;
        }
        bus.exchange(&mut image, &mut || {}).unwrap();
        images.push(image.clone());
    }
    bus.link_mut().finish().unwrap();
    let script = Script::of(&path);
    std::fs::remove_file(&path).unwrap();
    machine.bus.as_mut().unwrap().tap = Some(Tap::default());
    Run {
        machine,
        script,
        images,
    }
}

impl Run {
    fn tap(&self, script: Script) -> (TapBus<Script>, ProcessImage) {
        let mut bus = TapBus::new(script, &self.machine).unwrap();
        assert!(bus.ready().unwrap_or_else(|error| panic!("{error}")));
        let image = crate::object_map::Layout::new(&self.machine)
            .unwrap()
            .image();
        (bus, image)
    }

    /// Exchanges to the end; what each came to, and the image.
    fn outcomes(&self, script: Script) -> (Vec<(Option<BusCause>, ProcessImage)>, BusCounters) {
        let (mut bus, mut image) = self.tap(script);
        let mut outcomes = Vec::new();
        loop {
            let cause = bus
                .exchange(&mut image, &mut || {})
                .err()
                .map(|fault| fault.cause);
            if cause == Some(BusCause::End) {
                return (outcomes, bus.counters());
            }
            outcomes.push((cause, image.clone()));
        }
    }
}

#[test]
fn what_the_master_sees_the_tap_sees() {
    let run = run("same");
    let (outcomes, counters) = run.outcomes(run.script.clone());
    // The tap begins with the first cycle in OP, which is still part of the master's bring-up.
    let extra = outcomes.len() - run.images.len();
    assert!(extra < 200, "{extra}");
    for ((cause, heard), ours) in outcomes[extra..].iter().zip(&run.images) {
        assert_eq!(*cause, None);
        assert_eq!(heard.inputs, ours.inputs);
        assert_eq!(heard.outputs, ours.outputs);
        assert!(heard.valid.iter().all(Result::is_ok));
    }
    assert_eq!(counters, BusCounters::default());
}

#[test]
fn it_keeps_what_every_bus_keeps() {
    let run = run("conformance");
    let mut script = run.script.clone();
    // A frame that does not come back, one with a wrong counter, a pause of the master.
    let back = script.process_frames(true);
    let broken = &mut script.0[back[20]].0;
    let counter = broken.len() - 2;
    broken[counter] ^= 1;
    for frame in &mut script.0[back[40]..] {
        frame.1 += 7 * PERIOD_NS;
    }
    script.0.remove(back[10]);
    let (mut bus, mut image) = run.tap(script);
    let report = bus_conformance(&mut bus, &mut image, 10_000, true).unwrap();
    assert!(report.ended);
    assert_eq!(report.faults, 1 + 1 + 7);
    assert!(report.good >= CYCLES - 2);
    let counters = bus.counters();
    assert_eq!((counters.lost, counters.working_counter_errors), (1, 1));
}

/// A script as a live source: a frame is not there before its time.
struct Live(Script);

impl FrameSource for Live {
    fn next(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Next, TapError> {
        match self.0.0.get(self.0.1) {
            Some((_, time_ns)) if *time_ns > deadline_ns => Ok(Next::Nothing),
            _ => self.0.next(buffer, deadline_ns),
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[test]
fn a_pause_is_told_while_it_lasts_and_no_cycle_twice() {
    let run = run("pause");
    let mut script = run.script.clone();
    let out = script.process_frames(false);
    for (from, periods) in [(20, 2), (30, 7), (40, 3)] {
        for frame in &mut script.0[out[from]..] {
            frame.1 += periods * PERIOD_NS;
        }
    }
    let causes = |outcomes: &[(Option<BusCause>, ProcessImage)]| -> Vec<_> {
        outcomes.iter().map(|(cause, _)| *cause).collect()
    };
    let (from_file, _) = run.outcomes(script.clone());
    let mut bus = TapBus::new(Live(script), &run.machine).unwrap();
    while !bus.ready().unwrap() {}
    let mut image = crate::object_map::Layout::new(&run.machine)
        .unwrap()
        .image();
    let mut live = Vec::new();
    loop {
        let cause = bus
            .exchange(&mut image, &mut || {})
            .err()
            .map(|fault| fault.cause);
        if cause == Some(BusCause::End) {
            break;
        }
        live.push((cause, image.clone()));
    }
    // A master that is late by two periods is late; seven and three more than its own are missing cycles.
    assert_eq!(
        causes(&from_file)
            .iter()
            .filter(|cause| cause.is_some())
            .count(),
        7 + 3
    );
    assert_eq!(causes(&live), causes(&from_file));
}

#[test]
fn a_long_pause_in_a_capture_is_a_new_segment() {
    let run = run("segment");
    let mut script = run.script.clone();
    let out = script.process_frames(false);
    for frame in &mut script.0[out[30]..] {
        frame.1 += 5000 * PERIOD_NS;
    }
    let (outcomes, _) = run.outcomes(script);
    let faults: Vec<_> = outcomes.iter().filter_map(|(cause, _)| *cause).collect();
    assert_eq!(faults, [BusCause::Segment]);
}

#[test]
fn a_lost_answer_and_a_wrong_counter_are_told_apart() {
    let run = run("faults");
    let mut script = run.script.clone();
    let back = script.process_frames(true);
    let broken = &mut script.0[back[30]].0;
    let counter = broken.len() - 2;
    broken[counter] -= 1;
    let right = u16::from(broken[counter]) + 1;
    script.0.remove(back[10]);
    let (outcomes, _) = run.outcomes(script);
    let extra = outcomes.len() - run.images.len();
    for (cycle, (cause, heard)) in outcomes[extra..].iter().enumerate() {
        let expected = match cycle {
            10 => Some(BusCause::NoFrame),
            30 => Some(BusCause::WorkingCounter {
                expected: right,
                actual: right - 1,
            }),
            _ => None,
        };
        assert_eq!(*cause, expected, "{cycle}");
        let before = outcomes[extra + cycle - 1].1.inputs.clone();
        let inputs = if expected.is_some() {
            &before
        } else {
            &run.images[cycle].inputs
        };
        assert_eq!(heard.inputs, *inputs, "{cycle}");
    }
}

#[test]
fn a_subdevice_that_leaves_op_is_not_believed() {
    let run = run("al");
    let mut script = run.script.clone();
    // The broadcast of 0x0130 stands in the same frame; SAFE-OP with error from one of three.
    let at = script.process_frames(true)[15];
    let frame = script.0[at].0.clone();
    let mut data = crate::frame::HEADERS;
    while frame[data] != crate::frame::command::BRD {
        data = crate::frame::Datagram::parse(&frame, data).unwrap().end();
    }
    script.0[at].0[data + 10] |= 0x14;
    let (outcomes, _) = run.outcomes(script);
    let extra = outcomes.len() - run.images.len();
    let (cause, image) = &outcomes[extra + 15];
    assert_eq!(*cause, None);
    let not_op = Err(twinstep_models::sample::Missing::NotOperational);
    assert!(
        image.valid.iter().all(|valid| *valid == not_op),
        "{:?}",
        image.valid
    );
    assert!(outcomes[extra + 16].1.valid.iter().all(Result::is_ok));
}

#[test]
fn an_error_that_the_master_reads_is_told_once() {
    use crate::ethercat::frame::{new, push_datagram};
    let run = run("report");
    let mut script = run.script.clone();
    let at = script.process_frames(false)[15];
    let time_ns = script.0[at].1 - 1000;
    // The master asks the second SubDevice twice: SAFE-OP with error, the SyncManager watchdog.
    for index in [7, 8] {
        let mut asked = new();
        push_datagram(&mut asked, crate::frame::command::FPRD, 0x1001, 0x0130, 6);
        asked[17] = index;
        let mut answer = asked.clone();
        answer[6] |= 2;
        answer[26..32].copy_from_slice(&[0x14, 0, 0, 0, 0x1b, 0]);
        answer[32] = 1;
        script.0.insert(at, (answer, time_ns));
        script.0.insert(at, (asked, time_ns));
    }
    let (mut bus, mut image) = run.tap(script);
    let mut reports = Vec::new();
    while bus.exchange(&mut image, &mut || {}).is_ok() {
        reports.extend(bus.take_al_report());
    }
    let told: Vec<_> = reports
        .iter()
        .map(|r| (r.subdevice, r.status, r.code))
        .collect();
    assert_eq!(told, [(1, 0x14, 0x1b)]);
}

#[test]
fn a_tap_that_joins_late_takes_the_configuration() {
    let run = run("late");
    let mut script = run.script.clone();
    let first = script.process_frames(false)[5];
    script.0.drain(..first);
    let (mut bus, _) = run.tap(script.clone());
    assert!(!bus.is_learnt());
    assert!(run.tap(run.script.clone()).0.is_learnt());
    let mut image = run.images[0].clone();
    let mut cycles = 0;
    let mut last = image.clone();
    while bus.exchange(&mut image, &mut || {}).is_ok() {
        cycles += 1;
        last = image.clone();
    }
    assert!(cycles > 40, "{cycles}");
    assert_eq!(last.inputs, run.images[CYCLES as usize - 1].inputs);
    assert_eq!(last.outputs, run.images[CYCLES as usize - 1].outputs);
}

#[test]
fn a_machine_that_is_another_one_is_refused_by_name() {
    let mut run = run("other");
    let second = |run: &mut Run| run.machine.bus.as_mut().unwrap().subdevices[1].clone();
    let says = |run: &Run, words: &str| {
        let mut bus = TapBus::new(run.script.clone(), &run.machine).unwrap();
        let error = bus.ready().unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    };
    let known = second(&mut run);
    let device = |run: &mut Run, change: &dyn Fn(&mut twinstep_config::machine::SubDevice)| {
        let place = &mut run.machine.bus.as_mut().unwrap().subdevices[1];
        *place = known.clone();
        change(place);
    };
    device(&mut run, &|device| device.product_code += 1);
    says(&run, "`dev1` was not found");
    device(&mut run, &|device| device.inputs.truncate(5));
    says(
        &run,
        "6 bytes of inputs on the tapped bus and 5 in the configuration",
    );
    device(&mut run, &|device| device.outputs.swap(0, 1));
    says(&run, "`dev1` maps 0x7000:01 (8 bits) among its outputs");
}

#[test]
fn a_capture_without_process_data_has_no_cycle() {
    let run = run("empty");
    let mut script = run.script.clone();
    script.0.truncate(40);
    let mut bus = TapBus::new(script, &run.machine).unwrap();
    assert!(matches!(bus.ready(), Err(TapError::NoCycle)));
}
