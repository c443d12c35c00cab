//! Sound and leaky chambers told apart, on stretches of the recordings that start anywhere.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fmt::Write as _;
use std::path::Path;
use twinstep_tests::run::{Place, shipped};
use twinstep_tests::{recordings, release_binary};

const SOUND: [&str; 3] = ["Aluminium", "Formlabs", "Ultimaker_006"];

/// Time (s) and gauge pressure (bar) of a recording.
fn rows(folder: &Path, name: &str) -> Vec<(f64, f64)> {
    let path = folder.join(format!("pneumatic_leak/{name}.csv"));
    let text = std::fs::read_to_string(path).unwrap();
    let number = |cell: Option<&str>| cell.unwrap().trim().parse::<f64>().unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            (number(cells.next()) / 1e3, number(cells.nth(1)))
        })
        .collect()
}

/// A stretch of `seconds` from `from_s` on with `extra` bar/s of leak on top; what replay says at its end: the verdict, and
/// whether a leak was raised.
fn judge(rows: &[(f64, f64)], from_s: f64, seconds: f64, extra: f64) -> (String, bool) {
    let mut text = "time_ms,raw_v,pressure_bar\n".to_owned();
    for (t, p) in rows {
        if (from_s..=from_s + seconds).contains(t) {
            let p = p - extra * (t - from_s);
            writeln!(text, "{:.0},{p},{p}", t * 1e3).unwrap();
        }
    }
    let place = Place::new();
    let file = place.file("stretch.csv", text);
    let config = shipped("pneumatic-leak.toml");
    let args = format!("replay {} {} --json", config.display(), file.display());
    let run = place.run(release_binary(), &args).fine();
    let events = run.of_type("event");
    let raised = events
        .iter()
        .any(|e| e["channel"] == "leak_rate" && e["state"] == "raised");
    if raised {
        assert_eq!(events[0]["cause"], "vacuum leak increased", "{events:#?}");
    }
    let verdict = run.of_type("leak").last().map_or_else(String::new, |line| {
        line["verdict"].as_str().unwrap().to_owned()
    });
    (verdict, raised)
}

/// Starts that are `step_s` apart with `seconds` left behind each.
fn starts(rows: &[(f64, f64)], seconds: f64, step_s: f64) -> impl Iterator<Item = f64> + use<> {
    let last = rows.last().map_or(0.0, |row| row.0) - seconds;
    (0..)
        .map(move |n| 0.37 + f64::from(n) * step_s)
        .take_while(move |t| *t < last)
}

#[test]
fn sound_chambers_are_confirmed_in_ten_seconds_and_never_accused() {
    let Some(folder) = recordings("sound_chambers_are_confirmed_in_ten_seconds_and_never_accused")
    else {
        return;
    };
    for name in SOUND {
        let rows = rows(&folder, name);
        let (mut one, mut ten, mut sound) = (0, 0, 0);
        for from in starts(&rows, 10.0, 9.0) {
            one += 1;
            assert!(
                !judge(&rows, from, 1.0, 0.0).1,
                "{name}: accused after 1 s, from {from} s"
            );
            ten += 1;
            let (verdict, raised) = judge(&rows, from, 10.0, 0.0);
            assert!(!raised, "{name}: accused after 10 s, from {from} s");
            sound += u32::from(verdict == "sound");
        }
        println!("{name}: 1 s 0 of {one} accused; 10 s {sound} of {ten} sound");
        assert_eq!(sound, ten, "{name}");
        let (verdict, raised) = judge(&rows, 0.0, 1e6, 0.0);
        assert_eq!(
            (verdict.as_str(), raised),
            ("sound", false),
            "{name} as a whole"
        );
    }
}

#[test]
fn a_leaky_chamber_is_found_in_one_second() {
    let Some(folder) = recordings("a_leaky_chamber_is_found_in_one_second") else {
        return;
    };
    // The supply is cut off at 5.0 s; after half a minute there is hardly any pressure left to lose.
    let leaky = rows(&folder, "Ultimaker_020");
    for n in 0..10 {
        let from = 5.03 + 1.5 * f64::from(n);
        let (verdict, raised) = judge(&leaky, from, 1.0, 0.0);
        assert!(raised && verdict == "leaky", "from {from} s: {verdict}");
    }
    assert!(
        judge(&leaky, 0.0, 10.0, 0.0).1,
        "with its supply on for five seconds"
    );
    // Slower leaks, on the noise of real recordings: 22 and 39 mbar/s are the range that leaky chambers were seen in.
    for (extra, least) in [(0.022, 0.9), (0.039, 1.0)] {
        let (mut found, mut all) = (0_u32, 0_u32);
        for name in SOUND {
            let rows = rows(&folder, name);
            for from in starts(&rows, 10.0, 9.0) {
                all += 1;
                found += u32::from(judge(&rows, from, 1.0, extra).1);
                let (verdict, raised) = judge(&rows, from, 3.0, extra);
                assert!(
                    raised && verdict == "leaky",
                    "{name}: not after 3 s, from {from} s"
                );
            }
        }
        println!("{extra} bar/s: {found} of {all} found after 1 s, all after 3 s");
        assert!(
            f64::from(found) >= least * f64::from(all),
            "{extra} bar/s: {found} of {all}"
        );
    }
}
