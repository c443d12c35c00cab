//! The folder of the pieces, and what of it is kept.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// Name of the folder, in that of the event store.
pub const FOLDER: &str = "events";
/// Most files that are kept.
pub const MAX_FILES: usize = 64;
/// Most bytes of all of them.
pub const MAX_BYTES: u64 = 1 << 30;

/// Name of the file of event `seq`.
pub fn file_name(seq: u64) -> String {
    format!("{seq}.mcap")
}

/// Number of the event whose file has this name; none where it is no such file.
pub fn event_of(name: &OsStr) -> Option<u64> {
    name.to_str()?.strip_suffix(".mcap")?.parse().ok()
}

/// Removes the oldest files of `folder` until what is left fits. Returns how many went.
pub(super) fn prune(folder: &Path, files: usize, bytes: u64) -> io::Result<u64> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(number) = event_of(&entry.file_name()) else {
            continue;
        };
        // Another bus of the run may have taken it away meanwhile.
        match entry.metadata() {
            Ok(about) => all.push((about.modified()?, number, about.len(), entry.path())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    // By time first: the numbers of a new store begin anew.
    all.sort();
    let mut count = all.len();
    let mut sum: u64 = all.iter().map(|(_, _, bytes, _)| bytes).sum();
    let mut removed = 0;
    for (_, _, size, path) in all {
        // The newest stays, whatever its size.
        if count <= 1 || (count <= files && sum <= bytes) {
            break;
        }
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        (count, sum, removed) = (count - 1, sum - size, removed + 1);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_strangers_stay() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["900.mcap", "10.mcap", "100.mcap", "notes.txt", "x.mcap"];
        for (seconds, name) in (1..).zip(names) {
            let path = folder.path().join(name);
            fs::write(&path, [0; 10]).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(at).unwrap();
        }
        let left = || {
            let mut names: Vec<_> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(prune(folder.path(), 2, 100).unwrap(), 1);
        assert_eq!(left(), ["10.mcap", "100.mcap", "notes.txt", "x.mcap"]);
        assert_eq!(prune(folder.path(), 2, 5).unwrap(), 1);
        assert_eq!(left(), ["100.mcap", "notes.txt", "x.mcap"]);
        assert_eq!(prune(folder.path(), 0, 0).unwrap(), 0);
    }
}
