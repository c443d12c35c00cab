//! `twinstep events`: what the store holds.

use crate::cli::EventsArgs;
use crate::error::{Exit, HostError};
use crate::lines::EventRecord;
use crate::output::Output;
use crate::store::{self, StoreError, StoreReader};
use crate::tables::event_text;

/// Prints all events with a number larger than `--since`, in order.
///
/// # Errors
/// [`HostError::Usage`] when there is no store or it cannot be read.
pub fn run(args: &EventsArgs, output: &Output) -> Result<Exit, HostError> {
    let folder = store::folder(args.state.as_deref())?;
    let reader = StoreReader::open(&folder).map_err(StoreError::into_usage)?;
    let mut count = 0_u64;
    for event in reader.since(args.since) {
        let event = event.map_err(StoreError::into_usage)?;
        if output.json() {
            output.line(&event.json);
        } else {
            match serde_json::from_str::<EventRecord>(&event.json) {
                Ok(record) => output.line(&event_text(&record)),
                // A later version may have changed the record; its own words are still the best there is.
                Err(_) => output.line(&event.json),
            }
        }
        count += 1;
        // A store may hold millions; a reader that went away wants none of them.
        if output.is_closed() {
            break;
        }
    }
    if count == 0 && !output.json() {
        output.note(&format!(
            "no events after number {} in {}",
            args.since,
            folder.display()
        ));
    }
    Ok(Exit::Fine)
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
            since,
            state: Some(folder.to_owned()),
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
