//! What stands in a store from earlier runs, and how a new run ends it.
//!
//! A run judges from its beginning: what an earlier one has found and never cleared, because it was stopped, killed, or the machine was
//! repaired in between, is found again or does not hold any more. So the first events of a run clear what still stands. They have
//! numbers and are announced as all events are, and come before any event of the run's own; a run whose bus does not come up ends nothing.

use crate::error::HostError;
use crate::false_alarms::Exposure;
use crate::lines::EventRecord;
use crate::names::RunInfo;
use crate::store::{StoreError, StoreWriter};
use std::sync::Arc;

/// Most alarms that are ended, the newest: as many as a gateway lists.
pub(crate) const MAX_ENDED: usize = 4096;
/// What is said to be the cause.
const CAUSE: &str = "a new run judges anew";
/// What is to be done.
const ACTION: &str = "Nothing: where it still holds, the run raises it again.";

/// The events that end what stands in `store` at the start of `runs`, in the order in which it was found. `whole`: these are all buses of
/// the machine; else what stands on a bus that is none of them stays, because nobody judges it now. So does what a machine with another
/// name has left in the same store, whatever its plan is. What the store holds from here on is of `machine`.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written.
pub fn ended(
    store: &mut StoreWriter,
    runs: &[Arc<RunInfo>],
    machine: &str,
    whole: bool,
) -> Result<Vec<EventRecord>, StoreError> {
    store.set_machine(machine);
    // What an earlier version has stored is of the machine that its plan was of until now.
    store.catch_up(&mut |_| {})?;
    for run in runs {
        store.note_plan(&run.plan, machine)?;
    }
    let mut ended = Vec::new();
    for json in store.standing(MAX_ENDED)? {
        // What another version wrote in another form no gateway of this one lists either.
        let Ok(record) = serde_json::from_str::<EventRecord>(&json) else {
            continue;
        };
        let bus = record.bus.as_deref();
        let own = runs.iter().find(|run| run.names.bus() == bus);
        // A machine of one bus has no name for it, and what a machine of several left behind is nobody's then.
        let Some(run) = own.or_else(|| runs.first().filter(|_| whole)) else {
            continue;
        };
        let before = store.exposure(&run.plan)?;
        ended.push(end(record, run, before));
    }
    Ok(ended)
}

/// Makes what stands in `store` of the machine that was called `was` that of `machine`: it is the same one under a new name. `say` is told what
/// came of it; a name that is not there is no error, since a unit may be started with it again.
///
/// # Errors
/// [`HostError::Usage`] when the store cannot be read or written: nothing is handed over then.
pub fn take_over(
    store: &mut StoreWriter,
    was: &str,
    machine: &str,
    say: &mut dyn FnMut(&str),
) -> Result<(), HostError> {
    if was == machine {
        say(&format!("--was '{was}' is the name that the machine has"));
        return Ok(());
    }
    store.set_machine(machine);
    // What an earlier version has stored has its rows after this only.
    store.catch_up(say).map_err(StoreError::into_usage)?;
    let handed = store.rename(was, machine).map_err(StoreError::into_usage)?;
    let path = store.path().display();
    say(&if handed {
        format!(
            "what the machine '{was}' has left in the event store {path} is that of '{machine}' from here on"
        )
    } else {
        format!("the event store {path} has nothing of a machine '{was}'")
    });
    Ok(())
}

/// Refuses a store in which an alarm of another machine stands that `machine` may raise under the same name: for a gateway, and for whoever
/// acknowledges or shelves it, both would be one. Its bus, its controller and the scribe each machine has: alarms of those are told of and
/// refused to nobody. `say` is told so, and how far it has come where a long store has to be looked through.
///
/// # Errors
/// [`HostError::Usage`] that names the other machine.
pub fn keep_apart(
    store: &mut StoreWriter,
    runs: &[Arc<RunInfo>],
    machine: &str,
    say: &mut dyn FnMut(&str),
) -> Result<(), HostError> {
    store.set_machine(machine);
    // What cannot be read keeps no machine from running: `ended` tells of it.
    if store.catch_up(say).is_err() {
        return Ok(());
    }
    let mut common = None;
    let found = store.standing_of_another(|one| {
        let [_, bus, source, _] = one;
        let mut there = (runs.iter())
            .filter(|run| run.names.bus().unwrap_or_default() == bus)
            .map(|run| &run.names);
        if common.is_none() && there.clone().any(|names| names.is_on_all(source)) {
            common = Some(one.clone());
        }
        there.any(|names| names.has(source))
    });
    let path = store.path().display();
    match found {
        Ok(Some([other, _, source, channel])) => {
            return Err(HostError::usage(
                format!(
                    "the event store {path} is also that of the machine '{other}', whose alarm {source} {channel} stands; '{machine}' may raise one \
                     of the same name, and nobody could tell them apart"
                ),
                format!(
                    "name a folder of its own with --state DIR, best one for every machine; if this is the same machine under a new name, start \
                     it once with --was '{other}': a new folder has neither its events nor its health"
                ),
            ));
        }
        Ok(None) => {}
        Err(error) => say(&format!(
            "whether alarms of another machine stand is not known: {}",
            error.into_usage().in_a_line()
        )),
    }
    if let Some([other, _, source, channel]) = common {
        say(&format!(
            "the event store {path} is also that of the machine '{other}', whose alarm {source} {channel} stands: a gateway lists it and one of \
             this machine as one; name a folder for every machine with --state DIR"
        ));
    }
    Ok(())
}

/// The event that ends what `last` is the last event of. Nothing was measured.
fn end(last: EventRecord, run: &RunInfo, before: Exposure) -> EventRecord {
    EventRecord {
        seq: 0,
        cycle: 0,
        time_ns: 0,
        time_utc_ns: run.utc_ns(0),
        plan: run.plan.clone(),
        state: "cleared".into(),
        measured: f64::NAN,
        predicted: f64::NAN,
        residual: f64::NAN,
        limit: None,
        false_alarm_interval_asked_s: run.asked_s as u64,
        false_alarm_interval_extrapolated_s: run.extrapolated.map(|all| all.interval_s() as u64),
        false_alarm_interval_demonstrated_s: before.demonstrated_s(),
        cause: CAUSE.into(),
        causes: Vec::new(),
        action: ACTION.into(),
        nok: None,
        not_judged: Vec::new(),
        ..last
    }
}

/// Whether an event is one of these: a run finds nothing in its first cycle that it could clear there.
pub fn is_end(record: &EventRecord) -> bool {
    record.state == "cleared" && record.cycle == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::tests::{leak, run_info};
    use crate::scribe::Scribe;
    use crate::store::StoreReader;
    use std::path::Path;
    use std::sync::mpsc;

    fn record(source: &str, channel: &'static str, state: &'static str) -> EventRecord {
        let mut record = EventRecord::of(&leak(7), &run_info(), Exposure::default());
        record.source = source.to_owned();
        record.channel = channel.into();
        record.state = state.into();
        record
    }

    fn on(bus: &str, record: EventRecord) -> EventRecord {
        EventRecord {
            bus: Some(bus.to_owned()),
            ..record
        }
    }

    fn stored(folder: &Path) -> Vec<EventRecord> {
        let reader = StoreReader::open(folder).unwrap();
        let lines = reader.since(0).map(|event| event.unwrap().json);
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }

    fn names(records: &[EventRecord]) -> Vec<(&str, &str)> {
        (records.iter())
            .map(|record| (record.source.as_str(), &*record.channel))
            .collect()
    }

    #[test]
    fn a_run_first_ends_what_stands_from_earlier_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        store
            .append(&mut [
                record("lift", "drive_state", "raised"),
                record("gripper", "leak_rate", "raised"),
                record("lift", "current_load", "raised"),
                record("gripper", "leak_rate", "cleared"),
                record("lift", "current_load", "updated"),
                record("scribe", "events_dropped", "raised"),
                record("scribe", "events_dropped", "raised"),
            ])
            .unwrap();
        let runs = [Arc::new(run_info())];
        let first = ended(&mut store, &runs, "cell", true).unwrap();
        let expected = [
            ("lift", "drive_state"),
            ("lift", "current_load"),
            ("scribe", "events_dropped"),
        ];
        assert_eq!(names(&first), expected);
        let (lines, announced) = mpsc::channel();
        let announce = Box::new(move |record: &EventRecord, _: &str| {
            let _ = lines.send(record.clone());
        });
        // A run whose bus does not come up has judged nothing.
        let nothing = Box::new(|_: &EventRecord, _: &str| panic!("nothing is announced"));
        let (_, scribe) = Scribe::start_for(store, &runs, first.clone(), nothing).unwrap();
        assert_eq!(scribe.stop_all(&[0]).unwrap()[0].last_seq, 7);
        let store = StoreWriter::open(folder.path()).unwrap();
        let (mut senders, scribe) = Scribe::start_for(store, &runs, first, announce).unwrap();
        runs[0].set_start_utc_ns(9_000);
        senders[0].send(leak(3));
        let totals = scribe.stop_all(&[0]).unwrap();
        assert_eq!((totals[0].raised, totals[0].last_seq), (1, 11));
        let events = stored(folder.path());
        assert_eq!(names(&events[7..10]), expected);
        for end in &events[7..10] {
            assert!(is_end(end) && end.measured.is_nan(), "{end:?}");
            assert_eq!(end.time_utc_ns, 9_000);
            assert_eq!((&*end.cause, &*end.detector), (CAUSE, "cusum"));
        }
        assert_eq!((events[10].cycle, is_end(&events[10])), (3, false));
        let announced: Vec<u64> = announced.iter().map(|record| record.seq).collect();
        assert_eq!(announced, [8, 9, 10, 11]);
        // What this run has raised is ended by the next one, and nothing else is.
        let mut store = StoreWriter::open(folder.path()).unwrap();
        let next = ended(&mut store, &runs, "cell", true).unwrap();
        assert_eq!(names(&next), [("gripper", "leak_rate")]);
    }

    #[test]
    fn a_bus_ends_its_own_and_a_machine_everything() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        store
            .append(&mut [
                on("front", record("scribe", "events_dropped", "raised")),
                on("rear", record("scribe", "events_dropped", "raised")),
                on("rear", record("lift", "drive_state", "raised")),
                record("gripper", "leak_rate", "raised"),
            ])
            .unwrap();
        let run = |bus: &str| {
            let names = crate::names::tests::on_bus(bus);
            Arc::new(RunInfo::new(names, bus.to_owned(), 1.0, 5_000))
        };
        let rear = ended(&mut store, &[run("rear")], "cell", false).unwrap();
        assert_eq!(
            names(&rear),
            [("scribe", "events_dropped"), ("lift", "drive_state")]
        );
        assert!(rear.iter().all(|end| end.bus.as_deref() == Some("rear")));
        let both = ended(&mut store, &[run("front"), run("rear")], "cell", true).unwrap();
        let plans: Vec<&str> = both.iter().map(|end| end.plan.as_str()).collect();
        assert_eq!(plans, ["front", "rear", "rear", "front"]);
        assert!(both.iter().all(|end| end.time_utc_ns == 5_000));
        // The machine has one bus now, which has no name.
        let alone = ended(&mut store, &[Arc::new(run_info())], "cell", true).unwrap();
        assert_eq!(alone.len(), 4);
    }

    #[test]
    fn a_machine_leaves_alone_what_another_one_has_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        let of = |plan: &str, source: &str| EventRecord {
            plan: plan.to_owned(),
            ..record(source, "leak_rate", "raised")
        };
        let run = |plan: &str| {
            let names = crate::names::Names::default();
            [Arc::new(RunInfo::new(names, plan.to_owned(), 1.0, 5_000))]
        };
        // One with this plan has never said whose it is.
        store
            .append(&mut [of("a1", "lift"), of("b1", "ram"), of("old", "gripper")])
            .unwrap();
        assert_eq!(
            ended(&mut store, &run("b1"), "b", true).unwrap().len(),
            3,
            "none of them is known"
        );
        ended(&mut store, &run("a1"), "a", true).unwrap();
        let again = ended(&mut store, &run("b2"), "b", true).unwrap();
        assert_eq!(
            names(&again),
            [("ram", "leak_rate"), ("gripper", "leak_rate")]
        );
    }

    #[test]
    fn machines_of_equal_plans_end_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let runs = [Arc::new(run_info())];
        let left = |machine: &str| {
            let mut store = StoreWriter::open(folder.path()).unwrap();
            let left = ended(&mut store, &runs, machine, true).unwrap();
            (store, left)
        };
        let (mut store, nothing) = left("left cell");
        assert!(nothing.is_empty());
        store
            .append(&mut [record("lift", "ripple", "raised")])
            .unwrap();
        drop(store);
        // What has the same name there is another thing.
        let (mut store, nothing) = left("right cell");
        assert!(nothing.is_empty(), "{nothing:?}");
        store
            .append(&mut [
                record("lift", "ripple", "raised"),
                record("ram", "ripple", "raised"),
                record("lift", "ripple", "cleared"),
            ])
            .unwrap();
        drop(store);
        let (mut store, mut own) = left("left cell");
        assert_eq!(names(&own), [("lift", "ripple")]);
        store.append(&mut own).unwrap();
        drop(store);
        assert_eq!(names(&left("right cell").1), [("ram", "ripple")]);
        // It stands still, under a name that only machines with a ram have.
        let mut store = StoreWriter::open(folder.path()).unwrap();
        let apart = |store: &mut StoreWriter, runs: &[Arc<RunInfo>], machine: &str| {
            keep_apart(store, runs, machine, &mut |_| {})
        };
        apart(&mut store, &runs, "left cell").unwrap();
        let config = twinstep_config::PRESS_CELL.replace("\"pusher\"", "\"ram\"");
        let machine = twinstep_config::load(&config, "ram.toml").unwrap();
        let ram = RunInfo::new(crate::names::Names::of(&machine), String::new(), 1.0, 0);
        let ram = [Arc::new(ram)];
        apart(&mut store, &ram, "right cell").unwrap();
        let refused = apart(&mut store, &ram, "left cell").unwrap_err();
        let said = refused.in_a_line();
        assert!(
            said.contains("'right cell'") && said.contains("ram ripple"),
            "{said}"
        );
        // It has a new name, and its alarms are handed over.
        let mut said = Vec::new();
        let mut was = |store: &mut StoreWriter, was: &str| {
            take_over(store, was, "left cell", &mut |text| {
                said.push(text.to_owned())
            })
            .unwrap();
        };
        was(&mut store, "rigth cell");
        was(&mut store, "left cell");
        assert!(apart(&mut store, &ram, "left cell").is_err());
        was(&mut store, "right cell");
        was(&mut store, "right cell");
        let ends = [
            "nothing of a machine 'rigth cell'",
            "the name that the machine has",
            "that of 'left cell' from here on",
            "nothing of a machine 'right cell'",
        ];
        assert_eq!(said.len(), ends.len(), "{said:?}");
        for (said, end) in said.iter().zip(ends) {
            assert!(said.ends_with(end), "{said}");
        }
        apart(&mut store, &ram, "left cell").unwrap();
        drop(store);
        assert_eq!(names(&left("left cell").1), [("ram", "ripple")]);
    }

    #[test]
    fn what_each_machine_has_is_told_of_and_keeps_none_from_running() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        store.set_machine("left cell");
        let mut all = ["bus", "controller", "scribe"].map(|one| record(one, "ripple", "raised"));
        store.append(&mut all).unwrap();
        // And one whose name is no text hides none of the others.
        let spoil = "INSERT INTO alarms_standing VALUES ('left cell', '', CAST(x'ff' AS TEXT), 'ripple', 3, 3)";
        store.connection.execute(spoil, []).unwrap();
        let runs = [Arc::new(run_info())];
        let mut said = Vec::new();
        let mut apart = |store: &mut StoreWriter| {
            keep_apart(store, &runs, "right cell", &mut |text| {
                said.push(text.to_owned())
            })
        };
        apart(&mut store).unwrap();
        store.set_machine("left cell");
        store
            .append(&mut [
                record("gripper", "ripple", "raised"),
                record("scribe", "ripple", "updated"),
            ])
            .unwrap();
        let refused = apart(&mut store).unwrap_err().in_a_line();
        assert!(refused.contains("alarm gripper ripple stands"), "{refused}");
        let [said] = &*said else {
            panic!("{said:?}");
        };
        assert!(said.contains("'left cell', whose alarm scribe"), "{said}");
    }
}
