use super::*;
use crate::false_alarms::Exposure;
use crate::lines::tests::{leak, run_info};
use crate::names::tests::small_machine;
use crate::phases::PhaseFigures;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use twinstep_models::channel::Regime;

/// The picture as lines of text.
fn picture(view: &View, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| render(frame, view)).unwrap();
    let buffer = terminal.backend().buffer();
    (0..height)
        .map(|y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
                .trim_end()
                .to_owned()
        })
        .collect()
}

/// Nine axes, as the press cell has, and its station.
fn press_cell() -> View {
    let run = RunInfo::new(Names::of(&small_machine()), "p".into(), 1.0, 0);
    let mut view = View::new("press-cell", Arc::new(run), 1_000_000);
    let snapshot = &mut view.snapshot;
    snapshot.cycle = 12_345;
    snapshot.time_ns = 12_345_000_000;
    snapshot.axis_count = 9;
    for axis in &mut snapshot.axes[..9] {
        axis.valid = true;
        axis.position_m = 0.123_456_7;
        axis.predicted_position_m = 0.123_456_9;
        axis.current_a = 3.91;
        axis.predicted_current_a = -12.125;
        axis.residual_sigma = 1.5;
        axis.regime = Regime::ConstantSpeed;
    }
    snapshot.axes[3].valid = false;
    snapshot.station_count = 1;
    snapshot.stations[0].valid = true;
    snapshot.stations[0].pressure_pa = 61_230.0;
    snapshot.phases.figures[Phase::Predict as usize] = PhaseFigures {
        p50_ns: 4_000,
        p99_ns: 5_000,
        p999_ns: 6_000,
        p9999_ns: 7_000,
        max_ns: 1_234_567,
    };
    snapshot.phases.budget_ns[Phase::Predict as usize] = Some(10_000);
    snapshot.bus.lost = 2;
    view.add_event(EventRecord::of(
        &leak(1500),
        &run_info(),
        Exposure::default(),
    ));
    view
}

#[test]
fn the_press_cell_fits_into_80x24() {
    let lines = picture(&press_cell(), 80, 24);
    let text = lines.join("\n");
    assert_eq!(
        lines[0],
        " twinstep  press-cell  12.3 s  cycle 12345  period 1000 us  events 0"
    );
    assert!(
        lines[1].contains("RT kernel no") && lines[1].contains("timing NOT valid"),
        "{text}"
    );
    assert!(
        lines[3].contains("123.4567 mm")
            && lines[3].contains("123.4569 mm")
            && lines[3].contains("3.910 A")
            && lines[3].contains("-12.125 A")
            && lines[3].contains("1.5")
            && lines[3].ends_with("constant_speed"),
        "{text}"
    );
    assert!(lines[6].contains("not measured"), "{text}");
    assert!(
        lines[12].starts_with(" gripper") && lines[12].contains("612.3 mbar"),
        "{text}"
    );
    for (phase, line) in Phase::ALL.iter().zip(&lines[14..23]) {
        assert!(line.starts_with(&format!(" {}", phase.name())), "{text}");
    }
    assert!(
        lines[16].contains("█████·····    4.0    5.0   1235   10.0"),
        "{text}"
    );
    assert!(lines[13].ends_with("events"), "{text}");
    assert!(
        lines[14].contains("1.5s gripper leak_rate raised"),
        "{text}"
    );
    assert!(lines[15].ends_with("vacuum leak increased"), "{text}");
    assert!(
        lines[23].contains("bus lost 2") && lines[23].contains("q quit  p pause  r reset"),
        "{text}"
    );
}

#[test]
fn a_rotary_axis_is_shown_in_degrees() {
    let name = "press-cell.toml";
    let mut machine = twinstep_config::load(twinstep_config::PRESS_CELL, name).unwrap();
    machine.axes[0].kind = twinstep_config::machine::AxisKind::Rotary;
    let mut view = press_cell();
    view.names = Names::of(&machine);
    let found = picture(&view, 80, 24);
    for (axis, place) in machine.axes.iter().zip(["7.0735 deg", "123.4567 mm"]) {
        let line = found.iter().find(|line| line.contains(&axis.name));
        let line = line.unwrap_or_else(|| panic!("{} in {found:#?}", axis.name));
        assert!(line.contains(place), "{line}");
    }
}

#[test]
fn any_size_of_terminal_and_machine_is_drawn() {
    let mut view = press_cell();
    view.snapshot.axis_count = 1000;
    view.snapshot.stations[0].pressure_pa = f64::NAN;
    for (width, height) in [(1, 1), (10, 3), (80, 24), (200, 60), (40, 100)] {
        picture(&view, width, height);
    }
    assert!(
        picture(&view, 120, 60)
            .iter()
            .any(|line| line.contains("+984 more"))
    );
    picture(&View::default(), 80, 24);
}

#[test]
fn bars_are_full_at_the_budget() {
    assert_eq!(bar(0, 100), "·".repeat(BAR));
    assert_eq!(bar(50, 100), "█████·····");
    assert_eq!(bar(u64::MAX, 100), "█".repeat(BAR));
    assert_eq!(bar(5, 0), "·".repeat(BAR));
}

#[test]
fn keys_ask_and_never_act() {
    let mut view = View::default();
    let control = Control::default();
    press(&mut view, KeyCode::Char('p'), KeyModifiers::NONE, &control);
    assert!(view.paused && !control.stop_requested());
    press(&mut view, KeyCode::Char('r'), KeyModifiers::NONE, &control);
    assert!(control.take_reset());
    press(&mut view, KeyCode::Char('c'), KeyModifiers::NONE, &control);
    assert!(!control.stop_requested());
    press(
        &mut view,
        KeyCode::Char('c'),
        KeyModifiers::CONTROL,
        &control,
    );
    assert!(control.stop_requested());
}

#[test]
fn the_event_list_is_bounded() {
    let mut view = View::default();
    for cycle in 0..2 * EVENTS as u64 {
        view.add_event(EventRecord::of(
            &leak(cycle),
            &run_info(),
            Exposure::default(),
        ));
    }
    assert_eq!(view.events.len(), EVENTS);
    assert_eq!(view.events.back().unwrap().cycle, 2 * EVENTS as u64 - 1);
}

#[test]
fn the_header_says_where_the_process_data_of_a_tap_were_learnt() {
    let view = press_cell();
    assert!(!picture(&view, 80, 24)[0].contains("map"));
    let from = Some(crate::attached::ProcessData::StartUp);
    view.run.as_ref().unwrap().set_process_data(from);
    let header = picture(&view, 120, 24)[0].clone();
    assert!(header.ends_with("map start_up"), "{header}");
}
