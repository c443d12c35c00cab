//! What a recording that begins in the middle of its run knows of the cycles before: tool, load and temperature in its
//! checkpoints.
//!
//! The band of a temperature depends on the one before, by its hysteresis. Objects tell the temperature, not the band, so that a
//! reader who starts from nothing may be in the band beside.

use super::checkpoint::{decode, form};
use twinstep_drivers::recording::mcap::Contents;
use twinstep_models::sample::Conditions;

/// Tool, load and temperature as the run had them after some cycles, in rising cycles.
#[derive(Debug, Default)]
pub struct Known(Vec<(u64, Conditions)>);

impl Known {
    /// What the checkpoints of a recording know; nothing where it has none that this version reads.
    pub fn of(contents: Option<&Contents>) -> Self {
        let ours = contents.filter(|from| from.checkpoint_form.as_deref() == Some(form()));
        let parts = ours.map_or(&[][..], |from| &from.checkpoints);
        let told = |part| decode(part).map(|given| (given.cycle, given.part.common.conditions()));
        Self(parts.iter().filter_map(|part| told(part).ok()).collect())
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What to begin with before cycle `first`: as it was after the cycle before. Where the first checkpoint is later, as it was
    /// there, which is nearer than none.
    pub fn before(&self, first: u64) -> Option<Conditions> {
        let earlier = self.0.iter().rfind(|(cycle, _)| *cycle < first);
        (earlier.or(self.0.first())).map(|(_, conditions)| *conditions)
    }

    /// As it was after `cycle`.
    pub fn after(&self, cycle: u64) -> Option<Conditions> {
        let place = self.0.binary_search_by_key(&cycle, |(cycle, _)| *cycle);
        place
            .ok()
            .and_then(|n| self.0.get(n))
            .map(|(_, conditions)| *conditions)
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::Taken;
    use super::*;
    use crate::plan::PlanStore;
    use twinstep_config::PRESS_CELL;
    use twinstep_cycle::checkpoint::Slot;
    use twinstep_models::sample::{Context, CycleStamp, Missing, Samples};

    #[test]
    fn the_band_of_before_comes_from_the_checkpoints() {
        let machine = twinstep_config::load(PRESS_CELL, "cell.toml").unwrap();
        let plan = PlanStore::new(&machine);
        let mut state = plan.state();
        let mut pipeline = plan.pipeline(&mut state);
        let axes = vec![Err(Missing::NoFrame); pipeline.plan().axes.len()];
        let stations = vec![Err(Missing::NoFrame); pipeline.plan().stations.len()];
        let mut contents = Contents {
            checkpoint_form: Some(form().to_owned()),
            ..Contents::default()
        };
        for cycle in 0..4_u8 {
            let conditions = Conditions::from([0, 0, cycle]);
            let samples = Samples {
                axes: &axes,
                stations: &stations,
                context: Context {
                    conditions,
                    ..Context::default()
                },
                bus: Ok(()),
            };
            let stamp = CycleStamp {
                cycle: 70 + u64::from(cycle),
                time_ns: 70_000_000 + 1_000_000 * u64::from(cycle),
                dc_time_ns: 0,
            };
            pipeline.predict();
            pipeline.compare(stamp, &samples);
            pipeline.correct(stamp, &samples);
            if cycle < 2 {
                continue;
            }
            let mut slot = Box::new(Slot::default());
            assert!(pipeline.copy_part(usize::from(cycle) - 2, &mut slot));
            let taken = Taken {
                slot,
                round: 1,
                parts: 2,
            };
            contents.checkpoints.push(taken.encode().unwrap());
        }
        let known = Known::of(Some(&contents));
        let band = |known: Option<Conditions>| known.map(|known| known.temperature);
        // Parts are of the cycles 72 and 73.
        assert_eq!(band(known.before(73)), Some(2));
        assert_eq!(band(known.before(74)), Some(3));
        assert_eq!(band(known.before(60)), Some(2), "the nearest there is");
        let after = [71, 72, 73, 74].map(|cycle| band(known.after(cycle)));
        assert_eq!(after, [None, Some(2), Some(3), None]);
        // Those of another version are not read.
        contents.checkpoint_form = Some(form().replace("free_run", "free_runs"));
        assert!(Known::of(Some(&contents)).is_empty());
        assert!(Known::of(None).before(0).is_none());
    }
}
