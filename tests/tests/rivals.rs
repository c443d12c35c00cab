//! Real-time threads of other programs on the cycle's core: named where durations are told of, and refused where they are relied on.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::process::{Child, Command, Stdio};
use twinstep_tests::program;
use twinstep_tests::run::{Place, Run, shipped};

/// A program under SCHED_FIFO on one core, which sleeps: it is in nobody's way.
struct Rival(Child);

impl Rival {
    /// None where that is not allowed.
    fn start(test: &str, core: &str, priority: &str) -> Option<Self> {
        let (chrt, taskset) = (program(test, "chrt")?, program(test, "taskset")?);
        let sleeps = Command::new(taskset)
            .args(["--cpu-list", core])
            .arg(chrt)
            .args(["--fifo", priority, "sleep", "600"])
            .stderr(Stdio::null())
            .spawn();
        let mut rival = Self(sleeps.unwrap());
        let id = rival.0.id();
        // Each of the three programs becomes the next one.
        while fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default() != "sleep\n" {
            if rival.0.try_wait().unwrap().is_some() {
                twinstep_tests::skip(test, "no SCHED_FIFO");
                return None;
            }
            std::thread::yield_now();
        }
        Some(rival)
    }

    fn name(&self, priority: &str, core: &str) -> String {
        format!("sleep ({}) {priority} on core {core}", self.0.id())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A short run in real time with these keys; what it said, folded or not.
fn demo(place: &Place, keys: &str) -> (Run, String) {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let config = place.file("cell.toml", format!("{text}\n[realtime]\n{keys}\n"));
    let args = format!("demo --config {} --cycles 10 --json", config.display());
    let run = place.twinstep(&args);
    let said: Vec<_> = (run.stderr.split_whitespace())
        .filter(|word| *word != "|")
        .collect();
    let said = said.join(" ");
    (run, said)
}

#[test]
fn a_rival_on_the_core_is_named_and_refused_where_that_is_asked_for() {
    let test = "a_rival_on_the_core_is_named_and_refused_where_that_is_asked_for";
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let core = online.trim().rsplit(['-', ',']).next().unwrap().to_owned();
    let number: u64 = core.parse().unwrap();
    let place = Place::new();
    let Some(rival) = Rival::start(test, &core, "91") else {
        return;
    };
    // Above the cycle's priority, at it, and below.
    for (priority, comes_first) in [(80, true), (91, true), (92, false)] {
        let (run, said) = demo(&place, &format!("priority = {priority}"));
        let run = run.fine();
        let trust = &run.summary()["trust"];
        if trust["core"] != number || trust["policy"] != "fifo" {
            twinstep_tests::skip(test, "the cycle is elsewhere, or an ordinary thread");
            return;
        }
        let name = rival.name("91", &core);
        assert_eq!(said.contains(&name), comes_first, "{priority}: {said}");
        assert!(
            !comes_first || trust["rivals"].as_u64() > Some(0),
            "{trust}"
        );
        let missing = trust["missing"].as_array().unwrap();
        let lack = missing
            .iter()
            .find(|lack| lack["what"] == "cores without other real-time threads");
        // Other tests may have cycles of their own there.
        assert!(!comes_first || lack.is_some(), "{trust}");
        let remedy = lack.map(|lack| lack["remedy"].as_str().unwrap());
        assert!(
            remedy.is_none_or(|remedy| remedy.contains("chrt")),
            "{lack:?}"
        );
    }
    let (run, said) = demo(&place, "require = true");
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    for words in [
        "require = true, and this computer does not grant",
        "cores without other real-time threads",
        &rival.name("91", &core),
        "lower its priority",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Who does not ask to come first has no rivals.
    let (run, said) = demo(&place, "policy = \"other\"");
    assert!(run.fine().summary()["trust"]["rivals"].is_null());
    assert!(!said.contains("sleep ("), "{said}");
}
