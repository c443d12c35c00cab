//! Parts: what a press meets, and what calibration learnt of it.

use super::{Machine, Press};
use twinstep_models::press::evaluate::envelope::Envelope;
use twinstep_models::press::workpiece::{PressFit, Workpiece};

/// Largest stiffness of an elastic return (N/m): beyond that it is rigid beside any press.
pub const MAX_ELASTIC_N_PER_M: f64 = 1e9;
/// Way behind the shoulder of a press fit on which it is known (m).
const SEATED_M: f64 = 1e-3;

/// A part: what the press meets.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Name; the value of `part=` in the fault `wrong_part`.
    pub name: String,
    /// Where the ram meets it (m).
    pub contact_m: f64,
    /// Stiffness of the press-fit (N/m): force rises with this from contact on. Of a part with a curve: its largest force over the
    /// way to the bottom of the stroke.
    pub stiffness_n_per_m: f64,
    /// Force over the way, of a part that has a curve.
    pub curve: Option<ForceCurve>,
    /// Part-to-part spread of the stiffness, or of the forces of a curve (1, standard deviation). Simulation only.
    pub stiffness_spread: f64,
    /// What the twin learnt for this part (from calibration); none: not yet.
    pub twin: Option<PartTwin>,
    /// The same for one recipe alone, by its index.
    pub by_recipe: Vec<(u8, PartTwin)>,
    /// What other presses than [`Machine::home_press`] learnt of it by themselves.
    pub by_press: Vec<OnPress>,
}

/// What one press of several learnt of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct OnPress {
    /// Index of the press.
    pub press: usize,
    /// In every recipe; none: not yet.
    pub twin: Option<PartTwin>,
    /// For one recipe alone, by its index.
    pub by_recipe: Vec<(u8, PartTwin)>,
}

/// What a press knows of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known<'a> {
    /// In every recipe; none: not yet.
    pub twin: Option<&'a PartTwin>,
    /// For one recipe alone, by its index.
    pub by_recipe: &'a [(u8, PartTwin)],
}

impl<'a> Known<'a> {
    /// What the home press has.
    fn of_home(part: &'a Part) -> Self {
        Self {
            twin: part.twin.as_ref(),
            by_recipe: &part.by_recipe,
        }
    }

    /// What was learnt for this recipe alone; none: for every recipe.
    pub fn of(&self, recipe: Option<u8>) -> Option<&'a PartTwin> {
        match recipe {
            None => self.twin,
            Some(recipe) => {
                let found = self.by_recipe.iter().find(|(index, _)| *index == recipe);
                found.map(|(_, twin)| twin)
            }
        }
    }

    /// Nothing was learnt.
    pub fn is_empty(&self) -> bool {
        self.twin.is_none() && self.by_recipe.is_empty()
    }
}

/// Where the learning of one press on one part stands: in every recipe, and for one alone.
pub type Slots<'a> = (&'a mut Option<PartTwin>, &'a mut Vec<(u8, PartTwin)>);

/// The home press of a machine of several buses, where it is on another bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lender {
    /// Name of the press.
    pub press: String,
    /// It has a twin: what it has learnt of parts was found.
    pub has_twin: bool,
}

/// See [`Machine::home_press`].
pub(crate) fn home_press(presses: &[Press], lender: Option<&Lender>) -> Option<usize> {
    let explained = |press: &Press| press.drive_train.is_explained();
    let first = presses.iter().position(explained).unwrap_or(0);
    lender.is_none().then_some(first)
}

impl Machine {
    /// The press whose learning stands in `twin` and `recipe_twin` of the parts: the first one that a twin can explain, with a screw or
    /// with a `ram_mass`, else the first. None where it is on another bus: see [`Machine::lender`].
    pub fn home_press(&self) -> Option<usize> {
        home_press(&self.presses, self.lender.as_ref())
    }

    /// Name of the home press, whichever bus it is on, where it has found something that others may predict with.
    pub fn lends(&self) -> Option<&str> {
        let Some(home) = self.home_press() else {
            let lender = self.lender.as_ref().filter(|lender| lender.has_twin);
            return lender.map(|lender| lender.press.as_str());
        };
        let home = self.presses.get(home)?;
        (home.axis.twin.is_some()).then_some(home.axis.name.as_str())
    }

    /// What a press has learnt of a part by itself, both by their index.
    pub fn learnt_on(&self, press: usize, part: usize) -> Known<'_> {
        let Some(part) = self.parts.get(part) else {
            return Known::default();
        };
        if self.home_press() == Some(press) {
            return Known::of_home(part);
        }
        let own = part.by_press.iter().find(|one| one.press == press);
        own.map_or_else(Known::default, |own| Known {
            twin: own.twin.as_ref(),
            by_recipe: &own.by_recipe,
        })
    }

    /// What a press predicts a part with: what it has learnt of it by itself, and where that is nothing, what the home press has. One without
    /// a twin has nothing to lend: what stands beside its bands is configured, and was never found.
    pub fn known_on(&self, press: usize, part: usize) -> Known<'_> {
        let own = self.learnt_on(press, part);
        let (Some(part), Some(_)) = (self.parts.get(part), self.lends()) else {
            return own;
        };
        let lent = Known::of_home(part);
        Known {
            twin: own.twin.or(lent.twin),
            by_recipe: if own.is_empty() {
                lent.by_recipe
            } else {
                own.by_recipe
            },
        }
    }

    /// As [`Self::learnt_on`], to be written; none for a part that the machine does not have.
    pub fn learnt_on_mut(&mut self, press: usize, part: usize) -> Option<Slots<'_>> {
        let home = self.home_press();
        let part = self.parts.get_mut(part)?;
        if home == Some(press) {
            return Some((&mut part.twin, &mut part.by_recipe));
        }
        let place = match part.by_press.iter().position(|one| one.press == press) {
            Some(place) => place,
            None => {
                part.by_press.push(OnPress {
                    press,
                    twin: None,
                    by_recipe: Vec::new(),
                });
                part.by_press.len() - 1
            }
        };
        let own = part.by_press.get_mut(place)?;
        Some((&mut own.twin, &mut own.by_recipe))
    }
}

impl Part {
    /// What a press learns of it where nothing identifies anything: contact and stiffness are those of the configuration.
    pub fn as_configured(&self) -> PartTwin {
        PartTwin {
            contact_m: self.contact_m,
            stiffness_n_per_m: self.stiffness_n_per_m,
            factor: self.curve.is_some().then_some(1.0),
            envelope: None,
        }
    }

    /// What was learnt for one recipe alone.
    pub fn twin_of_recipe(&self, recipe: u8) -> Option<&PartTwin> {
        let found = self.by_recipe.iter().find(|(index, _)| *index == recipe);
        found.map(|(_, twin)| twin)
    }

    /// Largest force on the way in to `way_m` behind the contact (N); 0 before it.
    pub fn needed_n(&self, way_m: f64) -> f64 {
        match &self.curve {
            Some(curve) => curve.largest_n(way_m),
            None => self.stiffness_n_per_m * way_m.max(0.0),
        }
    }
}

/// What calibration learnt about a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartTwin {
    /// Contact position (m).
    pub contact_m: f64,
    /// Stiffness (N/m); of a part with a curve `factor` times that of the part.
    pub stiffness_n_per_m: f64,
    /// Force over that of the part's curve (1, 0.1 to 10); none for a part without one.
    pub factor: Option<f64>,
    /// The band of good strokes; none until it is taught.
    pub envelope: Option<Envelope>,
}

/// A force over the way behind the contact, and the elastic return from wherever the ram turns back.
#[derive(Clone, Debug, PartialEq)]
pub struct ForceCurve {
    /// Ways (m), 2 to 64, rising from 0.
    pub ways_m: Vec<f64>,
    /// Force at each of them on the way in (N, 0 or more).
    pub forces_n: Vec<f64>,
    /// Stiffness of the elastic return (N/m, no less than the steepest rise).
    pub elastic_n_per_m: f64,
}

impl ForceCurve {
    /// The curve of a press fit: friction up to the shoulder, which seats there. The pin springs back as a column of the length that is
    /// in the hub, `E pi r^2 / l`.
    pub fn of_press_fit(fit: &PressFit) -> Self {
        let ways_m = vec![0.0, fit.shoulder_m, fit.shoulder_m + SEATED_M];
        let workpiece = Workpiece::Fit(PressFit {
            contact_m: 0.0,
            ..*fit
        });
        let forces_n = ways_m.iter().map(|w| workpiece.force_n(*w, *w)).collect();
        let section_m2 = std::f64::consts::PI * fit.joint_radius_m * fit.joint_radius_m;
        let column = fit.modulus_pa * section_m2 / fit.shoulder_m;
        let mut curve = Self {
            ways_m,
            forces_n,
            elastic_n_per_m: column.min(MAX_ELASTIC_N_PER_M),
        };
        curve.elastic_n_per_m = curve.elastic_n_per_m.max(curve.steepest_n_per_m());
        curve
    }

    /// The same part, `factor` times as strong: its forces and its elastic return.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            ways_m: self.ways_m.clone(),
            forces_n: self.forces_n.iter().map(|force| factor * force).collect(),
            elastic_n_per_m: factor * self.elastic_n_per_m,
        }
    }

    /// The same over the way that the motor makes: the frame yields by force times `compliance` (m/N), so that way and spring are softer.
    #[must_use]
    pub fn behind_a_frame(&self, compliance: f64) -> Self {
        let rows = self.ways_m.iter().zip(&self.forces_n);
        Self {
            ways_m: rows.map(|(way, force)| way + compliance * force).collect(),
            forces_n: self.forces_n.clone(),
            elastic_n_per_m: 1.0 / (1.0 / self.elastic_n_per_m + compliance),
        }
    }

    /// Pieces between two rows: ways and forces at both ends.
    fn pieces(&self) -> impl Iterator<Item = ([f64; 2], [f64; 2])> {
        let ways = self.ways_m.windows(2).map(|w| [w[0], w[1]]);
        ways.zip(self.forces_n.windows(2).map(|f| [f[0], f[1]]))
    }

    /// Steepest rise (N/m), 0 or more.
    pub fn steepest_n_per_m(&self) -> f64 {
        let rises = self
            .pieces()
            .map(|(way, force)| (force[1] - force[0]) / (way[1] - way[0]));
        rises.fold(0.0, f64::max)
    }

    /// Whether the force falls so fast that a frame which yields by `compliance` (m/N) carries the ram on by itself.
    pub fn snaps(&self, compliance: f64) -> bool {
        let mut pieces = self.pieces();
        pieces.any(|(way, force)| way[1] - way[0] + compliance * (force[1] - force[0]) <= 0.0)
    }

    /// Force on the way in at `way_m` behind the contact (N): 0 before it, the last one beyond the last row.
    pub fn force_n(&self, way_m: f64) -> f64 {
        if way_m < 0.0 {
            return 0.0;
        }
        let piece = self.pieces().find(|(way, _)| way_m < way[1]);
        match piece {
            Some(([from, to], force)) => {
                force[0] + (way_m - from) / (to - from) * (force[1] - force[0])
            }
            None => self.forces_n.last().copied().unwrap_or(0.0),
        }
    }

    /// Largest force on the way in to `way_m` (N).
    pub fn largest_n(&self, way_m: f64) -> f64 {
        let rows = self.ways_m.iter().zip(&self.forces_n);
        let passed = rows.filter(|(way, _)| **way <= way_m);
        passed.fold(self.force_n(way_m), |most, (_, force)| most.max(*force))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_press_learns_is_not_that_of_another() {
        let cell = crate::PRESS_CELL;
        let mut machine = crate::load(cell, "press-cell.toml").expect("shipped");
        let second = machine.presses[0].clone();
        machine.presses.push(second);
        assert_eq!(machine.home_press(), Some(0));
        let learnt = *machine.learnt_on(0, 0).twin.expect("calibrated");
        // Of a part that it has not learnt, a press knows what the home press does, and has no envelope of its own.
        assert!(machine.learnt_on(1, 0).is_empty());
        assert_eq!(machine.known_on(1, 0).twin, Some(&learnt));
        let (twin, by_recipe) = machine.learnt_on_mut(1, 0).expect("a part");
        *twin = Some(PartTwin {
            contact_m: 0.1,
            ..learnt
        });
        by_recipe.push((3, learnt));
        assert_eq!(
            machine.known_on(1, 0).of(None).map(|t| t.contact_m),
            Some(0.1)
        );
        assert_eq!(machine.known_on(1, 0).of(Some(3)), Some(&learnt));
        assert_eq!(machine.known_on(1, 0).of(Some(2)), None);
        assert_eq!(machine.learnt_on(0, 0).twin, Some(&learnt));
        assert_eq!(machine.parts[0].by_press.len(), 1);
        assert!(machine.learnt_on_mut(1, 99).is_none() && machine.known_on(9, 99).is_empty());
    }

    /// Would show a press that predicts with what was only configured on another, or that forgets what the home press has because it has learnt
    /// one recipe by itself.
    #[test]
    fn a_home_press_lends_what_it_has_found_and_nothing_else() {
        let mut machine = crate::load(crate::PRESS_CELL, "press-cell.toml").expect("shipped");
        let second = machine.presses[0].clone();
        machine.presses.push(second);
        let learnt = *machine.learnt_on(0, 0).twin.expect("calibrated");
        let own = PartTwin {
            contact_m: 0.1,
            ..learnt
        };
        for (press, part, recipe, twin) in [(1, 0, 3, own), (0, 0, 2, learnt), (0, 1, 2, learnt)] {
            let (_, by_recipe) = machine.learnt_on_mut(press, part).expect("a part");
            by_recipe.push((recipe, twin));
        }
        // It has learnt one recipe by itself. In all others it goes by what the home press has in all.
        let known = machine.known_on(1, 0);
        assert_eq!((known.twin, known.of(Some(3))), (Some(&learnt), Some(&own)));
        assert_eq!(known.of(Some(2)), None);
        // Of a part that it knows nothing of, it has all that the home press has.
        assert_eq!(machine.known_on(1, 1), machine.learnt_on(0, 1));
        assert!(machine.known_on(1, 1).of(Some(2)).is_some());
        // What stands beside the bands of a press without a twin is configured, and was never found.
        machine.presses[0].axis.twin = None;
        let known = machine.known_on(1, 0);
        assert_eq!((known.twin, known.of(Some(3))), (None, Some(&own)));
        assert!(machine.known_on(1, 1).is_empty());
        assert_eq!(machine.known_on(0, 0), machine.learnt_on(0, 0));
    }

    /// Would show the learning of a screw that is looked for behind the crank which happens to come first.
    #[test]
    fn the_home_press_is_the_first_that_a_twin_explains() {
        let mut machine = crate::load(crate::PRESS_CELL, "press-cell.toml").expect("shipped");
        let text = include_str!("../../machines/crank-press.toml");
        let mut cranks = crate::load(text, "crank-press.toml").expect("shipped");
        assert_eq!(cranks.home_press(), Some(0));
        machine.presses.insert(0, cranks.presses.remove(0));
        assert_eq!(machine.home_press(), Some(1));
        assert_eq!(machine.learnt_on(1, 0).twin, machine.parts[0].twin.as_ref());
        assert!(machine.learnt_on(0, 0).is_empty());
        machine.presses[0].drive_train.ram_mass_kg = 80.0;
        assert_eq!(machine.home_press(), Some(0));
        machine.presses.clear();
        assert_eq!(machine.home_press(), Some(0));
    }

    #[test]
    fn a_curve_is_read_between_its_rows() {
        let curve = ForceCurve {
            ways_m: vec![0.0, 1e-3, 2e-3],
            forces_n: vec![0.0, 3000.0, 2000.0],
            elastic_n_per_m: 2e7,
        };
        for (way_m, force_n, largest_n) in [
            (-1e-3, 0.0, 0.0),
            (0.0, 0.0, 0.0),
            (0.5e-3, 1500.0, 1500.0),
            (1e-3, 3000.0, 3000.0),
            (1.5e-3, 2500.0, 3000.0),
            (5e-3, 2000.0, 3000.0),
        ] {
            assert_eq!(curve.force_n(way_m), force_n, "{way_m}");
            assert_eq!(curve.largest_n(way_m), largest_n, "{way_m}");
        }
        assert_eq!(curve.steepest_n_per_m(), 3e6);
        // It falls by 1 N/um.
        assert!(!curve.snaps(0.9e-6) && curve.snaps(1.1e-6));
        // Twice as strong, by 2 N/um.
        let strong = curve.scaled(2.0);
        assert!(!strong.snaps(0.45e-6) && strong.snaps(0.55e-6));
        assert_eq!(strong.force_n(1.5e-3), 5000.0);
    }

    #[test]
    fn a_frame_makes_way_and_spring_softer() {
        let rigid = ForceCurve {
            ways_m: vec![0.0, 1e-3, 2e-3],
            forces_n: vec![100.0, 3000.0, 2000.0],
            elastic_n_per_m: 2e7,
        };
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-12;
        assert_eq!(rigid.behind_a_frame(0.0).ways_m, rigid.ways_m);
        let soft = rigid.behind_a_frame(1e-8);
        assert!(near(soft.ways_m[0], 1e-6) && near(soft.ways_m[1], 1.03e-3));
        assert!(near(soft.ways_m[2], 2.02e-3));
        assert_eq!(soft.forces_n, rigid.forces_n);
        assert!(near(soft.elastic_n_per_m, 1.0 / 6e-8));
    }

    #[test]
    fn a_press_fit_rises_by_friction_and_seats() {
        let fit = PressFit {
            contact_m: 0.15,
            joint_radius_m: 8e-3,
            hub_radius_m: 16e-3,
            interference_m: 10e-6,
            modulus_pa: 210e9,
            friction: 0.12,
            shoulder_m: 5e-3,
            seating_n_per_m: 4e7,
        };
        let curve = ForceCurve::of_press_fit(&fit);
        let joint_n = fit.stiffness_n_per_m() * 5e-3;
        // pi mu d E (1 - 1/4) per way: 593.8 N/mm.
        assert!((joint_n - 2968.8).abs() < 0.1, "{joint_n}");
        let near = |way_m: f64, n: f64| (curve.force_n(way_m) - n).abs() < 1e-6 * n;
        assert!(near(2.5e-3, 0.5 * joint_n) && near(5e-3, joint_n));
        assert!(near(5.5e-3, joint_n + 2e4));
        // A column of 5 mm is stiffer than what counts as rigid.
        assert_eq!(curve.elastic_n_per_m, MAX_ELASTIC_N_PER_M);
    }
}
