//! Error codes of emergencies and of drives (0x603F) in words (CiA 301, CiA 402).

/// What an error code means: the most exact that is known.
pub fn meaning(code: u16) -> &'static str {
    let find = |code: u16| {
        let at = CODES
            .binary_search_by_key(&code, |(known, _)| *known)
            .ok()?;
        CODES.get(at).map(|(_, text)| *text)
    };
    [code, code & 0xfff0, code & 0xff00, code & 0xf000]
        .into_iter()
        .find_map(find)
        .unwrap_or("not a known error code, see the manual of the device")
}

/// Known codes, ascending.
const CODES: &[(u16, &str)] = &[
    (0x0000, "error reset"),
    (0x1000, "generic error"),
    (0x2000, "current"),
    (0x2100, "current on the device's input side"),
    (0x2110, "short circuit or earth leakage on the input side"),
    (0x2200, "current inside the device"),
    (0x2300, "current on the device's output side"),
    (0x2310, "continuous over-current on the output side"),
    (0x2320, "short circuit or earth leakage on the output side"),
    (0x2330, "earth leakage"),
    (0x2340, "short circuit"),
    (0x3000, "voltage"),
    (0x3100, "mains voltage"),
    (0x3110, "mains over-voltage"),
    (0x3120, "mains under-voltage"),
    (0x3130, "a mains phase is missing"),
    (0x3200, "voltage inside the device"),
    (0x3210, "over-voltage of the DC link"),
    (0x3220, "under-voltage of the DC link"),
    (0x3300, "output voltage"),
    (0x4000, "temperature"),
    (0x4100, "ambient temperature"),
    (0x4200, "temperature of the device"),
    (0x4210, "the device is too hot"),
    (0x4300, "temperature of the drive"),
    (0x4310, "the drive is too hot"),
    (0x5000, "hardware of the device"),
    (0x5100, "supply of the electronics"),
    (0x5400, "power section"),
    (0x5500, "memory"),
    (0x6000, "software of the device"),
    (0x6100, "internal software"),
    (0x6200, "user software"),
    (0x6300, "parameters"),
    (0x6320, "a parameter is wrong"),
    (0x7000, "additional modules"),
    (0x7100, "power of additional modules"),
    (0x7120, "motor"),
    (0x7121, "the motor is blocked"),
    (0x7180, "motor protection"),
    (0x7300, "sensor"),
    (0x7305, "signal of the first incremental encoder"),
    (0x7310, "speed"),
    (0x7320, "position"),
    (0x7500, "communication"),
    (0x8000, "monitoring"),
    (0x8100, "communication"),
    (0x8110, "communication: objects were lost"),
    (0x8120, "communication: error passive"),
    (
        0x8130,
        "life guard or heartbeat error: the controller was not heard in time",
    ),
    (0x8140, "recovered from bus off"),
    (0x8200, "protocol error"),
    (0x8210, "process data not processed: wrong length"),
    (0x8220, "process data too long"),
    (0x8300, "torque control"),
    (0x8400, "speed control"),
    (0x8500, "position control"),
    (0x8600, "positioning control"),
    (0x8611, "following error"),
    (0x8700, "synchronisation control"),
    (0x9000, "external error"),
    (0xa000, "EtherCAT state machine of the device"),
    (0xf000, "additional functions"),
    (0xff00, "specific to the device, see its manual"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_words_are_found() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(meaning(0x2310).contains("over-current"));
        assert_eq!(meaning(0x2311), meaning(0x2310));
        assert_eq!(meaning(0x23f0), "current on the device's output side");
        assert!(meaning(0x8130).contains("heartbeat"));
        assert!(meaning(0xff07).starts_with("specific"));
        assert!(meaning(0xb000).starts_with("not a known"));
    }
}
