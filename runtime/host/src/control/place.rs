//! Where the control socket is, and whose it is.
//!
//! The owner of a socket holds the lock of `PATH.lock` for as long as it lives, however it ends: a socket without an owner
//! is stale and is replaced, one with an owner is never touched.

use crate::error::HostError;
use crate::lock::{LockError, WriterLock};
use rustix::fs::{FileType, Gid, Mode, chmod, chown};
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use twinstep_config::machine::Machine;

/// Ending of a control socket.
pub(super) const ENDING: &str = "sock";
/// Folder of the system's runs.
const SYSTEM_FOLDER: &str = "/run/twinstep";
/// Longest name of a machine that becomes part of a path (bytes).
const MAX_NAME: usize = 48;
/// A socket that is listened on.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    listener: UnixListener,
    /// It is not where clients of this machine look first.
    unusual: bool,
    _lock: WriterLock,
}

/// Why there is none.
#[derive(Debug)]
enum PlaceError {
    /// Another run has it; its process where that is known.
    Running(Option<u32>),
    /// There is something else.
    Taken(&'static str),
    Io(io::Error),
}

impl Place {
    /// Listens at `path`, for its owner alone, or for the members of `group` (a name or a number) as well.
    ///
    /// # Errors
    /// [`HostError::Usage`] when it is taken or cannot be made.
    pub fn at(path: &Path, group: Option<&str>) -> Result<Self, HostError> {
        let group = group.map(group_id).transpose()?;
        open(path, group).map_err(|error| explain(path, &error))
    }

    /// Listens at the usual path of a machine: in `$XDG_RUNTIME_DIR/twinstep`, else `/run/twinstep`, else `state`, the first
    /// that can be written to; none where no folder will do. Where several runs of one machine may stand side by side
    /// (`several`), a path that is taken is made unique with the number of the process.
    ///
    /// # Errors
    /// [`HostError::Usage`] when this machine is running already, or there is no such group.
    pub fn usual(
        machine: &str,
        state: &Path,
        several: bool,
        group: Option<&str>,
    ) -> Result<Option<Self>, HostError> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR");
        let group = group.map(group_id).transpose()?;
        Self::in_one_of(
            &folders(runtime.as_deref(), Some(state)),
            machine,
            several,
            group,
        )
    }

    fn in_one_of(
        folders: &[PathBuf],
        machine: &str,
        several: bool,
        group: Option<Gid>,
    ) -> Result<Option<Self>, HostError> {
        let name = file_name(machine);
        for folder in folders {
            let path = folder.join(format!("{name}.{ENDING}"));
            let opened = match open(&path, group) {
                Err(PlaceError::Running(_)) if several => {
                    let own = folder.join(format!("{name}-{}.{ENDING}", std::process::id()));
                    open(&own, group).map(|mut place| {
                        place.unusual = true;
                        place
                    })
                }
                opened => opened,
            };
            match opened {
                Ok(place) => return Ok(Some(place)),
                Err(error @ PlaceError::Running(_)) => return Err(explain(&path, &error)),
                // Not writable, or somebody else's: the next folder may do.
                Err(PlaceError::Taken(_) | PlaceError::Io(_)) => {}
            }
        }
        Ok(None)
    }

    /// Whether another run of this machine has the usual path.
    pub const fn is_unusual(&self) -> bool {
        self.unusual
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is listened on.
    pub(super) const fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The lock is still held: nobody else can have put a socket there.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The name that the socket of a machine goes by.
///
/// Who only listens has one of its own: it stands beside whoever runs the machine, and neither is in the other's way.
pub fn name_of(machine: &Machine) -> String {
    if listens(machine) {
        format!("{} listening", machine.name)
    } else {
        machine.name.clone()
    }
}

/// Whether a run of `machine` sends nothing.
pub fn listens(machine: &Machine) -> bool {
    let bus = machine.bus.as_ref();
    bus.is_some_and(|bus| bus.tap.is_some() || bus.pubsub.is_some())
}

/// Folders for sockets, the first that can be written to is taken.
pub(super) fn folders(runtime: Option<&OsStr>, state: Option<&Path>) -> Vec<PathBuf> {
    let runtime = runtime.map(Path::new).filter(|path| path.is_absolute());
    let mut folders: Vec<PathBuf> = Vec::new();
    // A folder of the session that is not there is not ours to make.
    folders.extend(
        runtime
            .filter(|path| path.is_dir())
            .map(|path| path.join("twinstep")),
    );
    folders.push(PathBuf::from(SYSTEM_FOLDER));
    if let Some(state) = state.filter(|state| !folders.iter().any(|known| known == state)) {
        folders.push(state.to_owned());
    }
    folders
}

/// A machine's name as the name of a file.
pub(crate) fn file_name(machine: &str) -> String {
    let clean: String = machine
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .take(MAX_NAME)
        .collect();
    match clean.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if clean.is_empty() => "machine".to_owned(),
        None => clean,
    }
}

fn open(path: &Path, group: Option<Gid>) -> Result<Place, PlaceError> {
    let with = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(PlaceError::Io)?;
    }
    let lock = WriterLock::take(&with(".lock")).map_err(|error| match error {
        LockError::Held(holder) => PlaceError::Running(holder),
        LockError::Io(error) => PlaceError::Io(error),
    })?;
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(PlaceError::Io(error)),
        Ok(found) => {
            use std::os::unix::fs::MetadataExt;
            if FileType::from_raw_mode(found.mode()) != FileType::Socket {
                return Err(PlaceError::Taken("a file that is no socket is there"));
            }
            if UnixStream::connect(path).is_ok() {
                return Err(PlaceError::Taken("another program listens there"));
            }
        }
    }
    // It appears with its final rights, and in place of a stale one, in one step.
    let new = with(".new");
    let _ = std::fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(PlaceError::Io)?;
    let made = prepare(&listener, &new, group).and_then(|()| std::fs::rename(&new, path));
    if let Err(error) = made {
        let _ = std::fs::remove_file(&new);
        return Err(PlaceError::Io(error));
    }
    Ok(Place {
        path: path.to_owned(),
        listener,
        unusual: false,
        _lock: lock,
    })
}

fn prepare(listener: &UnixListener, path: &Path, group: Option<Gid>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let owner = Mode::RUSR | Mode::WUSR;
    match group {
        None => chmod(path, owner)?,
        Some(group) => {
            chown(path, None, Some(group))?;
            chmod(path, owner | Mode::RGRP | Mode::WGRP)?;
        }
    }
    Ok(())
}

/// The number of a group.
fn group_id(group: &str) -> Result<Gid, HostError> {
    let number = group.parse().ok().or_else(|| {
        let text = std::fs::read_to_string("/etc/group").ok()?;
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok())?
        })
    });
    // The largest number means "leave it" to the kernel.
    let number = number.filter(|number| *number != u32::MAX);
    number.map(Gid::from_raw).ok_or_else(|| {
        HostError::usage(
            format!("no group is called '{}'", group.escape_default()),
            "name one of /etc/group, or its number, with --control-group",
        )
    })
}

fn explain(path: &Path, error: &PlaceError) -> HostError {
    let path = path.display();
    match error {
        PlaceError::Running(holder) => {
            let process = holder.map_or(String::new(), |pid| format!(", as process {pid}"));
            HostError::usage(
                format!("this machine is already running{process}: {path} is in use"),
                "stop that run first; for a second one beside it name another socket with --control",
            )
        }
        PlaceError::Taken(why) => HostError::usage(
            format!("the control socket cannot be made at {path}: {why}"),
            "name another path with --control",
        ),
        PlaceError::Io(error) => HostError::usage(
            format!("the control socket cannot be made at {path}: {error}"),
            "name a path of at most 100 bytes, in a folder that this user may write to, with --control",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_socket_is_for_its_owner_and_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cell.sock");
        let place = Place::at(&path, None).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(find::live(folder.path()), std::slice::from_ref(&path));
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn members_of_a_group_may_be_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cell.sock");
        // Every user may give a file to the group that it is in.
        let own = rustix::process::getegid().as_raw().to_string();
        let place = Place::at(&path, Some(&own)).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        drop(place);
        assert!(Place::at(&path, Some("no such group")).is_err());
    }

    #[test]
    fn a_live_one_is_refused_and_a_stale_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cell.sock");
        let first = Place::at(&path, None).unwrap();
        let text = Place::at(&path, None).unwrap_err().render(false);
        assert!(text.contains("already running"), "{text}");
        assert!(text.contains(&std::process::id().to_string()), "{text}");
        drop(first);
        // What a killed process leaves: a socket that nobody listens on.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists() && UnixStream::connect(&path).is_err());
        let second = Place::at(&path, None).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        drop(second);
    }

    #[test]
    fn a_simulated_machine_may_run_twice_and_a_real_one_not() {
        let folder = tempfile::tempdir().unwrap();
        // A file is no folder: the next one is taken.
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let folders = [file, folder.path().join("run")];
        let at = |several| Place::in_one_of(&folders, "cell", several, None);
        let first = at(false).unwrap().unwrap();
        assert_eq!(first.path(), folders[1].join("cell.sock"));
        assert!(!first.is_unusual());
        assert!(
            at(false)
                .unwrap_err()
                .render(false)
                .contains("already running")
        );
        let second = at(true).unwrap().unwrap();
        assert!(second.is_unusual() && second.path() != first.path());
        assert!(
            Place::in_one_of(&folders[..1], "cell", true, None)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.sock");
        std::fs::write(&path, "precious").unwrap();
        let text = Place::at(&path, None).unwrap_err().render(false);
        assert!(text.contains("no socket"), "{text}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        let path = folder.path().join("theirs.sock");
        let _theirs = UnixListener::bind(&path).unwrap();
        let text = Place::at(&path, None).unwrap_err().render(false);
        assert!(text.contains("another program"), "{text}");
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn the_name_of_a_machine_becomes_the_name_of_a_file() {
        for (machine, file) in [
            ("press-cell", "press-cell"),
            ("../x y", "_._x_y"),
            ("", "machine"),
            ("Zelle ä", "Zelle__"),
        ] {
            assert_eq!(file_name(machine), file);
        }
        assert_eq!(file_name(&"x".repeat(500)).len(), MAX_NAME);
    }

    #[test]
    fn the_session_comes_first_and_the_state_last() {
        let session = tempfile::tempdir().unwrap();
        let state = Path::new("/state");
        let found = folders(Some(session.path().as_os_str()), Some(state));
        assert_eq!(
            found,
            [
                session.path().join("twinstep"),
                SYSTEM_FOLDER.into(),
                state.to_owned()
            ]
        );
        let both = session.path().join("twinstep");
        assert_eq!(
            folders(Some(session.path().as_os_str()), Some(&both)).len(),
            2
        );
        let found = folders(Some(OsStr::new("relative")), None);
        assert_eq!(found, [PathBuf::from(SYSTEM_FOLDER)]);
    }
}
