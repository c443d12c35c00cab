//! What is shared with other programs.

use crate::check::Check;
use crate::machine::{Controller, MAX_NAME, Shared};
use crate::raw::{File, SharedTable};

/// Most cycles from one sample of the axes to the next.
const MAX_EVERY: u32 = 100_000;
/// Longest silence of a controller (ns).
const MAX_LIVENESS_NS: u64 = 1_000_000_000;

pub(super) fn shared(
    raw: &SharedTable,
    file: &File,
    bus: bool,
    period_ns: u64,
    check: &mut Check,
) -> Shared {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = &raw.name;
    if name.value.is_empty() || name.value.len() > MAX_NAME || !name.value.chars().all(plain) {
        check.problem(
            &name.span,
            format!("`name` must be 1 to {MAX_NAME} letters, digits, '-', '_' or '.'"),
            "no name of a service",
            "write it as in \"press-cell\"",
        );
    }
    let axes_every = raw.axes_every.as_ref().map_or(1, |every| {
        if !(1..=MAX_EVERY).contains(&every.value) {
            check.problem(
                &every.span,
                format!("`axes_every` must be 1 to {MAX_EVERY} cycles"),
                "outside",
                "write 1 for every cycle",
            );
        }
        every.value
    });
    let controller = raw.controller.as_ref().map(|controller| {
        let kind = file.bus.as_ref().and_then(|bus| bus.kind.as_ref());
        let listens = kind.is_some_and(|kind| kind.value != "main_device");
        if !bus || listens {
            check.problem(
                &name.span,
                "a controller can move only drives whose set-points twinstep sends",
                "this machine is only listened to",
                "leave [shared.controller] out, or make twinstep the MainDevice",
            );
        }
        // A period that has a problem of its own is 0 here.
        let shortest = period_ns.clamp(1, MAX_LIVENESS_NS);
        let liveness_ns = check.nanoseconds(
            "liveness",
            &controller.liveness,
            (shortest, MAX_LIVENESS_NS),
        );
        Controller {
            liveness_cycles: u32::try_from(liveness_ns / shortest).unwrap_or(u32::MAX),
        }
    });
    Shared {
        name: name.value.clone(),
        axes_every,
        controller,
    }
}
