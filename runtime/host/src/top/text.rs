//! Numbers and words in the few characters that there are.

/// A duration in 6 characters (us).
pub(super) fn us(ns: u64) -> String {
    let us = ns as f64 / 1000.0;
    if us < 1000.0 {
        format!("{us:>6.1}")
    } else if us < 1e6 {
        format!("{us:>6.0}")
    } else {
        format!("{:>5.0}s", us / 1e6)
    }
}

/// The same without spaces in front.
pub(super) fn us_short(ns: u64) -> String {
    us(ns).trim_start().to_owned()
}

/// A period in microseconds, with a fraction only where it has one.
pub(super) fn period(ns: u64) -> String {
    format!("{}", ns as f64 / 1000.0)
}

/// A count in at most 7 characters.
pub(super) fn count(count: u64) -> String {
    match count {
        0..10_000_000 => count.to_string(),
        10_000_000..1_000_000_000 => format!("{:.1}M", count as f64 / 1e6),
        _ => format!("{:.1}G", count as f64 / 1e9),
    }
}

/// A count and the word for what is counted.
pub(super) fn counted(number: u64, word: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {word}{end}", count(number))
}

/// A bar of `width` characters, full when `part` reaches `whole`.
pub(super) fn bar(part: u64, whole: u64, width: usize) -> String {
    let filled = u128::from(part) * width as u128 / u128::from(whole.max(1));
    let filled = usize::try_from(filled).unwrap_or(width).min(width);
    "█".repeat(filled) + &"·".repeat(width - filled)
}

/// At most `width` characters of a name.
pub(super) fn short(name: &str, width: usize) -> String {
    name.chars().take(width).collect()
}

/// A number times `scale` in `width` characters, `-` where there is none.
pub(super) fn number(value: Option<f64>, scale: f64, width: usize, digits: usize) -> String {
    value.map_or_else(
        || format!("{:>width$}", "-"),
        |value| format!("{:>width$.digits$}", value * scale),
    )
}

/// A stable word as words.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Time of day in UTC, `hh:mm:ss`.
pub(super) fn time_of_day(utc_ns: u64) -> String {
    let seconds = utc_ns / 1_000_000_000 % 86_400;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `text` in lines of at most `width` characters, each after `indent` spaces; longer words are cut.
pub(super) fn wrapped(text: &str, indent: usize, width: usize) -> Vec<String> {
    let room = width.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let word = short(word, room);
        let more = word.chars().count();
        match lines.last_mut() {
            Some(line) if length + 1 + more <= room => {
                line.push(' ');
                line.push_str(&word);
                length += 1 + more;
            }
            _ => {
                lines.push(" ".repeat(indent) + &word);
                length = more;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_room() {
        for ns in [
            0,
            999_949,
            999_950,
            1_234_567,
            999_999_000,
            3_600_000_000_000,
        ] {
            assert_eq!(us(ns).chars().count(), 6, "{ns}");
        }
        assert_eq!(
            (us_short(1_500).as_str(), us(2_000_000).as_str()),
            ("1.5", "  2000")
        );
        assert_eq!(
            (period(62_500).as_str(), period(1_000_000).as_str()),
            ("62.5", "1000")
        );
        for (number, text) in [
            (0, "0"),
            (9_999_999, "9999999"),
            (12_345_678, "12.3M"),
            (5_000_000_000, "5.0G"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(
            (counted(1, "fault"), counted(2, "fault")),
            ("1 fault".into(), "2 faults".into())
        );
        assert_eq!(number(Some(0.0123), 1e3, 7, 2), "  12.30");
        assert_eq!(number(None, 1e3, 3, 2), "  -");
        assert_eq!(time_of_day(1_000_000_000 * (86_400 + 3_661)), "01:01:01");
    }

    #[test]
    fn bars_are_full_at_the_budget() {
        assert_eq!(bar(0, 100, 4), "····");
        assert_eq!(bar(50, 100, 4), "██··");
        assert_eq!(bar(u64::MAX, 100, 4), "████");
        assert_eq!(bar(5, 0, 4), "████");
    }

    #[test]
    fn text_is_wrapped_between_words_and_long_words_are_cut() {
        assert_eq!(wrapped("one two three", 2, 9), ["  one two", "  three"]);
        assert_eq!(wrapped("incomprehensible", 0, 4), ["inco"]);
        assert!(wrapped("", 0, 4).is_empty());
    }
}
