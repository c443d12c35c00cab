//! A recording as files in a folder: each of a bounded size and an hour at most, the oldest of the folder removed.
//!
//! The index of an MCAP file is kept in memory until the file ends, so that bounded files bound it too.

use crate::day;
use crate::error::HostError;
use crate::lock::{LockError, WriterLock};
use std::path::{Path, PathBuf};

/// Most bytes of a folder unless told otherwise.
pub const LIMIT_BYTES: u64 = 4_000_000_000;
/// Least limit that makes sense (bytes): a file holds a chunk of 1 MiB and its index at least.
const LEAST_LIMIT_BYTES: u64 = 16_000_000;
/// Largest file (bytes).
const FILE_BYTES: u64 = 256_000_000;
/// Files that a folder holds at its limit, at least: so much of it goes at once.
const FILES: u64 = 8;
/// What a file may have beyond the size at which it has had enough: a chunk and its index (bytes).
const BEYOND_BYTES: u64 = 2 << 20;
/// Longest time in one file (ns).
const FILE_NS: u64 = 3_600_000_000_000;
/// File of the lock: one run records into a folder.
const LOCK_FILE: &str = "recording.lock";

/// Whether a path given to `--record` is a folder: it is there as one, or ends as only folders do.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The folder, and what may stand in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    limit_bytes: u64,
    file_bytes: u64,
    beyond_bytes: u64,
    /// Names are not given twice: the last one.
    last: Option<PathBuf>,
    _lock: WriterLock,
}

impl Folder {
    /// Makes the folder where it is not there, and takes it for this run.
    ///
    /// # Errors
    /// [`HostError::Usage`] when it cannot be made or another run records into it.
    pub fn open(path: &Path, limit_bytes: u64) -> Result<Self, HostError> {
        let cannot = |error: &std::io::Error| {
            HostError::usage(
                format!("cannot record into the folder {}: {error}", path.display()),
                "name a folder that this user can write to",
            )
        };
        std::fs::create_dir_all(path).map_err(|error| cannot(&error))?;
        let lock = WriterLock::take(&path.join(LOCK_FILE)).map_err(|error| match error {
            LockError::Io(error) => cannot(&error),
            LockError::Held(_) => HostError::usage(
                format!("another run records into {}", path.display()),
                "give each run a folder of its own",
            ),
        })?;
        Ok(Self {
            path: path.to_owned(),
            limit_bytes,
            file_bytes: (limit_bytes / FILES).min(FILE_BYTES),
            beyond_bytes: BEYOND_BYTES,
            last: None,
            _lock: lock,
        })
    }

    /// Whether a file of `bytes` that began at `since_ns` (ns of the run) has had enough at `time_ns`.
    pub const fn is_full(&self, bytes: u64, since_ns: u64, time_ns: u64) -> bool {
        bytes >= self.file_bytes || time_ns.saturating_sub(since_ns) >= FILE_NS
    }

    /// Makes room for another file and names it, by the time of its first cycle. Returns how many files went.
    ///
    /// # Errors
    /// [`HostError::Machine`] when the folder cannot be read or a file in it not be removed.
    pub fn next(&mut self, utc_ns: u64, cycle: u64) -> Result<(PathBuf, u64), HostError> {
        let removed = self.make_room().map_err(|error| {
            HostError::machine(
                format!(
                    "cannot remove the oldest recordings in {}: {error}",
                    self.path.display()
                ),
                "the folder must be this user's",
            )
        })?;
        let name = format!("{}-{cycle:012}.mcap", day::compact(utc_ns));
        let mut file = self.path.join(name);
        if self.last.as_ref() == Some(&file) {
            // The same cycle once more, after a file that could not be begun.
            file.set_extension("again.mcap");
        }
        self.last = Some(file.clone());
        Ok((file, removed))
    }

    fn make_room(&self) -> std::io::Result<u64> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(is_ours) {
                files.push((name, entry.metadata()?.len()));
            }
        }
        files.sort();
        let mut held: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let mut removed = 0;
        for (name, bytes) in files {
            if held.saturating_add(self.file_bytes + self.beyond_bytes) <= self.limit_bytes {
                break;
            }
            std::fs::remove_file(self.path.join(name))?;
            held -= bytes;
            removed += 1;
        }
        Ok(removed)
    }
}

/// Whether a file has the name of one of ours; others are left alone.
fn is_ours(name: &str) -> bool {
    let Some((day, rest)) = name.split_once('-') else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = rest
        .strip_suffix(".mcap")
        .map(|rest| rest.strip_suffix(".again").unwrap_or(rest));
    day.len() == 16
        && day.ends_with('Z')
        && day.bytes().take(8).all(|byte| byte.is_ascii_digit())
        && rest.is_some_and(|rest| rest.len() >= 12 && digits(rest))
}

/// A number of bytes with its unit, for the command line: `500MB`, `4GB`.
///
/// # Errors
/// What is expected, in words.
pub fn limit(text: &str) -> Result<u64, String> {
    let expected = || "expected a size such as 500MB or 4GB, 16MB at least".to_owned();
    let text = text.trim();
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let unit = match unit.trim() {
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    let bytes = number.checked_mul(unit).ok_or_else(expected)?;
    (bytes >= LEAST_LIMIT_BYTES)
        .then_some(bytes)
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(limit("500MB"), Ok(500_000_000));
        assert_eq!(limit("4 GB"), Ok(4_000_000_000));
        for wrong in [
            "",
            "4",
            "GB",
            "15MB",
            "-4GB",
            "4gb",
            "4.5GB",
            "99999999999TB",
        ] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_oldest_of_ours_go_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder {
            beyond_bytes: 0,
            ..Folder::open(place.path(), 80).unwrap()
        };
        let write = |name: &str| std::fs::write(place.path().join(name), vec![0_u8; 30]).unwrap();
        for name in [
            "20261129T071022Z-000000000000.mcap",
            "20261129T071022Z-000000012345.mcap",
            "20261129T081022Z-000000000000.mcap",
            "mine-000000000000.mcap",
            "20261129T071022Z-notes.mcap",
        ] {
            write(name);
        }
        assert!(!folder.is_full(9, 0, 5) && folder.is_full(10, 0, 5));
        assert!(folder.is_full(0, 10, 10 + FILE_NS));
        // 90 bytes of ours, and 10 are to come.
        let (next, removed) = folder.next(1_798_761_599_000_000_000, 7).unwrap();
        assert_eq!(removed, 1);
        assert_eq!(
            next.file_name().unwrap(),
            "20261231T235959Z-000000000007.mcap"
        );
        assert!(is_ours("20261231T235959Z-000000000007.again.mcap"));
        assert!(!is_ours("2026112\u{e9}T07102Z-000000000000.mcap"));
        let mut left: Vec<_> = std::fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "20261129T071022Z-000000012345.mcap",
                "20261129T071022Z-notes.mcap",
                "20261129T081022Z-000000000000.mcap",
                "mine-000000000000.mcap",
                LOCK_FILE,
            ]
        );
        assert_ne!(folder.next(1_798_761_599_000_000_000, 7).unwrap().0, next);
        let refused = Folder::open(place.path(), 80).unwrap_err();
        assert!(refused.in_a_line().contains("another run"));
    }

    #[test]
    fn a_folder_is_told_by_its_end() {
        assert!(is_folder(Path::new("recordings/")));
        assert!(is_folder(Path::new("/")));
        assert!(!is_folder(Path::new("run.mcap")));
    }
}
