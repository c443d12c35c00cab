//! Recipe and part as process data tell them: a number in an object, which stands for one of the configuration's list.
//!
//! The number is unsigned, whatever the object is elsewhere. One that stands for none, or whose SubDevice is missing although the
//! exchange went well, is [`Context::UNKNOWN`]; the last one is not kept. After an exchange that went wrong nothing is judged, and what
//! was told before it stands. What a column tells stands in the rows of the recording already.

use super::{Layout, ObjectMap, Slot};
use crate::bus::ProcessImage;
use twinstep_config::machine::{ContextFrom, Machine, Teller, TellerPlace};
use twinstep_models::sample::{Context, Missing};

/// Who tells recipe and part.
#[derive(Clone, Debug, Default)]
pub(super) struct ContextMap {
    from: ContextFrom,
    recipe: Option<Place>,
    part: Option<Place>,
}

/// Where a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    subdevice: usize,
    output: bool,
    slot: Slot,
}

impl Place {
    fn new(teller: &Teller, layout: &Layout) -> Option<Self> {
        let TellerPlace::Object {
            subdevice,
            entry,
            output,
        } = &teller.place
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
        let all = u32::MAX >> (32 - 8 * self.slot.bytes().clamp(1, 4));
        // Without the sign that the object may have: the low bits alone are meant.
        Some(self.slot.get(bytes)? as u32 & all)
    }
}

impl ContextMap {
    pub(super) fn new(machine: &Machine, layout: &Layout) -> Self {
        let place = |teller: &Option<Teller>| Place::new(teller.as_ref()?, layout);
        Self {
            recipe: place(&machine.context.recipe),
            part: place(&machine.context.part),
            from: machine.context.clone(),
        }
    }

    fn tell(&self, image: &mut ProcessImage) {
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
    }
}

impl ObjectMap {
    /// Recipe or part are told from outside, by process data or by columns.
    pub const fn is_told_context(&self) -> bool {
        self.context.from.is_told()
    }

    /// Sets recipe and part of the image as its process data tell them. `exchange` is what [`outcome`](super::outcome) says of the
    /// exchange that filled it. Before [`Self::read`].
    pub fn tell_context(&self, image: &mut ProcessImage, exchange: Result<(), Missing>) {
        if exchange.is_ok() {
            self.context.tell(image);
        }
    }

    /// Sets recipe and part of the image to those of a program or controller, but what is told from outside.
    pub fn set_context(&self, image: &mut ProcessImage, context: Context) {
        if self.context.from.recipe.is_none() {
            image.recipe = context.recipe;
        }
        if !self.context.from.tells_part() {
            image.part = context.part;
        }
    }

    /// The number of the image that stands for none; none where none is told that way.
    pub fn unknown_number(&self, image: &ProcessImage) -> Option<u32> {
        let ContextMap { from, recipe, part } = &self.context;
        let both = [(recipe, &from.recipe), (part, &from.part)];
        both.into_iter().find_map(|(place, teller)| {
            let number = place.as_ref()?.number(image)?;
            let index = teller.as_ref()?.index_of(number);
            (index == Context::UNKNOWN).then_some(number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ObjectMap;
    use super::*;
    use crate::recording::fixtures::press_cell;
    use twinstep_config::machine::{PdoEntry, SubDevice};

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
        map.tell_context(image, Ok(()));
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
        assert_eq!(map.unknown_number(&image), Some(0));
        // The last one is not kept while its SubDevice is missing; where nothing came it is.
        image.inputs[input] = 3;
        image.valid[place] = Err(Missing::NotOperational);
        assert_eq!(seen(&map, &mut image), (UNKNOWN, UNKNOWN));
        image.valid[place] = Ok(());
        assert_eq!(seen(&map, &mut image), (0, 0));
        image.inputs[input] = 200;
        map.tell_context(&mut image, Err(Missing::NoFrame));
        assert_eq!((image.recipe, image.part), (0, 0));
    }

    #[test]
    fn what_is_told_from_outside_goes_before_a_program() {
        let program = Context { recipe: 2, part: 2 };
        let after = |change: fn(&mut ContextFrom, usize)| {
            let (map, mut image, _) = told(change);
            let _ = seen(&map, &mut image);
            map.set_context(&mut image, program);
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
