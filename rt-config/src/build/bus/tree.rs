//! Where every SubDevice hangs, and whether the order of the wire agrees with it.
//!
//! A frame passes the ports of a SubDevice in the order A (0), D (3), B (1), C (2): it comes in at A, and what hangs at D
//! is passed before what hangs at B, and that before what hangs at C. The order of the list must be this one.

use crate::check::{Check, listed};
use crate::machine::{Behind, SubDevice};
use crate::raw::SubDeviceTable;
use crate::value::At;

/// Ports behind which others hang, in the order that frames pass them.
const PORTS: [(&str, u8); 3] = [("D", 3), ("B", 1), ("C", 2)];

/// Fills in where the SubDevices hang.
pub(super) fn place(tables: &[SubDeviceTable], devices: &mut [SubDevice], check: &mut Check) {
    let before = check.problems.len();
    let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
    let position = |name: &str| names.iter().position(|known| known == name);
    let mut first_span = None;
    for table in tables {
        let Some(at) = position(&table.name.value) else {
            continue;
        };
        let Some(behind) = &table.behind else {
            if let Some(port) = &table.port {
                check.problem(
                    &port.span,
                    "`port` says at which port of another SubDevice this one hangs, and `behind` is missing",
                    "of which one?",
                    "add `behind = \"name\"`",
                );
            }
            continue;
        };
        first_span.get_or_insert(&behind.span);
        let port = table
            .port
            .as_ref()
            .map_or(Some(1), |port| number(port, check));
        match (position(&behind.value), port) {
            (None, _) => {
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                check.unknown("SubDevice", behind, &known);
            }
            (Some(parent), _) if parent >= at => check.problem(
                &behind.span,
                format!("\"{}\" comes after this SubDevice on the wire", behind.value),
                "not before it",
                "a frame passes a SubDevice before those that hang behind it: change the order in `subdevices`",
            ),
            (Some(subdevice), Some(port)) => {
                if let Some(device) = devices.get_mut(at) {
                    device.behind = Some(Behind { subdevice, port });
                }
            }
            (Some(_), None) => {}
        }
    }
    let Some(span) = first_span.filter(|_| check.problems.len() == before) else {
        return;
    };
    let hooks: Vec<Option<Behind>> = (0..devices.len()).map(|at| hook(devices, at)).collect();
    for (at, one) in hooks.iter().enumerate() {
        let taken = one.is_some() && hooks.get(..at).is_some_and(|others| others.contains(one));
        if let (true, Some(Behind { subdevice, port })) = (taken, one) {
            let letter = PORTS
                .iter()
                .find(|known| known.1 == *port)
                .map_or("", |known| known.0);
            let parent = names.get(*subdevice).map_or("", String::as_str);
            let name = names.get(at).map_or("", String::as_str);
            check.problem(
                span,
                format!("\"{name}\" hangs at port {letter} of \"{parent}\", where another one hangs already"),
                "one of them",
                "a port has one cable; without `behind` a SubDevice hangs at port B of the one before it",
            );
            return;
        }
    }
    let order = wire_order(&hooks);
    if order.iter().enumerate().any(|(at, &found)| at != found) {
        let right: Vec<&str> = order
            .iter()
            .filter_map(|&at| names.get(at))
            .map(String::as_str)
            .collect();
        check.problem(
            span,
            "frames pass the SubDevices in another order than they are listed in",
            "with this cable",
            format!("they pass {}: list them so in `subdevices`", listed(&right)),
        );
    }
}

/// Where a SubDevice hangs; none for the first.
fn hook(devices: &[SubDevice], at: usize) -> Option<Behind> {
    let given = devices.get(at).and_then(|device| device.behind);
    given.or_else(|| {
        at.checked_sub(1)
            .map(|subdevice| Behind { subdevice, port: 1 })
    })
}

/// The order that frames pass SubDevices in.
fn wire_order(hooks: &[Option<Behind>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(hooks.len());
    let mut waiting = vec![0];
    while let Some(at) = waiting.pop() {
        order.push(at);
        // What is passed first goes on the stack last.
        for (_, port) in PORTS.iter().rev() {
            let here = Some(Behind {
                subdevice: at,
                port: *port,
            });
            waiting.extend(hooks.iter().position(|hook| *hook == here));
        }
    }
    order
}

fn number(port: &At<String>, check: &mut Check) -> Option<u8> {
    let found = PORTS.iter().find(|known| known.0 == port.value);
    if found.is_none() {
        check.problem(
            &port.span,
            format!("`port` is \"{}\"", crate::error::shortened(&port.value)),
            "no port that others hang at",
            "write \"B\", \"C\" or \"D\" (1, 2 and 3); \"A\" (0) is the side that frames come from",
        );
    }
    found.map(|known| known.1)
}
