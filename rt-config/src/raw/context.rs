//! The table of who tells recipe and part, as it is written.

use crate::value::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// Who tells recipe and part while the machine runs: a controller, through process data, or the columns of a recording.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextTable {
    /// The recipe; that of program, controller or recording, else the first, unless given.
    pub(crate) recipe: Option<At<TellerTable>>,
    /// The part in the press; that of program, controller or recording, else the first, unless given. Where each recipe has one part
    /// alone, it follows from `recipe`.
    pub(crate) part: Option<At<TellerTable>>,
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
