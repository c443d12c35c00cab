//! Settings of a network interface that only the ethtool call tells: coalescing, channels, offloads, time stamping.
//!
//! One of the named files with unsafe code: the system call. Numbers and layouts are those of the kernel's
//! `include/uapi/linux/ethtool.h`, where every structure used here is a row of 32-bit words that begins with the command.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

const GET_COALESCE: u32 = 0x0e;
const SET_COALESCE: u32 = 0x0f;
const GET_FLAGS: u32 = 0x25;
const GET_GRO: u32 = 0x2b;
const GET_CHANNELS: u32 = 0x3c;
const GET_TIME_STAMPING: u32 = 0x41;
const GET_EEE: u32 = 0x44;

/// Large receive offload among the flags.
const FLAG_LRO: u32 = 1 << 15;
/// Hardware stamps among the abilities (`SOF_TIMESTAMPING_TX_HARDWARE`, `_RX_HARDWARE`).
const HARDWARE_STAMPS: u32 = 1 | 4;

/// Asks one command of `interface`; the answer has the form of the question.
///
/// # Errors
/// What the kernel says: no such interface, not supported by its driver, not permitted.
fn ask<const N: usize>(interface: &str, mut words: [u32; N]) -> io::Result<[u32; N]> {
    // Any socket of this network namespace will do, and this one takes no rights.
    let socket = UnixDatagram::unbound()?;
    // SAFETY: all of ifreq is numbers, pointers and unions of them, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *slot = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
    // SAFETY: the descriptor is open, `request` lives through the call, and the data pointer is to `words`, which is as long
    // as the structure of its command: every caller here passes a row of the length that the header defines.
    let result =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(words)
}

/// Words of `struct ethtool_coalesce`.
const COALESCE_WORDS: usize = 23;

/// How interrupts are held back. Keeps what it does not name, so that it can be written back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Coalescing([u32; COALESCE_WORDS]);

impl Coalescing {
    /// Time that a received frame may wait for others (us).
    pub const fn rx_us(&self) -> u32 {
        self.0[1]
    }

    /// Time that a sent frame's report may wait for others (us).
    pub const fn tx_us(&self) -> u32 {
        self.0[5]
    }

    /// The driver changes the time of received frames by itself.
    pub const fn adaptive_rx(&self) -> bool {
        self.0[10] != 0
    }

    /// The driver changes one of the times by itself.
    pub const fn adaptive(&self) -> bool {
        self.adaptive_rx() || self.0[11] != 0
    }

    /// The same with other times, and not adaptive.
    pub const fn with_us(mut self, rx_us: u32, tx_us: u32) -> Self {
        self.0[1] = rx_us;
        self.0[5] = tx_us;
        self.0[10] = 0;
        self.0[11] = 0;
        self
    }

    /// Whether this is what `other` is. Times and frames that the driver changes by itself in both of them are left out: they move without
    /// anybody having set them.
    pub fn is_as(&self, other: &Self) -> bool {
        let adapts = |word: usize| self.0[word] != 0 && other.0[word] != 0;
        // The first word is the command.
        (1..COALESCE_WORDS).all(|word| {
            let moves = match word {
                1 | 2 => adapts(10),
                5 | 6 => adapts(11),
                _ => false,
            };
            moves || self.0[word] == other.0[word]
        })
    }
}

/// Reads the coalescing of `interface`.
///
/// # Errors
/// As the kernel says; drivers of virtual interfaces support none.
pub fn coalescing(interface: &str) -> io::Result<Coalescing> {
    let mut words = [0; COALESCE_WORDS];
    words[0] = GET_COALESCE;
    ask(interface, words).map(Coalescing)
}

/// Sets it.
///
/// # Errors
/// As the kernel says; needs `CAP_NET_ADMIN`.
pub fn set_coalescing(interface: &str, coalescing: Coalescing) -> io::Result<()> {
    let mut words = coalescing.0;
    words[0] = SET_COALESCE;
    ask(interface, words).map(drop)
}

/// Sets it back to what it was `before`.
///
/// # Errors
/// As [`set_coalescing`].
pub fn restore_coalescing(interface: &str, before: Coalescing) -> io::Result<()> {
    restore(before, |coalescing| set_coalescing(interface, coalescing))
}

/// Drivers that adapt may take no other times with the same command (virtio-net): where they refuse, they get the times before.
fn restore(
    before: Coalescing,
    mut set: impl FnMut(Coalescing) -> io::Result<()>,
) -> io::Result<()> {
    let refused = match set(before) {
        Err(error) if before.adaptive() => error,
        done => return done,
    };
    let times = before.with_us(before.rx_us(), before.tx_us());
    set(times).map_err(|_| refused)?;
    set(before)
}

/// Queues in use: those that send and receive, and those that only receive.
///
/// # Errors
/// As the kernel says.
pub fn channels(interface: &str) -> io::Result<(u32, u32)> {
    // command; most of rx, tx, other, combined; in use of the same.
    let words = ask(interface, [GET_CHANNELS, 0, 0, 0, 0, 0, 0, 0, 0])?;
    Ok((words[8], words[5]))
}

/// Whether received frames are put together: generic and large receive offload.
///
/// # Errors
/// As the kernel says.
pub fn receive_offloads(interface: &str) -> io::Result<(bool, bool)> {
    let gro = ask(interface, [GET_GRO, 0])?[1] != 0;
    let lro = ask(interface, [GET_FLAGS, 0])?[1] & FLAG_LRO != 0;
    Ok((gro, lro))
}

/// Whether hardware stamps both ways, and the number of the PTP clock that it goes by.
///
/// # Errors
/// As the kernel says.
pub fn time_stamping(interface: &str) -> io::Result<(bool, Option<u32>)> {
    // command, abilities, clock, kinds of sent stamps and 3 spare, filters and 3 spare.
    let words = ask(interface, [GET_TIME_STAMPING, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    let clock = i32::from_ne_bytes(words[2].to_ne_bytes());
    Ok((
        words[1] & HARDWARE_STAMPS == HARDWARE_STAMPS,
        u32::try_from(clock).ok(),
    ))
}

/// Whether the link sleeps between frames (Energy-Efficient Ethernet).
///
/// # Errors
/// As the kernel says.
pub fn sleeps_between_frames(interface: &str) -> io::Result<bool> {
    // command, supported, advertised, partner's, active, enabled, transmit idle and its timer, 2 spare.
    Ok(ask(interface, [GET_EEE, 0, 0, 0, 0, 0, 0, 0, 0, 0])?[5] != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_answers_and_nobody_else_does() {
        // Every Linux has `lo`, which stamps in software and is never coalesced.
        assert_eq!(time_stamping("lo").unwrap(), (false, None));
        assert_eq!(
            coalescing("lo").unwrap_err().raw_os_error(),
            Some(libc::EOPNOTSUPP)
        );
        for absent in ["no-such-if", "", "a-name-that-is-too-long"] {
            assert!(time_stamping(absent).is_err(), "{absent}");
        }
    }

    #[test]
    fn what_a_driver_moves_by_itself_is_no_difference() {
        let at = |changed: &[(usize, u32)]| {
            let mut words = [7; COALESCE_WORDS];
            for (word, value) in [(10, 0), (11, 0)].iter().chain(changed) {
                words[*word] = *value;
            }
            Coalescing(words)
        };
        for (adapts, times) in [(10, [1, 2]), (11, [5, 6])] {
            for time in times {
                let (fixed, adaptive) = (at(&[]), at(&[(adapts, 1)]));
                assert!(!fixed.is_as(&at(&[(time, 9)])), "{time}");
                assert!(adaptive.is_as(&at(&[(adapts, 1), (time, 9)])), "{time}");
                // Only in one of both, or of the other direction.
                assert!(!adaptive.is_as(&at(&[(time, 9)])), "{time}");
                let others = at(&[(21 - adapts, 1)]);
                assert!(!others.is_as(&at(&[(21 - adapts, 1), (time, 9)])));
            }
            assert!(!at(&[]).is_as(&at(&[(adapts, 1)])), "{adapts}");
        }
        // What was asked and what was answered are the same.
        assert!(at(&[]).is_as(&at(&[(0, SET_COALESCE)])));
        assert!(!at(&[(10, 1), (11, 1)]).is_as(&at(&[(10, 1), (11, 1), (22, 9)])));
    }

    #[test]
    fn a_driver_that_adapts_gets_its_times_before() {
        let mut words = [0; COALESCE_WORDS];
        (words[1], words[10]) = (50, 1);
        let before = Coalescing(words);
        // As virtio-net: who adapts takes no other times.
        let mut now = before.with_us(0, 0);
        let mut set = |wanted: Coalescing| {
            if wanted.adaptive_rx() && wanted.rx_us() != now.rx_us() {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            now = wanted;
            Ok(())
        };
        restore(before, &mut set).unwrap();
        assert_eq!(now, before);
        // One that refuses everything is asked twice at most, and tells why at first.
        let mut asked = 0;
        let refused = restore(before, |_| {
            asked += 1;
            Err(io::Error::from_raw_os_error(asked))
        });
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(1));
        assert_eq!(asked, 2);
    }

    #[test]
    fn other_words_stay_as_they_are() {
        let mut words = [7; COALESCE_WORDS];
        words[1] = 50;
        let changed = Coalescing(words).with_us(0, 3);
        assert_eq!(
            (changed.rx_us(), changed.tx_us(), changed.adaptive()),
            (0, 3, false)
        );
        assert_eq!(changed.0[22], 7);
        // Received frames, and sent ones.
        for (word, rx) in [(10, true), (11, false)] {
            let mut words = [0; COALESCE_WORDS];
            words[word] = 1;
            let found = Coalescing(words);
            assert_eq!((found.adaptive_rx(), found.adaptive()), (rx, true));
        }
    }
}
