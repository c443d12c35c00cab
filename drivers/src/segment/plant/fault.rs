//! Faults of the plant: what they change, and how much of them is there yet.

use super::press::Placed;
use super::signals::Modifiers;

/// What a fault does to the plant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    /// Factor on friction of a drive's axis (1).
    Friction(f64),
    /// Mass added to it (kg).
    Load(f64),
    /// Gap added to it (m).
    Backlash(f64),
    /// Gain of its current sensor (1).
    CurrentGain(f64),
    /// The drive faults, once.
    DriveFault(u16),
    /// Leak added to a station (Pa/s).
    Leak(f64),
    /// Part put in instead of the recipe's.
    Part(Placed),
    /// Way by which the encoder slips (m).
    EncoderSlip(f64),
    /// Factor on viscous friction and on static friction beyond that in motion (1).
    Lubrication(f64),
    /// Amplitude of friction over a revolution, relative to friction (1).
    Spalling(f64),
    /// Factor on the stiffness of a press and its stiffest part in series (1).
    Stiffness(f64),
    /// Share of the torque of its brake that stays when the brake should be open (1).
    Brake(f64),
    /// It cannot leave the place where it stands, which moves on by this way (m).
    Jam(f64),
}

/// Share of a lack of lubrication that Coulomb friction takes.
const DRY_COULOMB: f64 = 0.25;
/// Share of the amplitude of spalling by which mean friction falls.
const SPALLED_MEAN: f64 = 0.25;
/// Jumps in which an encoder slips over a ramp: a coupling holds, and gives way.
const SLIPS: f64 = 10.0;

/// One injected fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Injected {
    pub effect: Effect,
    /// Index of the drive or station.
    pub target: usize,
    /// From the start of operation (ns).
    pub at_ns: u64,
    pub ramp_ns: u64,
    /// An effect that happens once has happened.
    pub done: bool,
}

impl Injected {
    /// Share of the fault that is there at `now_ns` from the start of operation (0 to 1).
    pub fn share(&self, now_ns: u64) -> f64 {
        match now_ns.checked_sub(self.at_ns) {
            None => 0.0,
            Some(_) if self.ramp_ns == 0 => 1.0,
            Some(since) => (since as f64 / self.ramp_ns as f64).min(1.0),
        }
    }

    /// Adds this fault's share to an axis.
    pub fn apply(&self, share: f64, to: &mut Modifiers) {
        match self.effect {
            Effect::Friction(factor) => to.friction *= 1.0 + (factor - 1.0) * share,
            Effect::Load(mass_kg) => to.mass_kg += mass_kg * share,
            Effect::Backlash(gap_m) => to.gap_m += gap_m * share,
            Effect::CurrentGain(factor) => to.current_gain *= 1.0 + (factor - 1.0) * share,
            Effect::EncoderSlip(step_m) => to.slip_m += step_m * (share * SLIPS).floor() / SLIPS,
            Effect::Stiffness(factor) => to.stiffness *= 1.0 + (factor - 1.0) * share,
            Effect::Brake(most) => to.brake = to.brake.max(most * share),
            Effect::Jam(push_m) => to.jam_m = Some(to.jam_m.unwrap_or(0.0) + push_m * share),
            Effect::Lubrication(factor) => {
                to.dry *= 1.0 + (factor - 1.0) * share;
                to.friction *= 1.0 + DRY_COULOMB * (factor - 1.0) * share;
            }
            Effect::Spalling(depth) => {
                to.spalling += depth * share;
                to.friction *= 1.0 - SPALLED_MEAN * depth * share;
            }
            Effect::DriveFault(_) | Effect::Leak(_) | Effect::Part(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_grows_from_nothing_to_its_size_and_a_step_is_there_at_once() {
        let mut fault = Injected {
            effect: Effect::Friction(1.2),
            target: 0,
            at_ns: 1000,
            ramp_ns: 100,
            done: false,
        };
        assert_eq!(fault.share(999), 0.0);
        assert_eq!(fault.share(1000), 0.0);
        assert_eq!(fault.share(1050), 0.5);
        assert_eq!(fault.share(5000), 1.0);
        let mut modifiers = Modifiers::default();
        fault.apply(0.5, &mut modifiers);
        assert!((modifiers.friction - 1.1).abs() < 1e-12);
        fault.ramp_ns = 0;
        assert_eq!(fault.share(1000), 1.0);
    }

    #[test]
    fn an_encoder_slips_in_tenths_and_dry_surfaces_change_viscous_friction_most() {
        let of = |effect, share| {
            let fault = Injected {
                effect,
                target: 0,
                at_ns: 0,
                ramp_ns: 100,
                done: false,
            };
            let mut modifiers = Modifiers::default();
            fault.apply(share, &mut modifiers);
            modifiers
        };
        assert_eq!(of(Effect::EncoderSlip(1e-3), 0.0).slip_m, 0.0);
        assert!((of(Effect::EncoderSlip(1e-3), 0.39).slip_m - 0.3e-3).abs() < 1e-12);
        assert_eq!(of(Effect::EncoderSlip(1e-3), 1.0).slip_m, 1e-3);
        let dry = of(Effect::Lubrication(3.0), 0.5);
        assert!((dry.dry - 2.0).abs() < 1e-12 && (dry.friction - 1.25).abs() < 1e-12);
        let spalled = of(Effect::Spalling(0.4), 1.0);
        assert!((spalled.spalling - 0.4).abs() < 1e-12 && (spalled.friction - 0.9).abs() < 1e-12);
    }

    #[test]
    fn the_tightest_brake_counts_and_pushes_of_jams_add_up() {
        let mut modifiers = Modifiers::default();
        assert_eq!((modifiers.brake, modifiers.jam_m), (0.0, None));
        for (effect, share) in [
            (Effect::Brake(0.4), 0.5),
            (Effect::Brake(0.1), 1.0),
            (Effect::Jam(20e-6), 0.5),
            (Effect::Jam(0.0), 1.0),
        ] {
            let fault = Injected {
                effect,
                target: 0,
                at_ns: 0,
                ramp_ns: 100,
                done: false,
            };
            fault.apply(share, &mut modifiers);
        }
        assert_eq!((modifiers.brake, modifiers.jam_m), (0.2, Some(10e-6)));
    }
}
