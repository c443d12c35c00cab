//! Instruction counts: they do not depend on load or clock rate.

use std::process::Command;

/// Runs this program with `--counted` and `of` under callgrind and returns the instructions spent in functions whose name contains
/// `function`, and in all that they call.
///
/// # Errors
/// Why nothing was counted, in words.
pub fn collected(function: &str, of: &[&str]) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--collect-atstart=no",
        ])
        .arg(format!("--toggle-collect=*{function}*"))
        .arg(program)
        .arg("--counted")
        .args(of)
        .output()
        .map_err(|error| {
            format!(
                "valgrind does not start ({error}): install it (Debian: apt-get install valgrind)"
            )
        })?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split("Collected :").nth(1)?.trim().parse::<f64>().ok());
    collected
        .filter(|count| *count > 0.0)
        .ok_or_else(|| format!("callgrind counted nothing:\n{text}"))
}
