//! Names as levels of a topic.

/// Longest level (bytes).
pub const MAX_LEVEL: usize = 128;

/// `name` as one level of a topic: what has a meaning in topics, or is no text, becomes `_`.
pub fn level(name: &str) -> String {
    let mut level = String::with_capacity(name.len().min(MAX_LEVEL));
    for letter in name.chars() {
        let letter = match letter {
            '/' | '+' | '#' => '_',
            letter if letter.is_control() => '_',
            letter => letter,
        };
        if level.len() + letter.len_utf8() > MAX_LEVEL {
            break;
        }
        level.push(letter);
    }
    // Topics that begin with $ belong to the broker, and no level is empty.
    if level.is_empty() || level.starts_with('$') {
        level.replace_range(..level.len().min(1), "_");
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_makes_two_levels_or_a_wildcard() {
        for (name, expected) in [
            ("press cell", "press cell"),
            ("a/b+c#d\n", "a_b_c_d_"),
            ("$SYS", "_SYS"),
            ("", "_"),
            ("Füge", "Füge"),
        ] {
            assert_eq!(level(name), expected);
        }
        let long = level(&"ü".repeat(200));
        assert!(long.len() <= MAX_LEVEL && long.len() > MAX_LEVEL - 2);
    }
}
