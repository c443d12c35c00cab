//! The tables of an axis or press: drive, motion, stroke, twin and plant.

use crate::value::{
    Acceleration, At, AxisAcceleration, AxisForce, AxisForceConstant, AxisJerk, AxisMass,
    AxisPlace, AxisStiffness, AxisVelocity, AxisViscous, Current, DrivePlace, DriveVelocityGain,
    Effort, EffortPerLength, EffortPerVelocity, Inertia, Innovation, Jerk, Length, Number, Pace,
    PerSecond, Quantity, Time, Torque, TorqueConstant, Velocity,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The drive as it is commissioned.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriveTable {
    /// Way per motor revolution: lead of the screw, circumference of the pulley; needed unless the axis is rotary (above 0, at most
    /// 100m).
    pub(crate) lead: Option<Quantity<Length>>,
    /// Motor turns per turn of a rotary axis, 1 for a direct drive; needed there, instead of `lead` (0.1 to 10000).
    pub(crate) gear: Option<Quantity<Number>>,
    /// Encoder increments per motor revolution (0x608F and 0x6091 as one figure; 1 to 2^32).
    pub(crate) counts_per_rev: Quantity<Number>,
    /// Rated current 0x6075 (above 0, at most 10000A).
    pub(crate) rated_current: Quantity<Current>,
    /// Torque per current; rated torque 0x6076 is this times the rated current (above 0, at most 10000N m/A).
    pub(crate) torque_constant: Quantity<TorqueConstant>,
    /// Largest torque 0x6072 in per mille of the rated torque, 3000 unless given (1 to 65535).
    pub(crate) max_torque_permille: Option<At<u16>>,
    /// Position controller gain (above 0, at most 1e5/s).
    pub(crate) position_gain: Quantity<PerSecond>,
    /// Velocity controller gain, on the axis' own velocity (above 0).
    pub(crate) velocity_gain: Quantity<DriveVelocityGain>,
    /// Velocity controller integral time (above 0, at most 10s).
    pub(crate) velocity_integral_time: Quantity<Time>,
    /// Current loop time constant (above 0, at most 10s).
    pub(crate) current_time_constant: Quantity<Time>,
    /// Filter of the torque actual value 0x6077; none unless given (0 to 10s).
    pub(crate) torque_filter: Option<Quantity<Time>>,
    /// 1 (unless given): positive motor direction moves to larger positions; -1: to smaller ones.
    pub(crate) direction: Option<At<i64>>,
    /// Vendor id expected in the SII; needed on a real interface (0 to 0xffffffff).
    pub(crate) vendor_id: Option<At<u32>>,
    /// Product code expected in the SII; needed on a real interface (0 to 0xffffffff).
    pub(crate) product_code: Option<At<u32>>,
    /// Outputs (RxPDO) in order: "0x607A" for a known CiA 402 object, else "0x7000:01/8" with subindex and bits.
    pub(crate) outputs: Option<At<Vec<At<String>>>>,
    /// Inputs (TxPDO) in order, written as the outputs.
    pub(crate) inputs: Option<At<Vec<At<String>>>>,
}

/// Motion limits and program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MotionTable {
    /// Where the axis stands at the start, 0 unless given (within 32 bits of increments).
    pub(crate) start: Option<Quantity<AxisPlace>>,
    /// Velocity limit (above 0, at most 1000m/s).
    pub(crate) velocity: Quantity<AxisVelocity>,
    /// Acceleration limit (above 0, at most 1e5m/s2).
    pub(crate) acceleration: Quantity<AxisAcceleration>,
    /// Jerk limit (above 0, at most 1e8m/s3).
    pub(crate) jerk: Quantity<AxisJerk>,
    /// Steps, repeated for ever; at most 32.
    #[serde(default)]
    pub(crate) program: Vec<At<StepTable>>,
}

/// One step of a motion program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepTable {
    /// Target position (within 32 bits of increments).
    pub(crate) to: Quantity<AxisPlace>,
    /// Velocity limit of this step, at most the axis' own; the axis' own unless given (above 0).
    pub(crate) velocity: Option<Quantity<AxisVelocity>>,
    /// Rest after arrival, none unless given (0 to 24h).
    pub(crate) dwell: Option<Quantity<Time>>,
    /// Mode of operation in this step, csp, csv or cst; csp unless given. In csv and cst what the drive leaves open is closed once a cycle.
    pub(crate) mode: Option<At<String>>,
}

/// Motion limits of a press; its program is the stroke.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PressMotionTable {
    /// Velocity limit (above 0, at most 1000m/s).
    pub(crate) velocity: Quantity<Velocity>,
    /// Acceleration limit (above 0, at most 1e5m/s2).
    pub(crate) acceleration: Quantity<Acceleration>,
    /// Jerk limit (above 0, at most 1e8m/s3).
    pub(crate) jerk: Quantity<Jerk>,
}

/// The press stroke: from `top` fast to `approach`, slowly through the part's contact to `bottom`, hold, return.
/// Positive is down: top < approach < bottom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StrokeTable {
    /// Upper dead centre, where the ram stands at the start. This and the other two are positions of the axis, or behind a
    /// crank or a table angles of the drive, such as "30deg" (within 32 bits of increments).
    pub(crate) top: Quantity<DrivePlace>,
    /// Where the fast approach ends (beyond `top`).
    pub(crate) approach: Quantity<DrivePlace>,
    /// Lowest point (beyond `approach`).
    pub(crate) bottom: Quantity<DrivePlace>,
    /// Velocity while pressing (above 0, at most the press' own).
    pub(crate) press_velocity: Quantity<Velocity>,
    /// Dwell at the bottom, none unless given (0 to 24h).
    pub(crate) hold: Option<Quantity<Time>>,
    /// Dwell at the top while the part is changed, none unless given (0 to 24h).
    pub(crate) rest: Option<Quantity<Time>>,
}

/// What `twinstep calibrate` is told of an axis beforehand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalibrateTable {
    /// Gravity where it is known: the weight that hangs on the axis, "0N" where it lies ("0N m" of a rotary axis); positive pulls towards smaller positions. It is held
    /// then, and Coulomb friction is found for each direction; sought, with one Coulomb friction for both, unless given (-1e9N to 1e9N).
    pub(crate) gravity: Option<Quantity<AxisForce>>,
}

/// What `twinstep calibrate` found of an axis.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TwinTable {
    /// Force per current; needed unless the recording holds a force (1e-6N/A to 1e9N/A).
    pub(crate) force_constant: Option<Quantity<AxisForceConstant>>,
    /// All moved inertia as a mass on the axis (1e-9kg to 1e9kg).
    pub(crate) mass: Quantity<AxisMass>,
    /// Coulomb friction in positive direction (0 to 1e9N).
    pub(crate) coulomb_positive: Quantity<AxisForce>,
    /// Coulomb friction in negative direction, as a positive number (0 to 1e9N).
    pub(crate) coulomb_negative: Quantity<AxisForce>,
    /// Viscous friction (0 to 1e9N s/m).
    pub(crate) viscous: Quantity<AxisViscous>,
    /// Static minus Coulomb friction, 0 unless given (0 to 1e9N).
    pub(crate) stribeck: Option<Quantity<AxisForce>>,
    /// Stribeck velocity, needed with `stribeck` (1e-9m/s to 1000m/s).
    pub(crate) stribeck_velocity: Option<Quantity<AxisVelocity>>,
    /// Gravity and offset; positive pulls towards smaller positions; 0 unless given (-1e9N to 1e9N).
    pub(crate) gravity: Option<Quantity<AxisForce>>,
    /// Delay of the torque actual value against the position actual value, -1 to 2 periods, 0 unless given.
    pub(crate) current_delay: Option<Quantity<Time>>,
    /// Lag of `current_load` where the encoder is too coarse for the usual one, 8 ms unless given (0 to 1s).
    pub(crate) load_lag: Option<Quantity<Time>>,
    /// Limit of the one-cycle innovation of position; the channel is off where it is missing (above 0).
    pub(crate) position_limit: Option<Quantity<AxisPlace>>,
    /// Limit of the one-cycle innovation of velocity; the channel is off where it is missing (above 0).
    pub(crate) velocity_limit: Option<Quantity<AxisVelocity>>,
    /// Limit of the one-cycle innovation of current (or force); the channel is off where it is missing (above 0).
    pub(crate) current_limit: Option<Quantity<Effort>>,
    /// Modes of operation in which the innovations were learnt, csp, csv or cst; in others they are not judged. csp alone unless given.
    pub(crate) modes: Option<Vec<At<String>>>,
    /// Why there is no cascade, as calibration found, nothing unless given: position, velocity and current are not judged one cycle ahead then, and `check` says so.
    pub(crate) cascade_off: Option<At<String>>,
    /// The drive cascade; missing where calibration could not validate it.
    pub(crate) cascade: Option<CascadeTable>,
    /// What is uncertain about the axis, from which the observer's gains follow; an observer of 100 Hz unless given.
    pub(crate) noise: Option<NoiseTable>,
    /// Healthy one-cycle innovations, from which thresholds follow; a limit above overrides its own.
    #[serde(default)]
    pub(crate) innovation: Vec<InnovationTable>,
    /// Healthy figures of movements per regime, in all recipes or in one.
    #[serde(default)]
    pub(crate) baseline: Vec<BaselineTable>,
    /// Paces at which the baselines were learnt; a movement at another one is not judged by them. At any pace unless given.
    #[serde(default)]
    pub(crate) pace: Vec<PaceTable>,
}

/// Linear drive cascade: i = kp (kx (r - x) + kv r' - v) + ki Int(..), limited. Loops that would grow by themselves are refused, but for `sampled` ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CascadeTable {
    /// Position gain kx (1e-6/s to 1e5/s).
    pub(crate) position_gain: Quantity<PerSecond>,
    /// Velocity gain kp (1e-9 to 1e12).
    pub(crate) velocity_gain: Quantity<EffortPerVelocity>,
    /// Integral gain ki of the velocity loop, 0 unless given (0 to 1e15).
    pub(crate) integral_gain: Option<Quantity<EffortPerLength>>,
    /// Velocity feed-forward kv, 0 to 1, 0 unless given.
    pub(crate) velocity_feedforward: Option<Quantity<Number>>,
    /// Dead time from the target that was sent to its effect, 0 to 4 periods, 0 unless given.
    pub(crate) dead_time: Option<Quantity<Time>>,
    /// Time from a target velocity or torque, or an offset, that was sent to its effect, which is held for a period, 0 to 4 periods; the dead
    /// time less a period unless given.
    pub(crate) reference_delay: Option<Quantity<Time>>,
    /// Limit of the current (or force) (1e-9 to 1e9).
    pub(crate) limit: Quantity<Effort>,
    /// Time constant of the current loop, 0 unless given (0 to 10s).
    pub(crate) current_time_constant: Option<Quantity<Time>>,
    /// Filter in front of the torque actual value, 0 unless given (0 to 10s).
    pub(crate) current_filter: Option<Quantity<Time>>,
    /// The loops are closed once a cycle and the output is held in between; false unless given.
    #[serde(default)]
    pub(crate) sampled: bool,
}

/// What is uncertain about an axis: the observer's gains follow from it. A walk is the standard deviation after one second.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoiseTable {
    /// Standard deviation of the measured position (1e-15m to 1e3m).
    pub(crate) position: Quantity<AxisPlace>,
    /// Random walk of the position: play, elasticity, jitter of the sampling. 0 unless given (0 or more).
    pub(crate) position_walk: Option<Quantity<AxisPlace>>,
    /// Random walk of the velocity: forces that the model does not know and that are soon over. 0 unless given (0 or more).
    pub(crate) velocity_walk: Option<Quantity<AxisVelocity>>,
    /// Random walk of the load, above 0: forces that the model does not know and that stay.
    pub(crate) disturbance_walk: Quantity<Effort>,
}

/// Healthy one-cycle innovation of one channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InnovationTable {
    /// position_next, velocity_next, current_next or drift.
    pub(crate) channel: At<String>,
    /// Correlation with the innovation before, -0.99 to 0.99.
    pub(crate) correlation: Quantity<Number>,
    /// Standard deviation of what is left of it, 1e-18 to 1e15, in the unit of the channel.
    pub(crate) sigma: Quantity<Innovation>,
    /// Tails of the detectors, at most one each.
    pub(crate) tails: Vec<TailTable>,
}

/// Tail of one detector in the healthy record: generalised Pareto beyond a threshold. Levels are in `sigma` for the fast
/// limit, plain numbers for window and CUSUM.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TailTable {
    /// fast_limit, window or cusum.
    pub(crate) detector: At<String>,
    /// Threshold that the clusters exceed, 0 or more.
    pub(crate) threshold: Quantity<Number>,
    /// Scale of the excess, above 0.
    pub(crate) scale: Quantity<Number>,
    /// Shape of the excess, -0.5 to 0.5.
    pub(crate) shape: Quantity<Number>,
    /// Shape beyond the record, 0 to 0.5.
    pub(crate) beyond_shape: Quantity<Number>,
    /// Clusters in the record, 1 or more.
    pub(crate) clusters: Quantity<Number>,
    /// Length of the record, above 0.
    pub(crate) record: Quantity<Time>,
    /// Largest value in it, 0 or more.
    pub(crate) largest: Quantity<Number>,
    /// Records over which the fit alone holds where more than the record is asked for, above 0, at most 1; 1 unless given, as in
    /// earlier calibrations.
    pub(crate) reach: Option<Quantity<Number>>,
}

/// Healthy figure of the movements of one regime.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaselineTable {
    /// The recipe that it is of, where the figure differs by recipe; holds in all that have no row of their own for this channel and
    /// regime unless given. In a recipe without either the figure is not judged. Rows may name `recipe`, `tool`, `load` and `temperature` in
    /// any combination, 16 of an axis at most: that which names most of what is told is taken, of as many that of the recipe before that
    /// of the tool, the load and the temperature.
    pub(crate) recipe: Option<At<String>>,
    /// The tool that it is of, a name of `[context.tool]`; every one unless given.
    pub(crate) tool: Option<At<String>>,
    /// The load that it is of, a name of `[context.load]`; every one unless given.
    pub(crate) load: Option<At<String>>,
    /// The band of `[context.temperature]` that it is of, as "15..25degC"; every one unless given.
    pub(crate) temperature: Option<At<String>>,
    /// current_load, disturbance or ripple; current_load unless given.
    pub(crate) channel: Option<At<String>>,
    /// constant_speed_positive, constant_speed_negative, acceleration, reversal or pressing; ripple: the first two alone. Of current_load
    /// standstill_positive and standstill_negative too: at rest after a movement in that direction.
    pub(crate) regime: At<String>,
    /// Of standstill_positive and standstill_negative: figures at rest for this long and less than twice that, one of `1s`, `2s`, `4s`, `8s`,
    /// and `16s` which has no end; the first figure of a rest unless given.
    pub(crate) rest: Option<Quantity<Time>>,
    /// Mean of the figure, of a ripple the geometric mean (any; of a ripple above 0).
    pub(crate) mean: Quantity<Effort>,
    /// Standard deviation of the figure (above 0).
    pub(crate) sigma: Quantity<Effort>,
    /// Degrees of freedom of Student's t that it follows over this deviation, at least 1; nothing is known of its tail unless given.
    pub(crate) degrees_of_freedom: Option<Quantity<Number>>,
    /// Figures in the healthy record; needed with `degrees_of_freedom` (1 to 1e9).
    pub(crate) figures: Option<Quantity<Number>>,
    /// Length of the healthy record; needed with `degrees_of_freedom` (above 0).
    pub(crate) record: Option<Quantity<Time>>,
}

/// Speeds of one regime in the healthy record; of `acceleration` its accelerations.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaceTable {
    /// The recipe that they are of; those of all that have no row of their own for this regime unless given.
    pub(crate) recipe: Option<At<String>>,
    /// The tool that they are of; every one unless given.
    pub(crate) tool: Option<At<String>>,
    /// The load that they are of; every one unless given.
    pub(crate) load: Option<At<String>>,
    /// The band of the temperature that they are of; every one unless given.
    pub(crate) temperature: Option<At<String>>,
    /// constant_speed_positive, constant_speed_negative, acceleration, reversal or pressing.
    pub(crate) regime: At<String>,
    /// Least of them (0 or more).
    pub(crate) least: Quantity<Pace>,
    /// Most of them (`least` or more).
    pub(crate) most: Quantity<Pace>,
}

/// The plant behind a simulated drive: what its builder's table says; `machine_seed` draws the machine around it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlantTable {
    /// Moved mass without the motor. Of a press behind a crank or a table what turns with the drive, as a mass of the axis; the ram is
    /// `ram_mass` (above 0).
    pub(crate) load_mass: Quantity<AxisMass>,
    /// Inertia of motor and screw or pulley (above 0).
    pub(crate) motor_inertia: Quantity<Inertia>,
    /// Coulomb friction of the guide (0 or more).
    pub(crate) coulomb: Quantity<AxisForce>,
    /// Static over Coulomb friction, 1 or more (1 to 10).
    pub(crate) static_ratio: Quantity<Number>,
    /// Stribeck velocity (above 0).
    pub(crate) stribeck_velocity: Quantity<AxisVelocity>,
    /// Viscous friction (0 or more).
    pub(crate) viscous: Quantity<AxisViscous>,
    /// 1 vertical (gravity pulls towards smaller positions), 0 horizontal, -1 vertical and positive down; 0 unless given, and on a rotary
    /// axis (-1 to 1).
    pub(crate) gravity: Option<Quantity<Number>>,
    /// Stiffness between motor and load (above 0).
    pub(crate) stiffness: Quantity<AxisStiffness>,
    /// Backlash of the new machine, none unless given (0 to 100mm).
    pub(crate) backlash: Option<Quantity<AxisPlace>>,
    /// Amplitude of the cogging torque, none unless given (0 or more).
    pub(crate) cogging: Option<Quantity<Torque>>,
    /// Efficiency of the screw, belt or gear, above 0 and at most 1.
    pub(crate) efficiency: Quantity<Number>,
    /// Efficiency where the load drives the motor; as much is lost that way as the other unless given; 0 locks itself, and
    /// far less than the other way lets a driven screw swing on its spring (0 to 1).
    pub(crate) efficiency_back: Option<Quantity<Number>>,
    /// Switches along the axis, wired to the digital inputs of its drive.
    pub(crate) switches: Option<SwitchesTable>,
    /// What the axis carries besides, by recipe; nothing unless given.
    #[serde(default)]
    pub(crate) payload: Vec<PayloadTable>,
}

/// Mass that a simulated axis carries in one recipe: handed over while the axis stands, from when the first press is back from its last stroke of
/// the recipe before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayloadTable {
    /// Name of a recipe.
    pub(crate) recipe: At<String>,
    /// Mass in it; nothing in recipes without a table (0 or more).
    pub(crate) mass: Quantity<AxisMass>,
}

/// Switches along an axis: what homing and touch probes of the simulated drive find.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchesTable {
    /// Limit switch at the end of smaller positions.
    pub(crate) negative_limit: Option<At<SwitchTable>>,
    /// Limit switch at the end of larger positions.
    pub(crate) positive_limit: Option<At<SwitchTable>>,
    /// Home switch.
    pub(crate) home: Option<At<SwitchTable>>,
    /// Input of touch probe 1.
    pub(crate) probe_1: Option<At<SwitchTable>>,
    /// Input of touch probe 2.
    pub(crate) probe_2: Option<At<SwitchTable>>,
}

/// Where a switch is on: from `from` to `to`; without one of them as far as the axis goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchTable {
    /// Smallest position at which it is on; no end unless given (-10km to 10km).
    pub(crate) from: Option<Quantity<AxisPlace>>,
    /// Largest position at which it is on; no end unless given (-10km to 10km).
    pub(crate) to: Option<Quantity<AxisPlace>>,
}
