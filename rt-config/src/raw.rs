//! The file as it is written: one struct a table. The comments are the descriptions in the JSON Schema.

mod axis;
mod buses;
mod context;
mod evaluation;
mod health;
mod kinematics;
mod motor;
mod part;
mod pubsub;
mod realtime;
mod recording;
mod servo;
mod shared;
mod signature;
mod tsn;

pub(crate) use axis::{
    BaselineTable, CalibrateTable, CascadeTable, DriveTable, InnovationTable, MotionTable,
    NoiseTable, PaceTable, PlantTable, PressMotionTable, StrokeTable, SwitchTable, SwitchesTable,
    TailTable, TwinTable,
};
pub(crate) use buses::Buses;
pub(crate) use context::{ContextTable, ListTable, SimulatedTable, TellerTable, TemperatureTable};
pub(crate) use health::{AxisHealthTable, PressHealthTable, StationHealthTable};
pub(crate) use realtime::{ClockTable, PtpTable, RealtimeNicTable, RealtimeTable};
pub(crate) use recording::{AxisColumnsTable, ColumnTable, RecordingTable, StationColumnsTable};
pub(crate) use shared::SharedTable;
pub(crate) use signature::{HealthyTable, SignatureTable};

pub(crate) use pubsub::{DataSetTable, PublishTable, UadpTable};

pub(crate) use kinematics::KinematicsTable;
pub(crate) use motor::MotorTable;
pub(crate) use part::{PartTable, PressFitTable, PressTwinTable, RecipeTwinTable};
pub(crate) use servo::ServoTable;
pub(crate) use tsn::TsnTable;

pub(crate) use evaluation::{CurveTable, EnvelopeTable, EvaluationTable};

use crate::machine::{BusPlace, Lender};
use crate::value::{At, Pressure, PressureRate, Quantity, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// A machine and its twin. Quantities are text with a unit, such as "10mm"; positions are those of the axis.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "twinstep machine")]
pub(crate) struct File {
    pub(crate) machine: MachineTable,
    pub(crate) cycle: CycleTable,
    pub(crate) judge: Option<JudgeTable>,
    pub(crate) realtime: Option<RealtimeTable>,
    /// The bus, or a list of several: [[bus]].
    #[serde(default, rename = "bus")]
    pub(crate) buses: Buses,
    /// The one that this file is of.
    #[serde(skip)]
    pub(crate) bus: Option<BusTable>,
    /// Which of several that is.
    #[serde(skip)]
    pub(crate) place: Option<BusPlace>,
    /// The press of another of them that `twin` and `recipe_twin` of the parts are of.
    #[serde(skip)]
    pub(crate) lender: Option<Lender>,
    pub(crate) publish: Option<PublishTable>,
    pub(crate) shared: Option<SharedTable>,
    pub(crate) tsn: Option<TsnTable>,
    pub(crate) simulation: Option<SimulationTable>,
    pub(crate) recording: Option<RecordingTable>,
    /// Servo axes.
    #[serde(default)]
    pub(crate) axis: Vec<AxisTable>,
    /// Servo presses.
    #[serde(default)]
    pub(crate) press: Vec<PressTable>,
    /// Vacuum stations.
    #[serde(default)]
    pub(crate) station: Vec<StationTable>,
    /// Parts that the presses meet.
    #[serde(default)]
    pub(crate) part: Vec<PartTable>,
    /// Sequences of parts; the first one is in force unless there is a schedule.
    #[serde(default)]
    pub(crate) recipe: Vec<RecipeTable>,
    /// Turns of the recipes, repeated.
    #[serde(default)]
    pub(crate) schedule: Vec<TurnTable>,
    pub(crate) context: Option<ContextTable>,
}

/// The machine as a whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineTable {
    /// Name of the machine, in any words.
    pub(crate) name: At<String>,
    /// Asset id that every event carries for the work order; empty unless given.
    pub(crate) asset_id: Option<At<String>>,
}

/// The cycle.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CycleTable {
    /// Period, 31.25us to 10ms on a bus, up to 1s for a machine that is only replayed.
    pub(crate) period: Quantity<Time>,
    /// Time at the start that is kept apart from the statistics of durations, "1s"; else `warm_up_cycles`, else 1000 cycles
    /// (0s to 1h).
    pub(crate) warm_up: Option<Quantity<Time>>,
    /// The same in cycles; 1000 unless one of both is given (0 to 115200000).
    pub(crate) warm_up_cycles: Option<At<u64>>,
    pub(crate) budget: Option<BudgetTable>,
    pub(crate) model_budget: Option<ModelBudgetTable>,
}

/// Time that a group of models may take in predict, compare and correct together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelBudgetTable {
    /// Servo axes; none unless given (0 to the period).
    pub(crate) servo: Option<Quantity<Time>>,
    /// Presses; none unless given (0 to the period).
    pub(crate) press: Option<Quantity<Time>>,
    /// Stations; none unless given (0 to the period).
    pub(crate) station: Option<Quantity<Time>>,
}

/// Time that each phase of the cycle may take; together at most the period.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetTable {
    /// Waiting for the start: how late a cycle may begin; none unless given (0 to the period, all together).
    pub(crate) wake: Option<Quantity<Time>>,
    /// Sending the frames; none unless given (0 to the period, all together).
    pub(crate) send: Option<Quantity<Time>>,
    /// Prediction of all models; none unless given (0 to the period, all together).
    pub(crate) predict: Option<Quantity<Time>>,
    /// Until the frames are back; none unless given (0 to the period, all together).
    pub(crate) receive: Option<Quantity<Time>>,
    /// Comparison with what was measured; none unless given (0 to the period, all together).
    pub(crate) compare: Option<Quantity<Time>>,
    /// Handing on events and the recorded cycle; none unless given (0 to the period, all together).
    pub(crate) publish: Option<Quantity<Time>>,
    /// Correction of the models, and what is judged over movements; none unless given (0 to the period, all together).
    pub(crate) correct: Option<Quantity<Time>>,
    /// Mailboxes, registers, set-points and the snapshot for the views; none unless given (0 to the period, all together).
    pub(crate) acyclic: Option<Quantity<Time>>,
    /// What is to be left over before the next start; none unless given (0 to the period, all together).
    pub(crate) slack: Option<Quantity<Time>>,
}

/// How deviations are judged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JudgeTable {
    /// At most one false alarm of the whole machine in this time, "30days" unless given (100ms to 36525days).
    pub(crate) false_alarm_interval: Option<Quantity<Time>>,
    /// From the first movement after a rest until an axis is warm: until then its friction is not judged; none unless given (1min to 1day).
    pub(crate) warm_up: Option<Quantity<Time>>,
    /// Without a movement until an axis is cold again; twice `warm_up` unless given (`warm_up` to 30days).
    pub(crate) cool_down: Option<Quantity<Time>>,
    /// Has `calibrate` learn what holds each servo axis at rest, so that it is judged while it stands, false unless given.
    pub(crate) standstill: Option<At<bool>>,
}

/// The EtherCAT bus. A machine with neither `[bus]` nor `[simulation]` is only replayed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusTable {
    /// For [[bus]]: its name, in events, recordings and commands; a to z, 0 to 9, _ and -, at most 32 bytes; needed there.
    pub(crate) name: Option<At<String>>,
    /// For [[bus]]: period of its cycle, that of [cycle] unless given (31.25us to 10ms).
    pub(crate) period: Option<Quantity<Time>>,
    /// For [[bus]]: core of its cycle, that of [realtime] unless given (0 to 8191).
    pub(crate) core: Option<At<u32>>,
    /// For [[bus]]: cores that share its models, those of [realtime] unless given.
    pub(crate) model_cores: Option<At<Vec<At<u32>>>>,
    /// For [[bus]]: a clock that the starts of its cycle lie on, that of [realtime.clock] unless given.
    pub(crate) clock: Option<At<ClockTable>>,
    /// For [[bus]]: its budgets, instead of those of [cycle.budget].
    pub(crate) budget: Option<At<BudgetTable>>,
    /// For [[bus]]: its budgets of groups of models, instead of those of [cycle.model_budget].
    pub(crate) model_budget: Option<At<ModelBudgetTable>>,
    /// Network interface; the simulated segment in process where missing.
    pub(crate) interface: Option<At<String>>,
    /// Second network interface, which the line comes back to: a broken cable then stops nobody; none unless given.
    pub(crate) redundant_interface: Option<At<String>>,
    /// Names in the order of the wire: axes, presses, stations in the order of the file unless given.
    pub(crate) subdevices: Option<At<Vec<At<String>>>>,
    /// Time from SYNC0 to the frame passing, a quarter of the period unless given (0 to less than the period).
    pub(crate) frame_shift: Option<Quantity<Time>>,
    /// Who owns the bus: "main_device" (twinstep, unless given), "tap" (another MainDevice, which is only listened to) or
    /// "tsn" (nobody: the devices publish their process data as OPC UA PubSub, and twinstep subscribes).
    pub(crate) kind: Option<At<String>>,
    /// What a cycle that comes too late leads to: "skip" (unless given), which leaves out the starts that have passed, or "stop".
    pub(crate) overrun: Option<At<String>>,
    /// For a TAP with a port for each way: the interface of the returned frames. `interface` then has the outbound ones; one
    /// interface has both unless given.
    pub(crate) returned_interface: Option<At<String>>,
    /// For a tap that did not hear the master start: "inputs_first" (ethercrab, twinstep) or "outputs_first" (SOEM, IgH);
    /// found out unless given.
    pub(crate) order: Option<At<String>>,
    /// For "tsn": PublisherId of the devices, 1 unless given (1 to 65535).
    pub(crate) publisher_id: Option<At<u16>>,
    /// For "tsn": WriterGroupId, 1 unless given (1 to 65535).
    pub(crate) writer_group_id: Option<At<u16>>,
    /// For "tsn", used by `sim`: VLAN of the published frames, 0 to 4094; no tag unless given.
    pub(crate) vlan: Option<At<u16>>,
    /// For "tsn", used by `sim`: priority of the published frames, 0 to 7, 0 unless given.
    pub(crate) pcp: Option<At<u8>>,
    /// For "tsn", used by `sim`: destination address, "01:00:5e:7f:00:01" unless given.
    pub(crate) destination: Option<At<String>>,
    /// For "tsn": what differs from every device publishing all of its process data.
    #[serde(default)]
    pub(crate) dataset: Vec<DataSetTable>,
    /// SubDevices beside axes, presses and stations, and where any of them hangs.
    #[serde(default)]
    pub(crate) subdevice: Vec<SubDeviceTable>,
}

/// A SubDevice beside axes, presses and stations: a terminal by its process data, or by the EEPROM image of a real device. Or the place of
/// one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubDeviceTable {
    /// That of an axis, press or station, or, with `sii`, `inputs` or `outputs`, a name of its own.
    pub(crate) name: At<String>,
    /// Vendor id of a terminal that has no image, needed on a real interface (0 to 4294967295).
    pub(crate) vendor_id: Option<At<u32>>,
    /// Product code of a terminal that has no image, needed on a real interface (0 to 4294967295).
    pub(crate) product_code: Option<At<u32>>,
    /// Objects of its outputs in their order: "0x7000:01/8"; none unless given.
    pub(crate) outputs: Option<At<Vec<At<String>>>>,
    /// Objects of its inputs in their order: "0x6000:01/8"; none unless given.
    pub(crate) inputs: Option<At<Vec<At<String>>>>,
    /// EEPROM image of a real device (binary), relative to this file. A terminal keeps its outputs and gives zero inputs;
    /// none unless given.
    pub(crate) sii: Option<At<String>>,
    /// SubDevice that it hangs at; the one before it on the wire unless given.
    pub(crate) behind: Option<At<String>>,
    /// Axis or press that is the second one of this drive: its objects are those of the first, 0x0800 further; none unless
    /// given.
    pub(crate) second_axis: Option<At<String>>,
    /// Port of that SubDevice: "B" (unless given), "C" or "D". Frames pass what hangs at D first, then B, then C.
    pub(crate) port: Option<At<String>>,
}

impl SubDeviceTable {
    /// It is a SubDevice by itself, and not the place of an axis, press or station.
    pub(crate) const fn is_its_own(&self) -> bool {
        self.sii.is_some() || self.outputs.is_some() || self.inputs.is_some()
    }
}

/// The simulated machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulationTable {
    /// Draws the machine once: all plant parameters (0 to 2^63 - 1).
    pub(crate) machine_seed: u64,
    /// Whether frames take the time of a 100 Mbit wire, true unless given. Without it periods can be run that no such wire could hold.
    pub(crate) wire_time: Option<bool>,
    /// Faults to inject, as on the command line: "friction:infeed:factor=1.2@10s".
    #[serde(default)]
    pub(crate) inject: Vec<At<String>>,
    /// What simulated terminals tell of tool, load and temperature, recipe by recipe.
    #[serde(default)]
    pub(crate) told: Vec<SimulatedTable>,
}

/// A servo axis.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AxisTable {
    /// Unique among axes, presses and stations: a to z, 0 to 9, _ and -, at most 32 bytes.
    pub(crate) name: At<String>,
    /// Asset id, else the machine's.
    pub(crate) asset_id: Option<At<String>>,
    /// The bus that it is on, where there are several; needed there.
    pub(crate) bus: Option<At<String>>,
    /// "linear" (unless given) or "rotary": rotary tables, rolls, robot joints. Of a rotary axis every length is an angle, every mass an
    /// inertia and every force a torque, whatever the key is called, and limits in m, kg and N are the same numbers in rad, kg m2 and N m.
    pub(crate) kind: Option<At<String>>,
    /// Needed on a bus.
    pub(crate) drive: Option<DriveTable>,
    /// The motor behind it, for `twinstep whatif`.
    pub(crate) motor: Option<MotorTable>,
    /// What the twin's one mass leaves out, for `twinstep whatif`.
    pub(crate) servo: Option<ServoTable>,
    /// The axis stands still where missing.
    pub(crate) motion: Option<MotionTable>,
    /// What `twinstep calibrate` is told beforehand.
    pub(crate) calibrate: Option<CalibrateTable>,
    /// What `twinstep calibrate` found.
    pub(crate) twin: Option<TwinTable>,
    /// How signatures of movements are taken; they are judged once `healthy` is there.
    pub(crate) signature: Option<SignatureTable>,
    /// What `twinstep calibrate` learnt from healthy movements.
    pub(crate) healthy: Option<HealthyTable>,
    /// Where the life of what wears ends.
    pub(crate) health: Option<AxisHealthTable>,
    /// Needed for the simulated machine.
    pub(crate) plant: Option<PlantTable>,
}

/// A servo press: an axis with a stroke.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PressTable {
    /// Unique among axes, presses and stations: a to z, 0 to 9, _ and -, at most 32 bytes.
    pub(crate) name: At<String>,
    /// Asset id, else the machine's.
    pub(crate) asset_id: Option<At<String>>,
    /// The bus that it is on, where there are several; needed there.
    pub(crate) bus: Option<At<String>>,
    /// Needed on a bus.
    pub(crate) drive: Option<DriveTable>,
    /// The motor behind it, for `twinstep whatif`.
    pub(crate) motor: Option<MotorTable>,
    /// What the twin's one mass leaves out, for `twinstep whatif`.
    pub(crate) servo: Option<ServoTable>,
    pub(crate) motion: PressMotionTable,
    pub(crate) stroke: StrokeTable,
    /// What stands between motor and ram; a screw without losses unless given.
    pub(crate) kinematics: Option<KinematicsTable>,
    /// How the force over the travel of a stroke is taken.
    pub(crate) curve: Option<CurveTable>,
    /// What a stroke must look like; at most 32.
    #[serde(default)]
    pub(crate) evaluation: Vec<At<EvaluationTable>>,
    /// Where the life of what wears ends.
    pub(crate) health: Option<PressHealthTable>,
    /// What `twinstep calibrate` is told beforehand.
    pub(crate) calibrate: Option<CalibrateTable>,
    /// What `twinstep calibrate` found.
    pub(crate) twin: Option<TwinTable>,
    /// Needed for the simulated machine.
    pub(crate) plant: Option<PlantTable>,
}

/// A recipe: parts, one a stroke, repeated for ever.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecipeTable {
    /// Unique among recipes: a to z, 0 to 9, _ and -, at most 32 bytes.
    pub(crate) name: At<String>,
    /// Names of parts.
    pub(crate) parts: At<Vec<At<String>>>,
}

/// How long one recipe is in force.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnTable {
    /// Name of a recipe.
    pub(crate) recipe: At<String>,
    /// Strokes of the first press, 1 or more; 100000 at most in all turns together.
    pub(crate) strokes: At<u32>,
}

/// A vacuum station: an I/O terminal with ejector, blow-off valve and pressure sensor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StationTable {
    /// Unique among axes, presses and stations: a to z, 0 to 9, _ and -, at most 32 bytes.
    pub(crate) name: At<String>,
    /// Asset id, else the machine's.
    pub(crate) asset_id: Option<At<String>>,
    /// The bus that it is on, where there are several; needed there.
    pub(crate) bus: Option<At<String>>,
    /// Absolute pressure per increment of the analogue input; needed on a bus. In a recording it is the step of the reading
    /// (above 0, at most 1e6Pa).
    pub(crate) pressure_per_count: Option<Quantity<Pressure>>,
    /// Absolute pressure at count 0, 0 unless given. A recording of gauge pressure has the ambient pressure here (any).
    pub(crate) pressure_offset: Option<Quantity<Pressure>>,
    /// Time the ejector is on; needed on a bus (above 0, at most 24h).
    pub(crate) evacuate: Option<Quantity<Time>>,
    /// Time the part is held with the ejector off; needed on a bus (above 0, at most 24h).
    pub(crate) hold: Option<Quantity<Time>>,
    /// Time of blow-off and rest; needed on a bus (above 0, at most 24h).
    pub(crate) release: Option<Quantity<Time>>,
    /// Leak rate at the final pressure from which on the circuit is leaky; a hold is judged at its end alone
    /// unless given (above 0).
    pub(crate) leak_limit: Option<Quantity<PressureRate>>,
    /// Where its life ends.
    pub(crate) health: Option<StationHealthTable>,
    /// Vendor id expected in the SII; needed on a real interface (0 to 0xffffffff).
    pub(crate) vendor_id: Option<At<u32>>,
    /// Product code expected in the SII; needed on a real interface (0 to 0xffffffff).
    pub(crate) product_code: Option<At<u32>>,
    /// Outputs (RxPDO) in order, such as "0x7000:01/8": index, subindex and bits.
    pub(crate) outputs: Option<At<Vec<At<String>>>>,
    /// Inputs (TxPDO) in order, written as the outputs.
    pub(crate) inputs: Option<At<Vec<At<String>>>>,
    /// What `twinstep calibrate` found.
    pub(crate) twin: Option<StationTwinTable>,
    /// Needed for the simulated machine.
    pub(crate) plant: Option<StationPlantTable>,
}

/// The vacuum circuit as the twin knows it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StationTwinTable {
    /// Absolute pressure that the ejector reaches, or the supply of a chamber under pressure (0 to 1e8Pa).
    pub(crate) final_pressure: Quantity<Pressure>,
    /// Time constant of the evacuation; needed but for a station that only holds (above 0, at most 10s).
    pub(crate) evacuation_time_constant: Option<Quantity<Time>>,
    /// From the command to where the pressure begins to fall, as an evacuation shows it: valve, sensor and bus together. Without it the time
    /// constant has it in it (above 0, at most 10s).
    pub(crate) valve_delay: Option<Quantity<Time>>,
    /// Healthy leak rate while holding, at the final pressure (any).
    pub(crate) leak: Quantity<PressureRate>,
    /// Its standard deviation from hold to hold (above 0).
    pub(crate) leak_sigma: Quantity<PressureRate>,
    /// Limit of the one-cycle innovation of pressure, which overrides the tail; without both the channel is off (above 0).
    pub(crate) pressure_limit: Option<Quantity<Pressure>>,
    /// Standard deviation of that innovation in the healthy record; the unit of `pressure_tail`; needed with that (above 0).
    pub(crate) pressure_sigma: Option<Quantity<Pressure>>,
    /// Tail of its size in the healthy record, of the detector fast_limit.
    pub(crate) pressure_tail: Option<TailTable>,
    /// Standard deviation of a reading; learnt while running where it is missing (above 0).
    pub(crate) noise: Option<Quantity<Pressure>>,
}

/// The simulated vacuum circuit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StationPlantTable {
    /// Absolute pressure that the ejector reaches (0 to 101325Pa).
    pub(crate) final_pressure: Quantity<Pressure>,
    /// Time constant of the evacuation (above 0, at most 10s).
    pub(crate) evacuation_time_constant: Quantity<Time>,
    /// Leak rate at full vacuum (0 or more).
    pub(crate) leak: Quantity<PressureRate>,
    /// Sensor noise, standard deviation; none unless given (0 or more).
    pub(crate) noise: Option<Quantity<Pressure>>,
}
