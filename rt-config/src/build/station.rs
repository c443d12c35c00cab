//! Vacuum stations.

use super::{MAX_DWELL_S, MAX_LAG_S, Whole, asset_id, needs};
use crate::check::{Bounds, Check};
use crate::machine::{Station, StationPlant, StationTwin};
use crate::raw::{StationPlantTable, StationTable, StationTwinTable};
use crate::value::{Dim, Quantity};
use twinstep_models::vacuum::{AMBIENT_PA, LARGEST_PA};

/// The ejector cannot do better than vacuum, nor be worse than the air around it (Pa).
const FINAL_PRESSURE: Bounds = Bounds::between(0.0, AMBIENT_PA);
/// The twin's circuit may hold a pressure above that of the air as well (Pa).
const HELD_PRESSURE: Bounds = Bounds::between(0.0, LARGEST_PA);
/// Time constant of a station that only holds (s): nothing depends on it.
const NEVER_EVACUATES_S: f64 = 0.1;

pub(super) fn station(raw: &StationTable, whole: &Whole, check: &mut Check) -> Station {
    let time = Bounds::up_to(MAX_DWELL_S);
    if raw.plant.is_none() && whole.simulated {
        needs(check, &raw.name, "station.plant", "to be simulated");
    }
    Station {
        name: raw.name.value.clone(),
        asset_id: asset_id(raw.asset_id.as_ref(), check),
        pressure_pa_per_count: on_a_bus(
            "pressure_per_count",
            raw.pressure_per_count.as_ref(),
            Bounds::up_to(1e6),
            raw,
            whole,
            check,
        ),
        pressure_offset_pa: check.si_or(
            "pressure_offset",
            raw.pressure_offset.as_ref(),
            Bounds::any(),
            0.0,
        ),
        evacuate_s: on_a_bus("evacuate", raw.evacuate.as_ref(), time, raw, whole, check),
        hold_s: on_a_bus("hold", raw.hold.as_ref(), time, raw, whole, check),
        release_s: on_a_bus("release", raw.release.as_ref(), time, raw, whole, check),
        leak_limit_pa_per_s: (raw.leak_limit.as_ref())
            .map(|limit| check.si("leak_limit", limit, Bounds::positive())),
        leak_factor: super::health::leak_factor(raw.health.as_ref(), check),
        twin: raw.twin.as_ref().map(|raw| twin(raw, check)),
        plant: raw.plant.as_ref().map(|raw| plant(raw, check)),
    }
}

/// A key that only a machine on a bus needs, 0 where it is missing.
fn on_a_bus<D: Dim>(
    key: &str,
    value: Option<&Quantity<D>>,
    bounds: Bounds,
    station: &StationTable,
    whole: &Whole,
    check: &mut Check,
) -> f64 {
    if value.is_none() && whole.bus {
        check.problem(
            &station.name.span,
            format!("a station on a bus needs `{key}`"),
            format!("has no `{key}`"),
            format!("add `{key}`; `twinstep check --schema` describes it"),
        );
    }
    check.si_or(key, value, bounds, 0.0)
}

fn twin(raw: &StationTwinTable, check: &mut Check) -> StationTwin {
    let final_pressure_pa = check.si("final_pressure", &raw.final_pressure, HELD_PRESSURE);
    if (final_pressure_pa - AMBIENT_PA).abs() < 1.0 {
        check.problem(
            &raw.final_pressure.span,
            "`final_pressure` is the ambient pressure: nothing is evacuated or held there",
            "neither vacuum nor pressure",
            "give the absolute pressure that the ejector or the supply reaches; a gauge pressure plus 1013.25mbar",
        );
    }
    let pressure_tail = match (&raw.pressure_sigma, &raw.pressure_tail) {
        (Some(sigma), Some(tail)) => Some((
            check.si("pressure_sigma", sigma, Bounds::positive()),
            super::twin::tail(tail, check),
        )),
        (None, None) => None,
        _ => {
            check.problem(
                &raw.final_pressure.span,
                "a station's twin has `pressure_sigma` and `pressure_tail` together, or neither",
                "one of them is missing in this table",
                "run `twinstep calibrate` again, or leave both out",
            );
            None
        }
    };
    StationTwin {
        final_pressure_pa,
        evacuation_time_constant_s: check.si_or(
            "evacuation_time_constant",
            raw.evacuation_time_constant.as_ref(),
            Bounds::up_to(MAX_LAG_S),
            NEVER_EVACUATES_S,
        ),
        valve_delay_s: (raw.valve_delay.as_ref())
            .map(|delay| check.si("valve_delay", delay, Bounds::up_to(MAX_LAG_S))),
        leak_pa_per_s: check.si("leak", &raw.leak, Bounds::any()),
        leak_sigma_pa_per_s: check.si("leak_sigma", &raw.leak_sigma, Bounds::positive()),
        pressure_limit_pa: (raw.pressure_limit.as_ref())
            .map(|limit| check.si("pressure_limit", limit, Bounds::positive())),
        pressure_tail,
        noise_pa: (raw.noise.as_ref()).map(|noise| check.si("noise", noise, Bounds::positive())),
    }
}

fn plant(raw: &StationPlantTable, check: &mut Check) -> StationPlant {
    StationPlant {
        final_pressure_pa: check.si("final_pressure", &raw.final_pressure, FINAL_PRESSURE),
        evacuation_time_constant_s: check.si(
            "evacuation_time_constant",
            &raw.evacuation_time_constant,
            Bounds::up_to(MAX_LAG_S),
        ),
        leak_pa_per_s: check.si("leak", &raw.leak, Bounds::not_negative()),
        noise_pa: check.si_or("noise", raw.noise.as_ref(), Bounds::not_negative(), 0.0),
    }
}
