//! The times of a twin that the cycle keeps in rings of whole periods.

use super::errors::wrong;
use super::{REPLAY, without_twins};
use crate::machine::{HealthLimits, LEAK_FACTOR};
use crate::{PRESS_CELL, load};

/// The press cell at `period`, without budgets and with the twin of one axis or press alone, whose figures nothing else has.
fn cell(list: &str, period: &str) -> String {
    let twin = format!(
        r#"[{list}.twin]
force_constant = "30.0N/A"
mass = "10.0kg"
coulomb_positive = "1.0N"
coulomb_negative = "1N"
viscous = "1.0N s/m"
current_delay = "0s"
[{list}.twin.cascade]
position_gain = "60.0/s"
velocity_gain = "5.0A s/m"
dead_time = "0s"
limit = "10.0A"

"#
    );
    let bare = without_twins(PRESS_CELL);
    let at = bare.find(&format!("[{list}.plant]")).unwrap();
    let text = format!("{}{twin}{}", &bare[..at], &bare[at..]);
    let (budget, judge) = (
        text.find("[cycle.budget]").unwrap(),
        text.find("[judge]").unwrap(),
    );
    format!("{}{}", &text[..budget], &text[judge..])
        .replace("period = \"1ms\"", &format!("period = \"{period}\""))
}

#[test]
fn times_beyond_the_rings_are_refused_at_their_line() {
    for list in ["axis", "press"] {
        for (period, key, value, limits) in [
            ("1ms", "dead_time", "4.001ms", "0 to 4 periods: 0ns to 4ms"),
            ("1ms", "dead_time", "-1us", "0 to 4 periods: 0ns to 4ms"),
            ("1ms", "dead_time", "1h", "0 to 4 periods: 0ns to 4ms"),
            (
                "1ms",
                "current_delay",
                "2.001ms",
                "-1 to 2 periods: -1ms to 2ms",
            ),
            (
                "1ms",
                "current_delay",
                "-1.001ms",
                "-1 to 2 periods: -1ms to 2ms",
            ),
            // What was calibrated at 1 ms does not fit a shorter period.
            ("500us", "dead_time", "2.6ms", "0 to 4 periods: 0ns to 2ms"),
            (
                "500us",
                "current_delay",
                "1.05ms",
                "-1 to 2 periods: -500us to 1ms",
            ),
        ] {
            let text = cell(list, period);
            let from = format!("{key} = \"0s\"");
            let to = format!("{key} = \"{value}\"");
            for words in [
                limits.to_owned(),
                format!("`{key}` is \"{value}\""),
                format!("with the period of {period}"),
                "recalibrate for this period".to_owned(),
            ] {
                wrong(&text, &from, &to, &words);
            }
        }
    }
}

#[test]
fn figures_of_no_machine_are_refused_with_what_they_may_be() {
    for list in ["axis", "press"] {
        let text = cell(list, "1ms");
        for (from, to, words) in [
            (
                "mass = \"10.0kg\"",
                "mass = \"1e10kg\"",
                "`mass` must be at least 1e-9kg and at most 1e9kg",
            ),
            (
                "mass = \"10.0kg\"",
                "mass = \"0kg\"",
                "`mass` must be at least 1e-9kg",
            ),
            (
                "force_constant = \"30.0N/A\"",
                "force_constant = \"1e-7N/A\"",
                "at least 1e-6N/A and at most 1e9N/A",
            ),
            (
                "coulomb_positive = \"1.0N\"",
                "coulomb_positive = \"-1N\"",
                "at least 0N and at most 1e9N",
            ),
            (
                "viscous = \"1.0N s/m\"",
                "viscous = \"1e10N s/m\"",
                "at least 0N s/m and at most 1e9N s/m",
            ),
            (
                "position_gain = \"60.0/s\"",
                "position_gain = \"1e6/s\"",
                "at least 1e-6/s and at most 100000/s",
            ),
            (
                "velocity_gain = \"5.0A s/m\"",
                "velocity_gain = \"1e13A s/m\"",
                "at least 1e-9A s/m and at most 1e12A s/m",
            ),
            (
                "limit = \"10.0A\"",
                "limit = \"0A\"",
                "at least 1e-9A and at most 1e9A",
            ),
            // Each within its bounds, and together no machine.
            (
                "velocity_gain = \"5.0A s/m\"",
                "velocity_gain = \"1e12A s/m\"",
                "beside a `mass` of \"10.0kg\" it acts 9.6e10 times within the period of 1ms: a twin follows up to 1e4 (`velocity_gain` x `force_constant` x period / `mass` x period / lag, the lag of the current being 31.25us: `current_time_constant`, or a 32nd of the period where that is longer)",
            ),
            (
                "velocity_gain = \"5.0A s/m\"",
                "velocity_gain = \"5.0A s/m\"\nintegral_gain = \"1e6A/m\"",
                "the loops of the drive grow by",
            ),
        ] {
            wrong(&text, from, to, words);
        }
    }
}

#[test]
fn times_within_the_rings_are_kept_as_they_are() {
    for list in ["axis", "press"] {
        for (period, dead_time, dead_time_s, delay, delay_s) in [
            ("1ms", "0s", 0.0, "-1ms", -1e-3),
            ("1ms", "4ms", 4e-3, "2ms", 2e-3),
            ("2ms", "8ms", 8e-3, "4ms", 4e-3),
            // Multiples of a period as calibration computes them: the last bit is no error.
            (
                "1ms",
                "0.004000000000000001s",
                0.004_000_000_000_000_001,
                "-0.0010000000000000002s",
                -0.001_000_000_000_000_000_2,
            ),
        ] {
            let text = cell(list, period)
                .replace(
                    "dead_time = \"0s\"",
                    &format!("dead_time = \"{dead_time}\""),
                )
                .replace(
                    "current_delay = \"0s\"",
                    &format!("current_delay = \"{delay}\""),
                );
            let machine = load(&text, "it.toml").unwrap_or_else(|e| panic!("{}", e.plain()));
            let twin = if list == "axis" {
                machine.axes[0].twin.as_ref()
            } else {
                machine.presses[0].axis.twin.as_ref()
            };
            let twin = twin.unwrap();
            assert_eq!(twin.current_delay_s, delay_s, "{list} at {period}");
            let cascade = twin.cascade.unwrap();
            assert_eq!(cascade.dead_time_s, dead_time_s, "{list} at {period}");
        }
    }
}

#[test]
fn a_wrong_period_is_the_one_problem() {
    let text = REPLAY
        .replace("period = \"1ms\"", "period = \"1kg\"")
        .replace("limit = \"10N\"", "limit = \"10N\"\ndead_time = \"1s\"");
    let error = load(&text, "it.toml").unwrap_err();
    assert_eq!(error.problems().count(), 1, "{}", error.plain());
    assert!(error.plain().contains("`period`"), "{}", error.plain());
}

#[test]
fn a_twin_of_a_force_is_read_in_newton() {
    let machine = load(REPLAY, "replay.toml").unwrap();
    let twin = machine.axes[0].twin.as_ref().unwrap();
    assert_eq!(twin.force_constant_n_per_a, 1.0);
    assert_eq!(twin.mass_kg, 10.0);
    assert_eq!(twin.viscous_n_s_per_m, 1.0);
    assert_eq!(twin.gravity_n, 0.0);
    assert_eq!(twin.current_delay_s, 0.0);
    assert_eq!(twin.current_limit_a, Some(1.0));
    let cascade = twin.cascade.unwrap();
    assert_eq!(cascade.velocity_gain_a_s_per_m, 5.0);
    assert_eq!(cascade.limit_a, 10.0);
    assert_eq!(twin.baseline[0].sigma_a, 1.0);
}

#[test]
fn limits_of_life_are_read_and_checked() {
    let usual = load(PRESS_CELL, "usual.toml").unwrap();
    assert_eq!(usual.axes[0].health, HealthLimits::default());
    assert_eq!(usual.stations[0].leak_factor, LEAK_FACTOR);
    let axis = "[axis.health]\nfriction_factor = 2\nbacklash_gap = \"40um\"\nmotor_inertia_share = 0.4\ntorque_constant_fraction = 0.95\n";
    let text = PRESS_CELL.replacen("[axis.motion]", &format!("{axis}[axis.motion]"), 1);
    let text = text.replacen(
        "[press.motion]",
        "[press.health]\nstiffness_factor = 0.7\n[press.motion]",
        1,
    );
    let station = "[station.health]\nleak_factor = 3\n";
    let text = text.replacen("[station.plant]", &format!("{station}[station.plant]"), 1);
    let machine = load(&text, "limits.toml").unwrap();
    assert_eq!(
        machine.axes[0].health,
        HealthLimits {
            friction_factor: 2.0,
            backlash_gap_m: 40e-6,
            motor_inertia_share: Some(0.4),
            torque_constant_fraction: 0.95,
            ..HealthLimits::default()
        }
    );
    assert_eq!(machine.presses[0].axis.health.stiffness_factor, 0.7);
    assert_eq!(machine.stations[0].leak_factor, 3.0);
    let check = |from: &str, to: &str, words: &str| wrong(&text, from, to, words);
    for (from, to, words) in [
        (
            "friction_factor = 2",
            "friction_factor = 1",
            "`friction_factor` must be at least 1.01 and at most 100",
        ),
        (
            "friction_factor = 2",
            "friction_factor = \"2kg\"",
            "`friction_factor`",
        ),
        (
            "backlash_gap = \"40um\"",
            "backlash_gap = 40",
            "`backlash_gap`",
        ),
        (
            "backlash_gap = \"40um\"",
            "backlash_gap = \"-1um\"",
            "`backlash_gap` must be at least",
        ),
        (
            "torque_constant_fraction = 0.95",
            "torque_constant_fraction = 1.05",
            "`torque_constant_fraction` must be at least 0.1 and at most 0.99",
        ),
        (
            "stiffness_factor = 0.7",
            "stiffness_factor = 0.0",
            "`stiffness_factor` must be at least 0.1 and at most 0.99",
        ),
        (
            "leak_factor = 3",
            "leak_factor = 0.5",
            "`leak_factor` must be at least 1.01",
        ),
        (
            "leak_factor = 3",
            "leak_limit = 3",
            "`leak_limit` is not a key",
        ),
        (
            "friction_factor = 2",
            "stiffness_factor = 0.5",
            "`stiffness_factor` is not a key",
        ),
    ] {
        check(from, to, words);
    }
}

#[test]
fn paces_are_read_in_their_unit_and_checked() {
    let text = format!(
        "{REPLAY}\n[[axis.twin.pace]]\nregime = \"constant_speed_positive\"\nleast = \"900mm/s\"\nmost = \"1m/s\"\n\n\
         [[axis.twin.pace]]\nregime = \"acceleration\"\nleast = \"0m/s2\"\nmost = \"5m/s2\"\n"
    );
    let machine = load(&text, "paces.toml").unwrap();
    let paces = &machine.axes[0].twin.as_ref().unwrap().paces;
    let found: Vec<_> = (paces.iter())
        .map(|one| (one.regime.as_str(), one.paces.least, one.paces.most))
        .collect();
    assert_eq!(
        found,
        [
            ("constant_speed_positive", 0.9, 1.0),
            ("acceleration", 0.0, 5.0)
        ]
    );
    let check = |from: &str, to: &str, words: &str| wrong(&text, from, to, words);
    for (from, to, words) in [
        ("most = \"1m/s\"", "most = \"1m/s2\"", "`most`"),
        ("most = \"5m/s2\"", "most = \"5m/s\"", "`most`"),
        ("most = \"1m/s\"", "most = \"0.8m/s\"", "below `least`"),
        (
            "least = \"900mm/s\"",
            "least = \"-1mm/s\"",
            "`least` must be",
        ),
        (
            "regime = \"acceleration\"\nleast",
            "regime = \"accelerating\"\nleast",
            "judged regime",
        ),
        (
            "regime = \"acceleration\"\nleast",
            "regime = \"constant_speed_positive\"\nleast",
            "is taken already",
        ),
    ] {
        check(from, to, words);
    }
}

#[test]
fn a_reason_for_no_cascade_stands_where_there_is_none() {
    let key = "current_delay = \"0s\"\n";
    let with = format!("cascade_off = \"the recording has no reference\"\n{key}");
    let cell = cell("axis", "1ms");
    let words = "`cascade_off` says why there is no cascade, and there is one";
    wrong(&cell, key, &with, words);
    let (from, to) = (
        cell.find("[axis.twin.cascade]").unwrap(),
        cell.find("[axis.plant]").unwrap(),
    );
    let without = format!("{}{}", &cell[..from], &cell[to..]).replace(key, &with);
    let machine = load(&without, "cell.toml").unwrap();
    let twin = machine.axes.iter().find_map(|axis| axis.twin.as_ref());
    assert_eq!(
        twin.unwrap().cascade_off.as_deref(),
        Some("the recording has no reference")
    );
}

#[test]
fn a_gravity_that_is_stated_is_read_and_checked() {
    let usual = load(PRESS_CELL, "usual.toml").unwrap();
    assert_eq!(usual.axes[0].stated_gravity_n, None);
    let lies = "[axis.calibrate]\ngravity = \"0N\"\n[axis.motion]";
    let hangs = "[press.calibrate]\ngravity = \"-1.5kN\"\n[press.motion]";
    let text = PRESS_CELL
        .replacen("[axis.motion]", lies, 1)
        .replacen("[press.motion]", hangs, 1);
    let machine = load(&text, "stated.toml").unwrap();
    assert_eq!(machine.axes[0].stated_gravity_n, Some(0.0));
    assert_eq!(machine.axes[1].stated_gravity_n, None);
    assert_eq!(machine.presses[0].axis.stated_gravity_n, Some(-1500.0));
    // A table without a word in it states nothing.
    let empty = text.replacen("gravity = \"0N\"\n", "", 1);
    let machine = load(&empty, "empty.toml").unwrap();
    assert_eq!(machine.axes[0].stated_gravity_n, None);
    for (to, words) in [
        ("gravity = \"2e9N\"", "`gravity` must be at least -1e9N"),
        ("gravity = \"3kg\"", "`gravity`"),
        ("weight = \"3N\"", "weight"),
    ] {
        wrong(&text, "gravity = \"0N\"", to, words);
    }
}
