//! The table of who tells recipe, part, tool, load and temperature, as it is written.

use crate::value::{At, Quantity, Temperature};
use schemars::JsonSchema;
use serde::Deserialize;

/// Who tells recipe and part while the machine runs, and tool, load and temperature, which healthy figures may differ by: a controller,
/// through process data or shared memory, or the columns of a recording.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextTable {
    /// The recipe; that of program, controller or recording, else the first, unless given.
    pub(crate) recipe: Option<At<TellerTable>>,
    /// The part in the press; that of program, controller or recording, else the first, unless given. Where each recipe has one part
    /// alone, it follows from `recipe`.
    pub(crate) part: Option<At<TellerTable>>,
    /// The tool in use; nothing is known of tools unless given.
    pub(crate) tool: Option<At<ListTable>>,
    /// The load that is carried, of a list; nothing is known of it unless given.
    pub(crate) load: Option<At<ListTable>>,
    /// The temperature, by bands; nothing is known of it unless given.
    pub(crate) temperature: Option<At<TemperatureTable>>,
}

/// Where a number is told that stands for a recipe or a part: `subdevice` and `object`, or `column`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TellerTable {
    /// SubDevice whose process data hold the number; needed with `object`.
    pub(crate) subdevice: Option<At<String>>,
    /// Its object, as in its inputs: "0x6000:01/8", unsigned. Where twinstep only listens it may be among the outputs, which the other
    /// MainDevice writes. Needed on a bus.
    pub(crate) object: Option<At<String>>,
    /// Column of a recording from elsewhere that holds the number, or the name; needed for a machine that is only replayed.
    pub(crate) column: Option<At<String>>,
    /// The number that stands for each recipe or part, in their order (0 to 4294967295); 0, 1, 2 and so on unless given.
    pub(crate) values: Option<At<Vec<u32>>>,
}

/// A list, and where a number is told that stands for one of it: `subdevice` and `object`, `column`, or `controller`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListTable {
    /// The names, each unique: a to z, 0 to 9, _ and -, at most 32 bytes (1 to 64 names).
    pub(crate) names: At<Vec<At<String>>>,
    /// SubDevice whose process data hold the number; needed with `object`.
    pub(crate) subdevice: Option<At<String>>,
    /// Its object, as in its inputs: "0x6000:01/8", unsigned. Where twinstep only listens it may be among the outputs, which the other
    /// MainDevice writes. Needed on a bus, unless the controller tells it.
    pub(crate) object: Option<At<String>>,
    /// Column of a recording from elsewhere that holds the number, or the name; needed for a machine that is only replayed.
    pub(crate) column: Option<At<String>>,
    /// The controller of `[shared.controller]` tells the number with its requests; false unless given.
    pub(crate) controller: Option<At<bool>>,
    /// The number that stands for each name, in their order (0 to 4294967295); 0, 1, 2 and so on unless given.
    pub(crate) values: Option<At<Vec<u32>>>,
}

/// Where a temperature is told, and the bands that it is cut into: `subdevice` and `object`, `column`, or `controller`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemperatureTable {
    /// SubDevice whose process data hold it; needed with `object`.
    pub(crate) subdevice: Option<At<String>>,
    /// Its object, as in its inputs: "0x6000:01/16", signed. Where twinstep only listens it may be among the outputs, which the other
    /// MainDevice writes. Needed on a bus, unless the controller tells it.
    pub(crate) object: Option<At<String>>,
    /// Column of a recording from elsewhere that holds it; needed for a machine that is only replayed.
    pub(crate) column: Option<At<String>>,
    /// The controller of `[shared.controller]` tells it with its requests; false unless given.
    pub(crate) controller: Option<At<bool>>,
    /// What 1 of the object, the column or the request stands for; "1degC" unless given (above 0).
    pub(crate) scale: Option<Quantity<Temperature>>,
    /// What 0 of it stands for; "0degC" unless given (any).
    pub(crate) zero: Option<Quantity<Temperature>>,
    /// The edges of the bands, rising: each band reaches from one to the next, and what is outside all is unknown (2 to 17 edges,
    /// -273 to 2000 degC).
    pub(crate) bands: At<Vec<Quantity<Temperature>>>,
    /// How far beyond its edges a band is left, so that it does not change to and fro; "1degC", or half of the
    /// narrowest band where that is less, unless given (0 to half of the narrowest band).
    pub(crate) hysteresis: Option<Quantity<Temperature>>,
}

/// What simulated terminals tell of tool, load and temperature while the first press works in one recipe, and in virtual time what is taken
/// for the controller's; in recipes without a table the first name of each list, and the middle of the first band.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulatedTable {
    /// Name of a recipe.
    pub(crate) recipe: At<String>,
    /// A name of `[context.tool]`; the first one unless given.
    pub(crate) tool: Option<At<String>>,
    /// A name of `[context.load]`; the first one unless given.
    pub(crate) load: Option<At<String>>,
    /// The temperature; the middle of the first band unless given (-273 to 2000 degC).
    pub(crate) temperature: Option<Quantity<Temperature>>,
}
