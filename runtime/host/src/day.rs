//! Time of day in UTC, as people and file names have it.

/// Year, month, day of the Gregorian calendar, `days` after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Years are counted from March, so that the day that is not always there comes last; 719 468 days lie between 0000-03-01 and 1970-01-01.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + 400 * era + u64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, negative before.
pub fn days(year: u16, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

/// Year, month, day, hour, minute, second.
fn parts(utc_ns: u64) -> [u64; 6] {
    let seconds = utc_ns / 1_000_000_000;
    let (year, month, day) = date(seconds / 86_400);
    [
        year,
        month,
        day,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    ]
}

/// `2026-11-29 07:10:22.123`, of nanoseconds since 1970, UTC.
pub fn text(utc_ns: u64) -> String {
    let [year, month, day, h, m, s] = parts(utc_ns);
    let ms = utc_ns / 1_000_000 % 1000;
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}.{ms:03}")
}

/// `2026-11-29T07:10:22.123Z`.
pub fn rfc3339(utc_ns: u64) -> String {
    format!("{}Z", text(utc_ns).replace(' ', "T"))
}

/// `20261129T071022Z`: names of that form stand in the order of time.
pub fn compact(utc_ns: u64) -> String {
    let [year, month, day, h, m, s] = parts(utc_ns);
    format!("{year:04}{month:02}{day:02}T{h:02}{m:02}{s:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00.000"),
            (951_782_399, "2000-02-28 23:59:59.000"),
            (951_782_400, "2000-02-29 00:00:00.000"),
            (951_868_800, "2000-03-01 00:00:00.000"),
            (1_798_761_599, "2026-12-31 23:59:59.000"),
            (4_107_542_400, "2100-03-01 00:00:00.000"),
        ] {
            assert_eq!(text(seconds * 1_000_000_000), shown);
        }
        for day in 0..200_000 {
            let (year, month, of_month) = date(day);
            let back = days(year as u16, month as u8, of_month as u8);
            assert_eq!(back, day as i64);
        }
        let utc_ns = 951_782_400_123_456_789;
        assert_eq!(rfc3339(utc_ns), "2000-02-29T00:00:00.123Z");
        assert_eq!(text(utc_ns), "2000-02-29 00:00:00.123");
        assert_eq!(compact(utc_ns), "20000229T000000Z");
        assert!(compact(u64::MAX).ends_with('Z'));
    }
}
