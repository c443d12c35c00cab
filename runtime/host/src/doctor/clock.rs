//! The clocks that the cycle goes by.

use super::{Check, NOT_UNDER_SYSROOT, Subject};
use crate::clock;
use crate::ptp::{self, Judge};
use twinstep_drivers::ptp::{PtpError, SOCKETS};

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    vec![source(subject), tai(subject), ptp(subject)]
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

fn ptp(subject: &Subject) -> Check {
    let asked = subject.ptp.clone().unwrap_or_default();
    let socket = asked.socket.as_deref().unwrap_or(SOCKETS[0]);
    let check = Check::new(
        "clock.ptp",
        socket,
        "gates, launch times and a cycle on CLOCK_TAI or a PTP clock fit the network only while ptp4l keeps that clock",
    );
    if !subject.root.is_live() {
        return check.not_here(NOT_UNDER_SYSROOT);
    }
    match ptp::ask(&asked) {
        Ok(health) => {
            let line = Judge::default().line(&asked, Some(&health), clock::monotonic_ns());
            let verdict = line.verdict;
            check.ok_or_warn(verdict.is_good(), line.text(), verdict.remedy())
        }
        // Nobody has said that there should be one.
        Err(PtpError::Socket { .. }) if subject.ptp.is_none() => check.not_here("no ptp4l"),
        Err(error) => check.warn(error.to_string(), error.remedy()),
    }
}
