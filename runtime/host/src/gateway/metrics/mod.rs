//! `/metrics`: everything that the gateway knows, as Prometheus reads it (`docs/metrics.md`).
//!
//! A scrape encodes one look at the instance, the alarms and the sinks; between two scrapes nothing is kept but the counts of
//! stored events. Values of labels come from configurations and from the program's own words, and are bounded nevertheless.

mod families;
mod health;
mod instance;
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
    use crate::control::client::MAX_ANSWER;
    use crate::control::status::StatusLine;
    use crate::gateway::buses::tests::two;
    use crate::health::{HealthLine, LifeLine};

    fn look() -> Look {
        let tally = Tally::default();
        tally.count(None, "ripple", "raised");
        Look::with(None, &tally)
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

    /// Four parameters of every axis, each with a life that is known.
    fn worn(bus: &StatusLine) -> Vec<HealthLine> {
        let tracked = ["coulomb", "viscous", "torque_constant", "backlash"];
        let lines = bus.axes.iter().flat_map(|axis| {
            tracked.map(|parameter| HealthLine {
                source: axis.name.clone(),
                parameter: parameter.into(),
                part: None,
                recipe: None,
                value: 123.456_789_012_345,
                sigma: 1.234_567_890_123,
                healthy: Some(110.123_456_789),
                limit: Some(165.185_185_183),
                lower_bound: false,
                left_out: 0,
                unit: "N s/m".into(),
                inferred: false,
                trend_per_hour: Some(0.012_345_678_901),
                trend_significant: true,
                life: LifeLine::Known {
                    strokes: [12_345.678_9; 3],
                    metres: [123_456.789_1; 3],
                    hours: [1_234.567_89; 3],
                },
            })
        });
        lines.collect()
    }

    fn of(status: StatusLine) -> String {
        encode(Look::with(Some(status), &Tally::default()), false).unwrap()
    }

    #[test]
    fn of_several_buses_every_figure_has_its_bus_and_of_one_none_has() {
        let two = two();
        let mut one = two.buses[1].clone();
        one.bus_name = None;
        let several = of(two);
        for line in [
            "twinstep_overruns_total{bus=\"front\"} 1\n",
            "twinstep_overruns_total{bus=\"rear\"} 7\n",
            "twinstep_axis_valid{bus=\"rear\",axis=\"r-infeed\"} 1.0\n",
            "twinstep_phase_duration_seconds{bus=\"front\",phase=\"wake\",quantile=\"0.5\"} ",
        ] {
            assert!(several.contains(line), "{line}: {several}");
        }
        let figures = several.lines().filter(|line| !line.starts_with('#'));
        let without: Vec<_> = figures.filter(|line| !line.contains("{bus=")).collect();
        let names: Vec<_> = without
            .iter()
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        let alarms = ["twinstep_alarms"; 3];
        assert_eq!(names[..2], ["twinstep_up", "twinstep_store_last_event"]);
        assert_eq!(names[2..], alarms, "{without:?}");
        let alone = of(one);
        assert!(!alone.contains("bus=\""), "{alone}");
        assert!(alone.contains("twinstep_overruns_total 7\n"), "{alone}");
    }

    #[test]
    fn the_position_of_a_rotary_axis_is_an_angle() {
        let mut bus = two().buses[1].clone();
        bus.bus_name = None;
        let name = bus.axes[0].name.clone();
        let [metres, radians] = ["position_meters", "angle_radians"]
            .map(|figure| format!("twinstep_axis_{figure}{{axis=\"{name}\"}} "));
        let linear = of(bus.clone());
        assert!(
            linear.contains(&metres) && !linear.contains(&radians),
            "{linear}"
        );
        bus.axes[0].axis_kind = Some("rotary".to_owned());
        let rotary = of(bus);
        assert!(
            rotary.contains(&radians) && !rotary.contains(&metres),
            "{rotary}"
        );
    }

    #[test]
    fn health_is_told_with_its_life_where_that_is_known() {
        let mut two = two();
        let line = |life| HealthLine {
            source: "r-infeed".to_owned(),
            parameter: "coulomb".into(),
            part: None,
            recipe: None,
            value: 50.0,
            sigma: 1.0,
            healthy: Some(40.0),
            limit: Some(60.0),
            lower_bound: false,
            left_out: 0,
            unit: "N".into(),
            inferred: false,
            trend_per_hour: None,
            trend_significant: false,
            life,
        };
        two.buses[1].health = vec![line(LifeLine::Known {
            strokes: [1.0; 3],
            metres: [2.0; 3],
            hours: [10.0, 20.0, 30.0],
        })];
        let unknown = LifeLine::NotYetKnown {
            reason: "too little was seen".into(),
        };
        two.buses[0].health = vec![line(unknown)];
        let body = of(two);
        for (bus, figures) in [("rear", 6), ("front", 3)] {
            let start =
                format!("{{bus=\"{bus}\",source=\"r-infeed\",parameter=\"coulomb\",unit=\"N\"");
            let found = body.lines().filter(|line| line.contains(&start));
            assert_eq!(found.count(), figures, "{bus}: {body}");
        }
        for line in [
            "unit=\"N\",quantile=\"0.5\"} 20.0\n",
            "twinstep_health_limit{bus=\"rear\",source=\"r-infeed\",parameter=\"coulomb\",unit=\"N\"} 60.0\n",
        ] {
            assert!(body.contains(line), "{line}: {body}");
        }
        assert!(
            !body.contains("\ntwinstep_health_trend_per_hour{"),
            "{body}"
        );
    }

    #[test]
    fn a_hundred_axes_on_every_bus_are_below_four_megabytes_and_the_largest_machine_below_twelve() {
        let mut whole = two();
        let mut bus = whole.buses[0].clone();
        let axis = bus.axes[0].clone();
        let filled = |count: usize, bus: &mut StatusLine| {
            bus.axes = (0..count)
                .map(|n| {
                    let mut axis = axis.clone();
                    axis.name = format!("an-axis-with-the-longest-of-{n:04}");
                    axis
                })
                .collect();
        };
        for (axes, bytes) in [(100, 4_000_000), (1024, 12_000_000)] {
            filled(axes, &mut bus);
            bus.health = worn(&bus);
            whole.buses = (0..8)
                .map(|n| {
                    let mut bus = bus.clone();
                    bus.bus_name = Some(format!("bus-{n}"));
                    bus
                })
                .collect();
            let body = of(whole.clone());
            println!("{axes} axes on each of 8 buses: {} bytes", body.len());
            assert!(body.len() < bytes, "{axes}: {} bytes", body.len());
            let answer = serde_json::to_string(&whole).unwrap().len();
            println!("the status: {answer} bytes");
            assert!((answer as u64) < MAX_ANSWER, "{axes}: {answer} bytes");
        }
    }
}
