//! `twinstep events`: what the store holds.

use crate::cli::EventsArgs;
use crate::control::client::Client;
use crate::error::{Exit, HostError};
use crate::lines::EventRecord;
use crate::output::Output;
use crate::snapshot::Control;
use crate::store::{self, StoreError, StoreReader};
use crate::tables::event_text;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::path::PathBuf;

/// How often the store is looked at.
const POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// Prints all events with a number larger than `--since`, in order; with `--follow` then every one that is stored, until
/// SIGINT, SIGTERM, or the reader of the output goes away.
///
/// # Errors
/// [`HostError::Usage`] when there is no store or it cannot be read.
pub fn run(args: &EventsArgs, output: &Output) -> Result<Exit, HostError> {
    let folder = folder(args)?;
    let reader = StoreReader::open(&folder).map_err(StoreError::into_usage)?;
    let after = match (args.since, args.follow) {
        (Some(since), _) => since,
        (None, false) => 0,
        (None, true) => reader.last_seq().map_err(StoreError::into_usage)?,
    };
    if args.follow {
        return follow(&reader, after, output);
    }
    let last = print(&reader, after, output)?;
    if last == after && !output.json() {
        output.note(&format!(
            "no events after number {after} in {}",
            folder.display()
        ));
    }
    Ok(Exit::Fine)
}

/// The folder that is asked for, or that of a running instance.
fn folder(args: &EventsArgs) -> Result<PathBuf, HostError> {
    match &args.control {
        None => store::folder(args.state.as_deref()),
        Some(path) => {
            let status = Client::connect(Some(path))?.status()?;
            Ok(PathBuf::from(status.identity.state))
        }
    }
}

fn follow(reader: &StoreReader, mut after: u64, output: &Output) -> Result<Exit, HostError> {
    let control = Control::default();
    control.stop_on_signals().map_err(|error| {
        HostError::machine(format!("signals cannot be caught: {error}"), "try again")
    })?;
    let stdout = std::io::stdout();
    while !control.stop_requested() {
        after = print(reader, after, output)?;
        // An end of the output that nobody reads any more says so here, before the next event does. A signal ends the wait.
        let mut gone = [PollFd::new(&stdout, PollFlags::empty())];
        let waited = poll(&mut gone, Some(&POLL));
        let gone = gone[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP);
        if output.is_closed() || waited.is_ok() && gone {
            break;
        }
    }
    Ok(Exit::Fine)
}

/// Prints what comes after `after`; returns the number of the last event.
fn print(reader: &StoreReader, after: u64, output: &Output) -> Result<u64, HostError> {
    let mut last = after;
    for event in reader.since(after) {
        let event = event.map_err(StoreError::into_usage)?;
        last = event.seq;
        if output.json() {
            output.line(&event.json);
        } else {
            match serde_json::from_str::<EventRecord>(&event.json) {
                Ok(record) => output.line(&event_text(&record)),
                // A later version may have changed the record; its own words are still the best there is.
                Err(_) => output.line(&event.json),
            }
        }
        // A store may hold millions; a reader that went away wants none of them.
        if output.is_closed() {
            break;
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::false_alarms::Exposure;
    use crate::lines::tests::{leak, run_info};
    use crate::output::tests::Buffer;
    use crate::store::StoreWriter;
    use std::path::Path;

    fn listed(folder: &Path, since: u64, json: bool) -> Result<String, HostError> {
        let buffer = Buffer::endless();
        let output = Output::new(json, false, Box::new(buffer.clone()));
        let args = EventsArgs {
            since: (since > 0).then_some(since),
            follow: false,
            state: Some(folder.to_owned()),
            control: None,
            json,
        };
        run(&args, &output).map(|exit| {
            assert_eq!(exit, Exit::Fine);
            buffer.text()
        })
    }

    #[test]
    fn events_are_listed_as_json_and_as_sentences() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        let run = run_info();
        let mut records: Vec<_> = (0..3)
            .map(|cycle| EventRecord::of(&leak(cycle), &run, Exposure::default()))
            .collect();
        let lines = store.append(&mut records).unwrap();
        assert_eq!(
            listed(folder.path(), 0, true).unwrap(),
            lines.join("\n") + "\n"
        );
        assert_eq!(
            listed(folder.path(), 2, true).unwrap(),
            format!("{}\n", lines[2])
        );
        let text = listed(folder.path(), 1, false).unwrap();
        assert!(
            text.starts_with("#2 0.001 s  gripper leak_rate raised: vacuum leak increased"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2);
        assert!(
            listed(folder.path(), 3, false)
                .unwrap()
                .starts_with("no events after number 3")
        );
        assert_eq!(listed(folder.path(), 3, true).unwrap(), "");
    }

    #[test]
    fn a_missing_store_is_the_users_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let error = listed(&folder.path().join("none"), 0, false).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.render(false).contains("--state"));
    }
}
