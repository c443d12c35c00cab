use super::*;
use crate::names::Names;
use crate::recorder::Told;
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::recording::mcap::{self, Checkpoint};
use twinstep_models::sample::CycleStamp;

const PERIOD_NS: u64 = 1_000_000;

struct Bench {
    ring: Ring,
    folder: tempfile::TempDir,
    image: ProcessImage,
    machine: Machine,
}

impl Bench {
    fn new() -> Self {
        let machine = crate::commands::built_in_machine().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let image = ObjectMap::new(&machine).unwrap().image();
        let description = Description {
            configuration: machine.text.0.to_string(),
            ..Description::default()
        };
        let info = Arc::new(RunInfo::new(Names::of(&machine), "p".into(), 1.0, 0));
        let ring = Ring::new(
            &machine,
            description,
            info,
            folder.path().join("events"),
            &image,
            true,
        );
        Self {
            ring,
            folder,
            image,
            machine,
        }
    }

    /// A cycle, of which `sent` events are known; `raised`: one of them is new.
    fn cycle(&mut self, cycle: u64, sent: u64, raised: bool) {
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * PERIOD_NS,
            dc_time_ns: 0,
        };
        self.ring.write(&Record {
            stamp,
            result: Ok(stamp),
            image: self.image.clone(),
            digest: None,
            told: Told::new(),
            part: None,
            events: sent,
            raised,
        });
    }

    fn stored(&mut self, seq: u64, cycle: u64) {
        self.ring.note(&Note::Event {
            seq,
            cycle,
            time_ns: cycle * PERIOD_NS,
            raised: true,
            json: format!("{{\"seq\":{seq},\"cycle\":{cycle}}}"),
        });
    }

    /// Ends the run. First and last cycle of the file of event `seq`, and its events.
    fn file(self, seq: u64) -> (u64, u64, usize) {
        self.ring.finish();
        let path = self.folder.path().join(format!("events/{seq}.mcap"));
        let bus = twinstep_drivers::recording::RecordingBus::open(&path, &self.machine).unwrap();
        assert!(mcap::is_mcap(&path));
        let first = bus.first_cycle().unwrap();
        let events = bus.contents().unwrap().events.len();
        (first, first + bus.cycles() - 1, events)
    }
}

/// Whoever comes first, the store or the cycle that tells of the event, there is one file and it goes on for five seconds.
#[test]
fn an_event_has_its_file_whether_it_is_stored_before_or_after_its_cycle_comes() {
    for early in [false, true] {
        let mut bench = Bench::new();
        for cycle in 0..9000 {
            match cycle {
                101 if early => {
                    bench.stored(1, 100);
                    bench.cycle(101, 1, true);
                }
                101 => {
                    bench.cycle(101, 1, true);
                    bench.stored(1, 100);
                }
                _ => bench.cycle(cycle, u64::from(cycle > 100), false),
            }
        }
        let counts = bench.ring.counts();
        let (first, last, events) = bench.file(1);
        assert_eq!((first, events), (0, 1), "early: {early}");
        assert!((5100..=5101).contains(&last), "early: {early}, {last}");
        let [written, failed] =
            [&counts.written, &counts.failed].map(|n| n.load(Ordering::Relaxed));
        assert_eq!((written, failed), (1, 0), "early: {early}");
    }
}

/// Cycles are lost, and the next one that is recorded tells of an event long before it.
#[test]
fn an_event_in_a_gap_of_the_recording_has_its_file() {
    let mut bench = Bench::new();
    (0..100).for_each(|cycle| bench.cycle(cycle, 0, false));
    bench.cycle(2000, 1, true);
    bench.stored(4, 500);
    (2001..8000).for_each(|cycle| bench.cycle(cycle, 1, false));
    let (first, last, events) = bench.file(4);
    assert_eq!((first, last, events), (0, 7000, 1));
}

/// What is found with the last cycle no cycle tells of any more.
#[test]
fn an_event_of_the_last_cycle_has_its_file() {
    let mut bench = Bench::new();
    (0..300).for_each(|cycle| bench.cycle(cycle, 0, false));
    bench.stored(2, 299);
    assert_eq!(bench.file(2), (0, 299, 1));
}

#[test]
fn an_event_that_is_never_stored_is_counted() {
    let mut bench = Bench::new();
    (0..300).for_each(|cycle| bench.cycle(cycle, u64::from(cycle > 200), cycle == 201));
    let counts = bench.ring.counts();
    bench.ring.finish();
    assert_eq!(counts.failed.load(Ordering::Relaxed), 1);
    assert!(counts.trouble().unwrap().contains("was not stored"));
}

/// A computer that is short of time never finds room for a checkpoint: the ring is bounded without any.
#[test]
fn memory_is_bounded_where_no_checkpoint_comes() {
    let mut bench = Bench::new();
    let row = {
        bench.cycle(0, 0, false);
        bench.ring.chunks[0].bytes()
    };
    let cycles = (2 * MEMORY_BYTES / row) as u64;
    let held = |ring: &Ring| ring.chunks.iter().map(Chunk::bytes).sum::<usize>();
    let mut most = 0;
    for cycle in 1..cycles {
        bench.cycle(cycle, 0, false);
        most = most.max(held(&bench.ring));
    }
    assert!(
        most > MEMORY_BYTES / 2 && most <= MEMORY_BYTES + row,
        "{most}"
    );
}

/// A part that was lost on its way makes no round whole, nor do those of the next one.
#[test]
fn a_round_with_a_lost_part_is_not_whole() {
    let bench = Bench::new();
    let record = |cycle: u64| {
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * PERIOD_NS,
            dc_time_ns: 0,
        };
        Record {
            stamp,
            result: Ok(stamp),
            image: bench.image.clone(),
            digest: None,
            told: Told::new(),
            part: None,
            events: 0,
            raised: false,
        }
    };
    let whole = |numbers: &[(u64, u32)]| {
        let mut chunk = Chunk::new(&bench.image, &record(1));
        for (cycle, (round, part)) in (1..).zip(numbers) {
            let part = Checkpoint {
                round: *round,
                part: *part,
                parts: 3,
                ..Checkpoint::default()
            };
            chunk.push(&record(cycle), Some(part));
        }
        chunk.whole_ns.map(|ns| ns / PERIOD_NS)
    };
    assert_eq!(whole(&[(1, 0), (1, 1), (1, 2)]), Some(3));
    assert_eq!(whole(&[(1, 1), (1, 2), (2, 1), (2, 2)]), None);
    assert_eq!(whole(&[(1, 0), (1, 2), (2, 1), (2, 2)]), None);
}
