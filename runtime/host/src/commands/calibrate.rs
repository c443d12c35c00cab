//! `twinstep calibrate`: the twin's parameters from recordings of a healthy machine.

mod gains;
mod rows;

use super::several::choose;
use crate::calibration::axis::AxisReport;
use crate::calibration::{self, Report, axes, page, parameters};
use crate::cli::CalibrateArgs;
use crate::error::{Exit, HostError, read_text};
use crate::output::Output;
use crate::tables;
use gains::{Gains, gains, identified};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use twinstep_config::machine::{Axis, Machine};
use twinstep_models::identify::{AxisFit, COMMON, Estimate};

/// Parameters by key, each `[value, standard error]`.
type Pairs = BTreeMap<&'static str, [f64; 2]>;

/// One calibrated axis, as a line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration")]
struct Line<'a> {
    source: &'a str,
    /// `rotary` where it turns: keys that name m, kg and N are in rad, kg m2 and N m then; absent of a linear axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    axis_kind: Option<&'static str>,
    mass_kg: Option<[f64; 2]>,
    /// In both directions, or in the positive one where the negative one stands beside it.
    coulomb_n: Option<[Option<f64>; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coulomb_negative_n: Option<[Option<f64>; 2]>,
    viscous_n_s_per_m: Option<[f64; 2]>,
    stribeck_n: Option<[f64; 2]>,
    /// Without a standard error where it is stated.
    gravity_n: Option<[Option<f64>; 2]>,
    /// Where it is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    gravity_stated: Option<bool>,
    /// With its standard error, where there is such an effect.
    stribeck_velocity_m_per_s: Option<[Option<f64>; 2]>,
    current_delay_s: Option<f64>,
    current_delay_standard_error_s: Option<f64>,
    residual_rms: Option<f64>,
    unit: &'static str,
    before_mass_kg: Option<f64>,
    cascade: bool,
    before: Option<BTreeMap<&'static str, f64>>,
    inverse_dynamics: Pairs,
    output_error: Option<Pairs>,
    /// Standard errors as if residuals were white, of the inverse dynamics and of the output error.
    naive_se: BTreeMap<&'static str, f64>,
    output_error_naive_se: Option<BTreeMap<&'static str, f64>>,
    /// Output error minus inverse dynamics, in combined standard errors.
    distance: Option<BTreeMap<&'static str, f64>>,
    /// `inverse_dynamics`, or `both` where they agree.
    written: &'static str,
    output_error_position_rms_m: Option<f64>,
    /// How far from its values the output error ends from starts 30 % below and above, in its standard errors.
    output_error_restarted_se: Option<f64>,
    /// The same in % of the parameter.
    output_error_restarted_percent: Option<f64>,
    variance_inflation: BTreeMap<&'static str, f64>,
    autocorrelation_s: f64,
    cascade_gains: Option<Gains>,
    noise: BTreeMap<&'static str, f64>,
    warnings: &'a [String],
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
    let machines = twinstep_config::load_buses(&text, &name).map_err(HostError::from_usage)?;
    let mut machines = choose(machines, args.bus.as_deref())?;
    let Some(mut machine) = machines.pop().filter(|_| machines.is_empty()) else {
        return Err(HostError::usage(
            "the machine has several buses, and one is calibrated at a time",
            "name it with --bus, and the recordings of it: FILE.NAME.csv",
        ));
    };
    let before = machine.clone();
    let bar = bar(output);
    let report = calibration::calibrate(&mut machine, &args.recordings, &mut |done, of, what| {
        bar.set_length(of);
        bar.set_position(done);
        bar.set_message(what.to_owned());
    });
    bar.finish_and_clear();
    let report = report?;
    show(&before, &machine, &report, output);
    let patch = twinstep_config::twin_patch(&machine);
    let merged = merged(&name, &text, &patch)?;
    if args.write {
        let backup = beside(&args.config, "bak");
        replace_file(&backup, &text, &args.config)?;
        replace_file(&args.config, &merged, &args.config)?;
        output.note(&format!(
            "{name}: twins written; what was there before is in {}",
            backup.display()
        ));
    } else if !output.json() {
        output.line(&patch);
    }
    let page_path =
        (args.report.clone()).or_else(|| args.write.then(|| beside(&args.config, "html")));
    if let Some(path) = page_path {
        let page = page::html(&before, &machine, &report);
        replace_file(&path, &page, &path)?;
        output.note(&format!(
            "{}: measured against predicted, and residuals",
            path.display()
        ));
    }
    Ok(Exit::Fine)
}

/// The configuration with what was learnt in it, as `check` takes it: of all buses.
fn merged(name: &str, text: &str, patch: &str) -> Result<String, HostError> {
    twinstep_config::apply_patch(text, patch).map_err(|error| {
        HostError::usage(
            format!(
                "{name} stays as it was, because it would be refused with what was learnt: {}",
                error.plain()
            ),
            "change what is said of it, in the configuration or in the recordings, and calibrate again",
        )
    })
}

/// `cell.toml` with another ending behind it: `cell.toml.bak`; `cell.calibration.html` for the page.
fn beside(config: &Path, ending: &str) -> PathBuf {
    if ending == "html" {
        return config.with_extension("calibration.html");
    }
    let mut name = config.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// A bar on standard error where a person looks at it, else nothing.
fn bar(output: &Output) -> ProgressBar {
    let watched = !output.json() && output.is_terminal() && std::io::stderr().is_terminal();
    let target = if watched {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn show(before: &Machine, after: &Machine, report: &Report, output: &Output) {
    if !output.json() {
        output.line(
            "name             quantity                     before        after   std. error  unit",
        );
    }
    let period_s = after.cycle.period_ns as f64 / 1e9;
    for ((old, new), one) in axes(before).zip(axes(after)).zip(&report.axes) {
        if output.json() {
            if let Some(line) = line(old, new, one, period_s) {
                output.json_line(&line);
            }
        } else {
            show_axis(old, new, one, period_s, output);
        }
    }
    rows::show(before, after, report, output);
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

/// What was found of the common parameters, by key.
fn by_key<T>(fit: &AxisFit, values: [T; COMMON]) -> BTreeMap<&'static str, T> {
    let keys = parameters::common(fit).map(|word| word.key);
    let all = keys.into_iter().zip(values).enumerate();
    let found = all.filter(|(place, _)| Some(*place) != parameters::not_moved(fit));
    found.map(|(_, pair)| pair).collect()
}

fn line<'a>(old: &Axis, new: &'a Axis, one: &'a AxisReport, period_s: f64) -> Option<Line<'a>> {
    let (fit, twin) = (one.fit.as_ref()?, new.twin.as_ref()?);
    let kf = twin.force_constant_n_per_a;
    // The value is the one that is written; the error is that of the inverse dynamics.
    let pair = |value: f64, e: Estimate| Some([value, kf * e.standard_error]);
    let estimates = fit.common();
    let pairs =
        |e: [Estimate; COMMON]| by_key(fit, e.map(|e| [kf * e.value, kf * e.standard_error]));
    let naive = |e: [Estimate; COMMON]| by_key(fit, e.map(|e| kf * e.naive_error));
    let other = one.output_error.as_ref();
    let rows = parameters::rows(old.twin.as_ref(), twin, fit);
    // What is stated, or left as it was, has no error.
    let row = |key: &str| {
        let row = rows.iter().find(|row| row.word.key == key)?;
        let error = row.place.map(|c| kf * estimates[c].standard_error);
        Some([Some(row.is), error])
    };
    let before = rows
        .iter()
        .filter_map(|row| Some((row.word.key, row.was?)))
        .collect();
    Some(Line {
        source: &new.name,
        axis_kind: new.kind.told(),
        mass_kg: pair(twin.mass_kg, fit.inertia),
        coulomb_n: row("coulomb_n"),
        coulomb_negative_n: row("coulomb_negative_n"),
        viscous_n_s_per_m: pair(twin.viscous_n_s_per_m, fit.viscous),
        stribeck_n: pair(twin.stribeck_n, fit.stribeck_a),
        gravity_n: row("gravity_n"),
        gravity_stated: fit.known_a().map(|_| true),
        stribeck_velocity_m_per_s: (twin.stribeck_n != 0.0).then_some([
            Some(twin.stribeck_velocity_m_per_s),
            fit.stribeck_velocity_error_m_per_s,
        ]),
        current_delay_s: Some(fit.current_delay_s),
        current_delay_standard_error_s: fit.current_delay_error_s,
        residual_rms: Some(fit.residual_rms_a),
        unit: new.effort(),
        before_mass_kg: old.twin.as_ref().map(|t| t.mass_kg),
        cascade: twin.cascade.is_some(),
        before: old.twin.as_ref().map(|_| before),
        inverse_dynamics: pairs(estimates),
        output_error: other.map(|o| pairs(o.estimates)),
        naive_se: naive(estimates),
        output_error_naive_se: other.map(|o| naive(o.estimates)),
        distance: (one.agreement.as_ref()).map(|a| by_key(fit, a.distance)),
        written: written(one),
        output_error_position_rms_m: other.map(|o| o.position_rms_m),
        output_error_restarted_se: one.restarted.map(|apart| apart.standard_errors),
        output_error_restarted_percent: one.restarted.map(|apart| apart.percent),
        variance_inflation: by_key(fit, fit.inflation),
        autocorrelation_s: fit.bandwidth_s,
        cascade_gains: gains(new, one, period_s),
        noise: (one.noise.iter())
            .map(|n| (n.regime.name(), n.rms_a))
            .collect(),
        warnings: &one.warnings,
    })
}

fn written(one: &AxisReport) -> &'static str {
    match one.adopted() {
        Some((_, true)) => "both",
        _ => "inverse_dynamics",
    }
}

fn show_axis(old: &Axis, new: &Axis, one: &AxisReport, period_s: f64, output: &Output) {
    let (Some(fit), Some(twin)) = (&one.fit, &new.twin) else {
        return;
    };
    let kf = twin.force_constant_n_per_a;
    let estimates = fit.common();
    let rated = |quantity: &str, was: Option<f64>, value: f64, error: Option<f64>, unit: &str| {
        let [was, error] =
            [was, error].map(|v| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}")));
        output.line(&format!(
            "{:<16} {quantity:<20} {was:>14} {value:>12.4} {error:>12}  {unit}",
            new.name
        ));
    };
    let row = |quantity: &str, was: Option<f64>, value: f64, error: f64, unit: &str| {
        rated(quantity, was, value, Some(error), unit);
    };
    for one in parameters::rows(old.twin.as_ref(), twin, fit) {
        let error = one.place.map(|c| kf * estimates[c].standard_error);
        let unit = new.kind.unit(one.word.unit);
        rated(one.word.name, one.was, one.is, error, unit);
    }
    row(
        "stribeck",
        old.twin.as_ref().map(|t| t.stribeck_n),
        twin.stribeck_n,
        kf * fit.stribeck_a.standard_error,
        new.kind.unit("N"),
    );
    let old_twin = old.twin.as_ref();
    if twin.stribeck_n != 0.0 {
        let (per_si, unit) = new.kind.speed();
        rated(
            "strib. velocity",
            old_twin.map(|t| per_si * t.stribeck_velocity_m_per_s),
            per_si * twin.stribeck_velocity_m_per_s,
            fit.stribeck_velocity_error_m_per_s.map(|e| per_si * e),
            unit,
        );
    }
    rated(
        "current delay",
        old_twin.map(|t| 1e3 * t.current_delay_s),
        1e3 * twin.current_delay_s,
        fit.current_delay_error_s.map(|e| 1e3 * e),
        "ms",
    );
    if let Some(gains) = &one.gains {
        let found = identified(gains);
        let show = |quantity: &str, scale: f64, [told, value, error]: [f64; 3], unit: &str| {
            row(
                quantity,
                Some(scale * told),
                scale * value,
                scale * error,
                unit,
            );
        };
        show("pos. gain", 1.0, found.position_gain_per_s, "/s");
        let unit = new.kind.unit("A s/m");
        show("vel. gain", 1.0, found.velocity_gain, unit);
        if let Some(time) = found.velocity_integral_time_s {
            show("int. time", 1e3, time, "ms");
        }
    }
    let listed = |e: &[Estimate; COMMON], get: fn(&Estimate) -> f64| {
        let words = e.iter().zip(parameters::common(fit)).enumerate();
        let words = words.filter(|(place, _)| Some(*place) != parameters::not_moved(fit));
        let words = words.map(|(_, (e, word))| {
            let unit = new.kind.unit(word.unit);
            format!("{} {:.4} {unit}", word.name, kf * get(e))
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let say = |text: String| output.line(&format!("{:<16} {text}", new.name));
    say(format!(
        "standard errors are corrected for autocorrelation over {:.3} s; if residuals were white: {}",
        fit.bandwidth_s,
        listed(&estimates, |e| e.naive_error)
    ));
    if let Some(other) = &one.output_error {
        say(format!(
            "output error: {}",
            listed(&other.estimates, |e| e.value)
        ));
        say(format!(
            "  its standard errors: {} (if white: {})",
            listed(&other.estimates, |e| e.standard_error),
            listed(&other.estimates, |e| e.naive_error)
        ));
        say(format!(
            "  {} free runs, {:.4e} {} RMS; written: {}",
            other.stretches,
            other.position_rms_m,
            new.kind.unit("m"),
            match written(one) {
                "both" => "both, weighed by their errors, since they agree",
                _ => "inverse dynamics",
            }
        ));
    }
    if let Some(g) = gains(new, one, period_s) {
        let pair = |[value, error]: [Option<f64>; 2]| match (value, error) {
            (Some(v), Some(e)) => format!("{v:.4} +- {e:.4}"),
            (Some(v), None) => format!("{v:.4}"),
            (None, _) => "-".to_owned(),
        };
        say(format!(
            "cascade {}: position gain {} /s, velocity gain {} {} s/{}, feed-forward {}, dead time {} ms",
            match &one.gains {
                _ if g.fitted => "fitted",
                Some(gains) if gains.fit.contradicts() =>
                    "with what the recording says of the drive's gains",
                _ => "with the gains of the drive's table",
            },
            pair(g.position_gain_per_s),
            pair(g.velocity_gain),
            new.effort(),
            new.kind.unit("m"),
            pair(g.velocity_feedforward),
            pair([Some(g.dead_time_s), g.dead_time_standard_error_s].map(|s| s.map(|s| 1e3 * s)))
        ));
    }
    if let Some(gains) = &one.gains {
        let fit = &gains.fit;
        say(format!(
            "gains: before is the drive's table, after what the recordings say (dead time {:.4} +- {:.4} ms); of a quarter that nothing was fitted to or chosen by {:.4} A RMS are left with the table, {:.4} A with them; in the twin: {}",
            1e3 * fit.dead_time_s,
            1e3 * fit.dead_time_error_s,
            fit.not_fitted_rms_a[0],
            fit.not_fitted_rms_a[1],
            if fit.contradicts() {
                "what the recording says"
            } else {
                "the table"
            }
        ));
    }
    for noise in &one.noise {
        say(format!(
            "residual at {}: {} {} RMS",
            noise.regime.name(),
            tables::number(noise.rms_a),
            new.effort()
        ));
    }
}

/// Writes beside the file first, so that a full disk or a crash leaves the old configuration whole.
/// Permissions are those of `like`, where it is there.
fn replace_file(path: &Path, text: &str, like: &Path) -> Result<(), HostError> {
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
    // As any new file: the umask takes away what it takes away. A temporary file would be the owner's alone.
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(refuse)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(refuse)?;
    file.as_file().sync_all().map_err(refuse)?;
    if let Ok(metadata) = std::fs::metadata(like) {
        std::fs::set_permissions(file.path(), metadata.permissions()).map_err(refuse)?;
    }
    file.persist(path).map_err(|error| refuse(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_refused_is_not_written() {
        let text = include_str!("../../../../rt-config/machines/two-buses.toml");
        // On either bus.
        let machines = twinstep_config::load_buses(text, "line.toml").unwrap();
        assert_eq!(machines.len(), 2);
        for mut machine in machines {
            machine.axes[0].twin.as_mut().unwrap().mass_kg = -1.0;
            let patch = twinstep_config::twin_patch(&machine);
            let error = merged("line.toml", text, &patch).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            let told = error.in_a_line();
            assert!(told.starts_with("line.toml stays as it was"), "{told}");
            assert!(told.contains("`mass`"), "{told}");
        }
        assert_eq!(merged("line.toml", text, "").unwrap(), text);
    }
}
