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

/// The topic of what is of this `kind` and called so: `root/kind/[bus/]name/..`. The bus stands in it where the machine has several.
pub fn topic<'a>(
    root: &str,
    kind: &str,
    bus: Option<&'a str>,
    names: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut topic = format!("{root}/{kind}");
    for name in bus.into_iter().chain(names) {
        topic.push('/');
        topic += &level(name);
    }
    topic
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
        assert_eq!(
            topic("t/m", "axis", Some("re/ar"), ["lift"]),
            "t/m/axis/re_ar/lift"
        );
        assert_eq!(topic("t/m", "event", None, ["a", "b"]), "t/m/event/a/b");
        let long = level(&"ü".repeat(200));
        assert!(long.len() <= MAX_LEVEL && long.len() > MAX_LEVEL - 2);
    }
}
