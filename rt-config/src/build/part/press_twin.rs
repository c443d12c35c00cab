//! What one press of several learnt of a part.

use super::{Answer, Learnt, recipe_index};
use crate::check::Check;
use crate::machine::{OnPress, Part, Press};
use crate::raw::{PressTwinTable, RecipeTable};

/// Puts the table into `part`. `home` is the press whose learning stands elsewhere, if it is one of these.
pub(super) fn press_twin(
    raw: &PressTwinTable,
    part: &mut Part,
    (presses, home): (&[Press], Option<usize>),
    (answer, recipes): (Answer, &[RecipeTable]),
    check: &mut Check,
) {
    let names: Vec<&str> = (presses.iter())
        .map(|press| press.axis.name.as_str())
        .collect();
    let index = names.iter().position(|name| *name == raw.press.value);
    let Some((index, press)) = index.and_then(|n| Some((n, presses.get(n)?))) else {
        check.unknown("press", &raw.press, &names);
        return;
    };
    if home == Some(index) {
        check.problem(
            &raw.press.span,
            format!(
                "what {} learnt of a part stands in `twin` and `recipe_twin`",
                press.axis.name
            ),
            "not for this press",
            "rename the table: [part.twin], or [[part.recipe_twin]] where it has a recipe, without `press`",
        );
        return;
    }
    let recipe = match &raw.recipe {
        None => None,
        Some(name) => match recipe_index(name, recipes, check) {
            None => return,
            known => known,
        },
    };
    let learnt = Learnt {
        contact: &raw.contact,
        stiffness: raw.stiffness.as_ref(),
        factor: raw.factor.as_ref(),
        envelope: raw.envelope.as_ref(),
    };
    let twin = learnt.twin((part, &[press]), answer, check);
    let mut own = OnPress {
        press: index,
        twin: None,
        by_recipe: Vec::new(),
    };
    let place = part.by_press.iter().position(|one| one.press == index);
    if let Some(place) = place {
        own = part.by_press.remove(place);
    }
    let twice = match recipe {
        None => own.twin.replace(twin).is_some(),
        Some(recipe) => {
            let twice = own.by_recipe.iter().any(|(known, _)| *known == recipe);
            own.by_recipe.push((recipe, twin));
            twice
        }
    };
    let place = place.unwrap_or(part.by_press.len());
    part.by_press.insert(place, own);
    if twice {
        check.problem(
            &raw.press.span,
            format!(
                "what {} learnt of {} is there twice",
                press.axis.name, part.name
            ),
            "second time",
            "keep one table for each press and recipe",
        );
    }
}
