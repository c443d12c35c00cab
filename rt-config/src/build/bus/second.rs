//! Drives with two axes: one SubDevice that carries both.

use super::Device;
use crate::check::Check;
use crate::machine::{PdoEntry, SECOND_AXIS, SubDevice};
use crate::raw::SubDeviceTable;

/// Lets the SubDevices of first axes carry the process data of second ones, which lose theirs.
pub(super) fn join(
    tables: &[SubDeviceTable],
    devices: &[Device<'_>],
    built: &mut Vec<SubDevice>,
    check: &mut Check,
) {
    let is_drive = |name: &str| {
        let found = devices.iter().find(|device| device.name.value == name);
        found.is_some_and(|device| device.drive)
    };
    for table in tables {
        let Some(second) = &table.second_axis else {
            continue;
        };
        let first = &table.name.value;
        let position = |built: &[SubDevice], name: &str| {
            built
                .iter()
                .position(|one| one.name == name && one.second.is_none())
        };
        let places = (position(built, first), position(built, &second.value));
        let (true, true, (Some(_), Some(at))) = (
            is_drive(first) && is_drive(&second.value),
            *first != second.value,
            places,
        ) else {
            check.problem(
                &second.span,
                format!(
                    "\"{}\" cannot be the second axis of \"{}\"",
                    crate::error::shortened(&second.value),
                    crate::error::shortened(first)
                ),
                "not possible",
                "both must be axes or presses, two different ones, each in one SubDevice only",
            );
            continue;
        };
        let behind = built.remove(at);
        let moved = |entries: &[PdoEntry]| -> Vec<PdoEntry> {
            let further = |entry: &PdoEntry| PdoEntry {
                index: entry.index.wrapping_add(SECOND_AXIS),
                ..*entry
            };
            entries.iter().map(further).collect()
        };
        // The first is still there: the two are different ones.
        if let Some(at) = position(built, first)
            && let Some(both) = built.get_mut(at)
        {
            both.outputs.extend(moved(&behind.outputs));
            both.inputs.extend(moved(&behind.inputs));
            both.second = Some(behind.name);
        }
    }
}
