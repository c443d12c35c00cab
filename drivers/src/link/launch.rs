//! Frames with a launch time: a raw socket whose queueing discipline, etf, holds each frame until then (`SO_TXTIME`).
//!
//! A frame that etf does not let out, since it came too late, is reported on the error queue of the socket (Linux:
//! `include/uapi/linux/errqueue.h`). Nothing here waits or allocates after the socket was opened.
//!
//! One of the named files with unsafe code: system calls only, each with its own reason.
#![allow(unsafe_code)]

use super::raw_socket::{MIN_FRAME, RawSocket, whole};
use super::{Link, LinkError};
use crate::clock::Clock;
use std::io::Error;
use std::os::fd::{AsFd, AsRawFd};

/// Reports that are read at a time; the others wait.
const MAX_REPORTS: usize = 64;
/// Origin of a report that concerns a launch time, `SO_EE_ORIGIN_TXTIME`.
const ORIGIN: u8 = 6;
/// `SO_EE_CODE_TXTIME_INVALID_PARAM`: etf refused the launch time, most often because it had passed already.
const INVALID: u8 = 1;
/// `SO_EE_CODE_TXTIME_MISSED`: the frame was in the queue, and its time passed.
const MISSED: u8 = 2;
/// Length of `struct cmsghdr` (bytes): length, level, type.
const HEAD: usize = size_of::<usize>() + 8;

/// What became of frames with a launch time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaunchCounters {
    /// Handed over.
    pub sent: u64,
    /// Dropped, because their time passed while they were waiting.
    pub missed: u64,
    /// Refused with the launch time that they had: as a rule it had passed when they came.
    pub invalid: u64,
}

/// A link whose frames can be given a launch time.
pub trait Launching: Link {
    /// Launch time of the frames that are sent from here on (ns, CLOCK_TAI).
    fn launch_at(&mut self, tai_ns: u64);

    /// Reads what has been reported since, a bounded number of reports. None where frames have no launch times.
    fn launched(&mut self) -> Option<LaunchCounters>;
}

/// See the module.
#[derive(Debug)]
pub struct LaunchSocket {
    socket: RawSocket,
    /// None: frames leave when they are ready.
    counters: Option<LaunchCounters>,
    at_ns: u64,
}

impl LaunchSocket {
    /// Frames leave when they are ready.
    pub const fn at_once(socket: RawSocket) -> Self {
        Self {
            socket,
            counters: None,
            at_ns: 0,
        }
    }

    /// Frames leave at launch times on CLOCK_TAI. Whether anything keeps these is not known here (`net::launch_queue`).
    ///
    /// # Errors
    /// [`LinkError::System`]: the kernel wants CAP_NET_ADMIN for this clock.
    pub fn at_launch_times(socket: RawSocket) -> Result<Self, LinkError> {
        let asked = libc::sock_txtime {
            clockid: libc::CLOCK_TAI,
            flags: libc::SOF_TXTIME_REPORT_ERRORS,
        };
        // SAFETY: the pointer is to a live sock_txtime and the length is its own.
        let set = unsafe {
            libc::setsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TXTIME,
                (&raw const asked).cast(),
                size_of::<libc::sock_txtime>() as libc::socklen_t,
            )
        };
        if set != 0 {
            return Err(LinkError::System {
                what: "asking for launch times (is CAP_NET_ADMIN there?)",
                error: Error::last_os_error(),
            });
        }
        Ok(Self {
            socket,
            counters: Some(LaunchCounters::default()),
            at_ns: 0,
        })
    }

    /// Sends one frame with its launch time.
    fn send_timed(&self, frame: &[u8]) -> Result<(), LinkError> {
        let mut short = [0; MIN_FRAME];
        let bytes = whole(frame, &mut short)?;
        let mut control = launch_message(self.at_ns);
        let mut part = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: all-zero bytes are a valid msghdr.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = (HEAD + size_of::<u64>()) as _;
        // SAFETY: frame, vector and control message live through the call, with their lengths; sending writes to none of them.
        let sent = unsafe {
            libc::sendmsg(
                self.socket.as_fd().as_raw_fd(),
                &raw const message,
                libc::MSG_DONTWAIT,
            )
        };
        if sent == bytes.len() as isize {
            Ok(())
        } else {
            Err(LinkError::System {
                what: "sending at a launch time (is the interface up?)",
                error: Error::last_os_error(),
            })
        }
    }

    /// The next report; none where there is no more.
    fn report(&self) -> Option<Report> {
        let mut control = Control([0; CONTROL]);
        // SAFETY: all-zero bytes are a valid msghdr.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        // The frame itself comes back too and is not wanted: without room for it, it is cut off.
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = CONTROL as _;
        // SAFETY: the control buffer lives through the call, with its length; there are no other buffers.
        let received = unsafe {
            libc::recvmsg(
                self.socket.as_fd().as_raw_fd(),
                &raw mut message,
                libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
            )
        };
        let filled = (message.msg_controllen as usize).min(CONTROL);
        (received >= 0).then(|| reported(control.0.get(..filled).unwrap_or_default()))
    }
}

/// Room for what comes with a report (bytes).
const CONTROL: usize = 256;

/// Control messages are aligned like their length.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// The control message `SCM_TXTIME`.
fn launch_message(at_ns: u64) -> Control {
    let mut control = Control([0; CONTROL]);
    let length = HEAD + size_of::<u64>();
    let parts: [&[u8]; 4] = [
        &length.to_ne_bytes(),
        &libc::SOL_SOCKET.to_ne_bytes(),
        &libc::SCM_TXTIME.to_ne_bytes(),
        &at_ns.to_ne_bytes(),
    ];
    let bytes = parts.into_iter().flatten();
    (control.0.iter_mut().zip(bytes)).for_each(|(to, from)| *to = *from);
    control
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Missed,
    Invalid,
    /// Nothing about launch times.
    Other,
}

/// Reads control messages: one of them is a `struct sock_extended_err`.
fn reported(mut control: &[u8]) -> Report {
    while let Some(length) = control.get(..size_of::<usize>()) {
        let length = length.try_into().map_or(0, usize::from_ne_bytes);
        let Some(data) = control.get(HEAD..length) else {
            break;
        };
        // errno u32, origin, type, code, padding, info u32, data u32.
        if let [_, _, _, _, ORIGIN, _, code, _, ..] = data {
            match *code {
                MISSED => return Report::Missed,
                INVALID => return Report::Invalid,
                _ => {}
            }
        }
        let next = length.next_multiple_of(size_of::<usize>());
        control = control.get(next..).unwrap_or_default();
    }
    Report::Other
}

impl Link for LaunchSocket {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.counters.is_none() {
            return self.socket.send(frame);
        }
        let sent = self.send_timed(frame);
        // What etf refuses at once does not leave, and a report of it follows.
        let refused = |error: &LinkError| match error {
            LinkError::System { error, .. } => error.raw_os_error() == Some(libc::ENOBUFS),
            _ => false,
        };
        if let Some(counters) = &mut self.counters {
            counters.sent += u64::from(sent.as_ref().err().is_none_or(refused));
        }
        sent
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        self.socket.receive(buffer, deadline_ns)
    }

    fn clock(&self) -> &Clock {
        self.socket.clock()
    }
}

impl Launching for LaunchSocket {
    fn launch_at(&mut self, tai_ns: u64) {
        self.at_ns = tai_ns;
    }

    fn launched(&mut self) -> Option<LaunchCounters> {
        let mut counters = self.counters?;
        for _ in 0..MAX_REPORTS {
            match self.report() {
                Some(Report::Missed) => counters.missed += 1,
                Some(Report::Invalid) => counters.invalid += 1,
                Some(Report::Other) => {}
                None => break,
            }
        }
        self.counters = Some(counters);
        self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (HEAD + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        bytes
    }

    fn extended(origin: u8, code: u8) -> Vec<u8> {
        let mut bytes = libc::ECANCELED.to_ne_bytes().to_vec();
        bytes.extend([origin, 0, code, 0]);
        bytes.extend([0; 8]);
        message(libc::SOL_PACKET, 16, &bytes)
    }

    #[test]
    fn reports_are_told_apart() {
        assert_eq!(reported(&extended(ORIGIN, MISSED)), Report::Missed);
        assert_eq!(reported(&extended(ORIGIN, INVALID)), Report::Invalid);
        assert_eq!(reported(&extended(ORIGIN, 9)), Report::Other);
        assert_eq!(
            reported(&extended(4, MISSED)),
            Report::Other,
            "a time stamp"
        );
        // Behind another message that came along.
        let mut two = message(libc::SOL_SOCKET, 35, &[0; 13]);
        two.extend(extended(ORIGIN, MISSED));
        assert_eq!(reported(&two), Report::Missed);
    }

    #[test]
    fn whatever_the_bytes_are_reading_ends() {
        let whole = extended(ORIGIN, MISSED);
        for cut in 0..whole.len() {
            assert_eq!(reported(&whole[..cut]), Report::Other, "{cut}");
        }
        for length in [0, 1, HEAD - 1, usize::MAX] {
            let mut bytes = whole.clone();
            bytes[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(reported(&bytes), Report::Other, "{length}");
        }
    }

    #[test]
    fn the_launch_time_stands_in_a_control_message() {
        let control = launch_message(0x0102_0304_0506_0708);
        let mut expected = message(
            libc::SOL_SOCKET,
            libc::SCM_TXTIME,
            &0x0102_0304_0506_0708_u64.to_ne_bytes(),
        );
        expected.resize(CONTROL, 0);
        assert_eq!(control.0[..], expected[..]);
    }
}
