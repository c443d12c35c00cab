//! Vacuum stations.

use super::{MAX_DWELL_S, MAX_LAG_S, Whole, asset_id, needs};
use crate::check::{Bounds, Check};
use crate::machine::{Station, StationPlant, StationTwin};
use crate::raw::{StationPlantTable, StationTable, StationTwinTable};

/// The ejector cannot do better than vacuum, nor be worse than the air around it (Pa).
const FINAL_PRESSURE: Bounds = Bounds::between(0.0, 101_325.0);

pub(super) fn station(raw: &StationTable, whole: &Whole, check: &mut Check) -> Station {
    let time = Bounds::up_to(MAX_DWELL_S);
    if raw.plant.is_none() && whole.simulated {
        needs(check, &raw.name, "station.plant", "to be simulated");
    }
    Station {
        name: raw.name.value.clone(),
        asset_id: asset_id(raw.asset_id.as_ref(), check),
        pressure_pa_per_count: check.si(
            "pressure_per_count",
            &raw.pressure_per_count,
            Bounds::up_to(1e6),
        ),
        pressure_offset_pa: check.si_or(
            "pressure_offset",
            raw.pressure_offset.as_ref(),
            Bounds::any(),
            0.0,
        ),
        evacuate_s: check.si("evacuate", &raw.evacuate, time),
        hold_s: check.si("hold", &raw.hold, time),
        release_s: check.si("release", &raw.release, time),
        twin: raw.twin.as_ref().map(|raw| twin(raw, check)),
        plant: raw.plant.as_ref().map(|raw| plant(raw, check)),
    }
}

fn twin(raw: &StationTwinTable, check: &mut Check) -> StationTwin {
    StationTwin {
        final_pressure_pa: check.si("final_pressure", &raw.final_pressure, FINAL_PRESSURE),
        evacuation_time_constant_s: check.si(
            "evacuation_time_constant",
            &raw.evacuation_time_constant,
            Bounds::up_to(MAX_LAG_S),
        ),
        leak_pa_per_s: check.si("leak", &raw.leak, Bounds::any()),
        leak_sigma_pa_per_s: check.si("leak_sigma", &raw.leak_sigma, Bounds::positive()),
        pressure_limit_pa: (raw.pressure_limit.as_ref())
            .map(|limit| check.si("pressure_limit", limit, Bounds::positive())),
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
