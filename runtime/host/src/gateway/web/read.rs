//! What may be read: status, alarms, events, curves, the audit trail.

use super::Web;
use super::auth::Who;
use super::guard::{Stay, explained, refusal};
use crate::error::HostError;
use crate::gateway::book::Shelf;
use crate::gateway::desk::{Alarm, Desk};
use crate::gateway::journal::MAX_PAGE;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// Most alarms in one answer.
const MAX_ALARMS: usize = 100;
/// Most names of sources in one answer: as many as a machine has axes.
const MAX_SOURCES: usize = 1024;
/// Most entries of the audit trail in one answer.
const MAX_ENTRIES: u32 = 500;
/// Longest name of what is asked for (bytes).
const MAX_NAME: usize = 256;

/// The query of a request; one that is wrong is refused in words.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(asked)| Self(asked))
            .map_err(|error| {
                refusal(
                    StatusCode::BAD_REQUEST,
                    &error.to_string(),
                    "docs/gateway.md lists what every route takes",
                )
            })
    }
}

/// The alarms, those that stand first, the newest first.
#[derive(Serialize)]
pub struct AlarmsLine {
    /// The store has been read: what is not in the list does not stand.
    known: bool,
    alarms: Vec<Alarm>,
    /// Alarms beyond those in the list.
    more: usize,
    /// Sources of those that stand and are not shelved, each once, by their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_sources: Vec<String>,
    standing: usize,
    unacknowledged: usize,
    shelved: usize,
    /// What is on the shelf and has no alarm on the list, as many as alarms at most.
    shelves: Vec<ShelfLine>,
    /// Shelves beyond those.
    more_shelves: usize,
}

/// What comes shelved when it is raised the next time.
#[derive(Serialize)]
struct ShelfLine {
    /// None where the machine has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bus: Option<String>,
    source: String,
    channel: String,
    until_utc_ns: u64,
    who: String,
    comment: String,
}

impl From<Shelf> for ShelfLine {
    fn from(shelf: Shelf) -> Self {
        Self {
            bus: Some(shelf.bus).filter(|bus| !bus.is_empty()),
            source: shelf.source,
            channel: shelf.channel,
            until_utc_ns: shelf.until_utc_ns,
            who: shelf.who,
            comment: shelf.comment,
        }
    }
}

impl AlarmsLine {
    /// One look at the desk, without the first `skip` alarms.
    pub fn of(desk: &Desk, skip: usize) -> Self {
        // Asked before the list is taken: a list that is older than this says less.
        let known = desk.is_known();
        let mut alarms = desk.alarms();
        let count = |wanted: fn(&Alarm) -> bool| alarms.iter().filter(|one| wanted(one)).count();
        let (standing, unacknowledged, shelved) = (
            count(|one| one.active),
            count(|one| one.acknowledged.is_none()),
            count(|one| one.active && one.shelved_until_utc_ns.is_some()),
        );
        alarms.sort_by_key(|one| (!one.active, one.shelved_until_utc_ns.is_some()));
        alarms.drain(..skip.min(alarms.len()));
        let more = alarms.len().saturating_sub(MAX_ALARMS);
        let more_sources: BTreeSet<String> = (alarms.iter().skip(MAX_ALARMS))
            .filter(|one| one.active && one.shelved_until_utc_ns.is_none())
            .map(|one| one.event.source.clone())
            .collect();
        alarms.truncate(MAX_ALARMS);
        let alone = desk.shelves_without_alarm();
        let more_shelves = alone.len().saturating_sub(MAX_ALARMS);
        let shelves = alone.into_iter().take(MAX_ALARMS).map(ShelfLine::from);
        Self {
            known,
            alarms,
            more,
            more_sources: more_sources.into_iter().take(MAX_SOURCES).collect(),
            standing,
            unacknowledged,
            shelved,
            shelves: shelves.collect(),
            more_shelves,
        }
    }
}

/// Runs what waits for the disk beside those who serve.
pub(super) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
) -> Result<T, HostError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(HostError::machine(
            "the gateway is ending",
            "start it again",
        ))
    })
}

/// `GET /api/live`.
pub async fn live(
    State(web): State<Web>,
    Extension(stay): Extension<Stay>,
    headers: HeaderMap,
) -> Response {
    web.feed.answer(&headers, web.context.clone(), stay)
}

/// `GET /api/session`: who asks, and whom.
pub async fn session(Extension(who): Extension<Who>) -> Response {
    Json(json!({"name": who.name, "role": who.role, "version": env!("CARGO_PKG_VERSION")}))
        .into_response()
}

/// `GET /api/status`: as in docs/control.md.
pub async fn status(State(web): State<Web>) -> Response {
    let moment = web.context.live.borrow().clone();
    if moment.status.is_some() {
        return (
            [(CONTENT_TYPE, "application/json")],
            moment.json.to_string(),
        )
            .into_response();
    }
    let why = moment
        .trouble
        .as_deref()
        .unwrap_or("nobody has answered yet");
    refusal(StatusCode::SERVICE_UNAVAILABLE, why, "")
}

/// `?skip=COUNT`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    #[serde(default)]
    skip: usize,
}

/// `GET /api/alarms`.
pub async fn alarms(State(web): State<Web>, Asked(skip): Asked<Skip>) -> Response {
    Json(AlarmsLine::of(&web.context.desk, skip.skip)).into_response()
}

/// `?after=SEQ&limit=COUNT`, or `?last=COUNT`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    after: Option<u64>,
    last: Option<u64>,
    limit: Option<usize>,
}

/// `GET /api/events`.
pub async fn events(State(web): State<Web>, Asked(page): Asked<Page>) -> Response {
    let journal = &web.context.journal;
    let newest = journal.newest();
    let after = match (page.after, page.last) {
        (Some(after), None) => after,
        (None, last) => newest.saturating_sub(last.unwrap_or(100)),
        (Some(_), Some(_)) => {
            return refusal(
                StatusCode::BAD_REQUEST,
                "`after` and `last` are both there",
                "leave one of them out",
            );
        }
    };
    let limit = page.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    match journal.page(after, limit).await {
        Ok(page) => {
            let lines: Vec<&str> = page.events.iter().map(|event| &*event.json).collect();
            let (store, lines) = (page.store.first_utc_ns, lines.join(","));
            // The page was read after the store was looked at: it may have newer ones.
            let newest = page
                .events
                .last()
                .map_or(newest, |event| newest.max(event.seq));
            // Each is an object already.
            let text =
                format!("{{\"last_seq\":{newest},\"store\":\"{store}\",\"events\":[{lines}]}}");
            ([(CONTENT_TYPE, "application/json")], text).into_response()
        }
        Err(error) => explained(&error.into_machine()),
    }
}

/// `?source=PRESS&stroke=NUMBER`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    source: String,
    stroke: Option<u64>,
}

/// `GET /api/curve`.
pub async fn curve(State(web): State<Web>, Asked(curve): Asked<Curve>) -> Response {
    if curve.source.len() > MAX_NAME {
        return refusal(
            StatusCode::BAD_REQUEST,
            "no press has so long a name",
            "it stands in `strokes` of the status",
        );
    }
    let request = json!({"request": "curve", "source": curve.source, "stroke": curve.stroke});
    match web.context.steer.ask(request).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => explained(&error),
    }
}

/// `?source=NAME&parameter=NAME`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracked {
    source: String,
    parameter: String,
}

/// `GET /api/trend`.
pub async fn trend(State(web): State<Web>, Asked(tracked): Asked<Tracked>) -> Response {
    let Tracked { source, parameter } = tracked;
    if source.len() > MAX_NAME || parameter.len() > MAX_NAME {
        return refusal(
            StatusCode::BAD_REQUEST,
            "nothing that is tracked has so long a name",
            "it stands in `health` of the status",
        );
    }
    let request = json!({"request": "trend", "source": source, "parameter": parameter});
    match web.context.steer.ask(request).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => explained(&error),
    }
}

/// `?limit=COUNT`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    limit: Option<u32>,
}

/// `GET /api/audit`.
pub async fn audit(State(web): State<Web>, Asked(last): Asked<Last>) -> Response {
    let book = web.context.book.clone();
    let limit = last.limit.unwrap_or(50).min(MAX_ENTRIES);
    match beside(move || book.entries(limit)).await {
        Ok(entries) => Json(json!({"entries": entries})).into_response(),
        Err(error) => explained(&error),
    }
}
