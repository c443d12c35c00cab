//! CANopen over EtherCAT: the SDO server (ETG.1000.6, 5.6) and the objects that follow from the description.

use super::Description;
use super::application::{ABORT_LENGTH, ABORT_READ_ONLY, Application};
use super::coe_information::{self, inform};
use super::coe_objects::{ABORT_MEMORY, describe};
use super::mailbox::{HEADER, Message, TYPE_COE};
use super::pdo::mappable;
use super::pdo_config::PdoConfig;
use super::synchronisation::{SyncConfig, Synchronisation};

/// Abort: toggle bit not alternated.
const ABORT_TOGGLE: u32 = 0x0503_0000;
/// Abort: command specifier not valid or unknown.
const ABORT_COMMAND: u32 = 0x0504_0001;
/// Abort: unsupported access to an object.
const ABORT_ACCESS: u32 = 0x0601_0000;
/// Command bit: complete access.
const COMPLETE: u8 = 0x10;

/// Largest object value (bytes).
pub const OBJECT_BYTES: usize = 512;
/// CoE services.
const SERVICE_REQUEST: u8 = 2;
const SERVICE_RESPONSE: u8 = 3;
const SERVICE_INFORMATION: u8 = 8;
/// What stands before the payload of one segment: mailbox header, CoE header and command byte.
const SEGMENT: usize = HEADER + 3;
/// What stands before the payload of one fragment of SDO information.
const FRAGMENT: usize = HEADER + 6;
/// What stands before the payload of a normal transfer in one message.
const NORMAL: usize = HEADER + 10;

/// A segmented transfer that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    None,
    Upload {
        position: usize,
    },
    Download {
        index: u16,
        subindex: u8,
        complete: bool,
    },
    /// Fragments of SDO information: the opcode, and what was sent.
    Information {
        opcode: u8,
        position: usize,
    },
}

/// What a request meets: the device behind the server.
pub struct Behind<'a> {
    /// What it is.
    pub description: &'a Description,
    /// How it is synchronised.
    pub sync: Synchronisation,
    /// What of that can be written.
    pub sync_config: &'a mut SyncConfig,
    /// Its PDOs.
    pub pdos: &'a mut PdoConfig,
    /// It is in PRE-OP.
    pub pre_op: bool,
    /// Its firmware.
    pub application: &'a mut dyn Application,
}

/// The server: one SDO transfer at a time, as on a device.
#[derive(Debug)]
pub struct CoeServer {
    value: [u8; OBJECT_BYTES],
    length: usize,
    information: Vec<u8>,
    transfer: Transfer,
    toggle: bool,
    /// Size of the mailbox to the MainDevice (bytes), at least 16.
    room: usize,
}

impl CoeServer {
    /// A server that answers into a mailbox of `room` bytes.
    pub fn new(room: usize) -> Self {
        Self {
            room: room.max(NORMAL),
            value: [0; OBJECT_BYTES],
            length: 0,
            information: Vec::with_capacity(OBJECT_BYTES),
            transfer: Transfer::None,
            toggle: false,
        }
    }

    /// Payload of a message behind a head of `head` bytes.
    fn payload(&self, head: usize) -> usize {
        self.room.saturating_sub(head).max(1)
    }

    /// Answers one CoE message; none where none is due (an abort from the other side).
    pub fn answer(&mut self, body: &[u8], behind: &mut Behind<'_>) -> Option<Message> {
        let service = body.get(1)? >> 4;
        match service {
            SERVICE_REQUEST => self.sdo(body.get(2..)?, behind),
            SERVICE_INFORMATION => {
                let request = body.get(2..)?;
                let (description, application) = (behind.description, &*behind.application);
                let pdos = &*behind.pdos;
                match inform(
                    request,
                    description,
                    pdos,
                    application,
                    &mut self.information,
                ) {
                    Ok(opcode) => {
                        self.transfer = Transfer::Information {
                            opcode,
                            position: 0,
                        };
                        self.next_fragment()
                    }
                    Err(code) => {
                        let mut message = self.start(SERVICE_INFORMATION);
                        message.push(&[coe_information::ERROR, 0, 0, 0]);
                        message.push(&code.to_le_bytes());
                        Some(message)
                    }
                }
            }
            _ => None,
        }
    }

    /// The next fragment of SDO information that is under way: it follows without being asked for.
    pub fn next_fragment(&mut self) -> Option<Message> {
        let Transfer::Information { opcode, position } = self.transfer else {
            return None;
        };
        let rest = self.information.get(position..).unwrap_or_default();
        let fragment = self.payload(FRAGMENT);
        let data = rest.get(..rest.len().min(fragment)).unwrap_or_default();
        let left = (rest.len() - data.len()).div_ceil(fragment);
        let mut message = self.start(SERVICE_INFORMATION);
        message.push(&[opcode | u8::from(left > 0) << 7, 0]);
        message.push(&(left as u16).to_le_bytes());
        message.push(data);
        self.transfer = if left > 0 {
            Transfer::Information {
                opcode,
                position: position + data.len(),
            }
        } else {
            Transfer::None
        };
        Some(message)
    }

    fn sdo(&mut self, sdo: &[u8], behind: &mut Behind<'_>) -> Option<Message> {
        let &command = sdo.first()?;
        // Segments carry data where the others have index and subindex.
        let index = u16::from_le_bytes([*sdo.get(1).unwrap_or(&0), *sdo.get(2).unwrap_or(&0)]);
        let subindex = *sdo.get(3).unwrap_or(&0);
        let result = match command >> 5 {
            0 => self.download_segment(sdo, behind),
            3 => self.upload_segment(command),
            1 | 2 if command & COMPLETE != 0 && subindex > 1 => Err(ABORT_ACCESS),
            1 => self.download(command, (index, subindex), sdo, behind),
            2 => self.upload(command & COMPLETE, index, subindex, behind),
            4 => {
                self.transfer = Transfer::None;
                return None;
            }
            _ => Err(ABORT_COMMAND),
        };
        Some(result.unwrap_or_else(|code| {
            self.transfer = Transfer::None;
            let mut message = self.start(SERVICE_REQUEST);
            message.push(&[0x80]);
            push_address(&mut message, index, subindex);
            message.push(&code.to_le_bytes());
            message
        }))
    }

    fn upload(
        &mut self,
        complete: u8,
        index: u16,
        subindex: u8,
        behind: &mut Behind<'_>,
    ) -> Result<Message, u32> {
        let length = if complete != 0 {
            behind.read_complete(index, subindex, &mut self.value)?
        } else {
            behind.read(index, subindex, &mut self.value)?
        };
        self.length = length.min(OBJECT_BYTES);
        let value = self.value.get(..self.length).unwrap_or_default();
        let mut message = self.start(SERVICE_RESPONSE);
        if (1..=4).contains(&value.len()) {
            message.push(&[0x43 | complete | ((4 - value.len()) as u8) << 2]);
            push_address(&mut message, index, subindex);
            let mut data = [0; 4];
            for (target, byte) in data.iter_mut().zip(value) {
                *target = *byte;
            }
            message.push(&data);
        } else {
            message.push(&[0x41 | complete]);
            push_address(&mut message, index, subindex);
            message.push(&(value.len() as u32).to_le_bytes());
            if value.len() <= self.payload(NORMAL) {
                message.push(value);
            } else {
                // Some masters ignore data beside the size, so all of it travels in segments.
                self.transfer = Transfer::Upload { position: 0 };
                self.toggle = false;
            }
        }
        Ok(message)
    }

    fn upload_segment(&mut self, command: u8) -> Result<Message, u32> {
        let Transfer::Upload { position } = self.transfer else {
            return Err(ABORT_COMMAND);
        };
        if (command & 0x10 != 0) != self.toggle {
            return Err(ABORT_TOGGLE);
        }
        let rest = self.value.get(position..self.length).unwrap_or_default();
        let data = rest
            .get(..rest.len().min(self.payload(SEGMENT)))
            .unwrap_or_default();
        let last = data.len() == rest.len();
        let unused = 7_usize.saturating_sub(data.len());
        let mut message = self.start(SERVICE_RESPONSE);
        message.push(&[u8::from(last) | (unused as u8) << 1 | u8::from(self.toggle) << 4]);
        message.push(data);
        // A segment has room for at least seven bytes.
        message.push([0; 7].get(..unused).unwrap_or_default());
        self.toggle = !self.toggle;
        self.transfer = if last {
            Transfer::None
        } else {
            Transfer::Upload {
                position: position + data.len(),
            }
        };
        Ok(message)
    }

    fn download(
        &mut self,
        command: u8,
        (index, subindex): (u16, u8),
        sdo: &[u8],
        behind: &mut Behind<'_>,
    ) -> Result<Message, u32> {
        let complete = command & COMPLETE != 0;
        if command & 0x02 != 0 {
            let unused = if command & 0x01 != 0 {
                usize::from(command >> 2 & 3)
            } else {
                0
            };
            let data = sdo.get(4..8 - unused).ok_or(ABORT_LENGTH)?;
            behind.write(complete, index, subindex, data)?;
        } else {
            let size = sdo.get(4..8).ok_or(ABORT_LENGTH)?;
            let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
            if size > OBJECT_BYTES {
                return Err(ABORT_MEMORY);
            }
            let data = sdo.get(8..).unwrap_or_default();
            if data.len() >= size {
                let data = data.get(..size).ok_or(ABORT_LENGTH)?;
                behind.write(complete, index, subindex, data)?;
            } else {
                self.length = 0;
                self.append(data)?;
                self.toggle = false;
                self.transfer = Transfer::Download {
                    index,
                    subindex,
                    complete,
                };
            }
        }
        let mut message = self.start(SERVICE_RESPONSE);
        message.push(&[0x60 | command & COMPLETE]);
        push_address(&mut message, index, subindex);
        message.push(&[0; 4]);
        Ok(message)
    }

    fn download_segment(&mut self, sdo: &[u8], behind: &mut Behind<'_>) -> Result<Message, u32> {
        let Transfer::Download {
            index,
            subindex,
            complete,
        } = self.transfer
        else {
            return Err(ABORT_COMMAND);
        };
        let command = *sdo.first().ok_or(ABORT_COMMAND)?;
        if (command & 0x10 != 0) != self.toggle {
            return Err(ABORT_TOGGLE);
        }
        let data = sdo.get(1..).unwrap_or_default();
        let unused = if data.len() <= 7 {
            usize::from(command >> 1 & 7)
        } else {
            0
        };
        let data = data
            .get(..data.len().saturating_sub(unused))
            .ok_or(ABORT_LENGTH)?;
        self.append(data)?;
        if command & 1 != 0 {
            self.transfer = Transfer::None;
            let value = self.value.get(..self.length).unwrap_or_default();
            behind.write(complete, index, subindex, value)?;
        }
        let mut message = self.start(SERVICE_RESPONSE);
        message.push(&[0x20 | u8::from(self.toggle) << 4]);
        message.push(&[0; 7]);
        self.toggle = !self.toggle;
        Ok(message)
    }

    fn start(&self, service: u8) -> Message {
        let mut message = Message::new(TYPE_COE, self.room);
        message.push(&(u16::from(service) << 12).to_le_bytes());
        message
    }

    fn append(&mut self, data: &[u8]) -> Result<(), u32> {
        self.value
            .get_mut(self.length..self.length + data.len())
            .ok_or(ABORT_MEMORY)?
            .copy_from_slice(data);
        self.length += data.len();
        Ok(())
    }
}

impl Behind<'_> {
    fn read(&mut self, index: u16, subindex: u8, value: &mut [u8]) -> Result<usize, u32> {
        match describe(
            self.description,
            self.pdos,
            &self.sync,
            index,
            subindex,
            value,
        ) {
            Some(result) => result,
            None => self.application.read_object(index, subindex, value),
        }
    }

    /// All entries of an object back to back, from subindex 0 (which then takes two bytes) or from 1 on.
    fn read_complete(&mut self, index: u16, from: u8, value: &mut [u8]) -> Result<usize, u32> {
        let mut one = [0; OBJECT_BYTES];
        // What has no entries is read as it is.
        if self.read(index, 0, &mut one)? != 1 || self.read(index, 1, &mut [0; 64]).is_err() {
            return self.read(index, from, value);
        }
        let count = one[0];
        let mut at = 0;
        if from == 0 {
            value
                .get_mut(..2)
                .ok_or(ABORT_MEMORY)?
                .copy_from_slice(&[count, 0]);
            at = 2;
        }
        for subindex in 1..=count {
            let length = self.read(index, subindex, &mut one)?;
            let data = one.get(..length).ok_or(ABORT_MEMORY)?;
            value
                .get_mut(at..at + length)
                .ok_or(ABORT_MEMORY)?
                .copy_from_slice(data);
            at += length;
        }
        Ok(at)
    }

    /// Downloads go to the application; in the communication area PDOs and synchronisation can be written.
    fn write(&mut self, complete: bool, index: u16, subindex: u8, data: &[u8]) -> Result<(), u32> {
        let objects = self.application.objects();
        let mappable = |entry, outputs| mappable(objects, entry, outputs);
        match (index, complete) {
            (0x1600..=0x17ff | 0x1a00..=0x1bff | 0x1c10..=0x1c1f, false) => {
                (self.pdos).write(index, subindex, data, self.pre_op, &mappable)
            }
            (0x1600..=0x17ff | 0x1a00..=0x1bff | 0x1c10..=0x1c1f, true) if subindex == 0 => {
                (self.pdos).write_complete(index, data, self.pre_op, &mappable)
            }
            (0x1600..=0x17ff | 0x1a00..=0x1bff | 0x1c10..=0x1c1f, true) => Err(ABORT_ACCESS),
            (0x1c32 | 0x1c33, false) => {
                (self.sync_config).write(index == 0x1c33, subindex, data, self.pre_op)
            }
            (0x1000..0x2000, _) => Err(ABORT_READ_ONLY),
            (_, false) => self.application.write_object(index, subindex, data),
            (_, true) => self.write_entries(index, subindex, data),
        }
    }

    fn write_entries(&mut self, index: u16, subindex: u8, data: &[u8]) -> Result<(), u32> {
        // The count itself is fixed; entries follow each other in their own lengths.
        let mut rest = data
            .get(if subindex == 0 { 2 } else { 0 }..)
            .ok_or(ABORT_LENGTH)?;
        let mut entry = 1;
        while !rest.is_empty() {
            let length = self
                .application
                .read_object(index, entry, &mut [0; OBJECT_BYTES])?;
            let (one, after) = rest.split_at_checked(length).ok_or(ABORT_LENGTH)?;
            self.application.write_object(index, entry, one)?;
            rest = after;
            entry = entry.checked_add(1).ok_or(ABORT_LENGTH)?;
        }
        Ok(())
    }
}

fn push_address(message: &mut Message, index: u16, subindex: u8) {
    message.push(&index.to_le_bytes());
    message.push(&[subindex]);
}

#[cfg(test)]
#[path = "coe_tests.rs"]
mod tests;
