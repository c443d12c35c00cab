use super::*;
use twinstep_drivers::recording::AxisRecord;

const KF: f64 = 1250.0;

fn curve() -> ForceCurve {
    ForceCurve {
        ways_m: vec![0.0, 0.5e-3, 1.5e-3, 3e-3, 5e-3],
        forces_n: vec![0.0, 1500.0, 3000.0, 2800.0, 9500.0],
        elastic_n_per_m: 2e7,
    }
}

/// What the motor of a press feels that pushes its ram through a part, `factor` times as strong, with so much noise of the current (A).
fn felt(factor: f64, compliance: f64, direction: f64, noise_a: f64) -> Vec<(f64, f64)> {
    let curve = curve();
    (0..900)
        .map(|n| {
            let ram_m = -1e-3 + 6e-6 * f64::from(n);
            let force_n = factor * curve.force_n(ram_m);
            let way_m = ram_m + compliance * force_n;
            // Of no order that the way has.
            let noise = f64::from(n * 7919 % 101) / 50.0 - 1.0;
            let current_a = force_n / KF + noise_a * noise;
            (direction * (0.15 + way_m), direction * current_a)
        })
        .collect()
}

#[test]
fn a_part_behind_a_soft_frame_is_as_strong_as_it_is() {
    for (factor, frame_n_per_um) in [
        (1.04, f64::INFINITY),
        (1.04, 240.0),
        (3.0, 240.0),
        (5.0, 20.0),
        (0.5, 8.0),
        (9.5, 20.0),
    ] {
        for (direction, noise_a) in [(1.0, 0.0), (-1.0, 0.0), (-1.0, 0.1)] {
            let compliance = 1e-6 / frame_n_per_um;
            let samples = felt(factor, compliance, direction, noise_a);
            let said = format!("{factor} behind {frame_n_per_um} N/um, noise {noise_a} A");
            let (fit, found) = fit_curve(&curve(), &samples, direction, (KF, compliance))
                .unwrap_or_else(|| panic!("{said}"));
            println!("{said}: {found}, {fit:?}");
            let near = if noise_a > 0.0 { 2e-2 } else { 1e-3 };
            assert!((found / factor - 1.0).abs() < near, "{said}: {found}");
            let contact_m = direction * fit.contact_m - 0.15;
            assert!(contact_m.abs() < 20e-6, "{said}: {fit:?}");
        }
    }
}

#[test]
fn a_part_that_no_calibration_takes_is_refused() {
    let fit = |factor, compliance| {
        let samples = felt(factor, compliance, 1.0, 0.0);
        fit_curve(&curve(), &samples, 1.0, (KF, compliance)).map(|(_, factor)| factor)
    };
    // It falls by 0.13 N/um: at a frame of 0.4 N/um it jumps from three times as strong on.
    assert!(fit(2.5, 2.5e-6).is_some_and(|factor| (factor - 2.5).abs() < 0.01));
    assert_eq!(fit(3.5, 2.5e-6), None);
    assert_eq!(fit(0.05, 0.0), None);
    assert_eq!(fit(11.0, 0.0), None);
}

/// A record of one press: the way in from the end of the approach to the bottom, through a part of this contact (m) and stiffness (N/m).
fn way_into(machine: &Machine, press: usize, met: (f64, f64)) -> AxisRecord {
    let axis = &machine.presses[press].axis;
    let p = axis_params(axis, 1e-3);
    let stroke = &machine.presses[press].stroke;
    let (contact_m, n_per_m) = met;
    let kf = axis
        .twin
        .as_ref()
        .expect("calibrated")
        .force_constant_n_per_a;
    let v = way_in(stroke) * stroke.press_velocity_m_per_s;
    let steps = ((stroke.bottom_m - stroke.approach_m) / v * 1e3) as usize;
    let mut record = AxisRecord::default();
    for k in 0..steps {
        let x = stroke.approach_m + v * 1e-3 * k as f64;
        let ratio = v / p.stribeck_velocity_m_per_s;
        let dry = p.coulomb_positive_a + p.stribeck_a / (1.0 + ratio * ratio);
        let free = dry + p.viscous * v + p.gravity_a;
        let way_m = (x - contact_m).max(0.0);
        record.position_m.push(x);
        record.current_a.push(free + n_per_m * way_m / kf);
        record.enabled.push(true);
    }
    record
}

#[test]
fn each_press_learns_the_parts_that_it_meets_itself() {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").expect("shipped");
    for part in &mut machine.parts {
        (part.twin, part.by_recipe) = (None, Vec::new());
    }
    for press in &mut machine.presses {
        let twin = press.axis.twin.as_mut().expect("calibrated");
        twin.current_delay_s = 0.0;
    }
    let mut second = machine.presses[0].clone();
    second.axis.name = "second".to_owned();
    machine.presses.push(second);
    // The first meets bush-a alone, the second both, and each of them otherwise.
    let met = [
        [Some((0.1500, 1.6e6)), None],
        [Some((0.1506, 1.8e6)), Some((0.1495, 2.2e6))],
    ];
    for (press, parts) in met.iter().enumerate() {
        for (part, met) in parts.iter().enumerate() {
            let Some(met) = *met else { continue };
            let record = way_into(&machine, press, met);
            let context = Context::of(0, part as u8);
            let mut recording = Recording {
                period_s: 1e-3,
                context: vec![context; record.position_m.len()],
                ..Recording::default()
            };
            recording.axes = vec![AxisRecord::default(); machine.axes.len() + press];
            recording.axes.push(record);
            fit_parts(&mut machine, &[recording], &mut Report::default());
        }
    }
    for (press, parts) in met.iter().enumerate() {
        for (part, met) in parts.iter().enumerate() {
            let learnt = machine.learnt_on(press, part).twin;
            assert_eq!(learnt.is_some(), met.is_some(), "{press} {part}");
            if let (Some(twin), Some((contact_m, n_per_m))) = (learnt, met) {
                assert!((twin.contact_m - contact_m).abs() < 60e-6, "{twin:?}");
                assert!(
                    (twin.stiffness_n_per_m / n_per_m - 1.0).abs() < 0.05,
                    "{twin:?}"
                );
            }
        }
    }
    let mut report = Report::default();
    fit_parts(&mut machine, &[], &mut report);
    let said = "bush-a: not calibrated, it was not pressed in the recordings";
    assert!(
        report.remarks.iter().any(|one| one == said),
        "{:?}",
        report.remarks
    );
}
