//! Strokes against an independent calculation: recorded key switches, pressed and released, as a stand-in for press fits.
//!
//! Every figure of a stroke line is computed again here, in plain f64 over the table, by other means than the product's: the
//! whole table is there, so that nothing is folded, and areas are walked in small steps.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use twinstep_tests::run::{Place, shipped};
use twinstep_tests::{recordings, release_binary};

const N_PER_GF: f64 = 9.80665e-3;

/// A table in SI: travel (m) and force (N); the way in ends with the first of its deepest rows.
struct Table {
    x: Vec<f64>,
    f: Vec<f64>,
    turn: usize,
}

impl Table {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let (mut x, mut f) = (Vec::new(), Vec::new());
        for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
            let (um, gf) = line.trim().split_once(',').unwrap();
            x.push(um.parse::<f64>().unwrap() * 1e-6);
            f.push(gf.parse::<f64>().unwrap() * N_PER_GF);
        }
        let deepest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let turn = x.iter().position(|v| *v == deepest).unwrap();
        Self { x, f, turn }
    }

    fn work(&self, from: usize, to: usize) -> f64 {
        (from..to)
            .map(|k| 0.5 * (self.f[k] + self.f[k + 1]) * (self.x[k + 1] - self.x[k]))
            .sum()
    }

    /// Force on the way in, straight between rows.
    fn force_in(&self, x: f64) -> f64 {
        let k = (1..=self.turn).find(|&k| self.x[k] >= x).unwrap();
        let u = (x - self.x[k - 1]) / (self.x[k] - self.x[k - 1]);
        (1.0 - u) * self.f[k - 1] + u * self.f[k]
    }

    /// Force on the way back.
    fn force_back(&self, x: f64) -> f64 {
        let k = (self.turn + 1..self.x.len())
            .find(|&k| self.x[k] <= x)
            .unwrap();
        let u = (self.x[k - 1] - x) / (self.x[k - 1] - self.x[k]);
        (1.0 - u) * self.f[k - 1] + u * self.f[k]
    }

    /// Travel at which the force first comes up to `n` on the way in.
    fn travel_at(&self, n: f64) -> Option<f64> {
        let k = (1..=self.turn).find(|&k| self.f[k - 1] < n && self.f[k] >= n)?;
        Some(
            self.x[k - 1]
                + (n - self.f[k - 1]) / (self.f[k] - self.f[k - 1]) * (self.x[k] - self.x[k - 1]),
        )
    }

    /// Work on the way in between two travels, in steps of a fiftieth of a row.
    fn work_between(&self, a: f64, b: f64) -> f64 {
        let steps = ((b - a) / 1e-7).round() as usize;
        let h = (b - a) / steps as f64;
        (0..steps)
            .map(|k| h * self.force_in(a + (k as f64 + 0.5) * h))
            .sum()
    }

    /// Whether the polygon of the rows `range` passes an area as a window does: in through one of `entry`, and at the end out
    /// through one of `exit`, or within it. A walk in small steps; the side is the bound that the step has gone over.
    fn passes(&self, rows: std::ops::RangeInclusive<usize>, origin: f64, area: &Area) -> bool {
        let (mut inside, mut entered, mut ok) = (None::<bool>, false, true);
        let mut last_out = None;
        let mut before = (0.0, 0.0);
        let (first, last) = (*rows.start(), *rows.end());
        for k in first..last {
            for step in 0..=200 {
                let u = f64::from(step) / 200.0;
                let x = self.x[k] + u * (self.x[k + 1] - self.x[k]) - origin;
                let f = self.f[k] + u * (self.f[k + 1] - self.f[k]);
                let now = area.has(x, f);
                match inside {
                    None if now => {
                        entered = true;
                        ok &= area.entry.contains(&"within");
                    }
                    Some(false) if now => {
                        let side = area.side(before);
                        ok &= area.entry.contains(&side) || (entered && area.exit.contains(&side));
                        entered = true;
                    }
                    Some(true) if !now => {
                        let side = area.side((x, f));
                        ok &= area.exit.contains(&side) || area.entry.contains(&side);
                        last_out = Some(side);
                    }
                    _ => {}
                }
                inside = Some(now);
                before = (x, f);
            }
        }
        let end = if inside == Some(true) {
            Some("within")
        } else {
            last_out
        };
        ok && entered && end.is_some_and(|end| area.exit.contains(&end))
    }
}

/// A window or trapezium: bottom and top at the left and at the right.
struct Area {
    x: [f64; 2],
    left: [f64; 2],
    right: [f64; 2],
    entry: &'static [&'static str],
    exit: &'static [&'static str],
}

impl Area {
    fn bounds(&self, x: f64) -> (f64, f64) {
        let u = (x - self.x[0]) / (self.x[1] - self.x[0]);
        (
            self.left[0] + u * (self.right[0] - self.left[0]),
            self.left[1] + u * (self.right[1] - self.left[1]),
        )
    }

    fn has(&self, x: f64, f: f64) -> bool {
        let (low, high) = self.bounds(x);
        x >= self.x[0] && x <= self.x[1] && f >= low && f <= high
    }

    /// The side that a point just outside lies beyond.
    fn side(&self, (x, f): (f64, f64)) -> &'static str {
        match self.bounds(x) {
            _ if x < self.x[0] => "left",
            _ if x > self.x[1] => "right",
            (low, _) if f < low => "bottom",
            _ => "top",
        }
    }
}

fn files(test: &str) -> Option<Vec<PathBuf>> {
    let folder = recordings(test)?.join("switch_force");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "csv"))
        .collect();
    files.sort();
    Some(files)
}

/// The one stroke of a replayed table.
fn stroke(file: &Path) -> Value {
    let place = Place::new();
    let args = format!(
        "replay {} {} --json --state {}",
        shipped("switch-force.toml").display(),
        file.display(),
        place.path("state").display()
    );
    let run = place.run(release_binary(), &args).fine();
    let strokes = run.of_type("stroke");
    assert_eq!(strokes.len(), 1, "{}", file.display());
    let events = run.of_type("event");
    let nok = strokes[0]["verdict"] == "nok";
    assert_eq!(
        events.len(),
        usize::from(nok),
        "an event for every NOK, and none without"
    );
    if nok {
        assert_eq!(events[0]["channel"], "stroke");
        assert_eq!(events[0]["nok"]["object"], strokes[0]["object"]);
    }
    strokes[0].clone()
}

fn object<'a>(stroke: &'a Value, name: &str) -> &'a Value {
    let objects = stroke["objects"].as_array().unwrap();
    objects
        .iter()
        .find(|o| o["name"] == name)
        .unwrap_or_else(|| panic!("no object {name} in {stroke}"))
}

/// Both to nine digits.
fn same(what: &str, actual: &Value, expected: f64) {
    let actual = actual
        .as_f64()
        .unwrap_or_else(|| panic!("{what} is {actual}"));
    assert!(
        (actual - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
        "{what}: {actual}, expected {expected}"
    );
}

#[test]
fn features_agree_with_an_independent_calculation() {
    let Some(files) = files("features_agree_with_an_independent_calculation") else {
        return;
    };
    assert!(!files.is_empty());
    for file in files {
        let (t, s) = (Table::read(&file), stroke(&file));
        let what = |key: &str| format!("{key} of {}", file.display());
        let end = t.x.len() - 1;
        let peak = t.f.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let at = t.x[t.f.iter().position(|f| *f == peak).unwrap()];
        same(&what("peak_n"), &s["peak_n"], peak);
        same(&what("peak_position_m"), &s["peak_position_m"], at);
        same(
            &what("block_position_m"),
            &s["block_position_m"],
            t.x[t.turn],
        );
        same(&what("block_force_n"), &s["block_force_n"], t.f[t.turn]);
        same(&what("work_j"), &s["work_j"], t.work(0, t.turn));
        same(
            &what("hysteresis_j"),
            &s["hysteresis_j"],
            t.work(0, t.turn) + t.work(t.turn, end),
        );
        let (a, b) = (t.travel_at(0.2 * peak), t.travel_at(0.8 * peak));
        match (a, b) {
            (Some(a), Some(b)) => same(
                &what("gradient_n_per_m"),
                &s["gradient_n_per_m"],
                0.6 * peak / (b - a),
            ),
            _ => assert!(
                s["gradient_n_per_m"].is_null(),
                "{}",
                what("gradient_n_per_m")
            ),
        }
        let value = |name: &str| object(&s, name)["value"].clone();
        same(
            &what("force-at-1500um"),
            &value("force-at-1500um"),
            t.force_in(1.5e-3),
        );
        let way_in_peak = t.f[..=t.turn]
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        same(&what("peak"), &value("peak"), way_in_peak);
        same(
            &what("hysteresis-at-1500um"),
            &value("hysteresis-at-1500um"),
            t.force_in(1.5e-3) - t.force_back(1.5e-3),
        );
        let stop = (t.force_in(t.x[t.turn] - 2e-5) - t.force_in(t.x[t.turn] - 1e-4)) / 8e-5;
        same(&what("stop"), &value("stop"), stop);
        match t.travel_at(0.9) {
            Some(x) => same(&what("travel-at-900mn"), &value("travel-at-900mn"), x),
            None => assert_eq!(object(&s, "travel-at-900mn")["ok"], false),
        }
        // By midpoints, which a trapezium between rows only meets in the limit.
        let work = value("work").as_f64().unwrap();
        let walked = t.work_between(0.5e-3, 2.5e-3);
        assert!(
            (work - walked).abs() < 1e-6 * walked,
            "{}: {work} {walked}",
            what("work")
        );
    }
}

#[test]
fn windows_and_limits_agree_with_an_independent_calculation() {
    let Some(files) = files("windows_and_limits_agree_with_an_independent_calculation") else {
        return;
    };
    let areas = [
        (
            "bottom-out",
            false,
            Area {
                x: [2.5e-3, 5e-3],
                left: [0.8, 3.0],
                right: [0.8, 3.0],
                entry: &["left", "bottom"],
                exit: &["within"],
            },
        ),
        (
            "actuation",
            false,
            Area {
                x: [1e-3, 2e-3],
                left: [0.2, 1.0],
                right: [0.2, 1.0],
                entry: &["left"],
                exit: &["right"],
            },
        ),
        (
            "release",
            true,
            Area {
                x: [1e-3, 2e-3],
                left: [0.1, 0.9],
                right: [0.1, 0.9],
                entry: &["right"],
                exit: &["left"],
            },
        ),
    ];
    let corridor = Area {
        x: [1e-4, 1.5e-3],
        left: [0.15, 0.9],
        right: [0.25, 1.2],
        entry: &["left"],
        exit: &["right"],
    };
    let (mut ok, mut nok) = (0, 0);
    for file in files {
        let (t, s) = (Table::read(&file), stroke(&file));
        let mut compare = |name: &str, expected: bool| {
            let told = &object(&s, name)["ok"];
            assert_eq!(
                told,
                expected,
                "{name} of {}: {}",
                file.display(),
                object(&s, name)
            );
            if expected { ok += 1 } else { nok += 1 }
        };
        for (name, back, area) in &areas {
            let rows = if *back {
                t.turn..=t.x.len() - 1
            } else {
                0..=t.turn
            };
            compare(name, t.passes(rows, 0.0, area));
        }
        // Switches that are stiff from the first row on have no 0.2 N to come up to, and are NOK for that.
        let origin = t.travel_at(0.2);
        compare(
            "corridor",
            origin.is_some_and(|o| t.passes(0..=t.turn, o, &corridor)),
        );
        let within = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        compare("force-at-1500um", within(t.force_in(1.5e-3), 0.25, 0.9));
        compare(
            "travel-at-900mn",
            t.travel_at(0.9).is_some_and(|x| within(x, 2e-3, 4.5e-3)),
        );
        compare(
            "work",
            within(t.work_between(0.5e-3, 2.5e-3), 0.6e-3, 1.6e-3),
        );
        let ring = t.work(0, t.x.len() - 1);
        compare("hysteresis", within(ring, 0.01e-3, 0.8e-3));
        compare(
            "hysteresis-at-1500um",
            within(t.force_in(1.5e-3) - t.force_back(1.5e-3), 0.0, 0.25),
        );
        compare("travel", within(t.x[t.turn], 3e-3, 4.5e-3));
        let objects = s["objects"].as_array().unwrap();
        let verdict = if objects.iter().all(|o| o["ok"] == true) {
            "ok"
        } else {
            "nok"
        };
        assert_eq!(s["verdict"], verdict);
    }
    println!("objects judged alike: {ok} ok, {nok} nok");
    assert!(
        ok > 0 && nok > 0,
        "a set that is all alike would prove little: {ok} {nok}"
    );
}
