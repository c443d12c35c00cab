//! Recipe, part, tool, load and temperature as process data tell them: a number in an object, which stands for one of the configuration's
//! list, or is a temperature, whose band counts.
//!
//! The number is unsigned, whatever the object is elsewhere, and that of a temperature signed. One that stands for none, or whose SubDevice is missing although the
//! exchange went well, is [`Context::UNKNOWN`]; the last one is not kept. After an exchange that went wrong nothing is judged, and what
//! was told before it stands. What a column tells stands in the rows of the recording already.

use super::{Layout, ObjectMap, Slot};
use crate::bus::ProcessImage;
use twinstep_config::machine::{ContextFrom, Machine, Teller, TellerPlace};
use twinstep_models::sample::{Conditions, Context, Missing};

/// Who tells the context.
#[derive(Clone, Debug, Default)]
pub(super) struct ContextMap {
    from: ContextFrom,
    recipe: Option<Place>,
    part: Option<Place>,
    tool: Option<Place>,
    load: Option<Place>,
    temperature: Option<Place>,
}

/// Where a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    subdevice: usize,
    output: bool,
    slot: Slot,
}

impl Place {
    fn new(place: &TellerPlace, layout: &Layout) -> Option<Self> {
        let TellerPlace::Object {
            subdevice,
            entry,
            output,
        } = place
        else {
            return None;
        };
        let device = layout.subdevices.get(*subdevice)?;
        let slot = if *output {
            device.output(entry.index, entry.subindex)
        } else {
            device.input(entry.index, entry.subindex)
        };
        Some(Self {
            subdevice: *subdevice,
            output: *output,
            slot: slot?,
        })
    }

    /// The number, none where its SubDevice has no usable data.
    fn number(&self, image: &ProcessImage) -> Option<u32> {
        (*image.valid.get(self.subdevice)?).ok()?;
        let bytes = if self.output {
            &image.outputs
        } else {
            &image.inputs
        };
        let all = u32::MAX >> (32 - self.bits());
        // Without the sign that the object may have: the low bits alone are meant.
        Some(self.slot.get(bytes)? as u32 & all)
    }

    fn bits(&self) -> u32 {
        8 * self.slot.bytes().clamp(1, 4) as u32
    }

    /// The same with a sign.
    fn signed(&self, image: &ProcessImage) -> Option<i32> {
        let unused = 32 - self.bits();
        // Moved to the top and back, the highest bit is the sign.
        Some((self.number(image)? << unused) as i32 >> unused)
    }
}

impl ContextMap {
    pub(super) fn new(machine: &Machine, layout: &Layout) -> Self {
        let place = |teller: &Option<Teller>| Place::new(&teller.as_ref()?.place, layout);
        let context = &machine.context;
        Self {
            recipe: place(&context.recipe),
            part: place(&context.part),
            tool: place(&context.tool),
            load: place(&context.load),
            temperature: (context.temperature.as_ref())
                .and_then(|one| Place::new(&one.place, layout)),
            from: machine.context.clone(),
        }
    }

    fn tell(&self, image: &mut ProcessImage, before: Conditions) {
        let told = |place: &Place, teller: &Option<Teller>, image: &ProcessImage| {
            let index = |teller: &Teller| Some(teller.index_of(place.number(image)?));
            let index = teller.as_ref().and_then(index);
            index.unwrap_or(Context::UNKNOWN)
        };
        if let Some(place) = &self.recipe {
            image.recipe = told(place, &self.from.recipe, image);
            if let Some(part) = self.from.part_of(image.recipe) {
                image.part = part;
            }
        }
        if let Some(place) = &self.part {
            image.part = told(place, &self.from.part, image);
        }
        if let Some(place) = &self.tool {
            image.conditions.tool = told(place, &self.from.tool, image);
        }
        if let Some(place) = &self.load {
            image.conditions.load = told(place, &self.from.load, image);
        }
        if let (Some(place), Some(one)) = (&self.temperature, &self.from.temperature) {
            let number = place.signed(image).map(f64::from);
            let band = number.map(|number| one.band(number, before.temperature));
            image.conditions.temperature = band.unwrap_or(Context::UNKNOWN);
        }
    }
}

impl ObjectMap {
    /// Something of the context is told from outside, by process data or by columns.
    pub const fn is_told_context(&self) -> bool {
        self.context.from.is_told()
    }

    /// Sets the context of the image as its process data tell it. `exchange` is what [`outcome`](super::outcome) says of the
    /// exchange that filled it. `before` are the conditions of the cycle before: a band of the temperature is left with a hysteresis.
    /// Before [`Self::read`].
    pub fn tell_context(
        &self,
        image: &mut ProcessImage,
        exchange: Result<(), Missing>,
        before: Conditions,
    ) {
        if exchange.is_ok() {
            self.context.tell(image, before);
        }
    }

    /// Sets recipe and part of the image to those of a program or controller, but what is told from outside. Of tool, load and temperature
    /// those that the controller tells; a program has none of them, and they are as they are simulated with its recipe.
    pub fn set_context(&self, image: &mut ProcessImage, context: Context, controller: bool) {
        let from = &self.context.from;
        if from.recipe.is_none() {
            image.recipe = context.recipe;
        }
        if !from.tells_part() {
            image.part = context.part;
        }
        if !from.is_told_by_controller() {
            return;
        }
        let told = if controller {
            context.conditions
        } else {
            from.simulated_in(image.recipe)
        };
        let own = |place: Option<&TellerPlace>| place == Some(&TellerPlace::Controller);
        let here = &mut image.conditions;
        if own(from.tool.as_ref().map(|one| &one.place)) {
            here.tool = told.tool;
        }
        if own(from.load.as_ref().map(|one| &one.place)) {
            here.load = told.load;
        }
        if own(from.temperature.as_ref().map(|one| &one.place)) {
            here.temperature = told.temperature;
        }
    }

    /// A controller tells tool, load or temperature: nothing else has it.
    pub fn is_told_by_controller(&self) -> bool {
        self.context.from.is_told_by_controller()
    }

    /// The number of the image that stands for none, of a temperature its degC; none where none is told that way.
    pub fn unknown_number(&self, image: &ProcessImage) -> Option<f64> {
        let ContextMap { from, .. } = &self.context;
        let all = [
            (&self.context.recipe, &from.recipe),
            (&self.context.part, &from.part),
            (&self.context.tool, &from.tool),
            (&self.context.load, &from.load),
        ];
        let listed = all.into_iter().find_map(|(place, teller)| {
            let number = place.as_ref()?.number(image)?;
            let index = teller.as_ref()?.index_of(number);
            (index == Context::UNKNOWN).then_some(f64::from(number))
        });
        listed.or_else(|| {
            let (place, one) = (&self.context.temperature, &from.temperature);
            let number = f64::from(place.as_ref()?.signed(image)?);
            let unknown = image.conditions.temperature == Context::UNKNOWN;
            one.as_ref().filter(|_| unknown).map(|one| one.degc(number))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ObjectMap;
    use super::*;
    use crate::recording::fixtures::press_cell;
    use twinstep_config::machine::{PdoEntry, SimulatedContext, SubDevice, Thermometer};

    const NUMBER: PdoEntry = PdoEntry {
        index: 0x6000,
        subindex: 1,
        bits: 8,
    };
    const SENT: PdoEntry = PdoEntry {
        index: 0x7000,
        subindex: 1,
        bits: 16,
    };

    fn teller(subdevice: usize, entry: PdoEntry, numbers: &[u32]) -> Option<Teller> {
        Some(Teller {
            place: TellerPlace::Object {
                subdevice,
                entry,
                output: entry == SENT,
            },
            numbers: numbers.to_vec(),
            names: numbers.iter().map(u32::to_string).collect(),
        })
    }

    /// A cell with a terminal behind its drives, whose input tells the part and whose output the recipe.
    fn told(change: impl Fn(&mut ContextFrom, usize)) -> (ObjectMap, ProcessImage, usize) {
        let mut machine = press_cell();
        let bus = machine.bus.as_mut().unwrap();
        let place = bus.subdevices.len();
        bus.subdevices.push(SubDevice {
            name: "plc".to_owned(),
            inputs: vec![NUMBER],
            outputs: vec![SENT],
            terminal: true,
            ..SubDevice::default()
        });
        change(&mut machine.context, place);
        let map = ObjectMap::new(&machine).unwrap();
        let mut image = map.image();
        image.valid.fill(Ok(()));
        (map, image, place)
    }

    fn seen(map: &ObjectMap, image: &mut ProcessImage) -> (u8, u8) {
        let before = image.conditions;
        map.tell_context(image, Ok(()), before);
        (image.recipe, image.part)
    }

    const UNKNOWN: u8 = Context::UNKNOWN;

    #[test]
    fn a_number_stands_for_its_place_and_any_other_for_none() {
        let (map, mut image, place) = told(|context, place| {
            context.recipe = teller(place, SENT, &[500, 0]);
            // Inputs of modules are signed elsewhere.
            context.part = teller(place, NUMBER, &[3, 200]);
        });
        let (input, output) = (image.inputs.len() - 1, image.outputs.len() - 2);
        image.inputs[input] = 200;
        assert_eq!(seen(&map, &mut image), (1, 1));
        assert_eq!(map.unknown_number(&image), None);
        image.outputs[output..].copy_from_slice(&500_u16.to_le_bytes());
        image.inputs[input] = 3;
        assert_eq!(seen(&map, &mut image), (0, 0));
        image.inputs[input] = 0;
        assert_eq!(seen(&map, &mut image), (0, UNKNOWN));
        assert_eq!(map.unknown_number(&image), Some(0.0));
        // The last one is not kept while its SubDevice is missing; where nothing came it is.
        image.inputs[input] = 3;
        image.valid[place] = Err(Missing::NotOperational);
        assert_eq!(seen(&map, &mut image), (UNKNOWN, UNKNOWN));
        image.valid[place] = Ok(());
        assert_eq!(seen(&map, &mut image), (0, 0));
        image.inputs[input] = 200;
        map.tell_context(&mut image, Err(Missing::NoFrame), Conditions::default());
        assert_eq!((image.recipe, image.part), (0, 0));
    }

    #[test]
    fn tool_load_and_temperature_are_told_beside_recipe_and_part() {
        let (map, mut image, place) = told(|context, place| {
            context.tool = teller(place, NUMBER, &[3, 200]);
            context.temperature = Some(Thermometer {
                place: teller(place, SENT, &[0]).unwrap().place,
                scale_degc: 0.1,
                zero_degc: 0.0,
                edges_degc: vec![-10.0, 10.0, 30.0],
                hysteresis_degc: 1.0,
            });
        });
        let (input, output) = (image.inputs.len() - 1, image.outputs.len() - 2);
        let mut seen = |tool: u8, number: i16| {
            image.inputs[input] = tool;
            image.outputs[output..].copy_from_slice(&number.to_le_bytes());
            let before = image.conditions;
            map.tell_context(&mut image, Ok(()), before);
            assert_eq!((image.recipe, image.part), (0, 0));
            let Conditions {
                tool,
                load,
                temperature,
            } = image.conditions;
            (tool, load, temperature, map.unknown_number(&image))
        };
        assert_eq!(seen(3, -50), (0, 0, 0, None));
        // 10.5 degC, then 11 and 9.5.
        assert_eq!(seen(200, 105), (1, 0, 0, None));
        assert_eq!(seen(200, 110), (1, 0, 1, None));
        assert_eq!(seen(200, 95), (1, 0, 1, None));
        assert_eq!(seen(4, 95), (UNKNOWN, 0, 1, Some(4.0)));
        assert_eq!(seen(3, -200), (0, 0, UNKNOWN, Some(-20.0)));
        // The program changes none of it.
        map.set_context(&mut image, Context::of(2, 2), false);
        assert_eq!((image.conditions.tool, map.is_told_context()), (0, true));
        image.valid[place] = Err(Missing::NotOperational);
        map.tell_context(&mut image, Ok(()), Conditions::default());
        assert_eq!(image.conditions.temperature, UNKNOWN);
    }

    #[test]
    fn a_controller_tells_what_is_its_to_tell_and_a_program_what_is_simulated() {
        let (map, mut image, _) = told(|context, place| {
            context.tool = teller(place, NUMBER, &[3, 200]).map(|one| Teller {
                place: TellerPlace::Controller,
                ..one
            });
            // The load is told by an object.
            context.load = teller(place, NUMBER, &[0, 5]);
            context.temperature = Some(Thermometer {
                place: TellerPlace::Controller,
                scale_degc: 1.0,
                zero_degc: 0.0,
                edges_degc: vec![10.0, 20.0, 30.0],
                hysteresis_degc: 1.0,
            });
            context.simulated = vec![SimulatedContext {
                recipe: 2,
                tool: 1,
                load: 0,
                temperature_degc: Some(25.0),
            }];
        });
        assert!(map.is_told_by_controller() && map.layout().conditions);
        let from = &map.context.from;
        let request = |told, before| {
            let all = from.of_request(told, before);
            (all.tool, all.load, all.temperature)
        };
        assert_eq!(request(Some((200, 5, 20.5)), UNKNOWN), (1, 0, 1));
        // A band is left with its hysteresis; a number that stands for none is unknown.
        assert_eq!(request(Some((3, 5, 20.5)), 0), (0, 0, 0));
        assert_eq!(request(Some((0, 5, f64::NAN)), 0), (UNKNOWN, 0, UNKNOWN));
        assert_eq!(request(None, 1), (UNKNOWN, 0, UNKNOWN));
        let mut set = |context: Context, controller| {
            let last = image.inputs.len() - 1;
            image.inputs[last] = 5;
            let before = image.conditions;
            map.tell_context(&mut image, Ok(()), before);
            map.set_context(&mut image, context, controller);
            let all = image.conditions;
            (all.tool, all.load, all.temperature)
        };
        let mut asked = Context::of(0, 0);
        asked.conditions = from.of_request(Some((200, 9, 15.0)), 0);
        assert_eq!(set(asked, true), (1, 1, 0));
        assert_eq!(set(Context::of(0, 0), false), (0, 1, 0));
        assert_eq!(set(Context::of(2, 0), false), (1, 1, 1));
    }

    #[test]
    fn what_is_told_from_outside_goes_before_a_program() {
        let program = Context::of(2, 2);
        let after = |change: fn(&mut ContextFrom, usize)| {
            let (map, mut image, _) = told(change);
            let _ = seen(&map, &mut image);
            map.set_context(&mut image, program, false);
            ((image.recipe, image.part), map.is_told_context())
        };
        assert_eq!(after(|_, _| {}), ((2, 2), false));
        let part = after(|context, place| context.part = teller(place, NUMBER, &[1, 0]));
        assert_eq!(part, ((2, 1), true));
        let recipe = after(|context, place| {
            context.recipe = teller(place, NUMBER, &[1, 0]);
            context.part_of = vec![7, 9];
        });
        assert_eq!(recipe, ((1, 9), true));
        // Without recipes of one part each the part is the program's.
        let alone = after(|context, place| context.recipe = teller(place, NUMBER, &[1, 0]));
        assert_eq!(alone, ((1, 2), true));
    }
}
