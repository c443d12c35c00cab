//! EtherCAT, or UADP, on a network interface: an AF_PACKET socket (Linux).
//!
//! One of the named files with unsafe code: system calls only, each with its own reason.
#![allow(unsafe_code)]

use super::attachment::Attachment;
use super::{Ends, Link, LinkError, MAX_FRAME, Side};
use crate::clock::Clock;
use std::cell::Cell;
use std::ffi::CString;
use std::io::Error;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// EtherType of EtherCAT.
const ETH_P_ETHERCAT: u16 = 0x88a4;
/// EtherType of UADP (OPC 10000-14).
const ETH_P_UADP: u16 = 0xb62c;
/// Shortest frame on Ethernet, without its check sequence (bytes); virtual interfaces do not pad by themselves.
pub(super) const MIN_FRAME: usize = 60;
/// How long a receive spins before it lets the processor go (ns): answers of a short segment are back by then.
const SPIN_NS: u64 = 100_000;
/// Bytes of published frames that wait.
const QUEUE_BYTES: libc::c_int = 4 << 20;
const NS_PER_S: u64 = 1_000_000_000;

/// A raw socket on one interface, for frames of one EtherType only.
#[derive(Debug)]
pub struct RawSocket {
    socket: OwnedFd,
    clock: Clock,
    bypasses_qdisc: bool,
    attachment: Cell<Attachment>,
}

impl RawSocket {
    /// Opens an interface for EtherCAT.
    ///
    /// # Errors
    /// [`LinkError::NoInterface`], [`LinkError::NoPermission`], or what the system said.
    pub fn open(interface: &str) -> Result<Self, LinkError> {
        let (mut socket, _) = Self::bound(interface, ETH_P_ETHERCAT)?;
        socket.bypasses_qdisc = socket.set(libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1_i32);
        Ok(socket)
    }

    /// Opens an interface for EtherCAT whose queueing discipline (`[tsn]`) says when frames leave, by their `priority` (0 to 15).
    ///
    /// # Errors
    /// As [`Self::open`]; above 6 the kernel wants CAP_NET_ADMIN, which setting a queueing discipline has needed before.
    pub fn open_queued(interface: &str, priority: u8) -> Result<Self, LinkError> {
        let (socket, _) = Self::bound(interface, ETH_P_ETHERCAT)?;
        if !socket.set(libc::SOL_SOCKET, libc::SO_PRIORITY, &i32::from(priority)) {
            return Err(LinkError::System {
                what: "setting the priority of frames (is CAP_NET_ADMIN there?)",
                error: Error::last_os_error(),
            });
        }
        Ok(socket)
    }

    /// Opens an interface for UADP. Frames pass the queueing discipline, which puts them into their windows by `priority`
    /// (0 to 7), and those to any multicast address are received.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_uadp(interface: &str, priority: Option<u8>) -> Result<Self, LinkError> {
        let (socket, index) = Self::bound(interface, ETH_P_UADP)?;
        let all = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_ALLMULTI as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        // A subscriber that is held up for a moment loses none; past the limit of the system, where that is permitted.
        if !socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &QUEUE_BYTES) {
            socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &QUEUE_BYTES);
        }
        let joined = socket.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &all);
        let placed = priority.is_none_or(|priority| {
            socket.set(libc::SOL_SOCKET, libc::SO_PRIORITY, &i32::from(priority))
        });
        if !joined || !placed {
            return Err(LinkError::System {
                what: if joined {
                    "setting the priority of the frames"
                } else {
                    "joining the multicast addresses"
                },
                error: Error::last_os_error(),
            });
        }
        Ok(socket)
    }

    /// Sets an option; false where the system does not know or permit it.
    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> bool {
        // SAFETY: the pointer is to a live value and the length is its own.
        unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                level,
                option,
                core::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            ) == 0
        }
    }

    /// A socket that is bound to an interface and an EtherType, and the number of the interface.
    fn bound(interface: &str, protocol: u16) -> Result<(Self, libc::c_int), LinkError> {
        let name =
            CString::new(interface).map_err(|_| LinkError::NoInterface(interface.to_owned()))?;
        // SAFETY: `name` is a string that ends in NUL and lives through the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(LinkError::NoInterface(interface.to_owned()));
        }
        let protocol = protocol.to_be();
        // SAFETY: no pointers; the result is checked before it is used.
        let descriptor = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                i32::from(protocol),
            )
        };
        if descriptor < 0 {
            let error = Error::last_os_error();
            return Err(match error.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => LinkError::NoPermission(interface.to_owned()),
                _ => LinkError::System {
                    what: "opening a raw socket",
                    error,
                },
            });
        }
        // SAFETY: `descriptor` was just opened and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index as i32;
        // SAFETY: the pointer is to a live sockaddr_ll and the length is its own.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound != 0 {
            return Err(LinkError::System {
                what: "binding the raw socket to its interface",
                error: Error::last_os_error(),
            });
        }
        let socket = Self {
            socket,
            clock: Clock::monotonic(),
            bypasses_qdisc: false,
            attachment: Cell::default(),
        };
        // Own frames are not wanted back; where the kernel is too old for it, they are dropped by their tag.
        socket.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1_i32);
        Ok((socket, index as libc::c_int))
    }

    /// Whether frames go past the queueing discipline; without it, sending takes longer and less evenly.
    pub fn bypasses_qdisc(&self) -> bool {
        self.bypasses_qdisc
    }

    fn try_receive(&self, buffer: &mut [u8]) -> Result<Option<usize>, LinkError> {
        // SAFETY: pointer and length describe `buffer`, which is borrowed for the call.
        let length = unsafe {
            libc::recv(
                self.socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT,
            )
        };
        if length >= 0 {
            self.attachment.set(self.attachment.get().heard());
            return Ok(Some((length as usize).min(buffer.len())));
        }
        let error = Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR) if self.attachment.get() != Attachment::Up => {
                self.attachment.set(self.attachment.get().silent());
                still_attached(self.as_fd()).map(|()| None)
            }
            Some(libc::EAGAIN | libc::EINTR) => Ok(None),
            _ => {
                self.attachment.set(Attachment::Down);
                Err(LinkError::System {
                    what: "receiving from the interface",
                    error,
                })
            }
        }
    }

    fn wait(&self, timeout_ns: u64) {
        wait([self, self], timeout_ns);
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a packet socket still has its interface: it belongs to none where that has gone.
pub(crate) fn still_attached(socket: BorrowedFd<'_>) -> Result<(), LinkError> {
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointers are to a live sockaddr_ll and to its own length.
    let known = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            (&raw mut address).cast(),
            &raw mut length,
        )
    };
    if known == 0 && address.sll_ifindex > 0 {
        return Ok(());
    }
    Err(LinkError::System {
        what: "receiving from the interface",
        error: Error::from_raw_os_error(libc::ENODEV),
    })
}

/// Waits until a frame is at one of two sockets, or for `timeout_ns`.
fn wait(sockets: [&RawSocket; 2], timeout_ns: u64) {
    let mut descriptors = sockets.map(|socket| libc::pollfd {
        fd: socket.socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    let timeout = libc::timespec {
        tv_sec: (timeout_ns / NS_PER_S) as libc::time_t,
        tv_nsec: (timeout_ns % NS_PER_S) as libc::c_long,
    };
    // Interrupted or failed, the caller tries to receive again and sees for itself.
    // SAFETY: two live pollfds, one live timespec, no signal mask.
    unsafe {
        libc::ppoll(
            descriptors.as_mut_ptr(),
            2,
            &raw const timeout,
            core::ptr::null(),
        )
    };
}

/// Raw sockets on the two interfaces of a ring.
#[derive(Debug)]
pub struct RawPair {
    first: RawSocket,
    second: RawSocket,
    /// Whose turn it is to be looked at first.
    turn: bool,
}

impl RawPair {
    /// Opens both interfaces.
    ///
    /// # Errors
    /// As [`RawSocket::open`], for the first of them that cannot be had.
    pub fn open(first: &str, second: &str) -> Result<Self, LinkError> {
        Ok(Self::of(RawSocket::open(first)?, RawSocket::open(second)?))
    }

    /// Of two sockets.
    pub fn of(first: RawSocket, second: RawSocket) -> Self {
        Self {
            first,
            second,
            turn: false,
        }
    }

    fn try_receive(&mut self, buffer: &mut [u8]) -> Result<Option<(Side, usize)>, LinkError> {
        self.turn = !self.turn;
        let both = [
            (Side::Primary, &self.first),
            (Side::Secondary, &self.second),
        ];
        let [one, other] = if self.turn { both } else { [both[1], both[0]] };
        let mut failed = None;
        for (side, socket) in [one, other] {
            match socket.try_receive(buffer) {
                Ok(Some(length)) => return Ok(Some((side, length))),
                Ok(None) => {}
                // One interface that is down is a broken ring; both are the end.
                Err(error) if failed.is_some() => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        Ok(None)
    }
}

impl Ends for RawPair {
    fn send(&mut self, side: Side, frame: &[u8]) -> Result<(), LinkError> {
        match side {
            Side::Primary => self.first.send(frame),
            Side::Secondary => self.second.send(frame),
        }
    }

    fn receive(
        &mut self,
        buffer: &mut [u8],
        deadline_ns: u64,
    ) -> Result<Option<(Side, usize)>, LinkError> {
        let spin_until_ns = self.clock().now_ns().saturating_add(SPIN_NS);
        loop {
            if let Some(received) = self.try_receive(buffer)? {
                return Ok(Some(received));
            }
            let now_ns = self.clock().now_ns();
            if now_ns >= deadline_ns {
                return Ok(None);
            }
            if now_ns >= spin_until_ns {
                wait([&self.first, &self.second], deadline_ns - now_ns);
            } else {
                core::hint::spin_loop();
            }
        }
    }

    fn clock(&self) -> &Clock {
        self.first.clock()
    }
}

/// The frame as it leaves: one that is too short for Ethernet is padded in `short`.
pub(super) fn whole<'a>(
    frame: &'a [u8],
    short: &'a mut [u8; MIN_FRAME],
) -> Result<&'a [u8], LinkError> {
    if frame.len() > MAX_FRAME {
        return Err(LinkError::TooLong(frame.len()));
    }
    match short.get_mut(..frame.len()) {
        Some(start) => {
            start.copy_from_slice(frame);
            Ok(short)
        }
        None => Ok(frame),
    }
}

impl Link for RawSocket {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let mut short = [0; MIN_FRAME];
        let bytes = whole(frame, &mut short)?;
        // SAFETY: pointer and length describe `bytes`, which lives through the call.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
            )
        };
        if sent == bytes.len() as isize {
            Ok(())
        } else {
            Err(LinkError::System {
                what: "sending on the interface (is it up?)",
                error: Error::last_os_error(),
            })
        }
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        let spin_until_ns = self.clock.now_ns().saturating_add(SPIN_NS);
        loop {
            if let Some(length) = self.try_receive(buffer)? {
                return Ok(Some(length));
            }
            let now_ns = self.clock.now_ns();
            if now_ns >= deadline_ns {
                return Ok(None);
            }
            if now_ns >= spin_until_ns {
                self.wait(deadline_ns - now_ns);
            } else {
                core::hint::spin_loop();
            }
        }
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_interface_is_named() {
        let error = RawSocket::open("no-such-if0").unwrap_err();
        assert!(error.to_string().contains("'no-such-if0'"), "{error}");
        assert!(matches!(
            RawSocket::open("a\0b"),
            Err(LinkError::NoInterface(_))
        ));
    }
}
