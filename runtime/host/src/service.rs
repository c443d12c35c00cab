//! What the service manager is told: that the machine is in OP, that its cycle goes on, that it is being stopped.
//!
//! The thread is an ordinary one. It vouches for the cycle only as long as it sees it advance: when the cycle hangs, the
//! watchdog of the service manager ends the process, and the watchdogs of the SubDevices stop the machine.

use crate::snapshot::Control;
use sd_notify::NotifyState;
use std::time::Duration;

/// How often the cycle is looked at, where nobody watches.
const LOOK: Duration = Duration::from_millis(100);
/// Looks within the time after which the service manager loses patience.
const LOOKS: u32 = 4;

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tell {
    Ready,
    Alive,
    Stopping,
}

/// What was told so far.
#[derive(Debug, Default)]
struct Told {
    beat: u64,
    ready: bool,
    stopping: bool,
}

impl Told {
    /// Decides what is to be told now, in order. `beat` counts cycles.
    fn next(&mut self, beat: u64, stopping: bool) -> impl Iterator<Item = Tell> {
        let advanced = beat != self.beat;
        self.beat = beat;
        let ready = advanced && !self.ready;
        self.ready |= advanced;
        let stop = stopping && !self.stopping;
        self.stopping |= stopping;
        [
            ready.then_some(Tell::Ready),
            stop.then_some(Tell::Stopping),
            advanced.then_some(Tell::Alive),
        ]
        .into_iter()
        .flatten()
    }
}

/// Tells the service manager until the run is finished. Returns at once where there is none.
pub fn attend(controls: &[Control]) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let look = sd_notify::watchdog_enabled().map_or(LOOK, |patience| LOOK.min(patience / LOOKS));
    let (mut told, mut beats) = (Told::default(), Beats::new(controls.len()));
    loop {
        let finished = controls.iter().all(Control::is_finished);
        let stopping = finished || controls.iter().any(Control::stop_requested);
        beats.look(
            controls
                .iter()
                .map(|control| (control.beat(), control.is_finished())),
        );
        for tell in told.next(beats.count, stopping) {
            let state = match tell {
                Tell::Ready => NotifyState::Ready,
                Tell::Alive => NotifyState::Watchdog,
                Tell::Stopping => NotifyState::Stopping,
            };
            // A service manager that does not listen any more has nothing to be told.
            let _ = sd_notify::notify(&[state]);
        }
        if finished {
            return;
        }
        std::thread::park_timeout(look);
    }
}

/// The cycles of several buses as one: it goes on only when each of them has.
struct Beats {
    /// How often all of them have gone on.
    count: u64,
    /// Where each was then.
    last: Vec<u64>,
}

impl Beats {
    fn new(buses: usize) -> Self {
        Self {
            count: 0,
            last: vec![0; buses],
        }
    }

    /// Takes the beats of all, and whether each has ended: who has ended holds nobody up.
    fn look(&mut self, now: impl Iterator<Item = (u64, bool)>) {
        let now: Vec<(u64, bool)> = now.collect();
        let goes_on = |(last, (beat, ended)): (&u64, &(u64, bool))| beat != last || *ended;
        let any = now.iter().any(|(_, ended)| !ended);
        if any && self.last.iter().zip(&now).all(goes_on) {
            self.count += 1;
            self.last = now.iter().map(|(beat, _)| *beat).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cycle_that_advances_is_vouched_for() {
        let mut told = Told::default();
        let mut next = |beat, stopping| told.next(beat, stopping).collect::<Vec<_>>();
        assert_eq!(next(0, false), []);
        assert_eq!(next(3, false), [Tell::Ready, Tell::Alive]);
        assert_eq!(next(3, false), []);
        assert_eq!(next(4, false), [Tell::Alive]);
        assert_eq!(next(4, true), [Tell::Stopping]);
        assert_eq!(next(5, true), [Tell::Alive]);
        assert_eq!(next(5, true), []);
    }

    #[test]
    fn several_cycles_are_vouched_for_together() {
        let mut beats = Beats::new(2);
        let mut look = |now: [(u64, bool); 2]| {
            beats.look(now.into_iter());
            beats.count
        };
        assert_eq!(look([(3, false), (0, false)]), 0);
        assert_eq!(look([(5, false), (1, false)]), 1);
        assert_eq!(look([(6, false), (1, false)]), 1);
        assert_eq!(look([(6, false), (1, true)]), 2);
        assert_eq!(look([(6, false), (1, true)]), 2);
        assert_eq!(look([(6, true), (1, true)]), 2);
    }

    #[test]
    fn a_run_that_never_came_to_op_is_never_ready() {
        let mut told = Told::default();
        assert_eq!(told.next(0, true).collect::<Vec<_>>(), [Tell::Stopping]);
    }
}
