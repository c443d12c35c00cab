//! A part of a recording by time: of day, or since its first cycle.

use crate::day;
use crate::error::HostError;
use std::ops::Range;
use std::str::FromStr;
use toml::value::{Datetime, Offset};

/// Longest time since the first cycle that can be named (s): 31 years.
const MAX_S: f64 = 1e9;

/// A time as somebody names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Time of day (ns since 1970, UTC).
    Utc(u64),
    /// Time since the first cycle of the recording (ns).
    SinceFirst(u64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected a time of day with its zone, such as 2026-11-29T07:10:22.5Z, or seconds since the first cycle of the recording, such \
             as 12.5"
                .to_owned()
        };
        if let Ok(seconds) = text.strip_suffix('s').unwrap_or(text).parse::<f64>() {
            if !(0.0..=MAX_S).contains(&seconds) {
                return Err(format!("expected 0 to {MAX_S} seconds, not {seconds}"));
            }
            // It lies in the range of a u64.
            return Ok(Self::SinceFirst((seconds * 1e9).round() as u64));
        }
        let read = text.parse::<Datetime>().map_err(|_| expected())?;
        let (Some(date), Some(time), Some(offset)) = (read.date, read.time, read.offset) else {
            return Err(expected());
        };
        let offset_s = match offset {
            Offset::Z => 0,
            Offset::Custom { minutes } => i64::from(minutes) * 60,
        };
        let of_day = i64::from(time.hour) * 3600
            + i64::from(time.minute) * 60
            + i64::from(time.second.unwrap_or(0));
        let days = day::days(date.year, date.month, date.day);
        let seconds = u64::try_from(days * 86_400 + of_day - offset_s).ok();
        let utc_ns = seconds
            .and_then(|seconds| seconds.checked_mul(1_000_000_000))
            .and_then(|ns| ns.checked_add(time.nanosecond.unwrap_or(0).into()));
        utc_ns
            .map(Self::Utc)
            .ok_or_else(|| "expected a time between the years 1970 and 2554".to_owned())
    }
}

/// Where a recording lies in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Time of day of its first cycle (ns since 1970, UTC).
    pub first_utc_ns: u64,
    /// From the start of the first cycle to the end of the last one (ns).
    pub length_ns: u64,
}

impl Span {
    /// The part from `from` on and before `to`, in ns since the first cycle; all of it where neither is given.
    ///
    /// # Errors
    /// [`HostError::Usage`] where `to` is not behind `from`, or nothing of the recording lies between them.
    pub fn part(&self, from: Option<Moment>, to: Option<Moment>) -> Result<Range<u64>, HostError> {
        let since_first = |moment: Moment| match moment {
            Moment::SinceFirst(ns) => ns,
            Moment::Utc(utc_ns) => utc_ns.saturating_sub(self.first_utc_ns),
        };
        let (start, end) = (
            from.map_or(0, since_first),
            to.map_or(u64::MAX, since_first),
        );
        let problem = if start >= self.length_ns {
            "--from lies behind the end of the recording"
        } else if end == 0 {
            "--to lies before the first cycle of the recording"
        } else if end <= start {
            "--to does not lie behind --from"
        } else {
            return Ok(start..end);
        };
        Err(HostError::usage(
            problem,
            format!(
                "the recording goes from {} to {}, which is from 0 to {} s: name a part of that",
                day::rfc3339(self.first_utc_ns),
                day::rfc3339(self.first_utc_ns.saturating_add(self.length_ns)),
                self.length_ns as f64 / 1e9,
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_and_seconds_are_read_and_nothing_else() {
        let utc = |s: u64, ns| Ok(Moment::Utc(s * 1_000_000_000 + ns));
        for (text, moment) in [
            ("2026-12-31T23:59:59Z", utc(1_798_761_599, 0)),
            ("2026-12-31 23:59:59.25z", utc(1_798_761_599, 250_000_000)),
            ("2027-01-01T00:59:59+01:00", utc(1_798_761_599, 0)),
            ("2026-12-31T22:29:59-01:30", utc(1_798_761_599, 0)),
            ("1970-01-01T00:00:00Z", utc(0, 0)),
            ("2000-02-29T00:00:00Z", utc(951_782_400, 0)),
            ("12.5", Ok(Moment::SinceFirst(12_500_000_000))),
            ("0.001s", Ok(Moment::SinceFirst(1_000_000))),
        ] {
            assert_eq!(text.parse(), moment, "{text}");
        }
        for text in [
            "",
            "s",
            "-1",
            "nan",
            "inf",
            "1e300",
            "2026-12-31",
            "23:59:59",
            "2026-12-31T23:59:59",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "9999-01-01T00:00:00Z",
            "yesterday",
        ] {
            let refused = text.parse::<Moment>().unwrap_err();
            assert!(refused.starts_with("expected"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_part_lies_within_the_recording() {
        let span = Span {
            first_utc_ns: 1_000_000_000_000,
            length_ns: 60_000_000_000,
        };
        let part = |from: Option<&str>, to: Option<&str>| {
            let read = |text: &str| text.parse().unwrap();
            span.part(from.map(read), to.map(read)).ok()
        };
        assert_eq!(part(None, None), Some(0..u64::MAX));
        assert_eq!(part(Some("59.999"), None), Some(59_999_000_000..u64::MAX));
        assert_eq!(
            part(Some("1"), Some("100")),
            Some(1_000_000_000..100_000_000_000)
        );
        // The first cycle was at 00:16:40.
        let at = |time: &str| format!("1970-01-01T{time}Z");
        assert_eq!(
            part(Some(&at("00:16:42")), Some(&at("00:16:43"))),
            Some(2_000_000_000..3_000_000_000)
        );
        assert_eq!(
            part(Some(&at("00:00:00")), Some("1")),
            Some(0..1_000_000_000)
        );
        for (from, to) in [
            (Some("60"), None),
            (Some("3"), Some("3")),
            (Some("3"), Some("2")),
            (None, Some("0")),
            (None, Some("1970-01-01T00:16:40Z")),
            (Some("1970-01-01T00:17:40Z"), None),
        ] {
            assert_eq!(part(from, to), None, "{from:?} {to:?}");
        }
        let said = span.part(Some(Moment::SinceFirst(u64::MAX)), None);
        let said = said.unwrap_err().in_a_line();
        assert!(
            said.contains("1970-01-01T00:16:40.000Z") && said.contains("0 to 60 s"),
            "{said}"
        );
    }
}
