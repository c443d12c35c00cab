//! Baselines and paces by recipe, and what a simulated axis carries by recipe.

use super::errors::wrong;
use crate::machine::{FigureOf, MAX_CONTEXT_BASES, Machine};
use crate::patch::{apply_patch, twin_patch};
use crate::{PRESS_CELL, load};
use twinstep_models::sample::Only;

/// The shipped cell with a second recipe.
fn two_recipes() -> String {
    format!("{PRESS_CELL}\n[[recipe]]\nname = \"thick\"\nparts = [\"bush-b\"]\n")
}

/// The same, where the first axis has two more rows and a pace of the second recipe.
fn by_recipe() -> String {
    let at = "[[axis.twin.pace]]\n";
    let rows = r#"[[axis.twin.baseline]]
regime = "constant_speed_positive"
recipe = "thick"
mean = "0.25A"
sigma = "0.01A"

[[axis.twin.baseline]]
channel = "ripple"
regime = "constant_speed_positive"
recipe = "thick"
mean = "0.0125A"
sigma = "0.001A"

[[axis.twin.pace]]
regime = "acceleration"
recipe = "thick"
least = "2m/s2"
most = "2.5m/s2"

"#;
    two_recipes().replacen(at, &format!("{rows}{at}"), 1)
}

fn of_recipe(recipe: u8) -> Only {
    Only {
        recipe: Some(recipe),
        ..Only::ALWAYS
    }
}

fn built(text: &str) -> Machine {
    load(text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()))
}

#[test]
fn rows_of_a_recipe_stand_beside_those_of_all() {
    let machine = built(&by_recipe());
    let twin = machine.axes[0].twin.as_ref().unwrap();
    let rows = |of, recipe| {
        let wanted = "constant_speed_positive";
        (twin.baseline.iter())
            .filter(|row| row.of == of && row.regime == wanted && row.only.recipe == recipe)
            .map(|row| row.mean_a)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(FigureOf::CurrentLoad, Some(1)), [0.25]);
    assert_eq!(rows(FigureOf::Ripple, Some(1)), [0.0125]);
    assert_eq!(rows(FigureOf::CurrentLoad, None).len(), 1);
    assert!(rows(FigureOf::Disturbance, Some(1)).is_empty());
    let pace = twin
        .paces
        .iter()
        .find(|row| row.only.recipe == Some(1))
        .unwrap();
    assert_eq!((pace.paces.least, pace.paces.most), (2.0, 2.5));
    assert_eq!(twin.contexts(), [of_recipe(1)]);
    let other = machine.axes[1].twin.as_ref().unwrap();
    assert!(other.contexts().is_empty());
}

#[test]
fn rows_by_recipe_go_through_a_patch_of_axes_and_presses() {
    let mut machine = built(&two_recipes());
    let press = machine.presses.iter_mut().map(|press| &mut press.axis);
    for axis in machine.axes.iter_mut().chain(press) {
        let twin = axis.twin.as_mut().unwrap();
        let (baseline, paces) = (twin.baseline.clone(), twin.paces.clone());
        for (number, row) in twin.baseline.iter_mut().enumerate() {
            row.only.recipe = Some((number % 2) as u8);
        }
        for row in &mut twin.paces {
            row.only.recipe = Some(0);
        }
        // What holds in all recipes comes behind them.
        twin.baseline.extend(baseline);
        twin.paces.extend(paces);
    }
    let merged = apply_patch(&two_recipes(), &twin_patch(&machine)).unwrap();
    assert_eq!(built(&merged), machine);
    assert_eq!(apply_patch(&merged, &twin_patch(&machine)).unwrap(), merged);
}

#[test]
fn what_is_wrong_with_a_recipe_of_a_row_is_said_at_its_line() {
    let text = by_recipe();
    let check = |from: &str, to: &str, words: &str| wrong(&text, from, to, words);
    let row = "regime = \"constant_speed_positive\"\nrecipe = \"thick\"\nmean = \"0.25A\"";
    let pace = "regime = \"acceleration\"\nleast = \"4.9";
    for (from, to, words) in [
        (
            "recipe = \"thick\"\nmean = \"0.25A\"",
            "recipe = \"thik\"\nmean = \"0.25A\"",
            "there is no recipe \"thik\"",
        ),
        (
            row,
            &row.replace("recipe = \"thick\"\n", ""),
            "is taken already",
        ),
        (
            "recipe = \"thick\"\nleast",
            "recipe = \"thin\"\nleast",
            "there is no recipe \"thin\"",
        ),
        (
            pace,
            &pace.replace("\nleast", "\nrecipe = \"thick\"\nleast"),
            "is taken already",
        ),
        (
            "channel = \"ripple\"\nregime = \"constant_speed_positive\"\nrecipe",
            "regime = \"constant_speed_positive\"\nrecipe",
            "is taken already",
        ),
    ] {
        check(from, to, words);
    }
    let error = load(
        &text.replacen("recipe = \"thick\"\nleast", "recipe = \"thik\"\nleast", 1),
        "it.toml",
    );
    let plain = error.unwrap_err().plain();
    assert!(plain.contains("did you mean \"thick\"?"), "{plain}");
}

#[test]
fn an_axis_has_rows_in_so_many_recipes_and_no_more() {
    let many = |count: usize| {
        let mut text = PRESS_CELL.to_owned();
        let mut rows = String::new();
        for n in 0..count {
            text.push_str(&format!(
                "\n[[recipe]]\nname = \"r{n}\"\nparts = [\"bush-b\"]\n"
            ));
            rows.push_str(&format!(
                "[[axis.twin.baseline]]\nregime = \"acceleration\"\nrecipe = \"r{n}\"\nmean = \"0A\"\nsigma = \"1A\"\n\n"
            ));
        }
        let at = "[[axis.twin.pace]]\n";
        text.replacen(at, &format!("{rows}{at}"), 1)
    };
    let most = built(&many(MAX_CONTEXT_BASES));
    let twin = most.axes[0].twin.as_ref().unwrap();
    assert_eq!(twin.contexts().len(), MAX_CONTEXT_BASES);
    let error = load(&many(MAX_CONTEXT_BASES + 1), "it.toml").unwrap_err();
    let words = "17 recipes in which an axis has rows of its own, and at most 16 are possible";
    assert!(error.plain().contains(words), "{}", error.plain());
}

/// The cell with a terminal that tells tool, load and temperature, and rows of the first axis by all of them.
fn by_all() -> String {
    let terminal = r#"[[bus.subdevice]]
name = "plc"
inputs = ["0x6000:01/8", "0x6000:02/8", "0x6000:03/16"]

[context.tool]
names = ["gripper", "welder"]
subdevice = "plc"
object = "0x6000:01/8"
values = [3, 9]

[context.load]
names = ["empty", "full"]
subdevice = "plc"
object = "0x6000:02/8"

[context.temperature]
subdevice = "plc"
object = "0x6000:03/16"
scale = "0.1degC"
bands = ["5degC", "15degC", "25.5degC"]
hysteresis = "2degC"

[simulation]"#;
    let row = |of: &str| {
        format!(
            "[[axis.twin.baseline]]\nregime = \"constant_speed_positive\"\n{of}\nmean = \"0.2A\"\nsigma = \"0.01A\"\n\n"
        )
    };
    let rows = [
        "load = \"full\"",
        "tool = \"welder\"",
        "tool = \"welder\"\ntemperature = \"15..25.5degC\"",
        "recipe = \"thick\"\ntool = \"gripper\"",
    ]
    .map(row)
    .concat();
    let pace = "[[axis.twin.pace]]\nregime = \"acceleration\"\nload = \"empty\"\nleast = \"2m/s2\"\nmost = \"3m/s2\"\n\n";
    let at = "[[axis.twin.pace]]\n";
    two_recipes()
        .replacen("\"gripper\",\n]", "\"gripper\", \"plc\",\n]", 1)
        .replacen("[simulation]", terminal, 1)
        .replacen(at, &format!("{rows}{pace}{at}"), 1)
}

#[test]
fn rows_may_name_tool_load_and_temperature_in_any_combination() {
    let text = by_all();
    let machine = built(&text);
    let context = &machine.context;
    let tool = context.tool.as_ref().unwrap();
    assert_eq!(
        (&tool.names[..], &tool.numbers[..]),
        (&["gripper", "welder"].map(str::to_owned)[..], &[3, 9][..])
    );
    assert_eq!(context.load.as_ref().unwrap().numbers, [0, 1]);
    let temperature = context.temperature.as_ref().unwrap();
    assert_eq!(temperature.names(), ["5..15degC", "15..25.5degC"]);
    assert_eq!(
        (temperature.scale_degc, temperature.hysteresis_degc),
        (0.1, 2.0)
    );
    assert!(context.is_told() && !context.tells_part());
    let own = machine.axes[0].twin.as_ref().unwrap().contexts();
    let only = |factors| Only::from_factors(factors);
    let expected = [
        only([Some(1), Some(0), None, None]),
        only([None, Some(1), None, Some(1)]),
        only([None, Some(1), None, None]),
        only([None, None, Some(0), None]),
        only([None, None, Some(1), None]),
    ];
    assert_eq!(own, expected);
    // What is written is read back.
    let merged = apply_patch(&text, &twin_patch(&machine)).unwrap();
    assert_eq!(built(&merged), machine);
    // Which names there are is said.
    let at = |from: &str, to: &str, words: &str| wrong(&text, from, to, words);
    at(
        "tool = \"welder\"\nmean",
        "tool = \"wilder\"\nmean",
        "there is no tool \"wilder\"",
    );
    at(
        "load = \"full\"",
        "load = \"half\"",
        "there is no load \"half\"",
    );
    at(
        "temperature = \"15..25.5degC\"",
        "temperature = \"15..25degC\"",
        "there is no temperature \"15..25degC\"",
    );
    let both =
        "regime = \"constant_speed_positive\"\ntool = \"welder\"\ntemperature = \"15..25.5degC\"";
    let one = "regime = \"constant_speed_positive\"\ntool = \"welder\"";
    at(both, one, "is taken already");
    at(
        "names = [\"gripper\", \"welder\"]",
        "names = [\"welder\", \"welder\"]",
        "is taken already",
    );
    at(
        "names = [\"empty\", \"full\"]",
        "names = []",
        "[context.load] has no names",
    );
    at(
        "values = [3, 9]",
        "values = [3]",
        "`values` has 1 numbers, and there are 2",
    );
    at(
        "values = [3, 9]",
        "values = [3, 256]",
        "256 does not fit into the 8 bits",
    );
    let bands = "bands = [\"5degC\", \"15degC\", \"25.5degC\"]";
    at(
        bands,
        "bands = [\"15degC\"]",
        "are the edges of one band or more",
    );
    at(
        bands,
        "bands = [\"15degC\", \"5degC\"]",
        "are the edges of one band or more",
    );
    at(
        "hysteresis = \"2degC\"",
        "hysteresis = \"6degC\"",
        "the narrowest band is 10degC wide",
    );
    at("scale = \"0.1degC\"", "scale = \"0degC\"", "out of range");
    let nobody = text.replacen("object = \"0x6000:02/8\"\n", "", 1);
    let plain = load(&nobody, "it.toml").unwrap_err().plain();
    let words = "`load` is told by an object of a SubDevice";
    assert!(plain.contains(words), "{plain}");
}

#[test]
fn what_a_simulated_terminal_tells_is_of_the_lists() {
    let table =
        "[[simulation.told]]\nrecipe = \"thick\"\ntool = \"welder\"\ntemperature = \"20degC\"\n";
    let text = format!("{}\n{table}", by_all());
    let told = built(&text).context.simulated;
    assert_eq!(
        (told.len(), told[0].recipe, told[0].tool, told[0].load),
        (1, 1, 1, 0)
    );
    assert_eq!(told[0].temperature_degc, Some(20.0));
    let at = |from: &str, to: &str, words: &str| wrong(&text, from, to, words);
    at(
        "tool = \"welder\"\ntemperature = \"20",
        "tool = \"drill\"\ntemperature = \"20",
        "there is no tool \"drill\"",
    );
    at(
        "recipe = \"thick\"\ntool = \"welder\"",
        "recipe = \"thin\"\ntool = \"welder\"",
        "there is no recipe \"thin\"",
    );
    let twice = load(&format!("{text}\n{table}"), "it.toml");
    let plain = twice.unwrap_err().plain();
    assert!(plain.contains("is taken already"), "{plain}");
}

#[test]
fn a_simulated_axis_carries_what_its_recipe_says() {
    let payload = |recipe: &str, mass: &str| {
        format!("[[axis.plant.payload]]\nrecipe = \"{recipe}\"\nmass = \"{mass}\"\n\n")
    };
    let both = payload("thick", "2kg") + &payload("a", "500g");
    let text = two_recipes().replacen("[axis.twin]\n", &format!("{both}[axis.twin]\n"), 1);
    let machine = built(&text);
    let payloads = |n: usize| machine.axes[n].plant.as_ref().unwrap().payloads.clone();
    assert_eq!(payloads(0), [(1, 2.0), (0, 0.5)]);
    assert_eq!(payloads(1), []);
    let check = |from: &str, to: &str, words: &str| wrong(&text, from, to, words);
    let recipe = "recipe = \"thick\"\nmass";
    check(
        recipe,
        "recipe = \"thin\"\nmass",
        "there is no recipe \"thin\"",
    );
    check("recipe = \"a\"\nmass", recipe, "is taken already");
    check("mass = \"2kg\"", "mass = \"-2kg\"", "`mass` must be");
    check("mass = \"2kg\"", "mass = \"2mm\"", "`mass`");
}
