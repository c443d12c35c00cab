//! Checkpoints as bytes: parts of the twins' state in the form of `postcard`, which keeps every bit of a number, and the text that
//! says what the bytes are, so that no part of another version of the state is ever put back.

mod form;

pub use form::{form, hash_of};

use twinstep_cycle::checkpoint::{Part, Slot};
use twinstep_drivers::recording::mcap::Checkpoint;

/// A part as it stands in a file.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The part.
    pub slot: Box<Slot>,
    /// Number of its round.
    pub round: u64,
    /// Parts of the round.
    pub parts: usize,
}

impl Taken {
    /// As it is written. None where it has no bytes, which no part of ours is.
    pub fn encode(&self) -> Option<Checkpoint> {
        Some(Checkpoint {
            round: self.round,
            cycle: self.slot.cycle,
            part: u32::try_from(self.slot.number).ok()?,
            parts: u32::try_from(self.parts).ok()?,
            bytes: postcard::to_stdvec(&*self.slot).ok()?,
        })
    }
}

/// A part that was read.
#[derive(Clone, Debug)]
pub struct Given {
    /// The cycle that it belongs after.
    pub cycle: u64,
    /// Its number.
    pub number: usize,
    /// The state.
    pub part: Box<Part>,
}

/// Reads a part.
///
/// # Errors
/// What is wrong with it, in words.
pub fn decode(from: &Checkpoint) -> Result<Given, String> {
    let wrong = |what: String| {
        format!(
            "part {} of the checkpoint after cycle {} cannot be read: {what}",
            from.part, from.cycle
        )
    };
    let (part, rest) =
        postcard::take_from_bytes::<Part>(&from.bytes).map_err(|error| wrong(error.to_string()))?;
    if !rest.is_empty() {
        return Err(wrong(format!("{} bytes are left over", rest.len())));
    }
    Ok(Given {
        cycle: from.cycle,
        number: from.part as usize,
        part: Box::new(part),
    })
}
