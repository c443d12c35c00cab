//! The files of a computer: its own, or those of a folder that stands for one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest file that is read (bytes); what is beyond does not count. `/proc/interrupts` of 256 cores has less.
const LONGEST: u64 = 4 << 20;
/// Most entries of a folder that are looked at.
const MOST_ENTRIES: usize = 65_536;

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Root {
    folder: PathBuf,
    live: bool,
}

impl Root {
    /// This computer.
    pub fn live() -> Self {
        Self {
            folder: PathBuf::from("/"),
            live: true,
        }
    }

    /// A folder that stands for a computer.
    pub fn folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            live: false,
        }
    }

    /// Whether clocks and system calls answer for the same computer as the files.
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// The place of `path`, which is absolute.
    pub fn place(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// Text of a file without its last end of line; none where it is absent or cannot be read.
    pub fn read(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let file = File::open(self.place(path)).ok()?;
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_end_matches(['\n', ' ', '\0']).to_owned())
    }

    /// The number in a file.
    pub fn number(&self, path: &str) -> Option<i64> {
        self.read(path)?.trim().parse().ok()
    }

    /// What is chosen in a file such as `always [madvise] never`, or all of it where nothing is in brackets.
    pub fn chosen(&self, path: &str) -> Option<String> {
        let text = self.read(path)?;
        let inside = text
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'));
        Some(inside.map_or(text.trim(), |(inside, _)| inside).to_owned())
    }

    /// Names in a folder, sorted, numbers by their value; empty where it is absent.
    pub fn entries(&self, path: &str) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(self.place(path)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = folder
            .take(MOST_ENTRIES)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_by_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name.clone()));
        names
    }

    /// Whether something is there.
    pub fn exists(&self, path: &str) -> bool {
        self.place(path).exists()
    }

    /// Why a file told nothing, for the value of a check.
    pub fn missing(&self, path: &str) -> String {
        let why = match File::open(self.place(path)) {
            Ok(_) => "not in a form that is known here",
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                "cannot be read by this user"
            }
            Err(_) => "absent",
        };
        why.to_owned()
    }
}
