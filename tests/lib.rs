//! Helpers shared by the tests that drive the real binary.
//!
//! A test that cannot run here says so with [`skip`] and returns; `scripts/test` gathers those lines, prints them at the
//! end and, with `CI=true`, fails unless they are exactly the ones it expects.

pub mod belts;
pub mod broker;
pub mod cable;
pub mod cell;
pub mod crank;
pub mod fake_broker;
pub mod gates;
pub mod gateway;
pub mod linkage;
pub mod listener;
pub mod load;
pub mod opcua;
pub mod pieces;
pub mod press;
pub mod recording;
pub mod run;
pub mod sim;
pub mod tmux;
pub mod vm;

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The project's root folder.
#[must_use]
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The binary `twinstep` of the test profile, for short runs.
///
/// # Panics
/// Where it cannot be built.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| locate("debug", &[]))
}

/// The release binary `twinstep`, for simulations of many cycles.
///
/// # Panics
/// Where it cannot be built.
#[must_use]
pub fn release_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| locate("release", &["--release"]))
}

/// Finds `twinstep` in the target folder this test was built into. Unless `scripts/test` has just built both profiles
/// (`TWINSTEP_BUILT` is set), cargo is asked first, so that a test run alone never judges an old binary.
fn locate(profile: &str, flags: &[&str]) -> PathBuf {
    if vm::is_inside() {
        return PathBuf::from(vm::BINARY);
    }
    let test = env::current_exe().unwrap_or_else(|error| panic!("this test's own path: {error}"));
    // The test lies in <target>/<profile>/deps.
    let Some(target) = test.ancestors().nth(3) else {
        panic!("{} lies in no target folder", test.display())
    };
    if env::var_os("TWINSTEP_BUILT").is_none() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--package",
                "twinstep",
                "--bin",
                "twinstep",
            ])
            .args(flags)
            .arg("--target-dir")
            .arg(target)
            .current_dir(root())
            .status();
        match status {
            Ok(status) if status.success() => {}
            other => panic!("the {profile} binary does not build: {other:?}"),
        }
    }
    let binary = target.join(profile).join("twinstep");
    assert!(binary.is_file(), "no binary at {}", binary.display());
    binary
}

/// The folder with the recordings of real machines: `TWINSTEP_DATA`, else `../shared/data` beside the project.
/// Without it `test` is skipped aloud and the answer is `None`.
#[must_use]
pub fn recordings(test: &str) -> Option<PathBuf> {
    // A relative path counts from the root, as in a shell there: runners start tests in their package's folder.
    let folder =
        root().join(env::var_os("TWINSTEP_DATA").unwrap_or_else(|| "../shared/data".into()));
    if folder.is_dir() {
        return Some(folder);
    }
    skip(test, &format!("no recordings at {}", folder.display()));
    None
}

/// The path of a program that `test` calls, such as `tshark`. Without it the test is skipped aloud.
#[must_use]
pub fn program(test: &str, name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        skip(test, &format!("no program {name}"));
    }
    found
}

/// Says that `test` did not run and why, as one line on standard output and in the file named by `TWINSTEP_SKIPS`
/// (test runners hide what a passing test prints).
///
/// # Panics
/// Where that file cannot be written: a skip must never get lost.
pub fn skip(test: &str, reason: &str) {
    let line = format!("skipped: {test}: {reason}\n");
    print!("{line}");
    if let Some(file) = env::var_os("TWINSTEP_SKIPS") {
        // Opened for appending and written at once: tests run side by side.
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            panic!("{}: {error}", Path::new(&file).display());
        }
    }
}
