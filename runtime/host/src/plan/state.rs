//! The pipeline's own memory, and the pipeline over it.

use super::PlanStore;
use twinstep_cycle::health::{AxisHealth, HealthSlices, PressHealth, StationHealth};
use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::outbox::Outbox;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::press::StrokeJudge;
use twinstep_cycle::section::{self, Luggage, MAX_SECTIONS};
use twinstep_cycle::signature::SignatureJudge;
use twinstep_cycle::station::StationJudge;
use twinstep_models::lane::LANES;
use twinstep_models::sample::{AxisReading, Missing};

/// Sections for each thread, where there are lanes enough: what a late worker has not begun is taken over by a section.
const SECTIONS_A_THREAD: usize = 2;

/// The pipeline's own memory.
#[derive(Clone, Debug)]
pub struct StateStore {
    lanes: Vec<LaneState>,
    axes: Vec<AxisJudge>,
    stations: Vec<StationJudge>,
    signatures: Vec<SignatureJudge>,
    axis_health: Vec<AxisHealth>,
    station_health: Vec<StationHealth>,
    press_health: Vec<PressHealth>,
    presses: Vec<StrokeJudge>,
    /// What sections take along; none where the pipeline stays in one piece.
    bags: Vec<Bag>,
}

/// What one section takes along.
#[derive(Clone, Debug)]
struct Bag {
    samples: Vec<Result<AxisReading, Missing>>,
    out: Outbox,
}

/// Sections of `lanes` lanes for so many threads.
fn sections(lanes: usize, threads: usize) -> usize {
    let sections = if lanes < 2 * SECTIONS_A_THREAD * threads {
        // So few that a lane more or less is a lot.
        lanes
    } else {
        SECTIONS_A_THREAD * threads
    };
    sections.min(MAX_SECTIONS)
}

impl StateStore {
    /// Health of all axes and presses, and of all stations.
    pub fn health_mut(&mut self) -> (&mut [AxisHealth], &mut [StationHealth]) {
        (&mut self.axis_health, &mut self.station_health)
    }

    /// Health of the presses whose strokes are judged, by these.
    pub fn press_health_mut(&mut self) -> &mut [PressHealth] {
        &mut self.press_health
    }
}

impl PlanStore {
    /// Memory for one pipeline.
    pub fn state(&self) -> StateStore {
        self.state_for(1)
    }

    /// Memory for one pipeline that so many threads work on.
    pub fn state_for(&self, threads: usize) -> StateStore {
        let lanes = self.lanes.len();
        let sections = if threads > 1 {
            sections(lanes, threads)
        } else {
            0
        };
        let bag = Bag {
            samples: vec![Err(Missing::NoFrame); LANES * section::lanes_each(lanes, sections)],
            out: Outbox::default(),
        };
        StateStore {
            lanes: vec![LaneState::NEW; lanes],
            axes: vec![AxisJudge::default(); self.axes.len()],
            stations: vec![StationJudge::default(); self.stations.len()],
            signatures: vec![SignatureJudge::default(); self.signatures.len()],
            axis_health: self.axis_health.clone(),
            station_health: self.station_health.clone(),
            press_health: self.press_health.clone(),
            presses: vec![StrokeJudge::default(); self.presses.len()],
            bags: vec![bag; sections],
        }
    }

    /// A pipeline over this plan and `state`.
    pub fn pipeline<'a>(&'a self, state: &'a mut StateStore) -> Pipeline<'a> {
        let pipeline = Pipeline::new(
            self.plan(),
            &mut state.lanes,
            &mut state.axes,
            &mut state.stations,
            &mut state.presses,
        )
        .with_signatures(&self.signatures, &mut state.signatures)
        .with_health(HealthSlices {
            axes: &mut state.axis_health,
            stations: &mut state.station_health,
            presses: &mut state.press_health,
        });
        if state.bags.is_empty() {
            return pipeline;
        }
        pipeline.in_sections(state.bags.iter_mut().map(|bag| Luggage {
            samples: &mut bag.samples,
            out: &mut bag.out,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_has_a_section_and_few_lanes_are_shared_out_one_by_one() {
        for threads in 2..=16 {
            for lanes in threads..=128 {
                let sections = sections(lanes, threads);
                let each = section::lanes_each(lanes, sections);
                let pieces = lanes.div_ceil(each);
                assert!(
                    (threads..=MAX_SECTIONS).contains(&pieces),
                    "{lanes} lanes, {threads} threads: {pieces} sections of {each}"
                );
                assert!(each * sections >= lanes, "{lanes} {threads}");
            }
        }
        assert_eq!(sections(2, 2), 2);
        assert_eq!(sections(9, 4), 9);
        assert_eq!(sections(125, 2), 4);
    }
}
