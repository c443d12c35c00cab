//! AL states and AL status codes in words (ETG.1000.6, "AL status codes"; ETG.1020).

/// An AL state by its number in AL status (error bit aside).
pub const fn state_name(status: u8) -> &'static str {
    match status & 0x0f {
        1 => "INIT",
        2 => "PRE-OP",
        3 => "BOOTSTRAP",
        4 => "SAFE-OP",
        8 => "OP",
        _ => "an unknown state",
    }
}

/// What an AL status code means.
pub fn meaning(code: u16) -> &'static str {
    match CODES.binary_search_by_key(&code, |(known, _)| *known) {
        Ok(at) => CODES.get(at).map_or("unknown", |(_, text)| text),
        Err(_) if code >= 0x8000 => "vendor specific, see the manual of the SubDevice",
        Err(_) => "not a known AL status code",
    }
}

/// Known codes, ascending.
const CODES: &[(u16, &str)] = &[
    (0x0000, "no error"),
    (0x0001, "unspecified error"),
    (0x0002, "out of memory"),
    (0x0003, "invalid device setup"),
    (0x0004, "invalid revision"),
    (0x0006, "the SII does not fit the firmware"),
    (
        0x0007,
        "firmware update failed, the old one is still running",
    ),
    (0x000e, "licence error"),
    (0x0011, "this change of state is not allowed from here"),
    (0x0012, "unknown state requested"),
    (0x0013, "bootstrap is not supported"),
    (0x0014, "no valid firmware"),
    (0x0015, "invalid mailbox configuration for BOOTSTRAP"),
    (0x0016, "invalid mailbox configuration for PRE-OP"),
    (0x0017, "invalid SyncManager configuration"),
    (0x0018, "no valid inputs available"),
    (0x0019, "no valid outputs were received"),
    (
        0x001a,
        "synchronisation error: SYNC0 and process data do not come in step",
    ),
    (0x001b, "SyncManager watchdog: no outputs came in time"),
    (0x001c, "invalid SyncManager types"),
    (
        0x001d,
        "invalid output configuration: SyncManager 2 does not fit the RxPDO",
    ),
    (
        0x001e,
        "invalid input configuration: SyncManager 3 does not fit the TxPDO",
    ),
    (0x001f, "invalid watchdog configuration"),
    (0x0020, "the SubDevice needs a cold start"),
    (0x0021, "the SubDevice needs INIT"),
    (0x0022, "the SubDevice needs PRE-OP"),
    (0x0023, "the SubDevice needs SAFE-OP"),
    (0x0024, "invalid input mapping"),
    (0x0025, "invalid output mapping"),
    (0x0026, "settings contradict each other"),
    (0x0027, "free run is not supported"),
    (0x0028, "this kind of synchronisation is not supported"),
    (0x0029, "free run needs three-buffer mode"),
    (0x002a, "background watchdog"),
    (0x002b, "no valid inputs and outputs"),
    (0x002c, "fatal synchronisation error: SYNC0 is missing"),
    (0x002d, "no synchronisation: SYNC0 was never seen"),
    (0x002e, "the cycle time is too short"),
    (0x0030, "invalid DC SYNC configuration"),
    (0x0031, "invalid DC latch configuration"),
    (0x0032, "the PLL does not lock on SYNC0"),
    (0x0033, "DC synchronisation: I/O error"),
    (0x0034, "DC synchronisation: timed out"),
    (0x0035, "invalid DC cycle time"),
    (0x0036, "SYNC0 cycle time does not suit the SubDevice"),
    (0x0037, "SYNC1 cycle time does not suit the SubDevice"),
    (0x0041, "mailbox error: AoE"),
    (0x0042, "mailbox error: EoE"),
    (0x0043, "mailbox error: CoE"),
    (0x0044, "mailbox error: FoE"),
    (0x0045, "mailbox error: SoE"),
    (0x004f, "mailbox error: VoE"),
    (0x0050, "the EEPROM is not accessible"),
    (0x0051, "EEPROM error"),
    (0x0052, "external hardware is not ready"),
    (0x0060, "the SubDevice restarted by itself"),
    (0x0061, "the device identification has changed"),
    (0x0070, "the detected modules are not the configured ones"),
    (0x0080, "supply voltage too low"),
    (0x0081, "supply voltage too high"),
    (0x0082, "temperature too low"),
    (0x0083, "temperature too high"),
    (0x00f0, "the application controller is available"),
];

/// An AL error or an unexpected AL state of one SubDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlReport {
    /// Index of the SubDevice, as in the configuration.
    pub subdevice: usize,
    /// AL status 0x0130: state in the low four bits, error in bit 4; 0 where it does not answer.
    pub status: u8,
    /// AL status code 0x0134.
    pub code: u16,
}

impl AlReport {
    /// In words; `name` is that of the SubDevice.
    pub fn describe(&self, name: &str) -> String {
        if self.status == 0 {
            return format!("SubDevice '{name}' does not answer");
        }
        let error = if self.status & 0x10 != 0 {
            " with an error"
        } else {
            ""
        };
        format!(
            "SubDevice '{name}' is in {}{error}: AL status code 0x{:04x}, {}",
            state_name(self.status),
            self.code,
            meaning(self.code)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ascending_and_found() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(meaning(0x001b).contains("watchdog"));
        assert!(meaning(0x8001).starts_with("vendor"));
        assert!(meaning(0x7fff).starts_with("not a known"));
    }
}
