//! The typed machine: what is left once a configuration was parsed, checked and built. SI units throughout.

mod bus;
mod context;
mod figures;
mod health;
mod judge;
mod kind;
mod loops;
mod modes;
mod motion;
mod motor;
mod part;
mod press;
mod pubsub;
mod realtime;
mod recording;
mod servo;
mod shared;
mod signature;
mod switches;
mod text;
mod tsn;

pub use bus::{
    Behind, Bus, BusPlace, ImageOrder, Overrun, PdoEntry, SECOND_AXIS, SiiFile, SubDevice, Tap,
};
pub use context::{ContextFrom, SimulatedContext, Teller, TellerPlace, Thermometer};
pub use figures::{FigureLaw, FigureOf, RegimeBaseline, RegimePaces};
pub use health::{HealthLimits, LEAK_FACTOR};
pub use judge::{Judge, WarmUp};
pub use kind::AxisKind;
pub use modes::{OperationMode, OperationModes};
pub use motion::{Motion, Step};
pub use motor::Motor;
pub(crate) use part::home_press;
pub use part::{ForceCurve, Known, Lender, MAX_ELASTIC_N_PER_M, OnPress, Part, PartTwin, Slots};
pub use press::{
    Curve, Demand, DriveTrain, EnvelopeDemand, Evaluation, Mechanism, Press, Recipe, Shape, Stroke,
    Turn,
};
pub use pubsub::{DESTINATION, DataSet, DataSetField, PubSub, Publish, Stream, Vlan};
pub use realtime::{
    ClockSource, CycleClock, DEFAULT_PRIORITY, MAX_CORE, MAX_MODEL_CORES, OtherBuses, Policy, Ptp,
    Realtime, RealtimeNic, Wait,
};
pub use recording::{AxisColumns, Column, RecordingMap, StationColumns};
pub use servo::{AxisServo, Bristles, Found, SpringAndGap, TransmissionKind};
pub use shared::{Controller, Shared};
pub use signature::{Healthy, HealthyLoad, MAX_LOADS, SignatureSettings};
pub use switches::{SwitchRange, Switches};
pub use text::Text;
pub use tsn::{Classes, Gate, MAX_CLASSES, MAX_GATES, MAX_QUEUES, PRIORITIES, Qdisc, Tsn, VlanMap};
pub use twinstep_models::innovation::NEXT;
use twinstep_models::kalman::AxisNoise;
use twinstep_models::tail::Tail;

/// Largest number of servo axes and presses together.
pub const MAX_AXES: usize = 1024;
/// Largest number of stations.
pub const MAX_STATIONS: usize = 64;
/// Largest number of SubDevices on one bus.
pub const MAX_SUBDEVICES: usize = 256;
/// Largest number of buses: each has a cycle of its own.
pub const MAX_BUSES: usize = 8;
/// Largest number of steps in a motion program.
pub const MAX_STEPS: usize = 32;
/// Largest number of parts.
pub const MAX_PARTS: usize = 16;
/// Largest number of parts that are met otherwise in one recipe.
pub const MAX_RECIPE_TWINS: usize = 16;
/// Largest number of contexts, of recipe, tool, load and temperature, in which one axis has baselines of its own.
pub const MAX_CONTEXT_BASES: usize = 16;
/// Largest number of recipes.
pub const MAX_RECIPES: usize = 64;
/// Largest number of tools, and of loads.
pub const MAX_NAMES: usize = 64;
/// Largest number of bands of the temperature.
pub const MAX_BANDS: usize = 16;
/// Most turns of a schedule.
pub const MAX_TURNS: usize = 64;
/// Most strokes of one round of a schedule.
pub const MAX_SCHEDULED_STROKES: u32 = 100_000;
/// Largest number of parts in one recipe.
pub const MAX_RECIPE_PARTS: usize = 256;
/// Largest number of columns that cut a recording into segments.
pub const MAX_SEGMENT_COLUMNS: usize = 16;
/// Largest number of faults in `[simulation] inject`.
pub const MAX_FAULTS: usize = 32;
/// Longest name (bytes).
pub const MAX_NAME: usize = 32;

/// A machine, complete and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Name of the machine.
    pub name: String,
    /// Asset id that every event carries; may be empty.
    pub asset_id: String,
    /// Cycle and its budgets.
    pub cycle: Cycle,
    /// How deviations are judged.
    pub judge: Judge,
    /// How the cycle gets its time.
    pub realtime: Realtime,
    /// The bus, or none for a machine that is only replayed.
    pub bus: Option<Bus>,
    /// Which of several buses this is the part of; none: the machine has one bus.
    pub place: Option<BusPlace>,
    /// The press of another bus whose learning stands in `twin` and `recipe_twin` of the parts; none: it is on this one.
    pub lender: Option<Lender>,
    /// Where predictions and deviations are published.
    pub publish: Option<Publish>,
    /// What is set on a network interface for the time of a run.
    pub tsn: Option<Tsn>,
    /// Servo axes, `[[axis]]`.
    pub axes: Vec<Axis>,
    /// Servo presses, `[[press]]`.
    pub presses: Vec<Press>,
    /// Vacuum stations, `[[station]]`.
    pub stations: Vec<Station>,
    /// Part variants that the recipes name, `[[part]]`.
    pub parts: Vec<Part>,
    /// Recipes, `[[recipe]]`: the sequence of parts that is pressed, repeated for ever. Empty: part 0.
    pub recipes: Vec<Recipe>,
    /// In which order, and for how many strokes, the recipes are in force, `[[schedule]]`, repeated for ever. Empty: the first one.
    pub schedule: Vec<Turn>,
    /// Who else tells recipe and part, and who tells tool, load and temperature.
    pub context: ContextFrom,
    /// The simulated machine; none where the machine is real.
    pub simulation: Option<Simulation>,
    /// How the columns of a foreign recording map to this machine.
    pub recording: Option<RecordingMap>,
    /// What is shared with other programs of this computer; none: nothing.
    pub shared: Option<Shared>,
    /// Faults that the configuration asks for on the simulated machine, `[simulation] inject`.
    pub inject: Vec<crate::fault::Fault>,
    /// What it was read from.
    pub text: Text,
}

/// The cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Cycle {
    /// Period (ns), 31_250 to 10_000_000 (up to 1 s for a replay).
    pub period_ns: u64,
    /// Budget per phase in the order of the design (wake, send, predict, receive, compare, publish, correct, acyclic, slack) (ns), none where not set.
    pub budget_ns: [Option<u64>; 9],
    /// Budget per group of models (servo, press, station) (ns), none where not set: predict, compare and correct together.
    pub model_budget_ns: [Option<u64>; 3],
    /// Cycles at the start of a run that are kept apart from its statistics; none: as many as is usual.
    pub warm_up_cycles: Option<u64>,
}

/// A servo axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Unique name; the target of faults.
    pub name: String,
    /// Asset id, else the machine's.
    pub asset_id: Option<String>,
    /// How it moves: what the names of units below mean.
    pub kind: AxisKind,
    /// The drive as it is commissioned.
    pub drive: Drive,
    /// The motor behind it, for what-if.
    pub motor: Option<Motor>,
    /// What the twin's one mass leaves out, for what-if; none: nothing is known of it.
    pub servo: Option<AxisServo>,
    /// Its motion program.
    pub motion: Motion,
    /// The twin's parameters; none until calibrated.
    pub twin: Option<AxisTwin>,
    /// Gravity as the user states it (N, positive pulls towards smaller positions): calibration holds it; none: it is sought.
    pub stated_gravity_n: Option<f64>,
    /// How signatures of its movements are taken; none: they are not.
    pub signature: Option<SignatureSettings>,
    /// What healthy signatures look like; none until calibrated.
    pub healthy: Option<Healthy>,
    /// Where the life of what wears ends.
    pub health: HealthLimits,
    /// The plant behind the simulated drive.
    pub plant: Option<AxisPlant>,
    /// What stands for the effort of the drive: a current everywhere but in recordings that hold a force.
    pub effort_unit: EffortUnit,
}

impl Axis {
    /// Unit of the drive's effort as it is printed: A, or what a recording holds instead, N or N m.
    pub fn effort(&self) -> &'static str {
        self.kind.unit(self.effort_unit.symbol())
    }
}

/// Unit of an axis' effort: of the channels `current_next` and `current_load`, and of every field whose name ends in `_a`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EffortUnit {
    /// A current (A).
    #[default]
    Ampere,
    /// A force (N), of a rotary axis a torque (N m): `force_constant_n_per_a` is 1.
    Newton,
}

impl EffortUnit {
    /// The unit as it is printed of a linear axis.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Ampere => "A",
            Self::Newton => "N",
        }
    }
}

/// The drive and its scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct Drive {
    /// Way per motor revolution: lead of the screw or circumference of the pulley (m); of a rotary axis its angle (rad).
    pub feed_m_per_rev: f64,
    /// Encoder increments per motor revolution (0x608F / 0x6091 as one figure).
    pub counts_per_rev: f64,
    /// Rated current 0x6075 (A).
    pub rated_current_a: f64,
    /// Torque constant (N m/A): rated torque 0x6076 is this times the rated current.
    pub torque_constant_nm_per_a: f64,
    /// Largest torque 0x6072 (per mille of rated torque).
    pub max_torque_permille: u16,
    /// Position controller gain (1/s).
    pub position_gain_per_s: f64,
    /// Velocity controller gain (A s/m, on the axis' own velocity).
    pub velocity_gain_a_s_per_m: f64,
    /// Velocity controller integral time (s).
    pub velocity_integral_time_s: f64,
    /// Current loop time constant (s).
    pub current_time_constant_s: f64,
    /// Filter of the torque actual value (s).
    pub torque_filter_s: f64,
    /// Positive direction of the motor moves to larger positions (+1) or smaller (-1).
    pub direction: f64,
}

/// What `calibrate` found: the twin.
///
/// Forces are those of the axis; divided by `force_constant_n_per_a` they are currents, and only these ratios are identified.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisTwin {
    /// Force per current (N/A): 2 pi Kt / feed, from the catalogue.
    pub force_constant_n_per_a: f64,
    /// All moved inertia as a mass on the axis (kg).
    pub mass_kg: f64,
    /// Coulomb friction in positive direction (N).
    pub coulomb_positive_n: f64,
    /// Coulomb friction in negative direction (N, positive number).
    pub coulomb_negative_n: f64,
    /// Viscous friction (N s/m).
    pub viscous_n_s_per_m: f64,
    /// Stribeck: static minus Coulomb friction (N).
    pub stribeck_n: f64,
    /// Stribeck velocity (m/s).
    pub stribeck_velocity_m_per_s: f64,
    /// Constant force: gravity and offset (N), positive pulls towards smaller positions.
    pub gravity_n: f64,
    /// Drive cascade as seen from the controller, none where calibration could not validate it.
    pub cascade: Option<Cascade>,
    /// Why there is none, as calibration found.
    pub cascade_off: Option<String>,
    /// What is uncertain about the axis, the walk of the disturbance in A; none: an observer of 100 Hz.
    pub noise: Option<AxisNoise>,
    /// Delay of the torque actual value against the position actual value (s, -1 to 2 periods): the torque filter and
    /// latch.
    pub current_delay_s: f64,
    /// Lag of `current_load` (s, 0 to 1), 0: the usual 8 ms. A coarse encoder needs more, for its accelerations are noise.
    pub load_lag_s: f64,
    /// Figures of movements in the healthy record, per regime and context.
    pub baseline: Vec<RegimeBaseline>,
    /// Modes of operation in the healthy record.
    pub modes: OperationModes,
    /// Paces of the healthy record, per regime and context; none of a regime: it is judged at any.
    pub paces: Vec<RegimePaces>,
    /// Limit of the one-cycle innovation of position (m); none: the channel is off.
    pub position_limit_m: Option<f64>,
    /// Limit of the one-cycle innovation of velocity (m/s); none: the channel is off.
    pub velocity_limit_m_per_s: Option<f64>,
    /// Limit of the one-cycle innovation of current (A); none: the channel is off.
    pub current_limit_a: Option<f64>,
    /// Healthy innovations of position, velocity and current, from which thresholds follow; a limit above overrides its own.
    ///
    /// The drift of a free run comes last, in the same form: not correlated, and with a fast limit alone.
    pub innovations: [Option<HealthyInnovation>; HealthyInnovation::COUNT],
}

/// The one-cycle innovation of one channel in the healthy record: `y = (e - correlation e') / sigma`, e' being the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthyInnovation {
    /// Correlation with the innovation before (-0.99 to 0.99).
    pub correlation: f64,
    /// Standard deviation of what is left (unit of the channel, > 0).
    pub sigma: f64,
    /// Tail of the size of the innovation itself (`sigma`); none: not judged so.
    pub fast_limit: Option<Tail>,
    /// Tail of the window (1); none: not judged so.
    pub window: Option<Tail>,
    /// Tail of the larger CUSUM (1); none: not judged so.
    pub cusum: Option<Tail>,
}

impl HealthyInnovation {
    /// Names of the channels in the configuration.
    pub const CHANNELS: [&'static str; Self::COUNT] =
        ["position_next", "velocity_next", "current_next", "drift"];
    /// Number of the channels.
    pub const COUNT: usize = NEXT + 1;
    /// Place of the drift.
    pub const DRIFT: usize = NEXT;
    /// Names of the detectors in the configuration.
    pub const DETECTORS: [&'static str; 3] = ["fast_limit", "window", "cusum"];

    /// The tails in the order of [`Self::DETECTORS`].
    pub fn tails(&self) -> [Option<Tail>; 3] {
        [self.fast_limit, self.window, self.cusum]
    }
}

/// Linear drive cascade: i = kp (kx (r - x) + kv r' - v) + ki Int(..) + ka r'', limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cascade {
    /// Position gain (1/s).
    pub position_gain_per_s: f64,
    /// Velocity gain (A s/m).
    pub velocity_gain_a_s_per_m: f64,
    /// Integral gain of the velocity loop (A/m).
    pub integral_gain_a_per_m: f64,
    /// Velocity feed-forward (0 to 1).
    pub velocity_feedforward: f64,
    /// Dead time from the target that was sent to its effect (s, 0 to 4 periods).
    pub dead_time_s: f64,
    /// Time from a target velocity or torque, or an offset, that was sent to its effect (s, 0 to 4 periods); none: the dead time less a
    /// period.
    pub reference_delay_s: Option<f64>,
    /// Current limit (A).
    pub limit_a: f64,
    /// Time constant of the current loop (s).
    pub current_time_constant_s: f64,
    /// Filter in front of the torque actual value (s).
    pub current_filter_s: f64,
    /// The loops are closed once a cycle and the output is held in between.
    pub sampled: bool,
}

/// The plant behind a simulated drive: what the builder's table says. `machine_seed` draws the machine around it.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisPlant {
    /// Moved mass (kg), without the motor and, behind a crank or a table, without the ram.
    pub load_mass_kg: f64,
    /// Motor and screw or pulley inertia (kg m2).
    pub motor_inertia_kg_m2: f64,
    /// Coulomb friction of the guide (N).
    pub coulomb_n: f64,
    /// Static over Coulomb friction (1).
    pub static_ratio: f64,
    /// Stribeck velocity (m/s).
    pub stribeck_velocity_m_per_s: f64,
    /// Viscous friction (N s/m).
    pub viscous_n_s_per_m: f64,
    /// 1 for a vertical axis (gravity pulls towards smaller positions), 0 for a horizontal one, -1 where positive is down (1, -1 to 1).
    pub gravity: f64,
    /// Stiffness between motor and load (N/m).
    pub stiffness_n_per_m: f64,
    /// Backlash of the new machine (m).
    pub backlash_m: f64,
    /// Cogging torque amplitude (N m).
    pub cogging_nm: f64,
    /// Efficiency of the screw, belt or gear (1).
    pub efficiency: f64,
    /// The same where the load drives the motor (1, 0 to 1); none: as much is lost that way.
    pub efficiency_back: Option<f64>,
    /// Switches along the axis, wired to the drive.
    pub switches: Switches,
    /// Mass that it carries besides (kg), by recipe; nothing in others.
    pub payloads: Vec<(u8, f64)>,
}

/// A vacuum station.
#[derive(Clone, Debug, PartialEq)]
pub struct Station {
    /// Unique name; the target of faults.
    pub name: String,
    /// Asset id, else the machine's.
    pub asset_id: Option<String>,
    /// Pressure per increment of the analogue input (Pa), 0 where not known.
    pub pressure_pa_per_count: f64,
    /// Pressure at count 0 (Pa).
    pub pressure_offset_pa: f64,
    /// Time the ejector is on (s).
    pub evacuate_s: f64,
    /// Time the part is held with the ejector off (s).
    pub hold_s: f64,
    /// Time of the blow-off and rest (s).
    pub release_s: f64,
    /// Leak rate at the final pressure from which on the circuit is leaky (Pa/s); none: a hold is not judged while it lasts.
    pub leak_limit_pa_per_s: Option<f64>,
    /// Leak rate at the end of its life, relative to the calibrated one (1.01 to 1e6).
    pub leak_factor: f64,
    /// The twin's parameters; none until calibrated.
    pub twin: Option<StationTwin>,
    /// The simulated circuit.
    pub plant: Option<StationPlant>,
}

impl Station {
    /// A station of this name for a machine that is made without a file: it counts in Pa, evacuates for half a second, holds for one, and has
    /// neither twin nor plant.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            asset_id: None,
            pressure_pa_per_count: 1.0,
            pressure_offset_pa: 0.0,
            evacuate_s: 0.5,
            hold_s: 1.0,
            release_s: 0.5,
            leak_limit_pa_per_s: None,
            leak_factor: LEAK_FACTOR,
            twin: None,
            plant: None,
        }
    }
}

/// The vacuum circuit as the twin knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StationTwin {
    /// Pressure the ejector reaches, or the supply of a chamber under pressure (Pa).
    pub final_pressure_pa: f64,
    /// Time constant of the evacuation (s).
    pub evacuation_time_constant_s: f64,
    /// Dead time of the valve (s); none: the time constant has it in it.
    pub valve_delay_s: Option<f64>,
    /// Healthy leak rate while holding, at the final pressure (Pa/s).
    pub leak_pa_per_s: f64,
    /// Its standard deviation from hold to hold (Pa/s).
    pub leak_sigma_pa_per_s: f64,
    /// Limit of the one-cycle innovation of pressure (Pa), which overrides the tail; without both the channel is off.
    pub pressure_limit_pa: Option<f64>,
    /// Standard deviation of the one-cycle innovation of pressure in the healthy record (Pa, > 0), and the tail of its size in that unit.
    pub pressure_tail: Option<(f64, Tail)>,
    /// Standard deviation of a reading (Pa); none: to be learnt.
    pub noise_pa: Option<f64>,
}

/// The simulated vacuum circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StationPlant {
    /// Pressure the ejector reaches (Pa).
    pub final_pressure_pa: f64,
    /// Time constant of the evacuation (s).
    pub evacuation_time_constant_s: f64,
    /// Leak rate at full vacuum (Pa/s).
    pub leak_pa_per_s: f64,
    /// Sensor noise (Pa, standard deviation).
    pub noise_pa: f64,
}

/// The simulated machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulation {
    /// Draws the machine once: all plant parameters.
    pub machine_seed: u64,
    /// Frames take the time of a 100 Mbit wire.
    pub wire_time: bool,
}
