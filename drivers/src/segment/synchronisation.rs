//! How process data is synchronised: the objects 0x1C32 (outputs) and 0x1C33 (inputs) (ETG.1020, 21).
//!
//! Unless a mode is written, SYNC0 decides where it runs, else the frame. Written in PRE-OP, subindex 1 is 1 (frame; 0x22: the
//! frame of the outputs), 2 (SYNC0) or 3 (SYNC1); subindex 2 the cycle that the MainDevice means, which must be that of SYNC0;
//! subindex 3 how long after the event outputs take effect or inputs are latched.

use super::application::{ABORT_LENGTH, ABORT_NO_SUBINDEX, ABORT_RANGE, ABORT_READ_ONLY};
use super::pdo_config::ABORT_STATE;

/// Highest subindex of 0x1C32 and 0x1C33.
pub const ENTRIES: u8 = 32;
/// Longest shift (ns).
const LONGEST_SHIFT_NS: u32 = 1_000_000_000;
/// Modes that there are: frame, SYNC0, SYNC1; a shift by the own timer.
const SUPPORTED: u32 = 0x002e;

/// What makes the device exchange process data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Every frame.
    Frame,
    /// SYNC0.
    Sync0,
    /// SYNC1.
    Sync1,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameter {
    mode: Option<Event>,
    cycle_ns: Option<u32>,
    shift_ns: u32,
}

/// What was written: outputs, inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncConfig([Parameter; 2]);

/// How a SubDevice is synchronised now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synchronisation {
    /// Cycle of SYNC0 (ns); none: each frame is an event of its own.
    pub sync0_ns: Option<u32>,
    /// SYNC0 pulses in OP without new outputs.
    pub missed: u16,
    /// What was written.
    pub config: SyncConfig,
}

impl SyncConfig {
    /// What outputs (or inputs) wait for.
    pub fn event(&self, inputs: bool, sync0: bool) -> Event {
        let automatic = if sync0 { Event::Sync0 } else { Event::Frame };
        self.0[usize::from(inputs)].mode.unwrap_or(automatic)
    }

    /// How long after that (ns).
    pub fn shift_ns(&self, inputs: bool) -> u32 {
        self.0[usize::from(inputs)].shift_ns
    }

    /// Whether the clock runs as the modes need it.
    pub fn fits(&self, sync0_ns: Option<u32>, sync1: bool) -> bool {
        self.0.iter().all(|parameter| match parameter.mode {
            Some(Event::Sync0) => sync0_ns.is_some(),
            Some(Event::Sync1) => sync1,
            _ => true,
        })
    }

    /// Whether SYNC0 has the cycle that was written.
    pub fn cycle_fits(&self, sync0_ns: Option<u32>) -> bool {
        let written = self.0.iter().filter_map(|parameter| parameter.cycle_ns);
        sync0_ns.is_none_or(|cycle_ns| written.into_iter().all(|one| one == 0 || one == cycle_ns))
    }

    /// SDO download; `pre_op`: the device is in PRE-OP.
    ///
    /// # Errors
    /// A CoE abort code.
    pub fn write(
        &mut self,
        inputs: bool,
        subindex: u8,
        data: &[u8],
        pre_op: bool,
    ) -> Result<(), u32> {
        if !matches!(subindex, 1..=3) {
            return Err(if subindex <= ENTRIES {
                ABORT_READ_ONLY
            } else {
                ABORT_NO_SUBINDEX
            });
        }
        if data.len() != width(subindex) {
            return Err(ABORT_LENGTH);
        }
        if !pre_op {
            return Err(ABORT_STATE);
        }
        let mut bytes = [0; 4];
        for (to, from) in bytes.iter_mut().zip(data) {
            *to = *from;
        }
        let value = u32::from_le_bytes(bytes);
        let parameter = &mut self.0[usize::from(inputs)];
        match subindex {
            1 => {
                parameter.mode = Some(match value {
                    1 => Event::Frame,
                    0x22 if inputs => Event::Frame,
                    2 => Event::Sync0,
                    3 => Event::Sync1,
                    _ => return Err(ABORT_RANGE),
                });
            }
            2 => parameter.cycle_ns = Some(value),
            _ if value <= LONGEST_SHIFT_NS => parameter.shift_ns = value,
            _ => return Err(ABORT_RANGE),
        }
        Ok(())
    }
}

impl Synchronisation {
    /// SDO upload: the value and its bytes.
    ///
    /// # Errors
    /// A CoE abort code.
    pub fn read(&self, inputs: bool, subindex: u8) -> Result<(u32, usize), u32> {
        let parameter = self.config.0[usize::from(inputs)];
        let value = match subindex {
            0 => u32::from(ENTRIES),
            1 => match self.config.event(inputs, self.sync0_ns.is_some()) {
                Event::Frame => 1,
                Event::Sync0 => 2,
                Event::Sync1 => 3,
            },
            2 => parameter.cycle_ns.or(self.sync0_ns).unwrap_or(0),
            3 => parameter.shift_ns,
            4 => SUPPORTED,
            5 => super::dc::Dc::SHORTEST_CYCLE_NS,
            10 => self.sync0_ns.unwrap_or(0),
            12 => u32::from(self.missed),
            6..=9 | 11 | 13..=ENTRIES => 0,
            _ => return Err(ABORT_NO_SUBINDEX),
        };
        Ok((value, width(subindex)))
    }
}

/// Bytes of an entry.
pub const fn width(subindex: u8) -> usize {
    match subindex {
        0 | ENTRIES => 1,
        1 | 4 | 11..=14 => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_taken_in_pre_op_and_checked_against_the_clock() {
        let mut config = SyncConfig::default();
        assert_eq!(config.event(false, true), Event::Sync0);
        assert_eq!(config.event(true, false), Event::Frame);
        assert_eq!(config.write(false, 1, &[3, 0], true), Ok(()));
        assert_eq!(config.write(true, 1, &[0x22, 0], true), Ok(()));
        assert_eq!(
            config.write(false, 3, &500_000_u32.to_le_bytes(), true),
            Ok(())
        );
        assert_eq!(
            config.write(false, 2, &1_000_000_u32.to_le_bytes(), true),
            Ok(())
        );
        assert_eq!(config.event(false, true), Event::Sync1);
        assert_eq!(config.event(true, true), Event::Frame);
        assert!(config.fits(Some(1_000_000), true) && !config.fits(Some(1_000_000), false));
        assert!(config.cycle_fits(Some(1_000_000)) && !config.cycle_fits(Some(500_000)));
        let now = Synchronisation {
            sync0_ns: Some(1_000_000),
            missed: 3,
            config,
        };
        let read = |inputs, subindex| now.read(inputs, subindex).unwrap();
        assert_eq!((read(false, 1), read(true, 1)), ((3, 2), (1, 2)));
        assert_eq!((read(false, 3), read(true, 3)), ((500_000, 4), (0, 4)));
        assert_eq!(read(false, 12), (3, 2));
        for (subindex, data, pre_op, code) in [
            (1, &[0, 0][..], true, ABORT_RANGE),
            (1, &[0x22, 0], true, ABORT_RANGE),
            (1, &[2], true, ABORT_LENGTH),
            (1, &[2, 0], false, ABORT_STATE),
            (3, &[0xff; 4], true, ABORT_RANGE),
            (4, &[2, 0], true, ABORT_READ_ONLY),
            (33, &[0], true, ABORT_NO_SUBINDEX),
        ] {
            assert_eq!(
                config.write(false, subindex, data, pre_op),
                Err(code),
                "{subindex}"
            );
        }
        assert_eq!(now.read(false, 33), Err(ABORT_NO_SUBINDEX));
    }
}
