//! The mailbox of a SubDevice: headers, the request that waits, the last answer (for the repeat toggle).

use super::controller::MAX_MAILBOX;

/// Largest mailbox message of any SubDevice (bytes).
pub const CAPACITY: usize = MAX_MAILBOX as usize;
/// Length of the mailbox header (bytes).
pub const HEADER: usize = 6;
/// Mailbox type: error.
const TYPE_ERROR: u8 = 0;
/// Mailbox type: CoE.
pub const TYPE_COE: u8 = 3;
/// Mailbox error: the protocol is not supported.
pub const ERROR_UNSUPPORTED_PROTOCOL: u16 = 0x0002;
/// Mailbox error: the header is wrong.
pub const ERROR_INVALID_HEADER: u16 = 0x0004;

/// One message with its header, in a buffer of fixed size.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: [u8; CAPACITY],
    length: usize,
    /// Size of the mailbox that it goes into (bytes).
    room: usize,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            bytes: [0; CAPACITY],
            length: 0,
            room: CAPACITY,
        }
    }
}

impl Message {
    /// Starts a message of a type for a mailbox of `room` bytes; the length is set by [`Message::push`].
    pub fn new(kind: u8, room: usize) -> Self {
        let mut bytes = [0; CAPACITY];
        bytes[5] = kind & 0x0f;
        Self {
            bytes,
            length: HEADER,
            room: room.clamp(HEADER, CAPACITY),
        }
    }

    /// An error reply.
    pub fn error(code: u16) -> Self {
        let mut message = Self::new(TYPE_ERROR, CAPACITY);
        message.push(&1_u16.to_le_bytes());
        message.push(&code.to_le_bytes());
        message
    }

    /// Appends bytes; what does not fit is left out.
    pub fn push(&mut self, data: &[u8]) {
        let room = self.room.saturating_sub(self.length);
        let data = data.get(..data.len().min(room)).unwrap_or_default();
        if let Some(target) = self.bytes.get_mut(self.length..self.length + data.len()) {
            target.copy_from_slice(data);
        }
        self.length += data.len();
        let [low, high] = ((self.length - HEADER) as u16).to_le_bytes();
        self.bytes[0] = low;
        self.bytes[1] = high;
    }

    /// Sets the counter of the mailbox header (1 to 7).
    pub fn set_counter(&mut self, counter: u8) {
        self.bytes[5] = self.bytes[5] & 0x8f | (counter & 7) << 4;
    }

    /// The whole message.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A request as it stands in the receive mailbox.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Mailbox type.
    pub kind: u8,
    /// What follows the header.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads the header; none where it claims more than the mailbox holds.
    pub fn parse(mailbox: &'a [u8]) -> Option<Self> {
        let length = usize::from(u16::from_le_bytes([*mailbox.first()?, *mailbox.get(1)?]));
        Some(Self {
            kind: mailbox.get(5)? & 0x0f,
            body: mailbox.get(HEADER..HEADER + length)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_counts_its_own_length() {
        let mut message = Message::error(ERROR_UNSUPPORTED_PROTOCOL);
        message.set_counter(5);
        assert_eq!(message.as_bytes(), [4, 0, 0, 0, 0, 0x50, 1, 0, 2, 0]);
        message.push(&[0; 2000]);
        assert_eq!(message.as_bytes().len(), CAPACITY);
        let mut small = Message::new(TYPE_COE, 128);
        small.push(&[0; 500]);
        assert_eq!(small.as_bytes().len(), 128);
    }

    #[test]
    fn a_header_that_lies_about_its_length_is_refused() {
        let mut bytes = [0; 16];
        bytes[0] = 11;
        assert!(Request::parse(&bytes).is_none());
        bytes[0] = 10;
        assert_eq!(Request::parse(&bytes).unwrap().body.len(), 10);
    }
}
