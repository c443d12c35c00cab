//! The yardstick itself: the reference integrator against closed solutions.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::integrate;

#[test]
fn an_oscillator_is_followed_to_the_tolerance() {
    let w = 300.0;
    let f = |_: f64, y: &[f64; 2]| [y[1], -w * w * y[0]];
    let (_, y, ended) = integrate(f, |_, _| 1.0, 0.0, 1.0, [1.0, 0.0], &[1.0, w]);
    let error = (y[0] - w.cos()).abs();
    println!("oscillator, 48 periods: {error:.2e}");
    assert!(!ended && error < 2e-8, "{error}");
}

#[test]
fn an_event_is_found_where_it_is() {
    // v = 1 - t: through 0 at 1 s, after half a metre.
    let f = |_: f64, y: &[f64; 2]| [y[1], -1.0];
    let (t, y, ended) = integrate(f, |_, y| y[1], 0.0, 5.0, [0.0, 1.0], &[1.0, 1.0]);
    assert!(ended && (t - 1.0).abs() < 1e-12 && (y[0] - 0.5).abs() < 1e-12);
}

#[test]
fn a_stiff_decay_is_followed() {
    let f = |t: f64, y: &[f64; 1]| [-1e4 * (y[0] - t.cos())];
    let (_, y, _) = integrate(f, |_, _| 1.0, 0.0, 1.0, [0.0], &[1.0]);
    // y = (cos t + e sin t) / (1 + e^2), e = 1e-4.
    let truth = (1.0f64.cos() + 1e-4 * 1.0f64.sin()) / (1.0 + 1e-8);
    assert!((y[0] - truth).abs() < 1e-9);
}
