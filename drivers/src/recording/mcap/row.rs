//! The small messages of fixed form: packed, little-endian, as the encoding `ros1` has it.

/// Takes fixed pieces off the front of a message; none where it is too short.
pub(super) struct Pieces<'b>(pub &'b [u8]);

impl<'b> Pieces<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub fn four(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn long(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
