//! What the thread does before a disturbed cycle: what is in caches and predictors depends on it.

use std::hint::black_box;
use std::time::Duration;
use twinstep_host::clock::monotonic_ns;

/// Rest before a disturbed cycle: long enough for the core to be given to others, and the period of many machines.
const REST: Duration = Duration::from_millis(1);
/// Larger than the second-level cache of a core (bytes).
const LARGER_THAN_L2: usize = 8 << 20;
/// Bytes that a cache holds or drops together.
const LINE: usize = 64;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing: caches are warm.
    Nothing,
    /// It sleeps, predicts, and then the frame is there: the order of a real cycle.
    Cycle,
    /// It sleeps, and the frame is there when it wakes: prediction was made before.
    Asleep,
    /// It reads the clock for as long: nobody else has the core, and nothing else is used.
    Spun,
    /// First- and second-level cache are filled with something else; nobody else has the core.
    Emptied,
}

impl Before {
    /// All, from the mildest on.
    pub const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Spun,
        Self::Cycle,
        Self::Emptied,
        Self::Asleep,
    ];

    /// In a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Cycle => ", 1 ms asleep, then predict",
            Self::Asleep => ", after 1 ms asleep",
            Self::Spun => ", after 1 ms of spinning",
            Self::Emptied => ", with emptied caches",
        }
    }

    /// Cycles that are measured.
    pub const fn repeats(self) -> usize {
        match self {
            Self::Nothing => 10_000,
            _ => 2000,
        }
    }

    /// Whether the prediction follows the rest.
    pub const fn precedes_predict(self) -> bool {
        matches!(self, Self::Cycle)
    }

    /// Does it.
    pub fn rest(self, scratch: &mut Vec<u8>) {
        match self {
            Self::Nothing => {}
            Self::Cycle | Self::Asleep => std::thread::sleep(REST),
            Self::Spun => {
                let until_ns = monotonic_ns() + REST.as_nanos() as u64;
                while monotonic_ns() < until_ns {
                    std::hint::spin_loop();
                }
            }
            Self::Emptied => {
                scratch.resize(LARGER_THAN_L2, 1);
                for line in scratch.chunks_mut(LINE) {
                    line[0] = line[0].wrapping_add(1);
                }
                black_box(scratch);
            }
        }
    }
}
