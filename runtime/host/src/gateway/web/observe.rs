//! How the page is doing: answers counted, and every kind of refusal said once.

use crate::gateway::context::Context;
use crate::gateway::doorkeeper::Doorkeeper;
use crate::gateway::sinks::SinkState;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// See the module. Clones share it.
#[derive(Clone)]
pub struct Observer {
    sink: Arc<SinkState>,
    /// Also counts who never gets as far as a request.
    pub doorkeeper: Doorkeeper,
}

impl Observer {
    /// Shows the page among the sinks.
    pub fn new(context: &Context) -> Self {
        let sink = context.sinks.register("web");
        sink.connected.store(true, Ordering::Relaxed);
        Self {
            doorkeeper: Doorkeeper::new(context, Arc::clone(&sink)),
            sink,
        }
    }
}

/// The middleware around all others.
pub async fn count(
    State(observer): State<Observer>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let what: String = what.chars().take(100).collect();
        let what = format!("page: {what} is answered with {status}");
        observer.doorkeeper.refuse(status.as_str(), &what);
    } else {
        observer.sink.sent.fetch_add(1, Ordering::Relaxed);
    }
    response
}
