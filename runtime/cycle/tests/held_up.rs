//! An axis that goes slower than any healthy one did: it is judged where it was told to go as fast as they, and left out where it was not.

mod common;
#[path = "common/motion.rs"]
mod motion;
#[path = "common/rig.rs"]
mod rig;

use motion::motion;
use twinstep_cycle::event::{EventState, Source};
use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{AxisPlan, Baseline, JudgeLane, SlowPlan};
use twinstep_models::axis::{AxisParams, LaneParams};
use twinstep_models::blocks::{FEATURES, Paces};
use twinstep_models::channel::Channel;
use twinstep_models::sample::{AxisReading, DriveState, Missing, Told};

/// Two lanes.
const AXES: usize = 9;
const INERTIA: f64 = 0.4;
const COULOMB_A: f64 = 0.8;
const VISCOUS: f64 = 0.3;
/// Speeds (m/s): that of the healthy record, and a slower one.
const LEARNT: f64 = 0.5;
const SLOW: f64 = 0.3;
/// Paces of the record (m/s).
const PACES: Paces = Paces {
    least: 0.45,
    most: 0.55,
};

/// What is raised on `current_load` in half a minute, of which axes, and how many movements of each were left out. All go at `speed` (m/s) with
/// more friction than the twin has, and are told `told` to go at `asked` (m/s).
fn run(speed: f64, told: Told, asked: f64, period_ns: u64) -> (Vec<Source>, [u64; AXES]) {
    let period_s = period_ns as f64 / 1e9;
    let observer = rig::observer(INERTIA, period_s);
    let params = AxisParams {
        inertia: INERTIA,
        coulomb_positive_a: COULOMB_A,
        coulomb_negative_a: COULOMB_A,
        viscous: VISCOUS,
        observer: observer.gains,
        ..AxisParams::IDLE
    };
    let mut baseline = [None; FEATURES];
    let mut paces = [None; FEATURES];
    for direction in 0..2 {
        baseline[direction] = Some(Baseline {
            mean_a: 0.0,
            sigma_a: 0.01,
        });
        paces[direction] = Some(PACES);
    }
    let axis = AxisPlan {
        baseline,
        slow: SlowPlan {
            paces,
            ..SlowPlan::default()
        },
        ..rig::axis(observer, [INERTIA, VISCOUS], [0.2, 0.3])
    };
    let all = [params; AXES];
    let lanes: Vec<_> = all
        .chunks(8)
        .map(|a| LaneParams::new(a, period_s))
        .collect();
    let axes = [axis; AXES];
    let judges: Vec<_> = axes.chunks(8).map(JudgeLane::new).collect();
    let plan = common::plan(period_ns, &lanes, &judges, &axes);
    let (mut state, mut judge) = (vec![LaneState::NEW; 2], vec![AxisJudge::default(); AXES]);
    let mut pipeline = Pipeline::new(plan, &mut state, &mut judge, &mut [], &mut []);
    let mut raised = Vec::new();
    for cycle in 0..(30e9 as u64 / period_ns) {
        let time_s = cycle as f64 * period_s;
        let [position_m, v, a] = motion(time_s, speed);
        let reference = motion(time_s, asked);
        let friction = if v == 0.0 {
            0.0
        } else {
            1.2 * COULOMB_A * v.signum()
        };
        let reading = AxisReading {
            position_m,
            velocity_m_per_s: v,
            current_a: INERTIA * a + friction + VISCOUS * v,
            target_m: if told == Told::Position {
                reference[0]
            } else {
                position_m
            },
            told_m_per_s: if told == Told::Velocity {
                reference[1]
            } else {
                0.0
            },
            told,
            state: DriveState::OperationEnabled,
            ..AxisReading::default()
        };
        let readings: [Result<AxisReading, Missing>; AXES] = [Ok(reading); AXES];
        let samples = rig::samples(&readings);
        let stamp = rig::stamp(cycle, period_ns);
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        while let Some(event) = pipeline.take_event() {
            if event.channel == Channel::CurrentLoad && event.state == EventState::Raised {
                raised.push(event.source);
            }
        }
    }
    let left_out = core::array::from_fn(|n| pipeline.judge(n).map_or(0, |j| j.not_judged().pace));
    (raised, left_out)
}

#[test]
fn an_axis_is_held_up_where_it_was_told_to_be_faster() {
    for period_ns in [1_000_000, 500_000, 4_000_000] {
        for (what, speed, told, asked, found) in [
            ("as ever", LEARNT, Told::Position, LEARNT, true),
            ("held up", SLOW, Told::Position, LEARNT, true),
            ("told to be slow", SLOW, Told::Position, SLOW, false),
            ("held up in CSV", SLOW, Told::Velocity, LEARNT, true),
            ("told to be slow in CSV", SLOW, Told::Velocity, SLOW, false),
            ("told a current", SLOW, Told::Torque, LEARNT, false),
        ] {
            let (mut raised, left_out) = run(speed, told, asked, period_ns);
            let said = format!("{what} at {period_ns} ns: {raised:?}, {left_out:?}");
            raised.sort_by_key(|source| format!("{source:?}"));
            raised.dedup();
            assert_eq!(raised.len(), if found { AXES } else { 0 }, "{said}");
            for count in left_out {
                assert_eq!(count > 15, !found, "{said}");
            }
        }
    }
}
