//! `twinstep calibrate`: the twin's parameters from recordings of a healthy machine.

use crate::calibration::{self, Report};
use crate::cli::CalibrateArgs;
use crate::error::{Exit, HostError, read_text};
use crate::output::Output;
use serde::Serialize;
use std::path::Path;
use twinstep_config::machine::{Axis, AxisTwin, Machine};
use twinstep_models::identify::Estimate;

/// One calibrated axis, as a line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration")]
struct Line<'a> {
    source: &'a str,
    mass_kg: Option<[f64; 2]>,
    coulomb_n: Option<[f64; 2]>,
    viscous_n_s_per_m: Option<[f64; 2]>,
    stribeck_n: Option<[f64; 2]>,
    gravity_n: Option<[f64; 2]>,
    current_delay_s: Option<f64>,
    residual_rms: Option<f64>,
    unit: &'static str,
    before_mass_kg: Option<f64>,
    cascade: bool,
}

/// The healthy signature of one axis, as a line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration_signature")]
struct SignatureLine<'a> {
    source: &'a str,
    movements: usize,
    runs: usize,
    loads: usize,
}

/// Runs the command.
///
/// # Errors
/// [`HostError`].
pub fn run(args: &CalibrateArgs, output: &Output) -> Result<Exit, HostError> {
    let name = args.config.display().to_string();
    let text = read_text(&args.config, "configuration")?;
    let mut machine = twinstep_config::load(&text, &name).map_err(HostError::from_usage)?;
    let before = machine.clone();
    let report = calibration::calibrate(&mut machine, &args.recordings)?;
    show(&before, &machine, &report, output);
    let patch = twinstep_config::twin_patch(&machine);
    let merged = twinstep_config::apply_patch(&text, &patch).map_err(HostError::from_usage)?;
    if args.write {
        replace_file(&args.config, &merged)?;
        output.note(&format!("{name}: twins written"));
    } else if !output.json() {
        output.line(&patch);
    }
    Ok(Exit::Fine)
}

fn axes(machine: &Machine) -> impl Iterator<Item = &Axis> {
    machine
        .axes
        .iter()
        .chain(machine.presses.iter().map(|press| &press.axis))
}

fn show(before: &Machine, after: &Machine, report: &Report, output: &Output) {
    if !output.json() {
        output.line("axis             quantity             before        after   std. error  unit");
    }
    for ((old, new), fit) in axes(before).zip(axes(after)).zip(&report.fits) {
        let (Some(fit), Some(twin)) = (fit, &new.twin) else {
            continue;
        };
        let kf = twin.force_constant_n_per_a;
        // The value is the one that is written; the error is that of the least squares it comes from.
        let pair = |value: f64, e: Estimate| [value, kf * e.standard_error];
        let old_of = |get: fn(&AxisTwin) -> f64| old.twin.as_ref().map(get);
        if output.json() {
            output.json_line(&Line {
                source: &new.name,
                mass_kg: Some(pair(twin.mass_kg, fit.inertia)),
                coulomb_n: Some(pair(twin.coulomb_positive_n, fit.coulomb_a)),
                viscous_n_s_per_m: Some(pair(twin.viscous_n_s_per_m, fit.viscous)),
                stribeck_n: Some(pair(twin.stribeck_n, fit.stribeck_a)),
                gravity_n: Some(pair(twin.gravity_n, fit.gravity_a)),
                current_delay_s: Some(fit.current_delay_s),
                residual_rms: Some(fit.residual_rms_a),
                unit: new.effort_unit.symbol(),
                before_mass_kg: old_of(|t| t.mass_kg),
                cascade: twin.cascade.is_some(),
            });
            continue;
        }
        let rows = [
            (
                "mass",
                old_of(|t| t.mass_kg),
                pair(twin.mass_kg, fit.inertia),
                "kg",
            ),
            (
                "coulomb",
                old_of(|t| t.coulomb_positive_n),
                pair(twin.coulomb_positive_n, fit.coulomb_a),
                "N",
            ),
            (
                "viscous",
                old_of(|t| t.viscous_n_s_per_m),
                pair(twin.viscous_n_s_per_m, fit.viscous),
                "N s/m",
            ),
            (
                "stribeck",
                old_of(|t| t.stribeck_n),
                pair(twin.stribeck_n, fit.stribeck_a),
                "N",
            ),
            (
                "gravity",
                old_of(|t| t.gravity_n),
                pair(twin.gravity_n, fit.gravity_a),
                "N",
            ),
        ];
        for (quantity, old, [value, error], unit) in rows {
            let old = old.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
            output.line(&format!(
                "{:<16} {quantity:<12} {old:>14} {value:>12.4} {error:>12.4}  {unit}",
                new.name
            ));
        }
    }
    for learnt in &report.signatures {
        let [movements, runs, loads] = learnt.counts;
        if output.json() {
            output.json_line(&SignatureLine {
                source: &learnt.axis,
                movements,
                runs,
                loads,
            });
        } else {
            output.line(&format!(
                "{:<16} healthy signature of {movements} movements in {runs} runs at {loads} loads",
                learnt.axis
            ));
        }
    }
    for remark in &report.remarks {
        output.note(remark);
    }
}

/// Writes beside the file first, so that a full disk or a crash leaves the old configuration whole.
fn replace_file(path: &Path, text: &str) -> Result<(), HostError> {
    let refuse = |error: std::io::Error| {
        HostError::usage(
            format!("cannot write {}: {error}", path.display()),
            "make the file and its folder writable, or leave --write out and merge the printed patch",
        )
    };
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(refuse)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(refuse)?;
    file.as_file().sync_all().map_err(refuse)?;
    if let Ok(metadata) = std::fs::metadata(path) {
        std::fs::set_permissions(file.path(), metadata.permissions()).map_err(refuse)?;
    }
    file.persist(path).map_err(|error| refuse(error.error))?;
    Ok(())
}
