//! The page and its interface, on this computer alone unless the configuration says otherwise.

use super::context::Context;
use crate::error::HostError;
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

/// Where the page is unless it is told otherwise.
const PORT: u16 = 8650;

/// `[web]` of the gateway's configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// No other port will do where this one is taken.
    #[serde(skip)]
    pub strict: bool,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            strict: false,
        }
    }
}

/// Serves until the gateway is to end.
///
/// # Errors
/// [`HostError::Usage`] when the address cannot be had, or is not on this computer.
pub async fn run(context: Context, config: WebConfig) -> Result<(), HostError> {
    let listener = listen(&config).await?;
    let address = listener
        .local_addr()
        .map_err(|error| cannot(config.listen, &error))?;
    let url = format!("http://{address}/");
    if context.output.json() {
        context
            .output
            .json_line(&json!({"type": "listening", "sink": "web", "url": url}));
    } else {
        context.output.line(&format!("page: {url}"));
    }
    let stopped = context.clone();
    axum::serve(listener, router(context))
        .with_graceful_shutdown(async move { stopped.stopped().await })
        .await
        .map_err(|error| cannot(address, &error))
}

async fn listen(config: &WebConfig) -> Result<TcpListener, HostError> {
    let address = config.listen;
    if !address.ip().is_loopback() {
        return Err(HostError::usage(
            format!("{address} is not on this computer alone"),
            "listen on 127.0.0.1",
        ));
    }
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && !config.strict => {
            TcpListener::bind((address.ip(), 0)).await
        }
        bound => bound,
    }
    .map_err(|error| cannot(address, &error))
}

fn cannot(address: SocketAddr, error: &std::io::Error) -> HostError {
    HostError::usage(
        format!("cannot listen on {address}: {error}"),
        "name another port with --listen",
    )
}

fn router(_context: Context) -> Router {
    Router::new().route(
        "/",
        get(|| async { Html("<!doctype html><title>twinstep</title>twinstep") }),
    )
}
