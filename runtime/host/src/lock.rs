//! One writer per event store, across processes.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The right to write. The kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct WriterLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it; its process id where it can be read.
    Held(Option<u32>),
    /// The lock file cannot be opened or locked.
    Io(io::Error),
}

impl WriterLock {
    /// Takes the lock at `path`, which may lie in a folder that everybody writes to and belong to another user: it is only
    /// opened for reading where it is there, and never followed elsewhere.
    ///
    /// # Errors
    /// [`LockError::Held`] while another process has it.
    pub fn claim(path: &Path) -> Result<Self, LockError> {
        let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let open = || {
            OpenOptions::new()
                .read(true)
                .custom_flags(nofollow)
                .open(path)
        };
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path);
        match made {
            Ok(file) => {
                // Others read who has it, whatever mask this process was given. Without it they cannot tell, and it holds all the same.
                let _ = file.set_permissions(Permissions::from_mode(0o644));
                Self::locked(file)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Who made it may write its process id into it, the others only read.
                let own = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .custom_flags(nofollow)
                    .open(path);
                Self::locked(own.or_else(|_| open()).map_err(LockError::Io)?)
            }
            Err(error) => Err(LockError::Io(error)),
        }
    }

    /// Takes the lock at `path` without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] while another process has it.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(LockError::Io)?;
        Self::locked(file)
    }

    fn locked(mut file: File) -> Result<Self, LockError> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let holder = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held(holder));
            }
            Err(errno) => return Err(LockError::Io(errno.into())),
        }
        // The process id is for people only; the lock holds without it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.lock");
        let first = WriterLock::take(&path).unwrap();
        // A second open file description conflicts even within one process.
        match WriterLock::take(&path) {
            Err(LockError::Held(holder)) => assert_eq!(holder, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        assert!(WriterLock::take(&path).is_ok());
    }
}
