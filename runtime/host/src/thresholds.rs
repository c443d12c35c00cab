//! Thresholds of the one-cycle innovations of axes and stations, from the asked interval between false alarms and the tails of the healthy record.
//!
//! Every detector of every axis is a stream and gets the same share of the asked rate ([`Shares`]). The level that its tail passes at that rate
//! is its threshold. Asked for an interval within the healthy record the fit of the tail alone decides, although one stream of many
//! has less than one alarm in the record then: all of them together have what was asked. Where the healthy record is shorter than the
//! asked interval the level is extrapolated, with a heavier tail, and then it stands
//! at least [`BEYOND`] times above the largest value seen: a record holds a few hundred movements of a few parts, and what
//! it lacks is not in its tail. An explicit limit in the configuration overrides that of the tail.

use crate::false_alarms::{Extrapolated, Shares};
use crate::plan::figures;
use twinstep_config::machine::{Axis, AxisTwin, HealthyInnovation, Machine, StationTwin};
use twinstep_models::innovation::{NEXT, WHITENED, WHITENED_CHANNELS, Whitened};
use twinstep_models::tail::Tail;

/// Least level of an extrapolated threshold over the largest value of the healthy record.
pub const BEYOND: f64 = 1.5;

/// Thresholds of one axis, as [`twinstep_cycle::plan::AxisPlan`] has them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Innovation {
    /// Limits of position (m), velocity (m/s) and current (A); none: off.
    pub limits: [Option<f64>; NEXT],
    /// Whitening of position and current with the thresholds of window and CUSUM; none: off.
    pub whitened: [Option<Whitened>; WHITENED],
    /// Limit of the drift of a free run (m); none: off.
    pub drift_m: Option<f64>,
}

/// Detectors of innovations that have a tail, over the whole machine.
pub fn streams(machine: &Machine) -> usize {
    twins(machine)
        .flat_map(|twin| twin.innovations.iter().flatten())
        .map(|healthy| healthy.tails().iter().flatten().count())
        .sum::<usize>()
        + pressures(machine).count()
}

/// Stations whose pressure is judged by a tail.
fn pressures(machine: &Machine) -> impl Iterator<Item = (&StationTwin, f64, Tail)> {
    let twins = (machine.stations.iter()).filter_map(|station| station.twin.as_ref());
    twins.filter_map(|twin| twin.pressure_tail.map(|(sigma, tail)| (twin, sigma, tail)))
}

/// Limit of the one-cycle innovation of a station's pressure (Pa); none: off.
pub fn pressure_pa(twin: &StationTwin, asked_s: f64, shares: Shares) -> Option<f64> {
    let learnt = || {
        let (sigma_pa, tail) = twin.pressure_tail?;
        Some(sigma_pa * level(&tail, asked_s, shares))
    };
    twin.pressure_limit_pa.or_else(learnt)
}

/// The shortest healthy record among the tails and figures (s); none without both.
pub fn shortest_record_s(machine: &Machine) -> Option<f64> {
    twins(machine)
        .flat_map(|twin| twin.innovations.iter().flatten())
        .flat_map(|healthy| healthy.tails().into_iter().flatten())
        .chain(pressures(machine).map(|(_, _, tail)| tail))
        .map(|tail| tail.record_s)
        .chain(figures::laws(machine).map(|law| law.record_s))
        .min_by(f64::total_cmp)
}

/// The thresholds of one axis. `shares` are those of all judged streams of the machine.
pub fn of(twin: &AxisTwin, asked_s: f64, shares: Shares) -> Innovation {
    let explicit = limits(twin);
    let level = |tail: Tail| level(&tail, asked_s, shares);
    Innovation {
        limits: std::array::from_fn(|c| {
            explicit[c].or_else(|| {
                let healthy = twin.innovations[c]?;
                Some(healthy.sigma * level(healthy.fast_limit?))
            })
        }),
        drift_m: twin.innovations[HealthyInnovation::DRIFT]
            .and_then(|healthy| Some(healthy.sigma * level(healthy.fast_limit?))),
        whitened: WHITENED_CHANNELS.map(|c| {
            let healthy = twin.innovations[c]?;
            Some(Whitened {
                correlation: healthy.correlation,
                sigma: healthy.sigma,
                window: healthy.window.map_or(f64::INFINITY, level),
                cusum: healthy.cusum.map_or(f64::INFINITY, level),
            })
        }),
    }
}

/// What the tails say of the rate of false alarms at the thresholds in force, all streams of the machine together. Streams without a tail
/// (leaks) count with the share that their thresholds were computed for.
///
/// None where nothing is known: neither tails nor figures with a law, or a limit without a tail.
pub fn extrapolated(machine: &Machine, shares: Shares) -> Option<Extrapolated> {
    let asked_s = machine.judge.false_alarm_interval_s;
    let mut all = Extrapolated::default();
    for twin in twins(machine) {
        let all_of = of(twin, asked_s, shares);
        let limits = all_of.limits.into_iter().chain([all_of.drift_m]);
        for (limit, healthy) in limits.zip(&twin.innovations) {
            let tails = healthy.map_or([None; 3], |h: HealthyInnovation| h.tails());
            if limit.is_some() && tails[0].is_none() {
                return None;
            }
            if let (Some(limit), Some(healthy), Some(tail)) = (limit, healthy, tails[0]) {
                all.add(&held(&tail, asked_s, shares), limit / healthy.sigma);
            }
            for tail in tails.iter().skip(1).flatten() {
                all.add(&held(tail, asked_s, shares), level(tail, asked_s, shares));
            }
        }
    }
    for station in &machine.stations {
        let Some(twin) = &station.twin else { continue };
        match (pressure_pa(twin, asked_s, shares), twin.pressure_tail) {
            (Some(limit_pa), Some((sigma_pa, tail))) => {
                all.add(&held(&tail, asked_s, shares), limit_pa / sigma_pa);
            }
            (Some(_), None) => return None,
            (None, _) => {}
        }
    }
    figures::extrapolate(machine, shares, &mut all);
    if all.streams == 0 {
        return None;
    }
    all.add_designed(
        shares.streams().saturating_sub(all.streams),
        shares.per_s(asked_s),
    );
    Some(all)
}

/// The threshold of one stream (the tail's unit).
fn level(tail: &Tail, asked_s: f64, shares: Shares) -> f64 {
    let level = held(tail, asked_s, shares).level(shares.per_s(asked_s));
    let least = if tail.record_s < asked_s {
        BEYOND * tail.largest
    } else {
        0.0
    };
    // A tail that was typed as nothing must not raise an alarm in every cycle.
    level.max(least).max(f64::MIN_POSITIVE)
}

/// The tail as it is held to be for what is asked.
fn held(tail: &Tail, asked_s: f64, shares: Shares) -> Tail {
    if asked_s <= tail.record_s {
        tail.reaching(shares.streams() as f64)
    } else {
        *tail
    }
}

fn limits(twin: &AxisTwin) -> [Option<f64>; NEXT] {
    [
        twin.position_limit_m,
        twin.velocity_limit_m_per_s,
        twin.current_limit_a,
    ]
}

fn twins(machine: &Machine) -> impl Iterator<Item = &AxisTwin> {
    let presses = machine.presses.iter().map(|press| &press.axis);
    (machine.axes.iter().chain(presses)).filter_map(|axis: &Axis| axis.twin.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: Tail = Tail {
        threshold: 3.0,
        scale: 0.4,
        shape: 0.1,
        beyond_shape: 0.1,
        clusters: 60.0,
        record_s: 180.0,
        largest: 6.0,
        reach: 1.0,
        raised: 0.0,
    };

    const SHARES: Shares = Shares {
        tails: 27,
        figures: 0,
    };

    fn machine() -> Machine {
        let mut machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let healthy = Some(HealthyInnovation {
            correlation: 0.9,
            sigma: 1e-6,
            fast_limit: Some(TAIL),
            window: Some(TAIL),
            cusum: None,
        });
        let presses = machine.presses.iter_mut().map(|p| &mut p.axis);
        for axis in machine.axes.iter_mut().chain(presses) {
            let twin = axis.twin.as_mut().unwrap();
            twin.position_limit_m = None;
            twin.velocity_limit_m_per_s = None;
            twin.current_limit_a = None;
            twin.innovations = [healthy, None, None, None];
            twin.baseline.clear();
        }
        for station in &mut machine.stations {
            station.twin.as_mut().unwrap().pressure_tail = None;
        }
        machine
    }

    #[test]
    fn a_short_record_keeps_its_distance_and_a_long_one_gives_its_tail() {
        let machine = machine();
        let twin = machine.axes[0].twin.as_ref().unwrap();
        let far = of(twin, 2_592_000.0, SHARES);
        let whitened = far.whitened[0].unwrap();
        assert!(whitened.window >= BEYOND * TAIL.largest, "{far:?}");
        assert_eq!(far.limits[0], Some(1e-6 * whitened.window));
        assert_eq!(whitened.cusum, f64::INFINITY, "no tail, not judged");
        assert_eq!((far.limits[1], far.whitened[1]), (None, None));
        let near = of(twin, 20.0, SHARES).whitened[0].unwrap();
        assert_eq!(near.window, TAIL.reaching(27.0).level(1.0 / (20.0 * 27.0)));
        assert!(near.window < whitened.window);
    }

    /// Would show a tail that was typed as nothing, and raises an alarm in every cycle.
    #[test]
    fn no_tail_is_no_threshold_and_a_tail_of_nothing_none_of_zero() {
        let mut machine = machine();
        let twin = machine.axes[0].twin.as_mut().unwrap();
        let nothing = Tail {
            threshold: 0.0,
            scale: 0.0,
            largest: 0.0,
            ..TAIL
        };
        let typed = Some(HealthyInnovation {
            correlation: 0.0,
            sigma: 1.0,
            fast_limit: Some(nothing),
            window: Some(nothing),
            cusum: Some(nothing),
        });
        twin.innovations = [typed, None, None, typed];
        for asked_s in [20.0, 2_592_000.0] {
            let found = of(twin, asked_s, SHARES);
            let whitened = found.whitened[0].unwrap();
            for level in [found.limits[0], found.drift_m].map(Option::unwrap) {
                assert!(level > 0.0, "{found:?}");
            }
            assert!(whitened.window > 0.0 && whitened.cusum > 0.0, "{found:?}");
            // What is not there judges nothing, and is not 0 either.
            assert_eq!(
                (found.limits[1], found.limits[2], found.whitened[1]),
                (None, None, None)
            );
        }
        // An innovation without the tail of its limit keeps its other detectors.
        twin.innovations[0].as_mut().unwrap().fast_limit = None;
        let found = of(twin, 20.0, SHARES);
        assert_eq!(found.limits[0], None);
        assert!(found.whitened[0].unwrap().window.is_finite());
    }

    #[test]
    fn a_pressure_has_the_limit_of_its_tail_and_counts() {
        let mut machine = machine();
        let without = extrapolated(&machine, SHARES).unwrap();
        let twin = machine.stations[0].twin.as_mut().unwrap();
        assert_eq!(pressure_pa(twin, 20.0, SHARES), None);
        twin.pressure_tail = Some((2.0, TAIL));
        let near_pa = pressure_pa(twin, 20.0, SHARES).unwrap();
        assert_eq!(
            near_pa,
            2.0 * TAIL.reaching(27.0).level(1.0 / (20.0 * 27.0))
        );
        let far_pa = pressure_pa(twin, 2_592_000.0, SHARES).unwrap();
        assert!(far_pa >= 2.0 * BEYOND * TAIL.largest, "{far_pa}");
        let with = extrapolated(&machine, SHARES).unwrap();
        // It takes the place of a stream that was counted with its share.
        assert_eq!(with.streams, without.streams);
        assert_eq!(
            streams(&machine),
            2 * (machine.axes.len() + machine.presses.len()) + 1
        );
        let twin = machine.stations[0].twin.as_mut().unwrap();
        twin.pressure_limit_pa = Some(9.0);
        assert_eq!(pressure_pa(twin, 20.0, SHARES), Some(9.0));
        twin.pressure_tail = None;
        assert_eq!(extrapolated(&machine, SHARES), None);
    }

    /// Would show a machine of signatures alone of which nothing is said.
    #[test]
    fn signatures_alone_are_extrapolated_and_no_further_than_their_least_threshold() {
        let text = include_str!("../../../rt-config/machines/cranfield.toml");
        let mut machine = twinstep_config::load(text, "cranfield.toml").unwrap();
        let mut interval_s = |asked_s: f64| {
            machine.judge.false_alarm_interval_s = asked_s;
            let all = extrapolated(&machine, crate::plan::shares(&machine)).unwrap();
            assert!(all.low_s() < all.interval_s(), "{all:?}");
            all.interval_s()
        };
        for asked_s in [3600.0, 604_800.0] {
            let found_s = interval_s(asked_s);
            assert!((found_s / asked_s - 1.0).abs() < 1e-6, "{found_s}");
        }
        // Two and a half spreads, of t with 8 degrees of freedom once in 54 movements of 13 s, by three families.
        let least_s = interval_s(20.0);
        assert!((least_s - 234.0).abs() < 10.0, "{least_s}");
        assert_eq!(least_s, interval_s(80.0));
    }

    #[test]
    fn an_explicit_limit_overrides_and_one_without_a_tail_leaves_nothing_known() {
        let mut machine = machine();
        let count = streams(&machine);
        let shares = Shares {
            tails: count,
            figures: 4,
        };
        assert_eq!(count, 2 * (machine.axes.len() + machine.presses.len()));
        // Where the record is long enough for what is asked, the tails say what was asked, and other streams their share.
        machine.judge.false_alarm_interval_s = 100.0;
        let all = extrapolated(&machine, shares).unwrap();
        assert_eq!(all.streams, count + 4);
        assert!((all.interval_s() / 100.0 - 1.0).abs() < 0.01, "{all:?}");
        let twin = machine.axes[0].twin.as_mut().unwrap();
        twin.position_limit_m = Some(1.0);
        assert_eq!(of(twin, 100.0, shares).limits[0], Some(1.0));
        assert!(extrapolated(&machine, shares).unwrap().rate_per_s < all.rate_per_s);
        machine.axes[0].twin.as_mut().unwrap().current_limit_a = Some(1.0);
        assert_eq!(extrapolated(&machine, shares), None);
    }
}
