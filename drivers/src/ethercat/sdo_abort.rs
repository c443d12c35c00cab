//! Abort codes of SDOs in words (ETG.1000.6, table 41).

/// What an abort code means.
pub fn meaning(code: u32) -> &'static str {
    CODES
        .binary_search_by_key(&code, |(known, _)| *known)
        .ok()
        .and_then(|at| CODES.get(at))
        .map_or(
            "not a known abort code, see the manual of the device",
            |(_, text)| text,
        )
}

/// Known codes, ascending.
const CODES: &[(u32, &str)] = &[
    (0x0503_0000, "the toggle bit did not change"),
    (0x0504_0000, "the transfer took too long"),
    (0x0504_0001, "the command is not known to it"),
    (0x0504_0005, "it is out of memory"),
    (0x0601_0000, "the object cannot be accessed like that"),
    (0x0601_0001, "the object can only be written"),
    (0x0601_0002, "the object can only be read"),
    (
        0x0601_0003,
        "the subindex can be written only while subindex 0 is 0",
    ),
    (0x0601_0004, "the object cannot be accessed as a whole"),
    (0x0601_0005, "the object is longer than the mailbox"),
    (
        0x0601_0006,
        "the object is mapped into outputs and cannot be written",
    ),
    (0x0602_0000, "it has no such object"),
    (0x0604_0041, "the object cannot be mapped into process data"),
    (
        0x0604_0042,
        "the mapped objects are longer than the process data may be",
    ),
    (0x0604_0043, "the parameters do not fit together"),
    (
        0x0604_0047,
        "the device does not fit itself: an internal incompatibility",
    ),
    (0x0606_0000, "a fault of its hardware"),
    (0x0607_0010, "the value has another length"),
    (0x0607_0012, "the value is too long"),
    (0x0607_0013, "the value is too short"),
    (0x0609_0011, "the object has no such subindex"),
    (0x0609_0030, "the value is out of its range"),
    (0x0609_0031, "the value is too large"),
    (0x0609_0032, "the value is too small"),
    (0x0609_0036, "the largest value is below the smallest"),
    (0x0800_0000, "a general error"),
    (
        0x0800_0020,
        "the value can be neither transferred nor stored",
    ),
    (
        0x0800_0021,
        "the value cannot be stored: the device is controlled locally",
    ),
    (
        0x0800_0022,
        "the value cannot be stored in its present state",
    ),
    (0x0800_0023, "it has no object dictionary"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_unknown_ones_are_called_so() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(meaning(0x0602_0000), "it has no such object");
        assert!(meaning(1).starts_with("not a known"));
    }
}
