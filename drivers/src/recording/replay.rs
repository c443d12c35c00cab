//! A recording as a bus.

use super::error::{Problem, RecordingError};
use super::store::Store;
use super::table::Table;
use super::{MAX_BYTES, foreign, mcap, own};
use crate::bus::{Bus, BusCause, BusCounters, BusFault, ProcessImage};
use crate::object_map::ObjectMap;
use std::path::Path;
use std::time::Duration;
use twinstep_config::machine::Machine;
use twinstep_models::sample::{CycleStamp, Missing};

/// Cycles that a recording has no row of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingCycles {
    /// The first of them.
    pub first: u64,
    /// The last of them; there may be others between.
    pub last: u64,
    /// How many.
    pub count: u64,
}

/// Replays a recording cycle by cycle, outputs included.
///
/// A cycle without a row is replayed as a fault with [`BusCause::Gap`], the one before a new segment with
/// [`BusCause::Segment`]. After the last row every exchange ends with
/// [`BusCause::End`], without running `in_flight`: there is no further cycle to predict.
#[derive(Debug)]
pub struct RecordingBus {
    map: ObjectMap,
    store: Store,
    segment_starts: Vec<u64>,
    run_starts: Vec<u64>,
    /// Empty where the stamps are all there is.
    time_s: Vec<f64>,
    row_step_s: Option<f64>,
    period_ns: u64,
    next_row: usize,
    last: Option<CycleStamp>,
    last_was_start: bool,
    gaps: u64,
    counters: BusCounters,
    contents: Option<mcap::Contents>,
}

impl RecordingBus {
    /// Opens a recording, our own or one from elsewhere, and reads and checks all of it.
    ///
    /// # Errors
    /// [`RecordingError`] with file, line, column, what is wrong and what to do.
    pub fn open(path: impl AsRef<Path>, machine: &Machine) -> Result<Self, RecordingError> {
        Self::open_for(path, machine, 0)
    }

    /// The same for a replay that is to begin by cycle `by`: of the checkpoints of an MCAP file the last whole round by then is
    /// kept, else the first.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_for(
        path: impl AsRef<Path>,
        machine: &Machine,
        by: u64,
    ) -> Result<Self, RecordingError> {
        Self::open_bounded(path.as_ref(), machine, by, MAX_BYTES)
    }

    /// Opens an MCAP file whose rows take at most `max_bytes` of memory, however small they are in the file; of others the bound is
    /// [`MAX_BYTES`].
    ///
    /// # Errors
    /// As [`Self::open`]; [`Problem::OverBound`] where they take more.
    pub fn open_within(
        path: impl AsRef<Path>,
        machine: &Machine,
        max_bytes: usize,
    ) -> Result<Self, RecordingError> {
        Self::open_bounded(path.as_ref(), machine, 0, max_bytes)
    }

    fn open_bounded(
        path: &Path,
        machine: &Machine,
        by: u64,
        max_bytes: usize,
    ) -> Result<Self, RecordingError> {
        let wrong = |problem| RecordingError::new(path, problem);
        let map = ObjectMap::new(machine).map_err(|error| wrong(Problem::Map(error)))?;
        let period_ns = machine.cycle.period_ns.max(1);
        let mut image = map.image();
        let in_mcap = mcap::is_mcap(path);
        let mut bus = Self {
            store: Store::new(&image),
            segment_starts: Vec::new(),
            run_starts: Vec::new(),
            time_s: Vec::new(),
            row_step_s: None,
            period_ns,
            next_row: 0,
            last: None,
            last_was_start: false,
            gaps: 0,
            counters: BusCounters::default(),
            contents: None,
            map,
        };
        if in_mcap {
            if machine.bus.is_none() {
                return Err(wrong(Problem::NoBus));
            }
            let (store, contents) = mcap::load(path, bus.map.layout(), &image, by, max_bytes)?;
            (bus.store, bus.contents) = (store, Some(contents));
            bus.begin();
            return Ok(bus);
        }
        let mut table = Table::open(path)?;
        if own::is_own(table.header()) {
            if machine.bus.is_none() {
                return Err(wrong(Problem::NoBus));
            }
            bus.store = own::load(&mut table, bus.map.layout(), period_ns, &mut image)?;
            bus.begin();
            return Ok(bus);
        }
        match (&machine.recording, bus.map.columns()) {
            (Some(recording), Some(columns)) => {
                let map = (recording, &machine.context);
                let loaded = foreign::load(&mut table, map, columns, period_ns, &mut image)?;
                bus.store = loaded.store;
                bus.segment_starts = loaded.segment_starts;
                bus.run_starts = loaded.run_starts;
                bus.time_s = loaded.time_s;
                bus.row_step_s = loaded.row_step_s;
                Ok(bus)
            }
            (Some(_), None) => Err(wrong(Problem::ForeignOnBus)),
            (None, _) => Err(wrong(Problem::NoMap {
                available: table.header().to_vec(),
            })),
        }
    }

    /// A recording of ours is one segment of one run.
    fn begin(&mut self) {
        let first = self.store.head(0).map(|head| head.stamp.cycle);
        self.segment_starts.extend(first);
        self.run_starts.extend(first);
    }

    /// What an MCAP file holds beside the cycles; none for other recordings.
    pub fn contents(&self) -> Option<&mcap::Contents> {
        self.contents.as_ref()
    }

    /// The same, taken out.
    pub fn take_contents(&mut self) -> Option<mcap::Contents> {
        self.contents.take()
    }

    /// Passes over all rows before `cycle`.
    pub fn skip_to(&mut self, cycle: u64) {
        while (self.store.head(self.next_row)).is_some_and(|head| head.stamp.cycle < cycle) {
            self.next_row += 1;
        }
    }

    /// The first cycle.
    pub fn first_cycle(&self) -> Option<u64> {
        self.store.head(0).map(|head| head.stamp.cycle)
    }

    /// Times of the first and of the last row, as they are stamped (ns since the first cycle of the run).
    pub fn times_ns(&self) -> Option<(u64, u64)> {
        let time_ns = |row| self.store.head(row).map(|head| head.stamp.time_ns);
        Some((time_ns(0)?, time_ns(self.rows().checked_sub(1)?)?))
    }

    /// The period of the machine's cycle (ns, 1 or more).
    pub fn period_ns(&self) -> u64 {
        self.period_ns
    }

    /// The object map of the machine that it was opened with.
    pub fn object_map(&self) -> &ObjectMap {
        &self.map
    }

    /// Rows in the file.
    pub fn rows(&self) -> usize {
        self.store.rows()
    }

    /// Cycles that the replay has, gaps included.
    pub fn cycles(&self) -> u64 {
        let cycle = |row: Option<usize>| {
            row.and_then(|row| self.store.head(row))
                .map(|head| head.stamp.cycle)
        };
        match (cycle(Some(0)), cycle(self.rows().checked_sub(1))) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        }
    }

    /// Cycles between the next and the last one that have no row; none where all are there. A table from elsewhere says itself
    /// where it begins anew: what lies between its segments counts too.
    pub fn missing(&self) -> Option<MissingCycles> {
        let mut missing: Option<MissingCycles> = None;
        let mut before = None;
        for cycle in
            (self.next_row..self.rows()).filter_map(|row| Some(self.store.head(row)?.stamp.cycle))
        {
            let gap = before.map_or(0, |before: u64| cycle.saturating_sub(before + 1));
            if gap > 0 {
                let all = missing.get_or_insert(MissingCycles {
                    first: cycle - gap,
                    last: 0,
                    count: 0,
                });
                all.last = cycle - 1;
                all.count += gap;
            }
            before = Some(cycle);
        }
        missing
    }

    /// First cycle of every segment; nothing that was known before it holds from there on. Never empty.
    pub fn segment_starts(&self) -> &[u64] {
        &self.segment_starts
    }

    /// First cycle of every run of the machine: where the first column of `segment_by` changes. Never empty.
    pub fn run_starts(&self) -> &[u64] {
        &self.run_starts
    }

    /// Whether the last exchange brought the first cycle of a segment: observers and detectors start anew.
    pub fn at_segment_start(&self) -> bool {
        self.last_was_start
    }

    /// Cycles without a row so far.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Time of the last row that was replayed (s): as the table has it, else from its stamp.
    pub fn row_time_s(&self) -> f64 {
        let row = self.next_row.saturating_sub(1);
        match self.time_s.get(row) {
            Some(time_s) => *time_s,
            None => self
                .store
                .head(row)
                .map_or(0.0, |head| head.stamp.time_ns as f64 / 1e9),
        }
    }

    /// Step between two rows of a table from elsewhere, in the middle, as its time has it (s).
    pub fn row_step_s(&self) -> Option<f64> {
        self.row_step_s
    }

    /// Starts again from the first row.
    pub fn rewind(&mut self) {
        self.next_row = 0;
        self.last = None;
        self.last_was_start = false;
        self.gaps = 0;
        self.counters = BusCounters::default();
    }

    /// The stamp of the cycle after the last one.
    fn following(&self) -> Option<CycleStamp> {
        self.last.map(|last| CycleStamp {
            cycle: last.cycle.saturating_add(1),
            time_ns: last.time_ns.saturating_add(self.period_ns),
            dc_time_ns: 0,
        })
    }
}

impl Bus for RecordingBus {
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault> {
        self.last_was_start = false;
        let following = self.following();
        let Some(head) = self.store.head(self.next_row) else {
            image.valid.fill(Err(Missing::NoFrame));
            return Err(BusFault {
                stamp: following.unwrap_or_default(),
                cause: BusCause::End,
            });
        };
        in_flight();
        if let Some(stamp) = following.filter(|stamp| stamp.cycle < head.stamp.cycle) {
            self.last = Some(stamp);
            self.gaps += 1;
            let next = stamp.cycle.saturating_add(1);
            let cause = match self.segment_starts.binary_search(&next) {
                Ok(_) => BusCause::Segment,
                Err(_) => BusCause::Gap,
            };
            image.valid.fill(Err(cause.into()));
            return Err(BusFault { stamp, cause });
        }
        self.store.fill(self.next_row, &head, image);
        self.next_row += 1;
        self.last = Some(head.stamp);
        // Sorted by construction.
        self.last_was_start = self.segment_starts.binary_search(&head.stamp.cycle).is_ok();
        let Some(cause) = head.cause else {
            return Ok(head.stamp);
        };
        match cause {
            BusCause::NoFrame => self.counters.lost += 1,
            BusCause::WorkingCounter { .. } => self.counters.working_counter_errors += 1,
            BusCause::Gap | BusCause::Segment | BusCause::End => self.gaps += 1,
        }
        Err(BusFault {
            stamp: head.stamp,
            cause,
        })
    }

    fn acyclic(&mut self, _budget: Duration) {}

    fn phase_error_ns(&self) -> Option<i64> {
        None
    }

    fn counters(&self) -> BusCounters {
        self.counters
    }
}
