//! The page and its interface, on this computer alone unless the configuration says otherwise.

pub mod auth;
pub mod guard;
pub mod serve;

use super::context::Context;
use super::metrics;
use crate::error::HostError;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Html;
use axum::routing::{get, post};
use guard::{Guard, refusal};
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
    let router = router(context, post.guard.clone());
    post.serve(router, async move { stopped.stopped().await })
        .await
}

fn router(context: Context, guard: Guard) -> Router {
    let login = Router::new()
        .route("/login", post(guard::log_in))
        .route("/logout", post(guard::log_out))
        .with_state(guard.clone());
    Router::new()
        .route(
            "/",
            get(|| async { Html("<!doctype html><title>twinstep</title>twinstep") }),
        )
        .merge(metrics::routes(context))
        .merge(login)
        .fallback(|| async {
            refusal(
                StatusCode::NOT_FOUND,
                "there is nothing here",
                "docs/gateway.md",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(guard, guard::check))
}
