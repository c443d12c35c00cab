//! The firmware of a SubDevice that is no axis, press or station: a terminal that keeps its outputs, or a coupler.
//!
//! Its inputs are zero, but those that tell recipe and part (`[context]`): there stands what lies in the first press, as a controller
//! would tell it. The next part is told when the ram has left the last one, as the machine puts it in then.

use super::application::{ABORT_NO_OBJECT, AlState, Application};
use super::plant::Plant;
use twinstep_config::machine::{Machine, PdoEntry, Teller, TellerPlace};
use twinstep_models::sample::Context;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    told: Vec<Told>,
    /// Recipe and part of each stroke of the first press, repeated.
    strokes: Vec<Context>,
    press: usize,
}

/// A number among the inputs.
#[derive(Clone, Debug)]
struct Told {
    is_recipe: bool,
    /// First byte, and how many (1, 2 or 4).
    at: usize,
    bytes: usize,
    numbers: Vec<u32>,
}

impl Terminal {
    /// The firmware of the SubDevice at place `subdevice` of the machine's bus.
    pub fn new(machine: &Machine, subdevice: usize) -> Self {
        let inputs = (machine.bus.as_ref())
            .and_then(|bus| bus.subdevices.get(subdevice))
            .map_or(&[][..], |device| device.inputs.as_slice());
        let context = &machine.context;
        let both = [(true, &context.recipe), (false, &context.part)];
        let told = both.into_iter().filter_map(|(is_recipe, teller)| {
            Told::new(is_recipe, teller.as_ref()?, subdevice, inputs)
        });
        Self {
            told: told.collect(),
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

impl Told {
    fn new(
        is_recipe: bool,
        teller: &Teller,
        subdevice: usize,
        inputs: &[PdoEntry],
    ) -> Option<Self> {
        let TellerPlace::Object {
            subdevice: place,
            entry,
            output: false,
        } = &teller.place
        else {
            return None;
        };
        let before = inputs.iter().position(|one| one == entry)?;
        let bytes = |entry: &PdoEntry| usize::from(entry.bits / 8);
        (*place == subdevice).then(|| Self {
            is_recipe,
            at: inputs.iter().take(before).map(bytes).sum(),
            bytes: bytes(entry),
            numbers: teller.numbers.clone(),
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
        for one in &self.told {
            let index = if one.is_recipe {
                context.recipe
            } else {
                context.part
            };
            let number = one.numbers.get(usize::from(index)).copied().unwrap_or(0);
            let number = number.to_le_bytes();
            if let (Some(to), Some(from)) = (
                tx.get_mut(one.at..one.at + one.bytes),
                number.get(..one.bytes),
            ) {
                to.copy_from_slice(from);
            }
        }
    }
}
