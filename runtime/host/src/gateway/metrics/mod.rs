//! `/metrics`: everything that the gateway knows, as Prometheus reads it (`docs/metrics.md`).
//!
//! A scrape encodes one look at the instance, the alarms and the sinks; between two scrapes nothing is kept but the counts of
//! stored events. Values of labels come from configurations and from the program's own words, and are bounded nevertheless.

mod look;
mod tally;

use super::context::Context;
use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use look::Look;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use tally::Tally;

/// What OpenMetrics calls itself; a scraper that names it is given it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route, to be merged into the page's router. Counting stored events starts here, on the runtime it is called on.
pub fn routes(context: Context) -> Router {
    let tally = Tally::default();
    tokio::spawn(tally.clone().follow(context.journal.clone()));
    Router::new()
        .route("/metrics", get(scrape))
        .with_state((context, tally))
}

async fn scrape(State((context, tally)): State<(Context, Tally)>, headers: HeaderMap) -> Response {
    let open = (headers.get(ACCEPT))
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/openmetrics-text"));
    match encode(Look::at(&context, &tally), open) {
        Ok(body) => {
            let kind = if open {
                OPEN_METRICS
            } else {
                prometheus_text::CONTENT_TYPE
            };
            ([(CONTENT_TYPE, kind)], body).into_response()
        }
        // A string takes everything; there is no such error.
        Err(std::fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn encode(look: Look, open: bool) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("twinstep");
    registry.register_collector(Box::new(look));
    let mut body = String::new();
    if open {
        text::encode(&mut body, &registry)?;
    } else {
        prometheus_text::encode(&mut body, &registry)?;
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        let tally = Tally::default();
        tally.count("ripple", "raised");
        Look::with_nobody(&tally)
    }

    #[test]
    fn an_instance_that_does_not_answer_is_told_and_nothing_is_made_up() {
        let body = encode(look(), false).unwrap();
        assert!(body.contains("\ntwinstep_up 0.0\n"), "{body}");
        assert!(
            body.contains("twinstep_events_total{channel=\"ripple\",state=\"raised\"} 1\n"),
            "{body}"
        );
        // Families are announced, without a value.
        assert!(body.contains("# TYPE twinstep_cycles_total counter\n"));
        assert!(!body.contains("\ntwinstep_cycles_total "), "{body}");
    }

    #[test]
    fn both_formats_name_the_same_figures() {
        let (plain, open) = (
            encode(look(), false).unwrap(),
            encode(look(), true).unwrap(),
        );
        assert!(open.ends_with("# EOF\n") && !plain.contains("# EOF"));
        let figures = |body: &str| -> Vec<String> {
            let lines = body.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(figures(&plain), figures(&open));
        assert!(plain.contains("# HELP twinstep_axis_position_meters "));
        assert!(open.contains("# UNIT twinstep_axis_position_meters meters\n"));
    }
}
