//! docs/configuration.md has every key that the schema has, and says of each what it is, in which unit, between which limits and
//! what holds without it. The page is written from the schema here; where it differs, the test leaves the right one in `target`.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use twinstep_config::machine::Machine;
use twinstep_tests::root;

const HEAD: &str = "\
# The keys of a machine's configuration

This page is written from the schema, which `twinstep check --schema` prints for editors, and a test keeps it so
(`tests/tests/configuration.rs`). Examples of whole machines are in `rt-config/machines`. What the gateway is told stands in
[gateway.md](gateway.md), [mqtt.md](mqtt.md) and [opcua.md](opcua.md).

Quantities are text with a unit, such as `\"10mm\"`; those without a unit are plain numbers. The unit that is named first is the SI
unit. Ranges are in brackets at the end. What is marked with a star is needed wherever its table is there. An unknown key is refused
with its line. `[x]` is a table, `[[x]]` one of a list of tables.
";

/// What a key holds.
enum Kind<'a> {
    /// A quantity, by the name of its dimension.
    Quantity(&'a Value),
    /// A table, or a list of them.
    Table { name: &'a str, list: bool },
    /// Anything else, in words.
    Other(String),
}

struct Page<'a> {
    schema: &'a Value,
    examples: BTreeMap<String, String>,
}

/// The name that a reference leads to.
fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// What may stand there beside nothing.
fn given(schema: &Value) -> &Value {
    let any = schema["anyOf"].as_array();
    any.and_then(|any| any.iter().find(|one| one["type"] != "null"))
        .unwrap_or(schema)
}

fn text(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl<'a> Page<'a> {
    fn definition(&self, name: &str) -> &'a Value {
        &self.schema["$defs"][name]
    }

    fn kind(&self, schema: &'a Value) -> Kind<'a> {
        let schema = given(schema);
        if let Some(name) = name_of(schema) {
            let definition = self.definition(name);
            return match (definition.get("properties"), definition["anyOf"].get(0)) {
                (Some(_), _) => Kind::Table { name, list: false },
                // One table, or a list of them.
                (None, Some(one)) => match self.kind(one) {
                    Kind::Table { name, .. } => Kind::Table { name, list: true },
                    other => other,
                },
                (None, None) => Kind::Quantity(definition),
            };
        }
        let of = match &schema["type"] {
            Value::Array(types) => types
                .iter()
                .find_map(|one| one.as_str().filter(|one| *one != "null")),
            one => one.as_str(),
        };
        Kind::Other(match of {
            Some("string") => "text".to_owned(),
            Some("integer") => "number".to_owned(),
            Some("boolean") => "true or false".to_owned(),
            Some("array") => match self.kind(&schema["items"]) {
                Kind::Table { name, .. } => return Kind::Table { name, list: true },
                Kind::Quantity(dimension) => format!("list: {}", units(dimension)),
                Kind::Other(what) => format!("list: {what}"),
            },
            other => panic!("{other:?}: {schema:#}"),
        })
    }

    /// Places of every table, in the order of the file; the root has the empty name.
    fn places(&self) -> Vec<(&'a str, Vec<String>)> {
        let mut found: Vec<(&str, Vec<String>)> = vec![("", Vec::new())];
        let root = self.schema["properties"].as_object().unwrap();
        for first in ["machine", "cycle", "judge", "realtime", "bus"] {
            assert!(root.contains_key(first), "{first}");
        }
        self.walk(root, "", &mut found);
        found
    }

    fn walk(
        &self,
        keys: &'a Map<String, Value>,
        path: &str,
        found: &mut Vec<(&'a str, Vec<String>)>,
    ) {
        for (key, schema) in keys {
            let Kind::Table { name, list } = self.kind(schema) else {
                continue;
            };
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            // [bus] is one or a list.
            let shown = if list && path != "bus" {
                format!("[[{path}]]")
            } else {
                format!("[{path}]")
            };
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, places)) => places.push(shown),
                None => found.push((name, vec![shown])),
            }
            self.walk(
                self.definition(name)["properties"].as_object().unwrap(),
                &path,
                found,
            );
        }
    }

    fn write(&self) -> String {
        let mut page = HEAD.to_owned();
        for (name, places) in self.places() {
            let paths: Vec<_> = places
                .iter()
                .map(|place| place.trim_matches(['[', ']']).to_owned())
                .collect();
            let table = if name.is_empty() {
                self.schema
            } else {
                self.definition(name)
            };
            let places: Vec<_> = places.iter().map(|place| format!("`{place}`")).collect();
            let title = if places.is_empty() {
                "The file".to_owned()
            } else {
                places.join(", ")
            };
            let _ = writeln!(
                page,
                "\n## {title}\n\n{}\n\n| key | unit or kind | example | meaning |\n|---|---|---|---|",
                text(table)
            );
            for (key, schema) in table["properties"].as_object().unwrap() {
                let needed = (table["required"].as_array())
                    .is_some_and(|all| all.contains(&Value::from(key.as_str())));
                let star = if needed { " *" } else { "" };
                let (kind, example) = match self.kind(schema) {
                    Kind::Quantity(dimension) => {
                        let units = units(dimension);
                        // Any number of units is one; a plain number depends on its key.
                        let example = if units.starts_with("number") {
                            self.example(&paths, key)
                        } else {
                            example(dimension)
                        };
                        (units, example)
                    }
                    Kind::Table { list: true, .. } => ("tables".to_owned(), String::new()),
                    Kind::Table { list: false, .. } => ("table".to_owned(), String::new()),
                    Kind::Other(kind) => (kind, self.example(&paths, key)),
                };
                let row = [
                    format!("`{key}`{star}"),
                    kind,
                    example,
                    self.meaning(schema),
                ];
                let _ = writeln!(
                    page,
                    "| {} |",
                    row.map(|cell| cell.replace('|', "\\|")).join(" | ")
                );
            }
        }
        page
    }

    /// A value of a key in one of the tables at `paths`; empty where no machine has it.
    fn example(&self, paths: &[String], key: &str) -> String {
        let mut found = paths
            .iter()
            .filter_map(|path| self.examples.get(&format!("{path}.{key}")));
        found.next().cloned().unwrap_or_default()
    }

    /// What is said of a key; of a table without words of its own, those of the table.
    fn meaning(&self, schema: &'a Value) -> String {
        match (text(schema), self.kind(schema)) {
            (said, Kind::Table { name, .. }) if said.is_empty() => text(self.definition(name)),
            (said, _) => said,
        }
    }
}

/// Units of a dimension, the SI unit first.
fn units(dimension: &Value) -> String {
    let said = dimension["description"].as_str().unwrap();
    let units = said.split_once("units: ").map_or("", |(_, units)| units);
    match (units.is_empty(), said.starts_with("a number")) {
        (true, _) => "number".to_owned(),
        (false, true) => format!("number, {units}"),
        (false, false) => units.to_owned(),
    }
}

fn example(dimension: &Value) -> String {
    let examples = dimension["examples"].as_array().unwrap();
    let examples: Vec<_> = examples.iter().map(|one| format!("`{one}`")).collect();
    examples.join(", ")
}

/// The first short value of every key, by its table and name, in the machines that are shipped.
fn examples() -> BTreeMap<String, String> {
    let mut files: Vec<_> = fs::read_dir(root().join("rt-config/machines"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut found = BTreeMap::new();
    for file in files {
        let mut table = String::new();
        for line in fs::read_to_string(file).unwrap().lines() {
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_matches(['[', ']']).to_owned();
            }
            let Some((key, value)) = line.split_once(" = ") else {
                continue;
            };
            if (1..=40).contains(&value.len())
                && !value.ends_with(['[', '{', ','])
                && !key.contains([' ', '#', '{'])
            {
                found
                    .entry(format!("{table}.{key}"))
                    .or_insert_with(|| format!("`{value}`"));
            }
        }
    }
    found
}

#[test]
fn the_page_is_that_of_the_schema() {
    let schema: Value = serde_json::from_str(&Machine::schema()).unwrap();
    let page = Page {
        schema: &schema,
        examples: examples(),
    }
    .write();
    let path = root().join("docs/configuration.md");
    if fs::read_to_string(&path).unwrap_or_default() != page {
        let right = root().join("target/configuration.md");
        fs::create_dir_all(right.parent().unwrap()).unwrap();
        fs::write(&right, page).unwrap();
        panic!(
            "{} is not that of the schema: copy {} there",
            path.display(),
            right.display()
        );
    }
}

#[test]
fn every_key_says_what_it_is_between_which_limits_and_what_holds_without_it() {
    let schema: Value = serde_json::from_str(&Machine::schema()).unwrap();
    let page = Page {
        schema: &schema,
        examples: BTreeMap::new(),
    };
    let mut offences = Vec::new();
    let mut keys = 0;
    for (name, places) in page.places() {
        let table = if name.is_empty() {
            &schema
        } else {
            page.definition(name)
        };
        for (key, schema) in table["properties"].as_object().unwrap() {
            keys += 1;
            let said = page.meaning(schema);
            let mut offence =
                |what: &str| offences.push(format!("{name} {places:?} `{key}` {what}: {said:?}"));
            if said.len() < 9 {
                offence("is not described");
            }
            let kind = page.kind(schema);
            let number = match &kind {
                Kind::Quantity(_) => true,
                Kind::Other(kind) => kind == "number",
                Kind::Table { .. } => continue,
            };
            if number && !has_range(&said) {
                offence("has no range");
            }
            let needed = (table["required"].as_array())
                .is_some_and(|all| all.contains(&Value::from(key.as_str())));
            let words = [
                "unless",
                "missing",
                "eeded",
                "else",
                "Else",
                "ithout",
                "None:",
                "empty",
                "Where false",
            ];
            let list = matches!(&kind, Kind::Other(kind) if kind.starts_with("list"));
            if !needed && !list && !words.iter().any(|word| said.contains(word)) {
                offence("does not say what holds without it");
            }
        }
    }
    assert!(keys > 300, "{keys}");
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// Whether a text tells limits: "0 to 1", "above 0", "any".
fn has_range(said: &str) -> bool {
    let words: Vec<&str> = said
        .split([' ', ',', '(', ')', ';', '.', '"'])
        .filter(|word| !word.is_empty())
        .collect();
    let number = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '`')
            || ["less", "period"].contains(&word)
    };
    let range = words.windows(3).any(|three| {
        three[1] == "to" && number(three[0]) && (number(three[2]) || three[2] == "the")
    });
    let bound = ["above", "beyond", "within", "least", "most", "any", "more"];
    range
        || words.iter().any(|word| bound.contains(word))
        || said.contains("one of `")
        || said.contains("a number of `")
        || said.contains("1 (unless given)")
}
