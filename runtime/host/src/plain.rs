//! The view without a terminal: one line a second.

use crate::names::Names;
use crate::output::Output;
use crate::phases::Phase;
use crate::snapshot::{Control, LiveSnapshot, SnapshotReceiver};
use std::time::Duration;
use twinstep_cycle::event::Source;

/// How often the view looks for snapshots.
const POLL: Duration = Duration::from_millis(50);
/// Time between two lines (ns of the run).
const LINE_NS: u64 = 1_000_000_000;

/// Prints one line a second of the run's time until the cycle thread has ended.
pub fn watch(receiver: &mut SnapshotReceiver, names: &Names, output: &Output, control: &Control) {
    let mut next_ns = LINE_NS;
    while !control.is_finished() {
        if let Some(snapshot) = receiver.newest()
            && snapshot.time_ns >= next_ns
        {
            let line = line(&snapshot, names);
            output.line(
                &names
                    .bus()
                    .map_or(line.clone(), |bus| format!("{bus:<8} {line}")),
            );
            next_ns = (snapshot.time_ns / LINE_NS + 1).saturating_mul(LINE_NS);
        }
        std::thread::park_timeout(POLL);
    }
}

/// One line about one snapshot.
pub fn line(snapshot: &LiveSnapshot, names: &Names) -> String {
    let us = |phase: Phase| {
        let figures = snapshot
            .phases
            .figures
            .get(phase as usize)
            .copied()
            .unwrap_or_default();
        figures.p99_ns as f64 / 1000.0
    };
    let worst = worst(snapshot, names).map_or_else(String::new, |(name, sigma)| {
        format!("  worst {sigma:.1} sigma on {name}")
    });
    let bus = &snapshot.bus;
    format!(
        "{:>7.1} s  cycle {}  p99 us: wake {:.1} predict {:.1} receive {:.1} compare {:.1}  overruns {}  events {}  \
         lost {} wkc {}{worst}",
        snapshot.time_ns as f64 * 1e-9,
        snapshot.cycle,
        us(Phase::Wake),
        us(Phase::Predict),
        us(Phase::Receive),
        us(Phase::Compare),
        snapshot.phases.overruns,
        snapshot.events,
        bus.lost,
        bus.working_counter_errors,
    )
}

/// The axis or station with the largest residual.
fn worst<'a>(snapshot: &LiveSnapshot, names: &'a Names) -> Option<(&'a str, f64)> {
    let axes = snapshot.axes.iter().take(snapshot.axis_count).enumerate();
    let axes = axes.map(|(index, axis)| (Source::Axis(index as u16), axis.residual_sigma));
    let stations = snapshot
        .stations
        .iter()
        .take(snapshot.station_count)
        .enumerate();
    let stations =
        stations.map(|(index, station)| (Source::Station(index as u16), station.residual_sigma));
    axes.chain(stations)
        .filter(|(_, sigma)| sigma.is_finite())
        .max_by(|one, other| one.1.abs().total_cmp(&other.1.abs()))
        .map(|(source, sigma)| (names.source(source), sigma))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::small_machine;
    use crate::output::tests::Buffer;
    use crate::snapshot::{self, Looks};

    fn snapshot_at(time_ns: u64) -> LiveSnapshot {
        let mut snapshot = LiveSnapshot {
            cycle: time_ns / 1_000_000,
            time_ns,
            station_count: 1,
            ..LiveSnapshot::default()
        };
        snapshot.stations[0].residual_sigma = 2.5;
        snapshot.phases.figures[Phase::Predict as usize].p99_ns = 12_300;
        snapshot.bus.lost = 3;
        snapshot
    }

    #[test]
    fn line_names_time_durations_and_the_worst_residual() {
        let names = Names::of(&small_machine());
        assert_eq!(
            line(&snapshot_at(12_000_000_000), &names),
            "   12.0 s  cycle 12000  p99 us: wake 0.0 predict 12.3 receive 0.0 compare 0.0  overruns 0  events 0  \
             lost 3 wkc 0  worst 2.5 sigma on gripper"
        );
    }

    #[test]
    fn watching_ends_with_the_cycle() {
        let (mut sender, mut receiver) = snapshot::channel(Looks::Lines);
        let buffer = Buffer::endless();
        let output = Output::new(false, false, Box::new(buffer.clone()));
        let control = Control::default();
        sender.push(&snapshot_at(1_500_000_000));
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                watch(
                    &mut receiver,
                    &Names::of(&small_machine()),
                    &output,
                    &control,
                )
            });
            while !buffer.text().contains("cycle 1500") {
                std::thread::yield_now();
            }
            control.finish();
            watcher.join().unwrap();
        });
        assert_eq!(buffer.text().lines().count(), 1);
    }
}
