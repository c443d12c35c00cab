use super::*;

fn machine() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
}

fn set(sets: &[&str]) -> Result<(Machine, Vec<Change>), HostError> {
    let mut machine = machine();
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let applied = apply(&mut machine, &sets)?;
    assert_eq!(applied.not_set, []);
    Ok((machine, applied.changes))
}

fn refused(one: &str) -> String {
    let error = set(&[one]).expect_err(one);
    assert_eq!(error.exit(), crate::error::Exit::Usage, "{one}");
    error.in_a_line()
}

fn axis<'a>(machine: &'a Machine, name: &str) -> &'a Axis {
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut all = machine.axes.iter().chain(presses);
    all.find(|axis| axis.name == name).unwrap()
}

#[test]
fn a_value_a_factor_and_a_difference_are_told_apart() {
    let before = machine();
    let velocity = axis(&before, "infeed").motion.velocity_m_per_s;
    for (value, expected) in [
        ("1.5m/s", 1.5),
        ("x1.2", velocity * 1.2),
        ("+200mm/s", velocity + 0.2),
        ("-0.3m/s", velocity - 0.3),
        (" 30 m/min ", 0.5),
    ] {
        let (machine, changes) = set(&[&format!("infeed.velocity={value}")]).unwrap();
        let now = axis(&machine, "infeed").motion.velocity_m_per_s;
        assert!((now - expected).abs() < 1e-12, "{value}: {now}");
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].from, Setting::Number(velocity));
        assert_eq!(changes[0].to, Setting::Number(now));
        assert_eq!(changes[0].unit, "m/s");
    }
}

#[test]
fn what_hangs_on_an_axis_weighs_more_and_what_lies_does_not() {
    let before = machine();
    let (after, _) = set(&["lift.mass=+20kg", "carriage.mass=+20kg"]).unwrap();
    let twin = |machine: &Machine, name: &str| axis(machine, name).twin.clone().unwrap();
    for name in ["lift", "carriage"] {
        let more = twin(&after, name).mass_kg - twin(&before, name).mass_kg;
        assert!((more - 20.0).abs() < 1e-9, "{name}");
    }
    let heavier = twin(&after, "lift").gravity_n - twin(&before, "lift").gravity_n;
    assert!((heavier - 20.0 * 9.806_65).abs() < 1e-9, "{heavier}");
    let lies = twin(&after, "carriage").gravity_n - twin(&before, "carriage").gravity_n;
    assert!(lies.abs() < 1e-12);
    // Positive is down on the press: its weight is a negative load.
    let (after, _) = set(&["press.mass=+20kg"]).unwrap();
    let down = twin(&after, "press").gravity_n - twin(&before, "press").gravity_n;
    assert!((down + 20.0 * 9.806_65).abs() < 1e-9, "{down}");
}

#[test]
fn friction_is_all_of_it_and_gains_keep_their_integral_time() {
    let before = machine();
    let (after, _) = set(&["cross.friction=x1.5", "cross.velocity_gain=x2"]).unwrap();
    let (b, a) = (
        axis(&before, "cross").twin.clone().unwrap(),
        axis(&after, "cross").twin.clone().unwrap(),
    );
    assert!((a.coulomb_positive_n / b.coulomb_positive_n - 1.5).abs() < 1e-12);
    assert!((a.coulomb_negative_n / b.coulomb_negative_n - 1.5).abs() < 1e-12);
    assert!((a.viscous_n_s_per_m / b.viscous_n_s_per_m - 1.5).abs() < 1e-12);
    let (b, a) = (b.cascade.unwrap(), a.cascade.unwrap());
    assert!((a.velocity_gain_a_s_per_m / b.velocity_gain_a_s_per_m - 2.0).abs() < 1e-12);
    assert!((a.integral_gain_a_per_m / b.integral_gain_a_per_m - 2.0).abs() < 1e-12);
}

#[test]
fn a_limit_in_per_mille_or_percent_is_one_of_the_rated_torque() {
    for (value, limit_a) in [("1500", 7.5), ("150%", 7.5), ("x0.5", 5.0)] {
        let (machine, _) = set(&[&format!("infeed.max_torque_permille={value}")]).unwrap();
        let cascade = axis(&machine, "infeed").twin.as_ref().unwrap().cascade;
        assert!((cascade.unwrap().limit_a - limit_a).abs() < 1e-9, "{value}");
    }
}

#[test]
fn the_dead_time_goes_with_the_period() {
    let (machine, changes) = set(&["period=2ms"]).unwrap();
    assert_eq!(machine.cycle.period_ns, 2_000_000);
    let cascade = axis(&machine, "infeed").twin.as_ref().unwrap().cascade;
    assert!((cascade.unwrap().dead_time_s - 0.005).abs() < 1e-12);
    assert_eq!(name_of(&changes[0]), "period");
}

#[test]
fn a_star_is_every_axis_and_a_recipe_is_of_a_press() {
    let (machine, changes) = set(&["*.acceleration=x0.5", "press.press_velocity=20mm/s"]).unwrap();
    assert_eq!(changes.len(), 10);
    assert_eq!(machine.presses[0].stroke.press_velocity_m_per_s, 0.02);
    let last = machine.recipes.last().unwrap().name.clone();
    let (machine, changes) = set(&[&format!("press.recipe={last}")]).unwrap();
    let contexts = machine.stroke_contexts();
    let place = machine.recipes.len() - 1;
    assert!(contexts.iter().all(|c| usize::from(c.recipe) == place));
    assert_eq!(changes[0].to, Setting::Name(last));
}

#[test]
fn a_star_is_set_where_it_is_and_says_where_it_is_not() {
    let gains = |machine: &Machine, name: &str| {
        let twin = axis(machine, name).twin.as_ref().unwrap();
        twin.cascade.map(|cascade| cascade.position_gain_per_s)
    };
    let mut before = machine();
    let presses = before.presses.len();
    for n in [1, 3] {
        before.axes[n].twin.as_mut().unwrap().cascade = None;
    }
    before.axes[5].twin = None;
    let mut after = before.clone();
    let applied = apply(&mut after, &["*.position_gain=x2".to_owned()]).unwrap();
    assert_eq!(applied.changes.len(), before.axes.len() + presses - 3);
    for one in &applied.changes {
        let name = one.source.as_ref().unwrap();
        let (from, to) = (gains(&before, name).unwrap(), gains(&after, name).unwrap());
        assert!((to / from - 2.0).abs() < 1e-12, "{name}");
    }
    let not_set: Vec<_> = (applied.not_set.iter())
        .map(|one| (one.source.as_str(), one.key, one.reason.as_str()))
        .collect();
    let needs = "it needs a twin with a cascade";
    let outfeed = (before.axes[1].name.as_str(), "position_gain", needs);
    let carriage = (before.axes[3].name.as_str(), "position_gain", needs);
    assert_eq!(not_set, [outfeed, carriage]);
    // Of one axis by its name it is refused.
    let one = format!("{}.position_gain=x2", before.axes[1].name);
    let refused = apply(&mut before.clone(), &[one]).unwrap_err().in_a_line();
    assert!(
        refused.contains("has nothing to set `position_gain` of"),
        "{refused}"
    );
    // A rest of all axes leaves the press with its own; a key of presses is one of all presses.
    let mut after = before.clone();
    let applied = apply(&mut after, &["*.dwell=1s".to_owned()]).unwrap();
    let press: Vec<_> = (applied.not_set.iter()).map(|one| &one.source).collect();
    assert_eq!(press, [&before.presses[0].axis.name]);
    let applied = apply(&mut after, &["*.press_velocity=20mm/s".to_owned()]).unwrap();
    assert_eq!((applied.changes.len(), applied.not_set.len()), (presses, 0));
}

#[test]
fn a_star_that_no_axis_has_is_refused() {
    let mut machine = machine();
    let presses = (machine.presses.iter_mut()).map(|press| &mut press.axis);
    for axis in machine.axes.iter_mut().chain(presses) {
        axis.twin.as_mut().unwrap().cascade = None;
    }
    let set = |machine: &Machine, set: &str| {
        let refused = apply(&mut machine.clone(), &[set.to_owned()]).unwrap_err();
        refused.in_a_line()
    };
    let refused = set(&machine, "*.velocity_gain=x2");
    assert!(
        refused.contains("nothing in this machine has a `velocity_gain`")
            && refused.contains("a twin with a cascade"),
        "{refused}"
    );
    machine.presses.clear();
    let refused = set(&machine, "*.press_velocity=20mm/s");
    assert!(refused.contains("nothing in this machine"), "{refused}");
}

#[test]
fn a_step_of_its_own_velocity_goes_along_with_a_factor_and_is_never_faster_than_its_axis() {
    let mut machine = machine();
    machine.axes[0].motion.program[0].velocity_m_per_s = Some(0.5);
    for (value, expected) in [("x1.2", 0.6), ("0.4m/s", 0.4), ("1.5m/s", 0.5)] {
        let mut one = machine.clone();
        apply(&mut one, &[format!("infeed.velocity={value}")]).unwrap();
        let own = one.axes[0].motion.program[0].velocity_m_per_s.unwrap();
        assert!((own - expected).abs() < 1e-12, "{value}: {own}");
    }
}

#[test]
fn what_is_wrong_is_said_with_what_there_is() {
    for (one, says) in [
        ("infeed.velocity", "write AXIS.KEY=VALUE"),
        ("velocity=1m/s", "names no axis"),
        ("infed.velocity=x2", "the axes are infeed, outfeed"),
        (
            "infeed.speed=x2",
            "the keys are velocity, acceleration, jerk",
        ),
        ("infeed.velocity=2kg", "units are m/s"),
        ("infeed.velocity=2", "it has no unit"),
        ("infeed.velocity=x", "is no value"),
        ("infeed.velocity=x-2", "a factor is more than 0"),
        ("infeed.velocity=x1e400", "is no value"),
        ("infeed.velocity=fast", "does not begin with a number"),
        ("infeed.velocity=-5m/s", "it may be"),
        ("infeed.velocity=2000m/s", "it may be"),
        ("infeed.friction=+2", "a difference has no meaning"),
        ("infeed.press_velocity=1m/s", "is of a press"),
        ("infeed.recipe=a", "no press is called"),
        ("press.recipe=zzz", "the recipes are"),
        ("period=1h", "it may be"),
        ("period=x0.001", "it may be"),
        (
            "infeed\u{1b}[31m.velocity=x2",
            "no axis is called 'infeed\\u{1b}[31m'",
        ),
        ("=", "names no axis"),
        ("..=", "is no key"),
    ] {
        let said = refused(one);
        assert!(said.contains(says), "{one}: {said}");
    }
    let twice = set(&["infeed.jerk=x2", "*.jerk=x3"]).unwrap_err();
    assert!(twice.in_a_line().contains("set twice"));
    let many = vec!["infeed.jerk=x2"; MAX_CHANGES + 1];
    assert!(set(&many).unwrap_err().in_a_line().contains("at most"));
}

#[test]
fn bounds_are_those_of_a_configuration_for_all_that_is_set_together_too() {
    for (set, words) in [
        ("infeed.position_gain=1e-9/s", "it may be 0.000001"),
        ("infeed.velocity_gain=1e-12A s/m", "it may be 0.000000001"),
        // Each within its bounds.
        ("infeed.velocity_gain=1e12A s/m", "too fast: Velocity acts "),
        (
            "infeed.velocity_integral_time=1us",
            "'infeed' is none that a twin follows",
        ),
        ("lift.mass=1e9kg", "`gravity` of 'lift' would be "),
    ] {
        let told = refused(set);
        assert!(told.contains(words), "{set}: {told}");
    }
}
