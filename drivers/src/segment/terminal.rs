//! The firmware of a SubDevice that is no axis, press or station: a terminal that keeps its outputs, or a coupler.
//!
//! Its inputs are zero, but those that tell recipe and part (`[context]`): there stands what lies in the first press, as a controller
//! would tell it. The next part is told when the ram has left the last one, as the machine puts it in then. Tool, load and temperature
//! follow from the recipe (`[[simulation.told]]`), and change when payloads are handed over.

use super::application::{ABORT_NO_OBJECT, AlState, Application};
use super::plant::Plant;
use twinstep_config::machine::{
    ContextFrom, Machine, PdoEntry, SimulatedContext, Teller, TellerPlace, Thermometer,
};
use twinstep_models::sample::Context;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    told: Vec<Told>,
    /// Recipe and part of each stroke of the first press, repeated.
    strokes: Vec<Context>,
    press: usize,
    simulated: Vec<SimulatedContext>,
}

/// What a number among the inputs says.
#[derive(Clone, Debug)]
enum What {
    /// Which recipe, by the number that stands for each; and likewise.
    Recipe(Vec<u32>),
    Part(Vec<u32>),
    Tool(Vec<u32>),
    Load(Vec<u32>),
    /// The temperature.
    Temperature(Thermometer),
}

/// A number among the inputs.
#[derive(Clone, Debug)]
struct Told {
    what: What,
    /// First byte, and how many (1, 2 or 4).
    at: usize,
    bytes: usize,
}

impl Terminal {
    /// The firmware of the SubDevice at place `subdevice` of the machine's bus.
    pub fn new(machine: &Machine, subdevice: usize) -> Self {
        let inputs = (machine.bus.as_ref())
            .and_then(|bus| bus.subdevices.get(subdevice))
            .map_or(&[][..], |device| device.inputs.as_slice());
        let told = (What::of(&machine.context).into_iter())
            .filter_map(|(what, place)| Told::new(what, place, subdevice, inputs));
        Self {
            told: told.collect(),
            simulated: machine.context.simulated.clone(),
            strokes: machine.stroke_contexts(),
            press: machine.axes.len(),
        }
    }

    /// What lies in the first press.
    fn context(&self, plant: &Plant) -> Context {
        let press = plant.drive(self.press).and_then(|drive| drive.true_press());
        let strokes = press.map_or(0, |(_, strokes)| strokes);
        // Without any there is no remainder.
        let at = strokes.checked_rem(self.strokes.len() as u64).unwrap_or(0);
        self.strokes.get(at as usize).copied().unwrap_or_default()
    }
}

impl What {
    /// All that is told of a machine, and where.
    fn of(context: &ContextFrom) -> Vec<(Self, &TellerPlace)> {
        let list = |what: fn(Vec<u32>) -> Self, teller: &'_ Option<Teller>| {
            teller.as_ref().map(|one| what(one.numbers.clone()))
        };
        let lists = [
            (list(Self::Recipe, &context.recipe), &context.recipe),
            (list(Self::Part, &context.part), &context.part),
            (list(Self::Tool, &context.tool), &context.tool),
            (list(Self::Load, &context.load), &context.load),
        ];
        let lists =
            (lists.into_iter()).filter_map(|(what, teller)| Some((what?, &teller.as_ref()?.place)));
        let temperature =
            (context.temperature.iter()).map(|one| (Self::Temperature(one.clone()), &one.place));
        lists.chain(temperature).collect()
    }

    /// The number that says it; its low bytes are sent.
    fn number(&self, context: Context, simulated: Option<&SimulatedContext>) -> i64 {
        let of = |numbers: &[u32], index: u8| {
            i64::from(numbers.get(usize::from(index)).copied().unwrap_or(0))
        };
        match self {
            Self::Recipe(numbers) => of(numbers, context.recipe),
            Self::Part(numbers) => of(numbers, context.part),
            Self::Tool(numbers) => of(numbers, simulated.map_or(0, |one| one.tool)),
            Self::Load(numbers) => of(numbers, simulated.map_or(0, |one| one.load)),
            Self::Temperature(thermometer) => {
                let degc = simulated.and_then(|one| one.temperature_degc);
                thermometer.number(degc.unwrap_or_else(|| thermometer.first_degc()))
            }
        }
    }
}

impl Told {
    fn new(what: What, place: &TellerPlace, subdevice: usize, inputs: &[PdoEntry]) -> Option<Self> {
        let TellerPlace::Object {
            subdevice: place,
            entry,
            output: false,
        } = place
        else {
            return None;
        };
        let before = inputs.iter().position(|one| one == entry)?;
        let bytes = |entry: &PdoEntry| usize::from(entry.bits / 8);
        (*place == subdevice).then(|| Self {
            what,
            at: inputs.iter().take(before).map(bytes).sum(),
            bytes: bytes(entry),
        })
    }
}

impl Application for Terminal {
    fn read_object(&mut self, _: u16, _: u8, _: &mut [u8]) -> Result<usize, u32> {
        Err(ABORT_NO_OBJECT)
    }

    fn write_object(&mut self, _: u16, _: u8, _: &[u8]) -> Result<(), u32> {
        Err(ABORT_NO_OBJECT)
    }

    fn al_state(&mut self, _: AlState, _: &mut Plant) {}

    /// They stay in the memory of the controller.
    fn outputs(&mut self, _: &[u8], _: &mut Plant) {}

    fn inputs(&mut self, tx: &mut [u8], plant: &Plant) {
        tx.fill(0);
        if self.told.is_empty() {
            return;
        }
        let context = self.context(plant);
        let handed = plant.handed_recipe();
        let simulated = (self.simulated.iter()).find(|one| Some(one.recipe) == handed);
        for one in &self.told {
            let number = one.what.number(context, simulated).to_le_bytes();
            if let (Some(to), Some(from)) = (
                tx.get_mut(one.at..one.at + one.bytes),
                number.get(..one.bytes),
            ) {
                to.copy_from_slice(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_config::machine::SubDevice;

    #[test]
    fn tool_and_temperature_are_those_of_the_recipe_or_the_first() {
        let mut machine = twinstep_config::load(twinstep_config::PRESS_CELL, "it.toml").unwrap();
        let entry = |subindex, bits| PdoEntry {
            index: 0x6000,
            subindex,
            bits,
        };
        let (tool, warmth) = (entry(1, 8), entry(2, 16));
        let bus = machine.bus.as_mut().unwrap();
        let subdevice = bus.subdevices.len();
        bus.subdevices.push(SubDevice {
            name: "plc".to_owned(),
            inputs: vec![tool, warmth],
            terminal: true,
            ..SubDevice::default()
        });
        let object = |entry| TellerPlace::Object {
            subdevice,
            entry,
            output: false,
        };
        machine.context.tool = Some(Teller {
            place: object(tool),
            numbers: vec![7, 12],
            names: ["gripper", "welder"].map(str::to_owned).to_vec(),
        });
        machine.context.temperature = Some(Thermometer {
            place: object(warmth),
            scale_degc: 0.1,
            zero_degc: 0.0,
            edges_degc: vec![10.0, 20.0],
            hysteresis_degc: 1.0,
        });
        let told = |machine: &Machine| {
            let mut tx = [0xff; 3];
            Terminal::new(machine, subdevice).inputs(&mut tx, &Plant::new(machine, 5, 1));
            tx
        };
        assert_eq!(told(&machine), [7, 150, 0]);
        machine.context.simulated = vec![SimulatedContext {
            recipe: 0,
            tool: 1,
            load: 0,
            temperature_degc: Some(-4.0),
        }];
        assert_eq!(told(&machine), [12, 0xd8, 0xff]);
        machine.context.simulated[0].recipe = 1;
        assert_eq!(told(&machine), [7, 150, 0]);
    }
}
