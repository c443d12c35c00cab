//! SyncManagers: who may touch which part of the RAM, and when a mailbox or buffer is complete.

/// Status bit of a mailbox that holds an unread message.
pub const MAILBOX_FULL: u8 = 0x08;
/// Control bit: writes to this SyncManager feed the watchdog.
const WATCHDOG_TRIGGER: u8 = 0x40;

/// One SyncManager, decoded from its 8 bytes (ETG.1000.4, "Sync manager").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncManager {
    /// First address.
    pub start: u16,
    /// Length (bytes).
    pub length: u16,
    /// Control byte.
    pub control: u8,
    /// In use.
    pub enabled: bool,
    /// Repeat request toggle of the mailbox protocol.
    pub repeat: bool,
}

impl SyncManager {
    /// Decodes the register bytes.
    pub fn decode(bytes: &[u8; 8]) -> Self {
        Self {
            start: u16::from_le_bytes([bytes[0], bytes[1]]),
            length: u16::from_le_bytes([bytes[2], bytes[3]]),
            control: bytes[4],
            enabled: bytes[6] & 1 != 0,
            repeat: bytes[6] & 2 != 0,
        }
    }

    /// The same area, used in the same way: only the repeat toggle may differ.
    pub fn is_same_area(&self, other: &Self) -> bool {
        let without = |sm: &Self| Self {
            repeat: false,
            ..*sm
        };
        without(self) == without(other)
    }

    /// One buffer with hand-over (a mailbox) instead of three buffers.
    pub fn is_mailbox(&self) -> bool {
        self.control & 0x03 == 0x02
    }

    /// The bus writes, the device reads.
    pub fn bus_writes(&self) -> bool {
        self.control & 0x0c == 0x04
    }

    /// Writes feed the process data watchdog.
    pub fn feeds_watchdog(&self) -> bool {
        self.control & WATCHDOG_TRIGGER != 0
    }

    /// An access to `length` bytes at `address` touches this area.
    pub fn overlaps(&self, address: usize, length: usize) -> bool {
        let start = usize::from(self.start);
        self.enabled && address < start + usize::from(self.length) && start < address + length
    }

    /// An access to `length` bytes at `address` touches the last byte, which completes a mailbox or a buffer.
    pub fn completed_by(&self, address: usize, length: usize) -> bool {
        let last = (usize::from(self.start) + usize::from(self.length)).wrapping_sub(1);
        self.enabled && self.length > 0 && (address..address + length).contains(&last)
    }

    /// The area as indexes into the memory.
    pub fn area(&self) -> core::ops::Range<usize> {
        let start = usize::from(self.start);
        start..start + usize::from(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_complete_with_its_last_byte() {
        let sm = SyncManager::decode(&[0x00, 0x10, 0x80, 0x00, 0x26, 0, 1, 0]);
        assert!(sm.is_mailbox() && sm.bus_writes() && sm.enabled);
        assert!(sm.completed_by(0x1000, 128));
        assert!(!sm.completed_by(0x1000, 127));
        assert!(sm.overlaps(0x107f, 4) && !sm.overlaps(0x1080, 4));
    }
}
