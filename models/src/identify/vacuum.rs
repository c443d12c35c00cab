//! The vacuum circuit from a recording: final pressure, time constant, leak rate and its spread.

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

/// Fits one station.
///
/// # Errors
/// In words, what the recording lacks.
pub fn fit_vacuum(r: &VacuumRecord<'_>) -> Result<VacuumFit, &'static str> {
    let (finals, times) = evacuation(r).ok_or("the recording has no complete evacuation")?;
    let (final_pressure_pa, time_constant_s) = (mean(&finals), mean(&times));
    let params = VacuumParams::new(&Circuit {
        final_pressure_pa,
        time_constant_s,
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
    // How the pressure falls between two samples is not seen.
    let rounding_s = r.period_s / libm::sqrt(12.0);
    Ok(VacuumFit {
        final_pressure_pa,
        final_pressure_error_pa: error(&finals, spread(&finals)),
        time_constant_s,
        time_constant_error_s: error(&times, spread(&times).max(rounding_s)),
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

/// Final pressures and time constants, none of both empty, of all evacuations: `p - pf` falls to 1/e in one time constant, wherever it begins.
/// The sample that is first below is late by half a period on average: the fall to it is taken as a straight line.
fn evacuation(r: &VacuumRecord<'_>) -> Option<(Vec<f64>, Vec<f64>)> {
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
        }
    }
    (!times.is_empty()).then_some((finals, times))
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
