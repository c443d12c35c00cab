//! Touch probes (CiA 402, 0x60B8 to 0x60BD): where the axis was when an input or the zero pulse of its encoder had an edge.
//!
//! Bits of the function 0x60B8 for probe 1, and eight bits further for probe 2: 0 on; 1 every edge, else the first one
//! alone; 2 and 3 source (0 its input, 1 zero pulse; others are none here); 4 edges from off to on; 5 from on to off. Bits of
//! the status 0x60B9: 0 on; 1 and 2 a position was stored; 6 and 7 (every edge) change with each new one.

use super::super::plant::{Edge, Signal, Signals};

/// Edges of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Latch {
    armed: bool,
    /// Edges of the source that were there when it was switched on, or taken since.
    seen: u32,
    stored: bool,
    toggle: bool,
    position: i32,
}

impl Latch {
    fn step(&mut self, armed: bool, every: bool, edge: Option<Edge>) {
        let Some(edge) = edge.filter(|_| armed) else {
            (self.armed, self.stored, self.toggle) = (false, false, false);
            return;
        };
        if !self.armed {
            self.armed = true;
            self.seen = edge.count;
        }
        if edge.count != self.seen && (every || !self.stored) {
            self.seen = edge.count;
            self.stored = true;
            self.toggle = !self.toggle;
            self.position = edge.position_counts;
        }
    }
}

/// One touch probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Probe {
    function: u8,
    rising: Latch,
    falling: Latch,
}

/// The source of a function byte: none where there is no such source.
fn source(function: u8, input: Signal) -> Option<Signal> {
    match function >> 2 & 3 {
        0 => Some(input),
        1 => Some(Signal::Index),
        _ => None,
    }
}

/// The function byte needs the zero pulse.
pub(super) fn wants_index(function: u8) -> bool {
    function & 1 != 0 && function >> 2 & 3 == 1
}

impl Probe {
    /// One look at its byte of 0x60B8; `input` is its own input.
    pub fn step(&mut self, function: u8, input: Signal, signals: &Signals) {
        // Another source or another way of looking begins anew.
        if (self.function ^ function) & 0x0f != 0 {
            *self = Self {
                rising: Latch {
                    position: self.rising.position,
                    ..Latch::default()
                },
                falling: Latch {
                    position: self.falling.position,
                    ..Latch::default()
                },
                function,
            };
        }
        self.function = function;
        let on = function & 1 != 0;
        let every = function & 2 != 0;
        let source = source(function, input).filter(|signal| signals.present[*signal as usize]);
        let edge = |edges: &[Edge; 6]| source.map(|signal| edges[signal as usize]);
        self.rising
            .step(on && function & 0x10 != 0, every, edge(&signals.rising));
        self.falling
            .step(on && function & 0x20 != 0, every, edge(&signals.falling));
    }

    /// Its byte of 0x60B9.
    pub fn status(&self) -> u8 {
        let every = self.function & 2 != 0;
        let bit = |set: bool, bit: u8| u8::from(set) << bit;
        bit(self.function & 1 != 0, 0)
            | bit(self.rising.stored, 1)
            | bit(self.falling.stored, 2)
            | bit(every && self.rising.toggle, 6)
            | bit(every && self.falling.toggle, 7)
    }

    /// Positions of the rising and the falling edge (counts of the encoder); none where none was stored.
    pub fn positions(&self) -> [Option<i32>; 2] {
        [self.rising, self.falling].map(|latch| latch.stored.then_some(latch.position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(signals: &mut Signals, signal: Signal, rising: bool, position: i32) {
        let edges = if rising {
            &mut signals.rising
        } else {
            &mut signals.falling
        };
        let edge = &mut edges[signal as usize];
        edge.count = edge.count.wrapping_add(1);
        edge.position_counts = position;
    }

    #[test]
    fn the_first_edge_alone_or_every_one() {
        for (function, expected, status) in [(0x11, 10, 0x03), (0x13, 20, 0x03)] {
            let mut signals = Signals {
                present: [true; 6],
                ..Signals::default()
            };
            let mut probe = Probe::default();
            // What came before it was switched on does not count.
            edge(&mut signals, Signal::Probe1, true, 5);
            probe.step(function, Signal::Probe1, &signals);
            assert_eq!((probe.status(), probe.positions()[0]), (0x01, None));
            edge(&mut signals, Signal::Probe1, true, 10);
            edge(&mut signals, Signal::Probe1, false, 12);
            probe.step(function, Signal::Probe1, &signals);
            assert_eq!(probe.positions(), [Some(10), None]);
            let toggled = probe.status();
            edge(&mut signals, Signal::Probe1, true, 20);
            probe.step(function, Signal::Probe1, &signals);
            assert_eq!(probe.positions(), [Some(expected), None], "{function:#x}");
            assert_eq!(probe.status() & 0x3f, status);
            // A second one of many is told from the first.
            assert_eq!(probe.status() != toggled, function & 2 != 0);
            // Off and on: it waits for the next.
            probe.step(0, Signal::Probe1, &signals);
            probe.step(function, Signal::Probe1, &signals);
            assert_eq!(probe.status(), 0x01);
        }
    }

    #[test]
    fn both_edges_of_the_source_that_is_named() {
        let mut signals = Signals {
            present: [true; 6],
            ..Signals::default()
        };
        let mut probe = Probe::default();
        probe.step(0x35, Signal::Probe2, &signals);
        edge(&mut signals, Signal::Probe2, true, 1);
        probe.step(0x35, Signal::Probe2, &signals);
        assert_eq!(probe.status(), 0x01, "it watches the zero pulse");
        edge(&mut signals, Signal::Index, true, 100);
        edge(&mut signals, Signal::Index, false, 100);
        probe.step(0x35, Signal::Probe2, &signals);
        assert_eq!(probe.positions(), [Some(100), Some(100)]);
        assert!(wants_index(0x35) && !wants_index(0x34) && !wants_index(0x31));
        // A source that does not exist stores nothing.
        for function in [0x39, 0x3d] {
            edge(&mut signals, Signal::Index, true, 7);
            edge(&mut signals, Signal::Probe2, true, 7);
            probe.step(function, Signal::Probe2, &signals);
            assert_eq!(probe.status(), 0x01);
        }
    }

    #[test]
    fn every_function_byte_is_survived() {
        let mut rng = crate::rng::Rng::new(9, 1);
        let mut signals = Signals::default();
        let mut probe = Probe::default();
        for _ in 0..20_000 {
            let bits = rng.next_u64();
            signals.present[bits as usize % 6] ^= true;
            edge(&mut signals, Signal::Index, bits & 64 != 0, bits as i32);
            probe.step((bits >> 32) as u8, Signal::Probe1, &signals);
            let on = bits >> 32 & 1 != 0;
            assert!(on || probe.status() == 0, "{:#x}", probe.status());
        }
    }
}
