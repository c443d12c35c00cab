//! A client with the request that it waits for.

use super::bus::BusEnd;
use super::connection::{Connection, Follower, Waiting};
use super::lines::{
    BudgetsLine, CurveLine, DoneLine, ErrorLine, FollowingLine, PROTOCOL, TrendLine, line,
};
use super::queue::Command;
use super::request::{Id, Start, Wrong};
use crate::health::CourseLine;
use crate::store::StoreReader;
use crate::strokes::StrokeCurveLine;
use std::collections::VecDeque;
use std::path::Path;

/// Events that a follower is given in one turn.
const EVENTS_A_TURN: usize = 64;

/// See the module.
pub(super) struct Visitor {
    pub connection: Connection,
    /// Of the request that is being worked on.
    pub id: Option<Id>,
    /// Its word.
    pub request: &'static str,
    /// Which bus it asked of; none: all.
    pub of: Option<usize>,
    /// Commands of its request that have not been sent yet, each with its bus.
    pub rest: VecDeque<(usize, Command)>,
}

/// Sends the next command of a client's request.
pub(super) fn send_next(client: &mut Visitor, buses: &mut [BusEnd]) {
    let Some((n, command)) = client.rest.pop_front() else {
        client.done();
        return;
    };
    let Some(bus) = buses.get_mut(n) else {
        return;
    };
    match bus.cycle.send(command) {
        Ok(number) => client.connection.waiting = Waiting::Answer(n, number),
        Err(_) => {
            client.rest.clear();
            client.fail(&Wrong::new(
                "too many commands wait for the cycle",
                "try again",
            ));
        }
    }
}

pub(super) fn follower(state: &Path, start: Start) -> Result<Follower, Wrong> {
    let reader =
        StoreReader::open(state).map_err(|error| Wrong::new(error.to_string(), error.remedy()))?;
    let last = || {
        let last = reader.last_seq();
        last.map_err(|error| Wrong::new(error.to_string(), error.remedy()))
    };
    let after = match start {
        Start::After(seq) => seq,
        Start::New => last()?,
        // Numbers have no gaps.
        Start::Last(count) => last()?.saturating_sub(count),
    };
    Ok(Follower { reader, after })
}

pub(super) fn error_line(id: Option<&Id>, wrong: &Wrong) -> String {
    line(&ErrorLine {
        protocol: PROTOCOL,
        id,
        error: &wrong.error,
        remedy: &wrong.remedy,
    })
}

impl Visitor {
    pub fn fail(&mut self, wrong: &Wrong) {
        let text = error_line(self.id.take().as_ref(), wrong);
        self.connection.send(&text);
    }

    pub fn done(&mut self) {
        let id = self.id.take();
        let request = self.request;
        self.connection.send(&line(&DoneLine {
            protocol: PROTOCOL,
            id: id.as_ref(),
            request,
        }));
    }

    pub fn save(&mut self, toml: &str) {
        let id = self.id.take();
        self.connection.send(&line(&BudgetsLine {
            protocol: PROTOCOL,
            id: id.as_ref(),
            toml,
        }));
    }

    pub fn show(&mut self, curve: &StrokeCurveLine) {
        let id = self.id.take();
        self.connection.send(&line(&CurveLine {
            protocol: PROTOCOL,
            id: id.as_ref(),
            curve,
        }));
    }

    pub fn show_course(&mut self, course: &CourseLine) {
        let id = self.id.take();
        self.connection.send(&line(&TrendLine {
            protocol: PROTOCOL,
            id: id.as_ref(),
            course,
        }));
    }

    pub fn start_following(&mut self, follower: Follower) {
        let id = self.id.take();
        self.connection.send(&line(&FollowingLine {
            protocol: PROTOCOL,
            id: id.as_ref(),
            since: follower.after,
        }));
        self.connection.follower = Some(follower);
    }

    /// Gives a follower what has come, as much as it reads.
    pub fn follow(&mut self) {
        if !self.connection.has_room() {
            return;
        }
        let Some(mut follower) = self.connection.follower.take() else {
            return;
        };
        let mut failed = None;
        for event in follower.reader.since(follower.after).take(EVENTS_A_TURN) {
            match event {
                Ok(event) => {
                    self.connection.send(&event.json);
                    self.connection.send("\n");
                    follower.after = event.seq;
                }
                Err(error) => {
                    failed = Some(Wrong::new(error.to_string(), error.remedy()));
                    break;
                }
            }
        }
        match failed {
            // It may ask again.
            Some(wrong) => self.fail(&wrong),
            None => self.connection.follower = Some(follower),
        }
    }
}
