//! How an axis moves, and the units that follow from it.

use super::Machine;

/// How an axis moves. Inside there is one unit of travel: of a rotary axis the radian takes the place of the metre, and every name that ends
/// in a unit means the one that [`AxisKind::unit`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AxisKind {
    /// Along a line, in metres.
    #[default]
    Linear,
    /// About an axle, in radians.
    Rotary,
}

impl AxisKind {
    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Rotary => "rotary",
        }
    }

    /// The word where it must be said: in lines whose keys name metres, kilograms and newtons. None of a linear axis.
    pub const fn told(self) -> Option<&'static str> {
        match self {
            Self::Linear => None,
            Self::Rotary => Some("rotary"),
        }
    }

    /// Of what [`Self::told`] said.
    pub fn of(told: Option<&str>) -> Self {
        match told {
            Some("rotary") => Self::Rotary,
            _ => Self::Linear,
        }
    }

    /// The SI unit that stands for the one of a linear axis.
    pub fn unit(self, linear: &'static str) -> &'static str {
        match (self, linear) {
            (Self::Linear, _) => linear,
            (Self::Rotary, "m") => "rad",
            (Self::Rotary, "m/s") => "rad/s",
            (Self::Rotary, "m/s2") => "rad/s2",
            (Self::Rotary, "m/s3") => "rad/s3",
            (Self::Rotary, "kg") => "kg m2",
            (Self::Rotary, "N") => "N m",
            (Self::Rotary, "N s/m") => "N m s/rad",
            (Self::Rotary, "N/m") => "N m/rad",
            (Self::Rotary, "N/A") => "N m/A",
            (Self::Rotary, "A s/m") => "A s/rad",
            (Self::Rotary, "A/m") => "A/rad",
            // What does not depend on the way: A, s, 1/s, Pa.
            (Self::Rotary, other) => other,
        }
    }

    /// Unit in which a person reads positions, and how many of it are one in SI.
    pub const fn way(self) -> (f64, &'static str) {
        match self {
            Self::Linear => (1e3, "mm"),
            Self::Rotary => (DEGREES, "deg"),
        }
    }

    /// The same of velocities.
    pub const fn speed(self) -> (f64, &'static str) {
        match self {
            Self::Linear => (1e3, "mm/s"),
            Self::Rotary => (DEGREES, "deg/s"),
        }
    }

    /// The same of what is small: limits, gaps, following errors.
    pub const fn small(self) -> (f64, &'static str) {
        match self {
            Self::Linear => (1e6, "um"),
            Self::Rotary => (1e3 * DEGREES, "mdeg"),
        }
    }
}

impl Machine {
    /// How the axis of this name moves. Presses are linear, and so is what is no axis.
    pub fn kind_of(&self, name: &str) -> AxisKind {
        let named = self.axes.iter().find(|axis| axis.name == name);
        named.map_or(AxisKind::Linear, |axis| axis.kind)
    }
}

/// Degrees a radian.
const DEGREES: f64 = 180.0 / std::f64::consts::PI;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{LENGTH, VELOCITY, WITH_COUNTERPART};

    #[test]
    fn units_that_are_printed_are_those_that_are_read() {
        for linear in &WITH_COUNTERPART {
            let rotary = linear.rotary().unwrap();
            assert_eq!(AxisKind::Rotary.unit(linear.si()), rotary.si());
            assert_eq!(AxisKind::Linear.unit(linear.si()), linear.si());
        }
        assert_eq!(AxisKind::Rotary.unit("A"), "A");
    }

    #[test]
    fn what_is_told_reads_back() {
        for kind in [AxisKind::Linear, AxisKind::Rotary] {
            assert_eq!(AxisKind::of(kind.told()), kind);
        }
        assert_eq!(AxisKind::Rotary.told(), Some(AxisKind::Rotary.name()));
    }

    #[test]
    fn what_a_person_reads_can_be_written_back() {
        for (kind, place, speed) in [
            (AxisKind::Linear, &LENGTH, &VELOCITY),
            (
                AxisKind::Rotary,
                LENGTH.rotary().unwrap(),
                VELOCITY.rotary().unwrap(),
            ),
        ] {
            let shown = [
                (kind.way(), place),
                (kind.small(), place),
                (kind.speed(), speed),
            ];
            for ((per_si, unit), dimension) in shown {
                let si = dimension.parse(&format!("1{unit}")).unwrap();
                assert!((si * per_si - 1.0).abs() < 1e-12, "{unit}");
            }
        }
    }
}
