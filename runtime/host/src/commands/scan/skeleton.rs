//! A configuration for what a scan found: identities and process data are right, everything else is to be filled in.

use super::bus::{entry, port_letter};
use std::fmt::Write as _;
use twinstep_config::machine::PdoEntry;
use twinstep_drivers::ethercat::scan::Found;

/// Objects that make a drive.
const CONTROLWORD: u16 = 0x6040;
const TARGET_POSITION: u16 = 0x607a;
const STATUSWORD: u16 = 0x6041;
const POSITION: u16 = 0x6064;
/// Most objects of one SubDevice in one direction, and the lengths that the configuration knows.
const MOST_ENTRIES: usize = 32;
const LENGTHS: [u8; 3] = [8, 16, 32];
/// Longest name.
const NAME: usize = 32;

const HEAD: &str = r#"# Written by `twinstep scan`. Identities and process data are those of the SubDevices. Values under FILL IN are only
# to begin with: replace them by those of the machine before it is run.

[machine]
name = "found by a scan"

[cycle]
period = "1ms"

[judge]
false_alarm_interval = "30days"
"#;

const AXIS: &str = r#"# FILL IN: as the drive is commissioned.
lead = "10mm"
counts_per_rev = 1048576
rated_current = "5A"
torque_constant = "0.8N m/A"
position_gain = "60/s"
velocity_gain = "140A s/m"
velocity_integral_time = "18ms"
current_time_constant = "400us"
"#;

const MOTION: &str = r#"
# FILL IN: limits of the axis, and a program for commissioning.
[axis.motion]
velocity = "0.1m/s"
acceleration = "1m/s2"
jerk = "20m/s3"
"#;

const STATION: &str = r#"# FILL IN: the sensor's step and the times of the circuit; only a vacuum circuit is judged.
pressure_per_count = "5Pa"
evacuate = "600ms"
hold = "1.2s"
release = "400ms"
"#;

/// The skeleton, and the images of EEPROMs that it names, by the file that each belongs into.
pub fn of<'a>(
    found: &'a [Found],
    interface: &str,
    redundant: Option<&str>,
) -> (String, Vec<(String, &'a [u8])>) {
    let names = names(found);
    let (mut order, mut axes, mut stations, mut left_out) =
        (Vec::new(), String::new(), String::new(), String::new());
    let (mut others, mut images) = (String::new(), Vec::new());
    for (one, name) in found.iter().zip(&names) {
        // Writing to a String cannot fail.
        let identity = format!(
            "vendor_id = 0x{:08x}\nproduct_code = 0x{:08x}\n",
            one.vendor_id, one.product_code
        );
        let data = format!(
            "outputs = [{}]\ninputs = [{}]\n",
            quoted(&one.outputs),
            quoted(&one.inputs)
        );
        let place = place(found, &names, one);
        if !is_described(one) && !one.sii.is_empty() {
            // A terminal, a coupler: known by its image alone, and nobody's to the twin.
            let file = format!("{name}.sii");
            let _ = write!(
                others,
                "\n# {}\n[[bus.subdevice]]\nname = \"{name}\"\nsii = \"{file}\"\n{place}",
                one.name
            );
            order.push(format!("\"{name}\""));
            images.push((file, one.sii.as_slice()));
            continue;
        }
        if !place.is_empty() {
            let _ = write!(others, "\n[[bus.subdevice]]\nname = \"{name}\"\n{place}");
        }
        if !is_described(one) {
            let _ = writeln!(
                left_out,
                "# Left out: position {}, {} ({name}): no drive, and no process data of whole bytes.",
                one.position, one.order
            );
            continue;
        }
        order.push(format!("\"{name}\""));
        let text = if is_drive(one) {
            &mut axes
        } else {
            &mut stations
        };
        let _ = if is_drive(one) {
            write!(
                text,
                "\n[[axis]]\nname = \"{name}\"\n\n[axis.drive]\n{identity}{data}{AXIS}{MOTION}"
            )
        } else {
            write!(
                text,
                "\n[[station]]\nname = \"{name}\"\n{identity}{data}{STATION}"
            )
        };
    }
    let second = redundant.map_or(String::new(), |second| {
        format!("redundant_interface = \"{second}\"\n")
    });
    let mut all = String::from(HEAD);
    let _ = write!(
        all,
        "\n[bus]\ninterface = \"{interface}\"\n{second}subdevices = [{}]\n{left_out}{others}{axes}{stations}",
        order.join(", ")
    );
    (all, images)
}

/// Where a SubDevice hangs, where that is not port B of the one before it.
fn place(found: &[Found], names: &[String], one: &Found) -> String {
    let Some(parent) = one.parent else {
        return String::new();
    };
    let before = one.position.checked_sub(1) == Some(parent);
    let (name, port) = (names.get(parent), port_letter(one.parent_port));
    match (name, port) {
        (Some(name), Some(port)) if !(before && port == 'B') && found.len() > parent => {
            format!("behind = \"{name}\"\nport = \"{port}\"\n")
        }
        _ => String::new(),
    }
}

fn has(entries: &[PdoEntry], index: u16) -> bool {
    entries.iter().any(|entry| entry.index == index)
}

fn is_drive(found: &Found) -> bool {
    has(&found.outputs, CONTROLWORD)
        && has(&found.outputs, TARGET_POSITION)
        && has(&found.inputs, STATUSWORD)
        && has(&found.inputs, POSITION)
}

/// The configuration can say what it maps.
fn is_described(found: &Found) -> bool {
    let fits = |entries: &[PdoEntry]| {
        let known = |e: &PdoEntry| e.index != 0 && LENGTHS.contains(&e.bits);
        entries.len() <= MOST_ENTRIES && entries.iter().all(known)
    };
    let some = !found.outputs.is_empty() && !found.inputs.is_empty();
    some && fits(&found.outputs) && fits(&found.inputs)
}

fn quoted(entries: &[PdoEntry]) -> String {
    let all: Vec<_> = entries
        .iter()
        .map(|one| format!("\"{}\"", entry(one)))
        .collect();
    all.join(", ")
}

/// Names that the configuration allows, each once.
fn names(found: &[Found]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for one in found {
        let plain: String = one
            .order
            .to_ascii_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(NAME - 4)
            .collect();
        let plain = plain.trim_matches('-');
        let name =
            if plain.is_empty() || plain == crate::names::BUS || names.iter().any(|n| n == plain) {
                format!("{plain}-{}", one.position)
                    .trim_matches('-')
                    .to_owned()
            } else {
                plain.to_owned()
            };
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_drivers::ethercat::scan::ErrorCounters;

    fn entries(list: &[(u16, u8)]) -> Vec<PdoEntry> {
        let entry = |&(index, bits)| PdoEntry {
            index,
            subindex: 0,
            bits,
        };
        list.iter().map(entry).collect()
    }

    fn found(position: usize, parent: Option<usize>, parent_port: usize, order: &str) -> Found {
        Found {
            position,
            parent,
            parent_port,
            address: 0,
            alias: 0,
            al_status: 1,
            al_code: 0,
            links: [true; 4],
            has_clock: true,
            errors: ErrorCounters::default(),
            eeprom_error: false,
            vendor_id: 2,
            product_code: 3,
            revision: 1,
            serial: 0,
            order: order.to_owned(),
            name: "a device".to_owned(),
            coe: false,
            sii: vec![0; 128],
            by_coe: false,
            outputs: entries(&[(0x6040, 16), (0x607a, 32)]),
            inputs: entries(&[(0x6041, 16), (0x6064, 32), (0x6077, 16)]),
        }
    }

    #[test]
    fn terminals_keep_their_image_and_branches_their_port() {
        let mut coupler = found(0, None, 0, "EK1100");
        (coupler.outputs, coupler.inputs) = (Vec::new(), Vec::new());
        let mut outputs = found(2, Some(0), 1, "EL2008");
        (outputs.outputs, outputs.inputs) = (entries(&[(0x7000, 1)]), Vec::new());
        let all = [coupler, found(1, Some(0), 3, "AX5000"), outputs];
        let (text, images) = of(&all, "eth1", Some("eth2"));
        let files: Vec<_> = images.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!(files, ["ek1100.sii", "el2008.sii"]);
        let machine = twinstep_config::load(&text, "found.toml");
        let machine = machine.unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let bus = machine.bus.unwrap();
        assert_eq!(bus.redundant_interface.as_deref(), Some("eth2"));
        let names: Vec<_> = bus.subdevices.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["ek1100", "ax5000", "el2008"]);
        let places: Vec<_> = (bus.subdevices.iter())
            .map(|one| one.behind.map(|behind| (behind.subdevice, behind.port)))
            .collect();
        assert_eq!(places, [None, Some((0, 3)), Some((0, 1))]);
        assert_eq!(bus.subdevices[2].sii.as_ref().unwrap().path, "el2008.sii");
    }
}
