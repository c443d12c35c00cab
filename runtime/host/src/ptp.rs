//! Whether ptp4l keeps the clock of this computer: asked once a second beside the cycle, judged, and told in status, summary and
//! trust.

use crate::clock;
use crate::realtime::capabilities;
use serde::{Serialize, Serializer};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use twinstep_config::machine::Ptp;
use twinstep_drivers::ptp::{self, ClockIdentity, Health, PortState, PtpError, SOCKETS};

/// Time between two questions.
const EVERY: Duration = Duration::from_secs(1);
/// Time that ptp4l is given to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the answers come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The clock follows its grandmaster, and closely enough.
    Follows,
    /// This clock is the grandmaster: there is nobody to follow.
    Grandmaster,
    /// Nobody answers at the socket.
    #[default]
    NoAnswer,
    /// No port follows anybody.
    NotFollowing,
    /// It follows, from too far.
    OffsetTooLarge,
    /// It followed, and no Sync message comes any more.
    NoSync,
}

impl Verdict {
    /// Whether the clock can be relied on.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Follows | Self::Grandmaster)
    }

    /// It in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Follows => "follows its grandmaster",
            Self::Grandmaster => "is the grandmaster",
            Self::NoAnswer => "does not answer",
            Self::NotFollowing => "follows nobody",
            Self::OffsetTooLarge => "is too far from its grandmaster",
            Self::NoSync => "hears no Sync messages any more",
        }
    }

    /// What to do about it; empty where nothing is to be done.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Follows | Self::Grandmaster => "",
            Self::NoAnswer => {
                "start ptp4l, let this user use its socket (/var/run/ptp4l, or ptp4lro for reading), and compare [realtime.ptp] domain with its domainNumber"
            }
            Self::NotFollowing => {
                "see that a grandmaster is on the network in the same domain and profile: `pmc -u -b 0 'GET PORT_DATA_SET'`"
            }
            Self::OffsetTooLarge => {
                "wait until ptp4l has settled, use hardware time stamps, or raise [realtime.ptp] max_offset to what this network can do"
            }
            Self::NoSync => "look for the grandmaster, and for a switch that lets PTP through",
        }
    }
}

/// What is known of the clock, in status, summary and trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PtpLine {
    /// What it comes to.
    pub verdict: Verdict,
    /// State of the port that follows, else of the first.
    #[serde(serialize_with = "word")]
    pub port_state: Option<PortState>,
    /// This clock minus the grandmaster's (ns).
    pub offset_ns: Option<i64>,
    /// Mean time that a message is under way (ns).
    pub path_delay_ns: Option<i64>,
    /// The grandmaster, as ptp4l writes it.
    #[serde(serialize_with = "identity")]
    pub grandmaster: Option<ClockIdentity>,
    /// Clocks on the way to it.
    pub steps_removed: Option<u16>,
    /// Time since the last Sync message was seen to have come (ns), to a second; none before the first.
    pub since_sync_ns: Option<u64>,
    /// TAI - UTC as the grandmaster tells it (s).
    pub utc_offset_s: Option<i16>,
}

fn word<S: Serializer>(state: &Option<PortState>, to: S) -> Result<S::Ok, S::Error> {
    state.map(PortState::word).serialize(to)
}

fn identity<S: Serializer>(clock: &Option<ClockIdentity>, to: S) -> Result<S::Ok, S::Error> {
    clock.map(|clock| clock.to_string()).serialize(to)
}

impl PtpLine {
    /// In words.
    pub fn text(&self) -> String {
        let mut text = format!("ptp4l {}", self.verdict.text());
        // Writing to a string cannot fail.
        if let Some(state) = self.port_state {
            let _ = write!(text, ", port {}", state.word().replace('_', " "));
        }
        if let (Some(offset_ns), Some(PortState::Slave)) = (self.offset_ns, self.port_state) {
            let _ = write!(text, ", offset {offset_ns} ns");
        }
        if let Some(grandmaster) = self.grandmaster {
            let _ = write!(text, ", grandmaster {grandmaster}");
        }
        text
    }
}

/// Remembers what one look at a clock cannot tell.
#[derive(Debug, Default)]
pub struct Judge {
    /// The last Sync, as ptp4l told it, and when that was first seen on CLOCK_MONOTONIC (ns).
    sync: Option<(i64, u64)>,
}

impl Judge {
    /// Judges an answer that came at `now_ns` on CLOCK_MONOTONIC; none: there was none.
    pub fn line(&mut self, asked: &Ptp, health: Option<&Health>, now_ns: u64) -> PtpLine {
        let Some(health) = health else {
            return PtpLine::default();
        };
        if let Some(sync_ns) = health.last_sync_ns.filter(|sync_ns| *sync_ns != 0)
            && self.sync.is_none_or(|(last_ns, _)| last_ns != sync_ns)
        {
            self.sync = Some((sync_ns, now_ns));
        }
        let state = health.state();
        let since_sync_ns = self.sync.map(|(_, seen_ns)| now_ns.saturating_sub(seen_ns));
        let offset_ns = health.offset_ns.map(i64::unsigned_abs);
        let alone = health.follows == Some(false);
        let verdict = match state {
            Some(PortState::Slave) if since_sync_ns.is_some_and(|ns| ns > asked.max_silence_ns) => {
                Verdict::NoSync
            }
            Some(PortState::Slave) if offset_ns.is_none_or(|ns| ns > asked.max_offset_ns) => {
                Verdict::OffsetTooLarge
            }
            Some(PortState::Slave) => Verdict::Follows,
            Some(PortState::Master | PortState::GrandMaster) if alone => Verdict::Grandmaster,
            _ => Verdict::NotFollowing,
        };
        PtpLine {
            verdict,
            port_state: state,
            offset_ns: health.offset_ns,
            path_delay_ns: health.path_delay_ns,
            grandmaster: health.grandmaster,
            steps_removed: health.steps_removed,
            since_sync_ns,
            utc_offset_s: health.utc_offset_s,
        }
    }
}

/// Asks ptp4l, at its usual sockets where none is named.
///
/// # Errors
/// [`PtpError`] of the named one, or of the last that is usual.
pub fn ask(asked: &Ptp) -> Result<Health, PtpError> {
    if let Some(path) = &asked.socket {
        return ptp::ask(Path::new(path), asked.domain, PATIENCE);
    }
    let [own, readable] = SOCKETS.map(Path::new);
    match ptp::ask(own, asked.domain, PATIENCE) {
        Err(PtpError::Socket { error, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
            ptp::ask(readable, asked.domain, PATIENCE)
        }
        other => other,
    }
}

/// The last answer, judged.
pub type SharedPtp = Arc<Mutex<PtpLine>>;

/// The last answer.
pub fn latest(shared: &SharedPtp) -> PtpLine {
    // A value that is copied is whole, whoever panicked.
    *shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks beside the cycle, until it is dropped.
#[derive(Debug)]
pub struct PtpWatch {
    latest: SharedPtp,
    /// The thread ends when this goes.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PtpWatch {
    /// Asks once, and goes on asking in a thread of its own. What is wrong is told by `remark`, when it begins and when it ends.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(asked: &Ptp, remark: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let mut judge = Judge::default();
        let first = look(&mut judge, asked);
        tell(Verdict::Follows, first, &remark);
        let latest = Arc::new(Mutex::new(first));
        let (stop, stopped) = channel();
        let (shared, asked) = (Arc::clone(&latest), asked.clone());
        let thread = std::thread::Builder::new()
            .name("ptp".to_owned())
            .spawn(move || {
                // A socket takes none; what cannot be given up harms nobody here, and the cycle's thread tells it.
                let _ = capabilities::give_up_all();
                watch(judge, &asked, &shared, &stopped, &remark);
            })?;
        Ok(Self {
            latest,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The place of the last answer.
    pub fn shared(&self) -> SharedPtp {
        Arc::clone(&self.latest)
    }
}

impl Drop for PtpWatch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing to hand over.
            let _ = thread.join();
        }
    }
}

fn look(judge: &mut Judge, asked: &Ptp) -> PtpLine {
    let health = ask(asked).ok();
    judge.line(asked, health.as_ref(), clock::monotonic_ns())
}

fn watch(
    mut judge: Judge,
    asked: &Ptp,
    shared: &SharedPtp,
    stopped: &Receiver<()>,
    remark: &dyn Fn(&str),
) {
    while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        let line = look(&mut judge, asked);
        let before = {
            let mut latest = shared.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *latest, line)
        };
        tell(before.verdict, line, remark);
    }
}

/// Says what has become of the clock, where that is news.
fn tell(before: Verdict, line: PtpLine, remark: &dyn Fn(&str)) {
    let now = line.verdict;
    if now == before {
        return;
    }
    if now.is_good() {
        remark(&line.text());
    } else {
        remark(&format!("{}: {}", line.text(), now.remedy()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn following(offset_ns: i64, sync_ns: i64) -> Health {
        Health {
            ports: vec![(1, PortState::Slave)],
            offset_ns: Some(offset_ns),
            path_delay_ns: Some(900),
            steps_removed: Some(1),
            grandmaster: Some(ClockIdentity([0xa0, 1, 2, 0xff, 0xfe, 3, 4, 5])),
            follows: Some(true),
            last_sync_ns: Some(sync_ns),
            utc_offset_s: Some(37),
        }
    }

    #[test]
    fn a_clock_is_judged_by_port_offset_and_silence() {
        let asked = Ptp::default();
        let mut judge = Judge::default();
        let mut verdict = |health: Option<&Health>, now_s: u64| {
            judge.line(&asked, health, now_s * 1_000_000_000).verdict
        };
        assert_eq!(verdict(None, 1), Verdict::NoAnswer);
        assert_eq!(verdict(Some(&following(-900, 5)), 2), Verdict::Follows);
        assert_eq!(
            verdict(Some(&following(-1_001, 6)), 3),
            Verdict::OffsetTooLarge
        );
        assert_eq!(
            verdict(Some(&following(i64::MIN, 7)), 3),
            Verdict::OffsetTooLarge
        );
        // The same Sync again, and again.
        assert_eq!(verdict(Some(&following(1, 8)), 4), Verdict::Follows);
        assert_eq!(verdict(Some(&following(1, 8)), 7), Verdict::Follows);
        assert_eq!(verdict(Some(&following(1, 8)), 8), Verdict::NoSync);
        assert_eq!(verdict(Some(&following(1, 9)), 9), Verdict::Follows);
        let alone = Health {
            ports: vec![(1, PortState::Master)],
            follows: Some(false),
            ..Health::default()
        };
        assert_eq!(verdict(Some(&alone), 10), Verdict::Grandmaster);
        let listening = Health {
            ports: vec![(1, PortState::Listening)],
            ..alone.clone()
        };
        assert_eq!(verdict(Some(&listening), 11), Verdict::NotFollowing);
        assert_eq!(verdict(Some(&Health::default()), 11), Verdict::NotFollowing);
        // A boundary clock that has lost its master follows nobody.
        let boundary = Health {
            follows: Some(true),
            ..alone
        };
        assert_eq!(verdict(Some(&boundary), 12), Verdict::NotFollowing);
    }

    #[test]
    fn a_line_has_words_for_states_and_clocks() {
        let line = Judge::default().line(&Ptp::default(), Some(&following(-40, 5)), 7);
        let json = serde_json::to_value(line).unwrap();
        assert_eq!(json["verdict"], "follows");
        assert_eq!(json["port_state"], "slave");
        assert_eq!(json["grandmaster"], "a00102.fffe.030405");
        assert_eq!(json["offset_ns"], -40);
        assert_eq!(
            line.text(),
            "ptp4l follows its grandmaster, port slave, offset -40 ns, grandmaster a00102.fffe.030405"
        );
        let json = serde_json::to_value(PtpLine::default()).unwrap();
        assert_eq!(
            (&json["verdict"], &json["port_state"]),
            (&"no_answer".into(), &serde_json::Value::Null)
        );
    }

    #[test]
    fn news_is_told_once() {
        let told = Mutex::new(Vec::new());
        let remark = |text: &str| told.lock().unwrap().push(text.to_owned());
        let of = |verdict| PtpLine {
            verdict,
            ..PtpLine::default()
        };
        tell(Verdict::Follows, of(Verdict::Follows), &remark);
        tell(Verdict::Follows, of(Verdict::NoSync), &remark);
        tell(Verdict::NoSync, of(Verdict::NoSync), &remark);
        tell(Verdict::NoSync, of(Verdict::Follows), &remark);
        let told = told.into_inner().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("look for the grandmaster"), "{told:?}");
    }
}
