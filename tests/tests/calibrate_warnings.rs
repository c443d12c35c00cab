//! What `calibrate` warns of: parameters that a recording leaves uncertain, and an output error that is none, is another, or may be another.
//!
//! Tables of a motion whose parameters are known, and a current that has something besides.
#![allow(
    clippy::disallowed_methods,
    reason = "a motion of a test need not be the same on every platform"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::run::Place;

/// One axis of 20 mm lead and 0.8 N m/A: 251 N/A.
const CONFIG: &str = r#"[machine]
name = "one axis"
[cycle]
period = "1ms"
[[axis]]
name = "slide"
[axis.drive]
lead = "20mm"
counts_per_rev = 1048576
rated_current = "6A"
torque_constant = "0.8N m/A"
position_gain = "60/s"
velocity_gain = "60A s/m"
velocity_integral_time = "10ms"
current_time_constant = "0.5ms"
[axis.motion]
start = "0mm"
velocity = "1m/s"
acceleration = "10m/s2"
jerk = "200m/s3"
program = []
[recording]
time = { column = "t", unit = "s" }
uneven = true
[[recording.axis]]
axis = "slide"
position = { column = "actual", unit = "m" }
current = { column = "amps", unit = "A" }
"#;

/// Inertia (A s2/m), Coulomb (A), viscous friction (A s/m) and load (A).
const PARAMETERS: [f64; 4] = [0.3, 0.5, 1.0, 0.2];

/// What a slow noise of the current is at time `t` (s): sums of sines that no motion has.
fn noise(t: f64) -> f64 {
    (0.9 * t + 0.3).sin() + 0.8 * (1.7 * t + 1.1).sin() + 0.6 * (2.9 * t).sin()
}

/// A row at `t`: position (m), velocity (m/s) and acceleration (m/s2).
type Motion = fn(f64) -> [f64; 3];

/// Both ways, at many speeds.
fn rich(t: f64) -> [f64; 3] {
    [
        0.1 * (4.0 * t).sin() + 0.03 * (9.0 * t).sin(),
        0.4 * (4.0 * t).cos() + 0.27 * (9.0 * t).cos(),
        -1.6 * (4.0 * t).sin() - 2.43 * (9.0 * t).sin(),
    ]
}

/// What `calibrate` says of `rows` rows of `motion`, whose current has `besides` (A at time, position) beside what `parameters` explain; before
/// every `gap`-th row half a second is missing.
fn calibrated(
    (rows, gap): (u32, u32),
    motion: Motion,
    [inertia, coulomb, viscous, load]: [f64; 4],
    besides: impl Fn(f64, f64) -> f64,
) -> Value {
    let place = Place::new();
    let config = place.file("one.toml", CONFIG);
    let mut text = String::from("t,actual,amps\n");
    for k in 0..rows {
        let t = f64::from(k) / 1000.0;
        let [x, v, a] = motion(t);
        let i = inertia * a + coulomb * v.signum() + viscous * v + load + besides(t, x);
        let late = 0.5 * f64::from(k / gap);
        text += &format!("{},{x},{i}\n", t + late);
    }
    let recording = place.file("run.csv", text);
    let args = format!(
        "calibrate {} {} --json",
        config.display(),
        recording.display()
    );
    place
        .twinstep(&args)
        .fine()
        .of_type("calibration")
        .remove(0)
}

fn warnings(line: &Value) -> Vec<&str> {
    let all = line["warnings"].as_array().unwrap();
    all.iter().map(|w| w.as_str().unwrap()).collect()
}

const WHOLE: u32 = u32::MAX;

#[test]
fn what_is_rich_and_explained_has_no_warning() {
    let line = calibrated((6000, WHOLE), rich, PARAMETERS, |_, _| 0.0);
    assert_eq!(warnings(&line), [] as [&str; 0], "{line}");
}

#[test]
fn free_runs_that_are_too_short_are_no_output_error() {
    // 150 rows between two gaps: the balance of the currents is there, a free run is not.
    let line = calibrated((6000, 150), rich, PARAMETERS, |_, _| 0.0);
    let told = warnings(&line);
    assert!(
        told.iter()
            .any(|w| w.starts_with("no output error: no free run is long enough")),
        "{line}"
    );
    assert_eq!(line["output_error"], Value::Null);
    assert_eq!(line["written"], "inverse_dynamics");
}

/// A spring that the model does not have: it takes what the mass needs, in a balance of forces in one way and in a free run in another.
#[test]
fn an_output_error_that_contradicts_the_inverse_dynamics_is_said_and_not_written() {
    let line = calibrated((12_000, WHOLE), rich, PARAMETERS, |_, x| 6.0 * x);
    let told = warnings(&line);
    assert!(
        told.iter()
            .any(|w| w.starts_with("output error contradicts inverse dynamics, most of all ")),
        "{line}"
    );
    assert_eq!(line["written"], "inverse_dynamics");
}

/// Friction is nearly all of the current: from a start 30 % above it the free run never moves, and nothing says which way is down.
#[test]
fn an_output_error_that_ends_elsewhere_from_another_start_is_said() {
    let slow: Motion = |t| {
        [
            0.05 * (2.0 * t).sin() + 0.01 * (3.1 * t).sin(),
            0.1 * (2.0 * t).cos() + 0.031 * (3.1 * t).cos(),
            -0.2 * (2.0 * t).sin() - 0.0961 * (3.1 * t).sin(),
        ]
    };
    let line = calibrated((12_000, WHOLE), slow, [0.1, 0.8, 0.1, 0.0], |t, _| {
        1e-3 * noise(t)
    });
    let told = warnings(&line);
    assert!(
        told.iter()
            .any(|w| w.starts_with("output error has more than one minimum: ")),
        "{line}"
    );
}

/// A current that wanders for reasons of its own, as far as friction and load go: the mass alone is known, from accelerations that are faster.
#[test]
fn each_parameter_that_a_recording_leaves_uncertain_is_named_and_no_other() {
    let weak = [0.3, 0.2, 0.2, 0.1];
    let line = calibrated((12_000, WHOLE), rich, weak, |t, _| 0.5 * noise(t));
    let told = warnings(&line);
    let named = |name: &str| {
        let begins = format!("{name} is poorly identified, its standard error is ");
        told.iter().any(|w| w.starts_with(&begins))
    };
    assert!(
        named("coulomb") && named("viscous") && named("gravity") && !named("mass"),
        "{line}"
    );
}
