//! CANopen over EtherCAT: the SDO server (ETG.1000.6, 5.6) and the objects that follow from the description.

use super::Description;
use super::application::{ABORT_LENGTH, ABORT_READ_ONLY, Application};
use super::coe_objects::{ABORT_MEMORY, describe};
use super::mailbox::{CAPACITY, HEADER, Message, TYPE_COE};

/// Abort: toggle bit not alternated.
const ABORT_TOGGLE: u32 = 0x0503_0000;
/// Abort: command specifier not valid or unknown.
const ABORT_COMMAND: u32 = 0x0504_0001;
/// Abort: unsupported access (complete access is not offered).
const ABORT_ACCESS: u32 = 0x0601_0000;

/// Largest object value (bytes).
pub const OBJECT_BYTES: usize = 512;
/// CoE services.
const SERVICE_REQUEST: u8 = 2;
const SERVICE_RESPONSE: u8 = 3;
const SERVICE_INFORMATION: u8 = 8;
/// Largest payload of one segment: mailbox without mailbox header, CoE header and command byte.
const SEGMENT: usize = CAPACITY - HEADER - 3;
/// Largest payload of a normal transfer in one message.
const NORMAL: usize = CAPACITY - HEADER - 10;

/// A segmented transfer that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    None,
    Upload { position: usize },
    Download { index: u16, subindex: u8 },
}

/// The server: one SDO transfer at a time, as on a device.
#[derive(Debug)]
pub struct CoeServer {
    value: [u8; OBJECT_BYTES],
    length: usize,
    transfer: Transfer,
    toggle: bool,
}

impl Default for CoeServer {
    fn default() -> Self {
        Self {
            value: [0; OBJECT_BYTES],
            length: 0,
            transfer: Transfer::None,
            toggle: false,
        }
    }
}

impl CoeServer {
    /// Answers one CoE message; none where none is due (an abort from the other side).
    pub fn answer(
        &mut self,
        body: &[u8],
        description: &Description,
        application: &mut dyn Application,
    ) -> Option<Message> {
        let service = body.get(1)? >> 4;
        match service {
            SERVICE_REQUEST => self.sdo(body.get(2..)?, description, application),
            SERVICE_INFORMATION => {
                // SDO information is not offered; the reply is its own error message (opcode 7).
                let mut message = start(SERVICE_INFORMATION);
                message.push(&[7, 0, 0, 0]);
                message.push(&ABORT_ACCESS.to_le_bytes());
                Some(message)
            }
            _ => None,
        }
    }

    fn sdo(
        &mut self,
        sdo: &[u8],
        description: &Description,
        application: &mut dyn Application,
    ) -> Option<Message> {
        let &command = sdo.first()?;
        // Segments carry data where the others have index and subindex.
        let index = u16::from_le_bytes([*sdo.get(1).unwrap_or(&0), *sdo.get(2).unwrap_or(&0)]);
        let subindex = *sdo.get(3).unwrap_or(&0);
        let result = match command >> 5 {
            0 => self.download_segment(sdo, application),
            3 => self.upload_segment(command),
            1 | 2 if command & 0x10 != 0 => Err(ABORT_ACCESS),
            1 => self.download(command, index, subindex, sdo, application),
            2 => self.upload(index, subindex, description, application),
            4 => {
                self.transfer = Transfer::None;
                return None;
            }
            _ => Err(ABORT_COMMAND),
        };
        Some(result.unwrap_or_else(|code| {
            self.transfer = Transfer::None;
            let mut message = start(SERVICE_REQUEST);
            message.push(&[0x80]);
            push_address(&mut message, index, subindex);
            message.push(&code.to_le_bytes());
            message
        }))
    }

    fn upload(
        &mut self,
        index: u16,
        subindex: u8,
        description: &Description,
        application: &mut dyn Application,
    ) -> Result<Message, u32> {
        let length = match describe(description, index, subindex, &mut self.value) {
            Some(result) => result?,
            None => application.read_object(index, subindex, &mut self.value)?,
        };
        self.length = length.min(OBJECT_BYTES);
        let value = self.value.get(..self.length).unwrap_or_default();
        let mut message = start(SERVICE_RESPONSE);
        if (1..=4).contains(&value.len()) {
            message.push(&[0x43 | ((4 - value.len()) as u8) << 2]);
            push_address(&mut message, index, subindex);
            let mut data = [0; 4];
            for (target, byte) in data.iter_mut().zip(value) {
                *target = *byte;
            }
            message.push(&data);
        } else {
            message.push(&[0x41]);
            push_address(&mut message, index, subindex);
            message.push(&(value.len() as u32).to_le_bytes());
            if value.len() <= NORMAL {
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
        let data = rest.get(..rest.len().min(SEGMENT)).unwrap_or_default();
        let last = data.len() == rest.len();
        let unused = 7_usize.saturating_sub(data.len());
        let mut message = start(SERVICE_RESPONSE);
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
        index: u16,
        subindex: u8,
        sdo: &[u8],
        application: &mut dyn Application,
    ) -> Result<Message, u32> {
        if command & 0x02 != 0 {
            let unused = if command & 0x01 != 0 {
                usize::from(command >> 2 & 3)
            } else {
                0
            };
            let data = sdo.get(4..8 - unused).ok_or(ABORT_LENGTH)?;
            write(application, index, subindex, data)?;
        } else {
            let size = sdo.get(4..8).ok_or(ABORT_LENGTH)?;
            let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
            if size > OBJECT_BYTES {
                return Err(ABORT_MEMORY);
            }
            let data = sdo.get(8..).unwrap_or_default();
            if data.len() >= size {
                write(
                    application,
                    index,
                    subindex,
                    data.get(..size).ok_or(ABORT_LENGTH)?,
                )?;
            } else {
                self.length = 0;
                self.append(data)?;
                self.toggle = false;
                self.transfer = Transfer::Download { index, subindex };
            }
        }
        let mut message = start(SERVICE_RESPONSE);
        message.push(&[0x60]);
        push_address(&mut message, index, subindex);
        message.push(&[0; 4]);
        Ok(message)
    }

    fn download_segment(
        &mut self,
        sdo: &[u8],
        application: &mut dyn Application,
    ) -> Result<Message, u32> {
        let Transfer::Download { index, subindex } = self.transfer else {
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
            write(application, index, subindex, value)?;
        }
        let mut message = start(SERVICE_RESPONSE);
        message.push(&[0x20 | u8::from(self.toggle) << 4]);
        message.push(&[0; 7]);
        self.toggle = !self.toggle;
        Ok(message)
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

/// Downloads go to the application; the communication area is fixed.
fn write(
    application: &mut dyn Application,
    index: u16,
    subindex: u8,
    data: &[u8],
) -> Result<(), u32> {
    if (0x1000..0x2000).contains(&index) {
        return Err(ABORT_READ_ONLY);
    }
    application.write_object(index, subindex, data)
}

fn start(service: u8) -> Message {
    let mut message = Message::new(TYPE_COE);
    message.push(&(u16::from(service) << 12).to_le_bytes());
    message
}

fn push_address(message: &mut Message, index: u16, subindex: u8) {
    message.push(&index.to_le_bytes());
    message.push(&[subindex]);
}

#[cfg(test)]
mod tests {
    use super::super::application::{ABORT_NO_OBJECT, ABORT_NO_SUBINDEX};
    use super::super::testing::Cupboard;
    use super::*;

    fn ask(server: &mut CoeServer, application: &mut Cupboard, sdo: &[u8]) -> Vec<u8> {
        let mut body = vec![0, SERVICE_REQUEST << 4];
        body.extend_from_slice(sdo);
        let description = Description::for_test("lift", 12, 14);
        let message = server.answer(&body, &description, application).unwrap();
        message.as_bytes()[HEADER..].to_vec()
    }

    #[test]
    fn expedited_upload_of_the_mapping() {
        let (mut server, mut application) = (CoeServer::default(), Cupboard::default());
        let answer = ask(
            &mut server,
            &mut application,
            &[0x40, 0x12, 0x1c, 1, 0, 0, 0, 0],
        );
        assert_eq!(answer, [0, 0x30, 0x4b, 0x12, 0x1c, 1, 0x00, 0x16, 0, 0]);
    }

    #[test]
    fn refusals_carry_abort_codes() {
        let (mut server, mut application) = (CoeServer::default(), Cupboard::default());
        let mut code = |sdo: &[u8]| {
            let answer = ask(&mut server, &mut application, sdo);
            assert_eq!(answer[2], 0x80);
            u32::from_le_bytes(answer[6..10].try_into().unwrap())
        };
        assert_eq!(code(&[0x40, 0x77, 0x1c, 0, 0, 0, 0, 0]), ABORT_NO_OBJECT);
        assert_eq!(code(&[0x40, 0x18, 0x10, 9, 0, 0, 0, 0]), ABORT_NO_SUBINDEX);
        assert_eq!(code(&[0x2f, 0x00, 0x16, 0, 0, 0, 0, 0]), ABORT_READ_ONLY);
        assert_eq!(code(&[0x50, 0x18, 0x10, 1, 0, 0, 0, 0]), ABORT_ACCESS);
        assert_eq!(code(&[0x60, 0, 0, 0, 0, 0, 0, 0]), ABORT_COMMAND);
        assert_eq!(code(&[0xe0, 0, 0, 0, 0, 0, 0, 0]), ABORT_COMMAND);
        assert_eq!(code(&[0x23, 0, 0x20, 0, 1]), ABORT_LENGTH);
    }

    #[test]
    fn long_values_travel_in_segments_both_ways() {
        let (mut server, mut application) = (CoeServer::default(), Cupboard::default());
        let value: Vec<u8> = (0..=255).collect();
        let mut request = vec![0x21, 0, 0x20, 0];
        request.extend_from_slice(&256_u32.to_le_bytes());
        assert_eq!(ask(&mut server, &mut application, &request)[2], 0x60);
        for (at, chunk) in value.chunks(100).enumerate() {
            let last = (at + 1) * 100 >= value.len();
            let mut segment = vec![u8::from(last) | ((at % 2) as u8) << 4];
            segment.extend_from_slice(chunk);
            assert_eq!(ask(&mut server, &mut application, &segment)[2] & 0xe0, 0x20);
        }
        assert_eq!(application.value, value);

        let answer = ask(
            &mut server,
            &mut application,
            &[0x40, 0, 0x20, 0, 0, 0, 0, 0],
        );
        assert_eq!(answer[2], 0x41);
        assert_eq!(answer[6..10], 256_u32.to_le_bytes());
        let mut back = Vec::new();
        let mut toggle = 0;
        loop {
            let answer = ask(&mut server, &mut application, &[0x60 | toggle]);
            back.extend_from_slice(&answer[3..]);
            toggle ^= 0x10;
            if answer[2] & 1 != 0 {
                break;
            }
        }
        assert_eq!(back, value);
    }
}
