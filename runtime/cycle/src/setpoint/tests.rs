use super::*;
use crate::motion::Step;
use twinstep_models::sample::Told;

const PERIOD_S: f64 = 0.001;

fn programs() -> [AxisProgram; 2] {
    let mut steps = heapless::Vec::new();
    for to_m in [0.2, 0.0] {
        let step = Step {
            to_m,
            velocity_m_per_s: 0.5,
            dwell_s: 0.1,
            ends_stroke: false,
            told: Told::Position,
        };
        steps.push(step).expect("two steps fit");
    }
    let program = Program {
        steps,
        acceleration_m_per_s2: 5.0,
        jerk_m_per_s3: 100.0,
    };
    [AxisProgram::new(program.clone()), AxisProgram::new(program)]
}

/// Two perfect drives: enabled one state a cycle, on their target while enabled.
struct Rig<'a> {
    source: ProgramSource<'a>,
    state: [DriveState; 2],
    position_m: [f64; 2],
    set: [AxisSetpoint; 2],
}

impl<'a> Rig<'a> {
    fn new(axes: &'a mut [AxisProgram]) -> Self {
        let source = ProgramSource::new(axes, &[], &[], 2, PERIOD_S, 0.3, true);
        let state = [DriveState::SwitchOnDisabled; 2];
        Self {
            source,
            state,
            position_m: [0.05; 2],
            set: Default::default(),
        }
    }

    fn cycle(&mut self, lost: bool) {
        let reading = |n: usize| AxisReading {
            position_m: self.position_m[n],
            state: self.state[n],
            ..AxisReading::default()
        };
        let axes = [0, 1].map(|n| {
            if lost {
                Err(Missing::NoFrame)
            } else {
                Ok(reading(n))
            }
        });
        let context = Context::default();
        let samples = Samples {
            axes: &axes,
            stations: &[],
            context,
            bus: Ok(()),
        };
        let mut out = Setpoints {
            cycle: 0,
            axes: &mut self.set,
            stations: &mut [],
            context,
        };
        self.source.next(&samples, 0, &mut out);
        for n in 0..2 {
            if lost {
                continue;
            }
            self.state[n] = match (self.state[n], self.set[n].controlword) {
                (DriveState::Fault, _) => DriveState::Fault,
                (_, SHUTDOWN) => DriveState::ReadyToSwitchOn,
                (_, SWITCH_ON) => DriveState::SwitchedOn,
                (_, ENABLE_OPERATION) => DriveState::OperationEnabled,
                _ => DriveState::SwitchOnDisabled,
            };
            if self.state[n] == DriveState::OperationEnabled {
                self.position_m[n] = self.set[n].target_m;
            }
        }
    }
}

#[test]
fn drives_are_enabled_and_move() {
    let mut axes = programs();
    let mut rig = Rig::new(&mut axes);
    (0..300).for_each(|_| rig.cycle(false));
    assert_eq!(rig.state, [DriveState::OperationEnabled; 2]);
    assert!(rig.position_m[0] > 0.06, "{:?}", rig.position_m);
}

#[test]
fn a_drive_that_faults_stops_the_machine_and_nothing_starts_again() {
    let mut axes = programs();
    let mut rig = Rig::new(&mut axes);
    (0..300).for_each(|_| rig.cycle(false));
    rig.state[0] = DriveState::Fault;
    (0..600).for_each(|_| rig.cycle(false));
    assert_eq!(rig.state[1], DriveState::ReadyToSwitchOn);
    assert!(rig.source.stopped());
    let rest_m = rig.position_m;
    // Somebody resets the fault at the drive.
    rig.state[0] = DriveState::SwitchOnDisabled;
    (0..600).for_each(|_| rig.cycle(false));
    assert_ne!(rig.state[0], DriveState::OperationEnabled);
    assert_eq!(rig.position_m, rest_m);
}

#[test]
fn targets_never_jump_after_a_long_loss() {
    for lost in [1, 4, 5, 20, 80] {
        let mut axes = programs();
        let mut rig = Rig::new(&mut axes);
        (0..150).for_each(|_| rig.cycle(false));
        (0..lost).for_each(|_| rig.cycle(true));
        let mut last_m = rig.position_m[0];
        let mut largest_m: f64 = 0.0;
        let mut highest_m: f64 = 0.0;
        for cycle in 0..1000 {
            rig.cycle(false);
            if cycle > 0 || lost > 4 {
                largest_m = largest_m.max((rig.set[0].target_m - last_m).abs());
            }
            last_m = rig.set[0].target_m;
            highest_m = highest_m.max(rig.position_m[0]);
        }
        assert!(
            largest_m < 0.5 * PERIOD_S * 1.001,
            "{lost} lost: {largest_m}"
        );
        assert!(highest_m > 0.19, "{lost} lost: it goes on, to {highest_m}");
    }
}

#[test]
fn not_armed_means_no_voltage() {
    let mut axes = programs();
    let mut rig = Rig::new(&mut axes);
    rig.source.armed = false;
    (0..300).for_each(|_| rig.cycle(false));
    assert_eq!(rig.set[0].controlword, DISABLE_VOLTAGE);
    assert_eq!(rig.position_m, [0.05; 2]);
}

#[test]
fn armed_later_the_axes_start_from_where_they_stand() {
    let mut axes = programs();
    let mut rig = Rig::new(&mut axes);
    rig.source.armed = false;
    (0..300).for_each(|_| rig.cycle(false));
    // Somebody pushes an axis by hand.
    rig.position_m[0] = 0.12;
    rig.source.arm();
    let mut last_m = rig.position_m[0];
    for _ in 0..300 {
        rig.cycle(false);
        let step_m = (rig.position_m[0] - last_m).abs();
        assert!(step_m < 0.5 * PERIOD_S * 1.001, "{step_m}");
        last_m = rig.position_m[0];
    }
    assert!(rig.source.armed() && (last_m - 0.12).abs() > 0.01);
}
