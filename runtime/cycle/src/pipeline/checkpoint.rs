//! Copying the state out in parts, and putting it back: see [`crate::checkpoint`].

use super::Pipeline;
use crate::checkpoint::{Common, HEALTH, Kind, Part, Piece, Slot};
use crate::judge::AxisJudge;

impl Pipeline<'_> {
    /// Numbers at which the kinds of parts end: lanes, health, signatures, stations, presses.
    fn ends(&self) -> [usize; 5] {
        let lanes = self.plan.lanes.len();
        let health = match self.sections.health(0) {
            Some(_) => self.plan.axes.len().div_ceil(HEALTH),
            None => 0,
        };
        let signatures = lanes + health + self.signatures.1.len();
        let stations = signatures + self.stations.len();
        let presses = stations + self.presses.len();
        [lanes, lanes + health, signatures, stations, presses]
    }

    /// Parts of a round.
    pub fn parts(&self) -> usize {
        self.ends()[4]
    }

    /// Copies part `number` into `slot`, after a whole cycle. False where there is no such part, or a section that was lost had it.
    pub fn copy_part(&self, number: usize, slot: &mut Slot) -> bool {
        let [lanes, health, signatures, stations, _] = self.ends();
        (slot.number, slot.cycle) = (number, self.cycle);
        self.copy_common(&mut slot.common);
        if number < lanes {
            slot.kind = Kind::Lane;
            let Some((lane, axes)) = self.sections.lane_with_axes(number) else {
                return false;
            };
            slot.lane.clone_from(lane);
            for (n, place) in slot.axes.iter_mut().enumerate() {
                *place = axes.get(n).copied().unwrap_or_default();
            }
        } else if number < health {
            slot.kind = Kind::Health;
            let first = (number - lanes) * HEALTH;
            for (n, place) in slot.health.iter_mut().enumerate() {
                place.clone_from(&self.sections.health(first + n).cloned());
            }
            return slot.health[0].is_some();
        } else if number < signatures {
            slot.kind = Kind::Signature;
            let Some(judge) = self.signatures.1.get(number - health) else {
                return false;
            };
            slot.signature = *judge;
        } else if number < stations {
            slot.kind = Kind::Station;
            let n = number - signatures;
            let Some(station) = self.stations.get(n) else {
                return false;
            };
            slot.station = *station;
            slot.station_health = self.station_health.get(n).cloned();
        } else {
            slot.kind = Kind::Press;
            let n = number - stations;
            let Some(press) = self.presses.get(n) else {
                return false;
            };
            slot.press.copy_from(press);
            let own = self.press_health.get(n);
            match (&mut slot.press_health, own.filter(|own| own.is_tracked())) {
                (Some(to), Some(from)) => to.copy_from(from),
                (to, from) => *to = from.cloned(),
            }
        }
        true
    }

    /// What belongs to no single part. A field that is new here has to be told of.
    fn copy_common(&self, common: &mut Common) {
        let Self {
            plan: _,
            sections: _,
            stations: _,
            signatures: _,
            presses: _,
            outbox,
            context,
            cycle,
            bus_raised,
            bus_good,
            bus_cause,
            hash,
            station_health: _,
            press_health: _,
            free_run,
            drifted,
        } = self;
        common.outbox.copy_from(outbox);
        (common.context, common.cycle, common.hash) = (*context, *cycle, *hash);
        common.bus_raised = *bus_raised;
        (common.bus_good, common.bus_cause) = (*bus_good, *bus_cause);
        common.free_run.clone_from(free_run);
        common.drifted = *drifted;
    }

    /// Puts part `number` back, after the cycle that it was taken after. False where this pipeline has no such part, or another
    /// one under this number: it is of another machine.
    pub fn put_back(&mut self, number: usize, part: &Part) -> bool {
        let [lanes, health, signatures, stations, _] = self.ends();
        let fits = match &part.piece {
            Piece::Lane(state, judges) => {
                let place = self.sections.lane_with_axes_mut(number);
                place.filter(|_| number < lanes).map(|(lane, axes)| {
                    lane.clone_from(state);
                    put(axes, judges);
                })
            }
            Piece::Health(all) => {
                let first = number.checked_sub(lanes).map(|n| n * HEALTH);
                let first = first.filter(|_| number < health);
                first.map(|first| {
                    for (k, from) in all.iter().enumerate() {
                        let to = self.sections.health_mut(first + k);
                        if let (Some(to), Some(from)) = (to, from) {
                            to.put_back(from);
                        }
                    }
                })
            }
            Piece::Signature(judge) => {
                let place = number.checked_sub(health);
                let place = place.and_then(|n| self.signatures.1.get_mut(n));
                place.map(|to| *to = *judge)
            }
            Piece::Station(judge, own) => {
                let n = number.checked_sub(signatures);
                let place = n.and_then(|n| self.stations.get_mut(n));
                if let (Some(n), Some(own)) = (n, own)
                    && let Some(to) = self.station_health.get_mut(n)
                {
                    to.clone_from(own);
                }
                place.map(|to| *to = *judge)
            }
            Piece::Press(judge, own) => {
                let n = number.checked_sub(stations);
                let place = n.and_then(|n| self.presses.get_mut(n));
                if let (Some(n), Some(own)) = (n, own)
                    && let Some(to) = self.press_health.get_mut(n)
                {
                    to.put_back(own);
                }
                place.map(|to| to.copy_from(judge))
            }
        };
        self.put_common(&part.common);
        fits.is_some()
    }

    fn put_common(&mut self, common: &Common) {
        let Common {
            outbox,
            context,
            cycle,
            bus_raised,
            bus_good,
            bus_cause,
            hash,
            free_run,
            drifted,
        } = common;
        self.outbox.copy_from(outbox);
        (self.context, self.cycle, self.hash) = (*context, *cycle, *hash);
        self.bus_raised = *bus_raised;
        (self.bus_good, self.bus_cause) = (*bus_good, *bus_cause);
        self.free_run.clone_from(free_run);
        self.drifted = *drifted;
    }
}

fn put(axes: &mut [AxisJudge], judges: &[AxisJudge]) {
    for (to, from) in axes.iter_mut().zip(judges) {
        *to = *from;
    }
}
