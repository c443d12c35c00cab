//! `[[bus]]`: each bus becomes a machine by itself, and what the whole cannot be is named.

use super::errors::wrong;
use crate::fault::{Fault, on_which_bus};
use crate::machine::{BusPlace, ClockSource, CycleClock, OtherBuses};
use crate::{PRESS_CELL, load, load_buses};

pub(crate) const TWO_BUSES: &str = include_str!("../../machines/two-buses.toml");

/// With cores and interfaces.
fn real() -> String {
    TWO_BUSES
        .replace("# interface", "interface")
        .replace("# core", "core")
}

#[test]
fn each_bus_is_a_machine_by_itself() {
    let machines = load_buses(&real(), "two.toml").unwrap();
    let [front, rear] = &machines[..] else {
        panic!("{} machines", machines.len());
    };
    let place = |name: &str, index| {
        Some(BusPlace {
            name: name.to_owned(),
            index,
            count: 2,
        })
    };
    assert_eq!(front.place, place("front", 0));
    assert_eq!(rear.place, place("rear", 1));
    let axes = |n: usize| {
        machines[n]
            .axes
            .iter()
            .map(|axis| axis.name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (axes(0), axes(1)),
        (vec!["infeed", "insert"], vec!["outfeed", "pusher"])
    );
    assert_eq!((front.stations.len(), rear.stations.len()), (1, 0));
    assert_eq!(
        (front.cycle.period_ns, rear.cycle.period_ns),
        (1_000_000, 500_000)
    );
    assert_eq!(front.cycle.budget_ns[0], Some(50_000));
    assert_eq!(rear.cycle.budget_ns, [None; 9]);
    let bus = |n: usize| machines[n].bus.as_ref().unwrap();
    assert_eq!(bus(0).interface.as_deref(), Some("eth1"));
    assert_eq!(bus(1).interface.as_deref(), Some("eth2"));
    assert_eq!(
        (bus(0).frame_shift_ns, bus(1).frame_shift_ns),
        (200_000, 125_000)
    );
    assert_eq!(
        (front.realtime.core, rear.realtime.core),
        (Some(2), Some(3))
    );
    let others = |cores: &[usize], before| OtherBuses {
        cores: cores.to_vec(),
        before,
    };
    assert_eq!(front.realtime.others, others(&[3], 0));
    assert_eq!(rear.realtime.others, others(&[2], 0));
    // One false alarm in so long on the whole machine.
    assert_eq!(front.judge.false_alarm_interval_s, 2.0 * 2_592_000.0);
    assert_eq!(rear.judge, front.judge);
    let seeds = machines
        .iter()
        .map(|machine| machine.simulation.unwrap().machine_seed);
    assert_eq!(seeds.collect::<Vec<_>>(), [1, 2]);
    // Without cores of their own they take what is free, one after the other.
    let machines = load_buses(TWO_BUSES, "two.toml").unwrap();
    assert_eq!(machines[1].realtime.others, others(&[], 1));
}

#[test]
fn one_bus_stays_itself() {
    let machines = load_buses(PRESS_CELL, "cell.toml").unwrap();
    assert_eq!(machines, [load(PRESS_CELL, "cell.toml").unwrap()]);
    assert_eq!(machines[0].place, None);
    let error = load(TWO_BUSES, "two.toml").unwrap_err().plain();
    assert!(error.contains("several buses: front, rear"), "{error}");
}

#[test]
fn what_is_shared_goes_to_each_and_what_is_not_to_one() {
    let more = "[shared]\nname = \"cell\"\n[shared.controller]\nliveness = \"5ms\"\n[realtime.ptp]\n\
                [publish.uadp]\nbus = \"rear\"\ninterface = \"eth3\"\npublisher_id = 7\n[judge]";
    let text = TWO_BUSES.replacen("[judge]", more, 1);
    let machines = load_buses(&text, "two.toml").unwrap();
    let names = machines
        .iter()
        .map(|machine| machine.shared.clone().unwrap().name);
    assert_eq!(names.collect::<Vec<_>>(), ["cell.front", "cell.rear"]);
    assert!(
        machines
            .iter()
            .all(|machine| machine.shared.clone().unwrap().controller.is_some())
    );
    assert_eq!(
        (machines[0].publish.is_some(), machines[1].publish.is_some()),
        (false, true)
    );
    assert_eq!(
        (
            machines[0].realtime.ptp.is_some(),
            machines[1].realtime.ptp.is_some()
        ),
        (true, false)
    );
}

#[test]
fn each_bus_follows_its_own_clock() {
    let clocks = |machine: &str, front: &str, rear: &str| {
        let mut text = TWO_BUSES.replacen("[judge]", &format!("{machine}\n[judge]"), 1);
        for (name, clock) in [("front", front), ("rear", rear)] {
            let head = format!("name = \"{name}\"\n");
            let (before, after) = text.split_once(&head).unwrap();
            let table = after.find("\n[").unwrap();
            let (own, rest) = after.split_at(table + 1);
            text = format!("{before}{head}{own}{clock}\n{rest}");
        }
        let machines = load_buses(&text, "two.toml").unwrap();
        let clocks = machines.into_iter().map(|machine| machine.realtime.clock);
        clocks.collect::<Vec<_>>()
    };
    let tai = Some(CycleClock {
        source: ClockSource::Tai,
        phase_ns: 0,
        follow: true,
    });
    let device = Some(CycleClock {
        source: ClockSource::Device("/dev/ptp1".to_owned()),
        phase_ns: 250_000,
        follow: false,
    });
    let own = "[bus.clock]\nsource = \"tai\"";
    let other = "[bus.clock]\nsource = \"/dev/ptp1\"\nphase = \"250us\"\nfollow = false";
    let of_all = "[realtime.clock]\nsource = \"tai\"";
    // The other one goes by its distributed clocks.
    assert_eq!(clocks("", own, ""), [tai.clone(), None]);
    assert_eq!(clocks("", own, other), [tai.clone(), device.clone()]);
    // What stands in [realtime] is of all that have none of their own.
    assert_eq!(clocks(of_all, "", ""), [tai.clone(), tai.clone()]);
    assert_eq!(clocks(of_all, "", other), [tai, device]);
}

#[test]
fn a_fault_finds_its_bus() {
    let inject = "machine_seed = 1\ninject = [\"friction:pusher:factor=1.5@1s\", \"frame_loss:rear:count=3@2s\", \
                  \"leak:gripper:rate=10mbar/s\"]";
    let text = TWO_BUSES.replacen("machine_seed = 1", inject, 1);
    let machines = load_buses(&text, "two.toml").unwrap();
    let faults = |n: usize| {
        machines[n]
            .inject
            .iter()
            .map(Fault::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(faults(0).len(), 1, "{:?}", faults(0));
    assert_eq!(
        machines[1]
            .inject
            .iter()
            .map(|fault| fault.target.as_str())
            .collect::<Vec<_>>(),
        ["pusher", "bus"]
    );
    assert_eq!(machines[1].inject[1].at_ns, 2_000_000_000);
    let on = |text: &str| on_which_bus(text, &machines);
    assert_eq!(
        on("frame_loss:front:count=3"),
        Some((0, "frame_loss:bus:count=3".to_owned()))
    );
    assert_eq!(
        on("watchdog:outfeed@3s"),
        Some((1, "watchdog:outfeed@3s".to_owned()))
    );
    assert_eq!(on("frame_loss:bus:count=3"), None);
    assert_eq!(on("nothing"), None);
}

#[test]
fn what_cannot_be_is_told_at_its_line() {
    let base = real();
    let at = |from, to, words| wrong(&base, from, to, words);
    at(
        "name = \"infeed\"
bus = \"front\"",
        "name = \"infeed\"",
        "infeed is on none of the 2 buses",
    );
    at(
        "bus = \"front\"",
        "bus = \"fornt\"",
        "did you mean \"front\"?",
    );
    at("name = \"rear\"", "name = \"front\"", "is taken already");
    at("name = \"rear\"", "name = \"infeed\"", "is taken already");
    at(
        "name = \"rear\"",
        "name = \"Rear\"",
        "which is no name here",
    );
    at("[[bus]]\nname = \"rear\"", "[[bus]]", "has no name");
    at(
        "interface = \"eth2\"",
        "interface = \"eth1\"",
        "the bus \"front\"'s already",
    );
    at(
        "interface = \"eth2\"",
        "redundant_interface = \"eth1\"",
        "the bus \"front\"'s already",
    );
    at(
        "core = 3",
        "core = 2",
        "core 2 is the bus \"front\"'s already",
    );
    at(
        "core = 3",
        "model_cores = [2]",
        "core 2 is the bus \"front\"'s already",
    );
    at("period = \"500us\"", "period = \"5us\"", "`period`");
    at(
        "frame_shift = \"200us\"",
        "subdevices = [\"infeed\", \"insert\", \"gripper\", \"pusher\"]",
        "\"pusher\"",
    );
}

#[test]
fn what_is_of_one_bus_or_of_one_of_several_is_not_mixed_up() {
    let two = |to: &str, words: &str| {
        let text = TWO_BUSES.replacen("[judge]", &format!("{to}\n[judge]"), 1);
        let error = load_buses(&text, "two.toml").unwrap_err().plain();
        assert!(error.contains(words), "{to}: {error}");
    };
    two(
        "[realtime]\ncore = 1",
        "`core` is of one bus, and there are several",
    );
    two(
        "[realtime]\nmodel_cores = [1]",
        "`model_cores` is of one bus",
    );
    two(
        "[publish.uadp]\ninterface = \"eth3\"\npublisher_id = 7",
        "predictions of one bus are published",
    );
    two("[recording]\nindex = true", "a recording from elsewhere");
    two(
        "[[bus]]\nname = \"third\"",
        "no axis, press or station is on the bus \"third\"",
    );
    let cell = |from, to, words| wrong(PRESS_CELL, from, to, words);
    cell(
        "frame_shift = \"200us\"",
        "name = \"a\"",
        "there is one bus",
    );
    cell(
        "frame_shift = \"200us\"",
        "core = 1",
        "write it into [realtime]",
    );
    cell(
        "frame_shift = \"200us\"",
        "period = \"1ms\"",
        "write it into [cycle]",
    );
    cell(
        "asset_id = \"CELL-07-INFEED\"",
        "bus = \"a\"",
        "names one of several buses",
    );
    let faults = TWO_BUSES.replacen(
        "machine_seed = 1",
        "machine_seed = 1\ninject = [\"frame_loss:bus:count=3\"]",
        1,
    );
    let error = load_buses(&faults, "two.toml").unwrap_err().plain();
    assert!(
        error.contains("could be any of the buses") && error.contains("front, rear"),
        "{error}"
    );
    let strange = faults.replace("frame_loss:bus", "frame_loss:nobody");
    let error = load_buses(&strange, "two.toml").unwrap_err().plain();
    assert!(error.contains("nobody"), "{error}");
}

#[test]
fn a_core_that_is_named_twice_is_told_as_that() {
    let text = format!("{PRESS_CELL}\n[realtime]\nmodel_cores = [1, 1]\n");
    let error = load(&text, "cell.toml").unwrap_err().plain();
    assert!(
        error.contains("named twice") && !error.contains("lanes"),
        "{error}"
    );
}
