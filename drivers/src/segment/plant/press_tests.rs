//! The tool of a press against its own table.

use super::*;

const FORMING: &str = include_str!("../../../../rt-config/machines/forming-press.toml");

/// Steps of the plant a second.
const HZ: f64 = 16_000.0;

fn tool(machine: &Machine, placed: Placed) -> Tool {
    let press = machine.presses.first().expect("a press");
    let mut tool = Tool::new(
        machine,
        &press.stroke,
        &mut Rng::new(1, 0),
        Rng::new(2, 0),
        1.0 / HZ,
    );
    tool.placed = placed;
    tool.restart();
    tool
}

/// Presses to 3.5 mm, back by 0.2 mm, on to 4.5 mm and out again; holds the force against the table in every step.
fn follows(mut tool: Tool, curve: &ForceCurve) {
    let contact_m = tool.contact_m;
    let ways = [-1e-3, 3.5e-3, 3.3e-3, 4.5e-3, -1e-3];
    let factor = tool.curve_factor;
    let first_n = curve.forces_n[0];
    let mut deepest_m: f64 = 0.0;
    let mut met = 0;
    for pair in ways.windows(2) {
        for step in 0..20_000 {
            let ram_m = contact_m + pair[0] + (pair[1] - pair[0]) * f64::from(step) / 2e4;
            // The frame yields; what is left is how deep the ram is in the part.
            let depth_m = ram_m - contact_m - tool.frame_m;
            deepest_m = deepest_m.max(depth_m);
            let force_n = -tool.step(ram_m);
            let yields_n = if deepest_m > 0.0 {
                curve.force_n(deepest_m)
            } else {
                first_n
            };
            let line_n = yields_n - curve.elastic_n_per_m * (deepest_m - depth_m);
            let expected_n = factor * line_n.max(0.0);
            assert!(
                (force_n - expected_n).abs() < 1e-6 * (1.0 + expected_n),
                "{depth_m}: {force_n} N, not {expected_n}"
            );
            met += i32::from(force_n > 100.0);
        }
    }
    assert!(met > 10_000, "{met}");
}

#[test]
fn a_part_follows_its_table_in_and_its_elastic_line_back() {
    let mut machine = twinstep_config::load(FORMING, "forming-press.toml").expect("shipped");
    for part in 0..machine.parts.len() {
        let curve = machine.parts[part].curve.clone().expect("a curve");
        follows(tool(&machine, Placed::Part(part)), &curve);
    }
    // A table that begins with a force is reached along the same line.
    let curve = machine.parts[0].curve.as_mut().expect("a curve");
    curve.forces_n[0] = 800.0;
    let curve = curve.clone();
    follows(tool(&machine, Placed::Part(0)), &curve);
}
