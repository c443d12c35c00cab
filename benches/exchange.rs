//! ns of one process-data exchange, MainDevice and SubDevices together, in one process and without a plant.
//!
//! The bus is the product's: brought up through the simulated segment, in OP, with SYNC0. Each exchange fills the outputs into the
//! planned frames, lets them pass all SubDevices, judges the answers and takes the inputs. The firmware behind the SubDevices
//! is that of a terminal: it takes its outputs, and writes its inputs at every SYNC0.

use std::process::ExitCode;
use twinstep_benches::arguments::Mode;
use twinstep_benches::environment;
use twinstep_benches::figures::Figures;
use twinstep_benches::machines;
use twinstep_config::machine::{Machine, PdoEntry, SiiFile, SubDevice};
use twinstep_drivers::bus::Bus;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::segment::{Description, Identity, Segment};
use twinstep_host::clock::monotonic_ns;

/// Start of virtual time (ns).
const START_NS: u64 = 1_000_000_000;
/// Exchanges that are timed as a whole.
const BATCH: u32 = 50;

fn main() -> ExitCode {
    match Mode::from_process() {
        Mode::List => Mode::list(),
        Mode::Smoke => {
            let measured = measure(3, 2);
            assert_eq!(measured.whole.count(), 2);
        }
        Mode::Measure => {
            println!("{}\n", environment::describe());
            println!("ns of one exchange, both sides, 8 + 8 bytes a SubDevice, no plant");
            println!(
                "{:<16}{:>9}{:>9}{:>9}{:>12}{:>14}",
                "SubDevices", "median", "p99", "a piece", "segment", "MainDevice"
            );
            for count in [1, 2, 5, 10, 20, 50, 100, 200] {
                let measured = measure(count, 400);
                let (whole, segment) = (measured.whole.median(), measured.segment.median());
                println!(
                    "{count:<16}{whole:>9.0}{:>9.0}{:>9.1}{segment:>12.0}{:>14.0}",
                    measured.whole.quantile(0.99),
                    whole / count as f64,
                    whole - segment
                );
            }
        }
        Mode::Instructions | Mode::Counted => {
            eprintln!("instructions are counted by the bench `pipeline`")
        }
    }
    ExitCode::SUCCESS
}

/// What was measured, per exchange (ns).
struct Measured {
    whole: Figures,
    /// The part inside the segment.
    segment: Figures,
}

/// Measures `batches` batches with `count` SubDevices.
///
/// # Panics
/// When the bus does not reach OP, or an exchange fails: then nothing was measured.
#[expect(
    clippy::expect_used,
    reason = "a bus that does not work cannot be measured"
)]
fn measure(count: usize, batches: usize) -> Measured {
    let machine = machine_of(count);
    let segment = Segment::new(&machine, 1, 1).expect("the SubDevices can be simulated");
    let link = InProcess::new(segment, Clock::virtual_from(START_NS));
    let mut bus = EthercatBus::bring_up(link, &machine).expect("the bus reaches OP");
    let mut image = bus.new_image();
    assert_eq!(
        (image.outputs.len(), image.inputs.len()),
        (8 * count, 8 * count)
    );
    let clock = bus.clock().clone();
    let mut next_ns = bus.next_cycle_ns();
    let mut measured = Measured {
        whole: Figures::with_capacity(batches),
        segment: Figures::with_capacity(batches),
    };
    bus.take_segment_time_ns();
    for batch in 0..=batches {
        let start = monotonic_ns();
        for _ in 0..BATCH {
            image.outputs.rotate_left(1);
            clock.wait_until_ns(next_ns);
            bus.exchange(&mut image, &mut || {})
                .expect("every exchange succeeds");
            next_ns += machine.cycle.period_ns;
        }
        let whole = (monotonic_ns() - start) as f64 / f64::from(BATCH);
        let segment = bus.take_segment_time_ns() as f64 / f64::from(BATCH);
        // The first batch warms the caches.
        if batch > 0 {
            measured.whole.push(whole);
            measured.segment.push(segment);
        }
        if let (Some(output), Some(input)) = (image.outputs.first_mut(), image.inputs.first()) {
            *output = output.wrapping_add(1);
            assert_eq!(*input, 0, "a terminal gives zeros");
        }
    }
    measured
}

/// `count` SubDevices of 8 + 8 bytes with a mailbox and a clock, and nothing behind them.
fn machine_of(count: usize) -> Machine {
    let mut machine = machines::press_cell();
    machine.axes.clear();
    machine.presses.clear();
    machine.stations.clear();
    machine.parts.clear();
    machine.recipes.clear();
    let entries = |index: u16| -> Vec<PdoEntry> {
        let entry = |subindex| PdoEntry {
            index,
            subindex,
            bits: 32,
        };
        vec![entry(1), entry(2)]
    };
    let identity = Identity {
        vendor_id: 0x5457_494e,
        product_code: 0x0bec,
        revision: 1,
        serial: 1,
    };
    let (outputs, inputs) = (entries(0x7000), entries(0x6000));
    let bytes = Description::new("piece", identity, outputs.clone(), inputs.clone()).eeprom;
    if let Some(bus) = &mut machine.bus {
        bus.subdevices = (0..count)
            .map(|n| SubDevice {
                name: format!("piece-{n}"),
                vendor_id: identity.vendor_id,
                product_code: identity.product_code,
                outputs: outputs.clone(),
                inputs: inputs.clone(),
                sii: Some(SiiFile {
                    path: String::new(),
                    bytes: bytes.clone(),
                }),
                ..SubDevice::default()
            })
            .collect();
    }
    machine
}
