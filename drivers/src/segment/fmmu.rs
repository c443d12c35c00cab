//! Fieldbus memory management units: logical to physical addresses, bit by bit where the mapping is not byte-aligned.

/// One FMMU, decoded from its 16 bytes (ETG.1000.4, "Fieldbus memory management unit").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fmmu {
    /// First logical bit.
    pub logical_bit: u64,
    /// Number of bits.
    pub bits: u64,
    /// First physical bit.
    pub physical_bit: u64,
    /// Mapped for reads.
    pub read: bool,
    /// Mapped for writes.
    pub write: bool,
    /// In use.
    pub active: bool,
}

/// A piece of a datagram that an FMMU maps: `bits` from bit `datagram_bit` of the data, at bit `physical_bit` of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// First bit in the datagram's data.
    pub datagram_bit: usize,
    /// First bit in the ESC's memory.
    pub physical_bit: usize,
    /// Number of bits.
    pub bits: usize,
}

impl Fmmu {
    /// Decodes the register bytes.
    pub fn decode(bytes: &[u8; 16]) -> Self {
        let logical = u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let length = u64::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        let start_bit = u64::from(bytes[6] & 7);
        let end_bit = u64::from(bytes[7] & 7);
        let physical = u64::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        Self {
            logical_bit: logical * 8 + start_bit,
            // The last byte is used up to `end_bit`, the first from `start_bit` on.
            bits: (length * 8)
                .saturating_sub(7 - end_bit)
                .saturating_sub(start_bit),
            physical_bit: physical * 8 + u64::from(bytes[10] & 7),
            read: bytes[11] & 1 != 0,
            write: bytes[11] & 2 != 0,
            active: bytes[12] & 1 != 0,
        }
    }

    /// First and last logical byte that it maps; none where it maps nothing.
    pub fn bytes(&self) -> Option<(u32, u32)> {
        let last_bit = (self.logical_bit + self.bits).checked_sub(1)?;
        // An area may reach beyond the end of the address space, an access never does.
        let byte = |bit: u64| u32::try_from(bit / 8).unwrap_or(u32::MAX);
        (self.active && self.bits > 0).then(|| (byte(self.logical_bit), byte(last_bit)))
    }

    /// The part of a logical access of `length` bytes at `logical` that this FMMU maps.
    pub fn map(&self, logical: u32, length: usize) -> Option<Mapped> {
        if !self.active {
            return None;
        }
        let first = (u64::from(logical) * 8).max(self.logical_bit);
        let end = (u64::from(logical) * 8 + length as u64 * 8).min(self.logical_bit + self.bits);
        (first < end).then(|| Mapped {
            datagram_bit: (first - u64::from(logical) * 8) as usize,
            physical_bit: (self.physical_bit + (first - self.logical_bit)) as usize,
            bits: (end - first) as usize,
        })
    }
}

impl Mapped {
    /// First physical byte and the number of bytes touched.
    pub fn physical_bytes(&self) -> (usize, usize) {
        let first = self.physical_bit / 8;
        (first, (self.physical_bit + self.bits).div_ceil(8) - first)
    }
}

/// Copies `bits` bits from `source` (from bit `source_bit` on) to `target`; what lies outside either is left out.
pub fn copy_bits(
    source: &[u8],
    source_bit: usize,
    target: &mut [u8],
    target_bit: usize,
    bits: usize,
) {
    if source_bit.is_multiple_of(8) && target_bit.is_multiple_of(8) && bits.is_multiple_of(8) {
        let (from, to, length) = (source_bit / 8, target_bit / 8, bits / 8);
        if let (Some(source), Some(target)) = (
            source.get(from..from + length),
            target.get_mut(to..to + length),
        ) {
            target.copy_from_slice(source);
        }
        return;
    }
    for bit in 0..bits {
        let (from, to) = (source_bit + bit, target_bit + bit);
        let Some(&byte) = source.get(from / 8) else {
            return;
        };
        if let Some(target) = target.get_mut(to / 8) {
            let mask = 1 << (to % 8);
            if byte >> (from % 8) & 1 != 0 {
                *target |= mask;
            } else {
                *target &= !mask;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fmmu(logical: u32, length: u16, start_bit: u8, end_bit: u8, physical: u16) -> Fmmu {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&logical.to_le_bytes());
        bytes[4..6].copy_from_slice(&length.to_le_bytes());
        bytes[6] = start_bit;
        bytes[7] = end_bit;
        bytes[8..10].copy_from_slice(&physical.to_le_bytes());
        bytes[11] = 3;
        bytes[12] = 1;
        Fmmu::decode(&bytes)
    }

    #[test]
    fn maps_the_overlap_only() {
        let fmmu = fmmu(0x10, 8, 0, 7, 0x1100);
        let mapped = fmmu.map(0x0c, 8).unwrap();
        assert_eq!((mapped.datagram_bit, mapped.bits), (32, 32));
        assert_eq!(mapped.physical_bytes(), (0x1100, 4));
        assert_eq!(fmmu.map(0x18, 4), None);
        assert_eq!(fmmu.map(0x14, 100).unwrap().physical_bytes(), (0x1104, 4));
    }

    #[test]
    fn single_bits_go_where_they_belong() {
        let fmmu = fmmu(0, 1, 3, 3, 0x1100);
        let mapped = fmmu.map(0, 1).unwrap();
        assert_eq!(
            (mapped.datagram_bit, mapped.physical_bit, mapped.bits),
            (3, 0x8800, 1)
        );
        let mut data = [0xf7];
        copy_bits(&[1], 0, &mut data, mapped.datagram_bit, 1);
        assert_eq!(data, [0xff]);
    }
}
