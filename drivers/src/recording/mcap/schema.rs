//! The schemas that stand in a file.

use crate::object_map::{Layout, Slot};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Fields of a cycle before its process data, in the order of the bytes in which all rows are kept.
const HEAD: &str = "\
# One cycle as the bus brought it; raw integers, no units.
# cause: 0 the exchange went well, 1 no frame, 2 working counter (expected, actual), 3 gap, 4 first of a new segment
# valid, one a SubDevice: 0 usable, otherwise why not
uint64 cycle
uint64 time_ns
uint64 dc_time_ns
uint8 cause
uint16 expected_working_counter
uint16 actual_working_counter
uint8 recipe
uint8 part
";

/// Fields behind the process data, where a controller tells some of them; by their place in the configuration, 255: unknown.
const CONDITIONS: &str = "\
uint8 tool
uint8 load
uint8 temperature
";

/// Values of an axis.
pub(super) const AXIS: &str = "\
# SI units as the object map makes them of the raw integers; NaN where there is none
uint64 cycle
bool valid
float64 target_m
float64 position_m
float64 velocity_m_per_s
float64 current_a
";

/// Values of a station.
pub(super) const STATION: &str = "\
# SI units; NaN where there is none
uint64 cycle
bool valid
float64 pressure_pa
bool ejector_on
bool blow_off
";

/// Digest after a cycle.
pub(super) const DIGEST: &str = "\
# Digest of all predictions and events of the run up to and with this cycle
uint64 cycle
uint64 digest
";

/// An event.
pub(super) const EVENT: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"twinstep event","type":"object","properties":{"type":{"const":"event"},"seq":{"type":"integer"},"cycle":{"type":"integer"},"time_ns":{"type":"integer"},"time_utc_ns":{"type":"integer"},"plan":{"type":"string"},"source":{"type":"string"},"channel":{"type":"string"},"state":{"enum":["raised","updated","cleared"]},"detector":{"type":"string"},"severity":{"type":"string"},"measured":{"type":["number","null"]},"predicted":{"type":["number","null"]},"residual":{"type":["number","null"]},"unit":{"type":"string"},"regime":{"type":"string"},"cause":{"type":"string"},"action":{"type":"string"},"asset_id":{"type":"string"}},"required":["type","seq","cycle","source","channel","state"]}"#;

/// What the operator told the run.
pub(super) const COMMAND: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"twinstep command","type":"object","properties":{"cycle":{"type":"integer","description":"the first cycle that it holds for"},"command":{"type":"string"}},"required":["cycle","command"]}"#;

/// The schema of a row: every object a field of its own.
pub(super) fn process_data(layout: &Layout) -> String {
    let mut text = HEAD.to_owned();
    array(&mut text, layout.subdevices.len(), "valid");
    let mut names = BTreeSet::from(["valid".to_owned()]);
    for output in [true, false] {
        let direction = if output { "out" } else { "in" };
        let mut fields: Vec<(Slot, String)> = Vec::new();
        for subdevice in &layout.subdevices {
            let entries = if output {
                &subdevice.outputs
            } else {
                &subdevice.inputs
            };
            for entry in entries {
                let (index, subindex) = (entry.object.index, entry.object.subindex);
                let mut name = format!("{direction}_{}_{index:04x}", plain(&subdevice.name));
                if subindex != 0 {
                    let _ = write!(name, "_{subindex:02x}");
                }
                fields.push((entry.slot, name));
            }
        }
        fields.sort_by_key(|(slot, _)| slot.offset());
        let end = if output {
            layout.output_bytes
        } else {
            layout.input_bytes
        };
        let mut at = 0;
        for (slot, name) in fields {
            // What lies over another object is in that one's field already.
            if slot.offset() < at || slot.offset() + slot.bytes() > end {
                continue;
            }
            fill(&mut text, &mut names, direction, at, slot.offset());
            at = slot.offset() + slot.bytes();
            let sign = if slot.signed() { "" } else { "u" };
            let name = unique(&mut names, name);
            let _ = writeln!(text, "{sign}int{} {name}", 8 * slot.bytes());
        }
        fill(&mut text, &mut names, direction, at, end);
    }
    if layout.conditions {
        text += CONDITIONS;
    }
    text
}

/// Bytes that no object names.
fn fill(text: &mut String, names: &mut BTreeSet<String>, direction: &str, from: usize, to: usize) {
    if from < to {
        let name = unique(names, format!("{direction}_unnamed_{from}"));
        array(text, to - from, &name);
    }
}

fn array(text: &mut String, length: usize, name: &str) {
    if length > 0 {
        let _ = writeln!(text, "uint8[{length}] {name}");
    }
}

/// A name that every reader takes: letters, digits and underscores.
pub(super) fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}

/// The name itself, or with a number behind it where it is taken.
fn unique(names: &mut BTreeSet<String>, name: String) -> String {
    let mut wanted = name.clone();
    let mut number = 2;
    while !names.insert(wanted.clone()) {
        wanted = format!("{name}_{number}");
        number += 1;
    }
    wanted
}
