//! What changes something. Who did it is in the audit trail before it takes effect.

use super::auth::{Role, Who};
use super::guard::{explained, refusal, require};
use super::read::beside;
use super::{MAX_BODY, Web};
use crate::clock::utc_ns;
use crate::error::HostError;
use crate::gateway::buses::{self, title};
use crate::gateway::desk::Buses;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::timeout;
use twinstep_config::machine::MAX_NAME;

/// How long the body of a request may take.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// Longest detail in the audit trail (bytes).
const MAX_DETAIL: usize = 1024;

/// The body of a request, as JSON; one that is wrong is refused in words.
pub struct Told<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Told<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let body = match timeout(BODY_PATIENCE, to_bytes(request.into_body(), MAX_BODY)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => {
                return Err(refusal(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    &format!("the body is cut off, or longer than {MAX_BODY} bytes"),
                    "send less",
                ));
            }
            Err(_) => {
                return Err(refusal(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body does not come",
                    "send it at once",
                ));
            }
        };
        // An object, whatever else could be read as one.
        let object = serde_json::from_slice::<Map<String, Value>>(&body);
        let told = object.and_then(|object| serde_json::from_value(Value::Object(object)));
        told.map(Self).map_err(|error| {
            refusal(
                StatusCode::BAD_REQUEST,
                &format!("this cannot be read: {error}"),
                "docs/gateway.md lists what every route takes",
            )
        })
    }
}

fn answer(done: Result<Value, HostError>) -> Response {
    match done {
        Ok(value) => Json(value).into_response(),
        Err(error) => explained(&error),
    }
}

/// Body of [`acknowledge`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    seq: u64,
    #[serde(default)]
    comment: String,
}

/// `POST /api/alarms/acknowledge`.
pub async fn acknowledge(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<Acknowledge>,
) -> Response {
    if let Err(no) = require(&who, Role::Tuner) {
        return *no;
    }
    let desk = web.context.desk.clone();
    let done = beside(move || desk.acknowledge(told.seq, &who.name, &told.comment)).await;
    answer(done.map(|()| json!({"type": "done"})))
}

/// Body of [`shelve`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shelve {
    bus: Option<String>,
    source: String,
    channel: String,
    seconds: u64,
    #[serde(default)]
    comment: String,
}

/// `POST /api/alarms/shelve`.
pub async fn shelve(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<Shelve>,
) -> Response {
    if let Err(no) = require(&who, Role::Tuner) {
        return *no;
    }
    let (desk, buses) = (web.context.desk.clone(), buses_of(&web, &told.source));
    let work = move || {
        let (source, channel) = (told.source.as_str(), told.channel.as_str());
        let bus = desk.bus_of(told.bus.as_deref(), (source, channel), &buses)?;
        let name = (bus.as_str(), source, channel);
        desk.shelve(name, told.seconds, &who.name, &told.comment)
    };
    answer(beside(work).await.map(|()| json!({"type": "done"})))
}

/// Body of [`unshelve`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unshelve {
    bus: Option<String>,
    source: String,
    channel: String,
}

/// `POST /api/alarms/unshelve`.
pub async fn unshelve(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<Unshelve>,
) -> Response {
    if let Err(no) = require(&who, Role::Tuner) {
        return *no;
    }
    let (desk, buses) = (web.context.desk.clone(), buses_of(&web, &told.source));
    let work = move || {
        let (source, channel) = (told.source.as_str(), told.channel.as_str());
        let bus = desk.bus_off_shelf(told.bus.as_deref(), (source, channel), &buses)?;
        desk.unshelve((bus.as_str(), source, channel), &who.name)
    };
    let done = beside(work).await;
    answer(done.map(|was| json!({"type": "done", "was_shelved": was})))
}

/// The buses of the instance, and which of them have this source.
fn buses_of(web: &Web, source: &str) -> Buses {
    let moment = web.context.live.borrow().clone();
    (moment.status.as_deref()).map_or(Buses::Unknown, |status| buses::with(status, source))
}

/// Body of what needs no words; `bus`: of one of several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfBus {
    bus: Option<String>,
}

/// Body of [`inject`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    faults: Vec<String>,
    bus: Option<String>,
}

/// `POST /api/inject`.
pub async fn inject(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<Inject>,
) -> Response {
    let detail = told.faults.join(" ");
    let request = json!({"request": "inject", "faults": told.faults, "bus": told.bus});
    let what = ("inject", told.bus.as_deref(), detail.as_str());
    steer(&web, &who, Role::Admin, what, request).await
}

/// `POST /api/clear`.
pub async fn clear(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<OfBus>,
) -> Response {
    let request = json!({"request": "clear", "bus": told.bus});
    let what = ("clear", told.bus.as_deref(), "");
    steer(&web, &who, Role::Admin, what, request).await
}

/// `POST /api/reset`.
pub async fn reset(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<OfBus>,
) -> Response {
    let request = json!({"request": "reset", "bus": told.bus});
    let what = ("reset", told.bus.as_deref(), "");
    steer(&web, &who, Role::Tuner, what, request).await
}

/// Body of [`baseline`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    source: String,
    #[serde(default)]
    comment: String,
}

/// `POST /api/baseline`.
pub async fn baseline(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<Baseline>,
) -> Response {
    let detail = format!("{} {}", told.source, told.comment);
    let request = json!({"request": "baseline", "source": told.source});
    let what = ("baseline", None, detail.trim_end());
    steer(&web, &who, Role::Admin, what, request).await
}

/// Body of [`budget`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    set: Map<String, Value>,
    bus: Option<String>,
}

/// `POST /api/budget`.
pub async fn budget(
    State(web): State<Web>,
    Extension(who): Extension<Who>,
    Told(told): Told<Budget>,
) -> Response {
    let detail = json!(told.set).to_string();
    let request = json!({"request": "budget", "set": told.set, "bus": told.bus});
    let what = ("budget", told.bus.as_deref(), detail.as_str());
    steer(&web, &who, Role::Tuner, what, request).await
}

/// Passes a request on to the instance, once it is written down who sent it: the action, the bus where it is of one, and with what.
async fn steer(
    web: &Web,
    who: &Who,
    role: Role,
    (action, bus, detail): (&'static str, Option<&str>, &str),
    request: Value,
) -> Response {
    if let Err(no) = require(who, role) {
        return *no;
    }
    let machine = (web.context.live.borrow().status.as_ref())
        .map_or_else(String::new, |status| status.identity.machine.clone());
    let bus = bus.map(|bus| bus.chars().take(MAX_NAME).collect::<String>());
    let machine = title(&machine, bus.as_deref());
    let (book, name) = (web.context.book.clone(), who.name.clone());
    let detail: String = detail.chars().take(MAX_DETAIL).collect();
    let written = {
        let (book, name, machine) = (book.clone(), name.clone(), machine.clone());
        beside(move || book.audit(utc_ns(), &name, action, &machine, &detail)).await
    };
    if let Err(error) = written {
        return explained(&error);
    }
    let done = web.context.steer.ask(request).await;
    if let Err(error) = &done {
        let why: String = error.in_a_line().chars().take(MAX_DETAIL).collect();
        // The entry of the wish stands; that it was refused is said where it can be.
        let _ = beside(move || {
            book.audit(
                utc_ns(),
                &name,
                "refused",
                &machine,
                &format!("{action}: {why}"),
            )
        })
        .await;
    }
    answer(done)
}
