//! All sections of a pipeline, by lane and by axis.

use super::{Crew, Luggage, MAX_SECTIONS, Order, Section};
use crate::health::AxisHealth;
use crate::judge::AxisJudge;
use crate::lanes::LaneState;
use crate::outbox::Outbox;
use crate::plan::Plan;
use twinstep_models::axis::LaneParams;
use twinstep_models::lane::LANES;

/// One section, or several of as many lanes, of which the last may have fewer. None: it was lost.
#[derive(Debug)]
pub(crate) struct Sections<'a> {
    all: heapless::Vec<Option<Section<'a>>, MAX_SECTIONS>,
    lanes_each: usize,
}

/// Lanes of each section but the last, where `lanes` are cut into `sections`.
pub const fn lanes_each(lanes: usize, sections: usize) -> usize {
    let sections = match sections {
        0 => 1,
        MAX_SECTIONS.. => MAX_SECTIONS,
        some => some,
    };
    match lanes.div_ceil(sections) {
        0 => 1,
        some => some,
    }
}

impl<'a> Sections<'a> {
    /// All lanes in one piece.
    pub fn whole(plan: Plan<'a>, lanes: &'a mut [LaneState], axes: &'a mut [AxisJudge]) -> Self {
        let lanes_each = lanes_each(lanes.len(), 1);
        let mut all = heapless::Vec::new();
        // There is room for more than one.
        let _ = all.push(Some(Section::whole(plan, lanes, axes)));
        Self { all, lanes_each }
    }

    /// To be called while they are one piece.
    pub fn set_health(&mut self, health: &'a mut [AxisHealth]) {
        if let Some(Some(section)) = self.all.first_mut() {
            section.health = health;
        }
    }

    /// Cuts one piece of `lanes` lanes into sections, one for each piece of luggage, as far as there are lanes.
    pub fn cut(&mut self, lanes: usize, luggage: impl ExactSizeIterator<Item = Luggage<'a>>) {
        self.lanes_each = lanes_each(lanes, luggage.len());
        for luggage in luggage {
            let Some(Some(last)) = self.all.last_mut() else {
                break;
            };
            last.luggage = Some(luggage);
            if last.lanes.len() <= self.lanes_each {
                break;
            }
            let rest = last.split_off(self.lanes_each);
            // Each has so many lanes that all find room.
            let _ = self.all.push(Some(rest));
        }
    }

    /// Whether none was lost.
    pub fn are_all_there(&self) -> bool {
        self.all.iter().all(Option::is_some)
    }

    /// One stage of the cycle, for every lane; what was found is in `out` afterwards, in the order of the lanes.
    #[inline(always)]
    pub fn work(&mut self, crew: &mut impl Crew<'a>, order: &Order<'_>, out: &mut Outbox) {
        if let [Some(whole)] = self.all.as_mut_slice() {
            // In one piece there is nothing to be given away.
            whole.work_into(order, out);
            return;
        }
        crew.work(&mut self.all, order);
        for section in self.all.iter_mut().flatten() {
            section.empty_into(out);
        }
    }

    /// All lanes that are there.
    pub fn lanes(&self) -> impl Iterator<Item = &LaneState> {
        (self.all.iter().flatten()).flat_map(|section| section.lanes.iter())
    }

    /// Number of the section with lane `n`, and the place of the lane in it.
    #[inline]
    fn place(&self, n: usize) -> (usize, usize) {
        // A division takes longer than all else here.
        if self.all.len() == 1 {
            return (0, n);
        }
        (n / self.lanes_each, n % self.lanes_each)
    }

    fn section(&self, n: usize) -> Option<(&Section<'a>, usize)> {
        let (section, place) = self.place(n);
        Some((self.all.get(section)?.as_ref()?, place))
    }

    fn section_mut(&mut self, n: usize) -> Option<(&mut Section<'a>, usize)> {
        let (section, place) = self.place(n);
        Some((self.all.get_mut(section)?.as_mut()?, place))
    }

    /// Lane `n`, with its parameters.
    pub fn lane(&self, n: usize) -> Option<(&LaneState, &'a LaneParams)> {
        let (section, place) = self.section(n)?;
        Some((section.lanes.get(place)?, section.plan.lanes.get(place)?))
    }

    /// Lane `n`.
    pub fn lane_mut(&mut self, n: usize) -> Option<&mut LaneState> {
        let (section, place) = self.section_mut(n)?;
        section.lanes.get_mut(place)
    }

    /// Judging of axis `n`.
    pub fn axis(&self, n: usize) -> Option<&AxisJudge> {
        let (section, lane) = self.section(n / LANES)?;
        section.axes.get(lane * LANES + n % LANES)
    }

    /// Judging of axis `n`.
    pub fn axis_mut(&mut self, n: usize) -> Option<&mut AxisJudge> {
        let (section, lane) = self.section_mut(n / LANES)?;
        section.axes.get_mut(lane * LANES + n % LANES)
    }

    /// Lane `n` and the judging of its axes.
    pub fn lane_with_axes(&self, n: usize) -> Option<(&LaneState, &[AxisJudge])> {
        let (section, place) = self.section(n)?;
        let axes = section.axes.get(place * LANES..)?;
        Some((section.lanes.get(place)?, axes.get(..LANES).unwrap_or(axes)))
    }

    /// The same, to be changed.
    pub fn lane_with_axes_mut(&mut self, n: usize) -> Option<(&mut LaneState, &mut [AxisJudge])> {
        let (section, place) = self.section_mut(n)?;
        let lane = section.lanes.get_mut(place)?;
        let axes = section.axes.get_mut(place * LANES..)?;
        let end = axes.len().min(LANES);
        Some((lane, axes.get_mut(..end)?))
    }

    /// Health of axis `n`.
    pub fn health(&self, n: usize) -> Option<&AxisHealth> {
        let (section, lane) = self.section(n / LANES)?;
        section.health.get(lane * LANES + n % LANES)
    }

    /// Health of axis `n`.
    pub fn health_mut(&mut self, n: usize) -> Option<&mut AxisHealth> {
        let (section, lane) = self.section_mut(n / LANES)?;
        section.health.get_mut(lane * LANES + n % LANES)
    }
}
