//! What a picture is drawn from, and how news change it.

use crate::control::status::StatusLine;
use crate::lines::EventRecord;
use std::collections::VecDeque;

/// Events that are remembered; of more, the oldest go.
pub(super) const EVENTS: usize = 64;
/// Looks after a trigger in which the record of the overrun, and the event, still come onto the frozen picture.
const GRACE: u8 = 4;

/// A page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Durations against budgets, overruns by cause, what-if.
    #[default]
    Budget,
    /// Axes and stations against their twins, the last deviations.
    Axes,
    /// Histogram of one row.
    Histogram,
    /// The last overruns with evidence and next step.
    Overruns,
    /// Health of the bus.
    Bus,
    /// The last events with cause and action.
    Events,
}

impl Page {
    /// Number of pages.
    pub const COUNT: usize = 6;
    /// In the order of their keys.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Budget,
        Self::Axes,
        Self::Histogram,
        Self::Overruns,
        Self::Bus,
        Self::Events,
    ];

    /// Its name in the footer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Axes => "axes",
            Self::Histogram => "histogram",
            Self::Overruns => "overruns",
            Self::Bus => "bus",
            Self::Events => "events",
        }
    }

    /// The page `steps` after this one, around.
    pub fn after(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::COUNT]
    }
}

/// What freezes the picture by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trigger {
    /// Nothing.
    #[default]
    Off,
    /// An overrun or a deviation.
    Either,
    /// An overrun.
    Overrun,
    /// A deviation.
    Deviation,
}

impl Trigger {
    /// What the header says while it waits.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "",
            Self::Either => "freezes on overrun or deviation",
            Self::Overrun => "freezes on overrun",
            Self::Deviation => "freezes on deviation",
        }
    }

    /// The one that the key leads to next.
    pub const fn next(self) -> Self {
        match self {
            Self::Off => Self::Either,
            Self::Either => Self::Overrun,
            Self::Overrun => Self::Deviation,
            Self::Deviation => Self::Off,
        }
    }
}

/// What the thread at the socket tells.
#[derive(Clone, Debug)]
pub enum News {
    /// An instance answers; it may be another one than before.
    Connected,
    /// A status.
    Status(Box<StatusLine>),
    /// Events, the newest last.
    Events(Vec<EventRecord>),
    /// What came of a wish, or what is wrong.
    Said(String),
    /// The instance does not answer any more, and why.
    Lost(String),
}

/// Everything that one picture is drawn from.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What is shown; none before the first answer.
    pub status: Option<Box<StatusLine>>,
    /// Events that are shown, the newest last.
    pub events: VecDeque<EventRecord>,
    /// The page.
    pub page: Page,
    /// The keys are shown instead of the page.
    pub help: bool,
    /// The picture stands still, and why.
    pub frozen: Option<&'static str>,
    /// What is to freeze it.
    pub trigger: Trigger,
    /// The fault that is being typed.
    pub prompt: Option<String>,
    /// What came of the last wish.
    pub message: String,
    /// Why the instance does not answer; none while it does.
    pub lost: Option<String>,
    /// First line that is shown, or the row of the histogram, by page.
    pub offsets: [usize; Page::COUNT],
    /// Statuses of all buses behind what is shown; empty where there is one.
    all: Vec<StatusLine>,
    /// Which of them is shown, counted on by a key.
    bus: usize,
    /// All events of this connection, shown or not.
    latest: VecDeque<EventRecord>,
    /// Process, overruns and deviations at the last look, whether it is shown or not.
    seen: Option<(u32, u64, u64)>,
    grace: u8,
}

impl View {
    /// Takes news in. A frozen picture stays as it is; a look may be what freezes it.
    pub fn take(&mut self, news: News) {
        match news {
            News::Connected => {
                self.lost = None;
                self.seen = None;
                // They come again with the new connection, and the store may be another one.
                self.latest.clear();
                if self.frozen.is_none() {
                    self.events.clear();
                }
            }
            News::Status(status) => self.look(status),
            News::Events(events) => self.add(events),
            News::Said(message) => self.message = message,
            News::Lost(why) => self.lost = Some(why),
        }
    }

    fn look(&mut self, mut status: Box<StatusLine>) {
        self.lost = None;
        let all = std::mem::take(&mut status.buses);
        if let Some(one) = chosen(&all, self.bus) {
            *status = one.clone();
        }
        let now = (status.identity.pid, status.overruns.count, status.events);
        let before = self.seen.replace(now);
        if self.frozen.is_some() {
            self.after_trigger(&status);
            return;
        }
        // Another process counts from the start.
        if let Some((pid, overruns, events)) = before
            && pid == now.0
        {
            self.frozen = match self.trigger {
                Trigger::Overrun | Trigger::Either if now.1 > overruns => Some("overrun"),
                Trigger::Deviation | Trigger::Either if now.2 > events => Some("deviation"),
                _ => None,
            };
            if self.frozen.is_some() {
                self.grace = GRACE;
            }
        }
        self.status = Some(status);
        self.all = all;
    }

    /// Shows the next bus, also of a picture that stands still.
    pub fn next_bus(&mut self) {
        self.bus = self.bus.wrapping_add(1);
        // Another one counts from elsewhere.
        self.seen = None;
        match chosen(&self.all, self.bus) {
            Some(one) => self.status = Some(Box::new(one.clone())),
            None => "the machine has one bus".clone_into(&mut self.message),
        }
    }

    /// The cause of an overrun is found, and a deviation stored, a moment after it is counted.
    fn after_trigger(&mut self, status: &StatusLine) {
        if self.grace == 0 {
            return;
        }
        self.grace -= 1;
        if let Some(shown) = &mut self.status
            && shown.identity.pid == status.identity.pid
            && shown.bus_name == status.bus_name
        {
            shown.overruns.clone_from(&status.overruns);
        }
    }

    fn add(&mut self, events: Vec<EventRecord>) {
        self.latest.extend(events);
        let surplus = self.latest.len().saturating_sub(EVENTS);
        self.latest.drain(..surplus);
        if self.frozen.is_none() || self.grace > 0 {
            self.events.clone_from(&self.latest);
        }
    }

    /// Lets a picture that stands still go on, or stops it.
    pub fn toggle_pause(&mut self) {
        if self.frozen.is_none() {
            self.frozen = Some("paused");
            return;
        }
        self.frozen = None;
        self.grace = 0;
        self.events.clone_from(&self.latest);
    }

    /// Number of things on the page that can be moved over.
    fn length(&self) -> usize {
        let Some(status) = &self.status else { return 0 };
        match self.page {
            Page::Budget | Page::Bus => 0,
            Page::Axes => status.axes.len() + status.stations.len(),
            Page::Histogram => status.rows().count(),
            Page::Overruns => status.overruns.recent.len(),
            Page::Events => self.events.len(),
        }
    }

    /// Moves by `step` on the page.
    pub fn scroll(&mut self, step: isize) {
        let last = self.length().saturating_sub(1);
        let offset = &mut self.offsets[self.page as usize];
        *offset = offset.saturating_add_signed(step).min(last);
    }

    /// The first thing that is shown on the page.
    pub fn offset(&self) -> usize {
        let last = self.length().saturating_sub(1);
        self.offsets[self.page as usize].min(last)
    }

    /// Whether the machine is simulated; not before it is known.
    pub fn is_simulated(&self) -> bool {
        (self.status.as_ref()).is_some_and(|status| status.identity.simulated)
    }
}

/// The bus that is shown, after so many steps.
fn chosen(all: &[StatusLine], steps: usize) -> Option<&StatusLine> {
    all.get(steps.checked_rem(all.len())?)
}
