//! Evaluation objects as outlines in the picture of a stroke.

use serde::Serialize;
use twinstep_models::press::curve::{Branch, Point};
use twinstep_models::press::evaluate::envelope::{Envelope, NODES};
use twinstep_models::press::evaluate::features::Limits;
use twinstep_models::press::evaluate::passage::Sides;
use twinstep_models::press::evaluate::threshold::{Line, Threshold};
use twinstep_models::press::evaluate::{Object, Shape, Side};

/// One object of a stroke.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShapeLine {
    /// Its name.
    pub name: String,
    /// Its kind, as the configuration calls it.
    pub kind: &'static str,
    /// `forward` or `return`.
    pub branch: &'static str,
    /// OK in this stroke.
    pub ok: bool,
    /// Corners of a closed outline, or both ends of a line: travel (m) and force (N), where the press has them. `null`:
    /// without a limit on that side. Empty where there is nothing to draw, or this stroke does not have its reference.
    pub outline: Vec<[Option<f64>; 2]>,
    /// Sides through which the curve may come in: `left`, `right`, `bottom`, `top`, `within`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entry: Vec<&'static str>,
    /// Sides through which it must leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exit: Vec<&'static str>,
}

/// Draws `object` for a stroke whose way in is `way_in` and whose deepest point is at `deepest_m`.
pub(super) fn shape(
    name: &str,
    object: &Object,
    ok: bool,
    way_in: &[Point],
    deepest_m: f64,
) -> ShapeLine {
    let (kind, outline) = outline(&object.shape);
    let origin_m = object.reference.origin_m(way_in, deepest_m);
    let placed = |[x, y]: [f64; 2]| {
        let known = |value: f64| value.is_finite().then_some(value);
        [known(x + origin_m.unwrap_or_default()), known(y)]
    };
    let outline = match origin_m {
        Some(_) => outline.into_iter().map(placed).collect(),
        None => Vec::new(),
    };
    let (entry, exit) = match &object.shape {
        Shape::Passage(quad) => (words(quad.entry), words(quad.exit)),
        _ => (Vec::new(), Vec::new()),
    };
    let branch = match object.branch {
        Branch::Forward | Branch::Return => object.branch.name(),
    };
    ShapeLine {
        name: name.to_owned(),
        kind,
        branch,
        ok,
        outline,
        entry,
        exit,
    }
}

/// The kind, and the corners counted from the object's reference.
fn outline(shape: &Shape) -> (&'static str, Vec<[f64; 2]>) {
    match shape {
        Shape::Passage(q) => {
            let level = q.bottom_n[0] == q.bottom_n[1] && q.top_n[0] == q.top_n[1];
            let corners = vec![
                [q.x_min_m, q.bottom_n[0]],
                [q.x_max_m, q.bottom_n[1]],
                [q.x_max_m, q.top_n[1]],
                [q.x_min_m, q.top_n[0]],
            ];
            (if level { "window" } else { "trapezium" }, corners)
        }
        Shape::Threshold(threshold) => ("threshold", gate(threshold)),
        Shape::Envelope(envelope) => ("envelope", band(envelope)),
        Shape::Peak(peak) => ("peak", area(peak.x_m, peak.force)),
        Shape::Work(_) => ("work", Vec::new()),
        Shape::Hysteresis(_) => ("hysteresis", Vec::new()),
        Shape::Gap(_) => ("gap", Vec::new()),
        Shape::Gradient(_) => ("gradient", Vec::new()),
        Shape::Block { position, force } => ("block", area([position.min, position.max], *force)),
    }
}

fn gate(threshold: &Threshold) -> Vec<[f64; 2]> {
    let Limits { min, max } = threshold.limits;
    match threshold.line {
        Line::X(x) => vec![[x, min], [x, max]],
        Line::Y(y) => vec![[min, y], [max, y]],
    }
}

fn area([left, right]: [f64; 2], force: Limits) -> Vec<[f64; 2]> {
    vec![
        [left, force.min],
        [right, force.min],
        [right, force.max],
        [left, force.max],
    ]
}

fn band(e: &Envelope) -> Vec<[f64; 2]> {
    let side = |force: &[f64; NODES]| -> Vec<[f64; 2]> {
        let nodes = force.iter().enumerate();
        nodes.map(|(n, force_n)| [e.node_m(n), *force_n]).collect()
    };
    let mut corners = side(&e.lower_n);
    corners.extend(side(&e.upper_n).into_iter().rev());
    corners
}

fn words(sides: Sides) -> Vec<&'static str> {
    let named = Side::ALL.into_iter().filter(|side| sides.has(*side));
    let within = sides.within().then_some("within");
    named.map(Side::name).chain(within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::press::evaluate::reference::Reference;
    use twinstep_models::press::evaluate::window::window;

    fn object(shape: Shape, reference: Reference) -> Object {
        Object {
            shape,
            reference,
            branch: Branch::Forward,
            part: None,
            recipe: None,
        }
    }

    const WAY_IN: [Point; 2] = [
        Point {
            position_m: 0.1,
            force_n: 0.0,
        },
        Point {
            position_m: 0.2,
            force_n: 100.0,
        },
    ];

    #[test]
    fn an_outline_stands_where_the_press_has_it() {
        let block = window(
            [-0.01, 0.01],
            [5.0, 9.0],
            Sides::of(Side::Left),
            Sides::WITHIN,
        );
        let line = shape(
            "block",
            &object(Shape::Passage(block), Reference::Final),
            true,
            &WAY_IN,
            0.2,
        );
        assert_eq!((line.kind, line.branch), ("window", "forward"));
        assert_eq!(line.outline[0], [Some(0.19), Some(5.0)]);
        assert_eq!((line.entry, line.exit), (vec!["left"], vec!["within"]));
    }

    #[test]
    fn a_missing_limit_is_null_and_a_missing_reference_draws_nothing() {
        let peak = Shape::Block {
            position: Limits::ANY,
            force: Limits::between(1.0, f64::INFINITY),
        };
        let line = shape("b", &object(peak, Reference::Absolute), false, &WAY_IN, 0.2);
        assert_eq!(line.outline[0], [None, Some(1.0)]);
        assert_eq!(line.outline[2], [None, None]);
        assert!(!line.ok);
        let line = shape(
            "b",
            &object(peak, Reference::Trigger(1e6)),
            true,
            &WAY_IN,
            0.2,
        );
        assert!(line.outline.is_empty());
    }
}
