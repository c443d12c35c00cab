use super::statistics::WARM_UP_CYCLES;
use super::*;

const NONE: GroupLaps = [0; Group::COUNT];

fn statistics(timing: Timing, cycles: Option<u64>) -> PhaseStatistics {
    let mut budget_ns = [None; Phase::COUNT];
    budget_ns[Phase::Predict as usize] = Some(5_000);
    PhaseStatistics::new(&PhaseSettings {
        timing,
        period_ns: 1_000_000,
        budget_ns,
        cycles,
        ..PhaseSettings::default()
    })
    .unwrap()
}

fn laps(predict_ns: u64) -> Laps {
    let mut laps = [100; Phase::COUNT];
    laps[Phase::Predict as usize] = predict_ns;
    laps[Phase::Slack as usize] = 900_000;
    laps
}

#[test]
fn names_are_in_the_order_of_the_design() {
    let names: Vec<_> = Phase::ALL.iter().map(|phase| phase.name()).collect();
    assert_eq!(
        names.join(" "),
        "wake send predict receive compare publish correct acyclic slack"
    );
    for (index, phase) in Phase::ALL.into_iter().enumerate() {
        assert_eq!(phase as usize, index);
    }
}

#[test]
fn timer_laps_add_up_to_the_cycle() {
    let mut timer = PhaseTimer::default();
    timer.begin(1_000);
    timer.lap_at(Phase::Send, 1_010);
    timer.lap_at(Phase::Predict, 1_040);
    timer.lap_at(Phase::Receive, 1_100);
    timer.lap_at(Phase::Predict, 1_105);
    timer.set(Phase::Wake, 7);
    assert_eq!(timer.laps()[..4], [7, 10, 35, 60]);
    // A clock that went back would be a fault of the kernel; it must not wrap.
    timer.lap_at(Phase::Compare, 0);
    assert_eq!(timer.laps()[Phase::Compare as usize], 0);
}

#[test]
fn quantiles_and_maximum_of_a_known_record() {
    let mut statistics = statistics(Timing::Real, Some(0));
    for value in 1..=10_000_u64 {
        statistics.record(&laps(value), &NONE);
    }
    let figures = statistics.figures()[Phase::Predict as usize];
    let close = |value: u64, wanted: u64| value.abs_diff(wanted) * 100 <= wanted;
    assert!(close(figures.p50_ns, 5_000), "{figures:?}");
    assert!(close(figures.p99_ns, 9_900), "{figures:?}");
    assert!(close(figures.p999_ns, 9_990), "{figures:?}");
    assert_eq!(figures.max_ns, 10_000);
}

#[test]
fn warm_up_is_kept_apart() {
    let mut statistics = statistics(Timing::Real, None);
    for _ in 0..WARM_UP_CYCLES {
        statistics.record(&laps(500_000), &NONE);
    }
    assert_eq!(statistics.figures()[Phase::Predict as usize].max_ns, 0);
    for _ in 0..10 {
        statistics.record(&laps(2_000), &NONE);
    }
    assert_eq!(statistics.figures()[Phase::Predict as usize].max_ns, 2_000);
    assert_eq!(
        statistics.warm_up_figures()[Phase::Predict as usize].max_ns,
        500_000
    );
}

#[test]
fn a_run_that_ends_in_its_warm_up_still_shows_figures() {
    let mut statistics = statistics(Timing::Real, None);
    statistics.record(&laps(3_000), &NONE);
    assert_eq!(statistics.figures()[Phase::Predict as usize].max_ns, 3_000);
}

#[test]
fn budgets_and_overruns_are_counted() {
    let mut statistics = statistics(Timing::Real, None);
    assert!(!statistics.record(&laps(4_000), &NONE));
    assert!(!statistics.record(&laps(6_000), &NONE));
    assert!(statistics.record(&laps(1_000_000), &NONE));
    assert_eq!(statistics.overruns(), 1);
    assert_eq!(
        statistics.snapshot().over_budget[Phase::Predict as usize],
        2
    );
    statistics.reset();
    assert_eq!(
        statistics.snapshot().over_budget[Phase::Predict as usize],
        0
    );
    assert_eq!(statistics.overruns(), 1);
}

#[test]
fn virtual_time_has_no_wake_no_slack_and_no_overrun() {
    let mut statistics = statistics(Timing::Virtual, Some(5));
    for _ in 0..5 {
        assert!(!statistics.record(&laps(2_000_000_000), &NONE));
    }
    let figures = statistics.figures();
    assert_eq!(figures[Phase::Wake as usize], PhaseFigures::default());
    assert_eq!(figures[Phase::Slack as usize], PhaseFigures::default());
    assert_eq!(figures[Phase::Predict as usize].max_ns, 2_000_000_000);
    assert_eq!(figures[Phase::Send as usize].p50_ns, 100);
    assert_eq!(statistics.overruns(), 0);
}

#[test]
fn the_snapshot_is_refreshed_phase_by_phase() {
    let mut statistics = statistics(Timing::Real, Some(0));
    statistics.record(&laps(4_000), &NONE);
    for call in 0..4 {
        assert_eq!(
            statistics.snapshot().figures[0],
            PhaseFigures::default(),
            "{call}"
        );
        statistics.refresh_one();
    }
    assert_eq!(
        statistics.snapshot().figures[Phase::Wake as usize].max_ns,
        100
    );
    assert_eq!(
        statistics.snapshot().figures[Phase::Predict as usize].max_ns,
        0
    );
    for _ in 4..4 * Row::COUNT {
        statistics.refresh_one();
    }
    let shown = statistics.snapshot().figures;
    assert_eq!(shown[..Phase::COUNT], statistics.figures());
    assert_eq!(shown[Phase::Predict as usize].max_ns, 4_000);
    // Half of a row is found, then all is forgotten: what is shown is of what comes after.
    statistics.refresh_one();
    statistics.refresh_one();
    statistics.reset();
    statistics.record(&laps(7_000), &NONE);
    for _ in 0..4 * Row::COUNT {
        statistics.refresh_one();
    }
    assert_eq!(
        statistics.snapshot().figures[..Phase::COUNT],
        statistics.figures()
    );
}

#[test]
fn jitter_is_by_how_much_wake_ups_differ_in_lateness() {
    assert_eq!(statistics(Timing::Virtual, None).jitter(), None);
    let mut statistics = statistics(Timing::Real, Some(10));
    // The first is the warm-up: the step from it to the next is of no span.
    for ns in [900_000, 10_000, 14_000, 14_000, 11_000] {
        let mut laps = laps(1_000);
        laps[Phase::Wake as usize] = ns;
        statistics.record(&laps, &NONE);
    }
    // 4, 0 and 3 us.
    let jitter = statistics.jitter().unwrap();
    assert_eq!(jitter.max_ns, 4_000);
    assert!(jitter.p50_ns.abs_diff(3_000) <= 30, "{jitter:?}");
    statistics.reset();
    assert_eq!(statistics.jitter(), Some(PhaseFigures::default()));
    for ns in [500_000, 502_000] {
        let mut laps = laps(1_000);
        laps[Phase::Wake as usize] = ns;
        statistics.record(&laps, &NONE);
    }
    assert_eq!(statistics.jitter().unwrap().max_ns, 2_000);
}
