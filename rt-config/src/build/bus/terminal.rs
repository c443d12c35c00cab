//! SubDevices beside axes, presses and stations: I/O terminals, and what is known by an EEPROM image.

use super::{Ids, entries, identify};
use crate::build::{Whole, text};
use crate::check::Check;
use crate::machine::{SiiFile, SubDevice};
use crate::raw::{BusTable, SubDeviceTable};

/// Product code of a simulated terminal.
const SIMULATED_TERMINAL: u32 = 0x0000_0403;

/// Adds them, behind those of axes, presses and stations.
pub(super) fn add(raw: &BusTable, whole: &Whole, built: &mut Vec<SubDevice>, check: &mut Check) {
    check.unique(
        "[[bus.subdevice]]",
        raw.subdevice.iter().map(|one| &one.name),
    );
    let carried: Vec<String> = built.iter().map(|device| device.name.clone()).collect();
    for table in &raw.subdevice {
        if table.is_its_own() {
            built.push(terminal(table, whole, check));
            continue;
        }
        if !carried.contains(&table.name.value) {
            let known: Vec<&str> = carried.iter().map(String::as_str).collect();
            check.unknown("axis, press or station", &table.name, &known);
        }
        let ids = table.vendor_id.as_ref().or(table.product_code.as_ref());
        if let Some(id) = ids {
            check.problem(
                &id.span,
                "the ids of an axis, press or station stand in its own table",
                "not here",
                "move them there; a terminal of its own has `inputs`, `outputs` or `sii`",
            );
        }
    }
}

fn terminal(table: &SubDeviceTable, whole: &Whole, check: &mut Check) -> SubDevice {
    let ids = Ids {
        vendor_id: table.vendor_id.as_ref(),
        product_code: table.product_code.as_ref(),
    };
    let given = ids.vendor_id.or(ids.product_code);
    let sii = table.sii.as_ref().map(|path| SiiFile {
        path: text("sii", path, check),
        bytes: Vec::new(),
    });
    let (vendor_id, product_code) = match (&sii, given) {
        (Some(_), Some(id)) => {
            check.problem(
                &id.span,
                "the ids of a SubDevice with an EEPROM image follow from the image",
                "told twice",
                "leave them out",
            );
            (0, 0)
        }
        (Some(_), None) => (0, 0),
        (None, _) => identify(
            &table.name,
            &ids,
            (SIMULATED_TERMINAL, "[[bus.subdevice]]"),
            whole,
            check,
        ),
    };
    SubDevice {
        name: table.name.value.clone(),
        vendor_id,
        product_code,
        outputs: entries("outputs", table.outputs.as_ref(), &[], &[], check),
        inputs: entries("inputs", table.inputs.as_ref(), &[], &[], check),
        sii,
        terminal: true,
        ..SubDevice::default()
    }
}
