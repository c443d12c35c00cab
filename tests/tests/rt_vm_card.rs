//! A network card with interrupts and coalescing of its own, in a virtual machine with a PREEMPT_RT kernel: `[realtime.nic]` sets it, and
//! the run leaves it as it was found. Read back by `ethtool` and from `/proc/irq`.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use twinstep_tests::run::Place;
use twinstep_tests::sim::interrupt;
use twinstep_tests::{program, vm};

/// Microseconds that a received frame may wait, and where the card's interrupts go.
fn card() -> (String, Vec<String>) {
    let told = vm::told("./ethtool", "-c eth0");
    let waits = told.lines().find(|line| line.starts_with("rx-usecs:"));
    let mut irqs: Vec<_> = fs::read_dir("/sys/class/net/eth0/device/msi_irqs")
        .unwrap()
        .map(|irq| irq.unwrap().file_name().into_string().unwrap())
        .collect();
    irqs.sort();
    let place = |irq: &String| {
        let path = format!("/proc/irq/{irq}/smp_affinity_list");
        format!("{irq}: {}", fs::read_to_string(path).unwrap().trim())
    };
    let waits = waits.unwrap_or_else(|| panic!("{told}")).to_owned();
    (waits, irqs.iter().map(place).collect())
}

#[test]
fn a_card_is_set_read_back_and_left_as_it_was() {
    const TEST: &str = "a_card_is_set_read_back_and_left_as_it_was";
    // Inside of the machine it stands where the test begins.
    let here = Path::new("./ethtool");
    let ethtool = (here.exists().then(|| here.to_owned())).or_else(|| program(TEST, "ethtool"));
    let Some(ethtool) = ethtool else {
        return;
    };
    if !vm::inside_with(2, TEST, 2, "", &[&ethtool]) {
        return;
    }
    for end in ["eth0", "eth1"] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
        vm::told("ip", &format!("link set {end} up"));
    }
    // A card finds its peer after a moment.
    for end in ["eth0", "eth1"] {
        let carrier = format!("/sys/class/net/{end}/carrier");
        while fs::read_to_string(&carrier).unwrap_or_default().trim() != "1" {
            std::thread::yield_now();
        }
    }
    let before = card();
    println!("found: {before:?}");
    assert!(!before.1.is_empty(), "it has interrupts of its own");
    assert_ne!(before.0, "rx-usecs: 0");
    let place = Place::new();
    let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
    // A tap: nothing needs to answer.
    let text = text.replacen("[bus]\n", "[bus]\nkind = \"tap\"\n", 1);
    let asked = "[realtime]\ncore = 1\n\n[realtime.nic]\nirq_core = 0\nrx_coalescing = \"0us\"\n";
    let config = place.file("cell.toml", format!("{text}\n{asked}"));
    let run = [
        "run",
        config.to_str().unwrap(),
        "--interface",
        "eth0",
        "--json",
    ];
    let mut run = place.command(Path::new(vm::BINARY), run).spawn().unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap());
    let mut begun = String::new();
    while !begun.contains("listening on") {
        assert!(said.read_line(&mut begun).unwrap() > 0, "{begun}");
    }
    let during = card();
    println!("set: {during:?}");
    assert!(!begun.contains("[realtime.nic]"), "{begun}");
    assert_eq!(during.0, "rx-usecs: 0");
    assert!(
        during.1.iter().all(|irq| irq.ends_with(": 0")),
        "{during:?}"
    );
    interrupt(&run);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(run.wait().unwrap().code().is_some(), "{rest}");
    assert_eq!(card(), before, "{rest}");

    // What the card cannot do is refused before the bus is touched, and nothing stays changed.
    let strict = asked.replacen("core = 1\n", "core = 1\nrequire = true\n", 1)
        + "tx_coalescing = \"50us\"\n";
    let config = place.file("strict.toml", format!("{text}\n{strict}"));
    let refused = format!("run {} --interface eth0", config.display());
    let refused = place.run(Path::new(vm::BINARY), &refused);
    println!("{}", refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("tx 50 us refused"), "{refused:?}");
    assert_eq!(card(), before);
}
