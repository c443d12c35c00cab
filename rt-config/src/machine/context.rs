//! Who tells recipe, part, tool, load and temperature while the machine runs.

use super::{Machine, PdoEntry};
use twinstep_models::sample::{Conditions, Context, FACTORS};

/// Who tells recipe, part, tool, load and temperature, `[context]`. A recipe or part that nobody tells is that of whoever brings the process data: the program, a controller, a
/// recording of ours, else the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextFrom {
    /// Who tells the recipe; none: nobody.
    pub recipe: Option<Teller>,
    /// Who tells the part; none: nobody.
    pub part: Option<Teller>,
    /// The part of each recipe, where the recipe is told and its only part follows from it; else empty.
    pub part_of: Vec<u8>,
    /// Who tells the tool, with the list of them; none: nothing is known of tools.
    pub tool: Option<Teller>,
    /// Who tells the load, with the list of them; none: nothing is known of it.
    pub load: Option<Teller>,
    /// Who tells the temperature, with its bands; none: nothing is known of it.
    pub temperature: Option<Thermometer>,
    /// What simulated terminals tell of them, by recipe, and what is taken for a controller's where none is heard; in others the first of
    /// each list, and the middle of the first band.
    pub simulated: Vec<SimulatedContext>,
}

/// What a simulated terminal tells while the first press works in one recipe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedContext {
    /// The recipe.
    pub recipe: u8,
    /// Tool, by its place in the list.
    pub tool: u8,
    /// Load, likewise.
    pub load: u8,
    /// Temperature (degC); none: the middle of the first band.
    pub temperature_degc: Option<f64>,
}

impl ContextFrom {
    /// Anything is told.
    pub const fn is_told(&self) -> bool {
        self.recipe.is_some()
            || self.part.is_some()
            || self.tool.is_some()
            || self.load.is_some()
            || self.temperature.is_some()
    }

    /// A controller tells tool, load or temperature with its requests.
    pub fn is_told_by_controller(&self) -> bool {
        let lists = [&self.tool, &self.load].into_iter().flatten();
        (lists.map(|one| &one.place))
            .chain(self.temperature.iter().map(|one| &one.place))
            .any(|place| *place == TellerPlace::Controller)
    }

    /// What a request of a controller tells, 0 of what is not its to tell. `told` are the numbers of tool, load and temperature; none:
    /// the request has none, and they are unknown. `before` is the band of the request before.
    pub fn of_request(&self, told: Option<(u32, u32, f64)>, before: u8) -> Conditions {
        let list = |teller: &Option<Teller>, number: fn((u32, u32, f64)) -> u32| {
            let teller = teller.as_ref();
            let own = teller.filter(|one| one.place == TellerPlace::Controller);
            own.map_or(0, |one| {
                told.map_or(Context::UNKNOWN, |told| one.index_of(number(told)))
            })
        };
        let own = |one: &&Thermometer| one.place == TellerPlace::Controller;
        let band = |one: &Thermometer| {
            told.map_or(Context::UNKNOWN, |(_, _, number)| one.band(number, before))
        };
        Conditions {
            tool: list(&self.tool, |(tool, _, _)| tool),
            load: list(&self.load, |(_, load, _)| load),
            temperature: self.temperature.as_ref().filter(own).map_or(0, band),
        }
    }

    /// Tool, load and temperature that a recipe is simulated with.
    pub fn simulated_in(&self, recipe: u8) -> Conditions {
        let found = self.simulated.iter().find(|one| one.recipe == recipe);
        let band = |one: &Thermometer| {
            let degc = found.and_then(|one| one.temperature_degc);
            let number = one.number(degc.unwrap_or_else(|| one.first_degc()));
            one.band(number as f64, Context::UNKNOWN)
        };
        Conditions {
            tool: found.map_or(0, |one| one.tool),
            load: found.map_or(0, |one| one.load),
            temperature: self.temperature.as_ref().map_or(0, band),
        }
    }

    /// The part is told, or follows from what is.
    pub const fn tells_part(&self) -> bool {
        self.part.is_some() || !self.part_of.is_empty()
    }

    /// The part that follows from a recipe that is told.
    pub fn part_of(&self, recipe: u8) -> Option<u8> {
        if self.part_of.is_empty() {
            return None;
        }
        let part = self.part_of.get(usize::from(recipe)).copied();
        Some(part.unwrap_or(Context::UNKNOWN))
    }
}

/// Who tells the recipe, the part, the tool or the load.
#[derive(Clone, Debug, PartialEq)]
pub struct Teller {
    /// Where.
    pub place: TellerPlace,
    /// The number that stands for each of them, in the order of the configuration; none twice.
    pub numbers: Vec<u32>,
    /// Their names, which a column may hold instead.
    pub names: Vec<String>,
}

/// Where it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TellerPlace {
    /// In the process data of a SubDevice.
    Object {
        /// Position of the SubDevice on the bus.
        subdevice: usize,
        /// The object.
        entry: PdoEntry,
        /// Among its outputs, which another MainDevice writes; else among its inputs.
        output: bool,
    },
    /// In a column of a recording from elsewhere.
    Column(String),
    /// In the requests of the controller, through shared memory.
    Controller,
}

impl Teller {
    /// Which of them a number stands for: its index, [`Context::UNKNOWN`] for none.
    pub fn index_of(&self, number: u32) -> u8 {
        let index = self.numbers.iter().position(|known| *known == number);
        index.map_or(Context::UNKNOWN, to_index)
    }

    /// Which of them has this name.
    pub fn index_of_name(&self, name: &str) -> Option<u8> {
        let index = self.names.iter().position(|known| known == name);
        index.map(to_index)
    }
}

/// There are at most 64 recipes, 16 parts, 64 tools and 64 loads.
fn to_index(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(Context::UNKNOWN)
}

/// Who tells the temperature, and what its bands are.
#[derive(Clone, Debug, PartialEq)]
pub struct Thermometer {
    /// Where: a signed number, a column, or a request.
    pub place: TellerPlace,
    /// What 1 of it stands for (degC, > 0).
    pub scale_degc: f64,
    /// What 0 of it stands for (degC).
    pub zero_degc: f64,
    /// Edges of the bands (degC), rising, two or more.
    pub edges_degc: Vec<f64>,
    /// How far beyond its edges a band is left (degC, 0 to half of the narrowest band).
    pub hysteresis_degc: f64,
}

impl Thermometer {
    /// The whole number that stands for a temperature (degC): the nearest.
    pub fn number(&self, degc: f64) -> i64 {
        // Casts from float saturate.
        ((degc - self.zero_degc) / self.scale_degc).round() as i64
    }

    /// The middle of the first band (degC).
    pub fn first_degc(&self) -> f64 {
        match self.edges_degc.as_slice() {
            [low, high, ..] => 0.5 * (low + high),
            _ => 0.0,
        }
    }

    /// The temperature that a number stands for (degC).
    pub fn degc(&self, number: f64) -> f64 {
        number * self.scale_degc + self.zero_degc
    }

    /// The band of a number, after band `before`: that one until the temperature is further beyond its edges than the hysteresis.
    /// [`Context::UNKNOWN`] outside of all, and for what is no number.
    pub fn band(&self, number: f64, before: u8) -> u8 {
        let degc = self.degc(number);
        let band = |n: usize| Some((*self.edges_degc.get(n)?, *self.edges_degc.get(n + 1)?));
        if let Some((low, high)) = band(usize::from(before))
            && degc >= low - self.hysteresis_degc
            && degc < high + self.hysteresis_degc
        {
            return before;
        }
        let within = |n: &usize| band(*n).is_some_and(|(low, high)| degc >= low && degc < high);
        let found = (0..self.edges_degc.len()).find(within);
        found.map_or(Context::UNKNOWN, to_index)
    }

    /// The names of the bands, as "15..25degC".
    pub fn names(&self) -> Vec<String> {
        let pairs = self.edges_degc.windows(2);
        pairs
            .filter_map(|pair| match pair {
                [low, high] => Some(format!("{low}..{high}degC")),
                _ => None,
            })
            .collect()
    }
}

impl Machine {
    /// The names of what rows of healthy figures may be of: recipes, tools, loads, and bands of the temperature. Empty where the machine
    /// has no list.
    pub fn factor_names(&self) -> [Vec<String>; FACTORS] {
        let of = |teller: &Option<Teller>| {
            (teller.as_ref()).map_or_else(Vec::new, |teller| teller.names.clone())
        };
        let context = &self.context;
        [
            self.recipes.iter().map(|one| one.name.clone()).collect(),
            of(&context.tool),
            of(&context.load),
            (context.temperature.as_ref()).map_or_else(Vec::new, Thermometer::names),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thermometer() -> Thermometer {
        Thermometer {
            place: TellerPlace::Column("t".to_owned()),
            scale_degc: 0.1,
            zero_degc: 0.0,
            edges_degc: vec![15.0, 25.0, 37.5],
            hysteresis_degc: 1.0,
        }
    }

    #[test]
    fn a_band_is_left_beyond_its_hysteresis_and_no_sooner() {
        let one = thermometer();
        assert_eq!(one.names(), ["15..25degC", "25..37.5degC"]);
        let mut band = Context::UNKNOWN;
        let course = [
            (149.0, Context::UNKNOWN),
            (150.0, 0),
            // To and fro at an edge.
            (255.0, 0),
            (245.0, 0),
            (259.0, 0),
            (260.0, 1),
            (241.0, 1),
            (251.0, 1),
            (239.0, 0),
            (141.0, 0),
            (139.0, Context::UNKNOWN),
            (141.0, Context::UNKNOWN),
            (374.0, 1),
            (384.0, 1),
            (386.0, Context::UNKNOWN),
            (380.0, Context::UNKNOWN),
            (200.0, 0),
            // Straight over a band.
            (300.0, 1),
            (f64::NAN, Context::UNKNOWN),
            (f64::INFINITY, Context::UNKNOWN),
        ];
        for (at, (number, expected)) in course.into_iter().enumerate() {
            band = one.band(number, band);
            assert_eq!(band, expected, "{at}: {number}");
            // Told again it is the same.
            assert_eq!(one.band(number, band), band);
        }
    }
}
