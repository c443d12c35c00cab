//! SubDevices that cannot be reached for a while: a broken cable, or no power.
//!
//! In a line the last SubDevice before the gap closes its open port, and frames turn round there: those behind are out of
//! reach in both cases. Behind a broken cable they go on by themselves, and their watchdogs see that nobody speaks; one
//! without power has forgotten everything when it comes back.

/// Most gaps at a time.
pub const MAX_ABSENCES: usize = 32;

/// A gap in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// First SubDevice that is out of reach.
    pub position: usize,
    /// It has no power either.
    pub unpowered: bool,
    /// From this segment time on (ns).
    pub from_ns: u64,
    /// Until this segment time (ns).
    pub until_ns: u64,
}

impl Absence {
    /// Whether it is there at `segment_ns`.
    pub const fn is_there(&self, segment_ns: u64) -> bool {
        self.from_ns <= segment_ns && segment_ns < self.until_ns
    }
}

/// Number of SubDevices, out of `count`, that a frame reaches.
pub fn reach(absences: &[Absence], count: usize, segment_ns: u64) -> usize {
    let there = absences.iter().filter(|a| a.is_there(segment_ns));
    there.map(|a| a.position).fold(count, usize::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_gap_is_where_frames_turn_round() {
        let gap = |position, unpowered, from_ns, until_ns| Absence {
            position,
            unpowered,
            from_ns,
            until_ns,
        };
        let all = [gap(4, false, 10, 20), gap(2, true, 15, 30)];
        let reached = [9, 10, 14, 15, 19, 20, 29, 30].map(|now| reach(&all, 6, now));
        assert_eq!(reached, [6, 4, 4, 2, 2, 2, 2, 6]);
    }
}
