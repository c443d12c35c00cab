//! Where a running instance listens.

use super::place::{ENDING, file_name, folders};
use crate::error::HostError;
use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Most sockets that are looked at in a folder.
const MAX_FOUND: usize = 64;

/// The socket of the running instance: `control` if it is named, else the only one that answers in the usual folders.
///
/// # Errors
/// [`HostError::Machine`] when none answers, [`HostError::Usage`] when several do.
pub fn find(control: Option<&Path>) -> Result<PathBuf, HostError> {
    match control {
        Some(path) => Ok(path.to_owned()),
        None => only(None, |_| true),
    }
}

/// The socket of the only instance that runs the machine whose socket is called `name`, see [`super::name_of`].
///
/// # Errors
/// As [`find`].
pub fn find_machine(name: &str) -> Result<PathBuf, HostError> {
    let file = file_name(name);
    only(Some(name), |path| is_of(path, &file))
}

/// Whether `path` is the usual socket called `file`, or that of one more run beside it, which has the number of its process.
fn is_of(path: &Path, file: &str) -> bool {
    let stem = path.file_stem().and_then(OsStr::to_str);
    let rest = stem.and_then(|stem| stem.strip_prefix(file));
    rest.is_some_and(|rest| {
        let process = rest.strip_prefix('-');
        rest.is_empty() || process.is_some_and(|process| process.parse::<u32>().is_ok())
    })
}

/// Sockets that somebody answers on, in the usual folders and in `state`, the folder of an event store.
pub fn live_sockets(state: Option<&Path>) -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR");
    let folders = folders(runtime.as_deref(), state);
    folders.iter().flat_map(|folder| live(folder)).collect()
}

fn only(machine: Option<&str>, wanted: impl Fn(&Path) -> bool) -> Result<PathBuf, HostError> {
    let state = crate::store::folder(None).ok();
    let found = live_sockets(state.as_deref()).into_iter();
    let live: Vec<PathBuf> = found.filter(|path| wanted(path)).collect();
    match live.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let runtime = std::env::var_os("XDG_RUNTIME_DIR");
            let folders = folders(runtime.as_deref(), state.as_deref());
            let looked: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
            let which = machine.map_or(String::new(), |name| format!(" with the machine '{name}'"));
            Err(HostError::machine(
                format!(
                    "no running twinstep{which} answers in {}",
                    looked.join(", ")
                ),
                "start `twinstep demo` or `twinstep run`, or name its socket with --control",
            ))
        }
        several => {
            let shown: Vec<_> = several.iter().map(|p| p.display().to_string()).collect();
            Err(HostError::usage(
                format!("{} instances are running", several.len()),
                format!("name one with --control: {}", shown.join(", ")),
            ))
        }
    }
}

/// Sockets in `folder` that somebody answers on.
pub(super) fn live(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut live: Vec<_> = paths
        .filter(|path| path.extension() == Some(OsStr::new(ENDING)))
        .take(MAX_FOUND)
        .filter(|path| UnixStream::connect(path).is_ok())
        .collect();
    live.sort();
    live
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_the_name_of_its_socket() {
        for (path, found) in [
            ("/run/press_cell.sock", true),
            ("/run/press_cell-4711.sock", true),
            ("/run/press_cell-old.sock", false),
            ("/run/press_cell_listening.sock", false),
            ("/run/press.sock", false),
        ] {
            assert_eq!(is_of(Path::new(path), "press_cell"), found, "{path}");
        }
    }
}
