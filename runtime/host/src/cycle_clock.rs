//! The clock that the starts of the cycle lie on, or are held against: read once a cycle, with what it is found to do.

use crate::clock::{OtherClock, Pair};
use crate::error::HostError;
use crate::servo::{Reading, Servo};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use twinstep_config::machine::{ClockSource, CycleClock, Machine};

/// Largest phase error that is told apart (ns).
const LARGEST_NS: u64 = 1_000_000_000;
/// Time over which a drift is taken (ns).
const DRIFT_NS: u64 = 1_000_000_000;
/// Share of a new drift in the one that is told.
const DRIFT_SHARE: f64 = 0.3;

/// What became of the clock, in status and summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockFigures {
    /// The cycle follows it; else it is only held against it.
    pub follows: bool,
    /// The starts lie where they should.
    pub locked: bool,
    /// Where the last start lay against where it should (ns, positive: late); none where the clock cannot be read.
    pub phase_error_ns: Option<i64>,
    /// Magnitude since the first lock: half of all starts were nearer (ns).
    pub p50_ns: u64,
    /// 99 of 100 were nearer (ns).
    pub p99_ns: u64,
    /// The worst (ns).
    pub max_ns: u64,
    /// Times that the clock jumped.
    pub jumps: u64,
    /// Times that the lock was lost.
    pub lost: u64,
    /// Cycles in which the clock could not be read, or not fast enough.
    pub unread: u64,
    /// What the clock gains on CLOCK_MONOTONIC (parts per billion).
    pub drift_ppb: Option<f64>,
    /// What the distributed clocks of the bus gain on this one (parts per billion); none where there are none.
    pub dc_drift_ppb: Option<f64>,
}

/// The same, with the name of the clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockLine {
    /// `tai`, or the path of its device.
    pub source: String,
    /// What became of it.
    #[serde(flatten)]
    pub figures: ClockFigures,
}

impl ClockLine {
    /// The figures of this machine's clock; none where it has none.
    pub fn of(machine: &Machine, figures: Option<ClockFigures>) -> Option<Self> {
        let (clock, figures) = machine.realtime.clock.as_ref().zip(figures)?;
        Some(Self {
            source: clock.source.name().to_owned(),
            figures,
        })
    }

    /// In words.
    pub fn text(&self) -> String {
        let of = &self.figures;
        let ppb = |drift: Option<f64>| {
            drift.map_or("unknown".to_owned(), |ppb| {
                format!("{:.3} ppm", ppb / 1000.0)
            })
        };
        let mut text = format!(
            "clock {}: {}, phase error {}, p99 {:.1} us, max {:.1} us, drift {}, {} jumps",
            self.source,
            match (of.follows, of.locked) {
                (true, true) => "locked",
                (true, false) => "NOT locked",
                (false, _) => "only watched",
            },
            of.phase_error_ns.map_or("unknown".to_owned(), |ns| format!(
                "{:.1} us",
                ns as f64 / 1000.0
            )),
            of.p99_ns as f64 / 1000.0,
            of.max_ns as f64 / 1000.0,
            ppb(of.drift_ppb),
            of.jumps,
        );
        if let Some(drift) = of.dc_drift_ppb {
            text.push_str(&format!(
                ", distributed clocks gain {} on it",
                ppb(Some(drift))
            ));
        }
        text
    }
}

/// The rate at which something that repeats with the period moves away, from its phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Drift {
    /// Phase and time of the last cycle (ns).
    last: Option<(i64, u64)>,
    /// Moved since the window began (ns), and when that was.
    moved_ns: i64,
    began_ns: u64,
    ppb: Option<f64>,
}

impl Drift {
    /// Takes a phase (ns, at most half of `period_ns` from 0) at `now_ns`. A window with a step in it does not count.
    fn take(&mut self, phase_ns: i64, now_ns: u64, period_ns: u64, stepped: bool) {
        let Some((last_ns, _)) = self.last.replace((phase_ns, now_ns)) else {
            self.began_ns = now_ns;
            return;
        };
        if stepped {
            (self.moved_ns, self.began_ns) = (0, now_ns);
            return;
        }
        let half_ns = (period_ns / 2).cast_signed();
        let whole_ns = period_ns.cast_signed();
        self.moved_ns += match phase_ns.saturating_sub(last_ns) {
            moved if moved > half_ns => moved - whole_ns,
            moved if moved < -half_ns => moved + whole_ns,
            moved => moved,
        };
        let time_ns = now_ns.saturating_sub(self.began_ns);
        if time_ns >= DRIFT_NS {
            let new = self.moved_ns as f64 / time_ns as f64 * 1e9;
            let told = self.ppb.map_or(new, |ppb| ppb + DRIFT_SHARE * (new - ppb));
            self.ppb = Some(told);
            (self.moved_ns, self.began_ns) = (0, now_ns);
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Grid {
    clock: OtherClock,
    servo: Servo,
    follows: bool,
    period_ns: u64,
    /// Magnitudes since the first lock (ns); none where there is no room for it.
    errors: Option<Histogram<u64>>,
    was_locked: bool,
    /// What the starts move on the clock, less what the cycle itself was moved: the drift of a clock that is only watched.
    own: Drift,
    dc: Drift,
}

impl Grid {
    /// Takes its memory here.
    pub fn new(clock: OtherClock, asked: &CycleClock, period_ns: u64) -> Self {
        Self {
            clock,
            servo: Servo::new(period_ns, asked.phase_ns),
            follows: asked.follow,
            period_ns,
            errors: Histogram::new_with_bounds(1, LARGEST_NS, 2).ok(),
            was_locked: false,
            own: Drift::default(),
            dc: Drift::default(),
        }
    }

    /// Opens the clock that is asked for.
    ///
    /// # Errors
    /// [`HostError::Machine`] for a device that is not there, is no clock, or stands still.
    pub fn open(asked: &CycleClock, period_ns: u64) -> Result<Self, HostError> {
        let clock = match &asked.source {
            ClockSource::Tai => OtherClock::Tai,
            ClockSource::Device(path) => {
                let unusable = |error: std::io::Error| {
                    HostError::machine(
                        format!("[realtime.clock] source = \"{path}\": {error}"),
                        "name the device of a PTP hardware clock that this user may read (`ls -l /dev/ptp*`, `ethtool -T INTERFACE`), or \"tai\"",
                    )
                };
                let opened = OtherClock::device(path).map_err(unusable)?;
                if !crate::clock::device_advances(path).map_err(unusable)? {
                    return Err(HostError::machine(
                        format!("[realtime.clock] source = \"{path}\": this clock stands still"),
                        "load the driver of the card anew, or update its firmware, or name another clock; `twinstep doctor` looks at it as `nic.ptp_clock`",
                    ));
                }
                opened
            }
        };
        Ok(Self::new(clock, asked, period_ns))
    }

    /// Whether the starts follow the clock.
    pub fn follows(&self) -> bool {
        self.follows
    }

    fn reading(pair: &Pair, start_ns: u64) -> Reading {
        Reading {
            start_ns,
            monotonic_ns: pair.monotonic_ns,
            other_ns: pair.other_ns,
            width_ns: pair.width_ns,
        }
    }

    /// Time to wait after a first start at `start_ns` on CLOCK_MONOTONIC, so that it lies where it should (ns); 0 where the clock
    /// is not followed, or cannot be read.
    pub fn wait_ns(&self, start_ns: u64) -> u64 {
        let pair = self.clock.pair().filter(|_| self.follows);
        pair.map_or(0, |pair| {
            self.servo.wait_ns(&Self::reading(&pair, start_ns))
        })
    }

    /// One cycle, which started at `start_ns` on CLOCK_MONOTONIC; `dc_error_ns` is where its frame passed on the distributed
    /// clocks. Returns what the next start is to be earlier by than a period later (ns); none where the clock is not followed.
    pub fn advance(&mut self, start_ns: u64, dc_error_ns: Option<i64>) -> Option<i64> {
        let jumps = self.servo.jumps;
        let pair = self.clock.read_once();
        let reading = pair.map(|pair| Self::reading(&pair, start_ns));
        let unread = self.servo.unread;
        let correction_ns = self.servo.advance(reading);
        let jumped = self.servo.jumps > jumps;
        if let (Some(error_ns), true) = (self.servo.error_ns(), self.servo.unread == unread) {
            self.was_locked |= self.servo.is_locked();
            if self.was_locked
                && let Some(errors) = &mut self.errors
            {
                errors.saturating_record(error_ns.unsigned_abs());
            }
            self.own.take(error_ns, start_ns, self.period_ns, jumped);
        }
        if let Some(error_ns) = dc_error_ns {
            self.dc.take(error_ns, start_ns, self.period_ns, jumped);
        }
        self.follows.then_some(correction_ns)
    }

    /// What became of it so far.
    pub fn figures(&self) -> ClockFigures {
        let errors = self.errors.as_ref().filter(|errors| !errors.is_empty());
        let at = |share: f64| errors.map_or(0, |errors| errors.value_at_quantile(share));
        // Followed, the drift is what the servo has learnt; else what the starts show, which move with what they follow.
        let (drift_ppb, dc_drift_ppb) = if self.follows {
            (Some(self.servo.drift_ppb()), self.dc.ppb)
        } else {
            let dc_ppb = self.dc.ppb.zip(self.own.ppb).map(|(dc, own)| dc - own);
            (self.own.ppb, dc_ppb)
        };
        ClockFigures {
            follows: self.follows,
            locked: self.servo.is_locked(),
            phase_error_ns: self.servo.error_ns(),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            max_ns: errors.map_or(0, Histogram::max),
            jumps: self.servo.jumps,
            lost: self.servo.lost,
            unread: self.servo.unread,
            drift_ppb,
            dc_drift_ppb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_NS: u64 = 1_000_000;

    #[test]
    fn a_drift_is_followed_round_the_period() {
        let mut drift = Drift::default();
        // 300 ppm: three quarters of the period in 2.5 s, around its end.
        for cycle in 0..5_000_u64 {
            let phase_ns = (cycle * 300 + 400_000) % PERIOD_NS;
            let phase_ns = if phase_ns > PERIOD_NS / 2 {
                phase_ns.cast_signed() - PERIOD_NS.cast_signed()
            } else {
                phase_ns.cast_signed()
            };
            drift.take(phase_ns, cycle * PERIOD_NS, PERIOD_NS, false);
        }
        let ppb = drift.ppb.unwrap();
        assert!((ppb - 300_000.0).abs() < 1.0, "{ppb}");
        // A step is none.
        drift.take(-300_000, 5_000 * PERIOD_NS, PERIOD_NS, true);
        assert_eq!(drift.ppb, Some(ppb));
        assert_eq!(drift.moved_ns, 0);
    }

    #[test]
    fn a_clock_that_is_only_watched_steers_nothing() {
        let asked = CycleClock {
            source: ClockSource::Tai,
            phase_ns: 0,
            follow: false,
        };
        let mut grid = Grid::open(&asked, PERIOD_NS).unwrap();
        let start_ns = crate::clock::monotonic_ns();
        assert_eq!(grid.wait_ns(start_ns), 0);
        assert_eq!(grid.advance(start_ns, Some(5)), None);
        let figures = grid.figures();
        assert!(!figures.follows && figures.phase_error_ns.is_some());
        let asked = CycleClock {
            follow: true,
            ..asked
        };
        let mut grid = Grid::open(&asked, PERIOD_NS).unwrap();
        assert!(grid.wait_ns(start_ns) < PERIOD_NS);
        assert!(grid.advance(start_ns, None).is_some());
        let device = CycleClock {
            source: ClockSource::Device("/dev/no-such-clock".into()),
            ..asked
        };
        let error = Grid::open(&device, PERIOD_NS).unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::MachineFailed);
    }

    #[test]
    fn a_line_reads_as_a_sentence() {
        let line = ClockLine {
            source: "tai".into(),
            figures: ClockFigures {
                follows: true,
                locked: true,
                phase_error_ns: Some(-1_500),
                p99_ns: 2_000,
                max_ns: 9_000,
                drift_ppb: Some(12_345.0),
                dc_drift_ppb: Some(-50.0),
                ..ClockFigures::default()
            },
        };
        assert_eq!(
            line.text(),
            "clock tai: locked, phase error -1.5 us, p99 2.0 us, max 9.0 us, drift 12.345 ppm, 0 jumps, \
             distributed clocks gain -0.050 ppm on it"
        );
    }
}
