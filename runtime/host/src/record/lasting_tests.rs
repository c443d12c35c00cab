use super::*;
use crate::names::Names;
use crate::recorder::Told;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use twinstep_drivers::bus::ProcessImage;
use twinstep_models::sample::CycleStamp;

/// What was written, file by file, how many cycles each said are missing, and what was said.
#[derive(Default)]
struct Seen {
    files: Vec<(PathBuf, Vec<u64>, Option<u64>)>,
    said: Vec<String>,
    /// Cycles that the disk takes, over all files.
    room: u64,
}

struct Memory(Arc<Mutex<Seen>>, usize);

impl RecordSink for Memory {
    fn write(&mut self, record: &Record) -> Result<(), HostError> {
        let mut seen = self.0.lock().unwrap();
        if seen.room == 0 {
            return Err(HostError::machine("no space left", "free some"));
        }
        seen.room -= 1;
        seen.files[self.1].1.push(record.stamp.cycle);
        Ok(())
    }

    fn bytes(&self) -> u64 {
        1_000_000 * self.0.lock().unwrap().files[self.1].1.len() as u64
    }

    fn finish(self: Box<Self>, dropped: u64) -> Result<(), HostError> {
        self.0.lock().unwrap().files[self.1].2 = Some(dropped);
        Ok(())
    }
}

fn record(cycle: u64) -> Record {
    let stamp = CycleStamp {
        cycle,
        time_ns: cycle * 1_000_000,
        dc_time_ns: 0,
    };
    Record {
        stamp,
        result: Ok(stamp),
        image: ProcessImage::default(),
        digest: None,
        told: Told::new(),
        part: None,
        events: 0,
        raised: false,
    }
}

fn event() -> Note {
    Note::Event {
        seq: 1,
        cycle: 9,
        time_ns: 9_000_000,
        raised: true,
        json: "{}".to_owned(),
    }
}

fn begin(seen: &Arc<Mutex<Seen>>) -> Begin {
    let seen = Arc::clone(seen);
    Box::new(move |path| {
        let mut inside = seen.lock().unwrap();
        if inside.room == 0 {
            return Err(HostError::machine("no space left", "free some"));
        }
        inside.files.push((path.to_owned(), Vec::new(), None));
        Ok(Box::new(Memory(Arc::clone(&seen), inside.files.len() - 1)))
    })
}

fn say(seen: &Arc<Mutex<Seen>>) -> Say {
    let seen = Arc::clone(seen);
    Box::new(move |text| seen.lock().unwrap().said.push(text.to_owned()))
}

fn in_folder(seen: &Arc<Mutex<Seen>>, place: &Path, tally: &Arc<Tally>) -> Box<Lasting> {
    let info = RunInfo::new(Names::default(), "p".into(), 1.0, 0);
    let files = Files {
        // A file is full with 2 MB: two cycles.
        folder: Folder::open(place, 16_000_000).unwrap(),
        begin: begin(seen),
        info: Arc::new(info),
    };
    Box::new(Lasting::files(files, Arc::clone(tally), say(seen)))
}

#[test]
fn a_full_file_is_followed_by_another_one_and_says_what_is_missing() {
    let (place, tally) = (tempfile::tempdir().unwrap(), Arc::new(Tally::default()));
    let seen = Arc::new(Mutex::new(Seen {
        room: 100,
        ..Seen::default()
    }));
    let mut lasting = in_folder(&seen, place.path(), &tally);
    for cycle in [0, 1, 2, 5, 6] {
        lasting.write(&record(cycle)).unwrap();
    }
    lasting.finish(2).unwrap();
    let seen = seen.lock().unwrap();
    let files: Vec<_> = (seen.files.iter())
        .map(|(_, cycles, missing)| (cycles.as_slice(), missing.unwrap()))
        .collect();
    assert_eq!(files, [(&[0, 1][..], 0), (&[2, 5], 2), (&[6], 0)]);
    assert!(seen.said.is_empty());
    assert_eq!(tally.files.load(Ordering::Relaxed), 3);
}

#[test]
fn a_full_disk_is_said_once_counted_and_outlasted() {
    let (place, tally) = (tempfile::tempdir().unwrap(), Arc::new(Tally::default()));
    let seen = Arc::new(Mutex::new(Seen {
        room: 3,
        ..Seen::default()
    }));
    let mut lasting = in_folder(&seen, place.path(), &tally);
    for cycle in 0..10 {
        lasting.write(&record(cycle)).unwrap();
        lasting.tick().unwrap();
    }
    assert_eq!(seen.lock().unwrap().said.len(), 1);
    assert_eq!(tally.lost.load(Ordering::Relaxed), 7);
    lasting.note(&event()).unwrap();
    assert!(lasting.wants_checkpoints());
    // There is room again, and it is time for another attempt.
    seen.lock().unwrap().room = 100;
    lasting.again_ns = 0;
    lasting.write(&record(10)).unwrap();
    lasting.finish(0).unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.files.last().unwrap().1, [10]);
    assert!(seen.said[1].contains("from cycle 10 on"), "{:?}", seen.said);
    let line = super::super::tally::RecordingLine::of(place.path(), &tally, 0, 0);
    assert_eq!((line.cycles_missing, line.events_missing), (7, 1));
    assert!(line.failure.unwrap().contains("no space left"));
}

#[test]
fn a_file_alone_ends_where_the_disk_is_full_and_its_run_fails_at_the_end() {
    let tally = Arc::new(Tally::default());
    let seen = Arc::new(Mutex::new(Seen {
        room: 3,
        ..Seen::default()
    }));
    let file = begin(&seen)(Path::new("run.mcap")).unwrap();
    let mut lasting = Box::new(Lasting::file(file, Arc::clone(&tally), say(&seen)));
    for cycle in 0..10 {
        lasting.write(&record(cycle)).unwrap();
    }
    let error = lasting.finish(0).unwrap_err();
    assert!(error.in_a_line().contains("no space left"));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.said.len(), 1);
    assert!(seen.said[0].contains("ends there"), "{:?}", seen.said);
    assert_eq!(tally.lost.load(Ordering::Relaxed), 7);
}
