//! What stands between motor and ram of a press.

use crate::check::{Bounds, Check};
use crate::error::shortened;
use crate::machine::{AxisTwin, Drive, DriveTrain, EffortUnit, Press, Stroke};
use crate::raw::{KinematicsTable, PressTable, StrokeTable};
use crate::units::{ANGLE, LENGTH};
use crate::value::{At, DrivePlace, Quantity, Scalar, Span};
use std::f64::consts::PI;
use twinstep_models::press::frame::Counterbalance;
use twinstep_models::press::kinematics::{Kinematics, MAX_NODES, Table};
use twinstep_models::press::linked::RAM_SHARE_MAX;
use twinstep_models::press::ram::Linkage;

/// Largest gear between motor and drive (1).
const MAX_GEAR: f64 = 1e4;
/// Largest step of the slope from one piece of a table to the next, over the largest slope: a larger one is a typing error,
/// or too few rows.
const MAX_SLOPE_STEP: f64 = 0.5;
/// Heaviest ram (kg).
const MAX_RAM_KG: f64 = 1e6;
/// Places at which a stroke is looked at.
const LOOKS: u32 = 1024;

/// From the angle of the drive to the position of the axis, and back.
#[derive(Clone, Copy)]
struct Turn {
    /// A screw has no angle.
    linked: bool,
    rad_per_m: f64,
    zero_m: f64,
}

impl Turn {
    /// A place of the axis (m): written as one, or as an angle behind a crank or a table.
    fn place_m(self, key: &str, raw: &Quantity<DrivePlace>, check: &mut Check) -> f64 {
        if self.linked && is_angle(raw) {
            return self.zero_m + check.si_of(key, raw, &ANGLE, Bounds::any()) / self.rad_per_m;
        }
        check.si_of(key, raw, &LENGTH, Bounds::any())
    }

    /// The same place as an angle (rad).
    fn angle_rad(self, key: &str, raw: &Quantity<DrivePlace>, check: &mut Check) -> f64 {
        if is_angle(raw) {
            return check.si_of(key, raw, &ANGLE, Bounds::any());
        }
        (check.si_of(key, raw, &LENGTH, Bounds::any()) - self.zero_m) * self.rad_per_m
    }
}

fn is_angle(raw: &Quantity<DrivePlace>) -> bool {
    matches!(&raw.scalar, Scalar::Text(text) if ANGLE.parse(text).is_ok())
}

/// The drive train of a press, and its stroke in positions of the axis.
pub(super) fn kinematics(
    raw: &PressTable,
    drive: &Drive,
    effort: EffortUnit,
    check: &mut Check,
) -> (DriveTrain, Stroke) {
    let none = KinematicsTable::default();
    let table = raw.kinematics.as_ref().unwrap_or(&none);
    let kinds = [("screw", false), ("crank", true), ("table", true)];
    let linked = super::evaluation::one_of("kind", table.kind.as_ref(), &kinds, check);
    let gear = check.si_or("gear", table.gear.as_ref(), Bounds::up_to(MAX_GEAR), 1.0);
    let turn = Turn {
        linked,
        rad_per_m: 2.0 * PI / (gear * drive.feed_m_per_rev),
        zero_m: check.si_or("zero", table.zero.as_ref(), Bounds::any(), 0.0),
    };
    let stroke = stroke(&raw.stroke, turn, check);
    belongs(table, effort, check);
    let efficiency = Bounds::up_to(1.0);
    let mut train = DriveTrain {
        linkage: None,
        ram_mass_kg: check.si_or(
            "ram_mass",
            table.ram_mass.as_ref(),
            Bounds::up_to(MAX_RAM_KG),
            0.0,
        ),
        efficiency: check.si_or("efficiency", table.efficiency.as_ref(), efficiency, 1.0),
        efficiency_back: check.si_or(
            "efficiency_back",
            table.efficiency_back.as_ref(),
            Bounds::between(0.0, 1.0),
            1.0,
        ),
        counterbalance: Counterbalance {
            constant_n: check.si_or(
                "counterbalance",
                table.counterbalance.as_ref(),
                Bounds::any(),
                0.0,
            ),
            rate_n_per_m: check.si_or(
                "counterbalance_rate",
                table.counterbalance_rate.as_ref(),
                Bounds::any(),
                0.0,
            ),
            at_m: 0.0,
        },
    };
    let (Some(kind), true) = (&table.kind, linked) else {
        train.counterbalance.at_m = stroke.top_m;
        return (train, stroke);
    };
    if let (Some(twin), EffortUnit::Newton) = (&raw.twin, effort) {
        check.problem(
            &twin.mass.span,
            format!(
                "[press.twin] behind a \"{}\" goes by the current of the motor, and the recording of this press holds the force on the ram itself",
                shortened(&kind.value)
            ),
            "not with a force",
            "leave the twin out, or map the recording's `current`",
        );
    }
    let told = raw.calibrate.as_ref();
    if let (Some(gravity), None) = (told.and_then(|told| told.gravity.as_ref()), &table.ram_mass) {
        check.problem(
            &gravity.span,
            format!(
                "[press.calibrate] states one gravity, and behind a \"{}\" without `ram_mass` no axis is fitted",
                shortened(&kind.value)
            ),
            "not held anywhere",
            "leave `gravity` out, or add `ram_mass` of [press.kinematics]: it is that of the axis then, without the ram",
        );
    }
    let way_m = [stroke.top_m, stroke.bottom_m];
    let built = if kind.value == "crank" {
        crank(table, &kind.span, check)
    } else {
        self::table(table, turn, &kind.span, check)
    };
    // A stroke that is none has a problem of its own.
    let ordered = stroke.top_m < stroke.approach_m && stroke.approach_m < stroke.bottom_m;
    if let (Some(kinematics), true) = (built, ordered) {
        if let Kinematics::Table(nodes) = &kinematics {
            covers(nodes, turn, &raw.stroke, way_m, check);
        }
        let linkage = Linkage::new(kinematics, turn.rad_per_m, turn.zero_m, way_m);
        train.linkage = Some(linkage);
        train.counterbalance.at_m = train.ram_m(stroke.top_m);
        goes_in(&train, &stroke, &raw.stroke, check);
    }
    (train, stroke)
}

fn stroke(raw: &StrokeTable, turn: Turn, check: &mut Check) -> Stroke {
    let dwell = Bounds::between(0.0, super::MAX_DWELL_S);
    Stroke {
        top_m: turn.place_m("top", &raw.top, check),
        approach_m: turn.place_m("approach", &raw.approach, check),
        bottom_m: turn.place_m("bottom", &raw.bottom, check),
        press_velocity_m_per_s: check.si(
            "press_velocity",
            &raw.press_velocity,
            Bounds::up_to(1000.0),
        ),
        hold_s: check.si_or("hold", raw.hold.as_ref(), dwell, 0.0),
        rest_s: check.si_or("rest", raw.rest.as_ref(), dwell, 0.0),
    }
}

/// Refuses keys of another kind, and what changes a force that was measured itself.
fn belongs(raw: &KinematicsTable, effort: EffortUnit, check: &mut Check) {
    let kind = raw.kind.as_ref().map_or("screw", |kind| &kind.value);
    let of_kinds: [(&str, Option<&Span>, &[&str]); 6] = [
        (
            "crank_radius",
            raw.crank_radius.as_ref().map(|v| &v.span),
            &["crank"],
        ),
        (
            "rod_length",
            raw.rod_length.as_ref().map(|v| &v.span),
            &["crank"],
        ),
        ("table", raw.table.as_ref().map(|v| &v.span), &["table"]),
        (
            "gear",
            raw.gear.as_ref().map(|v| &v.span),
            &["crank", "table"],
        ),
        (
            "zero",
            raw.zero.as_ref().map(|v| &v.span),
            &["crank", "table"],
        ),
        (
            "ram_mass",
            raw.ram_mass.as_ref().map(|v| &v.span),
            &["crank", "table"],
        ),
    ];
    for (key, span, kinds) in of_kinds {
        if let (Some(span), false) = (span, kinds.contains(&kind)) {
            check.problem(
                span,
                format!(
                    "`{key}` has no meaning for kinematics of kind \"{}\"",
                    shortened(kind)
                ),
                "not for this kind",
                if key == "ram_mass" {
                    "leave it out: behind a screw the ram moves with the axis, and is in `mass` of [press.twin]".to_owned()
                } else {
                    format!("leave it out, or write `kind = \"{}\"`", kinds[0])
                },
            );
        }
    }
    if effort != EffortUnit::Newton {
        return;
    }
    let of_current = [
        ("ram_mass", raw.ram_mass.as_ref().map(|v| &v.span)),
        ("efficiency", raw.efficiency.as_ref().map(|v| &v.span)),
        (
            "efficiency_back",
            raw.efficiency_back.as_ref().map(|v| &v.span),
        ),
        (
            "counterbalance",
            raw.counterbalance.as_ref().map(|v| &v.span),
        ),
        (
            "counterbalance_rate",
            raw.counterbalance_rate.as_ref().map(|v| &v.span),
        ),
    ];
    for (key, span) in of_current {
        if let Some(span) = span {
            check.problem(
                span,
                format!("`{key}` has no meaning here: the recording of this press holds the force on the ram itself"),
                "not with a force",
                "leave it out",
            );
        }
    }
}

fn crank(raw: &KinematicsTable, span: &Span, check: &mut Check) -> Option<Kinematics> {
    let (Some(radius), Some(rod)) = (&raw.crank_radius, &raw.rod_length) else {
        check.problem(
            span,
            "a crank needs `crank_radius` and `rod_length`",
            "of what size?",
            "add `crank_radius = \"60mm\"` and `rod_length = \"300mm\"` from the builder's drawing",
        );
        return None;
    };
    let radius_m = check.si("crank_radius", radius, Bounds::positive());
    let rod_m = check.si("rod_length", rod, Bounds::positive());
    if rod_m <= radius_m {
        check.problem(
            &rod.span,
            format!(
                "`rod_length` is {}, and a rod is longer than the crank of {}",
                rod.scalar.shown(),
                radius.scalar.shown()
            ),
            "not longer than the crank",
            "`crank_radius` goes from the shaft to the pin, half of the stroke; `rod_length` from pin to pin",
        );
    }
    Kinematics::crank(radius_m, rod_m).ok()
}

fn table(raw: &KinematicsTable, turn: Turn, span: &Span, check: &mut Check) -> Option<Kinematics> {
    let Some(rows) = &raw.table else {
        check.problem(
            span,
            "kinematics of kind \"table\" need `table`",
            "no rows",
            "add `table = [[\"0deg\", \"0mm\"], [\"10deg\", \"0.9mm\"], ...]`: angle of the drive and position of the ram",
        );
        return None;
    };
    let count = rows.value.len();
    if !(2..=MAX_NODES).contains(&count) {
        check.problem(
            &rows.span,
            format!("`table` has {count} rows, and it takes 2 to {MAX_NODES}"),
            "not as many",
            "give some 20 rows over the stroke; between them a smooth curve is drawn",
        );
        return None;
    }
    let (mut q_rad, mut s_m) = (Vec::new(), Vec::new());
    for row in &rows.value {
        let [drive, ram] = row.value.as_slice() else {
            check.problem(
                &row.span,
                format!("this row has {} values, and needs two", row.value.len()),
                "not two values",
                "write [angle of the drive or position of the axis, position of the ram]",
            );
            return None;
        };
        q_rad.push(turn.angle_rad("table", drive, check));
        s_m.push(check.si_of("table", ram, &LENGTH, Bounds::any()));
    }
    for (n, row) in rows.value.iter().enumerate().skip(1) {
        for (what, values) in [("drive", &q_rad), ("ram", &s_m)] {
            let (before, now) = (values[n - 1], values[n]);
            if now <= before {
                check.problem(
                    &row.span,
                    format!(
                        "row {} of `table`: the {what} does not go on from the row before",
                        n + 1
                    ),
                    "must rise",
                    "sort the rows from the upper towards the lower dead centre, and end there",
                );
                return None;
            }
        }
    }
    if !is_smooth(rows, &q_rad, &s_m, check) {
        return None;
    }
    // What it can refuse was looked at above, but for values that are no numbers, which were reported.
    Table::new(&q_rad, &s_m, None).ok().map(Kinematics::Table)
}

/// Whether the slope does not jump; says so where it does.
fn is_smooth<T>(rows: &At<Vec<At<T>>>, q_rad: &[f64], s_m: &[f64], check: &mut Check) -> bool {
    let slopes: Vec<f64> = (1..q_rad.len())
        .map(|n| (s_m[n] - s_m[n - 1]) / (q_rad[n] - q_rad[n - 1]))
        .collect();
    let most = slopes.iter().copied().fold(0.0, f64::max);
    let jumps = slopes.windows(2).map(|w| (w[1] - w[0]).abs());
    let worst = (jumps.enumerate()).max_by(|(_, a), (_, b)| a.total_cmp(b));
    let Some((jump, size)) = worst else {
        return true;
    };
    // The row between both pieces. A slope that is no number was reported, and is no jump.
    let Some(row) = (rows.value.get(jump + 1)).filter(|_| size > MAX_SLOPE_STEP * most) else {
        return true;
    };
    let shown = |slope: f64| slope * 1e3 * PI / 180.0;
    check.problem(
        &row.span,
        format!(
            "row {} of `table`: the ram goes {:.3} mm/deg before it and {:.3} mm/deg behind it, which is no smooth motion",
            jump + 2,
            shown(slopes[jump]),
            shown(slopes[jump + 1])
        ),
        "the slope jumps",
        "look for a mistyped value, or give more rows here",
    );
    false
}

/// Refuses a stroke that leaves the table.
fn covers(nodes: &Table, turn: Turn, raw: &StrokeTable, way_m: [f64; 2], check: &mut Check) {
    let [first, last] = nodes.ends_rad();
    for (key, raw, at_m) in [
        ("top", &raw.top, way_m[0]),
        ("bottom", &raw.bottom, way_m[1]),
    ] {
        let q_rad = (at_m - turn.zero_m) * turn.rad_per_m;
        // The same place may be written as an angle and as a position.
        let rounding = 1e-9 * (last - first);
        if q_rad < first - rounding || q_rad > last + rounding {
            let degrees = 180.0 / PI;
            check.problem(
                &raw.span,
                format!(
                    "`{key}` is {}, {:.3} deg of the drive, and the table goes from {:.3} to {:.3} deg",
                    raw.scalar.shown(),
                    q_rad * degrees,
                    first * degrees,
                    last * degrees
                ),
                "outside the table",
                "add rows to `table` of [press.kinematics], or change the stroke",
            );
        }
    }
}

/// Refuses a stroke in which the ram does not go deeper all the way.
fn goes_in(train: &DriveTrain, stroke: &Stroke, raw: &StrokeTable, check: &mut Check) {
    let [top_m, approach_m, bottom_m] = [stroke.top_m, stroke.approach_m, stroke.bottom_m];
    for (key, place, from_m, to_m) in [
        ("approach", &raw.approach, top_m, approach_m),
        ("bottom", &raw.bottom, approach_m, bottom_m),
    ] {
        let step_m = (to_m - from_m) / f64::from(LOOKS);
        let at = |k: u32| train.ram_m(from_m + step_m * f64::from(k));
        let Some(k) = (1..=LOOKS).find(|k| at(*k) < at(k - 1)) else {
            continue;
        };
        check.problem(
            &place.span,
            format!(
                "the ram goes back before the drive is at `{key}`, {}: from {:.6}m on",
                place.scalar.shown(),
                at(k - 1)
            ),
            "beyond a dead centre",
            "a stroke goes from the upper towards the lower dead centre, 0 to 180 deg of a crank; `zero` shifts the angle",
        );
        return;
    }
}

/// Refuses a ram that is so heavy beside what turns with the motor that its twin was never held against anything.
pub(super) fn carries_its_ram(
    train: &DriveTrain,
    twin: &AxisTwin,
    raw: &PressTable,
    check: &mut Check,
) {
    let (Some(table), Some(mass)) = (&raw.kinematics, raw.twin.as_ref().map(|twin| &twin.mass))
    else {
        return;
    };
    if train.linkage.is_some() && table.ram_mass.is_none() {
        check.problem(
            &mass.span,
            "[press.twin] stands behind a crank or a table, and nothing says what the ram weighs",
            "needs the mass of the ram",
            "add `ram_mass` of [press.kinematics]: ram and upper tool, from the builder's drawing",
        );
    }
    let share = train.ram_share(twin.mass_kg);
    // What is no number has a problem of its own.
    if let (Some(ram), true) = (&table.ram_mass, share > RAM_SHARE_MAX) {
        check.problem(
            &ram.span,
            format!(
                "a `ram_mass` of {} is up to {share:.1} times the `mass` of {} in [press.twin], where the ram goes fastest: a twin holds up to {RAM_SHARE_MAX}",
                ram.scalar.shown(),
                mass.scalar.shown()
            ),
            "heavier than the motor can have",
            "check `ram_mass`, `gear` and the sizes of the linkage; `mass` is that of all that turns with the motor, seen from the axis",
        );
    }
}

/// Refuses strokes that begin where no force is known, near the upper dead centre: none would ever be seen.
pub(super) fn begins_with_a_force(press: &Press, raw: &PressTable, check: &mut Check) {
    let Some(linkage) = &press.drive_train.linkage else {
        return;
    };
    let (top_m, bottom_m) = (press.stroke.top_m, press.stroke.bottom_m);
    let step_m = (bottom_m - top_m) / f64::from(LOOKS);
    let known = (0..=LOOKS)
        .map(|k| linkage.travel(top_m + step_m * f64::from(k)))
        .find(|(_, per_way)| per_way.abs() >= linkage.least());
    // The largest Jacobian is above its own share, so there is such a place.
    let Some((first_m, _)) = known else { return };
    if press.curve.begin_m >= first_m || press.axis.effort_unit == EffortUnit::Newton {
        return;
    }
    let begin = raw.curve.as_ref().and_then(|curve| curve.begin.as_ref());
    let (key, span) = match begin {
        Some(begin) => ("begin", &begin.span),
        None => ("approach", &raw.stroke.approach.span),
    };
    check.problem(
        span,
        format!(
            "strokes begin with the ram at {:.6}m (`{key}`), and near the dead centre, up to {first_m:.6}m, a current says nothing of the force",
            press.curve.begin_m
        ),
        "in the dead centre",
        format!("put `begin` of [press.curve] beyond {:.3}mm", first_m * 1e3),
    );
}
