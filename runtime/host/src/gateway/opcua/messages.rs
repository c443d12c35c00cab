//! The messages of one side of a connection, followed as they pass (OPC 10000-6): how many there were, and whether one was an Error.
//!
//! Heads of messages are never encrypted.

/// Type and length of a message.
const HEAD: usize = 8;
/// With the status, where it is an Error.
const ERROR_HEAD: usize = 12;

/// See the module. It holds no more than the head of one message.
#[derive(Debug, Default)]
pub struct Messages {
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    left: usize,
    begun: u64,
    error: Option<(u64, u32)>,
    /// What came was no message: nothing is known of what follows.
    lost: bool,
}

impl Messages {
    /// The first Error among them: which message it was, from 1, and its status.
    pub const fn error(&self) -> Option<(u64, u32)> {
        self.error
    }

    /// Takes in what has come.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.lost {
            if self.left > 0 {
                let (_, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.left -= bytes.len() - rest.len();
                bytes = rest;
                continue;
            }
            let wanted = if self.head.starts_with(b"ERR") {
                ERROR_HEAD
            } else {
                HEAD
            };
            let (taken, rest) = bytes.split_at((wanted - self.head.len()).min(bytes.len()));
            self.head.extend_from_slice(taken);
            bytes = rest;
            self.look();
        }
    }

    /// Looks at the head, once it is whole.
    fn look(&mut self) {
        let word = |from: usize| {
            let bytes = self.head.get(from..from + 4);
            bytes.and_then(|bytes| bytes.try_into().ok().map(u32::from_le_bytes))
        };
        let is_error = self.head.starts_with(b"ERR");
        let (Some(length), status) = (word(4), word(8)) else {
            return;
        };
        if is_error && status.is_none() {
            // Three letters are there before the whole head is.
            return;
        }
        self.begun += 1;
        if let Some(status) = status.filter(|_| is_error && self.error.is_none()) {
            self.error = Some((self.begun, status));
        }
        match (length as usize).checked_sub(self.head.len()) {
            Some(left) => self.left = left,
            None => self.lost = true,
        }
        self.head.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + body.len()).unwrap();
        [&kind[..], &length.to_le_bytes(), body].concat()
    }

    #[test]
    fn an_error_is_found_however_the_bytes_come() {
        let error = message(
            b"ERRF",
            &[&0x8001_0000_u32.to_le_bytes()[..], b"ERRFERRF"].concat(),
        );
        let said = [
            message(b"ACKF", &[0; 20]),
            // What looks like one in the middle of a message is none.
            message(b"MSGF", &message(b"ERRF", &[9; 30])),
            message(b"MSGF", &[]),
            error,
        ]
        .concat();
        for size in [1, 2, 7, 13, said.len()] {
            let mut messages = Messages::default();
            for piece in said.chunks(size) {
                messages.pass(piece);
            }
            assert_eq!(messages.error(), Some((4, 0x8001_0000)), "{size}");
        }
        let mut messages = Messages::default();
        messages.pass(&said[..said.len() - 14]);
        assert_eq!(messages.error(), None);
        // One that is shorter than its head ends what is known.
        let mut messages = Messages::default();
        messages.pass(b"MSGF\x03\0\0\0ERRF\x10\0\0\0\x01\0\0\0");
        assert_eq!(messages.error(), None);
        assert!(messages.lost);
    }
}
