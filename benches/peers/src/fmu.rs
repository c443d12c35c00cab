//! The FMU of `c/fmu.c`, stepped by the `fmi` crate: per cycle one input set, one step, three outputs read.

use crate::Runner;
use crate::scenario::{PARAMS, Params, STATES, Scenario, State};
use fmi::fmi2::import::Fmi2Import;
use fmi::fmi2::instance::{CoSimulation, Common, InstanceCS};
use std::error::Error;
use std::path::Path;

// Value references: see c/fmu.c.
const TARGET: u32 = 0;
const OUTPUT: u32 = 1;
const PARAMETER: u32 = 10;
const START: u32 = 40;
const START_TARGET: u32 = START + STATES as u32;
/// Position, velocity and reported current: what is compared with a measurement.
const READ: [u32; 3] = [OUTPUT, OUTPUT + 1, OUTPUT + 4];

/// All axes: one instance each.
pub struct Fmu {
    instances: Vec<InstanceCS>,
    outputs: Vec<[f64; 3]>,
}

impl Fmu {
    /// Loads the FMU once for all.
    pub fn new(path: &Path, axes: usize) -> Result<Self, Box<dyn Error>> {
        let import: Fmi2Import =
            fmi::import::from_path(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let instances = (0..axes)
            .map(|n| import.instantiate_cs(&format!("axis{n}"), false, false))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            instances,
            outputs: vec![[0.0; 3]; axes],
        })
    }
}

fn values(p: &Params) -> [f64; PARAMS] {
    [
        p.inertia,
        p.coulomb_positive_a,
        p.coulomb_negative_a,
        p.viscous,
        p.stribeck_a,
        p.stribeck_velocity_m_per_s,
        p.gravity_a,
        p.position_gain_per_s,
        p.velocity_gain,
        p.integral_gain,
        p.velocity_feedforward,
        p.limit_a,
        p.current_time_constant_s,
        p.current_filter_s,
        p.smooth_m_per_s,
        p.observer_hz,
    ]
}

impl Runner for Fmu {
    fn start(&mut self, scenario: &Scenario) -> Result<(), Box<dyn Error>> {
        let parameters: [u32; PARAMS] = std::array::from_fn(|n| PARAMETER + n as u32);
        let starts: [u32; STATES] = std::array::from_fn(|n| START + n as u32);
        for (n, instance) in self.instances.iter_mut().enumerate() {
            instance.reset()?;
            instance.set_real(&parameters, &values(&scenario.params[n]))?;
            instance.set_real(&starts, &scenario.start[n])?;
            instance.set_real(&[START_TARGET], &[scenario.targets_m(0)[n]])?;
            instance.setup_experiment(None, 0.0, None)?;
            instance.enter_initialization_mode()?;
            instance.exit_initialization_mode()?;
        }
        Ok(())
    }

    fn cycle(&mut self, scenario: &Scenario, k: usize) -> Result<(), Box<dyn Error>> {
        let time_s = k as f64 * scenario.period_s;
        let axes = self.instances.iter_mut().zip(scenario.targets_m(k + 1));
        for ((instance, target_m), outputs) in axes.zip(&mut self.outputs) {
            instance.set_real(&[TARGET], &[*target_m])?;
            instance.do_step(time_s, scenario.period_s, true)?;
            instance.get_real(&READ, outputs)?;
        }
        Ok(())
    }

    fn states(&mut self, states: &mut [State]) -> Result<(), Box<dyn Error>> {
        let outputs: [u32; STATES] = std::array::from_fn(|n| OUTPUT + n as u32);
        for (instance, state) in self.instances.iter_mut().zip(states) {
            instance.get_real(&outputs, state)?;
        }
        Ok(())
    }
}
