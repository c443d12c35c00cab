//! What a press meets of every part, as it predicts it.

use super::way_in;
use twinstep_config::machine::{Machine, PartTwin, Press};
use twinstep_cycle::plan::{MAX_BY_RECIPE, MAX_PARTS, RecipeContact};
use twinstep_models::press::Contact;
use twinstep_models::sample::Context;

/// Contacts in every recipe, part by part, and those in one recipe alone, `kf` being the force of a current (N/A).
pub(super) fn contacts(
    machine: &Machine,
    press: &Press,
    kf: f64,
) -> ([Contact; MAX_PARTS], [Option<RecipeContact>; MAX_BY_RECIPE]) {
    let mut contacts = [Contact::default(); MAX_PARTS];
    let mut by_recipe = [None; MAX_BY_RECIPE];
    let Some(place) = place_of(machine, press) else {
        return (contacts, by_recipe);
    };
    let direction = way_in(&press.stroke);
    let met = |part: &PartTwin| Contact {
        contact_m: part.contact_m,
        stiffness_a_per_m: part.stiffness_n_per_m / kf,
        direction,
    };
    let parts = 0..machine.parts.len();
    for (contact, part) in contacts.iter_mut().zip(parts.clone()) {
        if let Some(twin) = machine.known_on(place, part).twin {
            *contact = met(twin);
        }
    }
    let own = parts.zip(0_u8..).flat_map(|(place_of_part, part)| {
        let own = machine.known_on(place, place_of_part).by_recipe.iter();
        own.map(move |(recipe, twin)| (*recipe, part, twin))
    });
    for (slot, (recipe, part, twin)) in by_recipe.iter_mut().zip(own) {
        *slot = Some(RecipeContact {
            context: Context::of(recipe, part),
            contact: met(twin),
        });
    }
    (contacts, by_recipe)
}

/// The place of a press among those of its machine.
fn place_of(machine: &Machine, press: &Press) -> Option<usize> {
    (machine.presses.iter()).position(|one| one.axis.name == press.axis.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_meets_a_part_as_it_has_learnt_it_itself() {
        let mut machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let mut second = machine.presses[0].clone();
        second.axis.name = "second".to_owned();
        machine.presses.push(second);
        let met = |machine: &Machine, press: usize| {
            let (contacts, by_recipe) = contacts(machine, &machine.presses[press], 2.0);
            (contacts[0].contact_m, contacts[1].contact_m, by_recipe[0])
        };
        let first = met(&machine, 0);
        // It has learnt nothing yet.
        assert_eq!(met(&machine, 1), first);
        let other = *machine.learnt_on(0, 1).twin.unwrap();
        let (twin, by_recipe) = machine.learnt_on_mut(1, 0).unwrap();
        *twin = Some(PartTwin {
            contact_m: 0.1485,
            ..other
        });
        by_recipe.push((1, other));
        let second = met(&machine, 1);
        assert_eq!((second.0, second.1), (0.1485, first.1));
        let context = second.2.map(|one| one.context);
        assert_eq!(context, Some(Context::of(1, 0)));
        assert_eq!(met(&machine, 0), first);
    }
}
