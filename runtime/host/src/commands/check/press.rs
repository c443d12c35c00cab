//! What `check` says of a press: from its motor to its ram, and how its strokes are judged.

use crate::press_plan;
use serde::Serialize;
use std::fmt::Write;
use twinstep_config::machine::{Machine, Press};
use twinstep_models::press::kinematics::Kinematics;

/// Places at which the stroke is looked at for the end of what is known.
const LOOKS: u32 = 4096;

/// One press. What a press does not have is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PressReport {
    name: String,
    /// `screw`, `crank` or `table`.
    kinematics: &'static str,
    /// Crank (m).
    crank_radius_m: Option<f64>,
    /// Rod (m).
    rod_length_m: Option<f64>,
    /// Where the ram is at `top`, `approach` and `bottom` of the stroke (m).
    ram_m: [f64; 3],
    /// How far the ram goes per way of the axis there (1).
    ram_per_axis: [f64; 3],
    /// From where to where on the way in the current tells the force (m).
    force_known_m: [f64; 2],
    /// Force on the ram comes from: `load` (the current beyond the motion), `current` or `sensor`.
    force_from: &'static str,
    efficiency: f64,
    efficiency_back: f64,
    /// Force against the way in with the ram at `top` (N).
    counterbalance_n: f64,
    /// Its rise with the way in (N/m).
    counterbalance_n_per_m: f64,
    /// The counterbalance is not taken off again: the twin has it, behind a screw in its gravity.
    counterbalance_in_twin: bool,
    /// Mass of ram and tool behind a crank or a table (kg).
    ram_mass_kg: Option<f64>,
    /// The most that its inertia is at the axis, over that of what turns with the motor (1); null without a twin.
    ram_share: Option<f64>,
    /// Nothing is predicted of its strokes: `residual` is null beside every verdict.
    no_residual: bool,
    /// Yield of the frame (m/N).
    frame_m_per_n: f64,
    /// Free part of the way in whose mean force is the zero of a stroke (m).
    tare_m: Option<[f64; 2]>,
    /// The most that is taken away (N).
    tare_limit_n: Option<f64>,
    /// Names of the envelopes that are not taught: they judge no stroke.
    envelopes_not_taught: Vec<String>,
    /// The press whose learning parts are predicted with where this one has none by itself, and those parts; null where it needs none.
    predicts_with: Option<Borrowed>,
}

/// What a press has from another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Borrowed {
    press: String,
    parts: Vec<String>,
}

impl Borrowed {
    fn of(machine: &Machine, n: usize) -> Option<Self> {
        let press = machine.lends()?.to_owned();
        machine.presses.get(n)?.axis.twin.as_ref()?;
        let names: Vec<String> = (machine.parts.iter().enumerate())
            .filter(|(part, _)| {
                let (own, known) = (machine.learnt_on(n, *part), machine.known_on(n, *part));
                own.is_empty() && !known.is_empty() || own.twin.is_none() && known.twin.is_some()
            })
            .map(|(_, part)| part.name.clone())
            .collect();
        (!names.is_empty()).then_some(Self {
            press,
            parts: names,
        })
    }
}

impl PressReport {
    pub(super) fn all(machine: &Machine) -> Vec<Self> {
        let all = machine.presses.iter().enumerate();
        all.map(|(n, press)| Self::of(machine, n, press)).collect()
    }

    fn of(machine: &Machine, n: usize, press: &Press) -> Self {
        let (train, stroke) = (&press.drive_train, &press.stroke);
        let at = |axis_m: f64| {
            let linked = train.linkage.as_ref();
            linked.map_or((axis_m, 1.0), |linkage| linkage.travel(axis_m))
        };
        let places = [stroke.top_m, stroke.approach_m, stroke.bottom_m].map(at);
        let least = train.linkage.as_ref().map_or(0.0, |l| l.least());
        let step_m = (stroke.bottom_m - stroke.top_m) / f64::from(LOOKS);
        let known = (0..=LOOKS)
            .map(|k| at(stroke.top_m + step_m * f64::from(k)))
            .filter(|(_, per_axis)| per_axis.abs() >= least)
            .map(|(ram_m, _)| ram_m)
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| {
                [low.min(x), high.max(x)]
            });
        let kinematics = train.linkage.as_ref().map(|linkage| *linkage.kinematics());
        let (name, crank) = match kinematics {
            None | Some(Kinematics::Screw { .. }) => ("screw", None),
            Some(Kinematics::Crank { radius_m, rod_m }) => ("crank", Some((radius_m, rod_m))),
            Some(Kinematics::Table(_)) => ("table", None),
        };
        Self {
            name: press.axis.name.clone(),
            kinematics: name,
            crank_radius_m: crank.map(|(radius_m, _)| radius_m),
            rod_length_m: crank.map(|(_, rod_m)| rod_m),
            ram_m: places.map(|(ram_m, _)| ram_m),
            ram_per_axis: places.map(|(_, per_axis)| per_axis),
            force_known_m: known,
            force_from: press_plan::force_from(press).name(),
            efficiency: train.efficiency,
            efficiency_back: train.efficiency_back,
            counterbalance_n: train.counterbalance.constant_n,
            counterbalance_n_per_m: train.counterbalance.rate_n_per_m,
            counterbalance_in_twin: press.axis.twin.is_some(),
            ram_mass_kg: (train.ram_mass_kg > 0.0).then_some(train.ram_mass_kg),
            ram_share: (press.axis.twin.as_ref())
                .filter(|_| train.ram_mass_kg > 0.0)
                .map(|twin| train.ram_share(twin.mass_kg)),
            no_residual: press.axis.twin.is_none(),
            frame_m_per_n: press.curve.frame_m_per_n,
            tare_m: press.curve.tare.map(|tare| tare.range_m),
            tare_limit_n: press.curve.tare.map(|tare| tare.limit_n),
            envelopes_not_taught: (press_plan::not_taught(machine, n).into_iter())
                .map(|(name, _)| name)
                .collect(),
            predicts_with: Borrowed::of(machine, n),
        }
    }

    /// For a person: a line, and one for each thing that is not as it should be.
    pub(super) fn text(&self) -> String {
        let mm = |m: f64| 1e3 * m;
        let [top, approach, bottom] = self.ram_m.map(mm);
        let mut text = format!("{}: {}", self.name, self.kinematics);
        // Writing to a string cannot fail.
        if let (Some(radius_m), Some(rod_m)) = (self.crank_radius_m, self.rod_length_m) {
            let _ = write!(text, " of {} mm, rod {} mm", mm(radius_m), mm(rod_m));
        }
        let _ = write!(
            text,
            ", ram from {top:.3} over {approach:.3} to {bottom:.3} mm, force from {}",
            self.force_from
        );
        if self.kinematics != "screw" {
            let [from, to] = self.force_known_m.map(mm);
            let _ = write!(text, " known from {from:.3} to {to:.3} mm");
        }
        if let Some(ram_kg) = self.ram_mass_kg {
            let _ = write!(text, ", ram of {ram_kg} kg");
            if let Some(share) = self.ram_share {
                let _ = write!(text, ", up to {share:.2} times what turns with the motor");
            }
        }
        if self.efficiency < 1.0 || self.efficiency_back < 1.0 {
            let _ = write!(
                text,
                ", efficiency {} (back {})",
                self.efficiency, self.efficiency_back
            );
        }
        if self.counterbalance_n != 0.0 || self.counterbalance_n_per_m != 0.0 {
            let whose = match (self.counterbalance_in_twin, self.kinematics) {
                (true, "screw") => " in the twin's gravity",
                (true, _) => " in the twin",
                (false, _) => "",
            };
            let _ = write!(
                text,
                ", counterbalance {} N + {} N/m{whose}",
                self.counterbalance_n, self.counterbalance_n_per_m
            );
        }
        if let (Some([from, to]), Some(limit_n)) = (self.tare_m, self.tare_limit_n) {
            let _ = write!(
                text,
                ", zero of a stroke from {} to {} mm, at most {limit_n} N",
                mm(from),
                mm(to)
            );
        }
        if self.no_residual {
            let remedy = match (self.kinematics, self.ram_mass_kg) {
                ("screw", _) | (_, Some(_)) => "`calibrate` finds a twin",
                _ => "with `ram_mass` of [press.kinematics] `calibrate` finds a twin",
            };
            let _ = write!(
                text,
                "\n{}: no twin, so that nothing is predicted and `residual` is null beside every verdict; {remedy}",
                self.name
            );
        }
        for name in &self.envelopes_not_taught {
            let _ = write!(text, "\n{}", press_plan::not_taught_text(&self.name, name));
        }
        if let Some(Borrowed { press, parts }) = &self.predicts_with {
            let _ = write!(
                text,
                "\n{}: of {} it has learnt nothing by itself, and predicts with what {press} has; calibrate with a recording in which it presses them",
                self.name,
                parts.join(", ")
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_presses() -> Machine {
        let mut machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let mut second = machine.presses[0].clone();
        second.axis.name = "second".to_owned();
        machine.presses.push(second);
        machine
    }

    fn borrowed(machine: &Machine, n: usize) -> Vec<String> {
        Borrowed::of(machine, n).map_or_else(Vec::new, |borrowed| {
            assert_eq!(borrowed.press, "press");
            borrowed.parts
        })
    }

    /// Would show a press that predicts with the zero and the frame of another, and `check` silent about it.
    #[test]
    fn what_a_press_has_from_another_is_named_part_by_part() {
        let mut machine = two_presses();
        // Nobody has learnt anything of the third part: there is nothing to borrow.
        assert_eq!(borrowed(&machine, 0), [] as [&str; 0]);
        assert_eq!(borrowed(&machine, 1), ["bush-a", "bush-b"]);
        let said = PressReport::all(&machine)[1].text();
        let line = "second: of bush-a, bush-b it has learnt nothing by itself, and predicts with what press has";
        assert!(said.contains(line), "{said}");
        let learnt = *machine.learnt_on(0, 0).twin.unwrap();
        *machine.learnt_on_mut(1, 0).unwrap().0 = Some(learnt);
        assert_eq!(borrowed(&machine, 1), ["bush-b"]);
        // One recipe by itself: in all others it still goes by what the other has.
        machine.learnt_on_mut(1, 1).unwrap().1.push((0, learnt));
        assert_eq!(borrowed(&machine, 1), ["bush-b"]);
        *machine.learnt_on_mut(1, 1).unwrap().0 = Some(learnt);
        assert_eq!(borrowed(&machine, 1), [] as [&str; 0]);
    }

    /// Would show a press whose verdicts stand without a residual, and nobody says why.
    #[test]
    fn a_press_without_a_twin_says_that_it_has_no_residual_and_what_gives_it_one() {
        let remark = |text: &str, twin: bool| {
            let mut machine = twinstep_config::load(text, "press.toml").unwrap();
            if !twin {
                machine.presses[0].axis.twin = None;
            }
            let said = PressReport::all(&machine)[0].text();
            let line = said
                .lines()
                .find(|line| line.contains("`residual` is null"));
            line.map(|line| line.split_once("; ").unwrap().1.to_owned())
        };
        let (cell, crank, ram) = (
            twinstep_config::PRESS_CELL,
            include_str!("../../../../../rt-config/machines/crank-press.toml"),
            include_str!("../../../../../rt-config/machines/servo-crank-press.toml"),
        );
        assert_eq!(remark(cell, true), None);
        assert_eq!(remark(ram, true), None);
        let found = Some("`calibrate` finds a twin");
        assert_eq!(remark(cell, false).as_deref(), found);
        assert_eq!(remark(ram, false).as_deref(), found);
        let needed = "with `ram_mass` of [press.kinematics] `calibrate` finds a twin";
        assert_eq!(remark(crank, true).as_deref(), Some(needed));
    }

    /// Would show a press that is said to borrow what was never found, or that predicts nothing anyway.
    #[test]
    fn without_a_twin_nothing_is_lent_and_nothing_borrowed() {
        let mut lender = two_presses();
        lender.presses[0].axis.twin = None;
        assert_eq!(borrowed(&lender, 1), [] as [&str; 0]);
        let mut borrower = two_presses();
        borrower.presses[1].axis.twin = None;
        assert_eq!(borrowed(&borrower, 1), [] as [&str; 0]);
        let said = PressReport::all(&borrower)[1].text();
        assert!(!said.contains("predicts with"), "{said}");
    }
}
