//! The clocks that the cycle goes by.

use super::{Check, NOT_UNDER_SYSROOT, Subject};
use crate::clock;

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    vec![source(subject), tai(subject)]
}

fn source(subject: &Subject) -> Check {
    const PATH: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let check = Check::new(
        "clock.source",
        PATH,
        "the clock is read ten times a cycle; other sources than the processor's own cost up to microseconds each time",
    );
    match subject.root.read(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(source) => check
            .ok_or_warn(
                ["tsc", "arch_sys_counter"].contains(&source.as_str()),
                source.as_str(),
                "find out from dmesg why the kernel does not trust the TSC; start it with tsc=reliable only if the hardware is known to be sound",
            ),
    }
}

fn tai(subject: &Subject) -> Check {
    let check = Check::new(
        "clock.tai",
        "CLOCK_TAI - CLOCK_REALTIME",
        "launch times of TSN and PTP count in TAI; the kernel's offset is 0 until somebody sets it",
    );
    if !subject.root.is_live() {
        return check.not_here(NOT_UNDER_SYSROOT);
    }
    let offset_s = clock::tai_offset_s();
    check.ok_or_warn(
        offset_s != 0,
        format!("{offset_s} s"),
        "let ptp4l with phc2sys set it, or chrony with `leapsectz right/UTC`; only needed with [tsn]",
    )
}
