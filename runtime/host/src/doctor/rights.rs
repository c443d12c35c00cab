//! What the user may: schedule in real time, lock memory, speak on an interface.

use super::{Check, Root, Subject};
use crate::realtime;

const LIMITS: &str = "/proc/self/limits";
const STATUS: &str = "/proc/self/status";

/// A capability by its number (capabilities(7)).
#[derive(Clone, Copy)]
struct Capability(&'static str, u32);

const NET_ADMIN: Capability = Capability("CAP_NET_ADMIN", 12);
const NET_RAW: Capability = Capability("CAP_NET_RAW", 13);
const IPC_LOCK: Capability = Capability("CAP_IPC_LOCK", 14);
const SYS_NICE: Capability = Capability("CAP_SYS_NICE", 23);

/// How a service gets all of it.
pub const SERVICE: &str = "run it as the service in docs/realtime.md, or: setcap cap_sys_nice,cap_ipc_lock,cap_net_raw=ep twinstep";

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    let root = &subject.root;
    let mut checks = vec![fifo(root, subject.priority), memory(root), network(root)];
    checks.extend(subject.sets_network.then(|| network_admin(root)));
    checks
}

/// One limit (soft), as text.
fn limit(root: &Root, name: &str) -> Option<String> {
    let limits = root.read(LIMITS)?;
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.to_owned())
}

/// Whether the process has a capability in force; none where nothing is known.
fn has(root: &Root, capability: Capability) -> Option<bool> {
    let status = root.read(STATUS)?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> capability.1 & 1 == 1)
}

fn told(root: &Root, capability: Capability) -> String {
    let has = if has(root, capability) == Some(true) {
        "has"
    } else {
        "no"
    };
    format!("{has} {}", capability.0)
}

fn fifo(root: &Root, priority: u8) -> Check {
    let check = Check::new(
        "rights.sched_fifo",
        if root.is_live() {
            "sched_setscheduler"
        } else {
            LIMITS
        },
        "under the ordinary scheduler any program may run instead of the cycle",
    );
    let allowed = limit(root, "Max realtime priority");
    let allowed_told = allowed.as_deref().unwrap_or("unknown");
    let value = format!("limit {allowed_told}, {}", told(root, SYS_NICE));
    if root.is_live() {
        return match realtime::try_fifo(priority) {
            Ok(()) => check.ok(format!("SCHED_FIFO {priority} granted; {value}")),
            Err(error) => check.bad(
                format!("SCHED_FIFO {priority} refused ({error}); {value}"),
                SERVICE,
            ),
        };
    }
    let enough = allowed.as_deref().is_some_and(|limit| {
        limit == "unlimited"
            || limit
                .parse()
                .is_ok_and(|limit: u32| limit >= u32::from(priority))
    });
    if allowed.is_none() && has(root, SYS_NICE).is_none() {
        check.not_here(root.missing(LIMITS))
    } else if enough || has(root, SYS_NICE) == Some(true) {
        check.ok(value)
    } else {
        check.bad(value, SERVICE)
    }
}

fn memory(root: &Root) -> Check {
    let check = Check::new(
        "rights.lock_memory",
        if root.is_live() { "mlockall" } else { LIMITS },
        "a page that is not in memory costs the cycle a disk access",
    );
    let allowed = limit(root, "Max locked memory");
    let allowed_told = allowed.as_deref().unwrap_or("unknown");
    let value = format!("limit {allowed_told}, {}", told(root, IPC_LOCK));
    if root.is_live() {
        return match realtime::try_lock() {
            // Read back: a call that is granted and locks nothing would be no help.
            Ok(locked_kb) if locked_kb > 0 => check.ok(format!(
                "memory can be locked (VmLck {locked_kb} kB); {value}"
            )),
            Ok(_) => check.bad(
                format!("locking was granted, and VmLck in {STATUS} stays 0 or cannot be read; {value}"),
                "look whether /proc is mounted, and whether a sandbox answers mlockall without locking",
            ),
            Err(error) => check.bad(
                format!("memory cannot be locked ({error}); {value}"),
                SERVICE,
            ),
        };
    }
    if allowed.is_none() && has(root, IPC_LOCK).is_none() {
        check.not_here(root.missing(LIMITS))
    } else if allowed.as_deref() == Some("unlimited") || has(root, IPC_LOCK) == Some(true) {
        check.ok(value)
    } else {
        check.bad(value, SERVICE)
    }
}

/// Where the configuration sets something of an interface.
fn network_admin(root: &Root) -> Check {
    let check = Check::new(
        "rights.network_admin",
        STATUS,
        "[tsn], launch_offset and [realtime.nic] set something of an interface, which takes this capability until the bus is in OP",
    );
    match has(root, NET_ADMIN) {
        None => check.not_here(root.missing(STATUS)),
        Some(true) => check.ok(told(root, NET_ADMIN)),
        Some(false) => check.warn(
            told(root, NET_ADMIN),
            "add CAP_NET_ADMIN to the service in docs/realtime.md, or cap_net_admin to its setcap",
        ),
    }
}

fn network(root: &Root) -> Check {
    let check = Check::new(
        "rights.network",
        STATUS,
        "frames of a bus leave through a packet socket, which takes this capability",
    );
    match has(root, NET_RAW) {
        None => check.not_here(root.missing(STATUS)),
        Some(has) => check.ok_or_warn(has, told(root, NET_RAW), SERVICE),
    }
}
