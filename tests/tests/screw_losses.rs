//! What a screw loses, against the simulated press: the twin has it in the force of its parts, on the way in and on the way back.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::RecordingBus;
use twinstep_host::pass;
use twinstep_host::plan::PlanStore;
use twinstep_tests::run::{Place, shipped};

/// So far behind the contact (m) the ram is well in the part, and so fast (m/s) on its way.
const WITHIN_M: f64 = 4e-3;
const MOVES_M_PER_S: f64 = 2e-3;

/// The shipped press with caps alone, which spring back by half a millimetre. Where parts take turns the program tells the next
/// one at the end of the hold, and the way back is looked at with its curve.
fn caps() -> String {
    let text = std::fs::read_to_string(shipped("forming-press.toml")).unwrap();
    let one = text.replacen("parts = [\"cap\", \"pin\"]", "parts = [\"cap\"]", 1);
    assert_ne!(one, text);
    one
}

/// Root mean square of what is left of the current deep in the part (A): on the way in, and back.
fn left(machine: &Machine, path: &Path) -> [f64; 2] {
    let store = PlanStore::new(machine);
    let mut bus = RecordingBus::open(path, machine).unwrap();
    let mut state = store.state();
    let mut pipeline = store.pipeline(&mut state);
    let contact_m = machine.parts[0].contact_m;
    let mut sums = [(0.0, 0.0); 2];
    pass::over(&mut bus, &mut pipeline, |pipeline, _, readings| {
        let (Some(Ok(r)), Some((measured_a, explained_a, _))) =
            (readings.first(), pipeline.load(0))
        else {
            return;
        };
        let speed = r.velocity_m_per_s;
        if r.position_m < contact_m + WITHIN_M || speed.abs() < MOVES_M_PER_S {
            return;
        }
        let (sum, count) = &mut sums[usize::from(speed < 0.0)];
        *sum += (measured_a - explained_a) * (measured_a - explained_a);
        *count += 1.0;
    });
    sums.map(|(sum, count): (f64, f64)| {
        assert!(count > 100.0, "{count} cycles");
        (sum / count).sqrt()
    })
}

/// Some 7 A are asked for by the part. If its losses had the other sign on the way back, 0.5 A of them would be left there.
#[test]
fn the_way_back_of_a_part_is_explained_too() {
    let place = Place::new();
    let text = caps();
    let machine = twinstep_config::load(&text, "caps.toml").unwrap();
    let config = place.file("caps.toml", &text);
    for seed in [3, 8] {
        let record = place.path(&format!("{seed}.csv"));
        let demo = format!(
            "demo --config {} --fast --json --cycles 30000 --seed {seed} --state {} --record {}",
            config.display(),
            place.path("state").display(),
            record.display()
        );
        let _ = place.twinstep(&demo).fine();
        let [inwards, back] = left(&machine, &record);
        println!("seed {seed}: {inwards} A on the way in, {back} A back");
        assert!(inwards < 0.1, "seed {seed}: {inwards} A");
        assert!(back < 0.4, "seed {seed}: {back} A");
    }
}
