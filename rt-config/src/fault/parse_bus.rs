//! Reading the values of faults of the bus.

use super::bus::{BusFault, MAX_COUNT};
use super::forms::Form;
use super::parse::{Reader, digits};
use super::{FaultError, FaultKind};
use crate::units;

/// Longest delay, absence or silence (s): an hour.
const MAX_S: f64 = 3600.0;
/// Largest step of a clock (s).
const MAX_STEP_S: f64 = 0.1;
/// Largest drift (1e-6): beyond that no crystal is a crystal any more.
const MAX_DRIFT_PPM: f64 = 1000.0;

impl Reader<'_> {
    /// The fault of the bus that `form` is; `values` are in the order of its keys.
    pub(super) fn bus_kind(&self, form: &Form, values: &[&str]) -> Result<FaultKind, FaultError> {
        let at = |n: usize| {
            let key = form.keys.get(n).map_or("", |(key, _)| key);
            (key, values.get(n).copied().unwrap_or_default())
        };
        let count = |n| self.count(form, at(n));
        let time = |n| self.span(form, at(n));
        Ok(FaultKind::Bus(match form.kind {
            "frame_late" => BusFault::FrameLate {
                by_ns: time(0)?,
                count: count(1)?,
            },
            "frame_duplicate" => BusFault::FrameDuplicate { count: count(0)? },
            "frame_truncate" => BusFault::FrameTruncate { count: count(0)? },
            "frame_corrupt" => BusFault::FrameCorrupt { count: count(0)? },
            "frame_foreign" => BusFault::FrameForeign { count: count(0)? },
            "working_counter" => BusFault::WorkingCounter { count: count(0)? },
            "cable" => BusFault::Cable { for_ns: time(0)? },
            "power" => BusFault::Power { for_ns: time(0)? },
            "al_refuse" => BusFault::AlRefuse {
                state: match at(0).1 {
                    "preop" => 2,
                    "safeop" => 4,
                    "op" => 8,
                    _ => return Err(self.wrong_key(form, at(0), "preop, safeop or op")),
                },
                code: self.code(form, at(1), u32::from(u16::MAX))? as u16,
                count: count(2)?,
            },
            "sdo_abort" => BusFault::SdoAbort {
                code: self.code(form, at(0), u32::MAX)?,
                count: count(1)?,
            },
            "mailbox_late" => BusFault::MailboxLate {
                by_ns: time(0)?,
                count: count(1)?,
            },
            "mailbox_busy" => BusFault::MailboxBusy { for_ns: time(0)? },
            "emergency" => BusFault::Emergency {
                code: self.code(form, at(0), u32::from(u16::MAX))? as u16,
            },
            "watchdog" => BusFault::Watchdog,
            "clock_drift" => BusFault::ClockDrift {
                rate_ppb: self.drift(form, at(0))?,
            },
            "clock_jump" => BusFault::ClockJump {
                step_ns: self.step(form, at(0))?,
            },
            _ => BusFault::EepromChecksum,
        }))
    }

    fn count(&self, form: &Form, value: (&str, &str)) -> Result<u32, FaultError> {
        digits(value.1, 10)
            .filter(|count| (1..=MAX_COUNT).contains(count))
            .ok_or_else(|| self.wrong_key(form, value, "a whole number from 1 to 1000000"))
    }

    /// A time above 0.
    fn span(&self, form: &Form, value: (&str, &str)) -> Result<u64, FaultError> {
        let ns = units::TIME.parse_scaled(value.1, 9).ok();
        ns.filter(|ns| (1.0..=MAX_S * 1e9).contains(ns))
            .map(|ns| (ns + 0.5) as u64)
            .ok_or_else(|| {
                let expected = format!(
                    "a time from 1ns to 1h, with one of the units {}",
                    units::TIME.allowed()
                );
                self.wrong_key(form, value, &expected)
            })
    }

    /// A time of either sign.
    fn step(&self, form: &Form, value: (&str, &str)) -> Result<i64, FaultError> {
        let (sign, size) = match value.1.strip_prefix('-') {
            Some(size) => (-1, size),
            None => (1, value.1),
        };
        let ns = units::TIME.parse_scaled(size, 9).ok();
        ns.filter(|ns| (1.0..=MAX_STEP_S * 1e9).contains(ns))
            .map(|ns| sign * (ns + 0.5) as i64)
            .ok_or_else(|| {
                self.wrong_key(
                    form,
                    value,
                    "a step from 1ns to 100ms forwards, or as much backwards, such as 20us or -20us",
                )
            })
    }

    fn drift(&self, form: &Form, value: (&str, &str)) -> Result<i32, FaultError> {
        let ppm = value
            .1
            .strip_suffix("ppm")
            .and_then(|number| number.trim().parse::<f64>().ok());
        ppm.filter(|ppm| ppm.abs() <= MAX_DRIFT_PPM && *ppm != 0.0)
            .map(|ppm| (ppm * 1000.0 + 0.5_f64.copysign(ppm)) as i32)
            .filter(|ppb| *ppb != 0)
            .ok_or_else(|| {
                self.wrong_key(
                    form,
                    value,
                    "a rate from -1000ppm to 1000ppm, such as 50ppm",
                )
            })
    }

    fn code(&self, form: &Form, value: (&str, &str), max: u32) -> Result<u32, FaultError> {
        let hex = value
            .1
            .strip_prefix("0x")
            .or_else(|| value.1.strip_prefix("0X"));
        hex.map_or_else(|| digits(value.1, 10), |hex| digits(hex, 16))
            .filter(|code| (1..=max).contains(code))
            .ok_or_else(|| {
                self.wrong_key(
                    form,
                    value,
                    &format!("a code from 0x1 to 0x{max:X}, or decimal"),
                )
            })
    }
}
