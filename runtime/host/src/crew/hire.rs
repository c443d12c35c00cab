//! Workers are started by the cycle thread, before its first cycle, each on its core.

use super::worker::{Rest, Signals, Worker};
use super::{Crew, Desk, LOST_NS, LOST_VIRTUAL_NS};
use crate::error::HostError;
use crate::realtime;
use crossbeam_queue::ArrayQueue;
use heapless::spsc::Queue;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread::Scope;
use twinstep_config::machine::Realtime;
use twinstep_cycle::section::{MAX_SECTIONS, Section};

/// Called by a worker with its number, a section in hand, before it works on it: for tests that hold it up.
pub type Hook = Arc<dyn Fn(usize) + Send + Sync>;

/// Who is to be hired, and how they work.
#[derive(Clone, Default)]
pub struct Hiring {
    /// A core for each worker; in virtual time no more than a name.
    pub cores: Vec<usize>,
    /// Policy and priority of the cycle, and its period (ns) and the time that it spins before a start (ns); none in virtual time.
    pub real: Option<(Realtime, u64, u64)>,
    /// See [`Hook`].
    pub hook: Option<Hook>,
}

impl fmt::Debug for Hiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hiring")
            .field("cores", &self.cores)
            .field("real", &self.real)
            .finish_non_exhaustive()
    }
}

/// What the workers were granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Workers.
    pub asked: usize,
    /// Those that have their core and, where it was asked for, SCHED_FIFO.
    pub granted: usize,
}

impl<'a> Crew<'a> {
    /// Starts the workers in `scope`. To be called by the cycle thread when it is on its core: they end with what is returned.
    ///
    /// # Errors
    /// [`HostError::Machine`] when a thread cannot be started.
    pub fn hire<'scope>(
        scope: &'scope Scope<'scope, '_>,
        hiring: &Hiring,
    ) -> Result<(Self, Granted), HostError>
    where
        'a: 'scope,
    {
        let real = hiring.real.is_some();
        let mut crew = Self {
            desks: Vec::with_capacity(hiring.cores.len()),
            real,
            lost_after_ns: if real { LOST_NS } else { LOST_VIRTUAL_NS },
            lost: None,
        };
        let (tell, hear) = mpsc::channel();
        for (number, core) in hiring.cores.iter().copied().enumerate() {
            let (desk, worker) = pair(number, core, hiring);
            let (tell, settings) = (tell.clone(), hiring.real.clone());
            std::thread::Builder::new()
                .name(format!("models-{core}"))
                .spawn_scoped(scope, move || {
                    let granted =
                        settings.is_some_and(|(set, ..)| realtime::enter_worker(&set, core));
                    // The cycle thread waits for it.
                    let _ = tell.send(granted);
                    drop(tell);
                    worker.run();
                })
                .map_err(|error| {
                    HostError::machine(
                        format!("cannot start the worker for core {core}: {error}"),
                        "raise the limit of processes, or name fewer cores in [realtime] model_cores",
                    )
                })?;
            crew.desks.push(desk);
        }
        drop(tell);
        let granted = (hear.iter().take(hiring.cores.len()))
            .filter(|granted| *granted)
            .count();
        let granted = Granted {
            asked: hiring.cores.len(),
            granted,
        };
        Ok((crew, granted))
    }
}

/// Both ends of one worker's queues.
fn pair<'a>(number: usize, core: usize, hiring: &Hiring) -> (Desk<'a>, Worker<'a>) {
    // They live as long as the process, like those of every run: either end may go first.
    let inbox: &'a ArrayQueue<Section<'a>> = Box::leak(Box::new(ArrayQueue::new(MAX_SECTIONS)));
    let back: &'a mut Queue<Section<'a>, { MAX_SECTIONS + 1 }> = Box::leak(Box::new(Queue::new()));
    let (give, take) = back.split();
    let signals = Arc::new(Signals::default());
    let desk = Desk {
        core,
        inbox,
        back: take,
        away: 0,
        late_ns: 0,
        signals: Arc::clone(&signals),
    };
    let rest = match &hiring.real {
        Some((_, period_ns, spin_ns)) => Rest::Real {
            spin_ns: *spin_ns,
            period_ns: *period_ns,
        },
        None => Rest::Virtual,
    };
    let worker = Worker {
        number,
        inbox,
        back: give,
        signals,
        rest,
        hook: hiring.hook.clone(),
    };
    (desk, worker)
}
