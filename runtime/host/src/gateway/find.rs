//! Which instance a gateway belongs to.

use crate::control::client::Client;
use crate::control::{find, live_sockets};
use crate::error::HostError;
use std::path::{Path, PathBuf};

/// How the instance is found, also the one after it.
#[derive(Clone, Debug)]
pub enum Target {
    /// At this socket.
    Path(PathBuf),
    /// The one that writes to the store in this folder.
    Store(PathBuf),
}

impl Target {
    /// Connects to it.
    ///
    /// # Errors
    /// [`HostError::Machine`] when none answers.
    pub fn connect(&self) -> Result<Client, HostError> {
        match self {
            Self::Path(path) => Client::connect_to(path.clone()),
            Self::Store(folder) => writer_of(folder),
        }
    }
}

fn writer_of(folder: &Path) -> Result<Client, HostError> {
    for path in live_sockets(Some(folder)) {
        let Ok(mut client) = Client::connect_to(path) else {
            continue;
        };
        if client
            .status()
            .is_ok_and(|status| same(Path::new(&status.identity.state), folder))
        {
            return Ok(client);
        }
    }
    Err(HostError::machine(
        format!(
            "nobody who runs writes to the store in {}",
            folder.display()
        ),
        "start `twinstep run`, or name its socket with --control",
    ))
}

fn same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Instance and folder of the store that the arguments ask for.
///
/// # Errors
/// [`HostError`] where neither is named and no instance, or several, run.
pub fn resolve(
    control: Option<&Path>,
    state: Option<&Path>,
) -> Result<(Target, PathBuf), HostError> {
    match (control, state) {
        (Some(path), Some(folder)) => Ok((Target::Path(path.to_owned()), folder.to_owned())),
        (None, Some(folder)) => Ok((Target::Store(folder.to_owned()), folder.to_owned())),
        (control, None) => {
            let path = find(control)?;
            let status = Client::connect_to(path)?.status()?;
            let folder = PathBuf::from(status.identity.state);
            // The next run may have another socket, and keeps its store.
            let target = control.map_or_else(
                || Target::Store(folder.clone()),
                |path| Target::Path(path.to_owned()),
            );
            Ok((target, folder))
        }
    }
}
