//! Publishing and subscribing in virtual time, and another decoder on what is published.

use super::TsnBus;
use super::bus::TsnError;
use super::devices::Devices;
use super::publisher::NOBODY;
use crate::bus::{Bus, BusCause, BusCounters, ProcessImage};
use crate::clock::Clock;
use crate::conformance::bus_conformance;
use crate::link::{Link, LinkError};
use crate::object_map::Layout;
use crate::segment::testing::bench;
use std::collections::VecDeque;
use twinstep_config::machine::{Machine, PubSub, Vlan};
use twinstep_models::sample::Missing;
use zerodds_opcua_pubsub::from_binary;
use zerodds_opcua_pubsub::uadp::dataset_message::{DataSetData, DataSetMessageKind};
use zerodds_opcua_pubsub::uadp::network_message::{NetworkMessage, PublisherId};

const PERIOD_NS: u64 = 1_000_000;

/// Frames with the time at which they come; those that are sent come 10 us later.
struct Wire {
    clock: Clock,
    frames: VecDeque<(u64, Vec<u8>)>,
}

impl Wire {
    fn new() -> Self {
        Self {
            clock: Clock::virtual_from(0),
            frames: VecDeque::new(),
        }
    }
}

impl Link for Wire {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let at_ns = self.clock.now_ns() + 10_000;
        self.frames.push_back((at_ns, frame.to_vec()));
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        match self.frames.front() {
            Some((at_ns, _)) if *at_ns <= deadline_ns.max(self.clock.now_ns()) => {}
            _ => {
                self.clock.wait_until_ns(deadline_ns);
                return Ok(None);
            }
        }
        let Some((at_ns, frame)) = self.frames.pop_front() else {
            return Ok(None);
        };
        self.clock.wait_until_ns(at_ns);
        let length = frame.len().min(buffer.len());
        buffer[..length].copy_from_slice(&frame[..length]);
        Ok(Some(length))
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Three devices of (8, 12), (4, 6) and (0, 3) bytes of outputs and inputs.
fn machine() -> Machine {
    let (mut machine, _) = bench(&[(8, 12), (4, 6), (0, 3)], PERIOD_NS);
    let bus = machine.bus.as_mut().unwrap();
    bus.pubsub = Some(PubSub::of(&bus.subdevices));
    machine
}

fn layout(machine: &Machine) -> Layout {
    Layout::new(machine).unwrap()
}

/// What is in the image of interval `n`: every byte tells the interval.
fn image(machine: &Machine, n: u64) -> ProcessImage {
    let mut image = layout(machine).image();
    let number = |at: usize| (n as u8).wrapping_mul(7).wrapping_add(at as u8);
    for (at, byte) in image.inputs.iter_mut().enumerate() {
        *byte = number(at);
    }
    for (at, byte) in image.outputs.iter_mut().enumerate() {
        *byte = number(at + 100);
    }
    image.valid.fill(Ok(()));
    image
}

/// The frames of `intervals`, one a period.
fn published(machine: &Machine, intervals: u64) -> Wire {
    let mut devices = Devices::new(machine, &layout(machine), NOBODY).unwrap();
    let mut wire = Wire::new();
    for n in 0..intervals {
        wire.clock.wait_until_ns(n * PERIOD_NS);
        devices.publish(&image(machine, n), n * PERIOD_NS, &mut wire);
    }
    assert_eq!(devices.failed(), 0);
    wire.clock = Clock::virtual_from(0);
    wire
}

fn bus(wire: Wire, machine: &Machine) -> (TsnBus<Wire>, ProcessImage) {
    let mut bus = TsnBus::new(wire, machine).unwrap();
    assert!(bus.ready().unwrap());
    (bus, layout(machine).image())
}

/// What `cycles` exchanges came to, as the interval whose image it was; none for a fault.
fn heard(bus: &mut TsnBus<Wire>, machine: &Machine, cycles: u64) -> Vec<Option<u64>> {
    let mut told = layout(machine).image();
    let which = |told: &ProcessImage| {
        (0..200).find(|n| {
            let sent = image(machine, *n);
            (&sent.inputs, &sent.outputs) == (&told.inputs, &told.outputs)
        })
    };
    let mut heard = Vec::new();
    for _ in 0..cycles {
        let result = bus.exchange(&mut told, &mut || {});
        if let Err(fault) = result {
            assert_eq!(fault.cause, BusCause::NoFrame);
            assert!(
                told.valid
                    .iter()
                    .all(|valid| *valid == Err(Missing::NoFrame))
            );
            heard.push(None);
        } else {
            heard.push(which(&told));
        }
    }
    heard
}

#[test]
fn what_is_published_arrives() {
    let machine = machine();
    let (mut bus, _) = bus(published(&machine, 50), &machine);
    // The first interval was the one that showed that everybody is there.
    let expected: Vec<_> = (1..50).map(Some).collect();
    assert_eq!(heard(&mut bus, &machine, 49), expected);
    assert_eq!(bus.counters(), BusCounters::default());
}

#[test]
fn lost_duplicate_late_and_foreign_messages_are_told_apart() {
    let machine = machine();
    let mut wire = published(&machine, 60);
    let foreign = vec![0xff; 60];
    let mut other = wire.frames[0].1.clone();
    other[16] = 9; // another publisher
    let copy = |wire: &Wire, n: usize| wire.frames[n].1.clone();
    // Backwards, so that places stay: 50 comes after 51, 40 and 41 never, 30 twice.
    let old = copy(&wire, 50);
    wire.frames[50].1 = copy(&wire, 51);
    wire.frames[51].1 = old;
    wire.frames.remove(41);
    wire.frames.remove(40);
    let twice = (wire.frames[30].0 + 1_000, copy(&wire, 30));
    wire.frames.insert(31, twice);
    let at_ns = wire.frames[20].0;
    wire.frames.insert(20, (at_ns, foreign));
    wire.frames.insert(20, (at_ns, other));
    let (mut bus, _) = bus(wire, &machine);
    let heard = heard(&mut bus, &machine, 59);
    let told: Vec<_> = (1..60)
        .map(|n| Some(n).filter(|n| ![40, 41, 50].contains(n)))
        .collect();
    assert_eq!(heard, told);
    let counters = bus.counters();
    assert_eq!(
        (counters.lost, counters.duplicate),
        (3 * 3, 3),
        "{counters:?}"
    );
    assert_eq!(counters.late, 3, "{counters:?}");
    // A frame that is none of UADP, and three data sets of somebody else.
    assert_eq!(counters.foreign, 1 + 3, "{counters:?}");
}

#[test]
fn a_publisher_that_pauses_is_missing_and_then_followed() {
    let machine = machine();
    let mut wire = published(&machine, 40);
    for (at_ns, _) in wire.frames.iter_mut().skip(20) {
        *at_ns += 10 * PERIOD_NS;
    }
    let (mut bus, _) = bus(wire, &machine);
    let heard = heard(&mut bus, &machine, 47);
    let missing = heard.iter().filter(|n| n.is_none()).count();
    // Three periods of patience; the seven that are missing are told while the pause lasts.
    assert_eq!(missing, 8, "{heard:?}");
    let there: Vec<_> = heard.iter().flatten().copied().collect();
    assert_eq!(there, (1..40).collect::<Vec<_>>());
    assert_eq!(bus.counters().lost, 0);
}

#[test]
fn a_publisher_that_starts_again_is_followed() {
    let machine = machine();
    let mut wire = published(&machine, 1200);
    wire.frames.drain(1100..1150);
    // Its numbers begin at 0 again.
    let again = published(&machine, 50);
    let behind = wire.frames.split_off(1100);
    for ((at_ns, _), (_, frame)) in behind.iter().zip(again.frames) {
        wire.frames.push_back((*at_ns - 50 * PERIOD_NS, frame));
    }
    let (mut bus, mut image) = bus(wire, &machine);
    for _ in 1..1150 {
        bus.exchange(&mut image, &mut || {}).unwrap();
    }
    assert_eq!(bus.counters(), BusCounters::default());
}

#[test]
fn every_device_has_its_own_publisher_and_its_own_gaps() {
    let mut machine = machine();
    let whole = machine.bus.as_ref().unwrap().pubsub.clone().unwrap();
    // Three publishers with one data set each.
    let mut wires = Vec::new();
    for n in 0..3 {
        let mut alone = machine.clone();
        let pubsub = alone.bus.as_mut().unwrap().pubsub.as_mut().unwrap();
        pubsub.data_sets = vec![whole.data_sets[n].clone()];
        pubsub.stream.publisher_id = 10 + n as u16;
        wires.push(published(&alone, 30));
    }
    for (n, one) in machine
        .bus
        .as_mut()
        .unwrap()
        .pubsub
        .as_mut()
        .unwrap()
        .data_sets
        .iter_mut()
        .enumerate()
    {
        one.publisher_id = 10 + n as u16;
    }
    let mut wire = Wire::new();
    for cycle in 0..30 {
        for (n, other) in wires.iter().enumerate() {
            if (n, cycle) != (1, 10) {
                let (at_ns, frame) = other.frames[cycle].clone();
                wire.frames.push_back((at_ns + n as u64 * 1_000, frame));
            }
        }
    }
    let (mut bus, mut told) = bus(wire, &machine);
    for cycle in 1..30 {
        bus.exchange(&mut told, &mut || {}).unwrap();
        let missing = if cycle == 10 {
            [Ok(()), Err(Missing::NoFrame), Ok(())]
        } else {
            [Ok(()); 3]
        };
        assert_eq!(told.valid, missing, "{cycle}");
        let sent = image(&machine, cycle);
        assert_eq!(told.inputs[..12], sent.inputs[..12], "{cycle}");
        assert_eq!(told.inputs[18..], sent.inputs[18..], "{cycle}");
    }
    assert_eq!(
        bus.counters(),
        BusCounters {
            lost: 1,
            ..BusCounters::default()
        }
    );
}

#[test]
fn it_keeps_what_every_bus_keeps() {
    let machine = machine();
    let mut wire = published(&machine, 60);
    wire.frames.remove(20);
    let (at_ns, frame) = wire.frames[30].clone();
    wire.frames.insert(31, (at_ns, frame));
    for (at_ns, _) in wire.frames.iter_mut().skip(40) {
        *at_ns += 7 * PERIOD_NS;
    }
    let (mut bus, mut image) = bus(wire, &machine);
    let report = bus_conformance(&mut bus, &mut image, 80, true).unwrap();
    assert!(!report.ended);
    assert!(report.good >= 57 && report.faults >= 10, "{report:?}");
}

#[test]
fn a_device_that_is_bad_is_not_believed() {
    let machine = machine();
    let mut devices = Devices::new(&machine, &layout(&machine), NOBODY).unwrap();
    let mut wire = Wire::new();
    for n in 0..3 {
        wire.clock.wait_until_ns(n * PERIOD_NS);
        let mut image = image(&machine, n);
        if n == 2 {
            image.valid[1] = Err(Missing::NotOperational);
        }
        devices.publish(&image, n * PERIOD_NS, &mut wire);
    }
    wire.clock = Clock::virtual_from(0);
    let (mut bus, mut told) = bus(wire, &machine);
    bus.exchange(&mut told, &mut || {}).unwrap();
    bus.exchange(&mut told, &mut || {}).unwrap();
    assert_eq!(told.valid, [Ok(()), Err(Missing::NotOperational), Ok(())]);
    // Its last good values stand; those of the others are new.
    assert_eq!(told.inputs[12..18], image(&machine, 1).inputs[12..18]);
    assert_eq!(told.inputs[..12], image(&machine, 2).inputs[..12]);
}

#[test]
fn the_time_of_the_values_is_told() {
    let machine = machine();
    let mut wire = published(&machine, 3);
    // The third interval is silent about its time, as publishers may be.
    let frame = &mut wire.frames[2].1;
    frame[14 + 1] = 0x01;
    let stamp_at = 14 + 16 + 3 * 2;
    frame.drain(stamp_at..stamp_at + 8);
    let (mut bus, mut told) = bus(wire, &machine);
    let stamp = bus.exchange(&mut told, &mut || {}).unwrap();
    assert_eq!((stamp.cycle, stamp.dc_time_ns), (0, PERIOD_NS));
    let stamp = bus.exchange(&mut told, &mut || {}).unwrap();
    assert_eq!((stamp.cycle, stamp.dc_time_ns), (1, 0));
}

#[test]
fn a_device_that_publishes_something_else_is_named() {
    let mut machine = machine();
    let wire = published(&machine, 300);
    let pubsub = machine.bus.as_mut().unwrap().pubsub.as_mut().unwrap();
    pubsub.data_sets[1].major_version = Some(2);
    let mut bus = TsnBus::new(wire, &machine).unwrap();
    let mut error = None;
    for _ in 0..20 {
        error = error.or(bus.ready().err());
    }
    let error = error.unwrap();
    assert!(
        matches!(&error, TsnError::Misfit { name } if name == "dev1"),
        "{error}"
    );
}

#[test]
fn an_independent_decoder_reads_what_is_published() {
    let mut machine = machine();
    let pubsub = machine.bus.as_mut().unwrap().pubsub.as_mut().unwrap();
    pubsub.stream.vlan = Some(Vlan {
        id: 100,
        priority: 6,
    });
    pubsub.data_sets[2].writer_id = 77;
    pubsub.data_sets[2].major_version = Some(4711);
    let wire = published(&machine, 3);
    let sent = image(&machine, 2);
    let (_, frame) = &wire.frames[2];
    assert_eq!(frame[..6], [0x01, 0x00, 0x5e, 0x7f, 0x00, 0x01]);
    assert_eq!(frame[12..18], [0x81, 0x00, 0xc0, 100, 0xb6, 0x2c]);
    let message: NetworkMessage = from_binary(&frame[18..]).unwrap();
    assert_eq!(message.publisher_id, Some(PublisherId::UInt16(1)));
    let group = message.group_header.unwrap();
    assert_eq!(
        (group.writer_group_id, group.group_version),
        (Some(1), Some(1))
    );
    assert_eq!(
        (group.network_message_number, group.sequence_number),
        (Some(1), Some(2))
    );
    assert_eq!(message.messages.len(), 3);
    let fields = [
        [&sent.inputs[..12], &sent.outputs[..8]].concat(),
        [&sent.inputs[12..18], &sent.outputs[8..]].concat(),
        sent.inputs[18..].to_vec(),
    ];
    for ((one, fields), writer_id) in message.messages.iter().zip(fields).zip([1, 2, 77]) {
        assert!(one.valid);
        assert_eq!(
            (one.writer_id, one.kind),
            (writer_id, DataSetMessageKind::KeyFrame)
        );
        assert_eq!((one.sequence_number, one.status), (Some(2), Some(0)));
        let major = if writer_id == 77 { 4711 } else { 1 };
        assert_eq!(
            (one.config_major_version, one.config_minor_version),
            (Some(major), Some(0))
        );
        assert_eq!(one.data, DataSetData::Raw(fields));
    }
    // The tag is no obstacle here either.
    let (mut bus, _) = bus(wire, &machine);
    assert_eq!(heard(&mut bus, &machine, 2), [Some(1), Some(2)]);
}

#[test]
fn many_devices_take_several_frames() {
    let (mut machine, _) = bench(&[(16, 16); 100], PERIOD_NS);
    let bus_of = machine.bus.as_mut().unwrap();
    bus_of.pubsub = Some(PubSub::of(&bus_of.subdevices));
    let wire = published(&machine, 3);
    // 47 bytes each, and no frame longer than Ethernet carries.
    assert_eq!(wire.frames.len(), 3 * 4);
    for (at, (_, frame)) in wire.frames.iter().enumerate() {
        assert!(frame.len() <= crate::link::MAX_FRAME);
        let message: NetworkMessage = from_binary(&frame[14..]).unwrap();
        let number = message.group_header.unwrap().network_message_number;
        assert_eq!(number, Some(at as u16 % 4 + 1));
    }
    let (mut bus, _) = bus(wire, &machine);
    assert_eq!(heard(&mut bus, &machine, 2), [Some(1), Some(2)]);
    assert_eq!(bus.counters(), BusCounters::default());
}
