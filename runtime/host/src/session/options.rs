//! How a run is to be.

use super::SeatSlot;
use crate::cli::CycleArgs;
use crate::phases::Delivery;
use crate::record::checks::Checks;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// How a run is to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Title of the live view.
    pub title: String,
    /// End after so many cycles.
    pub cycles: Option<u64>,
    /// Exit with 3 when deviations were found.
    pub judge: bool,
    /// Record into this file or folder.
    pub record: Option<PathBuf>,
    /// Keep the last seconds, and write a file of them around each event.
    pub event_recordings: bool,
    /// Number of the first event in an empty store; 1 unless given.
    pub first_seq: Option<u64>,
    /// Most bytes of a folder of recordings; the usual ones unless given.
    pub record_limit_bytes: Option<u64>,
    /// What else a recording says of its run.
    pub facts: BTreeMap<String, String>,
    /// What a replay is compared with.
    pub checks: Option<Arc<Checks>>,
    /// Folder of the event store.
    pub state: PathBuf,
    /// Former name of the machine: what stands in the store under it is taken over.
    pub was: Option<String>,
    /// Drives are enabled.
    pub armed: bool,
    /// Nothing but events and the summary is shown.
    pub quiet: bool,
    /// The network interface, where the bus is a real one.
    pub interface: Option<String>,
    /// All network interfaces of the bus, for the status.
    pub interfaces: Vec<String>,
    /// Something of `[realtime.nic]` was refused.
    pub nic_denied: bool,
    /// The bus is simulated in this process: faults can be injected, and runs of one machine may stand side by side.
    pub simulated: bool,
    /// The control socket; the usual one unless named, and none at all in virtual time unless named.
    pub socket: Option<PathBuf>,
    /// Group whose members may use it too.
    pub socket_group: Option<String>,
    /// Where every cycle is left for who finds budgets; none in other runs.
    pub samples: Option<Delivery>,
    /// Where the page of this run is, once that is known.
    pub page: Option<Arc<OnceLock<String>>>,
    /// Of one of several buses of a machine: what it has in common with the others. None: it is the only one.
    pub seat: Option<SeatSlot>,
    /// Health goes on from that of the last run, and is kept for the next one.
    pub keeps_health: bool,
    /// Seed of a simulated machine itself, where it is not that of the configuration.
    pub machine_seed: Option<u64>,
    /// The cycle is paced by a clock: its thread is made real-time, and it can be late.
    pub real_time: bool,
}

impl Options {
    /// Options from the command line.
    pub fn new(title: &str, args: &CycleArgs, state: PathBuf, armed: bool) -> Self {
        Self {
            title: title.to_owned(),
            cycles: args.cycles,
            judge: args.judge,
            record: args.record.clone(),
            event_recordings: !args.no_event_recordings,
            first_seq: None,
            record_limit_bytes: args.record_limit,
            facts: BTreeMap::from([
                ("command".to_owned(), title.to_owned()),
                ("seed".to_owned(), args.seed.to_string()),
            ]),
            checks: None,
            state,
            was: args.was.clone(),
            armed,
            quiet: args.fast || args.json,
            interface: None,
            interfaces: Vec::new(),
            nic_denied: false,
            simulated: false,
            socket: args.control.clone(),
            socket_group: args.control_group.clone(),
            samples: None,
            page: None,
            seat: None,
            // A run in virtual time is the same every time.
            keeps_health: !args.fast || args.keep_health,
            machine_seed: args.machine_seed,
            real_time: !args.fast,
        }
    }
}
