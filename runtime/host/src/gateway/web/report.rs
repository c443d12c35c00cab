//! The page of one event, as `twinstep report` writes it.

use super::Web;
use super::guard::{explained, refusal};
use super::read::beside;
use crate::report;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

/// Pages that are made at a time: each may replay what the run left of its event.
static BUSY: Semaphore = Semaphore::const_new(1);

/// `GET /api/events/SEQ/report`.
pub async fn report(State(web): State<Web>, Path(seq): Path<String>) -> Response {
    let Ok(seq) = seq.parse::<u64>() else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "an event has a number",
            "`/api/events` lists them",
        );
    };
    let Ok(busy) = BUSY.try_acquire() else {
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "the page of another event is being made",
            "ask again in a moment",
        );
    };
    let folder = web.context.journal.folder().to_owned();
    let book = web.context.book.clone();
    // The permit goes with the work: a client that goes away does not end it.
    let work = move || {
        let _busy = busy;
        report::make(&folder, Some(book.folder()), seq, None)
    };
    match beside(work).await {
        Ok(made) => (
            [
                (CONTENT_TYPE, "text/html; charset=utf-8"),
                (CACHE_CONTROL, "no-store"),
                (
                    CONTENT_SECURITY_POLICY,
                    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
                ),
            ],
            made.html,
        )
            .into_response(),
        Err(error) => explained(&error),
    }
}
