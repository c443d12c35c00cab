//! Answers that do not follow the others: late ones, the second of two, frames that nobody sent.

use super::{MAX_FRAME, Side};

/// Most that are under way; what comes on top is lost, as on a wire that nobody listens to.
const CAPACITY: usize = 16;

struct Straggler {
    bytes: [u8; MAX_FRAME],
    length: usize,
    ready_ns: u64,
    side: Side,
}

/// See the module.
pub struct Stragglers {
    /// Those under way are the first `count`, in any order.
    all: Vec<Straggler>,
    count: usize,
}

impl Default for Stragglers {
    fn default() -> Self {
        let straggler = || Straggler {
            bytes: [0; MAX_FRAME],
            length: 0,
            ready_ns: 0,
            side: Side::Primary,
        };
        Self {
            all: (0..CAPACITY).map(|_| straggler()).collect(),
            count: 0,
        }
    }
}

impl Stragglers {
    /// Holds a frame for an end until `ready_ns`.
    pub fn hold(&mut self, side: Side, frame: &[u8], ready_ns: u64) {
        if let Some(slot) = self.all.get_mut(self.count)
            && let Some(bytes) = slot.bytes.get_mut(..frame.len())
        {
            bytes.copy_from_slice(frame);
            (slot.length, slot.ready_ns, slot.side) = (frame.len(), ready_ns, side);
            self.count += 1;
        }
    }

    /// Holds a frame that nobody sent, made from `frame`.
    pub fn hold_foreign(&mut self, side: Side, frame: &[u8], ready_ns: u64, source: [u8; 6]) {
        let at = self.count;
        self.hold(side, frame, ready_ns);
        if let Some(slot) = self.all.get_mut(at).filter(|_| self.count > at)
            && let Some(bytes) = slot.bytes.get_mut(6..12)
        {
            bytes.copy_from_slice(&source);
        }
    }

    /// When the first is due (ns).
    pub fn next_ns(&self) -> Option<u64> {
        let waiting = self.all.get(..self.count).unwrap_or_default();
        waiting.iter().map(|straggler| straggler.ready_ns).min()
    }

    /// Takes one that is due at `now_ns`; returns its length in `buffer`.
    pub fn take(&mut self, now_ns: u64, buffer: &mut [u8]) -> Option<(Side, usize)> {
        let first_ns = self.next_ns().filter(|&at| at <= now_ns)?;
        let waiting = self.all.get(..self.count)?;
        let at = waiting.iter().position(|s| s.ready_ns == first_ns)?;
        let straggler = self.all.get(at)?;
        let (side, length) = (straggler.side, straggler.length.min(buffer.len()));
        buffer
            .get_mut(..length)?
            .copy_from_slice(straggler.bytes.get(..length)?);
        self.count -= 1;
        self.all.swap(at, self.count);
        Some((side, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_due_comes_first() {
        let mut all = Stragglers::default();
        let mut buffer = [0; MAX_FRAME];
        all.hold(Side::Primary, &[3; 20], 30);
        all.hold(Side::Primary, &[1; 16], 10);
        all.hold_foreign(Side::Secondary, &[2; 18], 20, [9; 6]);
        assert_eq!(all.take(9, &mut buffer), None);
        assert_eq!(all.take(20, &mut buffer), Some((Side::Primary, 16)));
        assert_eq!(all.take(20, &mut buffer), Some((Side::Secondary, 18)));
        assert_eq!(buffer[4..13], [2, 2, 9, 9, 9, 9, 9, 9, 2]);
        assert_eq!((all.take(20, &mut buffer), all.next_ns()), (None, Some(30)));
        assert_eq!(all.take(99, &mut buffer), Some((Side::Primary, 20)));
        for _ in 0..2 * CAPACITY {
            all.hold(Side::Primary, &[1; 16], 10);
        }
        let taken = core::iter::from_fn(|| all.take(10, &mut buffer)).count();
        assert_eq!(taken, CAPACITY);
    }
}
