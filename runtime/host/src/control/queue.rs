//! The two queues between the control thread and the cycle.

use super::health::HealthBuffer;
use super::status::StatusBuffer;
use crate::phases::Row;
use heapless::spsc::{Consumer, Producer, Queue};
use twinstep_config::fault::Fault;

/// Slots of either queue; one stays empty. A client has one command under way, and the control thread two of its own, so that
/// this is enough for all of them.
pub const QUEUE: usize = 32;

/// What the cycle can be told.
#[derive(Debug)]
pub enum Command {
    /// Sets the budget of a phase or group of models (ns), or takes it away.
    SetBudget {
        /// Which.
        row: Row,
        /// How long; none: no budget.
        budget_ns: Option<u64>,
    },
    /// Forgets durations, budget counts and what-if.
    Reset,
    /// Lets drives be enabled.
    Arm,
    /// Injects a fault; its time counts from now.
    Inject(Box<Fault>),
    /// Takes back the faults that last or wait.
    ClearFaults,
    /// Has the baseline of an axis learnt anew: its number in the plan.
    Baseline(usize),
    /// Fills a status in.
    Status(Box<StatusBuffer>),
    /// Copies what is tracked.
    Health(Box<HealthBuffer>),
}

/// A command with its number.
#[derive(Debug)]
pub struct Request {
    /// Comes back with the answer.
    pub id: u64,
    /// What is to be done.
    pub command: Command,
}

/// Why the cycle does not obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The run sends no outputs.
    NoOutputs,
    /// The bus is not simulated.
    NotSimulated,
    /// The models of the axis are not at hand in this cycle.
    Busy,
}

/// What became of a command.
#[derive(Debug)]
pub enum Answer {
    /// It applies from the next cycle on.
    Done,
    /// It does not.
    Refused(Refusal),
    /// A fault, and what the segment says to it.
    Injected {
        /// The fault, to be given back.
        fault: Box<Fault>,
        /// Why not.
        result: Result<(), String>,
    },
    /// The status.
    Status(Box<StatusBuffer>),
    /// What is tracked.
    Health(Box<HealthBuffer>),
}

/// The cycle's end. Neither call allocates or waits.
pub struct CycleEnd {
    requests: Consumer<'static, Request>,
    answers: Producer<'static, (u64, Answer)>,
}

impl CycleEnd {
    /// The next command.
    #[inline]
    pub fn take(&mut self) -> Option<Request> {
        // An answer must find room: what it owns cannot be given back here.
        if self.answers.ready() {
            self.requests.dequeue()
        } else {
            None
        }
    }

    /// Answers a command.
    #[inline]
    pub fn answer(&mut self, id: u64, answer: Answer) {
        // There are never more answers under way than requests fit, and both queues are as long.
        let _ = self.answers.enqueue((id, answer));
    }
}

/// The control thread's end.
pub struct ControlEnd {
    requests: Producer<'static, Request>,
    answers: Consumer<'static, (u64, Answer)>,
    next_id: u64,
}

impl ControlEnd {
    /// Sends a command; returns its number, or the command where the queue is full.
    ///
    /// # Errors
    /// The command.
    pub fn send(&mut self, command: Command) -> Result<u64, Command> {
        let id = self.next_id;
        self.requests
            .enqueue(Request { id, command })
            .map_err(|request| request.command)?;
        self.next_id += 1;
        Ok(id)
    }

    /// The next answer.
    pub fn receive(&mut self) -> Option<(u64, Answer)> {
        self.answers.dequeue()
    }
}

/// Makes both ends.
pub fn channel() -> (ControlEnd, CycleEnd) {
    // They live as long as the process: a run has one pair, and either end may go first.
    let requests: &'static mut Queue<Request, QUEUE> = Box::leak(Box::new(Queue::new()));
    let answers: &'static mut Queue<(u64, Answer), QUEUE> = Box::leak(Box::new(Queue::new()));
    let (ask, take) = requests.split();
    let (answer, receive) = answers.split();
    (
        ControlEnd {
            requests: ask,
            answers: receive,
            next_id: 1,
        },
        CycleEnd {
            requests: take,
            answers: answer,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_answers_pass_in_order_and_a_full_queue_gives_them_back() {
        let (mut control, mut cycle) = channel();
        for id in 1..QUEUE as u64 {
            assert_eq!(control.send(Command::Reset).unwrap(), id);
        }
        assert!(matches!(control.send(Command::Arm), Err(Command::Arm)));
        for id in 1..QUEUE as u64 {
            let request = cycle.take().unwrap();
            assert_eq!(request.id, id);
            cycle.answer(id, Answer::Done);
        }
        assert!(cycle.take().is_none());
        // No room for an answer: the command waits.
        assert_eq!(control.send(Command::Arm).unwrap(), QUEUE as u64);
        assert!(cycle.take().is_none());
        assert!(matches!(control.receive(), Some((1, Answer::Done))));
        assert!(cycle.take().is_some());
    }
}
