//! A run that is killed while it records: what it has handed to the system outlives it, for our reader and for another one.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::Peer;
use twinstep_tests::recording::read;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// Cycles that wait for the recorder at most, of 1 ms each.
const RECORD_BUFFERS: u64 = 1024;

fn kill(run: &mut Peer) {
    run.signal("KILL");
    let _ = run.child.wait();
}

/// Replays `file`, which was cut unless `may_be_whole` says so of its cycles; both readers find as many. Returns how many.
fn read_by_both(
    place: &Place,
    python: Option<&Path>,
    file: &str,
    may_be_whole: impl Fn(u64) -> bool,
) -> u64 {
    let replayed = place.run(release_binary(), &format!("replay {file} --json"));
    let replayed = replayed.fine();
    let (says, cycles) = (&replayed.stderr, &replayed.summary()["cycles"]);
    let cycles = cycles.as_u64().unwrap();
    assert!(
        says.contains("was cut") || may_be_whole(cycles),
        "{file}: {says}"
    );
    let dropped = says.contains("are missing");
    assert!(says.contains("as the run was") || dropped, "{file}: {says}");
    if let Some(python) = python {
        let seen = read(place, python, &place.path(file), "cut");
        // The replay of a piece around an event begins at its checkpoint, and a gap has no rows.
        let rows = seen["counts"]["/process_data"].as_u64().unwrap();
        assert!(rows == cycles || dropped, "{file}: {cycles}: {seen}");
        assert!(seen["last"]["/process_data"].is_object(), "{file}: {seen}");
    }
    cycles
}

#[test]
fn killed_at_any_second_a_run_leaves_all_but_the_last_one() {
    let test = "killed_at_any_second_a_run_leaves_all_but_the_last_one";
    let python = python_with(test, "mcap_ros1.decoder");
    let place = Place::new();
    // Long cycles: in these few seconds nothing is written because it has become too much to be kept.
    let cell = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let _ = place.file(
        "slow.toml",
        cell.replace("period = \"1ms\"", "period = \"4ms\""),
    );
    // Side by side, killed at moments that lie apart by less than what is handed over at a time.
    let mut runs: Vec<_> = [700, 800, 900].map(|at| {
        let args = format!(
            "demo --config slow.toml --json --no-page --cycles 900000 --state {at} --control {at}.sock \
             --inject frame_loss:bus:count=3@100ms --record {at}.mcap"
        );
        let mut run = Peer::of(place.command(release_binary(), args.split_whitespace()));
        run.next("event");
        (run, at)
    })
    .into();
    // By how much the recording of the run lags behind at least.
    let mut least = u64::MAX;
    for (run, at) in &mut runs {
        let status = format!("status --control {at}.sock --json");
        let cycle = loop {
            let status = place.run(release_binary(), &status).fine();
            let cycle = status.of_type("status")[0]["cycle"].as_u64().unwrap();
            if cycle >= *at {
                break cycle;
            }
        };
        kill(run);
        // What the ring kept of the event is still being written then. On a computer that stands still for so long it is whole: it ends
        // 5 s after its event.
        let piece = format!("{at}/events/1.mcap");
        for file in [&format!("{at}.mcap"), &piece] {
            let whole = |cycles| *file == piece && cycles >= 1275;
            let python = python.as_deref().filter(|_| *file != piece);
            let cycles = read_by_both(&place, python, file, whole);
            // Half a second is what a chunk holds; two are for a computer that stands still just then.
            assert!(
                whole(cycles) || cycles + 600 >= cycle,
                "{file}: {cycles} of {cycle}"
            );
            if *file != piece {
                least = least.min(cycle.saturating_sub(cycles));
            }
        }
    }
    // It does not stand still each time: of the best one a second is missing at most.
    assert!(least <= 250, "{least}");
}

#[test]
fn killed_while_it_writes_as_much_as_it_can_a_run_leaves_what_it_wrote() {
    let test = "killed_while_it_writes_as_much_as_it_can_a_run_leaves_what_it_wrote";
    let python = python_with(test, "mcap_ros1.decoder");
    let place = Place::new();
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut before = 0;
    // At so many bytes: behind the first chunk, and later.
    for at in [100_000, 800_000] {
        let args = format!(
            "demo --fast --json --cycles 100000000 --state state{at} --inject friction:carriage:factor=2@1s --record {at}.mcap"
        );
        let mut run = Peer::of(place.command(release_binary(), args.split_whitespace()));
        // The newest cycle that it has told of.
        let told = Arc::new(AtomicU64::new(0));
        let newest = Arc::clone(&told);
        run.follow(move |line| {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            newest.fetch_max(line["cycle"].as_u64().unwrap_or(0), Ordering::Relaxed);
        });
        let path = place.path(&format!("{at}.mcap"));
        while size(&path) < at {
            assert!(run.child.try_wait().unwrap().is_none(), "it has ended");
            std::thread::yield_now();
        }
        let told = told.load(Ordering::Relaxed);
        kill(&mut run);
        let cycles = read_by_both(&place, python.as_deref(), &format!("{at}.mcap"), |_| false);
        // Half a second of the machine, and what may be on its way to the recorder.
        assert!(cycles + 500 + RECORD_BUFFERS >= told, "{cycles} of {told}");
        assert!(cycles > before, "{at}: {cycles} of {} bytes", size(&path));
        before = cycles;
    }
}
