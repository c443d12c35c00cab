//! JSON Schema of the configuration, for editors.

use crate::machine::Machine;
use crate::raw::File;

impl Machine {
    /// JSON Schema (draft 2020-12) of the configuration file, as text of several lines.
    pub fn schema() -> String {
        let schema = schemars::schema_for!(File);
        // A schema is a JSON value already; writing it to memory has no way to fail.
        serde_json::to_string_pretty(schema.as_value()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_schema_tells_units_and_keys() {
        let schema: Value = serde_json::from_str(&Machine::schema()).unwrap();
        assert_eq!(schema["title"], "twinstep machine");
        assert_eq!(schema["additionalProperties"], false);
        let lead = &schema["$defs"]["DriveTable"]["properties"]["lead"];
        assert!(
            lead["description"]
                .as_str()
                .unwrap()
                .contains("lead of the screw")
        );
        assert_eq!(lead["anyOf"][0]["$ref"], "#/$defs/Length");
        assert_eq!(schema["$defs"]["Length"]["examples"][0], "10mm");
        // Of an axis a way is a length or an angle.
        let to = &schema["$defs"]["StepTable"]["properties"]["to"];
        assert_eq!(to["$ref"], "#/$defs/AxisPlace");
        assert_eq!(schema["$defs"]["AxisPlace"]["examples"][1], "90deg");
        let required = schema["$defs"]["DriveTable"]["required"]
            .as_array()
            .unwrap();
        assert!(required.contains(&Value::from("counts_per_rev")));
        assert!(!required.contains(&Value::from("torque_filter")));
    }
}
