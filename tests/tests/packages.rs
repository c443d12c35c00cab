//! The rules of the house for its packages: which may use which, and what all have in common.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::process::Command;

use serde_json::Value;
use twinstep_tests::{root, skip};

/// Which of our crates each one may depend on. `None`: any.
const ARROWS: &[(&str, Option<&[&str]>)] = &[
    ("twinstep-models", Some(&[])),
    ("twinstep-config", Some(&["twinstep-models"])),
    ("twinstep-cycle", Some(&["twinstep-models"])),
    (
        "twinstep-drivers",
        Some(&["twinstep-models", "twinstep-config"]),
    ),
    (
        "twinstep",
        Some(&[
            "twinstep-models",
            "twinstep-config",
            "twinstep-cycle",
            "twinstep-drivers",
        ]),
    ),
    ("twinstep-benches", None),
    ("twinstep-tests", None),
];

/// What cargo knows of the workspace's own packages.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn dependencies_point_down() {
    let packages = packages();
    let mut offences = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| *of == name) else {
            offences.push(format!("{name}: a new crate has no place in the house yet"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let ours = ARROWS.iter().any(|(of, _)| *of == to);
            if ours && allowed.is_some_and(|allowed| !allowed.contains(&to)) {
                offences.push(format!("{name} -> {to}"));
            }
            let identify = dependency["features"]
                .as_array()
                .unwrap()
                .iter()
                .any(|feature| feature == "identify");
            if ours && identify && name != "twinstep" {
                offences.push(format!(
                    "{name} turns on identify, which needs std: only the host does"
                ));
            }
        }
    }
    assert_eq!(packages.len(), ARROWS.len());
    assert!(
        offences.is_empty(),
        "arrows that do not go down:\n  {}",
        offences.join("\n  ")
    );
}

#[test]
fn packages_are_alike() {
    let mut binaries = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert_eq!(package["license"], "MIT OR Apache-2.0", "{name}");
        assert_eq!(package["publish"], Value::Array(Vec::new()), "{name}");
        assert_eq!(package["edition"], "2024", "{name}");
        for target in package["targets"].as_array().unwrap() {
            if target["kind"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind == "bin")
            {
                binaries.push(target["name"].as_str().unwrap().to_owned());
            }
        }
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} takes the workspace's lints"
        );
    }
    assert_eq!(
        binaries,
        ["twinstep"],
        "`cargo run` needs no name while there is one binary"
    );
    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root().join(file).is_file(), "{file}");
    }
}

/// Workspaces of their own, built with `--locked` by scripts that no test runs in full.
#[test]
fn the_lock_files_of_workspaces_apart_follow_the_crates_that_they_build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for apart in ["benches/peers", "benches/bus-peers"] {
        let output = Command::new(&cargo)
            .args(["metadata", "--locked", "--format-version", "1"])
            .current_dir(root().join(apart))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !said.contains("lock file"),
            "{apart}/Cargo.lock is older than what it builds: run `cargo update --workspace` there\n{said}"
        );
        if !output.status.success() {
            skip(
                "the_lock_files_of_workspaces_apart_follow_the_crates_that_they_build",
                &format!("{apart}: cargo could not read its packages: {said}"),
            );
            return;
        }
    }
}
