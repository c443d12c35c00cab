//! Columns that tell the context, and what a controller tells.

use super::super::fixtures::{emps, press_cell};
use super::super::*;
use super::{Scratch, open_error};
use crate::bus::{Bus, BusCause, BusFault};
use crate::object_map::ObjectMap;
use std::collections::BTreeMap;
use twinstep_config::machine::{Machine, Teller, TellerPlace, Thermometer};
use twinstep_models::sample::{Conditions, Context, CycleStamp};

const UNKNOWN: u8 = Context::UNKNOWN;

fn teller(column: &str, numbers: &[u32], names: &[&str]) -> Option<Teller> {
    Some(Teller {
        place: TellerPlace::Column(column.to_owned()),
        numbers: numbers.to_vec(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    })
}

/// The recorded axis, with a number for the recipe and a name for the part.
fn machine() -> Machine {
    let mut machine = emps();
    machine.context.recipe = teller("order", &[100, 200], &["a", "b"]);
    machine.context.part = teller("part", &[0, 1], &["short", "long"]);
    machine
}

/// A row a millisecond, `order` and `part` as they are given.
fn table(rows: &[(&str, &str)], step_s: f64) -> String {
    let mut text = String::from("time_s,reference_m,position_m,drive_v,order,part\n");
    for (row, (order, part)) in rows.iter().enumerate() {
        let at = row as f64;
        text += &format!("{},{at},{at},2,{order},{part}\n", at * step_s);
    }
    text
}

/// Recipe and part of every cycle.
fn told(text: &str, machine: &Machine) -> Vec<(u8, u8)> {
    let file = Scratch::with(text);
    let mut bus = RecordingBus::open(&file, machine).unwrap();
    let map = bus.object_map().clone();
    let mut image = map.image();
    let mut told = Vec::new();
    for _ in 0..bus.cycles() {
        assert!(bus.exchange(&mut image, &mut || ()).is_ok());
        map.tell_context(&mut image, Ok(()), Default::default());
        told.push((image.recipe, image.part));
    }
    let recording = columns(&file, machine).unwrap();
    let of_columns = recording.context.iter().map(|one| (one.recipe, one.part));
    assert_eq!(of_columns.collect::<Vec<_>>(), told);
    told
}

#[test]
fn a_row_tells_recipe_and_part_and_keeps_neither_where_it_tells_none() {
    let rows = [
        ("100", "short"),
        ("200", "long"),
        ("200", "1"),
        ("", "short"),
        ("150", "setup"),
        ("100", "\"long\""),
    ];
    let expected = [
        (0, 0),
        (1, 1),
        (1, 1),
        (UNKNOWN, 0),
        (UNKNOWN, UNKNOWN),
        (0, 1),
    ];
    assert_eq!(told(&table(&rows, 1e-3), &machine()), expected);
    // Nobody asked for them: both are the first.
    assert_eq!(told(&table(&rows, 1e-3), &emps()), [(0, 0); 6]);
    let mut recipe_alone = machine();
    recipe_alone.context.part = None;
    recipe_alone.context.part_of = vec![1, 0];
    let follows: Vec<_> = expected
        .iter()
        .map(|(recipe, _)| match recipe {
            0 => (0, 1),
            1 => (1, 0),
            _ => (UNKNOWN, UNKNOWN),
        })
        .collect();
    assert_eq!(told(&table(&rows, 1e-3), &recipe_alone), follows);
}

#[test]
fn a_row_tells_tool_load_and_temperature_and_a_band_is_left_with_its_hysteresis() {
    let mut machine = machine();
    machine.context.tool = teller("order", &[100, 200], &["gripper", "welder"]);
    machine.context.load = teller("part", &[0, 1], &["short", "long"]);
    machine.context.temperature = Some(Thermometer {
        place: TellerPlace::Column("warmth".to_owned()),
        scale_degc: 0.5,
        zero_degc: 1.0,
        edges_degc: vec![10.0, 20.0, 30.0],
        hysteresis_degc: 2.0,
    });
    machine.context.recipe = None;
    machine.context.part = None;
    let rows = [
        ("100", "short", "36"),
        ("200", "long", "41"),
        ("", "", "45"),
        ("100", "1", "36"),
        ("100", "1", "33"),
        ("100", "1", ""),
        ("100", "1", "100"),
    ];
    let mut text = String::from("time_s,reference_m,position_m,drive_v,order,part,warmth\n");
    for (row, (order, part, warmth)) in rows.iter().enumerate() {
        text += &format!(
            "{},{row},{row},2,{order},{part},{warmth}\n",
            row as f64 * 1e-3
        );
    }
    // 19, 21.5, 23.5, 19, 17.5 degC, nothing, and 51 degC.
    let expected = [
        (0, 0, 0),
        (1, 1, 0),
        (UNKNOWN, UNKNOWN, 1),
        (0, 1, 1),
        (0, 1, 0),
        (0, 1, UNKNOWN),
        (0, 1, UNKNOWN),
    ];
    let of = |one: Conditions| (one.tool, one.load, one.temperature);
    let file = Scratch::with(&text);
    let mut bus = RecordingBus::open(&file, &machine).unwrap();
    let map = bus.object_map().clone();
    let mut image = map.image();
    let mut told = Vec::new();
    for _ in 0..bus.cycles() {
        assert!(bus.exchange(&mut image, &mut || ()).is_ok());
        let before = image.conditions;
        map.tell_context(&mut image, Ok(()), before);
        told.push(of(image.conditions));
        assert_eq!((image.recipe, image.part), (0, 0));
    }
    assert_eq!(told, expected);
    let recording = columns(&file, &machine).unwrap();
    let of_columns = recording.context.iter().map(|one| of(one.conditions));
    assert_eq!(of_columns.collect::<Vec<_>>(), expected);
}

#[test]
fn between_the_rows_that_of_the_row_before_holds() {
    let mut machine = machine();
    machine.recording.as_mut().unwrap().resample = true;
    let rows = [("100", "short"), ("200", "long"), ("100", "")];
    let expected = [(0, 0), (0, 0), (1, 1), (1, 1), (0, UNKNOWN)];
    assert_eq!(told(&table(&rows, 2e-3), &machine), expected);
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let text = table(&[("100", "short")], 1e-3).replace(",part", ",piece");
    let error = open_error(text, &machine()).to_string();
    assert!(
        error.contains("`part`") && error.contains("piece"),
        "{error}"
    );
}

#[test]
fn what_a_controller_tells_stands_in_every_form() {
    let mut machine = press_cell();
    let before = mcap::Description {
        configuration: String::new(),
        facts: BTreeMap::new(),
        checkpoints: None,
    };
    let [file, table, older] = std::array::from_fn(|_| Scratch::new());
    drop(mcap::McapWriter::create(&older, &machine, &before).unwrap());
    machine.context.tool = teller("", &[7, 12], &["gripper", "welder"]).map(|one| Teller {
        place: TellerPlace::Controller,
        ..one
    });
    let expected = [[0, 0, 0], [1, 0, 0], [UNKNOWN, 0, 0], [1, 0, 0]];
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = map.image();
    let mut in_mcap = mcap::McapWriter::create(&file, &machine, &before).unwrap();
    let mut in_csv = Writer::create(&table, &machine).unwrap();
    let mut in_memory = Rows::new(&image);
    for (cycle, told) in (0..).zip(expected) {
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * 1_000_000,
            dc_time_ns: 0,
        };
        // It is told beside the frames: one that is lost takes nothing of it away.
        let result = match cycle {
            3 => Err(BusFault {
                stamp,
                cause: BusCause::NoFrame,
            }),
            _ => Ok(stamp),
        };
        image.conditions = told.into();
        in_mcap.write(cycle, &stamp, &result, &image).unwrap();
        in_csv.write(&stamp, &result, &image).unwrap();
        assert!(in_memory.push(&stamp, &result, &image));
    }
    in_mcap.finish(&BTreeMap::new()).unwrap();
    in_csv.finish().unwrap();
    for path in [&file, &table] {
        let mut bus = RecordingBus::open(path, &machine).unwrap();
        let mut image = map.image();
        let mut told = Vec::new();
        for _ in 0..expected.len() {
            let _ = bus.exchange(&mut image, &mut || ());
            told.push(<[u8; 3]>::from(image.conditions));
        }
        assert_eq!(told, expected);
    }
    for (n, told) in expected.into_iter().enumerate() {
        let (_, result) = in_memory.get(n, &mut image).unwrap();
        assert_eq!(result.is_ok(), n != 3);
        assert_eq!(<[u8; 3]>::from(image.conditions), told);
    }
    // A recording of the same machine without it lacks them, and says so.
    let text = std::fs::read_to_string(&table).unwrap();
    let text = text.replace(",tool,load,temperature\n", "\n");
    let error = open_error(text, &machine).to_string();
    assert!(error.contains("tool"), "{error}");
    let error = RecordingBus::open(&older, &machine).unwrap_err();
    assert!(error.to_string().contains("uint8 tool"), "{error}");
    let text = std::fs::read_to_string(&table).unwrap();
    let error = open_error(text.replace(",255,0,0\n", ",256,0,0\n"), &machine).to_string();
    assert!(
        error.contains("tool") && error.contains("0 to 255"),
        "{error}"
    );
}
