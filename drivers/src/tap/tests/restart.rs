//! The other master starts again while its bus is tapped.

use super::super::TapBus;
use super::super::source::TapError;
use super::{CYCLES, PERIOD_NS, Run, Script, devices, run, run_of, sizes};
use crate::bus::{Bus, BusCause, ProcessImage};
use crate::segment::Description;

/// `first` until its cycle `until`, and then `second` a hundred periods later.
fn after(first: &Run, until: usize, second: &Run) -> Script {
    let mut script = first.script.clone();
    script.0.truncate(first.script.process_frames(false)[until]);
    let pause_ns = 100 * PERIOD_NS;
    let began_ns = second.script.0[0].1;
    let from_ns = script.0.last().unwrap().1 + pause_ns;
    let moved = second.script.0.iter();
    script
        .0
        .extend(moved.map(|(frame, at)| (frame.clone(), at - began_ns + from_ns)));
    script
}

/// What an exchange came to.
type Outcome = (Option<BusCause>, ProcessImage);

/// What every exchange came to, the error of the source, and whether the map is learnt at the end.
fn outcomes(run: &Run, script: Script) -> (Vec<Outcome>, Option<TapError>, bool) {
    let (mut bus, mut image): (TapBus<Script>, _) = run.tap(script);
    let mut outcomes = Vec::new();
    let mut previous = None;
    loop {
        let result = bus.exchange(&mut image, &mut || {});
        let stamp = result.unwrap_or_else(|fault| fault.stamp);
        let cause = result.err().map(|fault| fault.cause);
        if cause == Some(BusCause::End) {
            return (outcomes, bus.take_error(), bus.is_learnt());
        }
        assert!(previous.is_none_or(|before: u64| before + 1 == stamp.cycle));
        previous = Some(stamp.cycle);
        outcomes.push((cause, image.clone()));
    }
}

/// The last cycles are those of `run`.
fn ends_with(outcomes: &[Outcome], run: &Run) {
    let last = outcomes.iter().rev().zip(run.images.iter().rev());
    for ((cause, heard), ours) in last.take(CYCLES as usize - 20) {
        assert_eq!(*cause, None);
        assert_eq!(
            (&heard.inputs, &heard.outputs),
            (&ours.inputs, &ours.outputs)
        );
        assert!(heard.valid.iter().all(Result::is_ok));
    }
}

#[test]
fn a_master_that_starts_again_is_followed() {
    let run = run("again");
    let (outcomes, error, learnt) = outcomes(&run, after(&run, 40, &run));
    assert!(error.is_none() && learnt);
    let missing = outcomes
        .iter()
        .filter(|(cause, _)| *cause == Some(BusCause::NoFrame))
        .count();
    assert!(missing >= 99, "{missing}");
    ends_with(&outcomes, &run);
    // While it starts nobody is in OP, so nothing is believed.
    let at_rest = |image: &ProcessImage| image.valid.iter().all(Result::is_err);
    assert!(
        outcomes
            .iter()
            .any(|(cause, image)| cause.is_none() && at_rest(image))
    );
}

#[test]
fn a_tap_that_joined_late_learns_from_the_next_start() {
    let run = run("late-start");
    let mut script = after(&run, 40, &run);
    script.0.drain(..run.script.process_frames(false)[5]);
    let (outcomes, error, learnt) = outcomes(&run, script);
    assert!(error.is_none() && learnt);
    ends_with(&outcomes, &run);
}

#[test]
fn a_second_start_with_another_layout_is_learnt() {
    let first = run("layout-1");
    // A terminal that the configuration does not have now stands in front, and everything else behind it.
    let mut behind = devices(&sizes());
    behind.insert(0, Description::of_product("front", 0x4444, 2, 5));
    let mut second = run_of("layout-2", behind);
    for image in &mut second.images {
        image.inputs.drain(..5);
        image.outputs.drain(..2);
        image.valid.drain(..1);
    }
    second.machine = first.machine.clone();
    let (outcomes, error, learnt) = outcomes(&first, after(&first, 40, &second));
    assert!(error.is_none(), "{error:?}");
    assert!(learnt);
    ends_with(&outcomes, &second);
}

#[test]
fn a_second_start_that_does_not_fit_is_missing_data_and_an_error() {
    let first = run("misfit-1");
    let mut second = run_of("misfit-2", devices(&[(8, 12), (4, 6), (0, 4)]));
    // Long enough to tell that it does not end: its cycles over and over.
    let frames = second.script.process_frames(false);
    let cycle: Vec<_> = second.script.0[frames[0]..frames[1]].to_vec();
    let last_ns = second.script.0.last().unwrap().1;
    for n in 1..600 {
        let first_ns = cycle[0].1;
        let again = cycle.iter().cloned();
        second
            .script
            .0
            .extend(again.map(|(frame, at)| (frame, at - first_ns + last_ns + n * PERIOD_NS)));
    }
    let (outcomes, error, _) = outcomes(&first, after(&first, 40, &second));
    let error = error.unwrap().to_string();
    assert!(
        error.contains("`dev2` has 4 bytes of inputs on the tapped bus and 3"),
        "{error}"
    );
    // Nothing of the other layout was taken for the first one's.
    let good = outcomes.iter().filter(|(cause, _)| cause.is_none()).count();
    let usable = outcomes
        .iter()
        .filter(|(cause, image)| cause.is_none() && image.valid.iter().any(Result::is_ok));
    assert!(usable.count() <= good && good < 200, "{good}");
}
