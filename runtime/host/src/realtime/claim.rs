//! What only one twinstep may have at a time, whoever runs it: a core for its cycle, an interface for its bus.

use crate::error::HostError;
use crate::lock::{LockError, WriterLock};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Folders for lock files that everybody may write, in the order in which they are tried. Not that of TMPDIR: two users must
/// come to the same.
pub(super) const FOLDERS: [&str; 2] = ["/run/lock", "/tmp"];

/// Claims a core.
///
/// # Errors
/// [`HostError::Machine`] while another twinstep has it.
pub fn claim_core(core: usize) -> Result<WriterLock, HostError> {
    claim(
        &FOLDERS,
        &format!("core-{core}"),
        &format!("core {core}"),
        "name another core in [realtime] core, or end the other one",
    )
}

/// Claims the bus on `interface` of this network namespace.
///
/// # Errors
/// [`HostError::Machine`] while another twinstep has it.
pub fn claim_bus(interface: &str) -> Result<WriterLock, HostError> {
    claim(
        &FOLDERS,
        &in_this_namespace("bus", interface),
        &format!("the bus on {interface}"),
        "a bus has one MainDevice: end the other one, or tap it ([bus] kind = \"tap\")",
    )
}

/// Claims what `[tsn]` sets on `interface` of this network namespace. Who has it knows that what bears our marks there was left
/// behind by a run that was killed.
///
/// # Errors
/// [`HostError::Machine`] while another twinstep has it.
pub fn claim_tsn(interface: &str) -> Result<WriterLock, HostError> {
    claim(
        &FOLDERS,
        &in_this_namespace("tsn", interface),
        &format!("[tsn] on {interface}"),
        "end the other one, or name another interface in [tsn]",
    )
}

/// Name of a lock on an interface: those of different network namespaces may have the same name.
pub(super) fn in_this_namespace(what: &str, interface: &str) -> String {
    let namespace = std::fs::metadata("/proc/self/ns/net").map_or(0, |ns| ns.ino());
    format!("{what}-{namespace}-{}", interface.replace('/', "_"))
}

fn claim(folders: &[&str], name: &str, what: &str, remedy: &str) -> Result<WriterLock, HostError> {
    let (mut last, mut own) = (None, None);
    for folder in folders {
        let path = Path::new(folder).join(format!("twinstep-{name}.lock"));
        // One is enough; but who may not write to the folders before may have it in a later one.
        if own.is_some() && !path.exists() {
            continue;
        }
        match WriterLock::claim(&path) {
            Ok(lock) => own = own.or(Some(lock)),
            Err(LockError::Held(holder)) => {
                let who = holder.map_or(String::new(), |id| format!(" (process {id})"));
                return Err(HostError::machine(
                    format!("{what} is taken by another twinstep{who}"),
                    format!("{remedy}; the lock is {}", path.display()),
                ));
            }
            Err(LockError::Io(error)) => last = Some((path, error)),
        }
    }
    if let Some(lock) = own {
        return Ok(lock);
    }
    let why = last.map_or(String::new(), |(path, error)| {
        format!(": {}: {error}", path.display())
    });
    Err(HostError::machine(
        format!("{what} cannot be claimed{why}"),
        format!(
            "give this user a folder to write among {}",
            folders.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_in_any_of_the_folders_counts() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [first, second] = [&first, &second].map(|folder| folder.path().to_str().unwrap());
        // Somebody who may not write to the first folder, and somebody who may.
        let theirs = claim(&["/no/such/folder", second], "bus-1", "the bus", "end it").unwrap();
        let refused = claim(&[first, second], "bus-1", "the bus", "end it").unwrap_err();
        assert!(refused.render(false).contains("the bus is taken"));
        drop(theirs);
        assert!(claim(&[first, second], "bus-1", "the bus", "end it").is_ok());
    }

    #[test]
    fn a_second_claim_is_refused_with_the_first_ones_process() {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["/no/such/folder", folder.path().to_str().unwrap()];
        let first = claim(&folders, "core-3", "core 3", "name another").unwrap();
        let error = claim(&folders, "core-3", "core 3", "name another").unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::MachineFailed);
        let said = error.render(false);
        assert!(
            said.contains("core 3 is taken") && said.contains(&std::process::id().to_string()),
            "{said}"
        );
        assert!(claim(&folders, "core-2", "core 2", "").is_ok());
        drop(first);
        assert!(claim(&folders, "core-3", "core 3", "").is_ok());
        let error = claim(&["/no/such/folder"], "core-3", "core 3", "").unwrap_err();
        assert!(error.render(false).contains("cannot be claimed"));
    }
}
