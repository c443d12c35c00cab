//! Frames of a network interface, received and never sent (Linux, AF_PACKET).
//!
//! The socket takes every protocol, so that on a master's own interface it hears both directions, and puts the interface
//! into promiscuous mode for as long as it lives. There is no function that sends, the descriptor is private, and no call
//! in this file could. The interface needs no address, and should have none.
//!
//! A master that goes past the queueing discipline (PACKET_QDISC_BYPASS, as twinstep does; XDP; drivers of IgH's own) is not
//! heard on its own interface: what it sends never passes the place where sockets listen. A mirror port or a TAP hears it.
//!
//! One of the named files with unsafe code: system calls only, each with its own reason.
#![allow(unsafe_code)]

use super::source::{FrameSource, Heard, Next, TapError, Way};
use crate::clock::Clock;
use crate::link::LinkError;
use crate::link::attachment::Attachment;
use crate::link::raw_socket::still_attached;
use std::cell::Cell;
use std::ffi::CString;
use std::io::Error;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// Bytes of frames that wait: a tap that is held up for a moment loses none.
const QUEUE_BYTES: libc::c_int = 4 << 20;
const NS_PER_S: u64 = 1_000_000_000;

/// A socket that can only be received from.
#[derive(Debug)]
pub struct ReceiveSocket {
    socket: OwnedFd,
    way: Way,
    attachment: Cell<Attachment>,
}

impl ReceiveSocket {
    /// Listens on an interface, whose frames go this way.
    ///
    /// # Errors
    /// [`LinkError::NoInterface`], [`LinkError::NoPermission`], or what the system said.
    pub fn open(interface: &str, way: Way) -> Result<Self, LinkError> {
        let no_interface = || LinkError::NoInterface(interface.to_owned());
        let name = CString::new(interface).map_err(|_| no_interface())?;
        // SAFETY: `name` is a string that ends in NUL and lives through the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(no_interface());
        }
        // Nothing is received before the socket is bound: protocol 0.
        // SAFETY: no pointers; the result is checked before it is used.
        let descriptor = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                0,
            )
        };
        let failed = |what| LinkError::System {
            what,
            error: Error::last_os_error(),
        };
        if descriptor < 0 {
            let denied = matches!(
                Error::last_os_error().raw_os_error(),
                Some(libc::EPERM | libc::EACCES)
            );
            return Err(if denied {
                LinkError::NoPermission(interface.to_owned())
            } else {
                failed("opening a socket to listen on")
            });
        }
        // SAFETY: `descriptor` was just opened and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let set =
            |level: libc::c_int, option: libc::c_int, value: *const libc::c_void, length: usize| {
                // SAFETY: every caller below passes a pointer to a live value and that value's own size.
                unsafe {
                    libc::setsockopt(
                        socket.as_raw_fd(),
                        level,
                        option,
                        value,
                        length as libc::socklen_t,
                    ) == 0
                }
            };
        let size = size_of::<libc::c_int>();
        let (queue, on): (libc::c_int, libc::c_int) = (QUEUE_BYTES, 1);
        let bytes = (&raw const queue).cast();
        set(
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size,
        );
        // Past the limit of the system, where that is permitted.
        if !set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes, size) {
            set(libc::SOL_SOCKET, libc::SO_RCVBUF, bytes, size);
        }
        if way != Way::Both {
            // A port of a TAP hears; what this computer might say on it is no frame of the bus.
            set(
                libc::SOL_PACKET,
                libc::PACKET_IGNORE_OUTGOING,
                (&raw const on).cast(),
                size,
            );
        }
        let membership = libc::packet_mreq {
            mr_ifindex: index as libc::c_int,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let pointer = (&raw const membership).cast();
        if !set(
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            pointer,
            size_of::<libc::packet_mreq>(),
        ) {
            return Err(failed("putting the interface into promiscuous mode"));
        }
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
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
            return Err(failed("binding the socket to its interface"));
        }
        Ok(Self {
            socket,
            way,
            attachment: Cell::default(),
        })
    }

    /// A frame that is already there, with the length that it had on the wire and the time at which the system got it.
    fn try_receive(&self, buffer: &mut [u8]) -> Result<Option<Heard>, LinkError> {
        // Aligned for the header of a control message.
        let mut control = [0_u64; 8];
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // SAFETY: all-zero bytes are a valid msghdr.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: the message describes `buffer` and `control`, which both live through the call.
        let length = unsafe {
            libc::recvmsg(
                self.socket.as_raw_fd(),
                &raw mut message,
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            )
        };
        if length >= 0 {
            self.attachment.set(self.attachment.get().heard());
            let wire_length = length as usize;
            return Ok(Some(Heard {
                length: wire_length.min(buffer.len()),
                wire_length,
                time_ns: arrival_ns(&message),
                way: self.way,
            }));
        }
        let error = Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR) if self.attachment.get() != Attachment::Up => {
                self.attachment.set(self.attachment.get().silent());
                still_attached(self.socket.as_fd()).map(|()| None)
            }
            Some(libc::EAGAIN | libc::EINTR) => Ok(None),
            _ => {
                self.attachment.set(Attachment::Down);
                Err(LinkError::System {
                    what: "receiving from the interface that is listened on (is it up?)",
                    error,
                })
            }
        }
    }
}

/// When a message arrived, on the monotonic clock (ns): a listener that was held up must not take its own delay for a
/// pause of the master. Where the system does not say, it is now.
fn arrival_ns(message: &libc::msghdr) -> u64 {
    let now_ns = crate::clock::monotonic_ns();
    // SAFETY: the message was filled by the system; its control buffer is still alive.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: the pointer is null or to a header inside of the control buffer.
    let Some(head) = (unsafe { header.as_ref() }) else {
        return now_ns;
    };
    if head.cmsg_level != libc::SOL_SOCKET || head.cmsg_type != libc::SCM_TIMESTAMPNS {
        return now_ns;
    }
    // SAFETY: a message of this type carries a timespec, which need not be aligned.
    let stamp: libc::timespec = unsafe {
        libc::CMSG_DATA(header)
            .cast::<libc::timespec>()
            .read_unaligned()
    };
    let mut wall = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live timespec that the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut wall) };
    let ns = |time: libc::timespec| (time.tv_sec as u64) * NS_PER_S + time.tv_nsec as u64;
    // The stamp is on the wall clock; only its age counts.
    now_ns.saturating_sub(ns(wall).saturating_sub(ns(stamp)))
}

/// Waits until one of the sockets has a frame, for at most `timeout_ns`. Interrupted or failed, the caller tries to receive
/// and sees for itself.
fn wait(sockets: &[ReceiveSocket], timeout_ns: u64) {
    let descriptor = |socket: &ReceiveSocket| libc::pollfd {
        fd: socket.socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut descriptors = match sockets {
        [one] => [descriptor(one), descriptor(one)],
        [one, other, ..] => [descriptor(one), descriptor(other)],
        [] => return,
    };
    let timeout = libc::timespec {
        tv_sec: (timeout_ns / NS_PER_S) as libc::time_t,
        tv_nsec: (timeout_ns % NS_PER_S) as libc::c_long,
    };
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

/// One interface that carries both ways, or the two ports of a TAP.
#[derive(Debug)]
pub struct LiveSource {
    sockets: Vec<ReceiveSocket>,
    clock: Clock,
    /// A returned frame that waits until all that went out before it was given away.
    held: Option<Heard>,
    hold: Vec<u8>,
}

impl LiveSource {
    /// A mirror port, or the interface of a master on this computer.
    ///
    /// # Errors
    /// As [`ReceiveSocket::open`].
    pub fn both_ways(interface: &str) -> Result<Self, LinkError> {
        Ok(Self::new(vec![ReceiveSocket::open(interface, Way::Both)?]))
    }

    /// The two ports of a TAP: frames on their way out, and returned ones.
    ///
    /// # Errors
    /// As [`ReceiveSocket::open`].
    pub fn two_ports(outbound: &str, returned: &str) -> Result<Self, LinkError> {
        Ok(Self::new(vec![
            ReceiveSocket::open(outbound, Way::Outbound)?,
            ReceiveSocket::open(returned, Way::Returned)?,
        ]))
    }

    fn new(sockets: Vec<ReceiveSocket>) -> Self {
        Self {
            sockets,
            clock: Clock::monotonic(),
            held: None,
            hold: vec![0; super::source::MAX_CAPTURED],
        }
    }

    fn try_next(&mut self, buffer: &mut [u8]) -> Result<Option<Heard>, LinkError> {
        let Some((first, rest)) = self.sockets.split_first() else {
            return Ok(None);
        };
        if let Some(heard) = first.try_receive(buffer)? {
            return Ok(Some(heard));
        }
        let Some(second) = rest.first() else {
            return Ok(None);
        };
        // What had gone out before the returned frame was taken is there now, and goes first.
        if self.held.is_none() {
            self.held = second.try_receive(&mut self.hold)?;
            if let (Some(_), Some(heard)) = (&self.held, first.try_receive(buffer)?) {
                return Ok(Some(heard));
            }
        }
        let Some(held) = self.held.take() else {
            return Ok(None);
        };
        let length = held.length.min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), self.hold.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(Some(Heard { length, ..held }))
    }
}

impl FrameSource for LiveSource {
    fn next(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Next, TapError> {
        loop {
            if let Some(heard) = self.try_next(buffer)? {
                return Ok(Next::Frame(heard));
            }
            let now_ns = self.clock.now_ns();
            if now_ns >= deadline_ns {
                return Ok(Next::Nothing);
            }
            wait(&self.sockets, deadline_ns - now_ns);
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_interface_is_named() {
        for name in ["no-such-if0", "a\0b"] {
            let error = ReceiveSocket::open(name, Way::Both).unwrap_err();
            assert!(matches!(error, LinkError::NoInterface(_)), "{error}");
        }
    }
}
