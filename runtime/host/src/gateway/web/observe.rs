//! How the page is doing: answers counted, and every kind of refusal said once.

use crate::gateway::context::Context;
use crate::gateway::sinks::SinkState;
use crate::output::Output;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// See the module. Clones share it.
#[derive(Clone)]
pub struct Observer {
    sink: Arc<SinkState>,
    output: Output,
    /// Answers of a kind that were said. There are no more than HTTP has numbers.
    said: Arc<Mutex<BTreeSet<u16>>>,
}

impl Observer {
    /// Shows the page among the sinks.
    pub fn new(context: &Context) -> Self {
        let sink = context.sinks.register("web");
        sink.connected.store(true, Ordering::Relaxed);
        Self {
            sink,
            output: context.output.clone(),
            said: Arc::default(),
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
        observer.sink.failed.fetch_add(1, Ordering::Relaxed);
        // Whoever panicked has left a whole set.
        let mut said = (observer.said.lock()).unwrap_or_else(PoisonError::into_inner);
        if said.insert(status.as_u16()) {
            let what: String = what.chars().take(100).collect();
            observer.output.note(&format!(
                "page: {} is answered with {status}; further ones are counted",
                what.escape_debug()
            ));
        }
    } else {
        observer.sink.sent.fetch_add(1, Ordering::Relaxed);
    }
    response
}
