//! Cycles in memory, in the form in which files have them.

use super::store::{Head, Store};
use crate::bus::{BusFault, ProcessImage};
use twinstep_models::sample::CycleStamp;

/// Cycles as a bus brought them, in the order in which they were put in.
#[derive(Debug)]
pub struct Rows(Store);

impl Rows {
    /// Room for cycles with images like this one.
    pub fn new(image: &ProcessImage) -> Self {
        Self(Store::new(image).with_conditions(true))
    }

    /// Puts a cycle in: how the exchange ended, and the image after it. False where memory has no room for more, and for the end
    /// of the source, which is no cycle.
    pub fn push(
        &mut self,
        stamp: &CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> bool {
        Head::of(stamp, result, image).is_some_and(|head| self.0.push(&head, image))
    }

    /// Memory of the cycles (bytes).
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Copies cycle `n` into `image`; inputs of an exchange that failed stay what they were. None where there are fewer.
    pub fn get(
        &self,
        n: usize,
        image: &mut ProcessImage,
    ) -> Option<(CycleStamp, Result<CycleStamp, BusFault>)> {
        let head = self.0.head(n)?;
        self.0.fill(n, &head, image);
        let stamp = head.stamp;
        Some((
            stamp,
            match head.cause {
                None => Ok(stamp),
                Some(cause) => Err(BusFault { stamp, cause }),
            },
        ))
    }
}
