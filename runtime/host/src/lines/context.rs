//! The context of an event in its line.

use crate::names::Names;
use serde::{Deserialize, Serialize};
use twinstep_models::sample::Context;

/// The context of an event, by name; a machine has none of what it has no list of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextNames {
    /// Recipe in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipe: Option<String>,
    /// Part that the recipe says is in the press.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<String>,
    /// Tool in use.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tool: Option<String>,
    /// Load that is carried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub load: Option<String>,
    /// Band that the temperature is in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature: Option<String>,
}

impl ContextNames {
    /// Those of `context`.
    pub fn of(names: &Names, context: Context) -> Self {
        let [recipe, tool, load, temperature] =
            names.factors(context).map(|name| name.map(str::to_owned));
        Self {
            recipe,
            part: names.part(context).map(str::to_owned),
            tool,
            load,
            temperature,
        }
    }
}
