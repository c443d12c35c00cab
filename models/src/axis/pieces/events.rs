//! Events of a piece: whether one happens in it, and when.

use super::{Acts, Drive, Event, Motion, Now, Piece};
use crate::axis::part::end_m;
use crate::axis::series::{at, moment, moment_of, slope_at};

impl Acts<'_> {
    /// What the drive asks for at a moment of a piece (A).
    fn asked_a(&self, now: &Now, piece: &Piece, t: f64) -> f64 {
        let loops = self.loops;
        let e = now.e + now.slope * piece.length_s * t - at(&piece.way, t);
        let error = loops.position_gain_per_s * e + loops.velocity_feedforward * now.slope
            - at(&piece.velocity, t);
        loops.velocity_gain * error + at(&piece.integral, t)
    }

    /// Whether a drive that is free asks for no more than the limit wherever [`Self::first`] looks.
    fn stays_free(&self, now: &Now, piece: &Piece, length: f64) -> bool {
        let limit = self.limit_a();
        let looks = [0.5 * length, length];
        (looks.into_iter()).all(|t| self.asked_a(now, piece, t).abs() <= limit)
    }

    /// How far an event is from happening: not below 0 before it.
    fn gap(&self, now: &Now, piece: &Piece, event: Event, t: f64) -> f64 {
        let loops = self.loops;
        let way = || at(&piece.way, t);
        let error = || {
            let e = now.e + now.slope * piece.length_s * t - way();
            loops.position_gain_per_s * e + loops.velocity_feedforward * now.slope
                - at(&piece.velocity, t)
        };
        let asked = || self.asked_a(now, piece, t);
        // See `proportional_a_per_s`.
        let proportional = || {
            let rise = slope_at(&piece.velocity, t) / piece.length_s;
            let of_way = loops.position_gain_per_s * (now.slope - at(&piece.velocity, t));
            loops.velocity_gain * (of_way - rise)
        };
        match event {
            Event::Reaches(sign) => self.limit_a() - sign * asked(),
            Event::Returns(sign) => sign * asked() - self.limit_a(),
            Event::Passes(sign) => -sign * proportional(),
            Event::Frees(sign) => sign * (proportional() + loops.integral_gain * error()),
            Event::Stops(direction) => direction * at(&piece.velocity, t),
            Event::LetsGo(direction) => {
                let holds = self.held_to_a(direction);
                holds - direction * (at(&piece.current, t) - self.load_a(now))
            }
            Event::Leaves(side) => {
                let behind_m = self
                    .part
                    .map_or(0.0, |part| part.way_m(now.z[0]) + part.direction * way());
                side * (end_m(&now.line, side) - behind_m)
            }
        }
    }

    /// The first event in a piece that is `length` of its series long, and when it is.
    pub(super) fn first(&self, now: &Now, piece: &Piece, length: f64) -> (f64, Option<Event>) {
        let drive = match now.drive {
            Drive::Free if self.stays_free(now, piece, length) => [None, None],
            Drive::Free => [Some(Event::Reaches(1.0)), Some(Event::Reaches(-1.0))],
            Drive::Limited(sign) => [Some(Event::Returns(sign)), None],
            Drive::Sliding(sign) => [Some(Event::Passes(sign)), Some(Event::Frees(sign))],
        };
        let motion = match now.motion {
            Motion::Moves(direction) => [Some(Event::Stops(direction)), None],
            Motion::Rests => [Some(Event::LetsGo(1.0)), Some(Event::LetsGo(-1.0))],
        };
        let leaves = self.part.and_then(|part| match now.motion {
            Motion::Rests => None,
            Motion::Moves(direction) => Some(direction * part.direction),
        });
        let leaves = leaves.filter(|side| end_m(&now.line, *side).is_finite());
        let part = [leaves.map(Event::Leaves)];
        let (mut first, mut found) = (length, None);
        for event in drive.into_iter().chain(motion).chain(part).flatten() {
            let gap = |t: f64| self.gap(now, piece, event, t);
            // It may have come and gone.
            let over = [0.5 * first, first].into_iter().find(|t| gap(*t) < 0.0);
            if let Some(over) = over {
                (first, found) = (self.moment(now, piece, event, over), Some(event));
            }
        }
        (first, found)
    }

    /// When an event that is over at `end` happens. In CSV every stop and every start is looked for: a series itself, by its slope.
    fn moment(&self, now: &Now, piece: &Piece, event: Event, end: f64) -> f64 {
        let csv = self.loops.position_gain_per_s == 0.0;
        match event {
            Event::Stops(direction) if csv => moment_of(&piece.velocity, direction, 0.0, end),
            Event::LetsGo(direction) if csv => {
                let offset_a = self.held_to_a(direction) + direction * self.load_a(now);
                moment_of(&piece.current, -direction, offset_a, end)
            }
            _ => moment(|t| self.gap(now, piece, event, t), end),
        }
    }
}
