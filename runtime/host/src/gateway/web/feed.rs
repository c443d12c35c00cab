//! The live stream: server-sent events that are encoded once and shared by all who watch.
//!
//! Of every kind only the newest message is kept, so that whoever reads slowly skips some and costs nobody anything.

use super::guard::{Stay, refusal};
use super::read::AlarmsLine;
use crate::clock::utc_ns;
use crate::control::status::StatusLine;
use crate::gateway::buses::each;
use crate::gateway::context::Context;
use crate::gateway::journal::Stand;
use crate::gateway::live::Moment;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, interval};

/// Most who watch at a time.
pub const MAX_CLIENTS: usize = 64;
/// Time between two states, where nothing in them calls for an earlier one.
const STATE_EVERY: Duration = Duration::from_secs(1);
/// Shortest time between two lists of alarms.
const ALARMS_EVERY: Duration = Duration::from_millis(500);

/// The newest message of every kind. Clones share it.
#[derive(Clone)]
pub struct Feed {
    live: Arc<watch::Sender<Bytes>>,
    state: Arc<watch::Sender<Bytes>>,
    alarms: Arc<watch::Sender<Bytes>>,
    places: Arc<Semaphore>,
}

/// What changes with every cycle, ten times a second. Figures that are not known are null. Of several buses the keys are those of the
/// first one, and each stands in `buses`.
#[derive(Serialize)]
struct LiveLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bus_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    buses: Vec<Self>,
    cycle: u64,
    time_ns: u64,
    armed: bool,
    events: u64,
    overruns: u64,
    /// Number of the last stored event, and the store that it is of.
    last_seq: u64,
    store: String,
    /// The last cycle by row, as in the state: phases, groups of models, all of it (ns).
    now_ns: Vec<u64>,
    /// As the names in the state: position and prediction (m), velocity and prediction (m/s), current and prediction (A), residual
    /// (sigma), regime, confidence, judged; null where it was not measured.
    axes: Vec<Option<AxisNow<'a>>>,
    /// Pressure and prediction (Pa), residual (sigma).
    stations: Vec<Option<[Option<f32>; 3]>>,
}

#[derive(Serialize)]
struct AxisNow<'a>(
    Option<f64>,
    Option<f64>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<f32>,
    Option<&'a str>,
    Option<f32>,
    bool,
);

impl<'a> LiveLine<'a> {
    fn of(status: &'a StatusLine, stand: Stand) -> Self {
        // A nanometre is beyond what anybody sees.
        let place = |m: Option<f64>| m.map(|m| (m * 1e9).round() / 1e9);
        let short = |value: Option<f64>| value.map(|value| value as f32);
        let axis = |axis: &'a crate::control::status::AxisLine| {
            axis.valid.then(|| {
                AxisNow(
                    place(axis.position_m),
                    place(axis.predicted_position_m),
                    short(axis.velocity_m_per_s),
                    short(axis.predicted_velocity_m_per_s),
                    short(axis.current_a),
                    short(axis.predicted_current_a),
                    short(axis.residual_sigma),
                    axis.regime.as_deref(),
                    short(axis.confidence),
                    axis.judged,
                )
            })
        };
        let station = |one: &crate::control::status::StationLine| {
            let figures = [
                one.pressure_pa,
                one.predicted_pressure_pa,
                one.residual_sigma,
            ];
            one.valid.then(|| figures.map(short))
        };
        Self {
            bus_name: status.bus_name.as_deref(),
            buses: (status.buses.iter())
                .map(|bus| Self::of(bus, stand))
                .collect(),
            cycle: status.cycle,
            time_ns: status.time_ns,
            armed: status.armed,
            events: status.events,
            overruns: status.overruns.count,
            last_seq: stand.last,
            store: stand.store.first_utc_ns.to_string(),
            now_ns: status.rows().map(|row| row.now_ns).collect(),
            axes: status.axes.iter().map(axis).collect(),
            stations: status.stations.iter().map(station).collect(),
        }
    }
}

/// One server-sent event. JSON has no line ends within.
fn message(name: &str, value: &impl Serialize) -> Bytes {
    let json = serde_json::to_string(value).unwrap_or_default();
    format!("event: {name}\ndata: {json}\n\n").into()
}

/// Leaves the names of axes and stations, and says which of the axes are rotary, where any is.
fn names_alone(status: &mut Value) {
    let axes = status.get("axes").and_then(Value::as_array);
    let turns = |axis: &&Value| axis["axis_kind"] == "rotary";
    let turning = axes.into_iter().flatten().filter(turns);
    let turning: Vec<Value> = turning.map(|axis| axis["name"].clone()).collect();
    if !turning.is_empty() {
        status["rotary"] = json!(turning);
    }
    for key in ["axes", "stations"] {
        let list = status.get_mut(key).and_then(Value::as_array_mut);
        for one in list.into_iter().flatten() {
            *one = one["name"].take();
        }
    }
}

/// The last status that came: who stands before a machine that has stopped wants to know how it was.
#[derive(Default)]
struct Last {
    /// As it came.
    json: Arc<str>,
    /// When (ns since 1970, UTC); none where nobody has answered yet.
    utc_ns: Option<u64>,
    /// What the last live message was made of.
    live: Option<(Arc<StatusLine>, Stand)>,
}

/// The status without what the live message holds; while nobody answers the last one, why, and since when, with what was live then.
fn told(moment: &Moment, last: &Last) -> Value {
    let mut state: Value = serde_json::from_str(&last.json).unwrap_or_else(|_| json!({}));
    names_alone(&mut state);
    let buses = state.get_mut("buses").and_then(Value::as_array_mut);
    buses.into_iter().flatten().for_each(names_alone);
    state["trouble"] = json!(moment.trouble.as_deref());
    state["answered_utc_ns"] = json!(last.utc_ns.filter(|_| moment.status.is_none()));
    if let Some((status, stand)) = last.live.as_ref().filter(|_| moment.status.is_none()) {
        state["last_live"] = json!(LiveLine::of(status, *stand));
    }
    state
}

/// The same with what the gateway knows.
fn state_line(context: &Context, moment: &Moment, last: &Last, clients: usize) -> Value {
    let mut state = told(moment, last);
    let stand = *context.journal.stand().borrow();
    // Before the first look nothing is known of the store.
    let looked = Some(stand).filter(|stand| *stand != Stand::default());
    state["last_seq"] = json!(looked.map(|stand| stand.last));
    state["store"] = json!(looked.map(|stand| stand.store.first_utc_ns.to_string()));
    state["sinks"] = json!(context.sinks.lines(stand.last));
    state["clients"] = json!(clients);
    state["store_trouble"] = json!(context.journal.trouble().borrow().as_deref());
    state
}

/// What calls for a new state at once.
fn news(moment: &Moment) -> (u64, u64, u64, bool, usize) {
    let buses = moment.status.as_deref().map_or(&[][..], each);
    buses.iter().fold((0, 0, 0, true, 0), |all, s| {
        let strokes: u64 = s.strokes.iter().map(|stroke| stroke.stroke).sum();
        (
            all.0 + strokes,
            all.1 + s.overruns.count,
            all.2 + s.run_cycles.min(1),
            all.3 && s.armed,
            all.4 + s.axes.len(),
        )
    })
}

impl Feed {
    /// A feed that nobody fills yet.
    pub fn new() -> Self {
        let channel = || Arc::new(watch::channel(Bytes::new()).0);
        Self {
            live: channel(),
            state: channel(),
            alarms: channel(),
            places: Arc::new(Semaphore::new(MAX_CLIENTS)),
        }
    }

    /// How many watch.
    pub fn clients(&self) -> usize {
        MAX_CLIENTS - self.places.available_permits()
    }

    /// Fills it until the gateway is to end.
    pub async fn run(self, context: Context) {
        let mut live = context.live.clone();
        let mut changes = context.desk.changes();
        // The first list, whether anything has happened or not.
        changes.mark_changed();
        let mut tick = interval(ALARMS_EVERY);
        let mut told = (Instant::now(), Default::default());
        let mut first = true;
        let mut last = Last::default();
        loop {
            tokio::select! {
                () = context.stopped() => return,
                moment = live.changed() => {
                    if moment.is_err() {
                        return;
                    }
                    let moment = Arc::clone(&live.borrow_and_update());
                    if let Some(status) = &moment.status {
                        let stand = *context.journal.stand().borrow();
                        last = Last {
                            json: Arc::clone(&moment.json),
                            utc_ns: Some(utc_ns()),
                            live: Some((Arc::clone(status), stand)),
                        };
                        self.live.send_replace(message("live", &LiveLine::of(status, stand)));
                    } else {
                        self.nobody_is_live();
                    }
                    let unread = context.journal.trouble().borrow().is_some();
                    let news = (moment.trouble.is_some(), unread, news(&moment));
                    if first || told.0.elapsed() >= STATE_EVERY || told.1 != news {
                        (told, first) = ((Instant::now(), news), false);
                        let line = state_line(&context, &moment, &last, self.clients());
                        self.state.send_replace(message("state", &line));
                    }
                }
                _ = tick.tick() => {
                    if changes.has_changed().unwrap_or(false) {
                        changes.mark_unchanged();
                        self.alarms.send_replace(message("alarms", &AlarmsLine::of(&context.desk, 0)));
                    }
                }
            }
        }
    }

    /// What was live is not told to those who come from now on.
    fn nobody_is_live(&self) {
        (self.live).send_if_modified(|bytes| !std::mem::take(bytes).is_empty());
    }

    /// `GET /api/live`, for as long as who asks may stay.
    pub fn answer(&self, headers: &HeaderMap, context: Context, stay: Stay) -> Response {
        if (headers.get("sec-fetch-site")).is_some_and(|from| from == "cross-site") {
            return refusal(
                StatusCode::FORBIDDEN,
                "this request comes from a page of somebody else",
                "",
            );
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("{MAX_CLIENTS} watch already, which is the limit"),
                "close a page elsewhere",
            );
        };
        let watcher = Watcher {
            live: self.live.subscribe(),
            state: self.state.subscribe(),
            alarms: self.alarms.subscribe(),
            first: true,
            _place: place,
        };
        let all = (watcher, context, stay);
        let stream = futures_util::stream::unfold(all, |(mut watcher, context, stay)| async {
            let next = tokio::select! {
                () = context.stopped() => None,
                () = stay.ended() => None,
                next = watcher.next() => next,
            };
            // Where there is always something to be told, nobody waits for the end.
            let next = next.filter(|_| stay.holds());
            next.map(|bytes| (Ok::<_, Infallible>(bytes), (watcher, context, stay)))
        });
        let kind = [(CONTENT_TYPE, "text/event-stream")];
        (kind, Body::from_stream(stream)).into_response()
    }
}

/// Somebody who watches.
struct Watcher {
    live: watch::Receiver<Bytes>,
    state: watch::Receiver<Bytes>,
    alarms: watch::Receiver<Bytes>,
    first: bool,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The newest message that was not seen yet; none when the feed ends.
    async fn next(&mut self) -> Option<Bytes> {
        if self.first {
            self.first = false;
            let mut all = b"retry: 2000\n\n".to_vec();
            for kind in [&mut self.state, &mut self.alarms, &mut self.live] {
                all.extend_from_slice(&kind.borrow_and_update());
            }
            return Some(all.into());
        }
        loop {
            let next = tokio::select! {
                biased;
                changed = self.alarms.changed() => changed.ok().map(|()| self.alarms.borrow_and_update().clone()),
                changed = self.state.changed() => changed.ok().map(|()| self.state.borrow_and_update().clone()),
                changed = self.live.changed() => changed.ok().map(|()| self.live.borrow_and_update().clone()),
            };
            // Empty where nobody is live any more: there is nothing to be told.
            if next.as_ref().is_none_or(|bytes| !bytes.is_empty()) {
                return next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_slow_skips_and_the_newest_comes() {
        let feed = Feed::new();
        feed.state
            .send_replace(message("state", &json!({"a": "<b>\n"})));
        let mut watcher = Watcher {
            live: feed.live.subscribe(),
            state: feed.state.subscribe(),
            alarms: feed.alarms.subscribe(),
            first: true,
            _place: Arc::clone(&feed.places).try_acquire_owned().unwrap(),
        };
        assert_eq!(feed.clients(), 1);
        let first = watcher.next().await.unwrap();
        assert_eq!(
            first,
            "retry: 2000\n\nevent: state\ndata: {\"a\":\"<b>\\n\"}\n\n"
        );
        for n in 0..1000 {
            feed.live.send_replace(message("live", &n));
        }
        feed.alarms.send_replace(message("alarms", &1));
        assert_eq!(watcher.next().await.unwrap(), "event: alarms\ndata: 1\n\n");
        assert_eq!(watcher.next().await.unwrap(), "event: live\ndata: 999\n\n");
        // The machine has gone: nobody is told of it as of something live, whoever comes and whoever was there.
        feed.nobody_is_live();
        feed.nobody_is_live();
        feed.state.send_replace(message("state", &2));
        let mut late = Watcher {
            live: feed.live.subscribe(),
            state: feed.state.subscribe(),
            alarms: feed.alarms.subscribe(),
            first: true,
            _place: Arc::clone(&feed.places).try_acquire_owned().unwrap(),
        };
        assert_eq!(watcher.next().await.unwrap(), "event: state\ndata: 2\n\n");
        assert_eq!(
            late.next().await.unwrap(),
            "retry: 2000\n\nevent: state\ndata: 2\n\nevent: alarms\ndata: 1\n\n"
        );
        drop(late);
        // It is told of again, and what was empty is passed over.
        feed.live.send_replace(message("live", &0));
        assert_eq!(watcher.next().await.unwrap(), "event: live\ndata: 0\n\n");
        feed.nobody_is_live();
        let empty = watcher.next();
        let later = async { feed.live.send_replace(message("live", &3)) };
        let (told, _) = tokio::join!(empty, later);
        assert_eq!(told.unwrap(), "event: live\ndata: 3\n\n");
        drop(watcher);
        assert_eq!(feed.clients(), 0);
    }

    #[test]
    fn every_bus_is_told_and_of_one_there_is_no_word_of_buses() {
        let two = crate::gateway::buses::tests::two();
        let line = |status: &StatusLine| {
            let line = LiveLine::of(status, Stand::default());
            serde_json::to_value(&line).unwrap()
        };
        let several = line(&two);
        assert_eq!(several["buses"][1]["bus_name"], "rear");
        assert_eq!(several["buses"][1]["overruns"], 7);
        assert_eq!(several["buses"][0]["axes"], several["axes"]);
        let mut one = two.buses[0].clone();
        one.bus_name = None;
        let one = line(&one);
        assert!(one.get("buses").is_none() && one.get("bus_name").is_none());
        let mut state = serde_json::to_value(&two).unwrap();
        names_alone(&mut state["buses"][1]);
        assert_eq!(state["buses"][1]["axes"][0], "r-infeed");
        // Which axes are rotary is said only where any is.
        assert!(state["buses"][1].get("rotary").is_none());
        let axes = json!([{"name": "x"}, {"name": "table", "axis_kind": "rotary"}]);
        let mut state = json!({"axes": axes});
        names_alone(&mut state);
        assert_eq!(state, json!({"axes": ["x", "table"], "rotary": ["table"]}));
    }

    #[test]
    fn while_nobody_answers_the_last_status_is_told_and_since_when() {
        let status = crate::gateway::buses::tests::two();
        let json = serde_json::to_string(&status).unwrap();
        let up = Moment {
            json: json.as_str().into(),
            status: Some(Arc::new(status)),
            trouble: None,
        };
        let down = Moment {
            trouble: Some("it is gone".into()),
            ..Moment::default()
        };
        let nobody = told(&down, &Last::default());
        assert_eq!(
            nobody,
            json!({"trouble": "it is gone", "answered_utc_ns": null})
        );
        let last = Last {
            json: Arc::clone(&up.json),
            utc_ns: Some(7),
            live: up.status.clone().map(|status| (status, Stand::default())),
        };
        let (live, gone) = (told(&up, &last), told(&down, &last));
        assert_eq!(
            (&live["trouble"], &live["answered_utc_ns"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(
            (&gone["trouble"], &gone["answered_utc_ns"]),
            (&json!("it is gone"), &json!(7))
        );
        assert_eq!(gone["machine"], "press cell");
        assert_eq!(gone["buses"][1]["axes"][0], "r-infeed");
        // What was live is told as what it is: the last of it.
        assert!(live.get("last_live").is_none(), "{live}");
        assert_eq!(gone["last_live"]["buses"][1]["bus_name"], "rear");
        assert!(gone["last_live"]["axes"].is_array(), "{gone}");
        for key in ["machine", "axes", "phases", "buses"] {
            assert_eq!(gone[key], live[key]);
        }
    }

    #[test]
    fn there_is_an_end_to_those_who_watch() {
        let feed = Feed::new();
        let places: Vec<_> = (0..MAX_CLIENTS)
            .map(|_| Arc::clone(&feed.places).try_acquire_owned().unwrap())
            .collect();
        assert!(Arc::clone(&feed.places).try_acquire_owned().is_err());
        drop(places);
    }
}
