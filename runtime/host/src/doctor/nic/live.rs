//! What only a live interface tells: each check reads with one call, and judges what came of it apart.

use super::Nic;
use crate::doctor::{Check, NOT_UNDER_SYSROOT, Subject};
use crate::{clock, ethtool};
use std::io;

impl Nic<'_> {
    /// A check of what only ethtool tells: `look` reads and judges it, on a live system.
    fn ethtool(
        &self,
        name: &'static str,
        command: &str,
        why: &'static str,
        look: impl FnOnce(Check) -> Check,
    ) -> Check {
        let check = Check::new(name, format!("{command} {}", self.name), why);
        if self.root.is_live() {
            look(check)
        } else {
            check.not_here(NOT_UNDER_SYSROOT)
        }
    }

    pub(super) fn coalescing(&self) -> Check {
        let why = "a received frame waits this long for others, so that one interrupt does for all";
        self.ethtool("nic.coalescing", "ethtool -c", why, |check| {
            let found = ethtool::coalescing(self.name);
            let found = found.map(|found| (found.rx_us(), found.tx_us(), found.adaptive_rx()));
            coalescing(check, self.name, found)
        })
    }

    pub(super) fn offloads(&self) -> Check {
        let why = "putting frames together makes the first of them wait";
        self.ethtool("nic.offloads", "ethtool -k", why, |check| {
            offloads(check, self.name, ethtool::receive_offloads(self.name))
        })
    }

    pub(super) fn channels(&self, subject: &Subject) -> Check {
        let why =
            "each queue has an interrupt of its own, and frames of a bus come in by one of them";
        let shared_out = subject.tsn.iter().any(|name| name == self.name);
        self.ethtool("nic.channels", "ethtool -l", why, |check| {
            channels(check, self.name, shared_out, ethtool::channels(self.name))
        })
    }

    pub(super) fn eee(&self) -> Check {
        let why = "Energy-Efficient Ethernet lets the link sleep between frames, and waking it takes up to 17 us";
        self.ethtool("nic.eee", "ethtool --show-eee", why, |check| {
            eee(check, self.name, ethtool::sleeps_between_frames(self.name))
        })
    }

    pub(super) fn time_stamping(&self) -> Check {
        let why = "TSN needs the card's own stamps and clock; EtherCAT does not";
        self.ethtool("nic.time_stamping", "ethtool -T", why, |check| {
            time_stamping(check, ethtool::time_stamping(self.name))
        })
    }

    pub(super) fn ptp(&self) -> Check {
        let folder = self.path("device/ptp");
        let check = Check::new(
            "nic.ptp_clock",
            folder.as_str(),
            "a clock of the card that stands still gives launch times that never come",
        );
        let Some(clock) = self.root.entries(&folder).into_iter().next() else {
            return check.not_here("no clock of its own");
        };
        if !self.root.is_live() {
            return check.not_here(NOT_UNDER_SYSROOT);
        }
        let device = format!("/dev/{clock}");
        let runs = clock::device_advances(&device);
        ptp(check, &device, runs)
    }
}

/// A command of ethtool for every word that is wrong: the kernel refuses a command as a whole where the driver does not know all of it.
fn commands(option: &str, name: &str, words: [(bool, &str); 2]) -> Vec<String> {
    let wrong = words.into_iter().filter(|(is_wrong, _)| *is_wrong);
    let command = |(_, word): (bool, &str)| format!("ethtool {option} {name} {word}");
    wrong.map(command).collect()
}

/// `found`: times that received and sent frames are held back (us), and whether the driver changes the first by itself. The second holds
/// nothing up and is not judged.
fn coalescing(check: Check, name: &str, found: io::Result<(u32, u32, bool)>) -> Check {
    match found {
        Err(error) => check.not_here(error.to_string()),
        Ok((rx_us, tx_us, adaptive)) => {
            let told = if adaptive { ", rx adaptive" } else { "" };
            let value = format!("rx {rx_us} us, tx {tx_us} us{told}");
            let words = [(adaptive, "adaptive-rx off"), (rx_us > 0, "rx-usecs 0")];
            let commands = commands("-C", name, words);
            let remedy = format!(
                "[realtime.nic] rx_coalescing = \"0us\", or: {}",
                commands.join("; ")
            );
            let check = check.ok_or_warn(commands.is_empty(), value, &remedy);
            commands.into_iter().fold(check, Check::run)
        }
    }
}

/// `found`: generic and large receive offload.
fn offloads(check: Check, name: &str, found: io::Result<(bool, bool)>) -> Check {
    match found {
        Err(error) => check.not_here(error.to_string()),
        Ok((gro, lro)) => {
            let value = format!("gro {}, lro {}", on_or_off(gro), on_or_off(lro));
            let commands = commands("-K", name, [(gro, "gro off"), (lro, "lro off")]);
            let check = check.ok_or_warn(commands.is_empty(), value, &commands.join("; "));
            commands.into_iter().fold(check, Check::run)
        }
    }
}

/// `found`: queues in use that send and receive, and those that only receive. `[tsn]` has several `shared_out` among its classes.
fn channels(check: Check, name: &str, shared_out: bool, found: io::Result<(u32, u32)>) -> Check {
    match found {
        Err(error) => check.not_here(error.to_string()),
        Ok((combined, receive)) => {
            let count = combined.max(receive);
            let command = if combined > 0 {
                format!("ethtool -L {name} combined 1")
            } else {
                format!("ethtool -L {name} rx 1 tx 1")
            };
            let fine = count <= 1 || shared_out;
            check
                .ok_or_warn(fine, format!("{count} in use"), &command)
                .run(command)
        }
    }
}

/// `found`: the link sleeps between frames.
fn eee(check: Check, name: &str, found: io::Result<bool>) -> Check {
    let command = format!("ethtool --set-eee {name} eee off");
    match found {
        Err(error) => check.not_here(error.to_string()),
        Ok(on) => check.ok_or_warn(!on, on_or_off(on), &command).run(command),
    }
}

/// `found`: stamps in hardware both ways, and the number of the clock that they go by.
fn time_stamping(check: Check, found: io::Result<(bool, Option<u32>)>) -> Check {
    match found {
        Err(error) => check.not_here(error.to_string()),
        Ok((true, clock)) => {
            let clock = clock.map_or("no clock".to_owned(), |n| format!("clock /dev/ptp{n}"));
            check.ok(format!("in hardware, {clock}"))
        }
        Ok((false, _)) => check.not_here("in software only"),
    }
}

/// `runs`: two readings of the clock differ.
fn ptp(check: Check, device: &str, runs: io::Result<bool>) -> Check {
    match runs {
        Err(error) => check.not_here(format!("{device}: {error}")),
        Ok(runs) => check.ok_or_warn(
            runs,
            format!("{device} {}", if runs { "runs" } else { "stands still" }),
            "load the driver of the card anew, or update its firmware; only needed with [tsn]",
        ),
    }
}

fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Fix, Verdict};

    /// What a check came to: its verdict, and what was found. Where something is wrong it has a remedy, and a script has the commands of
    /// `fix`.
    fn judged(check: &Check, fix: Option<&str>) -> (Verdict, String) {
        let wrong = check.verdict == Verdict::Warn;
        assert_eq!(wrong, !check.remedy.is_empty(), "{check:?}");
        let commands = fix.filter(|_| wrong).into_iter();
        let fixes: Vec<Fix> = (commands.flat_map(|fix| fix.split("; ")))
            .map(|command| Fix::Run(command.to_owned()))
            .collect();
        assert_eq!(check.fixes, fixes);
        (check.verdict, check.value.clone())
    }

    fn check() -> Check {
        Check::new("nic.it", "ethtool eth1", "why")
    }

    fn refused<T>() -> io::Result<T> {
        Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
    }

    const NOT_SUPPORTED: &str = "Operation not supported (os error 95)";

    #[test]
    fn frames_that_are_held_back_cost_time() {
        for (found, verdict, value, fix) in [
            (Ok((0, 0, false)), Verdict::Ok, "rx 0 us, tx 0 us", ""),
            // What waits behind the sending holds nothing up.
            (Ok((0, 50, false)), Verdict::Ok, "rx 0 us, tx 50 us", ""),
            // Nothing else is named: drivers that know this alone refuse the rest.
            (
                Ok((3, 50, false)),
                Verdict::Warn,
                "rx 3 us, tx 50 us",
                "ethtool -C eth1 rx-usecs 0",
            ),
            (
                Ok((0, 0, true)),
                Verdict::Warn,
                "rx 0 us, tx 0 us, rx adaptive",
                "ethtool -C eth1 adaptive-rx off",
            ),
            (
                Ok((1, 0, true)),
                Verdict::Warn,
                "rx 1 us, tx 0 us, rx adaptive",
                "ethtool -C eth1 adaptive-rx off; ethtool -C eth1 rx-usecs 0",
            ),
            (refused(), Verdict::NotHere, NOT_SUPPORTED, ""),
        ] {
            let check = coalescing(check(), "eth1", found);
            assert_eq!(judged(&check, Some(fix)), (verdict, value.to_owned()));
            assert!(check.remedy.ends_with(fix), "{check:?}");
        }
    }

    #[test]
    fn frames_that_are_put_together_cost_time() {
        let (gro, lro) = ("ethtool -K eth1 gro off", "ethtool -K eth1 lro off");
        let both = format!("{gro}; {lro}");
        for (found, verdict, value, fix) in [
            (Ok((false, false)), Verdict::Ok, "gro off, lro off", ""),
            (Ok((true, false)), Verdict::Warn, "gro on, lro off", gro),
            (Ok((false, true)), Verdict::Warn, "gro off, lro on", lro),
            (
                Ok((true, true)),
                Verdict::Warn,
                "gro on, lro on",
                both.as_str(),
            ),
            (refused(), Verdict::NotHere, NOT_SUPPORTED, ""),
        ] {
            let check = offloads(check(), "eth1", found);
            assert_eq!(judged(&check, Some(fix)), (verdict, value.to_owned()));
            assert_eq!(check.remedy, fix);
        }
    }

    #[test]
    fn a_bus_needs_one_queue() {
        for (shared_out, found, verdict, value, fix) in [
            (false, Ok((1, 0)), Verdict::Ok, "1 in use", ""),
            (false, Ok((0, 1)), Verdict::Ok, "1 in use", ""),
            (
                false,
                Ok((4, 0)),
                Verdict::Warn,
                "4 in use",
                "ethtool -L eth1 combined 1",
            ),
            (
                false,
                Ok((0, 2)),
                Verdict::Warn,
                "2 in use",
                "ethtool -L eth1 rx 1 tx 1",
            ),
            // As `[tsn]` wants them.
            (true, Ok((4, 0)), Verdict::Ok, "4 in use", ""),
            (false, refused(), Verdict::NotHere, NOT_SUPPORTED, ""),
        ] {
            let check = channels(check(), "eth1", shared_out, found);
            assert_eq!(judged(&check, Some(fix)), (verdict, value.to_owned()));
        }
    }

    #[test]
    fn a_link_that_sleeps_costs_time() {
        let fix = "ethtool --set-eee eth1 eee off";
        for (found, verdict, value) in [
            (Ok(false), Verdict::Ok, "off"),
            (Ok(true), Verdict::Warn, "on"),
            (refused(), Verdict::NotHere, NOT_SUPPORTED),
        ] {
            let check = eee(check(), "eth1", found);
            assert_eq!(judged(&check, Some(fix)), (verdict, value.to_owned()));
        }
    }

    #[test]
    fn stamps_are_of_the_card_or_not_here() {
        for (found, verdict, value) in [
            (
                Ok((true, Some(2))),
                Verdict::Ok,
                "in hardware, clock /dev/ptp2",
            ),
            (Ok((true, None)), Verdict::Ok, "in hardware, no clock"),
            (Ok((false, Some(2))), Verdict::NotHere, "in software only"),
            (refused(), Verdict::NotHere, NOT_SUPPORTED),
        ] {
            let check = time_stamping(check(), found);
            assert_eq!(judged(&check, None), (verdict, value.to_owned()));
        }
    }

    #[test]
    fn a_clock_of_the_card_runs() {
        for (found, verdict, value) in [
            (Ok(true), Verdict::Ok, "/dev/ptp0 runs".to_owned()),
            (
                Ok(false),
                Verdict::Warn,
                "/dev/ptp0 stands still".to_owned(),
            ),
            (
                refused(),
                Verdict::NotHere,
                format!("/dev/ptp0: {NOT_SUPPORTED}"),
            ),
        ] {
            let check = ptp(check(), "/dev/ptp0", found);
            assert_eq!(judged(&check, None), (verdict, value));
        }
    }
}
