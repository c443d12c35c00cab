//! The thread that serves the control socket.

use super::bus::{BusEnd, Setting};
use super::connection::{Connection, Waiting};
use super::health::no_course;
use super::lines::line;
use super::orders::{self, chosen};
use super::place::Place;
use super::queue::{Answer, ControlEnd};
use super::request::{self, Asked, MAX_LINE, Wish, Wrong};
use super::status::StatusLine;
use super::trail::Trail;
use super::visitor::{Visitor, error_line, follower, send_next};
use crate::clock::{monotonic_ns, utc_ns};
use crate::error::HostError;
use crate::record::lasting::Say;
use crate::refusals::Refusals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use twinstep_config::fault::Fault;

/// Most clients at a time.
pub const MAX_CLIENTS: usize = 16;
/// How long a command may wait for the cycle (ns).
const PATIENCE_NS: u64 = 5_000_000_000;
/// How often the answers of the cycle are looked for while one is awaited (ns).
const ANSWER_POLL_NS: u64 = 500_000;
/// How often the store is looked at for followers (ns).
const FOLLOW_POLL_NS: u64 = 20_000_000;
/// How often it is looked whether the trail's minute is over, while something of it is to be written down (ns).
const TRAIL_POLL_NS: u64 = 500_000_000;

/// Where curves are found.
const CURVES: &str = "`strokes` of the status lists those that are kept";

/// The running server.
pub struct Server {
    thread: JoinHandle<()>,
    /// Its other end wakes the thread when this one goes.
    wake: UnixStream,
    path: PathBuf,
}

impl Server {
    /// Starts to serve at `place`, for the buses of one machine in their order; there is at least one. `say` tells the user whom it has
    /// refused, a kind once.
    ///
    /// # Errors
    /// [`HostError::Machine`] when no thread can be started.
    pub fn start(
        place: Place,
        buses: Vec<(Setting, ControlEnd)>,
        say: Say,
    ) -> Result<Self, HostError> {
        let failed = |error: std::io::Error| {
            HostError::machine(
                format!("cannot start the control thread: {error}"),
                "raise the limits of processes and open files",
            )
        };
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        let path = place.path().to_owned();
        let state = buses.first().map(|(setting, _)| setting.state.as_path());
        let trail = Trail::in_folder(state.unwrap_or(Path::new(".")));
        let buses = buses.into_iter();
        let worker = Worker {
            place,
            woken,
            buses: buses
                .map(|(setting, cycle)| BusEnd::new(setting, cycle))
                .collect(),
            round: 0,
            asking: false,
            clients: Vec::new(),
            refusals: Refusals::default(),
            trail,
            say,
        };
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                // The socket is there; what cannot be given up harms nobody here, and the cycle's thread tells it.
                let _ = crate::realtime::capabilities::give_up_all();
                worker.run()
            })
            .map_err(failed)?;
        Ok(Self { thread, wake, path })
    }

    /// The socket.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Ends the server; clients are told by the end of the stream.
    pub fn stop(self) {
        drop(self.wake);
        // A panic of this thread has harmed nobody.
        let _ = self.thread.join();
    }
}

struct Worker {
    place: Place,
    woken: UnixStream,
    buses: Vec<BusEnd>,
    /// Rounds of statuses so far.
    round: u64,
    /// One is under way.
    asking: bool,
    clients: Vec<Visitor>,
    /// Lines that were no request, and clients that found no place.
    refusals: Refusals,
    trail: Trail,
    say: Say,
}

impl Worker {
    fn run(mut self) {
        while self.wait() {
            self.accept();
            self.collect();
            for n in 0..self.clients.len() {
                self.serve(n);
            }
            self.request_status();
            self.clients
                .retain_mut(|client| client.connection.write() && !client.connection.is_over());
            if self.trail.owes()
                && let Some(text) = self.trail.look(utc_ns())
            {
                (self.say)(&text);
            }
        }
        if let Some(text) = self.trail.finish(utc_ns()) {
            (self.say)(&text);
        }
    }

    /// Waits for anything to do. False: the run has ended.
    fn wait(&mut self) -> bool {
        let awaiting = (self.clients.iter()).any(|c| c.connection.waiting != Waiting::Nothing);
        let following = self.clients.iter().any(|c| c.connection.follower.is_some());
        let timeout_ns = match (awaiting, following) {
            (true, _) => Some(ANSWER_POLL_NS),
            (_, true) => Some(FOLLOW_POLL_NS),
            _ => self.trail.owes().then_some(TRAIL_POLL_NS),
        };
        let timeout = timeout_ns.map(|ns| Timespec {
            tv_sec: 0,
            // Smaller than 1e9, so it fits every width the platform may use.
            tv_nsec: ns as _,
        });
        let mut fds = vec![
            PollFd::new(&self.woken, PollFlags::IN),
            PollFd::new(self.place.listener(), PollFlags::IN),
        ];
        for client in &self.clients {
            // Who has hung up is awaited no more; what it asked for is still done.
            if client.connection.hung_up {
                continue;
            }
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, client.connection.reads());
            flags.set(PollFlags::OUT, client.connection.writes());
            fds.push(PollFd::from_borrowed_fd(client.connection.fd(), flags));
        }
        // A poll that fails is asked again; there is nothing else that could be done.
        let _ = poll(&mut fds, timeout.as_ref());
        let ended = !fds[0].revents().is_empty();
        let hung_up: Vec<bool> = (fds.iter().skip(2))
            .map(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR))
            .collect();
        drop(fds);
        let asked = self.clients.iter_mut().filter(|c| !c.connection.hung_up);
        for (client, hung_up) in asked.zip(hung_up) {
            client.connection.hung_up = hung_up;
        }
        !ended
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.place.listener().accept() {
            let Ok(mut connection) = Connection::new(stream) else {
                continue;
            };
            if self.clients.len() >= MAX_CLIENTS {
                let error = format!("{MAX_CLIENTS} clients are connected, which is the limit");
                let wrong = Wrong::new(error, "close one of them");
                self.refused("crowd", &wrong.error);
                connection.send(&error_line(None, &wrong));
                // As much as it takes at once: it is not kept.
                connection.write();
                continue;
            }
            self.clients.push(Visitor {
                connection,
                id: None,
                request: "",
                of: None,
                rest: VecDeque::new(),
            });
        }
    }

    /// Takes the answers of the cycles.
    fn collect(&mut self) {
        for n in 0..self.buses.len() {
            while let Some((number, answer)) =
                self.buses.get_mut(n).and_then(|bus| bus.cycle.receive())
            {
                self.take(n, number, answer);
            }
        }
    }

    fn take(&mut self, n: usize, number: u64, answer: Answer) {
        let wrong = match answer {
            Answer::Status(buffer) => {
                if let Some(bus) = self.buses.get_mut(n) {
                    bus.filled(buffer);
                }
                return;
            }
            Answer::Health(buffer) => {
                if let Some(bus) = self.buses.get_mut(n) {
                    bus.copied(buffer);
                }
                return;
            }
            Answer::Done => None,
            Answer::Refused(refusal) => Some(orders::refused(&self.buses, refusal)),
            Answer::Injected { result, .. } => {
                result.err().map(|why| Wrong::new(why, Fault::usage()))
            }
        };
        self.answered((n, number), wrong);
    }

    fn answered(&mut self, (n, number): (usize, u64), wrong: Option<Wrong>) {
        let waits = |client: &&mut Visitor| client.connection.waiting == Waiting::Answer(n, number);
        let Some(client) = self.clients.iter_mut().find(waits) else {
            return;
        };
        client.connection.waiting = Waiting::Nothing;
        match wrong {
            Some(wrong) => {
                client.rest.clear();
                client.fail(&wrong);
            }
            None if client.rest.is_empty() => client.done(),
            None => send_next(client, &mut self.buses),
        }
    }

    /// Asks the cycles for their statuses where somebody waits for them, and tells them once all are there.
    fn request_status(&mut self) {
        let wanted = |client: &Visitor| client.connection.waiting == Waiting::NextStatus;
        if !self.asking && self.clients.iter().any(wanted) {
            self.asking = true;
            self.round += 1;
            self.buses.iter_mut().for_each(BusEnd::begin);
            let clients = self.clients.iter_mut();
            for client in clients.filter(|client| wanted(client)) {
                client.connection.waiting = Waiting::Status(self.round);
            }
        }
        if !self.asking {
            return;
        }
        let alone = self.buses.len() == 1;
        self.buses.iter_mut().for_each(|bus| bus.go_on(alone));
        if self.buses.iter().all(BusEnd::is_over) {
            self.asking = false;
            self.tell_status();
        }
    }

    fn tell_status(&mut self) {
        let mut all: Vec<StatusLine> = self.buses.iter_mut().map(BusEnd::status).collect();
        let Some(mut whole) = all.first().cloned() else {
            return;
        };
        let refused_requests = self.refusals.total();
        all.iter_mut()
            .chain([&mut whole])
            .for_each(|status| status.refused_requests = refused_requests);
        // Of a machine with several buses the keys are the first one's, and each stands below `buses` as well.
        if all.len() > 1 {
            whole.buses = all.clone();
        }
        for client in &mut self.clients {
            if client.connection.waiting != Waiting::Status(self.round) {
                continue;
            }
            client.connection.waiting = Waiting::Nothing;
            let status = match client.of.and_then(|n| all.get_mut(n)) {
                Some(one) => one,
                None => &mut whole,
            };
            status.id = client.id.take();
            client.connection.send(&line(status));
        }
    }

    fn serve(&mut self, n: usize) {
        let Some(client) = self.clients.get_mut(n) else {
            return;
        };
        if !client.connection.read() {
            client.connection.close();
            return;
        }
        if client.connection.waiting != Waiting::Nothing {
            if monotonic_ns() > client.connection.until_ns {
                client.connection.waiting = Waiting::Nothing;
                client.rest.clear();
                let wrong = Wrong::new(
                    format!(
                        "the cycle has not answered for {} s",
                        PATIENCE_NS / 1_000_000_000
                    ),
                    "it is starting or stopping, or it hangs; what was asked for may still be done",
                );
                client.fail(&wrong);
            }
            return;
        }
        client.follow();
        while let Some(client) = self.clients.get_mut(n)
            && client.connection.waiting == Waiting::Nothing
            && client.connection.has_room()
        {
            match client.connection.next_line() {
                Ok(Some(line)) => self.handle(n, &line),
                Ok(None) => return,
                Err(()) => {
                    let wrong = Wrong::new(
                        format!("a request is longer than {MAX_LINE} bytes"),
                        "send one JSON object a line",
                    );
                    client.id = None;
                    client.fail(&wrong);
                    client.connection.close();
                    self.refused("long", &wrong.error);
                    return;
                }
            }
        }
    }

    /// Counts what was refused without being looked at.
    fn refused(&mut self, kind: &str, what: &str) {
        let what = format!("control socket: {what}");
        if let Some(text) = self.refusals.count(kind, &what) {
            (self.say)(&text);
        }
    }

    fn handle(&mut self, n: usize, line: &[u8]) {
        let (id, asked) = request::parse(line);
        if let Err(wrong) = &asked {
            self.refused("request", &wrong.error);
        }
        let commands = asked.and_then(|Asked { wish, bus }| {
            let of = bus
                .map(|name| orders::named(&self.buses, &name))
                .transpose()?;
            let commands = orders::commands(&self.buses, &wish, of)?;
            Ok((wish, of, commands))
        });
        let Some(client) = self.clients.get_mut(n) else {
            return;
        };
        client.id = id;
        let (wish, of, commands) = match commands {
            Ok(all) => all,
            Err(wrong) => {
                client.fail(&wrong);
                return;
            }
        };
        client.request = wish.name();
        client.of = of;
        client.connection.until_ns = monotonic_ns().saturating_add(PATIENCE_NS);
        if !commands.is_empty()
            && let Some(text) =
                (self.trail).note((line, client.request), client.connection.fd(), utc_ns())
        {
            (self.say)(&text);
        }
        match wish {
            Wish::Status => client.connection.waiting = Waiting::NextStatus,
            Wish::Save => {
                let texts = chosen(&self.buses, of).map(|(_, bus)| bus.budgets.toml(bus.name()));
                client.save(&texts.collect::<Vec<_>>().join("\n"));
            }
            Wish::Events(start) => {
                let state = self.buses.first().map(|bus| bus.setting.state.clone());
                match follower(&state.unwrap_or_default(), start) {
                    Ok(follower) => client.start_following(follower),
                    Err(wrong) => client.fail(&wrong),
                }
            }
            Wish::Curve { source, stroke } => {
                let boards = self.buses.iter().map(|bus| &bus.setting.strokes);
                let mut curves = boards.map(|board| board.curve(&source, stroke));
                // The bus that it is on has it; of none the first one says why.
                let first = curves.next();
                match curves
                    .find(Result::is_ok)
                    .filter(|_| first.as_ref().is_some_and(Result::is_err))
                    .or(first)
                {
                    Some(Ok(curve)) => client.show(&curve),
                    Some(Err(error)) => client.fail(&Wrong::new(error, CURVES)),
                    None => {}
                }
            }
            Wish::Trend { source, parameter } => {
                let mut buses = self.buses.iter();
                match buses.find_map(|bus| bus.course(&source, &parameter)) {
                    Some(course) => client.show_course(&course),
                    None => client.fail(&no_course(&source, &parameter)),
                }
            }
            Wish::Budget(budgets) => {
                for (n, bus) in self.buses.iter_mut().enumerate() {
                    if of.is_none_or(|of| of == n) {
                        for &(row, budget_ns) in &budgets {
                            bus.budgets.set(row, budget_ns);
                        }
                    }
                }
                client.rest = commands;
                send_next(client, &mut self.buses);
            }
            _ => {
                client.rest = commands;
                send_next(client, &mut self.buses);
            }
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
