//! From the typed machine to the cycle's plan and its memory: the one place where configuration becomes parameters.

mod contacts;
pub(crate) mod curves;
pub(crate) mod figures;
mod linked;
mod signature;
mod state;

pub(crate) use linked::behind;
pub use state::StateStore;

use crate::false_alarms::Shares;
use crate::press_plan;
use crate::simd;
use crate::thresholds;
use twinstep_config::machine::{
    Axis, Machine, OperationMode, OperationModes, Press, Station, Stroke,
};
use twinstep_cycle::digest;
use twinstep_cycle::health::{AxisHealth, PressHealth, StationHealth};
use twinstep_cycle::motion::{Program, Step};
use twinstep_cycle::plan::{
    AxisPlan, ContextBases, JudgeLane, LinkedPress, MAX_BY_RECIPE, MAX_PARTS, Modes, PartCurve,
    Plan, SlowPlan, StationPlan, Thresholds, WarmUp,
};
use twinstep_cycle::press::PressPlan;
use twinstep_cycle::setpoint::{AxisProgram, OuterGains, StationProgram};
use twinstep_cycle::signature::SignaturePlan;
use twinstep_models::abrupt;
use twinstep_models::axis::{AxisParams, LaneParams};
use twinstep_models::blocks::FEATURES;
use twinstep_models::kalman::{self, AxisNoise, Gains, Steady};
use twinstep_models::lane::LANES;
use twinstep_models::press::Contact;
use twinstep_models::press::evaluate::Object;
use twinstep_models::rank::VERTICAL;
use twinstep_models::regime::RegimeParams;
use twinstep_models::sample::{Only, Told};
use twinstep_models::simd::Level;
use twinstep_models::vacuum::{Circuit, VacuumParams, alarm_sigma};

/// Bandwidth of an observer whose noise is not known (Hz): above the drive's velocity loop the position is all noise.
const OBSERVER_HZ: f64 = 100.0;
/// Horizon of the free run of `drift` (s): the time a movement of a machine takes to get going.
const HORIZON_S: f64 = 0.1;
/// Its least length (cycles).
const LEAST_HORIZON_CYCLES: u32 = 10;
/// Noise of an encoder that is not known (m).
const ENCODER_M: f64 = 1e-6;
/// Slack of the CUSUM (standard deviations): warm-up and part spread must not add up to an alarm.
const SLACK: f64 = 2.0;
/// Time in which nothing is judged after a start or a gap (s).
const SETTLE_S: f64 = 0.5;
/// Time after a start in the other direction that counts as reversal (s).
const REVERSAL_S: f64 = 0.03;
/// Way after which an axis that is not enabled has moved (m).
const MOVEMENT_M: f64 = 0.5e-3;

/// What a plan says that is as it was before there was a choice: such a plan is called as it was.
const USUAL: [&str; 4] = [
    ", reference_delay_s: None",
    ", modes: Modes(1)",
    ", warm_up: None",
    ", closed_cycles: 0, opens: None",
];

/// The plan's own memory.
#[derive(Clone, Debug)]
pub struct PlanStore {
    period_ns: u64,
    lanes: Vec<LaneParams>,
    judges: Vec<JudgeLane>,
    axes: Vec<AxisPlan>,
    stations: Vec<StationPlan>,
    presses: Vec<PressPlan>,
    objects: Vec<Object>,
    curves: Vec<PartCurve>,
    linked: Vec<LinkedPress>,
    contexts: Vec<ContextBases>,
    thresholds: Thresholds,
    level: Level,
    signatures: Vec<SignaturePlan>,
    axis_health: Vec<AxisHealth>,
    station_health: Vec<StationHealth>,
    press_health: Vec<PressHealth>,
    /// Parameters per axis, for roll-outs.
    pub params: Vec<AxisParams>,
}

impl PlanStore {
    /// Builds the plan of a machine.
    pub fn new(machine: &Machine) -> Self {
        let period_s = machine.cycle.period_ns as f64 / 1e9;
        let all: Vec<(&Axis, Option<&Press>)> = (machine.axes.iter().map(|a| (a, None)))
            .chain(machine.presses.iter().map(|p| (&p.axis, Some(p))))
            .collect();
        let params: Vec<AxisParams> = (all.iter())
            .map(|(axis, _)| axis_params(axis, period_s))
            .collect();
        let lanes = params
            .chunks(LANES)
            .map(|axes| LaneParams::new(axes, period_s))
            .collect();
        let shares = shares(machine);
        let axes: Vec<AxisPlan> = all
            .iter()
            .zip(&params)
            .map(|((axis, press), p)| axis_plan(axis, *press, p, machine, period_s, shares))
            .collect();
        let axis_health = all
            .iter()
            .zip(&params)
            .map(|((axis, press), p)| crate::health::axis_health(axis, *press, p, period_s))
            .collect();
        let station_health = (machine.stations.iter())
            .map(crate::health::station_health)
            .collect();
        let stations: Vec<StationPlan> = machine
            .stations
            .iter()
            .map(|s| station_plan(s, machine, period_s, shares))
            .collect();
        let limits = Thresholds {
            slack: SLACK,
            threshold: figures::threshold(machine.judge.false_alarm_interval_s, shares),
            settle_cycles: ((SETTLE_S / period_s) as u32).max(1),
            horizon_cycles: ((HORIZON_S / period_s) as u32).max(LEAST_HORIZON_CYCLES),
            warm_up: machine.judge.warm_up.map(|one| WarmUp {
                lasts_cycles: (one.lasts_s / period_s) as u64,
                rest_cycles: (one.rest_s / period_s) as u64,
            }),
        };
        let (presses, objects) = press_plan::presses(machine);
        let mut judges: Vec<JudgeLane> = axes.chunks(LANES).map(JudgeLane::new).collect();
        let linked = linked::linked(machine);
        linked::mark(&linked, &mut judges);
        Self {
            press_health: crate::health::presses::press_health(machine, &presses),
            presses,
            objects,
            curves: curves::curves(machine),
            linked,
            contexts: figures::by_context(machine, shares),
            period_ns: machine.cycle.period_ns,
            lanes,
            judges,
            axes,
            stations,
            thresholds: limits,
            level: simd::detected(),
            signatures: signature::plans(machine, shares),
            axis_health,
            station_health,
            params,
        }
    }

    /// The plan.
    pub fn plan(&self) -> Plan<'_> {
        Plan {
            period_ns: self.period_ns,
            lanes: &self.lanes,
            judges: &self.judges,
            axes: &self.axes,
            stations: &self.stations,
            presses: &self.presses,
            objects: &self.objects,
            curves: &self.curves,
            linked: &self.linked,
            contexts: &self.contexts,
            first_axis: 0,
            thresholds: self.thresholds,
            level: self.level,
        }
    }

    /// The same plan on another vector unit.
    pub fn on(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// How signatures are taken and judged, one an axis that has them.
    pub fn signatures(&self) -> &[SignaturePlan] {
        &self.signatures
    }

    /// A short name for this plan that changes with every parameter.
    pub fn hash(&self) -> String {
        self.hash_on("")
    }

    /// The same for the plan of one of several buses: two buses with the same parameters are watched apart.
    pub fn hash_on(&self, bus: &str) -> String {
        // What the lanes hold is made of these, and the vector unit changes no result.
        let mut text = format!(
            "{} {:?} {:?} {:?} {:?} {} {:?} {:?}",
            self.period_ns,
            self.params,
            self.axes,
            self.stations,
            self.thresholds,
            signature::text(&self.signatures),
            self.presses,
            self.objects
        );
        for usual in USUAL {
            text = text.replace(usual, "");
        }
        // A plan without curves, without contexts, or without twins behind a linkage is called as it was before there were any.
        if !self.curves.is_empty() {
            text.push_str(&format!(" {:?}", self.curves));
        }
        if !self.linked.is_empty() {
            text.push_str(&format!(" {:?}", self.linked));
        }
        if !self.contexts.is_empty() {
            text.push_str(&format!(" {:?}", self.contexts));
        }
        text.push_str(bus);
        let hash = text.as_bytes().chunks(8).fold(0, |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            digest::mix(hash, u64::from_le_bytes(word))
        });
        format!("{:016x}", digest::finish(hash))
    }
}

/// All streams that may raise a false alarm and share the asked interval: features of movements, leaks, signatures, and the
/// detectors of innovations.
pub fn shares(machine: &Machine) -> Shares {
    let (known, unknown) = figures::counts(machine);
    let stations = (machine.stations.iter())
        .filter(|station| station.twin.is_some())
        .count();
    Shares {
        tails: thresholds::streams(machine) + known + signature::streams(machine),
        figures: unknown + stations,
    }
}

/// Threshold of the CUSUMs over figures of movements and holds (standard deviations of a figure).
pub fn figures_threshold(machine: &Machine) -> f64 {
    figures::threshold(machine.judge.false_alarm_interval_s, shares(machine))
}

/// Parameters of one axis; an axis without a twin idles and is not judged.
pub fn axis_params(axis: &Axis, period_s: f64) -> AxisParams {
    let Some(twin) = &axis.twin else {
        return AxisParams::IDLE;
    };
    let kf = twin.force_constant_n_per_a;
    let mut params = AxisParams {
        coulomb_positive_a: twin.coulomb_positive_n / kf,
        coulomb_negative_a: twin.coulomb_negative_n / kf,
        stribeck_a: twin.stribeck_n / kf,
        // Without a Stribeck effect its velocity only says how slow an axis must be for its direction to be noise.
        stribeck_velocity_m_per_s: if twin.stribeck_velocity_m_per_s > 0.0 {
            twin.stribeck_velocity_m_per_s
        } else {
            0.01
        },
        gravity_a: twin.gravity_n / kf,
        observer: observer(axis, period_s).gains,
        current_delay_s: twin.current_delay_s,
        load_lag_s: twin.load_lag_s,
        ..twin.loops()
    };
    if let Some(cascade) = &twin.cascade {
        params.limit_a = cascade.limit_a;
        params.dead_time_s = cascade.dead_time_s;
        params.reference_delay_s = cascade.reference_delay_s;
    }
    params
}

/// The observer of an axis.
///
/// An axis whose noise is not known has one that is as fast as a drive's position loop; what of its noise is measured then
/// does not matter, only ratios do.
pub fn observer(axis: &Axis, period_s: f64) -> Steady {
    let Some(twin) = &axis.twin else {
        return Steady::BLIND;
    };
    let inertia = twin.mass_kg / twin.force_constant_n_per_a;
    let standard = || AxisNoise::of_bandwidth(OBSERVER_HZ, ENCODER_M, inertia, period_s);
    let noise = twin.noise.unwrap_or_else(standard);
    // A checked configuration holds nothing that is refused; an observer that takes nothing in would be seen at once.
    kalman::steady(period_s, inertia, &noise).unwrap_or(Steady::BLIND)
}

fn axis_plan(
    axis: &Axis,
    press: Option<&Press>,
    p: &AxisParams,
    machine: &Machine,
    period_s: f64,
    shares: Shares,
) -> AxisPlan {
    let (mut baseline, mut slow) = ([None; FEATURES], SlowPlan::default());
    let mut innovation = thresholds::Innovation::default();
    let mut contacts = [Contact::default(); MAX_PARTS];
    let mut by_recipe = [None; MAX_BY_RECIPE];
    let speed = if axis.motion.velocity_m_per_s > 0.0 {
        axis.motion.velocity_m_per_s
    } else {
        0.1
    };
    let acceleration = if axis.motion.acceleration_m_per_s2 > 0.0 {
        axis.motion.acceleration_m_per_s2
    } else {
        1.0
    };
    if let Some(twin) = &axis.twin {
        let asked_s = machine.judge.false_alarm_interval_s;
        (baseline, slow) =
            figures::baselines(twin, press.is_some(), Only::ALWAYS, &machine.judge, shares);
        innovation = thresholds::of(twin, asked_s, shares);
        if let Some(press) = press {
            (contacts, by_recipe) = contacts::contacts(machine, press, twin.force_constant_n_per_a);
        }
    }
    let way_m_per_a = period_s * period_s / p.inertia;
    AxisPlan {
        limits: innovation.limits,
        whitened: innovation.whitened,
        regime: RegimeParams {
            standstill_m_per_s: 0.002 * speed,
            steady_m_per_s2: 0.05 * acceleration,
            reversal_cycles: (REVERSAL_S / period_s) as u32,
            pressing_a: 0.02 * p.limit_a,
        },
        baseline,
        slow,
        gravity_a: p.gravity_a,
        observer: observer(axis, period_s),
        inertia: axis.twin.is_some().then_some(p.inertia),
        // Of both directions: one alone may have next to no friction.
        carries_weight: p.gravity_a.abs()
            > VERTICAL * 0.5 * (p.coulomb_positive_a + p.coulomb_negative_a),
        viscous: p.viscous,
        cycle_way_m: p.limit_a * way_m_per_a,
        hop_m: abrupt::least_hop_m(
            p.limit_a * way_m_per_a,
            (p.coulomb_positive_a.abs().max(p.coulomb_negative_a.abs()) + p.gravity_a.abs())
                * way_m_per_a,
        ),
        carried: carried(&p.observer, p.inertia, period_s),
        contacts,
        drift_limit_m: innovation.drift_m,
        by_recipe,
        movement_m: MOVEMENT_M,
        modes: (axis.twin.as_ref()).map_or(Modes::POSITION, |twin| modes(twin.modes)),
    }
}

/// Modes in which innovations are judged.
fn modes(learnt: OperationModes) -> Modes {
    let told = [
        (OperationMode::Position, Told::Position),
        (OperationMode::Velocity, Told::Velocity),
        (OperationMode::Torque, Told::Torque),
    ];
    (told.into_iter().filter(|(mode, _)| learnt.hold(*mode)))
        .fold(Modes::NONE, |modes, (_, told)| modes.with(told))
}

/// Share of an innovation of position that is in the next prediction: position, velocity and force are corrected by it.
fn carried(gains: &Gains, inertia: f64, period_s: f64) -> f64 {
    let force = gains.disturbance_a_per_m / inertia;
    gains.position + period_s * (gains.velocity_per_s + 0.5 * period_s * force)
}

/// Direction of the way into the part: +1 or -1.
pub fn way_in(stroke: &Stroke) -> f64 {
    if stroke.bottom_m > stroke.top_m {
        1.0
    } else {
        -1.0
    }
}

fn station_plan(
    station: &Station,
    machine: &Machine,
    period_s: f64,
    shares: Shares,
) -> StationPlan {
    let twin = station.twin.as_ref();
    let asked_s = machine.judge.false_alarm_interval_s;
    let judged_s = asked_s * machine.stations.len() as f64;
    StationPlan {
        vacuum: VacuumParams::new(&Circuit {
            final_pressure_pa: twin.map_or(20_000.0, |t| t.final_pressure_pa),
            time_constant_s: twin.map_or(0.1, |t| t.evacuation_time_constant_s),
            valve_delay_s: twin.and_then(|t| t.valve_delay_s).unwrap_or(0.0),
            leak_pa_per_s: twin.map_or(0.0, |t| t.leak_pa_per_s.max(0.0)),
            leak_sigma_pa_per_s: twin.map_or(0.0, |t| t.leak_sigma_pa_per_s),
            leak_limit_pa_per_s: twin.and(station.leak_limit_pa_per_s),
            noise_pa: twin.and_then(|t| t.noise_pa).unwrap_or(0.0),
            resolution_pa: station.pressure_pa_per_count.abs(),
            // One independent look at a hold a second.
            alarm_sigma: alarm_sigma(judged_s / twinstep_models::vacuum::WINDOW_S),
            period_s,
            // A station that only holds has no valves that settle.
            settle_s: if station.evacuate_s > 0.0 {
                twinstep_models::identify::VACUUM_SETTLE_S
            } else {
                0.0
            },
            least_s: twinstep_models::identify::VACUUM_LEAST_S,
        }),
        limit_pa: twin.and_then(|t| thresholds::pressure_pa(t, asked_s, shares)),
        leak: twin.map(|t| (t.leak_pa_per_s, t.leak_sigma_pa_per_s)),
    }
}

/// Programs of axes and presses.
pub fn programs(machine: &Machine) -> Vec<AxisProgram> {
    let axes = machine.axes.iter().map(|axis| {
        let steps = axis.motion.program.iter().map(|s| Step {
            to_m: s.to_m,
            velocity_m_per_s: s.velocity_m_per_s.unwrap_or(axis.motion.velocity_m_per_s),
            dwell_s: s.dwell_s,
            ends_stroke: false,
            told: match s.mode {
                OperationMode::Position => Told::Position,
                OperationMode::Velocity => Told::Velocity,
                OperationMode::Torque => Told::Torque,
            },
        });
        program(axis, steps)
    });
    let presses = machine.presses.iter().map(|press| {
        let (s, fast) = (&press.stroke, press.axis.motion.velocity_m_per_s);
        let step = |to_m, velocity_m_per_s, dwell_s, ends_stroke| Step {
            to_m,
            velocity_m_per_s,
            dwell_s,
            ends_stroke,
            told: Told::Position,
        };
        let steps = [
            step(s.approach_m, fast, 0.0, false),
            step(s.bottom_m, s.press_velocity_m_per_s, s.hold_s, false),
            step(s.top_m, fast, s.rest_s, true),
        ];
        program(&press.axis, steps.into_iter())
    });
    axes.chain(presses).collect()
}

fn program(axis: &Axis, steps: impl Iterator<Item = Step>) -> AxisProgram {
    AxisProgram::new(Program {
        // The configuration allows no more steps than fit.
        steps: steps.take(twinstep_cycle::motion::MAX_STEPS).collect(),
        acceleration_m_per_s2: axis.motion.acceleration_m_per_s2,
        jerk_m_per_s3: axis.motion.jerk_m_per_s3,
    })
    .with_gains(OuterGains {
        position_gain_per_s: axis.drive.position_gain_per_s,
        velocity_gain: axis.drive.velocity_gain_a_s_per_m,
        integral_time_s: axis.drive.velocity_integral_time_s,
        limit_a: axis.drive.rated_current_a * f64::from(axis.drive.max_torque_permille) / 1000.0,
    })
}

/// Sequences of the stations.
pub fn station_programs(machine: &Machine) -> Vec<StationProgram> {
    let period_s = machine.cycle.period_ns as f64 / 1e9;
    let cycles = |time_s: f64| (time_s / period_s) as u64;
    (machine.stations.iter())
        .map(|s| StationProgram {
            evacuate_cycles: cycles(s.evacuate_s),
            hold_cycles: cycles(s.hold_s),
            release_cycles: cycles(s.release_s),
        })
        .collect()
}

/// Time in which program time is ramped down on a stop (s), one for all axes, so that they stay on their paths together.
///
/// The ramp is a smooth step: its steepest slope is 1.5 over its time, which adds `1.5 v / T` to the acceleration of the path.
/// Three times `v / a` of the slowest axis keeps that below half of any axis' acceleration limit.
pub fn stop_ramp_s(machine: &Machine) -> f64 {
    let axes = machine
        .axes
        .iter()
        .chain(machine.presses.iter().map(|p| &p.axis));
    axes.map(|a| 3.0 * a.motion.velocity_m_per_s / a.motion.acceleration_m_per_s2)
        .filter(|time| time.is_finite())
        .fold(0.1, f64::max)
}
