use super::*;
use crate::setpoint::{AxisSetpoint, ENABLE_OPERATION};

const PERIOD_S: f64 = 0.001;
const VELOCITY: f64 = 0.5;
const ACCELERATION: f64 = 5.0;

/// One perfect drive behind the source, and a controller that moves it back and forth.
struct Rig<'a> {
    source: ControllerSource<'a>,
    state: DriveState,
    position_m: f64,
    set: [AxisSetpoint; 1],
    largest_m: f64,
    /// The coming cycle.
    now: u64,
}

impl<'a> Rig<'a> {
    fn new(axes: &'a mut [ControlledAxis]) -> Self {
        Self {
            source: ControllerSource::new(axes, &mut [], PERIOD_S, 5, true),
            state: DriveState::SwitchOnDisabled,
            position_m: 0.1,
            set: Default::default(),
            largest_m: 0.0,
            now: 1,
        }
    }

    /// In time: the answer to the last cycle.
    fn ask(&mut self, enable: bool, target_m: f64) {
        self.ask_late(0, enable, target_m);
    }

    fn ask_late(&mut self, late: u64, enable: bool, target_m: f64) {
        let request = Request {
            cycle: self.now - 1 - late,
            axes: &[AxisRequest { enable, target_m }],
            stations: &[],
            context: Context::default(),
        };
        self.source.take(&request, self.now);
    }

    fn cycle(&mut self, heard: bool) {
        let reading = AxisReading {
            position_m: self.position_m,
            state: self.state,
            ..AxisReading::default()
        };
        let axes = [if heard {
            Ok(reading)
        } else {
            Err(Missing::NoFrame)
        }];
        let context = Context::default();
        let samples = Samples {
            axes: &axes,
            stations: &[],
            context,
            bus: Ok(()),
        };
        let mut out = Setpoints {
            cycle: self.now,
            axes: &mut self.set,
            stations: &mut [],
            context,
        };
        self.source.next(&samples, 0, &mut out);
        self.now += 1;
        self.state = match (self.state, self.set[0].controlword) {
            (DriveState::Fault, _) => DriveState::Fault,
            (_, SHUTDOWN) => DriveState::ReadyToSwitchOn,
            (_, SWITCH_ON) => DriveState::SwitchedOn,
            (_, ENABLE_OPERATION) => DriveState::OperationEnabled,
            _ => DriveState::SwitchOnDisabled,
        };
        if self.state == DriveState::OperationEnabled {
            let way_m = self.set[0].target_m - self.position_m;
            self.largest_m = self.largest_m.max(way_m.abs());
            self.position_m = self.set[0].target_m;
        }
    }

    /// Enables the drive and moves it with half of its velocity for `cycles`.
    fn moving(&mut self, cycles: u32) {
        for _ in 0..10 {
            self.ask(true, self.position_m);
            self.cycle(true);
        }
        for _ in 0..cycles {
            self.ask(true, self.position_m + 0.5 * VELOCITY * PERIOD_S);
            self.cycle(true);
        }
        assert_eq!(self.source.phase(), Phase::Following);
        assert_eq!(self.state, DriveState::OperationEnabled);
    }
}

fn axis() -> [ControlledAxis; 1] {
    [ControlledAxis::new(VELOCITY, ACCELERATION)]
}

#[test]
fn nothing_moves_before_the_controller_is_there() {
    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    (0..200).for_each(|_| rig.cycle(true));
    assert_eq!(rig.source.phase(), Phase::Waiting);
    assert_ne!(rig.state, DriveState::OperationEnabled);
    assert_eq!(rig.position_m, 0.1);
}

#[test]
fn targets_are_followed_to_the_last_bit() {
    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    rig.moving(100);
    for n in 0..100 {
        let target_m = rig.position_m + 1e-4 * f64::from(n % 3);
        rig.ask(true, target_m);
        rig.cycle(true);
        assert_eq!(rig.set[0].target_m, target_m);
    }
}

#[test]
fn a_late_request_is_bridged_and_silence_brakes_without_a_step() {
    for silent in 1..40_u32 {
        let mut axes = axis();
        let mut rig = Rig::new(&mut axes);
        rig.moving(100);
        rig.largest_m = 0.0;
        (0..silent).for_each(|_| rig.cycle(true));
        let halted = rig.source.phase() == Phase::Halted(Halt::Silent);
        assert_eq!(halted, silent > 5, "{silent}");
        assert_eq!(rig.source.bridged_cycles(), u64::from(silent.min(5)));
        // 0.25 m/s at 5 m/s2 take 50 ms; standstill is confirmed after another 50.
        let before_m = rig.position_m;
        (0..150).for_each(|_| rig.cycle(true));
        assert!(rig.position_m - before_m < 0.25 * 0.05, "{silent}");
        assert_eq!(rig.state, DriveState::ReadyToSwitchOn, "{silent}");
        assert!(rig.largest_m <= 0.5 * VELOCITY * PERIOD_S * 1.0001);
    }
}

#[test]
fn after_a_halt_every_enable_has_to_be_taken_back() {
    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    rig.moving(100);
    (0..300).for_each(|_| rig.cycle(true));
    for _ in 0..100 {
        rig.ask(true, rig.position_m);
        rig.cycle(true);
    }
    assert_eq!(rig.source.phase(), Phase::Halted(Halt::Silent));
    rig.ask(false, 0.0);
    rig.cycle(true);
    rig.moving(10);
}

#[test]
fn a_step_or_no_number_halts_instead_of_being_followed() {
    for way_m in [0.01, -0.01, 0.0006, f64::NAN, f64::INFINITY, f64::MAX] {
        let mut axes = axis();
        let mut rig = Rig::new(&mut axes);
        rig.moving(100);
        rig.ask(true, rig.position_m + way_m);
        rig.largest_m = 0.0;
        (0..100).for_each(|_| rig.cycle(true));
        assert_eq!(rig.source.phase(), Phase::Halted(Halt::Step(0)), "{way_m}");
        assert!(rig.largest_m <= 0.5 * VELOCITY * PERIOD_S, "{way_m}");
        assert!(rig.position_m.is_finite());
    }
}

#[test]
fn a_drive_that_drops_out_halts_all_and_one_that_is_let_go_does_not() {
    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    rig.moving(10);
    rig.state = DriveState::Fault;
    rig.ask(true, rig.position_m);
    rig.cycle(true);
    assert_eq!(rig.source.phase(), Phase::Halted(Halt::Drive(0)));

    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    rig.moving(10);
    for _ in 0..200 {
        rig.ask(false, rig.position_m);
        rig.cycle(true);
    }
    assert_eq!(rig.source.phase(), Phase::Following);
    assert_eq!(rig.state, DriveState::ReadyToSwitchOn);
}

#[test]
fn lost_frames_are_no_step_either() {
    for lost in [1, 4, 5, 30] {
        let mut axes = axis();
        let mut rig = Rig::new(&mut axes);
        rig.moving(100);
        rig.largest_m = 0.0;
        for _ in 0..lost {
            // The drive does not hear either.
            let (position_m, state) = (rig.position_m, rig.state);
            rig.ask(true, rig.set[0].target_m + 0.5 * VELOCITY * PERIOD_S);
            rig.cycle(false);
            if lost > 4 {
                (rig.position_m, rig.state) = (position_m, state);
            }
        }
        rig.largest_m = 0.0;
        (0..200).for_each(|_| rig.cycle(true));
        assert!(
            rig.largest_m <= VELOCITY * PERIOD_S * MARGIN,
            "{lost}: {}",
            rig.largest_m
        );
    }
}

#[test]
fn the_end_stops_for_good() {
    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    rig.moving(100);
    rig.source.stop();
    for _ in 0..200 {
        rig.ask(true, rig.position_m + 1e-4);
        rig.cycle(true);
    }
    assert!(rig.source.stopped());
    assert_eq!(rig.source.phase(), Phase::Halted(Halt::Asked));
}

#[test]
fn not_armed_means_no_voltage() {
    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    rig.source.armed = false;
    for _ in 0..50 {
        rig.ask(true, rig.position_m);
        rig.cycle(true);
        assert_eq!(rig.set[0].controlword, DISABLE_VOLTAGE);
    }
}

#[test]
fn delays_of_the_controller_make_no_velocity() {
    // Always the same way a cycle, but heard with delays: gaps, and late answers.
    let way_m = 0.05 * VELOCITY * PERIOD_S;
    for late in [0, 1, 3, 5] {
        let mut axes = axis();
        let mut rig = Rig::new(&mut axes);
        rig.source.liveness_cycles = 20;
        rig.moving(0);
        let start_m = rig.position_m;
        for _ in 0..30 {
            rig.ask(true, start_m);
            rig.cycle(true);
        }
        rig.largest_m = 0.0;
        let begun = rig.now;
        let target_m = |cycle: u64| start_m + way_m * (cycle - begun) as f64;
        for n in 0..300_u64 {
            // Heard every fifth cycle, by turns in time and late.
            if n >= 10 && n.is_multiple_of(5) {
                let late = if n.is_multiple_of(10) { 0 } else { late };
                rig.ask_late(late, true, target_m(rig.now - late));
            }
            rig.cycle(true);
            let off_m = rig.position_m - target_m(rig.now - 1);
            if n > 20 {
                assert!(off_m.abs() < 1e-9, "{late} {n}: {off_m}");
            }
        }
        assert_eq!(rig.source.phase(), Phase::Following, "{late}");
        // What it had to catch up with, once: ten cycles, no more.
        assert!(rig.largest_m <= 15.0 * way_m, "{late}: {}", rig.largest_m);
        // And when it falls silent the machine goes on as it went.
        let before_m = rig.position_m;
        (0..5).for_each(|_| rig.cycle(true));
        assert!((rig.position_m - before_m - 5.0 * way_m).abs() < 1e-9);
    }
}

#[test]
fn requests_for_other_times_are_refused() {
    let mut axes = axis();
    let mut rig = Rig::new(&mut axes);
    rig.moving(20);
    let refused = |rig: &Rig<'_>| rig.source.controller().unwrap().refused;
    // Older than the liveness limit, older than the last one, and of a cycle that has not been.
    rig.ask_late(6, true, rig.position_m);
    rig.ask_late(2, true, rig.position_m);
    assert_eq!(refused(&rig), 2);
    let now = rig.now;
    rig.now += 2;
    let request = Request {
        cycle: now + 1,
        axes: &[],
        stations: &[],
        context: Context::default(),
    };
    rig.source.take(&request, now);
    assert_eq!(refused(&rig), 3);
}
