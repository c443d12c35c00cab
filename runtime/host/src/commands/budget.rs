//! `twinstep budget`: the budgets of a running instance, or of a run that is made to find them.

mod measure;
mod recommend;

use super::steer::told;
use crate::cli::BudgetArgs;
use crate::control::client::Client;
use crate::error::{Exit, HostError};
use crate::output::Output;
use serde_json::{Map, Value, json};

/// With a configuration: runs it and recommends budgets. Without: sets budgets of the running instance, if any are given, and
/// prints those in force as a patch for the configuration.
///
/// # Errors
/// [`HostError`]: nothing runs, a name is none, or a time is.
pub fn run(args: &BudgetArgs, output: &Output) -> Result<Exit, HostError> {
    if let Some(config) = &args.config {
        return measure::run(args, config, output);
    }
    let set = args
        .set
        .iter()
        .map(|text| one(text))
        .collect::<Result<Map<_, _>, _>>()?;
    let mut client = Client::connect(args.control.as_deref())?;
    if !set.is_empty() {
        client.ask(json!({"request": "budget", "set": set, "bus": args.bus}))?;
    }
    let answer = client.ask(json!({"request": "save", "bus": args.bus}))?;
    told(
        &answer,
        answer["toml"].as_str().unwrap_or_default().trim_end(),
        output,
    );
    Ok(Exit::Fine)
}

/// `PHASE=TIME`; the instance knows the names and the times.
fn one(text: &str) -> Result<(String, Value), HostError> {
    let Some((name, time)) = text.split_once('=') else {
        return Err(HostError::usage(
            format!("'{}' sets nothing", text.escape_default()),
            "write PHASE=TIME, such as predict=50us, or PHASE=none",
        ));
    };
    let time = match time.trim() {
        "none" => Value::Null,
        time => Value::from(time),
    };
    Ok((name.trim().to_owned(), time))
}
