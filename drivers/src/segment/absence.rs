//! SubDevices that cannot be reached for a while: a broken cable, or no power.
//!
//! The SubDevice before the gap closes its open port, and frames pass it by: all that hang behind the gap are out of reach in
//! both cases. Behind a broken cable they go on by themselves, and their watchdogs see that nobody speaks; one
//! without power has forgotten everything when it comes back.

/// Most gaps at a time.
pub const MAX_ABSENCES: usize = 32;

/// A gap: a cable that frames do not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// SubDevice behind the cable: it and all that hang behind it are out of reach.
    pub position: usize,
    /// It has no power either.
    pub unpowered: bool,
    /// From this segment time on (ns).
    pub from_ns: u64,
    /// Until this segment time (ns).
    pub until_ns: u64,
    /// It was there when the segment looked last.
    pub seen: bool,
}

impl Absence {
    /// Whether it is there at `segment_ns`.
    pub const fn is_there(&self, segment_ns: u64) -> bool {
        self.from_ns <= segment_ns && segment_ns < self.until_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_there_for_its_time() {
        let gap = Absence {
            position: 2,
            unpowered: false,
            from_ns: 10,
            until_ns: 20,
            seen: false,
        };
        assert_eq!(
            [9, 10, 19, 20].map(|now| gap.is_there(now)),
            [false, true, true, false]
        );
    }
}
