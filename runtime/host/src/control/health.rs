//! What is tracked of the machine's health: copied by the cycle, one axis or one part of a press in a cycle, and put into words by the control thread.
//!
//! Trends and remaining lives are fits over hours: too much for the cycle, which therefore only copies what they rest on.

use super::queue::{Command, ControlEnd};
use super::request::Wrong;
use crate::health::presses::{press_course, press_lines};
use crate::health::{self, CourseLine, HealthLine};
use crate::names::Names;
use twinstep_config::machine::AxisKind;
use twinstep_cycle::event::Source;
use twinstep_cycle::health::{AxisHealth, PressHealth, StationHealth};
use twinstep_cycle::pipeline::Pipeline;

/// How old health may be before it is copied again (ns).
const AGE_NS: u64 = 2_000_000_000;

/// What the cycle copies into. Made once with room for everything; it travels between the two threads.
#[derive(Clone, Debug)]
pub struct HealthBuffer {
    /// Servo axes first, then presses; as far as they are tracked.
    axes: Vec<(u16, AxisHealth)>,
    stations: Vec<(u16, StationHealth)>,
    /// By their strokes, with the numbers of their axes; those that are followed. There is room for each from the first.
    presses: Vec<(u16, PressHealth)>,
    /// So many of them are copied.
    presses_done: usize,
    /// Next step of the copy of one.
    step: usize,
    /// The next one to be copied: axes, stations, presses.
    next: usize,
    /// Time of the run of the cycle that it was copied after (ns), where that is told.
    pub time_ns: u64,
}

impl HealthBuffer {
    /// Room for a machine of so many axes and stations, and so many presses that are followed by their strokes.
    pub fn new(axes: usize, stations: usize, presses: usize) -> Self {
        Self {
            axes: Vec::with_capacity(axes),
            stations: Vec::with_capacity(stations),
            presses: vec![(0, PressHealth::room()); presses],
            presses_done: 0,
            step: 0,
            next: 0,
            time_ns: 0,
        }
    }

    /// Room for all of a machine.
    pub fn of(names: &Names) -> Self {
        Self::new(
            names.axis_count(),
            names.station_count(),
            names.followed_count(),
        )
    }

    /// Numbers and health of the axes and presses in it.
    pub fn axes(&self) -> &[(u16, AxisHealth)] {
        &self.axes
    }

    /// Numbers and health of the stations in it.
    pub fn stations(&self) -> &[(u16, StationHealth)] {
        &self.stations
    }

    /// Numbers of the axes of presses that are followed by their strokes, and their health.
    pub fn presses(&self) -> &[(u16, PressHealth)] {
        self.presses.get(..self.presses_done).unwrap_or_default()
    }

    /// Forgets what was copied.
    pub fn clear(&mut self) {
        self.axes.clear();
        self.stations.clear();
        (self.presses_done, self.step) = (0, 0);
        self.next = 0;
    }

    /// Copies the next axis or station, or what the strokes of a press say of the next part, without the heap. True: that was the last one.
    pub fn copy_one(&mut self, pipeline: &Pipeline<'_>) -> bool {
        let plan = pipeline.plan();
        let (axes, stations) = (plan.axes.len(), plan.stations.len());
        let n = self.next;
        if n < axes {
            if let Some(health) = pipeline.health(n)
                && self.axes.len() < self.axes.capacity()
            {
                self.axes.push((n as u16, health.clone()));
            }
        } else if n < axes + stations {
            if let Some(health) = pipeline.station_health(n - axes)
                && self.stations.len() < self.stations.capacity()
            {
                self.stations.push(((n - axes) as u16, health.clone()));
            }
        } else if let (Some(press), Some(from), Some((axis, to))) = (
            plan.presses.get(n - axes - stations),
            pipeline.press_health(n - axes - stations),
            self.presses.get_mut(self.presses_done),
        ) && from.is_tracked()
        {
            if !to.copy_step(from, self.step) {
                self.step += 1;
                return false;
            }
            *axis = press.axis;
            (self.presses_done, self.step) = (self.presses_done + 1, 0);
        }
        self.next += 1;
        self.next >= axes + stations + plan.presses.len()
    }

    /// Axes, stations and followed presses in it.
    pub fn copied(&self) -> usize {
        self.axes.len() + self.stations.len() + self.presses_done
    }

    /// How `parameter` of the axis, press or station called `source` has gone; none where it is not in it.
    fn course(&self, names: &Names, source: &str, parameter: &str) -> Option<CourseLine> {
        let press = (self.presses().iter()).find(|(n, _)| names.source(Source::Axis(*n)) == source);
        if let Some(course) = press.and_then(|(n, of)| press_course(names, *n, of, parameter)) {
            return Some(course);
        }
        let axis = (self.axes.iter()).find(|(n, _)| names.source(Source::Axis(*n)) == source);
        if let Some((n, of)) = axis {
            let readings = of.readings();
            let mut readings = readings.iter().flatten();
            let reading = readings.find(|r| r.parameter == parameter)?;
            let kind = names.moves(Source::Axis(*n));
            return Some(CourseLine::of(source, kind, reading, of.usage()));
        }
        let (_, of) =
            (self.stations.iter()).find(|(n, _)| names.source(Source::Station(*n)) == source)?;
        let reading = of.reading().filter(|r| r.parameter == parameter)?;
        let kind = AxisKind::Linear;
        Some(CourseLine::of(source, kind, &reading, of.usage()))
    }

    /// In words.
    pub fn lines(&self, names: &Names) -> Vec<HealthLine> {
        let mut lines = Vec::new();
        for (n, of) in &self.axes {
            health::axis_lines(names, *n, of, &mut lines);
        }
        for (n, of) in self.presses() {
            press_lines(names, *n, of, &mut lines);
        }
        for (n, of) in &self.stations {
            lines.extend(health::station_line(names.source(Source::Station(*n)), of));
        }
        lines
    }
}

/// The control thread's side: the last lines and what they are of, and a buffer for the next while it is here.
pub(super) struct HealthDesk {
    buffer: Option<Box<HealthBuffer>>,
    last: Box<HealthBuffer>,
    lines: Vec<HealthLine>,
    next_ns: u64,
}

impl HealthDesk {
    /// Nothing known yet.
    pub fn new(names: &Names) -> Self {
        let buffer = || Box::new(HealthBuffer::of(names));
        Self {
            buffer: Some(buffer()),
            last: buffer(),
            lines: Vec::new(),
            next_ns: 0,
        }
    }

    /// As it was when it was last copied.
    pub fn lines(&self) -> &[HealthLine] {
        &self.lines
    }

    /// Has it copied again where it is old. Whether an answer is awaited then.
    pub fn refresh(&mut self, now_ns: u64, cycle: &mut ControlEnd) {
        if now_ns < self.next_ns {
            return;
        }
        let Some(buffer) = self.buffer.take() else {
            return;
        };
        self.next_ns = now_ns.saturating_add(AGE_NS);
        // A queue that is full is asked again at the next look.
        if let Err(Command::Health(buffer)) = cycle.send(Command::Health(buffer)) {
            self.buffer = Some(buffer);
        }
    }

    /// Takes the copy.
    pub fn take(&mut self, buffer: Box<HealthBuffer>, names: &Names) {
        self.lines = buffer.lines(names);
        self.buffer = Some(std::mem::replace(&mut self.last, buffer));
    }

    /// How a tracked parameter has gone, as it was when it was last copied; none where it is not tracked, or nobody has looked yet.
    pub fn course(&self, names: &Names, source: &str, parameter: &str) -> Option<CourseLine> {
        self.last.course(names, source, parameter)
    }
}

/// Nothing of the kind is tracked.
pub(super) fn no_course(source: &str, parameter: &str) -> Wrong {
    let shown = |text: &str| -> String { text.chars().take(96).collect() };
    Wrong::new(
        format!(
            "'{}' of '{}' is not tracked, or was not looked at yet",
            shown(parameter).escape_default(),
            shown(source).escape_default()
        ),
        "`health` of the status lists what is; it is copied while somebody asks for a status",
    )
}
