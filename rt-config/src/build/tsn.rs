//! `[tsn]`: VLAN, queueing discipline, gates.

use super::bus;
use crate::check::{Check, duration};
use crate::machine::{Bus, Classes, Gate, MAX_CLASSES, MAX_GATES, MAX_QUEUES, PRIORITIES};
use crate::machine::{Qdisc, Tsn, VlanMap};
use crate::raw::TsnTable;
use crate::value::{At, Span};

/// Longest interface name (bytes): IFNAMSIZ without its final 0.
const MAX_INTERFACE: usize = 15;
/// Largest VLAN id; 4095 is reserved (IEEE 802.1Q).
const MAX_VLAN: u16 = 4094;
/// Shortest time a gate may stand (ns): 64 bytes at 1 Gbit/s take 0.7 us.
const MIN_GATE_NS: u64 = 1_000;
/// Longest time of a gate, and longest `delta` (ns).
const MAX_NS: u64 = 1_000_000_000;
/// Latest start of the list of gates (ns): 2^53, which every quantity of time can hold.
const MAX_BASE_NS: u64 = 1 << 53;

pub(super) fn tsn(raw: &TsnTable, on: Option<&Bus>, period_ns: u64, check: &mut Check) -> Tsn {
    let interface = bus::interface("interface", &raw.interface, check);
    let vlan = vlan(raw, &interface, check);
    let qdisc = qdisc(raw, period_ns, check);
    if raw.vlan.is_none() && raw.qdisc.is_none() {
        check.problem(
            &raw.interface.span,
            "[tsn] sets neither a VLAN nor a queueing discipline",
            "nothing to set here",
            "add vlan or qdisc, or leave [tsn] out",
        );
    }
    let bus_priority = raw.bus_priority.as_ref().map_or(0, |priority| {
        within("bus_priority", priority, (0, PRIORITIES as u16 - 1), check);
        priority.value as u8
    });
    let tsn = Tsn {
        interface,
        vlan,
        qdisc,
        bus_priority,
        offload: raw.offload,
    };
    let on_it = |bus: &Bus| {
        bus.interface
            .as_ref()
            .is_some_and(|name| tsn.queues_for(name))
    };
    let sends = |bus: &&Bus| bus.tap.is_none() && bus.pubsub.is_none();
    if on.filter(sends).is_some_and(on_it) && tsn.needs_launch_time(bus_priority) {
        check.problem(
            raw.bus_priority
                .as_ref()
                .map_or(&raw.interface.span, |priority| &priority.span),
            "frames of the bus have no launch time, and etf would drop them",
            "the bus is in the launch class",
            "give the bus a `bus_priority` of another class, or an interface of its own",
        );
    }
    tsn
}

/// Whether `value` is at most `max`; says so where it is not.
fn within(key: &str, value: &At<u16>, (min, max): (u16, u16), check: &mut Check) -> bool {
    let fine = (min..=max).contains(&value.value);
    if !fine {
        check.problem(
            &value.span,
            format!("`{key}` is {}, which is out of range", value.value),
            "out of range",
            format!("`{key}` must be {min} to {max}"),
        );
    }
    fine
}

/// Refuses a key that belongs to something which is not there.
fn unused(key: &str, span: Option<&Span>, needs: &str, check: &mut Check) {
    if let Some(span) = span {
        check.problem(
            span,
            format!("`{key}` needs {needs}"),
            "not used",
            format!("add {needs} to [tsn], or leave `{key}` out"),
        );
    }
}

fn vlan(raw: &TsnTable, interface: &str, check: &mut Check) -> Option<VlanMap> {
    let Some(id) = &raw.vlan else {
        unused("pcp", raw.pcp.as_ref().map(|pcp| &pcp.span), "vlan", check);
        return None;
    };
    let mut pcp = [0, 1, 2, 3, 4, 5, 6, 7];
    if let Some(given) = &raw.pcp {
        if given.value.len() != pcp.len() {
            check.problem(
                &given.span,
                format!(
                    "`pcp` has {} numbers, one is needed for each of the priorities 0 to 7",
                    given.value.len()
                ),
                "not eight",
                "write eight numbers, such as pcp = [0, 1, 2, 3, 4, 5, 6, 7]",
            );
        }
        for (slot, one) in pcp.iter_mut().zip(&given.value) {
            if within("pcp", one, (0, 7), check) {
                *slot = one.value as u8;
            }
        }
    }
    if within("vlan", id, (1, MAX_VLAN), check) {
        let name = format!("{interface}.{}", id.value);
        if name.len() > MAX_INTERFACE && interface.len() <= MAX_INTERFACE {
            check.problem(
                &id.span,
                format!("the interface of the VLAN would be named {name}, which is too long"),
                format!("more than {MAX_INTERFACE} bytes with its id"),
                "give the interface a shorter name: `ip link set NAME name SHORTER`",
            );
        }
    }
    Some(VlanMap { id: id.value, pcp })
}

fn qdisc(raw: &TsnTable, period_ns: u64, check: &mut Check) -> Option<Qdisc> {
    let kind = raw.qdisc.as_ref().map(|kind| kind.value.as_str());
    if kind != Some("taprio") {
        let needs = "qdisc = \"taprio\"";
        unused(
            "gates",
            raw.gates.as_ref().map(|one| &one.span),
            needs,
            check,
        );
        let base_time = raw.base_time.as_ref().map(|one| &one.span);
        unused("base_time", base_time, needs, check);
    }
    if kind != Some("etf") {
        let needs = "qdisc = \"etf\"";
        unused(
            "delta",
            raw.delta.as_ref().map(|one| &one.span),
            needs,
            check,
        );
        let class = raw.launch_class.as_ref().map(|one| &one.span);
        unused("launch_class", class, needs, check);
    }
    let Some(name) = &raw.qdisc else {
        let classes = raw.classes.as_ref().map(|one| &one.span);
        unused("classes", classes, "qdisc", check);
        unused(
            "queues",
            raw.queues.as_ref().map(|one| &one.span),
            "qdisc",
            check,
        );
        return None;
    };
    let classes = classes(raw, check);
    match name.value.as_str() {
        "mqprio" => Some(Qdisc::Mqprio(needed(classes, name, check))),
        "taprio" => {
            let classes = needed(classes, name, check);
            let base_time_ns = (raw.base_time.as_ref())
                .map_or(0, |at| check.nanoseconds("base_time", at, (0, MAX_BASE_NS)));
            Some(Qdisc::Taprio {
                gates: gates(raw, name, &classes, period_ns, check),
                classes,
                base_time_ns,
            })
        }
        "etf" => Some(etf(raw, name, classes, period_ns, check)),
        _ => {
            check.problem(
                &name.span,
                "this queueing discipline is not known here",
                "not known",
                "write \"mqprio\" (priorities), \"taprio\" (gates) or \"etf\" (launch times)",
            );
            None
        }
    }
}

/// Classes where they must be given.
fn needed(classes: Option<Classes>, name: &At<String>, check: &mut Check) -> Classes {
    classes.unwrap_or_else(|| {
        check.problem(
            &name.span,
            format!("{} needs `classes`", name.value),
            "`classes` is missing",
            "add the traffic class of each priority, such as classes = [0, 0, 0, 1]",
        );
        Classes {
            of_priority: [0; PRIORITIES],
            queues: vec![1],
        }
    })
}

fn classes(raw: &TsnTable, check: &mut Check) -> Option<Classes> {
    let Some(given) = &raw.classes else {
        unused(
            "queues",
            raw.queues.as_ref().map(|one| &one.span),
            "classes",
            check,
        );
        return None;
    };
    check.at_most(&given.span, "priorities", given.value.len(), PRIORITIES);
    let mut of_priority = [0; PRIORITIES];
    let mut count = 1;
    for (slot, class) in of_priority.iter_mut().zip(&given.value) {
        if within("classes", class, (0, MAX_CLASSES as u16 - 1), check) {
            *slot = class.value as u8;
            count = count.max(usize::from(class.value) + 1);
        }
    }
    let mut queues = vec![1; count];
    if let Some(wanted) = &raw.queues {
        if wanted.value.len() != count {
            check.problem(
                &wanted.span,
                format!(
                    "`queues` has {} numbers, and `classes` names the classes 0 to {}",
                    wanted.value.len(),
                    count - 1
                ),
                "one number a class",
                format!("write {count} numbers"),
            );
        }
        for (slot, one) in queues.iter_mut().zip(&wanted.value) {
            if within("queues", one, (1, MAX_QUEUES), check) {
                *slot = one.value;
            }
        }
        let sum = queues.iter().map(|one| usize::from(*one)).sum();
        check.at_most(
            &wanted.span,
            "transmit queues",
            sum,
            usize::from(MAX_QUEUES),
        );
    }
    Some(Classes {
        of_priority,
        queues,
    })
}

fn gates(
    raw: &TsnTable,
    name: &At<String>,
    classes: &Classes,
    period_ns: u64,
    check: &mut Check,
) -> Vec<Gate> {
    let Some(given) = raw.gates.as_ref().filter(|list| !list.value.is_empty()) else {
        check.problem(
            raw.gates.as_ref().map_or(&name.span, |list| &list.span),
            "taprio needs `gates`",
            "no gates",
            "add a list such as gates = [{ open = [1], for = \"200us\" }, { open = [0], for = \"800us\" }]",
        );
        return Vec::new();
    };
    check.at_most(&given.span, "gates", given.value.len(), MAX_GATES);
    let before = check.problems.len();
    let last = classes.queues.len() as u16 - 1;
    let gates: Vec<Gate> = given
        .value
        .iter()
        .map(|gate| {
            let open = gate
                .open
                .iter()
                .filter(|class| within("open", class, (0, last), check))
                .fold(0, |mask, class| mask | 1 << class.value);
            let length_ns = check.nanoseconds("for", &gate.length, (MIN_GATE_NS, MAX_NS));
            Gate {
                open,
                length_ns: length_ns as u32,
            }
        })
        .collect();
    if check.problems.len() > before {
        return gates;
    }
    let sum: u64 = gates.iter().map(|gate| u64::from(gate.length_ns)).sum();
    // A period that has a problem of its own is 0 here.
    if period_ns > 0 && !sum.is_multiple_of(period_ns) {
        check.problem(
            &given.span,
            format!(
                "the gates are {} together, which is no multiple of the cycle's period of {}",
                duration(sum),
                duration(period_ns)
            ),
            "does not repeat with the cycle",
            "change the times so that they are a multiple of the period, or the period",
        );
    }
    let ever = gates.iter().fold(0, |mask, gate| mask | gate.open);
    for class in (0..=last).filter(|class| ever & (1 << class) == 0) {
        check.problem(
            &given.span,
            format!("the gate of class {class} never opens: its frames would never leave"),
            "never opens",
            format!("add {class} to `open` of one of them"),
        );
    }
    gates
}

fn etf(
    raw: &TsnTable,
    name: &At<String>,
    classes: Option<Classes>,
    period_ns: u64,
    check: &mut Check,
) -> Qdisc {
    // A period that has a problem of its own says nothing about `delta`.
    let longest = if period_ns > 0 { period_ns } else { MAX_NS };
    let delta_ns = match &raw.delta {
        Some(delta) => check.nanoseconds("delta", delta, (0, longest)),
        None => {
            check.problem(
                &name.span,
                "etf needs `delta`",
                "`delta` is missing",
                "add the time that handing a frame on takes at worst, such as delta = \"200us\"",
            );
            0
        }
    };
    let below = match (classes, &raw.launch_class) {
        (Some(classes), Some(class)) => {
            let last = classes.queues.len() as u16 - 1;
            within("launch_class", class, (0, last), check);
            Some((classes, class.value as u8))
        }
        (None, None) => None,
        (Some(_), None) => {
            check.problem(
                &name.span,
                "etf with `classes` needs `launch_class`",
                "`launch_class` is missing",
                "name the class whose frames have launch times; frames of it without one are dropped",
            );
            None
        }
        (None, Some(class)) => {
            unused("launch_class", Some(&class.span), "classes", check);
            None
        }
    };
    Qdisc::Etf {
        below,
        delta_ns: delta_ns as u32,
    }
}
