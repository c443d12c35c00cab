//! Pictures at 80x24, kept in `golden/`. `TWINSTEP_WRITE_GOLDEN=1` writes them anew.

pub(crate) mod example;

use super::*;
use crate::control::status::StatusLine;
use example::{axis, event, overrun, status};
use feed::Ask;
use keys::{Wish, press};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use ratatui::style::Color;
use std::path::PathBuf;

fn terminal(view: &View, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| render(frame, view)).unwrap();
    terminal
}

/// The picture as lines of text.
fn picture(view: &View, width: u16, height: u16) -> Vec<String> {
    let terminal = terminal(view, width, height);
    let buffer = terminal.backend().buffer();
    let line = |y| {
        let cells = (0..width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

/// Colour of the first place where `text` stands.
fn color_of(view: &View, text: &str) -> Color {
    let found = picture(view, 80, 24);
    let at = found.iter().enumerate();
    let (y, x) = at
        .filter_map(|(y, line)| Some((y, line.find(text).map(|at| line[..at].chars().count())?)))
        .next()
        .unwrap_or_else(|| panic!("no {text:?} in {found:#?}"));
    terminal(view, 80, 24).backend().buffer()[(x as u16, y as u16)].fg
}

fn golden(name: &str, view: &View) {
    let found = picture(view, 80, 24).join("\n") + "\n";
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/top/golden");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("TWINSTEP_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is now:\n{found}");
}

fn watched() -> View {
    let mut view = View::default();
    view.take(News::Connected);
    view.take(News::Status(status()));
    let mut events = vec![event(1), event(2)];
    events[0].channel = "frames".into();
    events[1].state = "cleared".into();
    view.take(News::Events(events));
    view
}

fn key(view: &mut View, code: KeyCode) -> Option<Wish> {
    press(view, code, KeyModifiers::NONE)
}

#[test]
fn pages_are_as_before() {
    let mut view = watched();
    for page in Page::ALL {
        view.page = page;
        golden(page.name(), &view);
    }
    key(&mut view, KeyCode::Char('?'));
    golden("help", &view);
}

#[test]
fn the_first_moment_the_warm_up_and_the_end_are_as_before() {
    let mut view = View::default();
    view.take(News::Connected);
    golden("first", &view);
    let mut status = status();
    (
        status.run_cycles,
        status.what_if.cycles,
        status.warm_up_cycles,
    ) = (0, 0, 345);
    view.take(News::Status(status));
    view.take(News::Lost(
        "/run/cell.sock has closed the connection; the run has ended".into(),
    ));
    golden("lost", &view);
    view.take(News::Connected);
    assert!(view.lost.is_none());
}

#[test]
fn a_rotary_axis_is_shown_in_degrees() {
    let mut status = status();
    status.axes[0].axis_kind = Some("rotary".to_owned());
    let mut view = watched();
    view.page = Page::Axes;
    view.take(News::Status(status.clone()));
    let found = picture(&view, 80, 24);
    let has = |words: &str| found.iter().any(|line| line.contains(words));
    assert!(
        has(" infeed        7.0735°    7.0736°   3.910 "),
        "{found:#?}"
    );
    assert!(
        has(" outfeed      123.4567   123.4569   3.910 "),
        "{found:#?}"
    );
    assert!(has("mm, deg  predicted"), "{found:#?}");
    for axis in &mut status.axes {
        axis.axis_kind = Some("rotary".to_owned());
    }
    view.take(News::Status(status));
    let found = picture(&view, 80, 24);
    let head = found.iter().find(|line| line.contains("in all")).unwrap();
    assert!(head.contains("       deg  predicted"), "{found:#?}");
}

#[test]
fn red_is_what_makes_durations_worthless() {
    let view = watched();
    for (text, color) in [
        ("no RT kernel", Color::Red),
        ("policy fifo", Color::Green),
        ("throttled", Color::Red),
        ("VM", Color::Red),
        ("core 1 shared", Color::Yellow),
        ("workers 1/2", Color::Red),
        ("powersave", Color::Yellow),
        ("tsc", Color::Reset),
        ("IRQ 0", Color::Reset),
    ] {
        assert_eq!(color_of(&view, text), color, "{text}");
    }
    let mut view = watched();
    view.page = Page::Axes;
    for (text, color) in [
        ("infeed", Color::Reset),
        ("outfeed", Color::Yellow),
        ("gantry", Color::Red),
        ("carriage", Color::Yellow),
        ("#2", Color::Green),
        ("#1", Color::Yellow),
    ] {
        assert_eq!(color_of(&view, text), color, "{text}");
    }
}

#[test]
fn the_longest_head_fits() {
    let mut status = status();
    status.trust = serde_json::json!({
        "timing_valid": false, "realtime_kernel": false, "policy": "deadline", "memory_locked": false, "throttling_off": true,
        "virtual_machine": false, "core": 15, "isolated": true, "workers": 12, "workers_granted": 12,
    });
    status.computer.governor = Some("performance".to_owned());
    status.computer.interrupt_cores = Some("14".to_owned());
    status.computer.rx_coalescing_us = Some(1000);
    let mut view = View::default();
    view.take(News::Connected);
    view.take(News::Status(status));
    let picture = picture(&view, 80, 24);
    assert!(picture[1].ends_with("unthrottled  no VM"), "{picture:#?}");
    assert!(picture[2].ends_with("IRQ 14  rx 1000us"), "{picture:#?}");
}

#[test]
fn a_trigger_freezes_the_picture_and_its_record_still_comes() {
    let mut view = watched();
    key(&mut view, KeyCode::Char('f'));
    assert_eq!(view.trigger, Trigger::Either);
    // Nothing new: nothing happens.
    view.take(News::Status(status()));
    assert_eq!(view.frozen, None);
    let mut next = status();
    (next.cycle, next.overruns.count) = (20_000, 2);
    view.take(News::Status(next.clone()));
    assert_eq!(view.frozen, Some("overrun"));
    // The cause is found a moment later; the rest stands still.
    let mut later = next.clone();
    later.cycle = 30_000;
    later.overruns.recent.push(overrun());
    view.take(News::Status(later));
    let shown = view.status.clone().unwrap();
    assert_eq!((shown.cycle, shown.overruns.recent.len()), (20_000, 2));
    assert!(picture(&view, 80, 24)[0].ends_with("FROZEN: overrun"));
    // Going on, it waits for the next one: a deviation.
    key(&mut view, KeyCode::Char('p'));
    next.events = 2;
    view.take(News::Status(next.clone()));
    assert_eq!(view.frozen, Some("deviation"));
    view.take(News::Events(vec![event(3)]));
    assert_eq!(view.events.back().unwrap().seq, 3);
    for _ in 0..10 {
        view.take(News::Status(next.clone()));
    }
    view.take(News::Events(vec![event(4)]));
    assert_eq!(view.events.back().unwrap().seq, 3);
    key(&mut view, KeyCode::Char(' '));
    assert_eq!(view.events.back().unwrap().seq, 4);
    // Of the two alone, the other does not freeze.
    view.trigger = Trigger::Overrun;
    next.events = 3;
    view.take(News::Status(next.clone()));
    assert_eq!(view.frozen, None);
    // Another run counts from the start.
    (next.identity.pid, next.overruns.count) = (4712, 7);
    view.take(News::Status(next));
    assert_eq!(view.frozen, None);
}

#[test]
fn a_paused_picture_stands_still() {
    let mut view = watched();
    key(&mut view, KeyCode::Char('p'));
    let mut next = status();
    next.cycle = 20_000;
    view.take(News::Status(next));
    view.take(News::Connected);
    view.take(News::Events(vec![event(7)]));
    assert_eq!(view.status.as_ref().unwrap().cycle, 12_345);
    assert_eq!(view.events.len(), 2);
    assert!(picture(&view, 80, 24)[0].ends_with("PAUSED"));
    key(&mut view, KeyCode::Char('p'));
    assert_eq!(view.events.len(), 1);
}

#[test]
fn keys_ask_and_never_act() {
    let mut view = watched();
    assert_eq!(
        key(&mut view, KeyCode::Char('r')),
        Some(Wish::Ask(Ask::Reset))
    );
    assert_eq!(
        key(&mut view, KeyCode::Char('c')),
        Some(Wish::Ask(Ask::Clear))
    );
    assert_eq!(key(&mut view, KeyCode::Char('s')), Some(Wish::Save));
    assert_eq!(key(&mut view, KeyCode::Char('3')), None);
    assert_eq!(view.page, Page::Histogram);
    key(&mut view, KeyCode::Tab);
    assert_eq!(view.page, Page::Overruns);
    key(&mut view, KeyCode::BackTab);
    assert_eq!(view.page, Page::Histogram);
    for _ in 0..100 {
        key(&mut view, KeyCode::Down);
    }
    assert!(picture(&view, 80, 24)[3].starts_with(" busy (13 of 13"));
    key(&mut view, KeyCode::Home);
    key(&mut view, KeyCode::Up);
    assert!(picture(&view, 80, 24)[3].starts_with(" wake (1 of 13"));
    // While a fault is typed, letters are letters.
    key(&mut view, KeyCode::Char('i'));
    for letter in "quit".chars() {
        assert_eq!(key(&mut view, KeyCode::Char(letter)), None);
    }
    key(&mut view, KeyCode::Backspace);
    let typed = key(&mut view, KeyCode::Enter);
    assert_eq!(typed, Some(Wish::Ask(Ask::Inject("qui".to_owned()))));
    key(&mut view, KeyCode::Char('i'));
    assert_eq!(key(&mut view, KeyCode::Enter), None);
    key(&mut view, KeyCode::Char('i'));
    for _ in 0..1000 {
        key(&mut view, KeyCode::Char('ä'));
    }
    assert!(view.prompt.as_ref().unwrap().len() <= 256);
    key(&mut view, KeyCode::Esc);
    assert_eq!(key(&mut view, KeyCode::Esc), Some(Wish::Quit));
    let interrupt = press(&mut view, KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(interrupt, Some(Wish::Quit));
    // Nothing is injected into a real machine.
    view.status.as_mut().unwrap().identity.simulated = false;
    assert_eq!(key(&mut view, KeyCode::Char('i')), None);
    assert!(view.prompt.is_none() && view.message.contains("simulated"));
}

#[test]
fn every_size_of_terminal_and_machine_is_drawn() {
    let mut view = watched();
    let status = view.status.as_mut().unwrap();
    status.axes = vec![axis(&"long".repeat(100), f64::NAN); 1000];
    status.phases[0].histogram = (0..50)
        .map(|n| (Some(64 << (n / 2)), u64::MAX / 64))
        .collect();
    status.busy.now_ns = u64::MAX;
    status.trust = serde_json::Value::Null;
    view.take(News::Events((0..200).map(event).collect()));
    assert_eq!(view.events.len(), view::EVENTS);
    for page in Page::ALL {
        view.page = page;
        for (width, height) in [(1, 1), (10, 3), (40, 10), (80, 24), (200, 60), (40, 100)] {
            picture(&view, width, height);
        }
    }
    view.help = true;
    picture(&view, 50, 12);
}

#[test]
fn what_is_shown_is_saved_and_nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut view = View::default();
    assert!(save::save(&view, folder.path()).contains("nothing to save"));
    view = watched();
    for name in ["press_cell-12345.json", "press_cell-12345-2.json"] {
        let name = format!("twinstep-{name}");
        let path = folder.path().join(&name);
        let said = save::save(&view, folder.path());
        assert!(said.starts_with(&format!("saved {name} in ")), "{said}");
        let text = std::fs::read_to_string(path).unwrap();
        let saved: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(saved["type"], "snapshot");
        let back: StatusLine = serde_json::from_value(saved["status"].clone()).unwrap();
        assert_eq!(back, *status());
        assert_eq!(saved["events"][1]["seq"], 2);
    }
    let nowhere = folder.path().join("none");
    assert!(save::save(&view, &nowhere).starts_with("cannot save: "));
}

#[test]
fn one_bus_after_the_other_is_shown() {
    let bus = |name: &str, period_ns: u64| {
        let mut one = *status();
        one.bus_name = Some(name.to_owned());
        one.identity.period_ns = period_ns;
        one
    };
    let whole = StatusLine {
        buses: vec![bus("front", 1_000_000), bus("rear", 500_000)],
        ..bus("front", 1_000_000)
    };
    let mut view = View::default();
    view.take(News::Status(Box::new(whole.clone())));
    assert!(picture(&view, 80, 24)[0].contains(", front"));
    key(&mut view, KeyCode::Char('B'));
    assert!(picture(&view, 80, 24)[0].contains(", rear"));
    // The next look is at the same bus.
    view.take(News::Status(Box::new(whole)));
    assert!(picture(&view, 80, 24)[0].contains("500 us"));
    key(&mut view, KeyCode::Char('B'));
    assert!(picture(&view, 80, 24)[0].contains(", front"));
    let mut alone = watched();
    key(&mut alone, KeyCode::Char('B'));
    assert_eq!(alone.message, "the machine has one bus");
}

#[test]
fn the_bus_page_tells_what_the_cycle_is_held_against() {
    let mut one = *status();
    one.launch = serde_json::from_value(serde_json::json!({
        "kept": true, "offset_ns": 500_000, "sent": 700, "missed": 3, "invalid": 0,
    }))
    .unwrap();
    one.trust["ptp"] =
        serde_json::json!({"verdict": "follows", "port_state": "slave", "offset_ns": 40});
    let mut view = watched();
    view.take(News::Status(Box::new(one)));
    view.page = Page::Bus;
    let shown = picture(&view, 80, 24).join("\n");
    for words in [
        "launch times: 700 frames",
        "3 dropped",
        "ptp4l: follows, port slave, offset 40 ns",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}
