//! The clock of the cycle, and ptp4l, which may keep it: checked and built.

use crate::check::Check;
use crate::machine::{Bus, ClockSource, CycleClock, Ptp};
use crate::raw::{ClockTable, PtpTable};
use crate::value::At;

/// Longest path of a device or a socket (bytes): what the address of a Unix socket holds, with its final 0.
const MAX_PATH: usize = 107;
/// Largest offset that can be allowed (ns).
const MAX_OFFSET_NS: u64 = 1_000_000_000;
/// Silence that can be allowed (ns): ptp4l is asked once a second.
const SILENCE_NS: (u64, u64) = (1_000_000_000, 3_600_000_000_000);

pub(super) fn clock(
    raw: &ClockTable,
    bus: Option<&Bus>,
    period_ns: u64,
    check: &mut Check,
) -> CycleClock {
    let source = match raw.source.value.as_str() {
        "tai" => ClockSource::Tai,
        _ => ClockSource::Device(path("source", &raw.source, check)),
    };
    if let ClockSource::Device(path) = &source
        && !path.starts_with("/dev/")
    {
        check.problem(
            &raw.source.span,
            "this clock is not known",
            "not known",
            "write \"tai\" (CLOCK_TAI), or the device of a PTP hardware clock such as \"/dev/ptp0\"",
        );
    }
    if bus.is_some_and(|bus| bus.tap.is_some() || bus.pubsub.is_some()) {
        check.problem(
            &raw.source.span,
            "the cycle of who listens begins with the frames of others",
            "no clock of our own",
            "leave [realtime.clock] out",
        );
    }
    // A period that has a problem of its own is 0 here.
    let last_ns = if period_ns > 0 {
        period_ns - 1
    } else {
        u64::MAX
    };
    CycleClock {
        source,
        phase_ns: (raw.phase.as_ref())
            .map_or(0, |phase| check.nanoseconds("phase", phase, (0, last_ns))),
        follow: raw.follow.as_ref().is_none_or(|follow| follow.value),
    }
}

pub(super) fn ptp(raw: &PtpTable, check: &mut Check) -> Ptp {
    let usual = Ptp::default();
    let domain = raw.domain.as_ref().map(|domain| {
        u8::try_from(domain.value).unwrap_or_else(|_| {
            check.problem(
                &domain.span,
                format!("there is no PTP domain {}", domain.value),
                "0 to 255",
                "take the domainNumber of ptp4l.conf",
            );
            0
        })
    });
    Ptp {
        socket: raw.socket.as_ref().map(|text| path("socket", text, check)),
        domain: domain.unwrap_or(usual.domain),
        max_offset_ns: (raw.max_offset.as_ref()).map_or(usual.max_offset_ns, |offset| {
            check.nanoseconds("max_offset", offset, (1, MAX_OFFSET_NS))
        }),
        max_silence_ns: (raw.max_silence.as_ref()).map_or(usual.max_silence_ns, |silence| {
            check.nanoseconds("max_silence", silence, SILENCE_NS)
        }),
    }
}

fn path(key: &str, raw: &At<String>, check: &mut Check) -> String {
    let text = &raw.value;
    let fine =
        text.starts_with('/') && text.len() <= MAX_PATH && !text.chars().any(char::is_control);
    // What a clock may be called is said by who reads it.
    if !fine && key == "socket" {
        check.problem(
            &raw.span,
            format!("`{key}` must be a path of at most {MAX_PATH} bytes from the root on"),
            "no such path",
            "write it like \"/var/run/ptp4l\"",
        );
    }
    if fine { text.clone() } else { String::new() }
}
