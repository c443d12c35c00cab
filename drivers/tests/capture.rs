//! A capture of the cycle, judged by another program's dissector where it is installed.

use std::process::Command;
use twinstep_drivers::bus::Bus;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::link::pcap::PcapLink;
use twinstep_drivers::segment::Segment;

const CYCLES: usize = 100;

#[test]
fn a_capture_holds_every_cycle_and_nothing_malformed() {
    let path = std::env::temp_dir().join(format!("twinstep-capture-{}.pcap", std::process::id()));
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let link = PcapLink::create(InProcess::new(segment, Clock::virtual_from(0)), &path).unwrap();
    let mut bus = EthercatBus::bring_up(link, &machine).unwrap();
    let mut image = bus.new_image();
    let clock = bus.clock().clone();
    for cycle in 0..CYCLES as u64 {
        clock.wait_until_ns(bus.next_cycle_ns() + cycle * machine.cycle.period_ns);
        bus.exchange(&mut image, &mut || {}).unwrap();
    }
    bus.link_mut().finish().unwrap();

    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
    // Walk over the records: each as long as it says, Ethernet with EtherCAT in it.
    let (mut at, mut records) = (24, 0);
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        assert_eq!(bytes[at + 16 + 12..at + 16 + 14], [0x88, 0xa4]);
        at += 16 + length;
        records += 1;
    }
    assert_eq!(at, bytes.len());
    assert!(records >= 2 * CYCLES);

    let count = |filter: &str| {
        let output = Command::new("tshark")
            .arg("-r")
            .arg(&path)
            .args(["-Y", filter])
            .output();
        output
            .ok()
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).lines().count())
    };
    match count("ecat.cmd == 0x0c") {
        None => eprintln!("SKIPPED: tshark is not installed, the capture was only walked over"),
        Some(lrw) => {
            assert!(lrw >= 2 * CYCLES, "{lrw} frames with LRW");
            assert_eq!(count("_ws.malformed"), Some(0));
        }
    }
    std::fs::remove_file(&path).unwrap();
}
