//! All rows of a recording, as bytes of one length, in one piece of memory.

use super::error::Problem;
use super::{MAX_BYTES, MAX_ROWS};
use crate::bus::{BusCause, BusFault, ProcessImage};
use twinstep_models::sample::{Conditions, CycleStamp, Missing};

/// Cycle, time and DC time, eight bytes each.
const STAMP: usize = 24;
/// Cause, its two counters, recipe and part.
const HEAD: usize = STAMP + 7;

/// What stands before a row's process data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stamp: CycleStamp,
    /// None: the exchange went well.
    pub(super) cause: Option<BusCause>,
    pub(super) recipe: u8,
    pub(super) part: u8,
}

impl Head {
    /// Of a cycle as a bus brought it; none for the end of the source, which is no cycle.
    pub(super) fn of(
        stamp: &CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> Option<Self> {
        let (stamp, cause) = match result {
            Ok(_) => (*stamp, None),
            Err(fault) if fault.cause == BusCause::End => return None,
            Err(fault) => (fault.stamp, Some(fault.cause)),
        };
        Some(Self {
            stamp,
            cause,
            recipe: image.recipe,
            part: image.part,
        })
    }
}

/// The rows.
#[derive(Debug)]
pub(super) struct Store {
    bytes: Vec<u8>,
    rows: usize,
    subdevices: usize,
    outputs: usize,
    inputs: usize,
    max_bytes: usize,
    /// Tool, load and temperature of every row, where columns or a controller tell them; else empty, and process data do.
    conditions: Vec<Conditions>,
    has_conditions: bool,
}

impl Store {
    /// An empty store for images like this one.
    pub(super) fn new(image: &ProcessImage) -> Self {
        Self::within(image, MAX_BYTES)
    }

    /// The same for at most `max_bytes` of rows, [`MAX_BYTES`] or less.
    pub(super) fn within(image: &ProcessImage, max_bytes: usize) -> Self {
        Self {
            max_bytes,
            bytes: Vec::new(),
            rows: 0,
            subdevices: image.valid.len(),
            outputs: image.outputs.len(),
            inputs: image.inputs.len(),
            conditions: Vec::new(),
            has_conditions: false,
        }
    }

    /// The same, with tool, load and temperature of the images that are pushed, and behind the bytes of a row that [`encode`] has made, where
    /// `told`.
    pub(super) fn with_conditions(mut self, told: bool) -> Self {
        self.has_conditions = told;
        self
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Memory of the rows (bytes).
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn stride(&self) -> usize {
        HEAD + self.subdevices + self.outputs + self.inputs
    }

    /// Appends a row; false where it does not fit any more.
    pub(super) fn push(&mut self, head: &Head, image: &ProcessImage) -> bool {
        let stride = self.stride();
        if self.rows >= MAX_ROWS
            || self.bytes.len() + stride > MAX_BYTES
            || self.bytes.try_reserve(stride).is_err()
            || self.conditions.try_reserve(1).is_err()
        {
            return false;
        }
        encode(head, image, &mut self.bytes);
        if self.has_conditions {
            self.conditions.push(image.conditions);
        }
        self.rows += 1;
        true
    }

    /// Appends a row that [`encode`] has made.
    pub(super) fn push_row(&mut self, row: &[u8]) -> Result<(), Problem> {
        let (row, conditions) = match row.split_last_chunk::<3>() {
            Some((row, told)) if self.has_conditions => (row, Some(Conditions::from(*told))),
            _ => (row, None),
        };
        if row.len() != self.stride() || conditions.is_some() != self.has_conditions {
            return Err(Problem::ImageSize);
        }
        if self.bytes.len() + row.len() > self.max_bytes && self.max_bytes < MAX_BYTES {
            let max_bytes = self.max_bytes;
            return Err(Problem::OverBound { max_bytes });
        }
        if self.rows >= MAX_ROWS
            || self.bytes.len() + row.len() > MAX_BYTES
            || self.bytes.try_reserve(row.len()).is_err()
            || self.conditions.try_reserve(1).is_err()
        {
            return Err(Problem::TooLarge);
        }
        self.conditions.extend(conditions);
        self.bytes.extend_from_slice(row);
        self.rows += 1;
        Ok(())
    }

    fn row(&self, row: usize) -> Option<&[u8]> {
        let start = row.checked_mul(self.stride())?;
        self.bytes.get(start..start.checked_add(self.stride())?)
    }

    /// What stands before the process data of a row.
    pub(super) fn head(&self, row: usize) -> Option<Head> {
        let bytes = self.row(row)?;
        let long = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
        };
        let short = |at: usize| -> Option<u16> {
            Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
        };
        Some(Head {
            stamp: CycleStamp {
                cycle: long(0)?,
                time_ns: long(8)?,
                dc_time_ns: long(16)?,
            },
            cause: match bytes.get(STAMP)? {
                0 => None,
                1 => Some(BusCause::NoFrame),
                2 => Some(BusCause::WorkingCounter {
                    expected: short(STAMP + 1)?,
                    actual: short(STAMP + 3)?,
                }),
                4 => Some(BusCause::Segment),
                _ => Some(BusCause::Gap),
            },
            recipe: *bytes.get(STAMP + 5)?,
            part: *bytes.get(STAMP + 6)?,
        })
    }

    /// Copies a row into an image: everything, or all but the inputs.
    pub(super) fn fill(&self, row: usize, head: &Head, image: &mut ProcessImage) {
        let Some((_, bytes)) = self.row(row).and_then(|row| row.split_at_checked(HEAD)) else {
            return;
        };
        let (valid, bytes) = bytes.split_at(self.subdevices.min(bytes.len()));
        for (place, &code) in image.valid.iter_mut().zip(valid) {
            *place = match Missing::ALL.iter().find(|missing| **missing as u8 == code) {
                Some(missing) => Err(*missing),
                None => Ok(()),
            };
        }
        let (outputs, inputs) = bytes.split_at(self.outputs.min(bytes.len()));
        copy(&mut image.outputs, outputs);
        if head.cause.is_none() {
            copy(&mut image.inputs, inputs);
        }
        image.recipe = head.recipe;
        image.part = head.part;
        if let Some(conditions) = self.conditions.get(row) {
            image.conditions = *conditions;
        }
    }
}

/// Appends the bytes of a row: the form that rows have in memory and in MCAP files, where tool, load and temperature may come behind.
pub(super) fn encode(head: &Head, image: &ProcessImage, bytes: &mut Vec<u8>) {
    let (cause, expected, actual) = match head.cause {
        None => (0, 0, 0),
        Some(BusCause::NoFrame) => (1, 0, 0),
        Some(BusCause::WorkingCounter { expected, actual }) => (2, expected, actual),
        Some(BusCause::Gap | BusCause::End) => (3, 0, 0),
        Some(BusCause::Segment) => (4, 0, 0),
    };
    bytes.extend(head.stamp.cycle.to_le_bytes());
    bytes.extend(head.stamp.time_ns.to_le_bytes());
    bytes.extend(head.stamp.dc_time_ns.to_le_bytes());
    bytes.push(cause);
    bytes.extend(expected.to_le_bytes());
    bytes.extend(actual.to_le_bytes());
    bytes.extend([head.recipe, head.part]);
    bytes.extend(image.valid.iter().map(|valid| match valid {
        Ok(()) => 0,
        Err(missing) => *missing as u8,
    }));
    bytes.extend_from_slice(&image.outputs);
    bytes.extend_from_slice(&image.inputs);
}

/// Copies as much as both hold: an image of another machine is the caller's mistake, and no reason to panic.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
