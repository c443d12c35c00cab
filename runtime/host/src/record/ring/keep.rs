//! The folder of the pieces, and what of it is kept.

use std::fs;
use std::io;
use std::path::Path;

/// Most files that are kept.
pub const MAX_FILES: usize = 64;
/// Most bytes of all of them.
pub const MAX_BYTES: u64 = 1 << 30;

/// Removes the oldest files of `folder` until what is left fits. Returns how many went.
pub(super) fn prune(folder: &Path, files: usize, bytes: u64) -> io::Result<u64> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(".mcap"))
            .and_then(|number| number.parse::<u64>().ok());
        if let Some(number) = number {
            all.push((number, entry.metadata()?.len(), entry.path()));
        }
    }
    all.sort();
    let mut count = all.len();
    let mut sum: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
    let mut removed = 0;
    for (_, size, path) in all {
        // The newest stays, whatever its size.
        if count <= 1 || (count <= files && sum <= bytes) {
            break;
        }
        fs::remove_file(path)?;
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
        for name in ["9.mcap", "10.mcap", "100.mcap", "notes.txt", "x.mcap"] {
            fs::write(folder.path().join(name), [0; 10]).unwrap();
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
