//! The vacuum circuit from a recording: final pressure, time constant, dead time of the valve, leak rate and its spread.
//!
//! # Dead time
//! Behind the dead time d of the valve `y = ln((p - pf) / (p0 - pf))` is a straight line, `-(t - d) / tau`. A line through every evacuation from a
//! tenth of its fall to nine tenths tells both. A sensor that follows with a short lag moves that line and does not tilt it, so its lag
//! counts as dead time, and the time constant is that of the circuit. Where no dead time is found the time constant is the time to 1/e.

use crate::vacuum::{Circuit, Phase, VacuumParams, VacuumState};

/// What was recorded of one station.
#[derive(Clone, Copy, Debug)]
pub struct VacuumRecord<'a> {
    /// Period (s).
    pub period_s: f64,
    /// Pressure (Pa).
    pub pressure_pa: &'a [f64],
    /// Phase of each sample.
    pub phase: &'a [Phase],
}

/// What was found for one station.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VacuumFit {
    /// Pressure the ejector reaches (Pa).
    pub final_pressure_pa: f64,
    /// Its standard error over the evacuations (Pa); none of a single one.
    pub final_pressure_error_pa: Option<f64>,
    /// Time constant of the evacuation (s).
    pub time_constant_s: f64,
    /// Its standard error over the evacuations (s), as if it were counted in whole periods at least; none of a single one.
    pub time_constant_error_s: Option<f64>,
    /// Dead time of the valve, and its standard error over the evacuations (s); none where the recording shows none: the time constant has it in it.
    pub valve_delay: Option<[f64; 2]>,
    /// Leak at full vacuum (Pa/s).
    pub leak_pa_per_s: f64,
    /// Its standard error over the holds (Pa/s).
    pub leak_error_pa_per_s: f64,
    /// Its standard deviation from hold to hold (Pa/s).
    pub leak_sigma_pa_per_s: f64,
    /// Holds that were seen.
    pub holds: u32,
}

/// Cycles of a hold that are left out while the valves settle (s).
pub const SETTLE_S: f64 = 0.1;
/// Shortest part of a hold that gives a slope (s).
pub const LEAST_S: f64 = 0.3;

/// Shares of a fall that are left where the line through it begins and ends.
const FALL: [f64; 2] = [0.9, 0.1];
/// Samples that a line through a fall needs.
const LEAST_ON_FALL: usize = 6;
/// Standard errors that a dead time is beyond.
const SIGNIFICANT: f64 = 3.0;

/// Fits one station.
///
/// # Errors
/// In words, what the recording lacks.
pub fn fit_vacuum(r: &VacuumRecord<'_>) -> Result<VacuumFit, &'static str> {
    let seen = evacuations(r).ok_or("the recording has no complete evacuation")?;
    let finals = &seen.finals;
    // How the pressure falls between two samples is not seen.
    let rounding_s = r.period_s / libm::sqrt(12.0);
    let valve_delay = seen.valve_delay(r.period_s, rounding_s);
    let (times, least_s) = match valve_delay {
        Some(_) => (&seen.behind_the_valve[1], 0.0),
        None => (&seen.times, rounding_s),
    };
    let (final_pressure_pa, time_constant_s) = (mean(finals), mean(times));
    let params = VacuumParams::new(&Circuit {
        final_pressure_pa,
        time_constant_s,
        valve_delay_s: 0.0,
        leak_pa_per_s: 0.0,
        leak_sigma_pa_per_s: 0.0,
        leak_limit_pa_per_s: None,
        noise_pa: 0.0,
        resolution_pa: 0.0,
        alarm_sigma: 0.0,
        period_s: r.period_s,
        settle_s: SETTLE_S,
        least_s: LEAST_S,
    });
    let mut state = VacuumState::default();
    let mut rates = Vec::new();
    for (pressure, phase) in r.pressure_pa.iter().zip(r.phase) {
        if !pressure.is_finite() {
            state.interrupt();
            continue;
        }
        state.predict(&params);
        let found = state.correct(&params, *pressure, *phase);
        rates.extend(found.ended.map(|rate| rate.rate_pa_per_s));
    }
    if rates.len() < 3 {
        return Err("fewer than three holds of the part: record for longer");
    }
    let leak_sigma_pa_per_s = spread(&rates);
    Ok(VacuumFit {
        final_pressure_pa,
        final_pressure_error_pa: error(finals, spread(finals)),
        time_constant_s,
        time_constant_error_s: error(times, spread(times).max(least_s)),
        valve_delay,
        leak_pa_per_s: mean(&rates),
        leak_error_pa_per_s: leak_sigma_pa_per_s / libm::sqrt(rates.len() as f64),
        leak_sigma_pa_per_s,
        holds: rates.len() as u32,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation; no number of a single value.
fn spread(values: &[f64]) -> f64 {
    let mean = mean(values);
    let square = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    libm::sqrt(square / (values.len() as f64 - 1.0))
}

/// Standard error of a mean, where there is more than one value.
fn error(values: &[f64], spread: f64) -> Option<f64> {
    (values.len() > 1).then(|| spread / libm::sqrt(values.len() as f64))
}

/// All evacuations of a recording.
struct Evacuations {
    /// Pressure at the end of each (Pa).
    finals: Vec<f64>,
    /// Time to 1/e of each (s).
    times: Vec<f64>,
    /// Dead times and time constants behind them (s), of those that have samples enough.
    behind_the_valve: [Vec<f64>; 2],
}

impl Evacuations {
    /// The dead time and its standard error, where there is one: longer than a period, within which nobody knows when the valve was told, and
    /// beyond its error.
    fn valve_delay(&self, period_s: f64, rounding_s: f64) -> Option<[f64; 2]> {
        let [delays, _] = &self.behind_the_valve;
        let error_s = error(delays, spread(delays).max(rounding_s))?;
        let delay_s = mean(delays);
        (delay_s > period_s.max(SIGNIFICANT * error_s)).then_some([delay_s, error_s])
    }
}

/// All evacuations, none of finals and times empty: `p - pf` falls to 1/e in one time constant, wherever it begins.
/// The sample that is first below is late by half a period on average: the fall to it is taken as a straight line.
fn evacuations(r: &VacuumRecord<'_>) -> Option<Evacuations> {
    let mut finals = Vec::new();
    let mut starts = Vec::new();
    for k in 1..r.phase.len() {
        if r.phase[k] == Phase::Evacuate && r.phase[k - 1] != Phase::Evacuate {
            starts.push(k);
        }
        if r.phase[k] != Phase::Evacuate && r.phase[k - 1] == Phase::Evacuate {
            finals.push(r.pressure_pa[k - 1]);
        }
    }
    if finals.is_empty() || starts.is_empty() {
        return None;
    }
    let final_pa = mean(&finals);
    let mut times = Vec::new();
    let mut behind_the_valve = [Vec::new(), Vec::new()];
    for start in starts {
        let span = r.pressure_pa[start] - final_pa;
        let aim = final_pa + span * libm::exp(-1.0);
        let fall = &r.pressure_pa[start..];
        let reached = fall.iter().position(|p| *p <= aim);
        if let Some(cycles) = reached.filter(|c| *c > 0 && span > 1000.0) {
            let (above, below) = (fall[cycles - 1], fall[cycles]);
            // No number before it, and nothing is known of the fall.
            let early = if above.is_finite() {
                (aim - below) / (above - below)
            } else {
                0.5
            };
            times.push((cycles as f64 - early) * r.period_s);
            let phases = r.phase[start..].iter();
            let cycles = phases
                .take_while(|phase| **phase == Phase::Evacuate)
                .count();
            if let Some(found) = valve_and_circuit(&fall[..cycles], final_pa, r.period_s) {
                for (list, value) in behind_the_valve.iter_mut().zip(found) {
                    list.push(value);
                }
            }
        }
    }
    (!times.is_empty()).then_some(Evacuations {
        finals,
        times,
        behind_the_valve,
    })
}

/// Dead time of the valve and time constant behind it (s) of one evacuation; none where too few samples lie on its fall.
fn valve_and_circuit(fall: &[f64], final_pa: f64, period_s: f64) -> Option<[f64; 2]> {
    let span_pa = fall.first()? - final_pa;
    let left = |p: &f64| (p - final_pa) / span_pa;
    let from = fall.iter().position(|p| left(p) < FALL[0])?;
    let until = from + fall.get(from..)?.iter().position(|p| left(p) < FALL[1])?;
    let (mut w, mut wt, mut wy, mut wtt, mut wty) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut count = 0;
    for (k, p) in fall.iter().enumerate().take(until).skip(from) {
        let share = left(p);
        if !(share > 0.0 && share.is_finite()) {
            continue;
        }
        // The noise of a reading is the same everywhere, that of its logarithm is not.
        let (weight, t, y) = (share * share, k as f64 * period_s, libm::log(share));
        w += weight;
        wt += weight * t;
        wy += weight * y;
        wtt += weight * t * t;
        wty += weight * t * y;
        count += 1;
    }
    let det = w * wtt - wt * wt;
    let slope = (w * wty - wt * wy) / det;
    let offset = (wy - slope * wt) / w;
    let found = [-offset / slope, -1.0 / slope];
    let told = count >= LEAST_ON_FALL && slope < 0.0 && found.iter().all(|x| x.is_finite());
    told.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_circuit_comes_back() {
        let (mut pressure, mut phase) = (Vec::new(), Vec::new());
        let mut p = 101_325.0;
        for k in 0..20_000 {
            let at = k % 2000;
            let now = if at < 700 {
                Phase::Evacuate
            } else if at < 1700 {
                Phase::Hold
            } else {
                Phase::Release
            };
            match now {
                Phase::Evacuate => p += 0.001 * (25_000.0 - p) / 0.1,
                Phase::Hold => p += 0.001 * 300.0 * (101_325.0 - p) / 76_325.0,
                Phase::Release => p += 0.001 * (101_325.0 - p) / 0.02,
            }
            pressure.push(p);
            phase.push(now);
        }
        let r = VacuumRecord {
            period_s: 0.001,
            pressure_pa: &pressure,
            phase: &phase,
        };
        let fit = fit_vacuum(&r).expect("complete");
        assert!((fit.final_pressure_pa - 25_000.0).abs() < 200.0, "{fit:?}");
        assert!((fit.time_constant_s - 0.1).abs() < 0.001, "{fit:?}");
        assert!((fit.leak_pa_per_s - 300.0).abs() < 5.0, "{fit:?}");
        assert_eq!(fit.holds, 10);
        // All evacuations are alike, but for the first, and a time is known to its period.
        let time_error_s = fit.time_constant_error_s.expect("ten of them");
        assert!((9e-5..3e-4).contains(&time_error_s), "{fit:?}");
        assert!(
            fit.final_pressure_error_pa.is_some_and(|e| e < 50.0),
            "{fit:?}"
        );
    }

    /// Twelve evacuations, holds and releases of a circuit behind a valve and a sensor with a lag, in steps of 20 us, with the noise of a sensor.
    fn behind_a_valve(period_s: f64, valve_s: f64, sensor_s: f64) -> VacuumFit {
        const STEP_S: f64 = 2e-5;
        let (mut pressure, mut phase) = (Vec::new(), Vec::new());
        let (mut p, mut shown, mut seed) = (101_325.0, 101_325.0, 5_u64);
        let every = (period_s / STEP_S).round() as u32;
        for k in 0..(12.0 * 1.8 / STEP_S) as u32 {
            let at_s = f64::from(k % 90_000) * STEP_S;
            // As the plant's valves: the same time late in opening and in closing.
            let valve = (at_s - valve_s).rem_euclid(1.8);
            p += STEP_S
                * if valve < 0.7 {
                    (25_000.0 - p) / 0.08 + 300.0 * (101_325.0 - p) / 76_325.0
                } else if valve < 1.6 {
                    300.0 * (101_325.0 - p) / 76_325.0
                } else {
                    (101_325.0 - p) / 0.02
                };
            shown += if sensor_s > 0.0 {
                (p - shown) * STEP_S / sensor_s
            } else {
                p - shown
            };
            if k % every == 0 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let noise = (seed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
                pressure.push(shown + 14.0 * noise);
                phase.push(if at_s < 0.7 {
                    Phase::Evacuate
                } else if at_s < 1.6 {
                    Phase::Hold
                } else {
                    Phase::Release
                });
            }
        }
        fit_vacuum(&VacuumRecord {
            period_s,
            pressure_pa: &pressure,
            phase: &phase,
        })
        .expect("complete")
    }

    /// Would show a time constant that has the valve in it, or a valve that is not there.
    #[test]
    fn the_dead_time_of_the_valve_is_told_from_the_time_constant() {
        for period_s in [1e-3, 4e-3, 1e-2] {
            for (valve_s, sensor_s) in [
                (0.0, 0.0),
                (0.0123, 0.0),
                (0.012, 2e-3),
                (0.0251, 5e-3),
                (0.08, 0.0),
            ] {
                let fit = behind_a_valve(period_s, valve_s, sensor_s);
                println!("{period_s} s, valve {valve_s} s, sensor {sensor_s} s: {fit:?}");
                let late_s = valve_s + sensor_s;
                // A leak of 300 Pa/s shortens it by some 0.4 permille.
                let off = fit.time_constant_s / 0.08 - 1.0;
                match fit.valve_delay {
                    Some([found_s, error_s]) => {
                        assert!(late_s > period_s, "{fit:?}");
                        assert!((found_s - late_s).abs() < 2e-4, "{fit:?}");
                        assert!(error_s > 0.0 && error_s < 0.1 * period_s, "{fit:?}");
                        assert!(off.abs() < 0.005, "{fit:?}");
                        assert!(
                            fit.time_constant_error_s
                                .is_some_and(|e| e > 0.0 && e < 1e-3)
                        );
                    }
                    None => assert!(late_s == 0.0 && off.abs() < 0.01, "{fit:?}"),
                }
            }
        }
    }

    /// Ten evacuations that begin anywhere between two samples, at a period that is long beside the time constant: whole periods would be late
    /// by half of one, which no mean over the evacuations takes away.
    #[test]
    fn a_time_constant_is_within_its_standard_error_at_a_long_period() {
        const PERIOD_S: f64 = 0.02;
        const TAU_S: f64 = 0.1;
        for late in [0.0, 0.25, 0.5, 0.75, 0.99] {
            let (mut pressure, mut phase) = (Vec::new(), Vec::new());
            for n in 0..10 {
                let begin_s = PERIOD_S * ((late + 0.1 * f64::from(n)) % 1.0);
                for k in 0..200 {
                    let now = if k < 60 { Phase::Evacuate } else { Phase::Hold };
                    let t = (f64::from(k) * PERIOD_S + begin_s).min(60.0 * PERIOD_S);
                    let held = 2.0 * f64::from((k - 60).max(0));
                    pressure.push(25_000.0 + 76_000.0 * libm::exp(-t / TAU_S) + held);
                    phase.push(now);
                }
                for _ in 0..20 {
                    pressure.push(101_000.0);
                    phase.push(Phase::Release);
                }
            }
            let fit = fit_vacuum(&VacuumRecord {
                period_s: PERIOD_S,
                pressure_pa: &pressure,
                phase: &phase,
            })
            .expect("complete");
            let off = (fit.time_constant_s - TAU_S).abs();
            let error_s = fit.time_constant_error_s.expect("ten of them");
            assert!(off < 2.0 * error_s, "{late}: {off} s beside {error_s} s");
        }
    }
}
