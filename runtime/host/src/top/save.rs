//! What is shown, in a file.

use super::view::View;
use crate::clock::utc_ns;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Most files of one cycle.
const MOST: u32 = 99;

/// Writes status and events as they are shown into a new file in `folder`. Returns what to say of it.
pub(super) fn save(view: &View, folder: &Path) -> String {
    let Some(status) = &view.status else {
        return "there is nothing to save yet".to_owned();
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let machine: String = status
        .identity
        .machine
        .chars()
        .map(plain)
        .take(48)
        .collect();
    let snapshot = json!({
        "type": "snapshot",
        "saved_utc_ns": utc_ns(),
        "frozen": view.frozen,
        "status": status,
        "events": view.events,
    });
    // The file's name comes first: a long path is cut at the edge.
    let place = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    match write(folder, &format!("{machine}-{}", status.cycle), &snapshot) {
        Ok(name) => format!("saved {name} in {}", place.display()),
        Err(error) => format!(
            "cannot save: {error}; start top in a folder that you may write to, not in {}",
            place.display()
        ),
    }
}

fn write(folder: &Path, name: &str, snapshot: &serde_json::Value) -> std::io::Result<String> {
    let mut text = serde_json::to_string_pretty(snapshot)?;
    text.push('\n');
    for n in 1..=MOST {
        let more = if n > 1 {
            format!("-{n}")
        } else {
            String::new()
        };
        let name = format!("twinstep-{name}{more}.json");
        // Nothing that is there is written over.
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(folder.join(&name))
        {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                return Ok(name);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
