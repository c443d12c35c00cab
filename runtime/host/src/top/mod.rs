//! `twinstep top`: the live view of a running instance from another terminal, at 80x24 or larger.
//!
//! It asks the control socket for a status four times a second, so that it may be slow, stop or die, and the cycle never notices.
//! A thread speaks to the socket (`feed`); this one owns the terminal and never waits for the instance. What is shown is a
//! value ([`View`]) that news and keys change, and that [`render`] draws: neither knows a terminal or a socket.

mod axes;
mod budget;
mod bus;
mod draw;
mod events;
mod feed;
mod histogram;
mod keys;
mod overruns;
mod save;
mod text;
mod view;

pub use draw::render;
pub use feed::Target;
pub use view::{News, Page, Trigger, View};

use crate::control::client::Client;
use crate::error::HostError;
use crate::keyboard;
use feed::{Ask, Feed};
use keys::Wish;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for a key before news are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Gives the terminal back, also when a panic unwinds through the view.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Raised by the signals that end a program: in order, and with the terminal as it was.
///
/// # Errors
/// [`HostError::Machine`] when they cannot be caught.
pub fn stop_on_signals() -> Result<Arc<AtomicBool>, HostError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|error| {
            HostError::machine(format!("signals cannot be caught: {error}"), "try again")
        })?;
    }
    Ok(stop)
}

/// Shows the instance behind `client`, and whatever comes after it at `target`, until the user quits. Snapshots are saved in
/// `folder`.
///
/// # Errors
/// [`HostError::Machine`]: the terminal cannot be used, or no thread can be started.
pub fn watch(client: Client, target: Target, folder: &Path) -> Result<(), HostError> {
    let stop = stop_on_signals()?;
    let feed = Feed::start(client, target)?;
    show(&feed, &stop, folder).map_err(|error| {
        HostError::machine(
            format!("cannot use the terminal: {error}"),
            "use `twinstep status`, or `twinstep top --json`, where there is none",
        )
    })
}

fn show(feed: &Feed, stop: &AtomicBool, folder: &Path) -> std::io::Result<()> {
    let mut view = View::default();
    // This also makes a panic in any thread restore the terminal before its message is printed.
    let mut screen = ratatui::try_init()?;
    let _restore = Restore;
    let mut changed = true;
    // The flag alone is of interest, nothing that was written before it.
    while !stop.load(Ordering::Relaxed) {
        for news in feed.news.try_iter() {
            view.take(news);
            changed = true;
        }
        if changed {
            screen.draw(|frame| render(frame, &view))?;
            changed = false;
        }
        if !keyboard::wait(LOOK)? {
            continue;
        }
        changed = true;
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match keys::press(&mut view, key.code, key.modifiers) {
            Some(Wish::Quit) => break,
            Some(Wish::Save) => view.message = save::save(&view, folder),
            Some(Wish::Ask(ask)) => put(feed, ask, &mut view),
            None => {}
        }
    }
    Ok(())
}

/// Hands a wish on to the thread that speaks to the instance; one that does not keep up is not waited for.
fn put(feed: &Feed, ask: Ask, view: &mut View) {
    if feed.asks.try_send(ask).is_err() {
        "the instance has not answered the last wish yet; this one is not passed on"
            .clone_into(&mut view.message);
    }
}

#[cfg(test)]
pub(crate) mod tests;
