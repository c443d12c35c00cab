//! Budgets as a patch: `[cycle.budget]` and `[cycle.model_budget]` alone, or the same in `[[bus]]` of a machine of several buses.

use super::parse;
use crate::check::duration;
use crate::error::{ConfigError, Problem, shortened};
use std::fmt::Write;
use toml_edit::{Item, Table, TableLike, Value};

/// The tables in `[cycle]` that a patch of budgets holds.
const TABLES: [&str; 2] = ["budget", "model_budget"];

/// A TOML patch of budgets (ns), each under its stable word: phases and groups of models.
pub fn patch_of_budgets(phases: &[(&str, u64)], groups: &[(&str, u64)]) -> String {
    tables("cycle", phases, groups)
}

/// The same for the bus `name` of a machine of several.
pub fn patch_of_budgets_of(name: &str, phases: &[(&str, u64)], groups: &[(&str, u64)]) -> String {
    let tables = tables("bus", phases, groups);
    if tables.is_empty() {
        return tables;
    }
    format!("[[bus]]\nname = \"{name}\"\n\n{tables}")
}

fn tables(of: &str, phases: &[(&str, u64)], groups: &[(&str, u64)]) -> String {
    let mut text = String::new();
    for (table, budgets) in TABLES.into_iter().zip([phases, groups]) {
        if budgets.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a String has no way to fail.
        let _ = writeln!(text, "[{of}.{table}]");
        for (name, ns) in budgets {
            let _ = writeln!(text, "{name} = \"{}\"", duration(*ns));
        }
    }
    text
}

/// Puts the budgets of `patch_text` into the configuration `base_text`: those that it names replace what was there, the
/// others and everything else stay, comments and order included.
///
/// # Errors
/// [`ConfigError`] when either text is no TOML, the patch holds anything but budgets, or the result is no machine, for
/// instance because its budgets are longer than the period together.
pub fn apply_budgets(base_text: &str, patch_text: &str) -> Result<String, ConfigError> {
    let mut base = parse(base_text, "configuration")?;
    let patch = parse(patch_text, "patch")?;
    let refuse = |what: &str| {
        let message = format!("a patch of budgets cannot hold `{}`", shortened(what));
        let help = "it holds [cycle.budget] and [cycle.model_budget] alone, or the budgets of a [[bus]] that is there";
        ConfigError::one(
            patch_text,
            "patch",
            Problem::new(&(0..0), message, "", help),
        )
    };
    for (key, item) in patch.iter() {
        match (key, item.as_table_like(), item.as_array_of_tables()) {
            ("cycle", Some(cycle), _) => {
                // The configuration is no machine without [cycle], and is refused below.
                if let Some(into) = base.get_mut("cycle").and_then(Item::as_table_like_mut) {
                    merge(key, cycle, into).map_err(|what| refuse(&what))?;
                }
            }
            ("bus", _, Some(buses)) => {
                for bus in buses {
                    let name = bus.get("name").and_then(Item::as_str).unwrap_or_default();
                    let into = base.get_mut("bus").and_then(Item::as_array_of_tables_mut);
                    let named =
                        |table: &&mut Table| table.get("name").and_then(Item::as_str) == Some(name);
                    let Some(into) = into.and_then(|buses| buses.iter_mut().find(named)) else {
                        return Err(refuse(&format!("bus \"{name}\"")));
                    };
                    let mut bus = bus.clone();
                    bus.remove("name");
                    merge(key, &bus, into).map_err(|what| refuse(&what))?;
                }
            }
            _ => return Err(refuse(key)),
        }
    }
    let merged = base.to_string();
    crate::load_buses(&merged, "configuration with patch")?;
    Ok(merged)
}

/// Puts the budgets of `patch` into the tables of `into`; the error is what is none.
fn merge(of: &str, patch: &dyn TableLike, into: &mut dyn TableLike) -> Result<(), String> {
    for (key, item) in patch.iter() {
        let Some(budgets) = item.as_table_like().filter(|_| TABLES.contains(&key)) else {
            return Err(format!("{of}.{key}"));
        };
        let table = into.entry(key).or_insert_with(|| Item::Table(Table::new()));
        let Some(table) = table.as_table_like_mut() else {
            continue;
        };
        for (name, budget) in budgets.iter() {
            let Some(text) = budget.as_str() else {
                return Err(format!("{of}.{key}.{name}"));
            };
            let mut value = Value::from(text);
            if let Some(old) = table.get(name).and_then(Item::as_value) {
                // What somebody wrote beside it stays.
                *value.decor_mut() = old.decor().clone();
            }
            table.insert(name, Item::Value(value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PRESS_CELL, load};

    #[test]
    fn budgets_come_back_as_they_were_written() {
        let patch = patch_of_budgets(&[("wake", 12_500), ("slack", 500_000)], &[("press", 1_500)]);
        assert_eq!(
            patch,
            "[cycle.budget]\nwake = \"12.5us\"\nslack = \"500us\"\n\n[cycle.model_budget]\npress = \"1.5us\"\n"
        );
        let merged =
            apply_budgets(PRESS_CELL, &patch_of_budgets(&[("wake", 12_345)], &[])).unwrap();
        let (before, after) = (
            load(PRESS_CELL, "a").unwrap().cycle,
            load(&merged, "b").unwrap().cycle,
        );
        assert_eq!(after.budget_ns[0], Some(12_345));
        assert_eq!(after.budget_ns[1..], before.budget_ns[1..]);
        let merged = apply_budgets(&merged, "[cycle.model_budget]\nstation = \"7us\"\n").unwrap();
        let cycle = load(&merged, "c").unwrap().cycle;
        assert_eq!(cycle.model_budget_ns, [None, None, Some(7_000)]);
        assert_eq!(cycle.budget_ns, after.budget_ns);
        // Nothing else has changed, comments included.
        let lines = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(lines(&merged), lines(PRESS_CELL));
    }

    #[test]
    fn one_of_several_buses_has_its_own() {
        let two = include_str!("../../machines/two-buses.toml");
        let patch = patch_of_budgets_of("rear", &[("wake", 12_500)], &[("servo", 1_500)]);
        let merged = apply_budgets(two, &patch).unwrap();
        let cycles = |text: &str| {
            let machines = crate::load_buses(text, "two.toml").unwrap();
            machines
                .into_iter()
                .map(|machine| machine.cycle)
                .collect::<Vec<_>>()
        };
        let (before, after) = (cycles(two), cycles(&merged));
        assert_eq!(after[0], before[0]);
        assert_eq!(after[1].budget_ns[0], Some(12_500));
        assert_eq!(after[1].model_budget_ns[0], Some(1_500));
        assert_eq!(patch_of_budgets_of("rear", &[], &[]), "");
        let strange = patch_of_budgets_of("roof", &[("wake", 12_500)], &[]);
        let error = apply_budgets(two, &strange).unwrap_err().plain();
        assert!(error.contains("roof"), "{error}");
    }

    #[test]
    fn what_is_no_budget_or_too_long_is_refused() {
        for (patch, says) in [
            ("[machine]\nname = \"x\"\n", "cannot hold `machine`"),
            ("[cycle]\nperiod = \"1ms\"\n", "cannot hold `cycle.period`"),
            (
                "[cycle.budget]\nwake = 5\n",
                "cannot hold `cycle.budget.wake`",
            ),
            ("[cycle.budget]\nwake = \"900us\"\n", "more than the period"),
            ("[cycle.budget]\nwaek = \"1us\"\n", "waek"),
        ] {
            let error = apply_budgets(PRESS_CELL, patch).unwrap_err().plain();
            assert!(error.contains(says), "{patch}: {error}");
        }
    }
}
