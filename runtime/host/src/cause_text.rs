//! The cause of an event in words: with names, codes and figures where the cause alone says too little.

use crate::lines::nok;
use crate::names::RunInfo;
use twinstep_cycle::event::{Event, EventState, Source};
use twinstep_drivers::ethercat::{al_status, emergency};
use twinstep_models::cause::Cause;

/// The computer's own end of the line.
const START: &str = "the computer";

/// The cause in words.
pub fn cause_text(event: &Event, run: &RunInfo) -> String {
    let text = event.cause.text();
    if let Some(nok) = nok(event, run) {
        return format!("{text}: {}", nok.text());
    }
    // AL status codes and error codes have 16 bits.
    let code = event.measured as u16;
    let over = event.state == EventState::Cleared;
    let about = event.subdevice.map_or(event.source, Source::SubDevice);
    let own = run.names.source(about);
    // On the bus as a whole it is not said otherwise whose it is.
    let whose = if event.subdevice.is_some() {
        format!("{own}: ")
    } else {
        String::new()
    };
    let before = match about {
        Source::SubDevice(n) => n.checked_sub(1).map(Source::SubDevice),
        _ => None,
    };
    let before = before.map_or(START, |before| run.names.source(before));
    match event.cause {
        Cause::AlError | Cause::Refused => {
            let meaning = al_status::meaning(code);
            format!("{whose}{text}: AL status code 0x{code:04x}, {meaning}")
        }
        Cause::DriveFault | Cause::Emergency => {
            let meaning = emergency::meaning(code);
            format!("{text}: error code 0x{code:04x}, {meaning}")
        }
        Cause::LinkLost => format!(
            "the line is broken between {before} and {own}: {before} has lost the link {code} times"
        ),
        Cause::LineBroken => format!(
            "no answer from {own} on ({code} SubDevices): the line is broken between {before} and {own}, or {own} is without power"
        ),
        Cause::CableBroken => {
            format!(
                "the cable between {before} and {own} was broken, the SubDevices had kept their power"
            )
        }
        Cause::PowerLost => {
            format!("{own} was without power, not the cable between {before} and {own}")
        }
        Cause::RingBroken => {
            // The figure is the position behind the break; behind the last SubDevice is the second interface.
            let last = code.checked_sub(1).map(Source::SubDevice);
            let (before, behind) = match event.source {
                Source::Bus => (
                    last.map_or(START, |last| run.names.source(last)),
                    "the second interface",
                ),
                _ => (before, own),
            };
            let was = if over { "was" } else { "is" };
            format!(
                "the ring {was} broken between {before} and {behind}; all SubDevices are reached from its two ends"
            )
        }
        Cause::FramesDamaged if over => format!("frames damaged between {before} and {own}"),
        Cause::FramesDamaged => {
            format!("frames damaged between {before} and {own}: {own} has counted {code}")
        }
        Cause::WorkingCounter if about != Source::Bus => {
            format!("{own} does not process its datagram though it is in OP")
        }
        Cause::FramesLate | Cause::FramesDuplicated | Cause::FramesForeign if over => {
            format!("{text} ({} in all)", event.measured)
        }
        Cause::FramesLate | Cause::FramesDuplicated | Cause::FramesForeign => {
            format!("{text} ({} so far)", event.measured)
        }
        Cause::ClockOff if over => format!("the clock of {own} was off"),
        Cause::ClockOff => format!(
            "the clock of {own} is off by {:.1} us",
            event.measured * 1e6
        ),
        Cause::PhaseLost => format!("{text} by {:.1} us", event.measured * 1e6),
        Cause::EepromUnreadable | Cause::NoAnswer => format!("{own}: {text}"),
        _ => text.into(),
    }
}
