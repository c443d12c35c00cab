//! The thread that serves the control socket.

use super::around::Around;
use super::budgets::Budgets;
use super::connection::{Connection, Waiting};
use super::health::HealthDesk;
use super::lines::line;
use super::place::Place;
use super::queue::{Answer, Command, ControlEnd, Refusal};
use super::request::{self, MAX_LINE, Wish, Wrong};
use super::status::{Identity, StatusBuffer, StatusLine};
use super::visitor::{Visitor, error_line, follower, send_next};
use crate::clock::monotonic_ns;
use crate::cycle_clock::ClockLine;
use crate::doctor::Root;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::overruns::watcher::SharedCauses;
use crate::strokes::StrokeBoard;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use twinstep_config::fault::Fault;
use twinstep_config::machine::Machine;

/// Most clients at a time.
pub const MAX_CLIENTS: usize = 16;
/// How long a command may wait for the cycle (ns).
const PATIENCE_NS: u64 = 5_000_000_000;
/// How often the answers of the cycle are looked for while one is awaited (ns).
const ANSWER_POLL_NS: u64 = 500_000;
/// How often the store is looked at for followers (ns).
const FOLLOW_POLL_NS: u64 = 20_000_000;

/// Where curves are found.
const CURVES: &str = "`strokes` of the status lists those that are kept";

/// What the server knows of the run.
pub struct Setting {
    /// What does not change.
    pub identity: Identity,
    /// The machine, for faults and budgets.
    pub machine: Machine,
    /// Names.
    pub info: Arc<RunInfo>,
    /// Folder of the event store.
    pub state: PathBuf,
    /// Causes of overruns; none in virtual time.
    pub causes: Option<SharedCauses>,
    /// Network interfaces of the bus; none where it is simulated in this process.
    pub interfaces: Vec<String>,
    /// The last strokes.
    pub strokes: StrokeBoard,
}

/// The running server.
pub struct Server {
    thread: JoinHandle<()>,
    /// Its other end wakes the thread when this one goes.
    wake: UnixStream,
    path: PathBuf,
}

impl Server {
    /// Starts to serve at `place`.
    ///
    /// # Errors
    /// [`HostError::Machine`] when no thread can be started.
    pub fn start(place: Place, setting: Setting, cycle: ControlEnd) -> Result<Self, HostError> {
        let failed = |error: std::io::Error| {
            HostError::machine(
                format!("cannot start the control thread: {error}"),
                "raise the limits of processes and open files",
            )
        };
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        let path = place.path().to_owned();
        let axes = setting.info.names.axis_count();
        let stations = setting.info.names.station_count();
        let budgets = Budgets::of(&setting.machine.cycle);
        let around = Around::new(Root::live(), &setting.machine, setting.interfaces.clone());
        let worker = Worker {
            place,
            woken,
            setting,
            cycle,
            budgets,
            around,
            buffer: Some(Box::new(StatusBuffer::new(axes, stations))),
            health: HealthDesk::new(axes, stations),
            clients: Vec::new(),
            pending: VecDeque::new(),
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
    setting: Setting,
    cycle: ControlEnd,
    budgets: Budgets,
    around: Around,
    /// The one buffer for statuses; none while the cycle has it.
    buffer: Option<Box<StatusBuffer>>,
    health: HealthDesk,
    clients: Vec<Visitor>,
    pending: VecDeque<(u64, Answer)>,
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
        }
    }

    /// Waits for anything to do. False: the run has ended.
    fn wait(&mut self) -> bool {
        let awaiting = (self.clients.iter()).any(|c| c.connection.waiting != Waiting::Nothing);
        let following = self.clients.iter().any(|c| c.connection.follower.is_some());
        let timeout_ns = match (awaiting, following) {
            (true, _) => Some(ANSWER_POLL_NS),
            (_, true) => Some(FOLLOW_POLL_NS),
            _ => None,
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
                connection.send(&error_line(None, &wrong));
                // As much as it takes at once: it is not kept.
                connection.write();
                continue;
            }
            self.clients.push(Visitor {
                connection,
                id: None,
                request: "",
                rest: VecDeque::new(),
            });
        }
    }

    /// Takes the answers of the cycle.
    fn collect(&mut self) {
        while let Some(answer) = self.cycle.receive() {
            self.pending.push_back(answer);
        }
        while let Some((number, answer)) = self.pending.pop_front() {
            match answer {
                Answer::Status(mut buffer) => {
                    self.tell_status(number, &mut buffer);
                    self.buffer = Some(buffer);
                }
                Answer::Health(buffer) => self.health.take(buffer, &self.setting.info.names),
                Answer::Done => self.answered(number, None),
                Answer::Refused(refusal) => self.answered(number, Some(self.refused(refusal))),
                Answer::Injected { result, .. } => {
                    let wrong = result.err().map(|why| Wrong::new(why, Fault::usage()));
                    self.answered(number, wrong);
                }
            }
        }
    }

    /// Why the cycle does not obey, in words.
    fn refused(&self, refusal: Refusal) -> Wrong {
        match refusal {
            Refusal::NoOutputs => Wrong::new(
                "this run sends no outputs: there is nothing to arm",
                "a tap and a recording have none; arm the master that owns the bus",
            ),
            Refusal::NotSimulated => self.not_simulated(),
            Refusal::Busy => Wrong::new(
                "the models of this axis are with a worker that is late",
                "try again",
            ),
        }
    }

    /// The command for the axis or press called `source`.
    fn baseline(&self, source: &str) -> Result<Command, Wrong> {
        let machine = &self.setting.machine;
        let axes = machine.axes.iter().map(|axis| axis.name.as_str());
        let presses = machine.presses.iter().map(|press| press.axis.name.as_str());
        let names: Vec<_> = axes.chain(presses).collect();
        let found = names.iter().position(|name| *name == source);
        found.map(Command::Baseline).ok_or_else(|| {
            let shown: String = source.chars().take(32).collect();
            Wrong::new(
                format!("no axis or press is called '{}'", shown.escape_default()),
                format!("they are: {}", names.join(", ")),
            )
        })
    }

    fn not_simulated(&self) -> Wrong {
        Wrong::new(
            format!(
                "'{}' runs on a real interface: faults are injected on simulated machines only",
                self.setting.identity.machine
            ),
            "run the simulated machine, or give faults to `twinstep sim` on the other end of the cable",
        )
    }

    fn answered(&mut self, number: u64, wrong: Option<Wrong>) {
        let waits = |client: &&mut Visitor| client.connection.waiting == Waiting::Answer(number);
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
            None => send_next(client, &mut self.cycle),
        }
    }

    fn tell_status(&mut self, number: u64, buffer: &mut StatusBuffer) {
        buffer.trust.ptp = self.setting.info.ptp();
        let now_ns = monotonic_ns();
        self.around.look(now_ns, buffer.trust.core);
        self.health.refresh(now_ns, &mut self.cycle);
        for client in &mut self.clients {
            if client.connection.waiting == Waiting::Status(number) {
                client.connection.waiting = Waiting::Nothing;
                let mut status = StatusLine::new(
                    client.id.take(),
                    &self.setting.identity,
                    &self.setting.info.names,
                    buffer,
                    self.setting.causes.as_ref().map(SharedCauses::get),
                    &self.around,
                );
                status.clock = ClockLine::of(&self.setting.machine, buffer.clock);
                status.strokes = self.setting.strokes.lines();
                status.health = self.health.lines().to_vec();
                status.false_alarms = Some(self.setting.info.false_alarms(buffer.time_ns));
                client.connection.send(&line(&status));
            }
        }
    }

    /// Asks the cycle for a status where somebody waits for one and the buffer is here.
    fn request_status(&mut self) {
        let wanted = |client: &Visitor| client.connection.waiting == Waiting::NextStatus;
        if !self.clients.iter().any(wanted) {
            return;
        }
        let Some(buffer) = self.buffer.take() else {
            return;
        };
        match self.cycle.send(Command::Status(buffer)) {
            Ok(number) => {
                let clients = self.clients.iter_mut();
                for client in clients.filter(|client| wanted(client)) {
                    client.connection.waiting = Waiting::Status(number);
                }
            }
            Err(Command::Status(buffer)) => self.buffer = Some(buffer),
            Err(_) => {}
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
                    "it is starting or stopping; what was asked for may still be done",
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
                    return;
                }
            }
        }
    }

    fn handle(&mut self, n: usize, line: &[u8]) {
        let (id, wish) = request::parse(line);
        let commands = wish.and_then(|wish| {
            let name = wish.name();
            self.commands(&wish).map(|commands| (name, wish, commands))
        });
        let Some(client) = self.clients.get_mut(n) else {
            return;
        };
        client.id = id;
        let (name, wish, commands) = match commands {
            Ok(all) => all,
            Err(wrong) => {
                client.fail(&wrong);
                return;
            }
        };
        client.request = name;
        client.connection.until_ns = monotonic_ns().saturating_add(PATIENCE_NS);
        match wish {
            Wish::Status => client.connection.waiting = Waiting::NextStatus,
            Wish::Save => client.save(&self.budgets.toml()),
            Wish::Events(start) => match follower(&self.setting.state, start) {
                Ok(follower) => client.start_following(follower),
                Err(wrong) => client.fail(&wrong),
            },
            Wish::Curve { source, stroke } => match self.setting.strokes.curve(&source, stroke) {
                Ok(curve) => client.show(&curve),
                Err(error) => client.fail(&Wrong::new(error, CURVES)),
            },
            Wish::Budget(budgets) => {
                for (row, budget_ns) in budgets {
                    self.budgets.set(row, budget_ns);
                }
                client.rest = commands;
                send_next(client, &mut self.cycle);
            }
            _ => {
                client.rest = commands;
                send_next(client, &mut self.cycle);
            }
        }
    }

    /// What the cycle is told for a wish.
    fn commands(&self, wish: &Wish) -> Result<VecDeque<Command>, Wrong> {
        let commands = match wish {
            Wish::Status | Wish::Save | Wish::Events(_) | Wish::Curve { .. } => VecDeque::new(),
            Wish::Reset => VecDeque::from([Command::Reset]),
            Wish::Arm => VecDeque::from([Command::Arm]),
            Wish::Clear => VecDeque::from([Command::ClearFaults]),
            Wish::Budget(budgets) => {
                self.budgets
                    .check(budgets, self.setting.identity.period_ns)?;
                let command = |&(row, budget_ns): &_| Command::SetBudget { row, budget_ns };
                budgets.iter().map(command).collect()
            }
            Wish::Baseline(source) => VecDeque::from([self.baseline(source)?]),
            Wish::Inject(faults) => {
                if !self.setting.identity.simulated {
                    return Err(self.not_simulated());
                }
                let parsed = faults.iter().map(|text| {
                    Fault::parse(text, &self.setting.machine)
                        .map(|fault| Command::Inject(Box::new(fault)))
                        .map_err(|error| Wrong::new(error.to_string(), error.help))
                });
                parsed.collect::<Result<_, _>>()?
            }
        };
        Ok(commands)
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
