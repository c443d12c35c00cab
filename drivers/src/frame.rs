//! EtherCAT frames as all sides see them: headers, datagrams and commands (ETG.1000.4).

/// EtherType of EtherCAT.
pub const ETHERTYPE: [u8; 2] = [0x88, 0xa4];
/// Ethernet header and EtherCAT header (bytes).
pub const HEADERS: usize = 16;
/// Datagram header (bytes).
pub const DATAGRAM_HEADER: usize = 10;

/// Commands of a datagram.
pub mod command {
    /// No operation.
    pub const NOP: u8 = 0;
    /// Auto-increment read.
    pub const APRD: u8 = 1;
    /// Auto-increment write.
    pub const APWR: u8 = 2;
    /// Auto-increment read and write.
    pub const APRW: u8 = 3;
    /// Configured address read.
    pub const FPRD: u8 = 4;
    /// Configured address write.
    pub const FPWR: u8 = 5;
    /// Configured address read and write.
    pub const FPRW: u8 = 6;
    /// Broadcast read.
    pub const BRD: u8 = 7;
    /// Broadcast write.
    pub const BWR: u8 = 8;
    /// Broadcast read and write.
    pub const BRW: u8 = 9;
    /// Logical read.
    pub const LRD: u8 = 10;
    /// Logical write.
    pub const LWR: u8 = 11;
    /// Logical read and write.
    pub const LRW: u8 = 12;
    /// Auto-increment read, multiple write.
    pub const ARMW: u8 = 13;
    /// Configured address read, multiple write.
    pub const FRMW: u8 = 14;
}

/// Where the next datagram of a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Offset of its header in the frame.
    pub at: usize,
    /// Command.
    pub command: u8,
    /// Length of its data (bytes).
    pub length: usize,
    /// Another one follows.
    pub more: bool,
}

impl Datagram {
    /// Reads the datagram header at `at`; none where the frame is too short for header, data and working counter.
    pub fn parse(frame: &[u8], at: usize) -> Option<Self> {
        let header = frame.get(at..at + DATAGRAM_HEADER)?;
        let flags = u16::from_le_bytes([header[6], header[7]]);
        let datagram = Self {
            at,
            command: header[0],
            length: usize::from(flags & 0x07ff),
            more: flags & 0x8000 != 0,
        };
        frame.get(at..datagram.end())?;
        Some(datagram)
    }

    /// Offset behind the working counter.
    pub fn end(&self) -> usize {
        self.at + DATAGRAM_HEADER + self.length + 2
    }
}

/// The datagrams of a well-formed frame, one after the other.
pub fn datagrams(frame: &[u8]) -> impl Iterator<Item = Datagram> {
    let first = Datagram::parse(frame, HEADERS);
    core::iter::successors(first, |datagram| {
        (datagram.more)
            .then(|| Datagram::parse(frame, datagram.end()))
            .flatten()
    })
}

/// Whether a frame claims to be EtherCAT.
pub fn is_ethercat(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&ETHERTYPE)
}

/// Walks over the datagrams of a frame; none where it is no well-formed EtherCAT frame.
pub fn is_well_formed(frame: &[u8]) -> bool {
    if !is_ethercat(frame) {
        return false;
    }
    let Some(header) = frame.get(14..16) else {
        return false;
    };
    let header = u16::from_le_bytes([header[0], header[1]]);
    let length = usize::from(header & 0x07ff);
    if header >> 12 != 1 || length == 0 {
        return false;
    }
    let mut at = HEADERS;
    loop {
        match Datagram::parse(frame, at) {
            Some(datagram) if datagram.end() <= HEADERS + length => {
                at = datagram.end();
                if !datagram.more {
                    return true;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_and_foreign_frames_are_not_well_formed() {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&ETHERTYPE);
        frame.extend_from_slice(&[0x0d, 0x10]); // 13 bytes
        frame.extend_from_slice(&[7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert!(is_well_formed(&frame));
        for length in 0..frame.len() {
            assert!(!is_well_formed(&frame[..length]), "{length}");
        }
        frame[12] = 8;
        assert!(!is_well_formed(&frame));
        frame[12] = 0x88;
        frame[22] = 2; // the datagram claims more than the frame
        assert!(!is_well_formed(&frame));
    }
}
