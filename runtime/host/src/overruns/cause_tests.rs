use super::*;
use crate::phases::Group;

/// A cycle as usual: 10 us a phase, 5 us a group.
fn usual() -> Evidence {
    Evidence {
        laps: [10_000; Phase::COUNT],
        groups: [5_000; Group::COUNT],
        usual_ns: [10_000; Row::COUNT],
        kernel: Some(KernelDelta {
            interval_ns: 100_000_000,
            cycles: 100,
            interrupts: 30,
            softirqs: 10,
            steal_ns: 0,
            smi: Some(0),
            virtual_machine: false,
        }),
        ..Evidence::default()
    }
}

fn long(phase: Phase) -> Evidence {
    let mut evidence = usual();
    evidence.laps[phase as usize] = 1_500_000;
    evidence
}

/// The table: evidence in words, evidence, cause.
#[test]
fn every_evidence_has_its_cause() {
    use OverrunCause as C;
    use Phase::{Acyclic, Compare, Predict, Receive, Send, Wake};
    let with = |mut evidence: Evidence, change: fn(&mut Evidence)| {
        change(&mut evidence);
        evidence
    };
    let kernel = |evidence: Evidence, change: fn(&mut KernelDelta)| {
        let mut kernel = evidence.kernel.unwrap();
        change(&mut kernel);
        Evidence {
            kernel: Some(kernel),
            ..evidence
        }
    };
    let switched = |e: &mut Evidence| e.usage.involuntary_switches = 1;
    let lost = |e: &mut Evidence| e.outcome = Outcome::NoFrame;
    let waited = |e: &mut Evidence| {
        e.worker = Some(Late {
            core: 3,
            late_ns: 1_400_000,
        });
    };
    let counter = |e: &mut Evidence| e.outcome = Outcome::WorkingCounter;
    let budget = |row: Row, ns: u64| {
        let mut evidence = usual();
        (evidence.kind, evidence.row) = (Kind::Budget, row.index());
        match row {
            Row::Phase(phase) => evidence.laps[phase as usize] = ns,
            Row::Group(group) => evidence.groups[group as usize] = ns,
            Row::Busy => {}
        }
        evidence
    };
    let table = [
        ("late", long(Wake), C::LateWake),
        (
            "late, as it often is",
            with(long(Wake), |e| {
                e.usual_ns[Wake as usize] = 2_000_000;
                e.laps[Compare as usize] = 20_000;
            }),
            C::LateWake,
        ),
        (
            "late, and an old frame is missing",
            with(long(Wake), lost),
            C::LateWake,
        ),
        (
            "a worker was waited for, whatever happened here meanwhile",
            with(with(long(Predict), switched), waited),
            C::ModelsOverBudget,
        ),
        (
            "a worker was waited for in health, and its budget exceeded",
            with(budget(Row::Phase(Acyclic), 1_500_000), waited),
            C::ModelsOverBudget,
        ),
        (
            "a worker was waited for, and another budget exceeded",
            with(budget(Row::Phase(Receive), 1_500_000), waited),
            C::BusRoundTrip,
        ),
        (
            "a worker was waited for, and the cycle had begun later still",
            with(with(long(Wake), waited), |e| {
                e.laps[Predict as usize] = 1_400_000
            }),
            C::LateWake,
        ),
        (
            "a worker was waited for, and that was not it",
            with(with(long(Wake), switched), |e| {
                e.worker = Some(Late {
                    core: 3,
                    late_ns: 20_000,
                });
            }),
            C::InvoluntarySwitch,
        ),
        ("frame late", long(Receive), C::BusRoundTrip),
        ("frame missing", with(long(Receive), lost), C::LostFrame),
        (
            "counter wrong",
            with(long(Receive), counter),
            C::WorkingCounter,
        ),
        (
            "counter wrong, register work",
            with(long(Acyclic), counter),
            C::WorkingCounter,
        ),
        (
            "counter wrong, but the models took long",
            with(long(Predict), counter),
            C::Unknown,
        ),
        (
            "core taken in the models",
            with(long(Predict), switched),
            C::InvoluntarySwitch,
        ),
        (
            "core taken while it spun for its start",
            with(long(Wake), switched),
            C::InvoluntarySwitch,
        ),
        (
            "small fault",
            with(long(Predict), |e| e.usage.minor_faults = 2),
            C::PageFault,
        ),
        (
            "fault from disk",
            with(long(Compare), |e| e.usage.major_faults = 1),
            C::PageFault,
        ),
        (
            "fault and core taken: the fault alone is no time",
            with(long(Predict), |e| {
                (e.usage.minor_faults, e.usage.involuntary_switches) = (1, 1);
            }),
            C::InvoluntarySwitch,
        ),
        (
            "giving the core away is no sign",
            with(long(Wake), |e| e.usage.voluntary_switches = 9),
            C::LateWake,
        ),
        (
            "interrupts",
            kernel(long(Send), |k| k.interrupts = 500),
            C::Interrupts,
        ),
        (
            "soft interrupts",
            kernel(long(Wake), |k| k.softirqs = 5_000),
            C::Interrupts,
        ),
        (
            "a network card's own",
            kernel(long(Wake), |k| k.interrupts = 300),
            C::LateWake,
        ),
        (
            "stolen",
            kernel(long(Predict), |k| k.steal_ns = 10_000_000),
            C::HypervisorSteal,
        ),
        (
            "hardly anything stolen",
            kernel(long(Wake), |k| k.steal_ns = 1_000_000),
            C::LateWake,
        ),
        (
            "counted by the processor",
            kernel(long(Wake), |k| k.smi = Some(1)),
            C::SmiSuspected,
        ),
        (
            "models held up without a trace, and nobody counts",
            kernel(long(Predict), |k| k.smi = None),
            C::SmiSuspected,
        ),
        (
            "the same in a virtual machine",
            kernel(long(Predict), |k| (k.smi, k.virtual_machine) = (None, true)),
            C::Unknown,
        ),
        (
            "models held up, and no SMI was counted",
            long(Predict),
            C::Unknown,
        ),
        ("a long send", long(Send), C::Unknown),
        (
            "nothing could be read",
            with(long(Wake), |e| e.kernel = None),
            C::LateWake,
        ),
        (
            "more models than the period holds",
            with(usual(), |e| {
                e.laps[Predict as usize] = 600_000;
                e.usual_ns[Predict as usize] = 590_000;
                e.usual_ns[Row::Busy.index()] = 650_000;
            }),
            C::ModelsOverBudget,
        ),
        (
            "a small budget of a group",
            budget(Row::Group(Group::Servo), 12_000),
            C::ModelsOverBudget,
        ),
        (
            "a small budget of a phase of the models",
            budget(Row::Phase(Predict), 12_000),
            C::ModelsOverBudget,
        ),
        (
            "the same while the core was taken: it is too small all the same",
            with(budget(Row::Group(Group::Press), 12_000), switched),
            C::ModelsOverBudget,
        ),
        (
            "a budget of models exceeded by far",
            with(budget(Row::Group(Group::Servo), 900_000), switched),
            C::InvoluntarySwitch,
        ),
        (
            "a budget of wake",
            budget(Row::Phase(Wake), 60_000),
            C::LateWake,
        ),
        (
            "a budget of receive",
            budget(Row::Phase(Receive), 400_000),
            C::BusRoundTrip,
        ),
    ];
    for (words, evidence, cause) in table {
        assert_eq!(decide(&evidence), cause, "{words}");
    }
}

#[test]
fn causes_have_words_and_a_next_step() {
    for (n, cause) in OverrunCause::ALL.into_iter().enumerate() {
        assert_eq!(cause as usize, n);
        assert_eq!(
            serde_json::to_value(cause).unwrap(),
            serde_json::Value::from(cause.name())
        );
        assert!(cause.next_step().ends_with('.'));
    }
}

/// Where wake-ups are late most of the time a long cycle is usual, and models that were stopped in the middle are not.
#[test]
fn models_that_were_stopped_are_not_over_budget() {
    let mut evidence = usual();
    evidence.usual_ns[Row::Busy.index()] = 2_000_000;
    evidence.laps[Phase::Predict as usize] = 2_500_000;
    evidence.usage.involuntary_switches = 1;
    assert_eq!(decide(&evidence), OverrunCause::InvoluntarySwitch);
    // Models that always take that long are.
    evidence.usual_ns[Phase::Predict as usize] = 1_900_000;
    assert_eq!(decide(&evidence), OverrunCause::ModelsOverBudget);
}

/// In the first second of a crowded machine everything is usual: the worker that was waited for is named all the same.
#[test]
fn a_worker_is_named_where_long_cycles_are_usual() {
    let mut evidence = usual();
    evidence.usual_ns = [33_000_000; Row::COUNT];
    evidence.laps[Phase::Wake as usize] = 22_000_000;
    evidence.laps[Phase::Predict as usize] = 14_000_000;
    evidence.laps[Phase::Compare as usize] = 12_000_000;
    let late = |late_ns| Some(Late { core: 3, late_ns });
    evidence.worker = late(25_000_000);
    assert_eq!(evidence.longest(), (Phase::Predict, 14_000_000));
    assert_eq!(evidence.late_worker(), late(25_000_000));
    assert_eq!(decide(&evidence), OverrunCause::ModelsOverBudget);
    // A short wait is not what models took.
    evidence.worker = late(6_000_000);
    assert_eq!(evidence.late_worker(), None);
    assert_eq!(decide(&evidence), OverrunCause::ModelsOverBudget);
}
