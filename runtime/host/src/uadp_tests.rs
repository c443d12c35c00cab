use super::*;
use crate::lines::tests::leak;
use twinstep_config::machine::Stream;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::link::Link;
use twinstep_drivers::link::launch::LaunchCounters;
use twinstep_drivers::tsn::uadp::NetworkMessage;
use twinstep_models::channel::Channel;

/// Keeps what is sent, and the launch time of each.
struct Kept(Vec<Vec<u8>>, Clock, Vec<u64>, u64);

impl Link for Kept {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.0.push(frame.to_vec());
        self.2.push(self.3);
        Ok(())
    }

    fn receive(&mut self, _: &mut [u8], _: u64) -> Result<Option<usize>, LinkError> {
        Ok(None)
    }

    fn clock(&self) -> &Clock {
        &self.1
    }
}

impl Launching for Kept {
    fn launch_at(&mut self, tai_ns: u64) {
        self.3 = tai_ns;
    }

    fn launched(&mut self) -> Option<LaunchCounters> {
        Some(LaunchCounters {
            sent: self.0.len() as u64,
            missed: 1,
            invalid: 0,
        })
    }
}

fn reading(position_m: f64, current_a: f64) -> AxisReading {
    AxisReading {
        position_m,
        velocity_m_per_s: 0.0,
        current_a,
        target_m: 0.0,
        state: twinstep_models::sample::DriveState::default(),
        error_code: 0,
        ..AxisReading::default()
    }
}

#[test]
fn every_axis_and_station_has_its_figures_and_flags() {
    let publish = Publish {
        interface: "none".into(),
        launch_offset_ns: None,
        stream: Stream {
            publisher_id: 42,
            ..Stream::default()
        },
    };
    let kept = Kept(Vec::new(), Clock::virtual_from(0), Vec::new(), 0);
    let mut predictions = Predictions::new(&publish, kept, 2, 1).unwrap();
    let leak = leak(5);
    assert!(matches!(leak.source, Source::Station(0)), "{leak:?}");
    let event = |channel, state| Event {
        source: Source::Axis(1),
        channel,
        state,
        ..leak
    };
    for cycle in 0..3_u64 {
        if cycle == 1 {
            predictions.note(&event(Channel::CurrentLoad, EventState::Raised));
            predictions.note(&event(Channel::Movement, EventState::Raised));
            predictions.note(&leak);
        }
        if cycle == 2 {
            predictions.note(&event(Channel::Movement, EventState::Cleared));
        }
        let first = if cycle == 2 {
            Err(Missing::NoFrame)
        } else {
            Ok(reading(1.5, 2.5))
        };
        predictions.axis(0, cycle, &first, Some([1.25, 0.0, 2.25]));
        predictions.axis(1, cycle, &Ok(reading(cycle as f64, 0.0)), Some([0.0; 3]));
        let pressure = StationReading {
            pressure_pa: 5e4,
            ejector_on: true,
            blow_off: false,
        };
        predictions.station(0, cycle, &Ok(pressure), 4e4);
        predictions.send(None);
    }
    assert_eq!(predictions.failed(), 0);
    let frames = &predictions.link.0;
    assert_eq!(frames.len(), 3);
    let seen: Vec<_> = frames.iter().map(|frame| decoded(&frame[14..])).collect();
    let (load, movement) = (
        1 << Channel::CurrentLoad as u32,
        1 << Channel::Movement as u32,
    );
    let leak_bit = 1 << leak.channel as u32;
    let flags: Vec<_> = seen
        .iter()
        .map(|sets| [sets[0].2, sets[1].2, sets[2].2])
        .collect();
    assert_eq!(
        flags,
        [
            [0, 0, 0],
            [0, load | movement, leak_bit],
            [0, load, leak_bit]
        ]
    );
    // Measured beside predicted; what is not measured is bad, and has the values of before.
    assert_eq!(seen[0][0].1, [1.5, 1.25, 2.5, 2.25]);
    assert_eq!(seen[2][0].1, [1.5, 1.25, 2.5, 2.25]);
    assert_eq!((seen[1][0].0, seen[2][0].0), ((1, 0), (2, BAD)));
    assert_eq!(seen[2][1].1[0], 2.0);
    assert_eq!(seen[1][2].1, [5e4, 4e4]);
}

/// Cycle and status, numbers, flags of each data set.
fn decoded(bytes: &[u8]) -> Vec<((u64, u16), Vec<f64>, u32)> {
    let message = NetworkMessage::parse(bytes).unwrap();
    assert_eq!(message.publisher_id, Some(42));
    let sets = message.messages().map(Result::unwrap).enumerate();
    sets.map(|(n, one)| {
        assert_eq!(one.writer_id, Some(n as u16 + 1));
        let (cycle, rest) = one.fields.split_at(8);
        let (numbers, flags) = rest.split_at(rest.len() - 4);
        let numbers = numbers
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes));
        let cycle = u64::from_le_bytes(cycle.try_into().unwrap());
        let flags = u32::from_le_bytes(flags.try_into().unwrap());
        ((cycle, one.status.unwrap()), numbers.collect(), flags)
    })
    .collect()
}

#[test]
fn frames_of_a_cycle_leave_one_period_after_those_of_the_last() {
    let publish = Publish {
        interface: "none".into(),
        launch_offset_ns: Some(600_000),
        stream: Stream::default(),
    };
    let kept = Kept(Vec::new(), Clock::virtual_from(0), Vec::new(), 0);
    let mut predictions = Predictions::new(&publish, kept, 1, 0).unwrap();
    assert!(predictions.launches().is_none(), "none were asked for");
    predictions.launches = Some(Launches::new(600_000, true));
    let start_ns = crate::clock::monotonic_ns();
    for cycle in 0..3_u64 {
        predictions.send(Some(start_ns + cycle * 1_000_000));
    }
    let at = &predictions.link.2;
    // CLOCK_TAI may be slewed meanwhile, and the two clocks are not read at the same moment.
    let apart = |n: usize| (at[n] - at[n - 1]).abs_diff(1_000_000);
    assert!(apart(1) < 100_000 && apart(2) < 100_000, "{at:?}");
    let line = predictions.launches().unwrap();
    assert_eq!((line.kept, line.sent, line.missed), (true, 3, 1));
}
