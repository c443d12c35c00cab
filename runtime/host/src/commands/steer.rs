//! `twinstep inject`, `reset`, `arm` and `baseline`: what a running instance is told.

use crate::cli::{BaselineArgs, InjectArgs, RunningArgs};
use crate::control::client::Client;
use crate::error::{Exit, HostError};
use crate::output::Output;
use serde_json::{Value, json};
use twinstep_cycle::judge::RENEWAL_MOVEMENTS;

/// Injects faults into a running simulated machine, or takes them back.
///
/// # Errors
/// [`HostError`]: nothing runs, it is no simulated machine, or a fault is none.
pub fn inject(args: &InjectArgs, output: &Output) -> Result<Exit, HostError> {
    let mut client = Client::connect(args.running.control.as_deref())?;
    if args.clear {
        let answer = client.ask(json!({"request": "clear"}))?;
        told(&answer, "faults that last or wait are taken back", output);
    }
    if !args.faults.is_empty() {
        let answer = client.ask(json!({"request": "inject", "faults": args.faults}))?;
        told(
            &answer,
            &format!("injected {}", args.faults.join(", ")),
            output,
        );
    }
    Ok(Exit::Fine)
}

/// Makes a running instance forget its statistics.
///
/// # Errors
/// [`HostError`] when nothing runs.
pub fn reset(args: &RunningArgs, output: &Output) -> Result<Exit, HostError> {
    let mut client = Client::connect(args.control.as_deref())?;
    let answer = client.ask(json!({"request": "reset"}))?;
    let text = "durations, budget counts and what-if start anew; overruns of the run stay counted";
    told(&answer, text, output);
    Ok(Exit::Fine)
}

/// Enables the outputs of a running instance.
///
/// # Errors
/// [`HostError`]: nothing runs, or it sends no outputs.
pub fn arm(args: &RunningArgs, output: &Output) -> Result<Exit, HostError> {
    let mut client = Client::connect(args.control.as_deref())?;
    let answer = client.ask(json!({"request": "arm"}))?;
    told(
        &answer,
        "armed: drives are being enabled, the machine moves",
        output,
    );
    Ok(Exit::Fine)
}

/// Has a running instance learn anew what is healthy of an axis.
///
/// # Errors
/// [`HostError`]: nothing runs, or it has no such axis.
pub fn baseline(args: &BaselineArgs, output: &Output) -> Result<Exit, HostError> {
    let mut client = Client::connect(args.running.control.as_deref())?;
    let answer = client.ask(json!({"request": "baseline", "source": args.source}))?;
    let text = format!(
        "the next {RENEWAL_MOVEMENTS} movements of {} are its healthy ones; its slow figures are not judged before. This holds for this run: \
         calibrate from a recording to keep it",
        args.source
    );
    told(&answer, &text, output);
    Ok(Exit::Fine)
}

/// What came of it: the answer itself, or a sentence.
pub(super) fn told(answer: &Value, text: &str, output: &Output) {
    if output.json() {
        output.json_line(answer);
    } else {
        output.line(text);
    }
}
