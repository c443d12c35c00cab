//! Who is at the other end of a local socket.
//!
//! One of the named files with unsafe code: the system call. The kernel tells a process that our pid namespace does not see as number 0,
//! which a type for numbers of processes that are never 0 must not hold.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// User and process that made the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// The user; 65534 where our user namespace has no number for it.
    pub uid: u32,
    /// The process; none where our pid namespace does not see it.
    pub pid: Option<i32>,
}

impl Peer {
    /// Who is at the other end of `socket`.
    ///
    /// # Errors
    /// As the kernel says: it is no socket.
    pub fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let mut told = libc::ucred {
            pid: 0,
            uid: 0,
            gid: 0,
        };
        // Three numbers of 32 bits.
        let mut length = size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the descriptor is open, both pointers are to live values, `length` is the size of the first one, and whatever the
        // kernel writes into its three numbers is a valid ucred.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut told).cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self::told(told))
    }

    fn told(told: libc::ucred) -> Self {
        Self {
            uid: told.uid,
            pid: (told.pid > 0).then_some(told.pid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pair_of_sockets_is_our_own() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(one.as_fd()).unwrap();
        assert_eq!(peer.uid, rustix::process::getuid().as_raw());
        assert_eq!(peer.pid, i32::try_from(std::process::id()).ok());
        let file = tempfile::tempfile().unwrap();
        assert!(Peer::of(file.as_fd()).is_err(), "a file has no other end");
    }

    #[test]
    fn a_process_of_another_namespace_has_no_number_and_still_a_user() {
        for (pid, seen) in [(0, None), (-1, None), (4711, Some(4711))] {
            let told = libc::ucred {
                pid,
                uid: 65534,
                gid: 65534,
            };
            let peer = Peer {
                uid: 65534,
                pid: seen,
            };
            assert_eq!(Peer::told(told), peer, "{pid}");
        }
    }
}
