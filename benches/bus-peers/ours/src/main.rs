//! twinstep's cyclic exchange on an interface: `bus-peer-ours CONFIG INTERFACE CYCLES PERIOD_US`, period 0 for as fast as it goes.
//! Prints the duration of every exchange (ns), one a line, for scripts/bus-peers.

use std::time::{Duration, Instant};
use twinstep_drivers::bus::Bus;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::raw_socket::RawSocket;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [config, interface, cycles, period_us] = args.as_slice() else {
        return Err("CONFIG INTERFACE CYCLES PERIOD_US".into());
    };
    let (cycles, period_us): (usize, u64) = (cycles.parse()?, period_us.parse()?);
    let machine = twinstep_config::load(&std::fs::read_to_string(config)?, config)?;
    let mut bus = EthercatBus::bring_up(RawSocket::open(interface)?, &machine)?;
    let mut image = bus.new_image();
    let mut took = Vec::with_capacity(cycles);
    let (mut wrong, mut next) = (0, Instant::now());
    for _ in 0..cycles {
        while period_us > 0 && Instant::now() < next {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        next += Duration::from_micros(period_us);
        let begin = Instant::now();
        let result = bus.exchange(&mut image, &mut || {});
        took.push(begin.elapsed().as_nanos());
        wrong += u32::from(result.is_err());
        bus.acyclic(Duration::from_micros(100));
    }
    eprintln!("{wrong} wrong");
    for ns in took {
        println!("{ns}");
    }
    bus.shutdown();
    Ok(())
}
