//! The EEPROM behind 0x0500 to 0x050F: read, write, reload (ETG.1000.4, "SII EEPROM interface").

use super::super::sii_image::checksum;
use super::Device;

/// Eight bytes at a time, two bytes of address.
const BASE: u16 = 0x00c0;
/// Bits of the status.
mod status {
    /// The checksum of the first words is wrong: nothing of them was taken.
    pub const CHECKSUM: u16 = 0x0800;
    /// The command was not carried out.
    pub const COMMAND: u16 = 0x2000;
    /// A write without the enable bit in the same access.
    pub const WRITE_ENABLE: u16 = 0x4000;
}
/// Command bits.
const READ: u16 = 0x0100;
const WRITE: u16 = 0x0200;
const RELOAD: u16 = 0x0400;

impl Device {
    /// Carries out a command.
    pub(super) fn eeprom_command(&mut self) {
        let control = self.word(0x0502);
        let word = self.long(0x0504) as u32 as usize;
        let mut wrong = 0;
        match control & 0x0700 {
            0 => {}
            // The PDI owns the EEPROM.
            _ if self.byte(0x0500) & 1 != 0 => wrong = status::COMMAND,
            READ => {
                let mut bytes = [0xff; 8];
                let rest = word.checked_mul(2).and_then(|at| self.sii.get(at..));
                let source = rest.unwrap_or_default();
                bytes
                    .iter_mut()
                    .zip(source)
                    .for_each(|(to, from)| *to = *from);
                self.put(0x0508, &bytes);
            }
            WRITE if control & 1 == 0 => wrong = status::WRITE_ENABLE,
            WRITE => {
                let data = self.word(0x0508).to_le_bytes();
                let at = word.saturating_mul(2);
                match self.sii.get_mut(at..at.saturating_add(2)) {
                    Some(target) => target.copy_from_slice(&data),
                    None => wrong = status::COMMAND,
                }
            }
            RELOAD => self.load_eeprom(),
            // Several at a time.
            _ => wrong = status::COMMAND,
        }
        self.publish_eeprom(wrong);
    }

    /// At power-up and on reload: the first words are taken if their checksum is right.
    pub(super) fn load_eeprom(&mut self) {
        let head = self.sii.get(..15).unwrap_or_default();
        self.eeprom_fits = head
            .split_last()
            .is_some_and(|(sum, words)| *sum == checksum(words));
        if self.eeprom_fits {
            let alias = self.sii.get(8..10).map(|b| [b[0], b[1]]);
            self.put(0x0012, &alias.unwrap_or_default());
        }
        self.publish_eeprom(0);
    }

    fn publish_eeprom(&mut self, wrong: u16) {
        let checksum = if self.eeprom_fits {
            0
        } else {
            status::CHECKSUM
        };
        self.put(0x0502, &(BASE | checksum | wrong).to_le_bytes());
    }

    /// A bit of the checksum falls over, and the controller notices.
    pub fn damage_eeprom(&mut self) {
        if let Some(byte) = self.sii.get_mut(14) {
            *byte ^= 0x01;
        }
        self.load_eeprom();
    }
}
