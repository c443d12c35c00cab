//! The files of the page. They are part of the program, so that it works where there is no other network.

use super::guard::refusal;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Name, kind and text of every file below `/page/`.
const FILES: &[(&str, &str, &str)] = &[
    ("theme.js", SCRIPT, include_str!("page/theme.js")),
    ("people.js", SCRIPT, include_str!("page/people.js")),
    ("list.js", SCRIPT, include_str!("page/list.js")),
    ("main.js", SCRIPT, include_str!("page/main.js")),
    ("dom.js", SCRIPT, include_str!("page/dom.js")),
    ("feed.js", SCRIPT, include_str!("page/feed.js")),
    ("plot.js", SCRIPT, include_str!("page/plot.js")),
    ("trust.js", SCRIPT, include_str!("page/trust.js")),
    ("budget.js", SCRIPT, include_str!("page/budget.js")),
    ("overruns.js", SCRIPT, include_str!("page/overruns.js")),
    ("buses.js", SCRIPT, include_str!("page/buses.js")),
    ("limits.js", SCRIPT, include_str!("page/limits.js")),
    ("axes.js", SCRIPT, include_str!("page/axes.js")),
    ("press.js", SCRIPT, include_str!("page/press.js")),
    ("health.js", SCRIPT, include_str!("page/health.js")),
    ("trend.js", SCRIPT, include_str!("page/trend.js")),
    ("events.js", SCRIPT, include_str!("page/events.js")),
    ("faults.js", SCRIPT, include_str!("page/faults.js")),
    ("gateway.js", SCRIPT, include_str!("page/gateway.js")),
    ("page.css", STYLE, include_str!("page/page.css")),
    (
        "uPlot.js",
        SCRIPT,
        include_str!("page/uplot/uPlot.iife.min.js"),
    ),
    ("uPlot.css", STYLE, include_str!("page/uplot/uPlot.min.css")),
    // Its licence asks to go along.
    ("uPlot.LICENSE", TEXT, include_str!("page/uplot/LICENSE")),
];

/// `GET /`.
pub async fn index() -> Html<&'static str> {
    Html(include_str!("page/index.html"))
}

/// `GET /page/{name}`.
pub async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(CONTENT_TYPE, *kind)], *text).into_response(),
        None => refusal(
            StatusCode::NOT_FOUND,
            "the page has no such file",
            "load the page again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_config::fault::Fault;

    #[test]
    fn whatever_the_page_loads_is_there_and_nothing_comes_from_elsewhere() {
        let index = include_str!("page/index.html");
        let ours = FILES.iter().filter(|(name, ..)| !name.starts_with("uPlot"));
        for (name, text) in ours
            .map(|(name, _, text)| (*name, *text))
            .chain([("index.html", index)])
        {
            for (_, rest) in text
                .match_indices("/page/")
                .map(|(at, found)| text.split_at(at + found.len()))
            {
                let file: &str = rest.split(['"', '\'', ')']).next().unwrap_or_default();
                assert!(
                    FILES.iter().any(|(known, ..)| *known == file),
                    "{name}: {file}"
                );
            }
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let file = line.split('\'').nth(1).unwrap().trim_start_matches("./");
                assert!(
                    FILES.iter().any(|(known, ..)| *known == file),
                    "{name}: {line}"
                );
            }
            for word in [
                "http://",
                "https://",
                "innerHTML",
                "onclick=\"",
                "style=\"",
                "eval(",
            ] {
                assert!(!text.contains(word), "{name} holds {word}");
            }
        }
        assert!(index.contains("<title>twinstep"));
    }

    #[test]
    fn every_fault_can_be_picked_and_what_is_offered_is_one() {
        let script = include_str!("page/faults.js");
        let list = script.split_once("const KINDS = [").unwrap().1;
        let list = list.split_once("];").unwrap().0;
        let quoted: Vec<_> = list.split('\'').skip(1).step_by(2).collect();
        let machine = crate::commands::built_in_machine().unwrap();
        let mut offered = Vec::new();
        for kind in quoted.chunks(3) {
            let [name, target, values] = *kind else {
                panic!("{kind:?}")
            };
            let target = match target {
                "axis" | "subdevice" => "infeed",
                "station" => "gripper",
                same => same,
            };
            let text = format!("{name}:{target}:{values}").replace("part=NAME", "part=bush-long");
            let fault = Fault::parse(text.trim_end_matches(':'), &machine);
            assert!(fault.is_ok(), "{text}: {fault:?}");
            offered.push(name);
        }
        let usage = Fault::usage();
        let mut known: Vec<_> = (usage.lines().filter_map(|line| line.split_once(':')))
            .map(|(name, _)| name)
            .collect();
        offered.sort_unstable();
        known.sort_unstable();
        assert_eq!(offered, known);
    }
}
