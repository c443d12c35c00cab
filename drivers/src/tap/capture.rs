//! Captured files as a source: pcap (micro- and nanoseconds, both byte orders) and pcapng, Ethernet only.
//!
//! Read block by block, so that a capture may be longer than the memory. Bounds: [`MAX_BLOCK`], [`MAX_INTERFACES`].

use super::source::{FrameSource, Heard, Next, TapError, Way};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Longest block of a file (bytes); nothing with Ethernet in it is longer.
pub const MAX_BLOCK: usize = 1 << 20;
/// Most interfaces in a section of a pcapng file.
pub const MAX_INTERFACES: usize = 256;

/// Link type Ethernet.
const ETHERNET: u16 = 1;
const NS_PER_S: u64 = 1_000_000_000;

/// Block types of pcapng.
mod block {
    pub const SECTION: u32 = 0x0a0d_0d0a;
    pub const INTERFACE: u32 = 1;
    pub const PACKET: u32 = 2;
    pub const SIMPLE_PACKET: u32 = 3;
    pub const ENHANCED_PACKET: u32 = 6;
}

/// What an interface of a file says about its packets.
#[derive(Clone, Copy, Debug)]
struct Interface {
    ethernet: bool,
    /// Ticks per second, as a power.
    ticks: Ticks,
    /// Longest part of a frame that was kept (bytes), 0: all of it.
    snap: u32,
}

/// Resolution of time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ticks {
    Decimal(u8),
    Binary(u8),
}

impl Ticks {
    fn to_ns(self, ticks: u64) -> u64 {
        let ticks = u128::from(ticks);
        let ns = u128::from(NS_PER_S);
        let scaled = match self {
            Self::Decimal(power) => ticks * ns / 10_u128.pow(u32::from(power.min(19))),
            Self::Binary(power) => (ticks * ns) >> power.min(63),
        };
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

enum Form {
    /// Classic: what one tick is (ns).
    Classic { tick_ns: u64 },
    /// Blocks.
    Blocks { interfaces: Vec<Interface> },
}

/// A file of captured frames.
pub struct CaptureFile {
    path: PathBuf,
    file: BufReader<File>,
    form: Form,
    big_endian: bool,
    at: u64,
    block: Vec<u8>,
}

impl CaptureFile {
    /// Opens a capture.
    ///
    /// # Errors
    /// [`TapError::File`], or [`TapError::Format`] for what is neither pcap nor pcapng of Ethernet.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TapError> {
        let path = path.as_ref().to_owned();
        let file = File::open(&path).map_err(|error| TapError::File {
            path: path.clone(),
            error,
        })?;
        let mut capture = Self {
            path,
            file: BufReader::with_capacity(1 << 16, file),
            form: Form::Blocks {
                interfaces: Vec::new(),
            },
            big_endian: false,
            at: 0,
            block: Vec::new(),
        };
        let mut magic = [0; 4];
        if !capture.fill(&mut magic)? {
            return Err(capture.wrong("it is empty"));
        }
        let (big_endian, tick_ns) = match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
            _ if u32::from_le_bytes(magic) == block::SECTION => {
                capture.section()?;
                return Ok(capture);
            }
            _ => return Err(capture.wrong("neither pcap nor pcapng begins like this")),
        };
        capture.big_endian = big_endian;
        capture.form = Form::Classic { tick_ns };
        let mut header = [0; 20];
        if !capture.fill(&mut header)? {
            return Err(capture.wrong("it ends within its header"));
        }
        if capture.u32_at(&header, 16) & 0x0fff_ffff != u32::from(ETHERNET) {
            return Err(capture.wrong("its frames are not Ethernet"));
        }
        Ok(capture)
    }

    fn wrong(&self, what: &'static str) -> TapError {
        TapError::Format {
            path: self.path.clone(),
            at: self.at,
            what,
        }
    }

    /// Fills `bytes`; false at the end of the file. What a writer that was killed left unfinished counts as the end.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<bool, TapError> {
        match self.file.read_exact(bytes) {
            Ok(()) => {
                self.at += bytes.len() as u64;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(TapError::File {
                path: self.path.clone(),
                error,
            }),
        }
    }

    fn u32_at(&self, bytes: &[u8], at: usize) -> u32 {
        match bytes.get(at..at + 4) {
            Some(&[a, b, c, d]) if self.big_endian => u32::from_be_bytes([a, b, c, d]),
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        }
    }

    fn u16_at(&self, bytes: &[u8], at: usize) -> u16 {
        match bytes.get(at..at + 2) {
            Some(&[a, b]) if self.big_endian => u16::from_be_bytes([a, b]),
            Some(&[a, b]) => u16::from_le_bytes([a, b]),
            _ => 0,
        }
    }

    /// Reads the rest of a section header, whose type was read already.
    fn section(&mut self) -> Result<(), TapError> {
        let mut head = [0; 8];
        if !self.fill(&mut head)? {
            return Err(self.wrong("a section header is cut short"));
        }
        self.big_endian = match head {
            [_, _, _, _, 0x4d, 0x3c, 0x2b, 0x1a] => false,
            [_, _, _, _, 0x1a, 0x2b, 0x3c, 0x4d] => true,
            _ => return Err(self.wrong("a section header without its byte order")),
        };
        let length = self.u32_at(&head, 0) as usize;
        // Type, length and byte order are read.
        self.read_block(length.checked_sub(12))?;
        self.form = Form::Blocks {
            interfaces: Vec::new(),
        };
        Ok(())
    }

    /// Reads the rest of a block, its closing length included; false at the end of the file.
    fn read_block(&mut self, rest: Option<usize>) -> Result<bool, TapError> {
        let Some(rest) = rest.filter(|rest| (4..=MAX_BLOCK).contains(rest)) else {
            return Err(self.wrong("a block of an impossible length"));
        };
        let mut block = core::mem::take(&mut self.block);
        block.resize(rest.next_multiple_of(4), 0);
        let whole = self.fill(&mut block);
        block.truncate(rest.saturating_sub(4));
        self.block = block;
        whole
    }

    fn interface(&self) -> Interface {
        let mut interface = Interface {
            ethernet: self.u16_at(&self.block, 0) == ETHERNET,
            ticks: Ticks::Decimal(6),
            snap: self.u32_at(&self.block, 4),
        };
        let mut at = 8;
        // Options: code, length, value padded to four bytes.
        while let Some(head) = self.block.get(at..at + 4) {
            let (code, length) = (self.u16_at(head, 0), usize::from(self.u16_at(head, 2)));
            if code == 0 {
                break;
            }
            if let (9, Some(&value)) = (code, self.block.get(at + 4)) {
                interface.ticks = if value & 0x80 == 0 {
                    Ticks::Decimal(value)
                } else {
                    Ticks::Binary(value & 0x7f)
                };
            }
            at += 4 + length.next_multiple_of(4);
        }
        interface
    }

    fn next_classic(&mut self, buffer: &mut [u8], tick_ns: u64) -> Result<Next, TapError> {
        let mut head = [0; 16];
        if !self.fill(&mut head)? {
            return Ok(Next::End);
        }
        let length = self.u32_at(&head, 8) as usize;
        if length > MAX_BLOCK {
            return Err(self.wrong("a frame of an impossible length"));
        }
        let mut block = core::mem::take(&mut self.block);
        block.resize(length, 0);
        let whole = self.fill(&mut block)?;
        self.block = block;
        if !whole {
            return Ok(Next::End);
        }
        let time_ns = (u64::from(self.u32_at(&head, 0)) * NS_PER_S)
            .saturating_add(u64::from(self.u32_at(&head, 4)).saturating_mul(tick_ns));
        let wire_length = self.u32_at(&head, 12) as usize;
        Ok(Next::Frame(heard(
            buffer,
            &self.block,
            wire_length,
            time_ns,
        )))
    }

    fn next_block(&mut self, buffer: &mut [u8]) -> Result<Next, TapError> {
        loop {
            let mut kind = [0; 4];
            if !self.fill(&mut kind)? {
                return Ok(Next::End);
            }
            if u32::from_le_bytes(kind) == block::SECTION {
                self.section()?;
                continue;
            }
            let mut length = [0; 4];
            if !self.fill(&mut length)? {
                return Ok(Next::End);
            }
            let length = self.u32_at(&length, 0) as usize;
            if !self.read_block(length.checked_sub(8))? {
                return Ok(Next::End);
            }
            let kind = self.u32_at(&kind, 0);
            if kind == block::INTERFACE {
                let interface = self.interface();
                let Form::Blocks { interfaces } = &mut self.form else {
                    continue;
                };
                if interfaces.len() == MAX_INTERFACES {
                    return Err(self.wrong("more interfaces than 256"));
                }
                interfaces.push(interface);
            } else if let Some(heard) = self.packet(kind, buffer) {
                return Ok(Next::Frame(heard));
            }
        }
    }

    /// The frame in a block; none where it holds none, or none of Ethernet.
    fn packet(&self, kind: u32, buffer: &mut [u8]) -> Option<Heard> {
        let Form::Blocks { interfaces } = &self.form else {
            return None;
        };
        let body = &self.block;
        let (number, high_at, data_at) = match kind {
            block::ENHANCED_PACKET => (self.u32_at(body, 0) as usize, 4, 20),
            block::PACKET => (usize::from(self.u16_at(body, 0)), 4, 20),
            block::SIMPLE_PACKET => (0, usize::MAX, 4),
            _ => return None,
        };
        let interface = interfaces.get(number).filter(|known| known.ethernet)?;
        if kind == block::SIMPLE_PACKET {
            let wire_length = self.u32_at(body, 0) as usize;
            let snap = match interface.snap {
                0 => usize::MAX,
                snap => snap as usize,
            };
            let data = body.get(data_at..)?;
            let data = data.get(..wire_length.min(snap)).unwrap_or(data);
            return Some(heard(buffer, data, wire_length, 0));
        }
        let ticks =
            u64::from(self.u32_at(body, high_at)) << 32 | u64::from(self.u32_at(body, high_at + 4));
        let length = self.u32_at(body, 12) as usize;
        let wire_length = self.u32_at(body, 16) as usize;
        let data = body.get(data_at..data_at.checked_add(length)?)?;
        Some(heard(
            buffer,
            data,
            wire_length,
            interface.ticks.to_ns(ticks),
        ))
    }
}

fn heard(buffer: &mut [u8], data: &[u8], wire_length: usize, time_ns: u64) -> Heard {
    let length = data.len().min(buffer.len());
    if let (Some(to), Some(from)) = (buffer.get_mut(..length), data.get(..length)) {
        to.copy_from_slice(from);
    }
    Heard {
        length,
        wire_length: wire_length.max(data.len()),
        time_ns,
        way: Way::Both,
    }
}

impl FrameSource for CaptureFile {
    fn next(&mut self, buffer: &mut [u8], _deadline_ns: u64) -> Result<Next, TapError> {
        match self.form {
            Form::Classic { tick_ns } => self.next_classic(buffer, tick_ns),
            Form::Blocks { .. } => self.next_block(buffer),
        }
    }

    fn is_live(&self) -> bool {
        false
    }
}

/// Whether a file begins as a capture does; false too where it cannot be read.
pub fn is_capture(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok()
        && (u32::from_le_bytes(magic) == block::SECTION
            || matches!(
                u32::from_le_bytes(magic),
                0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1
            ))
}
