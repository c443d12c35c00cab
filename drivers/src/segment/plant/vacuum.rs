//! The vacuum circuit behind an I/O station: ejector, gripper, leak, blow-off and the sensor.

use crate::rng::Rng;
use twinstep_config::machine::{Station, StationPlant};

/// Ambient pressure (Pa).
const AMBIENT_PA: f64 = 101_325.0;
/// Time constant of the blow-off (s).
const BLOW_OFF_S: f64 = 0.03;
/// Time for a valve to switch (s).
const VALVE_S: f64 = 0.012;
/// Filter of the sensor (s).
const SENSOR_S: f64 = 2e-3;
/// Spread of the leak from hold to hold: each part seals a little differently (1, standard deviation).
const LEAK_SPREAD: f64 = 0.05;

/// One gripper with its valves and sensor.
#[derive(Clone, Debug)]
pub struct StationUnit {
    /// Command: ejector on.
    pub ejector: bool,
    /// Command: blow-off valve open.
    pub blow_off: bool,
    plant: StationPlant,
    pa_per_count: f64,
    offset_pa: f64,
    dt_s: f64,
    rng: Rng,
    ejector_s: f64,
    blow_off_s: f64,
    seal: f64,
    pressure_pa: f64,
    sensor_pa: f64,
    counts: i16,
    /// Leak that a fault has added (Pa/s).
    pub(super) added_leak_pa_per_s: f64,
}

impl StationUnit {
    /// A gripper at ambient pressure; `machine_rng` draws the circuit, `rng` the sensor noise and how parts seal.
    pub(super) fn new(station: &Station, machine_rng: &mut Rng, rng: Rng, dt_s: f64) -> Self {
        let table = station.plant.unwrap_or(StationPlant {
            final_pressure_pa: 25_000.0,
            evacuation_time_constant_s: 0.1,
            leak_pa_per_s: 200.0,
            noise_pa: 5.0,
        });
        let vacuum = (AMBIENT_PA - table.final_pressure_pa) * machine_rng.around_one(0.02);
        let plant = StationPlant {
            final_pressure_pa: (AMBIENT_PA - vacuum).clamp(100.0, AMBIENT_PA - 100.0),
            evacuation_time_constant_s: (table.evacuation_time_constant_s
                * machine_rng.around_one(0.1))
            .max(4.0 * dt_s),
            leak_pa_per_s: table.leak_pa_per_s.max(0.0) * machine_rng.around_one(0.15),
            noise_pa: table.noise_pa * machine_rng.around_one(0.2),
        };
        let mut new = Self {
            ejector: false,
            blow_off: false,
            plant,
            pa_per_count: if station.pressure_pa_per_count == 0.0 {
                1.0
            } else {
                station.pressure_pa_per_count
            },
            offset_pa: station.pressure_offset_pa,
            dt_s,
            rng,
            ejector_s: 0.0,
            blow_off_s: 0.0,
            seal: 1.0,
            pressure_pa: AMBIENT_PA,
            sensor_pa: AMBIENT_PA,
            counts: 0,
            added_leak_pa_per_s: 0.0,
        };
        new.convert();
        new
    }

    /// Advances by one step of `dt_s`.
    pub(super) fn step(&mut self) {
        let dt = self.dt_s;
        let was_on = self.ejector_s >= VALVE_S;
        self.ejector_s = valve(self.ejector_s, self.ejector, dt);
        self.blow_off_s = valve(self.blow_off_s, self.blow_off, dt);
        // A valve is open from the end of its switching time on and closed the same time after the command went.
        let on = self.ejector_s >= VALVE_S;
        if on && !was_on {
            self.seal = (1.0 + LEAK_SPREAD * self.rng.bell()).max(0.1);
        }
        let p = &self.plant;
        let missing = (AMBIENT_PA - self.pressure_pa) / (AMBIENT_PA - p.final_pressure_pa);
        let leak = (p.leak_pa_per_s * self.seal + self.added_leak_pa_per_s) * missing;
        let mut rate = leak;
        if on {
            rate += (p.final_pressure_pa - self.pressure_pa) / p.evacuation_time_constant_s;
        }
        if self.blow_off_s >= VALVE_S {
            rate += (AMBIENT_PA - self.pressure_pa) / BLOW_OFF_S;
        }
        self.pressure_pa = (self.pressure_pa + rate * dt).clamp(0.0, AMBIENT_PA);
        self.sensor_pa += (self.pressure_pa - self.sensor_pa) * (dt / SENSOR_S);
        self.convert();
    }

    fn convert(&mut self) {
        let shown = self.sensor_pa + self.plant.noise_pa * self.rng.bell();
        let counts = ((shown - self.offset_pa) / self.pa_per_count + 0.5).floor();
        self.counts = counts as i16;
    }

    /// Analogue input (counts).
    pub fn pressure_counts(&self) -> i16 {
        self.counts
    }

    /// The ejector valve has switched on.
    pub fn ejector_feedback(&self) -> bool {
        self.ejector_s >= VALVE_S
    }

    /// True pressure in the gripper (Pa): for tests of the plant, never on the bus.
    pub fn true_pressure_pa(&self) -> f64 {
        self.pressure_pa
    }
}

/// How long a valve has been under way to where the command wants it: 0 to twice the switching time, open in the upper half.
fn valve(state_s: f64, command: bool, dt_s: f64) -> f64 {
    // Once switched, the other direction takes the full time again.
    if command {
        (state_s + dt_s).min(2.0 * VALVE_S)
    } else if state_s > VALVE_S {
        state_s - dt_s
    } else {
        0.0
    }
}
