//! CiA 402 objects in the process data: their lengths, and what a drive maps unless told otherwise.

use crate::machine::PdoEntry;

/// Longest list of outputs or inputs of one SubDevice.
pub(crate) const MAX_ENTRIES: usize = 32;

/// Known objects: index, subindex, bits, name in CiA 402.
pub(crate) const KNOWN: [(u16, u8, u8, &str); 19] = [
    (0x603f, 0, 16, "error code"),
    (0x6040, 0, 16, "controlword"),
    (0x6041, 0, 16, "statusword"),
    (0x6060, 0, 8, "modes of operation"),
    (0x6061, 0, 8, "modes of operation display"),
    (0x6064, 0, 32, "position actual value"),
    (0x606c, 0, 32, "velocity actual value"),
    (0x6071, 0, 16, "target torque"),
    (0x6074, 0, 16, "torque demand"),
    (0x6075, 0, 32, "motor rated current"),
    (0x6076, 0, 32, "motor rated torque"),
    (0x6077, 0, 16, "torque actual value"),
    (0x6078, 0, 16, "current actual value"),
    (0x607a, 0, 32, "target position"),
    (0x60b1, 0, 32, "velocity offset"),
    (0x60b2, 0, 16, "torque offset"),
    (0x60c2, 1, 8, "interpolation time period value"),
    (0x60f4, 0, 32, "following error actual value"),
    (0x60ff, 0, 32, "target velocity"),
];

const fn entry(index: u16, subindex: u8, bits: u8) -> PdoEntry {
    PdoEntry {
        index,
        subindex,
        bits,
    }
}

/// Outputs of a drive in cyclic synchronous position mode.
pub(crate) const DRIVE_OUTPUTS: [PdoEntry; 5] = [
    entry(0x6040, 0, 16),
    entry(0x607a, 0, 32),
    entry(0x60b1, 0, 32),
    entry(0x60b2, 0, 16),
    entry(0x6060, 0, 8),
];

/// Inputs of a drive.
pub(crate) const DRIVE_INPUTS: [PdoEntry; 7] = [
    entry(0x6041, 0, 16),
    entry(0x6064, 0, 32),
    entry(0x606c, 0, 32),
    entry(0x6077, 0, 16),
    entry(0x60f4, 0, 32),
    entry(0x603f, 0, 16),
    entry(0x6061, 0, 8),
];

/// Outputs of a station: ejector and blow-off valve in one byte.
pub(crate) const STATION_OUTPUTS: [PdoEntry; 1] = [entry(0x7000, 1, 8)];

/// Inputs of a station: pressure, and switches in one byte.
pub(crate) const STATION_INPUTS: [PdoEntry; 2] = [entry(0x6000, 1, 16), entry(0x6000, 2, 8)];

/// Reads `0x607A`, or `0x7000:01/8` with subindex (hexadecimal) and bits for any object.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(text: &str) -> Result<PdoEntry, String> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let (index, subindex) = match address.split_once(':') {
        Some((index, subindex)) => (index, Some(subindex)),
        None => (address, None),
    };
    let hexadecimal = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u16::from_str_radix(text, 16).ok())
            .flatten()
    };
    let index = index
        .strip_prefix("0x")
        .or_else(|| index.strip_prefix("0X"))
        .and_then(hexadecimal)
        .ok_or("the index is hexadecimal, 0x0000 to 0xFFFF")?;
    let known = KNOWN.iter().find(|known| known.0 == index);
    let subindex = match subindex {
        Some(text) => hexadecimal(text)
            .and_then(|value| u8::try_from(value).ok())
            .ok_or("the subindex is hexadecimal, 00 to FF")?,
        None => known
            .map(|known| known.1)
            .ok_or("it is none of the known CiA 402 objects, so subindex and bits must be given")?,
    };
    let length = known
        .filter(|known| known.1 == subindex)
        .map(|known| known.2);
    let bits = match (bits, length) {
        (None, Some(length)) => length,
        (None, None) => return Err("its length is not known, so the bits must be given".into()),
        (Some("8"), None | Some(8)) => 8,
        (Some("16"), None | Some(16)) => 16,
        (Some("32"), None | Some(32)) => 32,
        (Some(_), Some(length)) => return Err(format!("CiA 402 gives it {length} bits")),
        (Some(_), None) => return Err("the length is 8, 16 or 32 bits".into()),
    };
    Ok(entry(index, subindex, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_objects_need_no_length() {
        assert_eq!(parse("0x607A"), Ok(entry(0x607a, 0, 32)));
        assert_eq!(parse("0x607a:00/32"), Ok(entry(0x607a, 0, 32)));
        assert_eq!(parse("0x60C2"), Ok(entry(0x60c2, 1, 8)));
        assert_eq!(parse("0x7000:01/8"), Ok(entry(0x7000, 1, 8)));
        assert_eq!(parse("0x60C2:02/8"), Ok(entry(0x60c2, 2, 8)));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "607A",
            "0x",
            "0x+12",
            "0x607A/16",
            "0x7000",
            "0x7000:01",
            "0x7000:01/7",
            "0x10000:00/8",
            "0x7000:100/8",
            "0x7000:/8",
            "0x7000:1/",
            "µ",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_defaults_have_the_lengths_of_the_table() {
        for default in DRIVE_OUTPUTS.iter().chain(&DRIVE_INPUTS) {
            let text = format!("0x{:04X}", default.index);
            assert_eq!(parse(&text).as_ref(), Ok(default));
        }
    }
}
