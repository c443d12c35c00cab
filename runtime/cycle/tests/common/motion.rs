//! An axis that goes to and fro.

/// Way of every movement (m), and time from its start to that of the next one (s).
pub const WAY_M: f64 = 0.2;
pub const EVERY_S: f64 = 1.2;

/// Position (m), velocity (m/s) and acceleration (m/s2) after `time_s`, back and forth at this speed (m/s).
pub fn motion(time_s: f64, speed: f64) -> [f64; 3] {
    let (number, t) = ((time_s / EVERY_S) as u64, time_s % EVERY_S);
    let acceleration = 10.0 * speed;
    let ramp_s = speed / acceleration;
    let move_s = WAY_M / speed + ramp_s;
    let part = if t < ramp_s {
        [0.5 * acceleration * t * t, acceleration * t, acceleration]
    } else if t < move_s - ramp_s {
        [speed * (t - 0.5 * ramp_s), speed, 0.0]
    } else if t < move_s {
        let left = move_s - t;
        let way_m = WAY_M - 0.5 * acceleration * left * left;
        [way_m, acceleration * left, -acceleration]
    } else {
        [WAY_M, 0.0, 0.0]
    };
    if number.is_multiple_of(2) {
        part
    } else {
        [WAY_M - part[0], -part[1], -part[2]]
    }
}
