//! What the cycle shows of itself to a person, and what the person may ask of it: no lock in either direction.

use crate::not_judged::NotJudged;
use crate::phases::PhaseSnapshot;
use crate::trust::Trust;
use heapless::spsc::{Consumer, Producer, Queue};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use twinstep_drivers::bus::BusCounters;
use twinstep_models::channel::Regime;

/// Axes in a snapshot; a terminal has no room for more.
pub const LIVE_AXES: usize = 16;
/// Stations in a snapshot.
pub const LIVE_STATIONS: usize = 4;
/// Slots of the snapshot queue; one stays empty. The view drains it whenever it draws.
const LIVE_QUEUE: usize = 8;

/// One axis in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveAxis {
    /// The measurement of this cycle could be used.
    pub valid: bool,
    /// Measured position (m).
    pub position_m: f64,
    /// Position predicted for this cycle (m).
    pub predicted_position_m: f64,
    /// Measured velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Velocity predicted for this cycle (m/s).
    pub predicted_velocity_m_per_s: f64,
    /// Measured current (A).
    pub current_a: f64,
    /// Current predicted for this cycle (A).
    pub predicted_current_a: f64,
    /// The largest residual of its channels, over its standard deviation (1).
    pub residual_sigma: f64,
    /// What it is doing.
    pub regime: Regime,
    /// How sure the model is of what comes next (0 to 1): spread of an innovation in steady state over that of the next one. 1
    /// in steady state, less while the axis coasts or is being locked.
    pub confidence: f64,
    /// Deviations of this axis were judged in this cycle.
    pub judged: bool,
    /// Movements that a new baseline has seen; none where it is the calibrated one.
    pub renewal: Option<u32>,
    /// What of it was not judged; none where everything was.
    pub not_judged: Option<NotJudged>,
}

/// One station in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveStation {
    /// The measurement of this cycle could be used.
    pub valid: bool,
    /// Measured pressure (Pa).
    pub pressure_pa: f64,
    /// Pressure predicted for this cycle (Pa).
    pub predicted_pressure_pa: f64,
    /// The largest residual of its channels, over its standard deviation (1).
    pub residual_sigma: f64,
}

/// One look at the running cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveSnapshot {
    /// Cycles since the first one in OP.
    pub cycle: u64,
    /// Time since then (ns).
    pub time_ns: u64,
    /// Servo axes first, then presses, as many as `axis_count`.
    pub axes: [LiveAxis; LIVE_AXES],
    /// Axes of the machine; may be more than there are in `axes`.
    pub axis_count: usize,
    /// Stations, as many as `station_count`.
    pub stations: [LiveStation; LIVE_STATIONS],
    /// Stations of the machine; may be more than there are in `stations`.
    pub station_count: usize,
    /// Durations.
    pub phases: PhaseSnapshot,
    /// What the bus dropped.
    pub bus: BusCounters,
    /// Deviations raised so far.
    pub events: u64,
    /// Events dropped so far.
    pub dropped_events: u64,
    /// Whether the durations can be believed.
    pub trust: Trust,
}

/// How often whoever looks wants a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// A view on a terminal that draws itself anew all the time.
    Live,
    /// A line a second.
    Lines,
    /// Nobody looks: none are made.
    Never,
}

/// The cycle's end. Pushing neither allocates nor waits.
pub struct SnapshotSender {
    queue: Producer<'static, LiveSnapshot>,
    looks: Looks,
}

impl SnapshotSender {
    /// Somebody looks.
    #[inline]
    pub fn has_view(&self) -> bool {
        self.looks != Looks::Never
    }

    /// Time between two snapshots (ns).
    pub const fn every_ns(&self) -> u64 {
        match self.looks {
            Looks::Live => 50_000_000,
            Looks::Lines | Looks::Never => 250_000_000,
        }
    }

    /// Shows one snapshot. A view that does not keep up misses it; the next one says all that matters.
    #[inline]
    pub fn push(&mut self, snapshot: &LiveSnapshot) -> bool {
        self.queue.enqueue(*snapshot).is_ok()
    }
}

/// The view's end.
pub struct SnapshotReceiver(Consumer<'static, LiveSnapshot>);

impl SnapshotReceiver {
    /// The newest snapshot, or none since the last call.
    pub fn newest(&mut self) -> Option<LiveSnapshot> {
        let mut newest = None;
        while let Some(snapshot) = self.0.dequeue() {
            newest = Some(snapshot);
        }
        newest
    }
}

/// Makes both ends of a snapshot queue.
pub fn channel(looks: Looks) -> (SnapshotSender, SnapshotReceiver) {
    // It lives as long as the process: a run has one, and either end may go first.
    let queue: &'static mut Queue<LiveSnapshot, LIVE_QUEUE> = Box::leak(Box::new(Queue::new()));
    let (producer, consumer) = queue.split();
    let sender = SnapshotSender {
        queue: producer,
        looks,
    };
    (sender, SnapshotReceiver(consumer))
}

/// Raised by a signal that comes before a run listens to it.
static EARLY: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGINT, SIGTERM and SIGHUP do not end the process; the next run stops at once instead. For what has to be taken back.
///
/// # Errors
/// What the system says.
pub fn hold_signals() -> std::io::Result<()> {
    let early = EARLY.get_or_init(Arc::default);
    for signal in stop_signals() {
        signal_hook::flag::register(signal, Arc::clone(early))?;
    }
    Ok(())
}

/// Signals that ask for a stop. Drives must be stopped in order when a terminal goes away, too.
fn stop_signals() -> impl Iterator<Item = i32> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignores(&status, SIGHUP);
    [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(move |signal| *signal != SIGHUP || !ignored)
}

/// Whether the process with this `/proc/PID/status` ignores `signal`.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Wishes of the user, and the end of the run. Flags only, so relaxed ordering is enough: nothing hangs on their order.
#[derive(Clone, Debug, Default)]
pub struct Control {
    stop: Arc<AtomicBool>,
    reset: Arc<AtomicBool>,
    finished: Arc<AtomicBool>,
    beat: Arc<AtomicU64>,
}

impl Control {
    /// That of another bus of the same machine: a stop is asked of all of them, the rest is its own.
    pub fn beside(&self) -> Self {
        Self {
            stop: Arc::clone(&self.stop),
            ..Self::default()
        }
    }

    /// Asks the cycle to stop the machine in order.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The flag behind [`Self::stop_requested`].
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether a stop was asked for. The cycle reads it once a cycle.
    #[inline]
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks the cycle to forget its durations so far.
    pub fn request_reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// Whether a reset was asked for since the last call. The cycle reads it in its acyclic phase.
    #[inline]
    pub fn take_reset(&self) -> bool {
        self.reset.load(Ordering::Relaxed) && self.reset.swap(false, Ordering::Relaxed)
    }

    /// Says that a cycle is done.
    #[inline]
    pub fn count_beat(&self) {
        // One writer, the cycle thread: no other adds to it.
        self.beat
            .store(self.beat.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Cycles in OP so far, those of the stop among them.
    pub fn beat(&self) -> u64 {
        self.beat.load(Ordering::Relaxed)
    }

    /// Says that the cycle thread has ended, so that views end too.
    pub fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Says so when the guard goes, however the cycle thread ends: a panic must not leave a view waiting for ever.
    pub fn finish_at_the_end(&self) -> FinishGuard {
        FinishGuard(self.clone())
    }

    /// Whether the cycle thread has ended.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Makes SIGINT, SIGTERM and SIGHUP ask for a stop. A second SIGINT or SIGTERM ends the process at once. A SIGHUP that is ignored, as
    /// `nohup` has it, stays so.
    ///
    /// # Errors
    /// What the system said.
    pub fn stop_on_signals(&self) -> std::io::Result<()> {
        for signal in stop_signals() {
            // In this order: the first signal finds the flag still down, and only then raises it. A terminal that hangs up
            // may say so twice, itself and by its shell.
            if signal != signal_hook::consts::SIGHUP {
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&self.stop))?;
            }
            signal_hook::flag::register(signal, Arc::clone(&self.stop))?;
        }
        // One that came before; those that come from now on have raised the flag themselves.
        if EARLY
            .get()
            .is_some_and(|early| early.load(Ordering::Relaxed))
        {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// See [`Control::finish_at_the_end`].
#[must_use = "the run counts as finished when this goes"]
pub struct FinishGuard(Control);

impl Drop for FinishGuard {
    fn drop(&mut self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_status() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, 1) && ignores(status, 13));
        assert!(!ignores(status, 2) && !ignores("", 1) && !ignores("SigIgn:\tx", 1));
    }

    #[test]
    fn the_view_gets_the_newest_and_a_full_queue_drops() {
        let (mut sender, mut receiver) = channel(Looks::Live);
        assert!(receiver.newest().is_none());
        for cycle in 0..20 {
            let pushed = sender.push(&LiveSnapshot {
                cycle,
                ..LiveSnapshot::default()
            });
            assert_eq!(pushed, cycle < LIVE_QUEUE as u64 - 1);
        }
        assert_eq!(
            receiver.newest().map(|snapshot| snapshot.cycle),
            Some(LIVE_QUEUE as u64 - 2)
        );
        assert!(receiver.newest().is_none());
    }

    #[test]
    fn a_reset_is_taken_once() {
        let control = Control::default();
        assert!(!control.take_reset());
        control.request_reset();
        assert!(control.clone().take_reset());
        assert!(!control.take_reset());
    }

    #[test]
    fn a_panic_in_the_cycle_ends_the_views() {
        let control = Control::default();
        let ended = control.clone();
        let cycle = std::thread::spawn(move || {
            let _guard = ended.finish_at_the_end();
            // Unwinds like a panic, without its message.
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(cycle.join().is_err());
        assert!(control.is_finished());
    }

    #[test]
    fn the_first_signal_asks_for_a_stop() {
        let control = Control::default();
        control.stop_on_signals().unwrap();
        signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
        assert!(control.stop_requested());
    }
}
