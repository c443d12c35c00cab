use super::*;
use std::sync::Mutex;
use std::sync::mpsc;
use twinstep_drivers::bus::BusCause;
use twinstep_models::sample::Missing;

struct Memory {
    records: Arc<Mutex<Vec<Record>>>,
    /// Every write waits for a permit, where there is a gate.
    gate: Option<mpsc::Receiver<()>>,
    space: usize,
    finished: Arc<AtomicBool>,
}

impl RecordSink for Memory {
    fn write(&mut self, record: &Record) -> Result<(), HostError> {
        if let Some(gate) = &self.gate {
            let _ = gate.recv();
        }
        let mut records = self.records.lock().unwrap();
        if records.len() >= self.space {
            return Err(HostError::machine("r.csv: no space", "free some"));
        }
        records.push(record.clone());
        Ok(())
    }

    fn finish(self: Box<Self>, _dropped: u64) -> Result<(), HostError> {
        self.finished.store(true, Ordering::Relaxed);
        Ok(())
    }
}

struct Bench {
    sender: RecordSender,
    recorder: Recorder,
    records: Arc<Mutex<Vec<Record>>>,
    finished: Arc<AtomicBool>,
}

fn bench(gate: Option<mpsc::Receiver<()>>, space: usize) -> Bench {
    let records = Arc::default();
    let finished = Arc::default();
    let sink = Memory {
        records: Arc::clone(&records),
        gate,
        space,
        finished: Arc::clone(&finished),
    };
    let (sender, recorder) = Recorder::start(Box::new(sink), &image(0)).unwrap();
    Bench {
        sender,
        recorder,
        records,
        finished,
    }
}

fn image(value: u8) -> ProcessImage {
    ProcessImage {
        outputs: vec![value; 3],
        inputs: vec![value; 5],
        valid: vec![Ok(()), Err(Missing::NoFrame)],
        recipe: value,
        part: 1,
        conditions: Default::default(),
    }
}

fn stamp(cycle: u64) -> CycleStamp {
    CycleStamp {
        cycle,
        time_ns: cycle * 1000,
        dc_time_ns: 0,
    }
}

#[test]
fn virtual_time_records_every_cycle_in_order() {
    let mut bench = bench(None, usize::MAX);
    for cycle in 0..5000 {
        let fault = BusFault {
            stamp: stamp(cycle),
            cause: BusCause::NoFrame,
        };
        let result = if cycle == 9 {
            Err(fault)
        } else {
            Ok(stamp(cycle))
        };
        assert!(
            bench
                .sender
                .record_waiting(stamp(cycle), &result, &image(cycle as u8))
        );
    }
    assert_eq!(
        bench.recorder.stop().unwrap(),
        RecorderTotals {
            written: 5000,
            dropped: 0
        }
    );
    let records = bench.records.lock().unwrap();
    assert!(records.iter().map(|record| record.stamp.cycle).eq(0..5000));
    assert!(records[9].result.is_err() && records[10].result.is_ok());
    assert_eq!(
        (records[7].image.inputs.as_slice(), records[7].image.recipe),
        (&[7; 5][..], 7)
    );
    assert!(bench.finished.load(Ordering::Relaxed));
}

#[test]
fn real_time_counts_what_finds_no_buffer() {
    let (permits, gate) = mpsc::channel();
    let mut bench = bench(Some(gate), usize::MAX);
    let mut recorded = 0;
    for cycle in 0..RECORD_BUFFERS as u64 + 100 {
        recorded += u64::from(
            bench
                .sender
                .record(stamp(cycle), &Ok(stamp(cycle)), &image(1)),
        );
    }
    assert_eq!(recorded, RECORD_BUFFERS as u64);
    assert_eq!(bench.sender.dropped(), 100);
    drop(permits);
    assert_eq!(
        bench.recorder.stop().unwrap(),
        RecorderTotals {
            written: recorded,
            dropped: 100
        }
    );
}

#[test]
fn a_full_disk_neither_stops_the_cycle_nor_stays_silent() {
    let mut bench = bench(None, 10);
    for cycle in 0..RECORD_BUFFERS as u64 * 3 {
        assert!(
            bench
                .sender
                .record_waiting(stamp(cycle), &Ok(stamp(cycle)), &image(1))
        );
    }
    let error = bench.recorder.stop().unwrap_err();
    assert!(error.render(false).contains("r.csv"));
    assert_eq!(bench.records.lock().unwrap().len(), 10);
}

#[test]
fn an_image_of_another_shape_is_dropped() {
    let mut bench = bench(None, usize::MAX);
    let mut stranger = image(1);
    stranger.inputs.push(0);
    assert!(!bench.sender.record(stamp(0), &Ok(stamp(0)), &stranger));
    assert!(bench.sender.record(stamp(1), &Ok(stamp(1)), &image(1)));
    assert_eq!(
        bench.recorder.stop().unwrap(),
        RecorderTotals {
            written: 1,
            dropped: 1
        }
    );
}

#[test]
fn a_recorder_that_has_ended_does_not_hold_the_cycle() {
    let mut bench = bench(None, usize::MAX);
    bench.recorder.stop().unwrap();
    for cycle in 0..RECORD_BUFFERS as u64 + 5 {
        bench
            .sender
            .record_waiting(stamp(cycle), &Ok(stamp(cycle)), &image(1));
    }
    assert_eq!(bench.sender.dropped(), 5);
}
