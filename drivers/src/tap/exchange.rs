//! The datagrams of a frame and of its answer, side by side.

use crate::frame::{DATAGRAM_HEADER, Datagram, HEADERS, command as c};

/// A datagram as it went out and as it came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// Command.
    pub command: u8,
    /// Position or station address, as it went out.
    pub position: u16,
    /// Register.
    pub offset: u16,
    /// Data as it went out.
    pub sent: &'a [u8],
    /// Data as it came back, of the same length.
    pub back: &'a [u8],
    /// Working counter as it came back.
    pub counter: u16,
}

impl Exchange<'_> {
    /// Logical address, where the command has one.
    pub fn logical(&self) -> u32 {
        u32::from(self.offset) << 16 | u32::from(self.position)
    }

    /// The command has a logical address.
    pub fn is_logical(&self) -> bool {
        is_logical(self.command)
    }

    /// Place in the ring, for commands that count it.
    pub fn ring_position(&self) -> Option<u16> {
        matches!(self.command, c::APRD | c::APWR | c::APRW | c::ARMW)
            .then(|| 0_u16.wrapping_sub(self.position))
    }

    /// Station address, for commands that have one.
    pub fn address(&self) -> Option<u16> {
        matches!(self.command, c::FPRD | c::FPWR | c::FPRW | c::FRMW).then_some(self.position)
    }

    /// All SubDevices are meant.
    pub fn is_broadcast(&self) -> bool {
        matches!(self.command, c::BRD | c::BWR | c::BRW)
    }

    /// The addressed SubDevice has taken the data.
    pub fn wrote(&self) -> bool {
        let writes = matches!(
            self.command,
            c::APWR | c::FPWR | c::BWR | c::APRW | c::FPRW | c::BRW
        );
        writes && self.counter > 0
    }

    /// `back` is what the addressed SubDevice holds.
    pub fn read(&self) -> bool {
        let reads = matches!(
            self.command,
            c::APRD | c::FPRD | c::BRD | c::ARMW | c::FRMW | c::APRW | c::FPRW | c::BRW
        );
        reads && self.counter > 0
    }

    /// `bytes` of register `register` in `data`, which begins at the exchange's offset.
    pub fn part<'a>(&self, data: &'a [u8], register: u16, bytes: usize) -> Option<&'a [u8]> {
        let at = usize::from(register.checked_sub(self.offset)?);
        data.get(at..at.checked_add(bytes)?)
    }
}

/// LRD, LWR or LRW.
pub fn is_logical(command: u8) -> bool {
    matches!(command, c::LRD | c::LWR | c::LRW)
}

/// The datagrams of a well-formed frame and its answer; `answer` may be the frame itself where it is not back yet.
pub fn exchanges<'a>(sent: &'a [u8], answer: &'a [u8]) -> impl Iterator<Item = Exchange<'a>> {
    let mut at = Some(HEADERS);
    core::iter::from_fn(move || {
        let datagram = Datagram::parse(sent, at?)?;
        at = datagram.more.then(|| datagram.end());
        let header = sent.get(datagram.at..datagram.at + DATAGRAM_HEADER)?;
        let data = datagram.at + DATAGRAM_HEADER..datagram.end() - 2;
        let counter = answer.get(data.end..data.end + 2)?;
        Some(Exchange {
            command: datagram.command,
            position: u16::from_le_bytes([header[2], header[3]]),
            offset: u16::from_le_bytes([header[4], header[5]]),
            sent: sent.get(data.clone())?,
            back: answer.get(data)?,
            counter: u16::from_le_bytes([counter[0], counter[1]]),
        })
    })
}
