//! Waiting for keys on a terminal that may go away.
//!
//! crossterm reads a terminal that has hung up again and again and never returns, so the terminal is asked before it is.

use ratatui::crossterm::event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::time::Duration;

/// Waits for a key or a new size, for `time` at most. Whether there is one to be read.
///
/// # Errors
/// The terminal has gone, or cannot be asked.
pub fn wait(time: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut terminal = [PollFd::new(&stdin, PollFlags::IN)];
    let time = Timespec {
        tv_sec: time.as_secs().cast_signed(),
        tv_nsec: time.subsec_nanos().into(),
    };
    match poll(&mut terminal, Some(&time)) {
        // Signals are told by flags, and a new size is asked for below.
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    if terminal[0].revents().intersects(gone) {
        return Err(io::Error::new(
            io::ErrorKind::BrokenPipe,
            "the terminal has gone",
        ));
    }
    event::poll(Duration::ZERO)
}
