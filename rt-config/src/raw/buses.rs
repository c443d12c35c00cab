//! One bus or several, as they are written: `[bus]` or `[[bus]]`.

use super::BusTable;
use crate::value::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Buses {
    /// They are written as a list, be there one or several.
    pub(crate) many: bool,
    pub(crate) tables: Vec<At<BusTable>>,
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Buses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table [bus] or tables [[bus]]")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Buses, A::Error> {
        let value = BusTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Buses {
            many: false,
            // Its place is never told: keys have their own.
            tables: vec![At { value, span: 0..0 }],
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Buses, A::Error> {
        let mut tables = Vec::new();
        while let Some(table) = list.next_element()? {
            tables.push(table);
        }
        Ok(Buses { many: true, tables })
    }
}

impl<'de> Deserialize<'de> for Buses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Buses {
    fn schema_name() -> Cow<'static, str> {
        "Buses".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<BusTable>();
        json_schema!({"anyOf": [table, {"type": "array", "items": table, "minItems": 1}]})
    }
}
