//! Gates of `[tsn]` in a virtual machine: when frames arrive within a cycle of gates. They are milliseconds wide, which an emulator
//! keeps.

use std::time::SystemTime;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::tap::socket::LiveSource;
use twinstep_drivers::tap::source::{FrameSource, Next};

/// The cycle of the gates (ns): class 1 in its first half, class 0 in its second.
pub const CYCLE_NS: u128 = 4_000_000;
/// EtherType of EtherCAT.
pub const ETHERCAT: [u8; 2] = [0x88, 0xa4];
/// EtherType of OPC UA PubSub.
pub const UADP: [u8; 2] = [0xb6, 0x2c];

/// Where in the gates it is now on CLOCK_TAI (ns). The machine's TAI is its UTC, and its clock counts instructions.
///
/// # Panics
/// Where it is before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "gates follow the kernel's clock, and the test asks where in them it is"
)]
#[must_use]
pub fn phase_ns() -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_else(|error| panic!("{error}")).as_nanos() % CYCLE_NS
}

/// Listens at `interface` as long as it `goes_on`, and tells EtherType and phase of each frame that arrives.
///
/// # Panics
/// Where the interface cannot be listened at.
pub fn listen(
    interface: &str,
    mut goes_on: impl FnMut() -> bool,
    mut take: impl FnMut([u8; 2], u128),
) {
    // Only what arrives is heard; nothing ever does at the other port.
    let source = LiveSource::two_ports(interface, "lo");
    let mut source = source.unwrap_or_else(|error| panic!("{interface}: {error}"));
    let clock = Clock::monotonic();
    let mut buffer = [0; 1514];
    while goes_on() {
        let now_ns = clock.now_ns();
        // What to add to a time on the monotonic clock to have it on the wall's.
        let later_ns = phase_ns() + CYCLE_NS - u128::from(now_ns) % CYCLE_NS;
        match source.next(&mut buffer, now_ns + 10_000_000) {
            Ok(Next::Frame(heard)) => {
                let phase = (u128::from(heard.time_ns) + later_ns) % CYCLE_NS;
                take([buffer[12], buffer[13]], phase);
            }
            Ok(_) => {}
            Err(error) => panic!("{interface}: {error:?}"),
        }
    }
}

/// Asserts that frames of a class came in its half of the cycle, and that there are at least `least` of them.
///
/// What left at the end of its gate is seen a little later. The emulator runs its processors in turn: a few are seen much later,
/// because the one that receives stood still. Without gates a half would be outside.
///
/// # Panics
/// Where it is otherwise.
pub fn in_its_gate(class: usize, phases: &[u128], least: usize) {
    const SEEN_LATER_NS: u128 = 500_000;
    assert!(phases.len() >= least, "class {class}: {}", phases.len());
    let from = if class == 1 { 0 } else { CYCLE_NS / 2 };
    let gate = from..from + CYCLE_NS / 2 + SEEN_LATER_NS;
    let inside = |phase: &u128| gate.contains(phase) || gate.contains(&(phase + CYCLE_NS));
    let outside: Vec<_> = phases.iter().filter(|phase| !inside(phase)).collect();
    println!(
        "class {class}: {} frames, {:?} to {:?} ns, {} outside",
        phases.len(),
        phases.iter().min(),
        phases.iter().max(),
        outside.len()
    );
    let seen_much_later = phases.len() / 20;
    assert!(
        outside.len() <= seen_much_later,
        "class {class} outside of its gate: {outside:?}"
    );
}
