//! Tools, loads and temperatures: lists and bands, and where they are told.

use super::{column_of, numbers, object_of};
use crate::build::press::recipe_index;
use crate::check::{Bounds, Check};
use crate::machine::{
    Bus, ContextFrom, MAX_BANDS, MAX_NAMES, SimulatedContext, Teller, TellerPlace, Thermometer,
};
use crate::raw::{File, ListTable, TemperatureTable};
use crate::value::{At, Span};
use twinstep_models::sample::FACTORS;

/// Where something is told, as it is written.
pub(super) struct Place<'a> {
    pub key: &'a str,
    pub span: &'a Span,
    pub subdevice: Option<&'a At<String>>,
    pub object: Option<&'a At<String>>,
    pub column: Option<&'a At<String>>,
    /// Told by the controller, where it may be.
    pub controller: Option<&'a At<bool>>,
}

impl Place<'_> {
    /// Who tells one of `names` there, by the numbers that stand for them; `of` says what they are.
    pub fn teller(
        &self,
        (of, names): (&str, Vec<String>),
        values: Option<&At<Vec<u32>>>,
        whole: (&File, Option<&Bus>),
        check: &mut Check,
    ) -> Option<Teller> {
        let (place, most) = self.find(whole, check)?;
        Some(Teller {
            place,
            numbers: numbers(of, values, (names.len(), most), check),
            names,
        })
    }

    /// The place, and the largest number that can be told there.
    pub fn find(
        &self,
        (file, bus): (&File, Option<&Bus>),
        check: &mut Check,
    ) -> Option<(TellerPlace, u32)> {
        let controller = self.controller.filter(|told| told.value);
        match (self.subdevice, self.object, self.column, controller) {
            (Some(subdevice), Some(object), None, None) => {
                let place = object_of(subdevice, object, (file, bus), check)?;
                let TellerPlace::Object { entry, .. } = &place else {
                    return None;
                };
                let most = u32::MAX >> (32 - u32::from(entry.bits.clamp(1, 32)));
                Some((place, most))
            }
            (None, None, Some(column), None) => {
                Some((column_of(column, file, bus, check)?, u32::MAX))
            }
            (None, None, None, Some(told)) => {
                let shared = file.shared.as_ref();
                if shared.is_none_or(|shared| shared.controller.is_none()) {
                    check.problem(
                        &told.span,
                        format!("a controller tells `{}`, and this machine has none", self.key),
                        "no [shared.controller]",
                        "add a table [shared.controller], or write `subdevice` and `object` of who tells it",
                    );
                    return None;
                }
                Some((TellerPlace::Controller, u32::MAX))
            }
            _ => {
                let key = self.key;
                // Recipe and part it tells with every request.
                let (by, or, whole) = match key {
                    "recipe" | "part" => ("", "", "one of the two"),
                    _ => (
                        ", or by the controller",
                        ", or `controller` alone",
                        "one of the three",
                    ),
                };
                check.problem(
                    self.span,
                    format!("`{key}` is told by an object of a SubDevice, or by a column of a recording{by}"),
                    whole,
                    format!(
                        "write `subdevice` and `object`, as in `{key} = {{ subdevice = \"plc\", object = \"0x6000:01/8\" }}`, or `column`{or}"
                    ),
                );
                None
            }
        }
    }
}

/// Tools or loads, and who tells them.
pub(super) fn list(
    key: &str,
    raw: Option<&At<ListTable>>,
    whole: (&File, Option<&Bus>),
    check: &mut Check,
) -> Option<Teller> {
    let raw = raw?;
    let (table, names) = (&raw.value, &raw.value.names);
    for name in &names.value {
        check.name(name);
    }
    let of = format!("`names` of [context.{key}]");
    check.unique(&of, names.value.iter());
    check.at_most(&names.span, &of, names.value.len(), MAX_NAMES);
    if names.value.is_empty() {
        check.problem(
            &names.span,
            format!("[context.{key}] has no names"),
            "an empty list",
            format!("list the names, or leave [context.{key}] out"),
        );
        return None;
    }
    let place = Place {
        key,
        span: &raw.span,
        subdevice: table.subdevice.as_ref(),
        object: table.object.as_ref(),
        column: table.column.as_ref(),
        controller: table.controller.as_ref(),
    };
    let plain = names.value.iter().map(|name| name.value.clone()).collect();
    place.teller((&of, plain), table.values.as_ref(), whole, check)
}

/// Where the temperature is told.
pub(super) fn place_of_temperature(
    raw: &At<TemperatureTable>,
    whole: (&File, Option<&Bus>),
    check: &mut Check,
) -> Option<TellerPlace> {
    let table = &raw.value;
    let place = Place {
        key: "temperature",
        span: &raw.span,
        subdevice: table.subdevice.as_ref(),
        object: table.object.as_ref(),
        column: table.column.as_ref(),
        controller: table.controller.as_ref(),
    };
    place.find(whole, check).map(|(place, _)| place)
}

/// The bands of the temperature, without the place where it is told.
pub(in crate::build) fn thermometer(file: &File, check: &mut Check) -> Option<Thermometer> {
    let raw = &file.context.as_ref()?.temperature.as_ref()?.value;
    let edges = &raw.bands;
    let bounds = Bounds::between(-273.0, 2000.0);
    let edges_degc: Vec<f64> = (edges.value.iter())
        .map(|edge| check.si("bands", edge, bounds))
        .collect();
    let widths = edges_degc.windows(2).map(|pair| match pair {
        [low, high] => high - low,
        _ => f64::NAN,
    });
    let narrowest = widths.fold(f64::INFINITY, f64::min);
    if edges_degc.len() < 2 || narrowest <= 0.0 {
        check.problem(
            &edges.span,
            "`bands` are the edges of one band or more, each above the one before",
            "no bands",
            "write them as `bands = [\"15degC\", \"25degC\", \"35degC\"]`, which are two bands",
        );
    }
    check.at_most(
        &edges.span,
        "edges of bands",
        edges_degc.len(),
        MAX_BANDS + 1,
    );
    let hysteresis_degc = match &raw.hysteresis {
        Some(given) => check.si("hysteresis", given, Bounds::between(0.0, 1000.0)),
        // Where bands are narrow it is less.
        None => f64::min(1.0, 0.5 * narrowest),
    };
    if let Some(given) = &raw.hysteresis
        && hysteresis_degc > 0.5 * narrowest
    {
        check.problem(
            &given.span,
            format!(
                "`hysteresis` is {}, and the narrowest band is {narrowest}degC wide",
                given.scalar.shown()
            ),
            "too wide",
            "write half of the narrowest band or less",
        );
    }
    let scale = raw.scale.as_ref();
    Some(Thermometer {
        place: TellerPlace::Column(String::new()),
        scale_degc: check.si_or("scale", scale, Bounds::positive(), 1.0),
        zero_degc: check.si_or("zero", raw.zero.as_ref(), bounds, 0.0),
        edges_degc,
        hysteresis_degc,
    })
}

/// What simulated terminals tell, recipe by recipe.
pub(super) fn simulated(
    file: &File,
    context: &ContextFrom,
    check: &mut Check,
) -> Vec<SimulatedContext> {
    let tables = file.simulation.iter().flat_map(|one| &one.told);
    check.unique(
        "recipes in which terminals tell something",
        tables.clone().map(|one| &one.recipe),
    );
    let place = |what, name: &Option<At<String>>, of: &Option<Teller>, check: &mut Check| {
        let Some(name) = name else { return Some(0) };
        // Of several buses another one tells it.
        if of.is_none() && file.place.is_some() {
            return Some(0);
        }
        let found = of.as_ref().and_then(|list| list.index_of_name(&name.value));
        if found.is_none() {
            let names = of.iter().flat_map(|list| &list.names);
            check.unknown(what, name, &names.map(String::as_str).collect::<Vec<_>>());
        }
        found
    };
    let mut all = Vec::new();
    for one in tables {
        let recipe = recipe_index(&one.recipe, &file.recipe, check);
        let tool = place("tool", &one.tool, &context.tool, check);
        let load = place("load", &one.load, &context.load, check);
        let bounds = Bounds::between(-273.0, 2000.0);
        let temperature_degc =
            (one.temperature.as_ref()).map(|degc| check.si("temperature", degc, bounds));
        if let (Some(recipe), Some(tool), Some(load)) = (recipe, tool, load) {
            all.push(SimulatedContext {
                recipe,
                tool,
                load,
                temperature_degc,
            });
        }
    }
    all
}

/// The names of recipes, tools, loads and bands of the temperature.
pub(in crate::build) fn factors(
    file: &File,
    thermometer: Option<&Thermometer>,
) -> [Vec<String>; FACTORS] {
    let context = file.context.as_ref();
    let of = |list: Option<&At<ListTable>>| {
        let names = list.map_or(&[][..], |list| list.value.names.value.as_slice());
        names.iter().map(|name| name.value.clone()).collect()
    };
    [
        file.recipe
            .iter()
            .map(|one| one.name.value.clone())
            .collect(),
        of(context.and_then(|one| one.tool.as_ref())),
        of(context.and_then(|one| one.load.as_ref())),
        thermometer.map_or_else(Vec::new, Thermometer::names),
    ]
}
