//! Homing (CiA 402, 0x6060 = 6): an axis looks for its home position by itself.
//!
//! A method is a row of legs. Each goes one way until a switch comes on or goes off, or until the zero pulse of the encoder;
//! the edge that ends the last one is the home position. Edges are taken from the drive's latches, so that home does not
//! depend on the cycle.
//!
//! | method | home position |
//! |---|---|
//! | 17, 18 | where the negative or positive limit switch goes off, on the way back from it |
//! | 19, 20 | lower end of a home switch that is on up to the end of the axis; left, or entered in positive direction |
//! | 21, 22 | upper end of a home switch that is on from the other end of the axis; left, or entered in negative direction |
//! | 23, 24 | lower end of a home switch on the way, searched in positive direction first; left, or entered |
//! | 33, 34 | next zero pulse in negative or positive direction |
//! | 35, 37 | where the axis stands |

use super::super::plant::{Edge, Signal, Signals};

/// Most legs of a method.
const LEGS: usize = 4;

/// What ends a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    On(Signal),
    Off(Signal),
    /// The home switch comes on; a limit switch before it turns the search round.
    HomeOrLimit,
}

/// One leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    positive: bool,
    fast: bool,
    until: Event,
}

const fn leg(positive: bool, fast: bool, until: Event) -> Option<Leg> {
    Some(Leg {
        positive,
        fast,
        until,
    })
}

/// How far homing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not asked for, or interrupted.
    #[default]
    Idle,
    /// On its way.
    Searching,
    /// Home is known; the axis comes to rest.
    Stopping,
    /// Done.
    Attained,
    /// It failed.
    Error,
}

/// What the axis is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Come to rest.
    Stand,
    /// Go, with this share of the speeds of 0x6099.
    Go {
        /// Towards larger positions.
        positive: bool,
        /// With 0x6099:1, the speed of the search, else with 0x6099:2.
        fast: bool,
    },
}

/// Homing of one axis.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Homing {
    pub phase: Phase,
    method: i64,
    legs: [Option<Leg>; LEGS],
    at: usize,
    /// Signals when the leg began.
    began: Signals,
    /// Bit 4 of the controlword was set.
    before: bool,
    /// Home position, once it is known (counts of the encoder).
    home: Option<i32>,
}

/// Whether an axis with these signals can home by a method of 0x6098.
pub(super) fn is_supported(method: i64, signals: &Signals) -> bool {
    let has = |signal: Signal| signals.present[signal as usize];
    match method {
        17 => has(Signal::NegativeLimit),
        18 => has(Signal::PositiveLimit),
        19..=24 => has(Signal::Home),
        33..=35 | 37 => true,
        _ => false,
    }
}

impl Homing {
    /// Nothing is under way; a bit 4 that is set already does not start it.
    pub fn idle(start: bool) -> Self {
        Self {
            before: start,
            ..Self::default()
        }
    }

    /// One look at bit 4 of the controlword (`start`), the signals, where the encoder stands (counts) and whether the axis
    /// is at rest. Returns what to do, and the home position once, when homing is done.
    pub fn step(
        &mut self,
        start: bool,
        method: i64,
        signals: &Signals,
        position: i32,
        standstill: bool,
    ) -> (Demand, Option<i32>) {
        let rising = start && !self.before;
        self.before = start;
        if rising {
            self.begin(method, signals);
        } else if !start && matches!(self.phase, Phase::Searching | Phase::Stopping) {
            self.phase = Phase::Idle;
        }
        if self.phase == Phase::Searching {
            self.search(signals, position);
        }
        if self.phase == Phase::Stopping && standstill {
            self.phase = Phase::Attained;
            return (Demand::Stand, self.home.take());
        }
        let leg = self.legs.get(self.at).copied().flatten();
        match (self.phase, leg) {
            (Phase::Searching, Some(Leg { positive, fast, .. })) => {
                (Demand::Go { positive, fast }, None)
            }
            _ => (Demand::Stand, None),
        }
    }

    fn begin(&mut self, method: i64, signals: &Signals) {
        self.home = None;
        self.at = 0;
        self.method = method;
        self.began = *signals;
        self.phase = if is_supported(method, signals) {
            Phase::Searching
        } else {
            Phase::Error
        };
        self.legs = legs(method, signals);
    }

    fn search(&mut self, signals: &Signals, position: i32) {
        let Some(leg) = self.legs.get(self.at).copied().flatten() else {
            // No legs: home is here.
            self.home = Some(position);
            self.phase = Phase::Stopping;
            return;
        };
        let limit = if leg.positive {
            Signal::PositiveLimit
        } else {
            Signal::NegativeLimit
        };
        let found = match leg.until {
            Event::On(signal) => came(signal, true, signals, &self.began, position),
            Event::Off(signal) => came(signal, false, signals, &self.began, position),
            Event::HomeOrLimit => came(Signal::Home, true, signals, &self.began, position),
        };
        if let Some(edge) = found {
            self.at += 1;
            self.began = *signals;
            if self.legs.get(self.at).copied().flatten().is_none() {
                self.home = Some(edge);
                self.phase = Phase::Stopping;
            }
        } else if signals.levels[limit as usize] && leg.until != Event::Off(limit) {
            // At the end of the axis.
            if leg.until == Event::HomeOrLimit {
                self.legs = turned(self.method);
                self.at = 0;
                self.began = *signals;
            } else {
                self.phase = Phase::Error;
            }
        }
    }
}

/// Where a signal came on (or went off) since a leg began, or now where it is so already.
fn came(signal: Signal, on: bool, now: &Signals, began: &Signals, position: i32) -> Option<i32> {
    let of = |signals: &Signals| -> Edge {
        if on {
            signals.rising[signal as usize]
        } else {
            signals.falling[signal as usize]
        }
    };
    if of(now).count != of(began).count {
        return Some(of(now).position_counts);
    }
    let is_so = signal != Signal::Index && now.levels[signal as usize] == on;
    is_so.then_some(position)
}

/// The legs of a method, as the switches stand.
fn legs(method: i64, signals: &Signals) -> [Option<Leg>; LEGS] {
    use Event::{HomeOrLimit, Off, On};
    use Signal::{Home, Index, NegativeLimit, PositiveLimit};
    let on = |signal: Signal| signals.levels[signal as usize];
    let home = on(Home);
    match method {
        17 if on(NegativeLimit) => [leg(true, false, Off(NegativeLimit)), None, None, None],
        17 => [
            leg(false, true, On(NegativeLimit)),
            leg(true, false, Off(NegativeLimit)),
            None,
            None,
        ],
        18 if on(PositiveLimit) => [leg(false, false, Off(PositiveLimit)), None, None, None],
        18 => [
            leg(true, true, On(PositiveLimit)),
            leg(false, false, Off(PositiveLimit)),
            None,
            None,
        ],
        19 | 23 if home => [leg(false, false, Off(Home)), None, None, None],
        19 => [
            leg(true, true, On(Home)),
            leg(false, false, Off(Home)),
            None,
            None,
        ],
        20 | 24 if home => [
            leg(false, true, Off(Home)),
            leg(true, false, On(Home)),
            None,
            None,
        ],
        20 => [
            leg(true, true, On(Home)),
            leg(false, true, Off(Home)),
            leg(true, false, On(Home)),
            None,
        ],
        21 if home => [leg(true, false, Off(Home)), None, None, None],
        21 => [
            leg(false, true, On(Home)),
            leg(true, false, Off(Home)),
            None,
            None,
        ],
        22 if home => [
            leg(true, true, Off(Home)),
            leg(false, false, On(Home)),
            None,
            None,
        ],
        22 => [
            leg(false, true, On(Home)),
            leg(true, true, Off(Home)),
            leg(false, false, On(Home)),
            None,
        ],
        23 => [
            leg(true, true, HomeOrLimit),
            leg(false, false, Off(Home)),
            None,
            None,
        ],
        24 => [
            leg(true, true, HomeOrLimit),
            leg(false, true, Off(Home)),
            leg(true, false, On(Home)),
            None,
        ],
        33 => [leg(false, false, On(Index)), None, None, None],
        34 => [leg(true, false, On(Index)), None, None, None],
        _ => [None; LEGS],
    }
}

/// The legs of methods 23 and 24 behind the positive limit switch.
fn turned(method: i64) -> [Option<Leg>; LEGS] {
    use Event::{Off, On};
    use Signal::Home;
    let back = leg(false, true, On(Home));
    if method == 23 {
        [back, leg(false, false, Off(Home)), None, None]
    } else {
        [
            back,
            leg(false, true, Off(Home)),
            leg(true, false, On(Home)),
            None,
        ]
    }
}

#[cfg(test)]
#[path = "homing_tests.rs"]
mod tests;
