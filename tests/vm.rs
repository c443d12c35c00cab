//! Tests that run inside of a virtual machine with a PREEMPT_RT kernel (`scripts/rt-vm`): as root, with nobody else there.
//!
//! Time is emulated there and proves nothing; what the kernel does is real.

use crate::{release_binary, root, skip};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Set inside of the machine.
const INSIDE: &str = "TWINSTEP_TEST_IN_VM";
/// The binary, and the press cell, as they are found inside.
pub const BINARY: &str = "/opt/twinstep";
/// See [`BINARY`].
pub const PRESS_CELL: &str = "/opt/press-cell.toml";

/// Whether this process runs inside of the machine.
pub(crate) fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// As [`inside_with`], without cards.
///
/// # Panics
/// Where it fails inside.
#[must_use]
pub fn inside(test: &str, cpus: u32, append: &str, files: &[&Path]) -> bool {
    inside_with(0, test, cpus, append, files)
}

/// Whether `test` goes on here: inside of the machine, which has so many network cards on one hub. Outside, it is started inside, on `cpus` processors and with `append` on
/// the command line of the kernel. Where no machine can be had it is skipped aloud.
///
/// # Panics
/// Where it fails inside.
#[must_use]
pub fn inside_with(cards: u32, test: &str, cpus: u32, append: &str, files: &[&Path]) -> bool {
    if is_inside() {
        return true;
    }
    let script = root().join("scripts/rt-vm");
    let machine = |args: &[&str]| {
        let mut command = Command::new(&script);
        command.args(args).stdin(Stdio::null());
        command
    };
    let prepared = machine(&["--prepare"])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    if !prepared.status.success() {
        skip(test, String::from_utf8_lossy(&prepared.stderr).trim());
        return false;
    }
    let me = env::current_exe().unwrap_or_else(|error| panic!("this test's own path: {error}"));
    let press_cell = root().join("rt-config/machines/press-cell.toml");
    let mut command = machine(&["--cpus", &cpus.to_string(), "--append", append]);
    command.args(["--cards", &cards.to_string()]);
    for file in [release_binary(), &press_cell].iter().chain(files) {
        command.arg("--file").arg(file);
    }
    command.args(["--env", &format!("{INSIDE}=1"), "--env", "RUST_BACKTRACE=0"]);
    let run = command
        .arg("--")
        .arg(me)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    // A name that matches no test would pass too.
    let one = said.contains("1 passed") || said.contains("1 failed");
    assert!(one, "{test} did not run inside: {said}{complained}");
    assert!(run.status.success(), "{said}{complained}");
    print!("{said}");
    false
}

/// Lets a moment pass before somebody looks again. Where nothing else happens the emulator passes over it; looking without end
/// would have it compute all of the time until there is something to see.
pub fn moment() {
    thread::sleep(Duration::from_millis(5));
}

/// The output of a program that must not fail.
///
/// # Panics
/// Where it fails.
pub fn told(program: &str, args: &str) -> String {
    let output = Command::new(program).args(args.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {args}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Lays a cable whose ends have four transmit queues each.
///
/// # Panics
/// Where that fails.
pub fn lay(ends: [&str; 2]) {
    let [a, b] = ends;
    let queues = "numtxqueues 4 numrxqueues 4";
    told(
        "ip",
        &format!("link add {a} {queues} type veth peer name {b} {queues}"),
    );
    for end in ends {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
        told("ip", &format!("link set {end} up"));
    }
}

/// Queueing disciplines and links, by name only: what is to be the same before and after.
///
/// # Panics
/// Where `ip` or `tc` fail.
#[must_use]
pub fn as_found() -> (Vec<String>, Vec<String>) {
    let list = |text: String, key: &str| -> Vec<String> {
        let all: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        all.iter()
            .map(|one| format!("{} {}", one[key], one["kind"]))
            .collect()
    };
    let qdiscs = list(told("tc", "-j qdisc show"), "dev");
    (qdiscs, list(told("ip", "-j link show"), "ifname"))
}
