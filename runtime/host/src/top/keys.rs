//! What keys do.

use super::feed::Ask;
use super::view::{Page, View};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

/// Longest fault that can be typed (bytes).
const MAX_PROMPT: usize = 256;
/// Lines that a page key moves by.
const PAGE: isize = 10;

/// The keys as the help page has them.
pub(super) const HELP: [(&str, &str); 14] = [
    (
        "1 to 6, Tab",
        "budget, axes, histogram, overruns, bus, events; the next",
    ),
    (
        "arrows, PgUp, PgDn",
        "move in a list; another row of the histogram",
    ),
    ("p, space", "pause, and go on"),
    (
        "f",
        "freeze by itself: overrun or deviation, one alone, never",
    ),
    (
        "r",
        "reset durations, histograms, budget counts and what-if",
    ),
    ("s", "save what is shown into a file of the current folder"),
    ("i", "inject a fault (simulated machines): Enter, or Esc"),
    ("c", "take injected faults back"),
    ("B", "the next bus of a machine with several"),
    ("h, ?", "these keys"),
    ("q, Esc, Ctrl-C", "quit; the run goes on"),
    ("", ""),
    (
        "yellow",
        "over its budget, or beyond 4 sigma (red: 8 sigma)",
    ),
    (
        "red in the head",
        "makes durations worthless for a machine controller",
    ),
];

/// What the user wants beyond the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The end of the view, not of the run.
    Quit,
    /// What is shown, in a file.
    Save,
    /// Something of the instance.
    Ask(Ask),
}

/// What a key does. Whatever goes beyond the picture is returned.
pub(super) fn press(view: &mut View, code: KeyCode, modifiers: KeyModifiers) -> Option<Wish> {
    if modifiers.contains(KeyModifiers::CONTROL) {
        return (code == KeyCode::Char('c')).then_some(Wish::Quit);
    }
    if let Some(prompt) = &mut view.prompt {
        match code {
            KeyCode::Esc => view.prompt = None,
            KeyCode::Enter => {
                let fault = view.prompt.take().unwrap_or_default().trim().to_owned();
                return (!fault.is_empty()).then_some(Wish::Ask(Ask::Inject(fault)));
            }
            KeyCode::Backspace => drop(prompt.pop()),
            KeyCode::Char(c) if prompt.len() + c.len_utf8() <= MAX_PROMPT => prompt.push(c),
            _ => {}
        }
        return None;
    }
    view.message.clear();
    if view.help {
        // Any key but the one that ends the program leads back.
        view.help = false;
        return (code == KeyCode::Char('q')).then_some(Wish::Quit);
    }
    match code {
        KeyCode::Char('q') | KeyCode::Esc => return Some(Wish::Quit),
        KeyCode::Char('h' | '?') => view.help = true,
        KeyCode::Char('p' | ' ') => view.toggle_pause(),
        KeyCode::Char('f') => view.trigger = view.trigger.next(),
        KeyCode::Char('B') => view.next_bus(),
        KeyCode::Char('r') => return Some(Wish::Ask(Ask::Reset)),
        KeyCode::Char('s') => return Some(Wish::Save),
        KeyCode::Char('i') if view.is_simulated() => view.prompt = Some(String::new()),
        KeyCode::Char('c') if view.is_simulated() => return Some(Wish::Ask(Ask::Clear)),
        KeyCode::Char('i' | 'c') => {
            "faults are injected on simulated machines only".clone_into(&mut view.message);
        }
        KeyCode::Char(digit @ '1'..='6') => view.page = Page::ALL[usize::from(digit as u8 - b'1')],
        KeyCode::Tab => view.page = view.page.after(1),
        KeyCode::BackTab => view.page = view.page.after(Page::COUNT - 1),
        KeyCode::Up | KeyCode::Char('k') => view.scroll(-1),
        KeyCode::Down | KeyCode::Char('j') => view.scroll(1),
        KeyCode::PageUp => view.scroll(-PAGE),
        KeyCode::PageDown => view.scroll(PAGE),
        KeyCode::Home => view.scroll(isize::MIN),
        _ => {}
    }
    None
}
