//! The set-points of profile position mode (CiA 402, 0x6060 = 1): one under way, one waiting, and the handshake in bit 4 of
//! the controlword and bit 12 of the statusword.
//!
//! ```text
//! bit 4   __/~~~~~~\___/~~~~~~\________________     new set-point
//! bit 12  ____/~~~~~~\____/~~~~~~~~~~~~~~~\____     taken; stays while there is no room for another one
//!            first taken   second waits    second under way
//! ```

/// One set-point, with the profile that stood in the objects when it was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetPoint {
    /// 0x607A, absolute once it was taken (counts).
    pub target: i32,
    /// 0x6081, held to 0x607F (counts/s).
    pub velocity: u32,
    /// 0x6083 (counts/s2).
    pub acceleration: u32,
    /// 0x6084 (counts/s2).
    pub deceleration: u32,
}

/// What the controlword says of set-points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Handshake {
    /// Bit 4: its rising edge brings a new set-point.
    pub new: bool,
    /// Bit 5: it is obeyed at once, not after the one under way.
    pub immediately: bool,
    /// Bit 6: the target counts from the base that 0x60F2 names; none: it is absolute.
    pub relative_to: Option<Base>,
}

/// What a relative target counts from (0x60F2, bits 0 and 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The target before it.
    Target,
    /// Another position: what is asked for or where the axis is (counts).
    Position(i32),
}

/// The set-points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetPoints {
    under_way: Option<SetPoint>,
    waiting: Option<SetPoint>,
    /// The one under way has been reached.
    arrived: bool,
    acknowledged: bool,
    /// Bit 4 was set.
    before: bool,
    /// Target that the next relative one counts from.
    last_target: i32,
}

impl SetPoints {
    /// None yet; the axis stands at `position`. A bit 4 that is set already is no new set-point.
    pub fn at(position: i32, new: bool) -> Self {
        Self {
            before: new,
            last_target: position,
            ..Self::default()
        }
    }

    /// One look at the controlword. `offered` is what stands in the objects, `reached`: the last step has brought the
    /// set-point under way to its end.
    pub fn step(&mut self, handshake: Handshake, offered: SetPoint, reached: bool) {
        self.arrived |= reached && self.under_way.is_some();
        if self.arrived
            && let Some(next) = self.waiting.take()
        {
            self.begin(next);
        }
        let rising = handshake.new && !self.before;
        self.before = handshake.new;
        let room = handshake.immediately || self.waiting.is_none();
        if rising && room {
            let base = match handshake.relative_to {
                None => 0,
                Some(Base::Target) => self.last_target,
                Some(Base::Position(position)) => position,
            };
            let taken = SetPoint {
                target: base.wrapping_add(offered.target),
                ..offered
            };
            self.last_target = taken.target;
            self.acknowledged = true;
            if handshake.immediately || self.under_way.is_none() || self.arrived {
                self.waiting = None;
                self.begin(taken);
            } else {
                self.waiting = Some(taken);
            }
        }
        if !handshake.new {
            self.acknowledged = self.waiting.is_some();
        }
    }

    fn begin(&mut self, set_point: SetPoint) {
        self.under_way = Some(set_point);
        self.arrived = false;
    }

    /// The one that the axis goes to, or stands at.
    pub fn current(&self) -> Option<SetPoint> {
        self.under_way
    }

    /// Nothing more to go to.
    pub fn all_reached(&self) -> bool {
        self.waiting.is_none() && (self.under_way.is_none() || self.arrived)
    }

    /// Bit 12 of the statusword.
    pub fn acknowledged(&self) -> bool {
        self.acknowledged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Handshake = Handshake {
        new: true,
        immediately: false,
        relative_to: None,
    };
    const IDLE: Handshake = Handshake { new: false, ..NEW };

    fn to(target: i32) -> SetPoint {
        SetPoint {
            target,
            velocity: 1,
            acceleration: 1,
            deceleration: 1,
        }
    }

    #[test]
    fn one_is_under_way_and_one_waits() {
        let mut all = SetPoints::at(0, false);
        all.step(NEW, to(10), false);
        assert!(all.acknowledged() && all.current() == Some(to(10)));
        // It is an edge, not a level.
        all.step(NEW, to(11), false);
        assert_eq!(all.current(), Some(to(10)));
        all.step(IDLE, to(11), false);
        assert!(!all.acknowledged(), "there is room for another one");
        all.step(NEW, to(20), false);
        all.step(IDLE, to(20), false);
        assert!(all.acknowledged(), "no more room");
        // A third one finds none.
        all.step(NEW, to(30), false);
        all.step(IDLE, to(30), false);
        assert_eq!(all.current(), Some(to(10)));
        all.step(IDLE, to(30), true);
        assert_eq!(all.current(), Some(to(20)));
        assert!(!all.acknowledged() && !all.all_reached());
        all.step(IDLE, to(30), true);
        assert!(all.all_reached());
        all.step(NEW, to(40), false);
        assert_eq!(all.current(), Some(to(40)), "nothing to wait for");
    }

    #[test]
    fn immediately_replaces_all_and_relative_counts_from_the_last_target() {
        let mut all = SetPoints::at(1000, true);
        all.step(NEW, to(5), false);
        assert_eq!(all.current(), None, "it was set before");
        let relative = Handshake {
            relative_to: Some(Base::Target),
            ..NEW
        };
        for expected in [1005, 1010] {
            all.step(IDLE, to(5), false);
            all.step(relative, to(5), false);
            assert_eq!(all.last_target, expected);
        }
        assert_eq!(all.current(), Some(to(1005)));
        all.step(IDLE, to(5), false);
        let now = Handshake {
            immediately: true,
            relative_to: Some(Base::Position(2000)),
            new: true,
        };
        all.step(now, to(-1), false);
        assert_eq!(all.current(), Some(to(1999)));
        assert!(all.acknowledged() && !all.all_reached());
        all.step(IDLE, to(0), true);
        assert!(all.all_reached(), "what waited was replaced too");
        // Overflow wraps, as the counter does.
        all.step(relative, to(i32::MAX), false);
        assert_eq!(all.current(), Some(to(1999_i32.wrapping_add(i32::MAX))));
    }
}
