//! The page and its interface, on this computer alone unless the configuration says otherwise.

mod act;
pub mod auth;
mod certificate;
mod changed;
mod feed;
pub mod guard;
mod guesses;
mod observe;
mod page;
mod read;
mod report;
pub mod serve;
pub mod tokens;
mod unheard;

use super::context::Context;
use super::metrics;
use crate::error::HostError;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use feed::Feed;
use guard::{Guard, refusal};
use observe::Observer;
use serde::Deserialize;
use serde_json::json;
use serve::Post;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where the page is unless it is told otherwise.
const PORT: u16 = 8650;
/// Longest body of a request (bytes).
const MAX_BODY: usize = 16 << 10;

/// `[web]` of the gateway's configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Address and port. One that other computers reach needs TLS and tokens.
    pub listen: SocketAddr,
    /// File of tokens, see [`auth`]; everybody on this computer has every right without one.
    pub tokens: Option<PathBuf>,
    /// Certificate and its chain, PEM.
    pub tls_certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Names that the page is reached by. On this computer `localhost` and its addresses are names already; elsewhere any name will do
    /// unless some are given.
    pub hosts: Vec<String>,
    /// No other port will do where this one is taken.
    #[serde(skip)]
    pub strict: bool,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            tokens: None,
            tls_certificate: None,
            tls_key: None,
            hosts: Vec::new(),
            strict: false,
        }
    }
}

impl WebConfig {
    /// Whether another port will do where the address is taken: nobody has asked for it.
    fn may_move(&self) -> bool {
        !self.strict && self.listen == Self::default().listen
    }
}

/// Serves until the gateway is to end.
///
/// # Errors
/// [`HostError::Machine`] when the listener fails.
pub async fn run(context: Context, post: Post) -> Result<(), HostError> {
    let url = post.url();
    if context.output.json() {
        context
            .output
            .json_line(&json!({"type": "listening", "sink": "web", "url": url}));
    } else {
        context.output.line(&format!("page: {url}"));
    }
    let stopped = context.clone();
    let feed = Feed::new();
    tokio::spawn(feed.clone().run(context.clone()));
    let output = context.output.clone();
    let say = move |text: &str| output.note(&format!("page: {text}"));
    tokio::spawn(tokens::follow(post.guard.door(), say.clone()));
    let observer = Observer::new(&context);
    let doorkeeper = observer.doorkeeper.clone();
    let router = router(context, post.guard.clone(), feed, observer);
    let stopped = async move { stopped.stopped().await };
    post.serve(router, doorkeeper, say, stopped).await
}

/// What the routes share.
#[derive(Clone)]
struct Web {
    context: Context,
    feed: Feed,
}

fn router(context: Context, guard: Guard, feed: Feed, observer: Observer) -> Router {
    let metrics = metrics::routes(context.clone());
    let login = Router::new()
        .route("/login", post(guard::log_in))
        .route("/logout", post(guard::log_out))
        .with_state(guard.clone());
    let api = Router::new()
        .route("/api/live", get(read::live))
        .route("/api/session", get(read::session))
        .route("/api/status", get(read::status))
        .route("/api/alarms", get(read::alarms))
        .route("/api/events", get(read::events))
        .route("/api/events/{seq}/report", get(report::report))
        .route("/api/curve", get(read::curve))
        .route("/api/trend", get(read::trend))
        .route("/api/audit", get(read::audit))
        .route("/api/alarms/acknowledge", post(act::acknowledge))
        .route("/api/alarms/shelve", post(act::shelve))
        .route("/api/alarms/unshelve", post(act::unshelve))
        .route("/api/inject", post(act::inject))
        .route("/api/clear", post(act::clear))
        .route("/api/reset", post(act::reset))
        .route("/api/budget", post(act::budget))
        .route("/api/baseline", post(act::baseline))
        .with_state(Web { context, feed });
    Router::new()
        .route("/", get(page::index))
        .route("/page/{name}", get(page::file))
        .merge(metrics)
        .merge(login)
        .merge(api)
        .fallback(|| async {
            refusal(
                StatusCode::NOT_FOUND,
                "there is nothing here",
                "docs/gateway.md",
            )
        })
        .method_not_allowed_fallback(|| async {
            refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "this is done in another way",
                "what is read takes GET, what changes something takes POST",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .layer(middleware::from_fn_with_state(observer, observe::count))
}
