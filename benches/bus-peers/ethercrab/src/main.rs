//! ethercrab's own tasks on an interface: `bus-peer-ethercrab std|io_uring INTERFACE CYCLES PERIOD_US`, period 0 for as fast as it
//! goes. Prints the duration of every exchange (ns), one a line, for scripts/bus-peers.

use ethercrab::std::{ethercat_now, tx_rx_task, tx_rx_task_io_uring};
use ethercrab::{MainDevice, MainDeviceConfig, PduStorage, Timeouts};
use std::sync::Arc;
use std::time::{Duration, Instant};

static STORAGE: PduStorage<64, { PduStorage::element_size(1486) }> = PduStorage::new();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [task, interface, cycles, period_us] = args.as_slice() else {
        return Err("std|io_uring INTERFACE CYCLES PERIOD_US".into());
    };
    let (cycles, period_us): (usize, u64) = (cycles.parse()?, period_us.parse()?);
    let (tx, rx, pdu_loop) = STORAGE.try_split().map_err(|()| "split once")?;
    let timeouts = Timeouts {
        wait_loop_delay: Duration::from_micros(200),
        pdu: Duration::from_millis(100),
        state_transition: Duration::from_secs(10),
        mailbox_response: Duration::from_secs(2),
        ..Timeouts::default()
    };
    let main = Arc::new(MainDevice::new(pdu_loop, timeouts, MainDeviceConfig::default()));
    let name = interface.clone();
    if task == "io_uring" {
        std::thread::spawn(move || tx_rx_task_io_uring(&name, tx, rx).map(|_| ()));
    } else {
        let future = tx_rx_task(&name, tx, rx)?;
        std::thread::spawn(move || smol::block_on(future).map(|_| ()));
    }
    let took = smol::block_on(async {
        let group = main.init_single_group::<256, 8192>(ethercat_now).await?;
        let group = group.into_safe_op(&main).await?;
        // Outputs must have come before OP.
        for _ in 0..20 {
            group.tx_rx(&main).await?;
        }
        let group = group.request_into_op(&main).await?;
        for _ in 0..2000 {
            if group.tx_rx(&main).await?.all_op() {
                break;
            }
        }
        let mut took = Vec::with_capacity(cycles);
        let mut next = Instant::now();
        for _ in 0..cycles {
            while period_us > 0 && Instant::now() < next {
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            next += Duration::from_micros(period_us);
            let begin = Instant::now();
            group.tx_rx(&main).await?;
            took.push(begin.elapsed().as_nanos());
        }
        Ok::<_, ethercrab::error::Error>(took)
    })
    .map_err(|error| format!("{error:?}"))?;
    for ns in took {
        println!("{ns}");
    }
    std::process::exit(0)
}
