//! `twinstep doctor` on computers that are folders of files, and on this one.
//!
//! A computer is one text, `doctor/NAME.tree`: a line `=== /path` begins a file. Beside it stands what the doctor says of it,
//! `NAME.txt`. `TWINSTEP_WRITE_GOLDEN=1` writes what is found now.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use twinstep_tests::run::{Place, Run, json_lines};
use twinstep_tests::{program, root};

/// Computers, and the interface that is looked at.
const COMPUTERS: [(&str, &str); 4] = [
    ("good-ipc", "eno1"),
    ("debian", "eno1"),
    ("vm", ""),
    ("misspelt", "eth7"),
];

fn folder() -> PathBuf {
    root().join("tests/tests/doctor")
}

/// Makes the files of a computer below `place`.
fn computer(place: &Place, name: &str) -> PathBuf {
    let text = fs::read_to_string(folder().join(format!("{name}.tree"))).unwrap();
    let below = place.path(name);
    for file in text.split("\n=== ").skip(1) {
        let (path, content) = file.split_once('\n').unwrap();
        let path = below.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{}\n", content.trim_end())).unwrap();
    }
    below
}

fn doctor(place: &Place, below: &Path, interface: &str, more: &str) -> Run {
    let interface = if interface.is_empty() {
        String::new()
    } else {
        format!("--interface {interface}")
    };
    place
        .twinstep(&format!(
            "doctor --sysroot {} {interface} {more}",
            below.display()
        ))
        .fine()
}

/// The lines of a run, without what never changes.
fn told(lines: &[Value]) -> String {
    let mut text = String::new();
    for line in lines {
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        if line["type"] == "check" {
            writeln!(
                text,
                "{:<8} {:<28} {}",
                word("verdict"),
                word("name"),
                word("value")
            )
            .unwrap();
            if !word("remedy").is_empty() {
                writeln!(text, "         {} -> {}", word("path"), word("remedy")).unwrap();
            }
        } else {
            let mut summary = line.clone();
            let missing = summary["trust"]["missing"].take();
            let missing = missing.as_array().unwrap().iter();
            let missing: Vec<_> = missing.map(|lack| lack["what"].as_str().unwrap()).collect();
            writeln!(text, "{summary}\nmissing: {}", missing.join(", ")).unwrap();
        }
    }
    text
}

fn golden(file: &str, found: &str) {
    let path = folder().join(file);
    if std::env::var_os("TWINSTEP_WRITE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{file} is now:\n{found}");
}

#[test]
fn computers_are_judged_as_before() {
    let place = Place::new();
    for (name, interface) in COMPUTERS {
        let below = computer(&place, name);
        let lines = doctor(&place, &below, interface, "--json").lines();
        golden(&format!("{name}.txt"), &told(&lines));
    }
}

#[test]
fn every_check_says_what_it_is_and_what_to_do() {
    let place = Place::new();
    for (name, interface) in COMPUTERS {
        let below = computer(&place, name);
        let run = doctor(&place, &below, interface, "--json");
        let checks = run.of_type("check");
        assert!(checks.len() >= 40, "{name}: {}", checks.len());
        for check in &checks {
            for key in ["name", "path", "value", "verdict", "why"] {
                let text = check[key].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{key} of {check}");
            }
            let wrong = ["warn", "bad"].contains(&check["verdict"].as_str().unwrap());
            assert_eq!(wrong, check["remedy"] != "", "{check}");
        }
        let bad = checks
            .iter()
            .filter(|check| check["verdict"] == "bad")
            .count();
        let trust = &run.summary()["trust"];
        assert_eq!(trust["timing_valid"], bad == 0, "{name}");
        for key in ["realtime_kernel", "sched_fifo", "memory_locked"] {
            assert!(trust[key].is_boolean(), "{trust}");
        }
        // People are told the same.
        let text = doctor(&place, &below, interface, "").stdout;
        for check in &checks {
            assert!(text.contains(check["name"].as_str().unwrap()), "{check}");
        }
        assert_eq!(text.contains("timing NOT valid"), bad > 0, "{text}");
    }
}

#[test]
fn the_good_computer_has_nothing_to_mend() {
    let place = Place::new();
    let below = computer(&place, "good-ipc");
    let run = doctor(&place, &below, "eno1", "--json");
    let wrong = |check: &&Value| ["warn", "bad"].contains(&check["verdict"].as_str().unwrap());
    let checks = run.of_type("check");
    assert_eq!(checks.iter().find(wrong), None);
    // Another core of the same computer is not made for it.
    let run = doctor(&place, &below, "", "--json --core 0");
    assert_eq!(run.summary()["core"], 0);
    assert!(run.of_type("check").iter().any(|check| wrong(&check)));
    let run = doctor(&place, &below, "", "--json --core 4");
    assert_eq!(run.summary()["trust"]["timing_valid"], false);
}

#[test]
fn what_is_wrong_alone_is_found_on_the_good_computer() {
    let place = Place::new();
    for (path, value, name) in [
        (
            "sys/kernel/debug/sched/fair_server/cpu3/runtime",
            "50000000",
            "throttling.fair_server",
        ),
        (
            "sys/module/rcutree/parameters/kthread_prio",
            "90",
            "kernel_work.rcu_priority",
        ),
        (
            "proc/sys/kernel/timer_migration",
            "0",
            "kernel_work.timer_migration",
        ),
        (
            "proc/sys/kernel/numa_balancing",
            "1",
            "memory.numa_balancing",
        ),
        (
            "sys/class/net/eno1/gro_flush_timeout",
            "20000",
            "nic.napi_timers",
        ),
        ("sys/class/net/eno1/speed", "10", "nic.speed"),
        ("sys/class/net/eno1/duplex", "half", "nic.speed"),
        (
            "sys/kernel/tracing/current_tracer",
            "function",
            "noise.tracer",
        ),
        ("sys/kernel/tracing/events/enable", "X", "noise.tracer"),
        // An ordinary thread, as the kernel starts it.
        (
            "proc/613/stat",
            "613 (napi/eno1-8193) S 2 0 0 0 -1 2129984 0 0 0 0 0 3 0 0 20 0 1 0 300 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 0 0 0 17 2 0 0 0 0 0 0 0 0 0 0 0 0 0",
            "nic.threaded_napi",
        ),
    ] {
        let below = computer(&place, "good-ipc");
        let file = below.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{value}\n")).unwrap();
        let run = doctor(&place, &below, "eno1", "--json");
        let checks = run.of_type("check");
        let wrong = checks
            .iter()
            .filter(|check| check["verdict"] == "warn" || check["verdict"] == "bad");
        let names: Vec<_> = wrong.map(|check| check["name"].as_str().unwrap()).collect();
        assert_eq!(names, [name], "{path}");
        fs::remove_dir_all(below).unwrap();
    }
}

#[test]
fn every_interface_of_a_machine_is_looked_at() {
    let place = Place::new();
    let below = computer(&place, "good-ipc");
    let text = fs::read_to_string(root().join("rt-config/machines/two-buses.toml")).unwrap();
    let front = "interface = \"eno1\"\nredundant_interface = \"ring0\"";
    let rear = "kind = \"tap\"\ninterface = \"tap0\"\nreturned_interface = \"tap1\"";
    let more = "[publish.uadp]\nbus = \"front\"\ninterface = \"tsn0.5\"\npublisher_id = 7\n\
                [tsn]\ninterface = \"tsn0\"\nvlan = 5\n[judge]";
    let text = text
        .replacen("# interface = \"eth1\"", front, 1)
        .replacen("# interface = \"eth2\"", rear, 1)
        .replacen("[judge]", more, 1);
    let config = place.file("two.toml", text).display().to_string();
    let looked_at = |more: &str| {
        let run = doctor(&place, &below, "", &format!("{config} --json {more}"));
        let checks = run.of_type("check");
        let named = checks
            .iter()
            .filter(|check| check["name"] == "nic.interface");
        let named = named.map(|check| check["value"].as_str().unwrap().to_owned());
        (named.collect::<Vec<_>>(), run)
    };
    let absent = |name: &str| format!("{name}: no interface {name}");
    let (named, run) = looked_at("");
    // The VLAN is made by the run, on an interface that is looked at.
    let others = ["ring0", "tsn0", "tap0", "tap1"].map(absent);
    assert_eq!(named[0], "eno1: eno1 is up");
    assert_eq!(named[1..], others);
    assert_eq!(run.summary()["bad"], 4);
    // All that is said of the one that is there says so.
    let checks = run.of_type("check");
    let speed = checks.iter().find(|check| check["name"] == "nic.speed");
    assert!(
        speed.unwrap()["value"]
            .as_str()
            .unwrap()
            .starts_with("eno1: ")
    );
    // What `[tsn]` sets takes a right that is asked for here alone.
    let admin = checks
        .iter()
        .find(|check| check["name"] == "rights.network_admin");
    let admin = admin.unwrap();
    assert_eq!(
        (&admin["verdict"], &admin["value"]),
        (&"warn".into(), &"no CAP_NET_ADMIN".into())
    );
    let (named, _) = looked_at("--bus rear");
    assert_eq!(named, ["tap0", "tap1", "tsn0"].map(absent));
    // Who names one is told of that one.
    let (named, _) = looked_at("--interface eno1");
    assert_eq!(named, ["eno1 is up"]);
}

#[test]
fn the_core_of_every_bus_is_looked_at() {
    let place = Place::new();
    let below = computer(&place, "good-ipc");
    let text = fs::read_to_string(root().join("rt-config/machines/two-buses.toml")).unwrap();
    let named = text.replace("# core", "core");
    let values = |text: &str, more: &str, name: &str| {
        let config = place.file("two.toml", text).display().to_string();
        let run = doctor(&place, &below, "", &format!("{config} --json {more}"));
        let checks = run.of_type("check");
        let found = checks.iter().filter(|check| check["name"] == name);
        let found = found.map(|check| check["value"].as_str().unwrap().to_owned());
        (found.collect::<Vec<_>>(), run)
    };
    let on = |core: u8| format!("cycle on core {core} of 0-3");
    let (cores, run) = values(&named, "", "isolation.core");
    assert_eq!(cores, [on(2), on(3)]);
    // Core 3 is free, and core 2 is not.
    assert_eq!(run.summary()["trust"]["isolated"], false);
    let (isolated, _) = values(&named, "", "isolation.isolated");
    assert!(
        isolated[0].contains("core 2 is not isolated"),
        "{isolated:?}"
    );
    assert_eq!(isolated[1], "isolcpus 3");
    // What is the same for both is said once.
    let (kernel, _) = values(&named, "", "kernel.realtime");
    assert_eq!(kernel.len(), 1);
    // As a run takes them: the isolated one first, then one after the other from the end on.
    let (cores, _) = values(&text, "", "isolation.core");
    assert_eq!(cores, [on(3), on(2)]);
    let (cores, _) = values(&named, "--bus rear", "isolation.core");
    assert_eq!(cores, [on(3)]);
    let (cores, _) = values(&named, "--core 1", "isolation.core");
    assert_eq!(cores, [on(1)]);
    let script = doctor(
        &place,
        &below,
        "",
        &format!("{} --fix-script", place.path("two.toml").display()),
    );
    assert!(
        script.stdout.contains("isolcpus=managed_irq,domain,2-3"),
        "{script:?}"
    );
}

#[test]
fn the_script_mends_what_it_says_and_can_be_run_again() {
    let place = Place::new();
    let below = computer(&place, "debian");
    let before = doctor(&place, &below, "eno1", "--json").of_type("check");
    let text = doctor(&place, &below, "eno1", "--fix-script").stdout;
    golden("debian.sh", &text);
    let script = place.file("fix.sh", &text);
    let run = || {
        let output = Command::new("sh")
            .arg(&script)
            .env("TWINSTEP_ROOT", &below)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let first = run();
    assert!(
        first.contains("/proc/sys/kernel/sched_rt_runtime_us: -1"),
        "{first}"
    );
    let after = doctor(&place, &below, "eno1", "--json").of_type("check");
    let mut mended = 0;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["name"], after["name"]);
        let name = before["name"].as_str().unwrap();
        let written =
            text.contains(&format!("# {name}: ")) && before["verdict"] != after["verdict"];
        if written {
            assert_eq!(after["verdict"], "ok", "{after}");
            mended += 1;
        }
    }
    assert!(mended >= 15, "{mended} mended");
    // Nothing is left to be written, where a file shows all that may be chosen too.
    let pages = below.join("sys/kernel/mm/transparent_hugepage/enabled");
    assert_eq!(fs::read_to_string(&pages).unwrap(), "madvise\n");
    for found in ["madvise\n", "always [madvise] never\n"] {
        fs::write(&pages, found).unwrap();
        let again = run();
        assert!(!again.lines().any(|line| line.starts_with('/')), "{again}");
        assert_eq!(fs::read_to_string(&pages).unwrap(), found);
    }
    fs::write(&pages, "[always] madvise never\n").unwrap();
    let again = run();
    assert!(again.contains("enabled: madvise"), "{again}");
}

#[test]
fn the_script_is_clean_for_shellcheck() {
    let test = "the_script_is_clean_for_shellcheck";
    let Some(shellcheck) = program(test, "shellcheck") else {
        return;
    };
    let place = Place::new();
    for (name, interface) in COMPUTERS {
        let below = computer(&place, name);
        let text = doctor(&place, &below, interface, "--fix-script").stdout;
        let script = place.file("fix.sh", text);
        let output = Command::new(&shellcheck).arg(&script).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[test]
fn this_computer_is_looked_at_and_left_as_it_was() {
    let place = Place::new();
    let runtime = "/proc/sys/kernel/sched_rt_runtime_us";
    let before = fs::read_to_string(runtime).ok();
    let run = place.twinstep("doctor --json --interface lo").fine();
    assert!(run.of_type("check").len() >= 40);
    assert_eq!(json_lines(&run.stdout).last().unwrap()["type"], "summary");
    assert_eq!(fs::read_to_string(runtime).ok(), before);
    let lo = run.of_type("check");
    let lo = lo
        .iter()
        .find(|check| check["name"] == "nic.interface")
        .unwrap();
    assert_eq!(lo["verdict"], "ok", "{lo}");
}

#[test]
fn wrong_arguments_are_refused() {
    let place = Place::new();
    place.refuse("doctor --sysroot /no/such/folder", 2, &["is no folder"]);
    place.refuse("doctor no-such.toml", 2, &["no-such.toml"]);
    place.refuse("doctor --json --fix-script", 2, &["cannot be used with"]);
    // An empty folder is a computer that says nothing, and is not trusted.
    fs::create_dir(place.path("empty")).unwrap();
    let run = doctor(&place, &place.path("empty"), "", "--json");
    let trust = &run.summary()["trust"];
    assert_eq!(trust["timing_valid"], false);
    assert!(
        run.of_type("check")
            .iter()
            .all(|check| check["verdict"] != "bad" || check["name"] == "kernel.realtime")
    );
}
