//! Values with their place in the text: what the raw structs are made of.

use crate::units::{self, Dimension};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use toml::Spanned;

/// Place in the text (bytes).
pub(crate) type Span = Range<usize>;

/// The dimension of a key, as a type, so that the schema can tell it too.
pub(crate) trait Dim {
    /// Its units.
    const DIMENSIONS: &'static [&'static Dimension];
    /// Its name in the schema.
    const NAME: &'static str;
}

macro_rules! dimensions {
    ($($name:ident: $($dimension:ident)|+;)+) => {$(
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name;
        impl Dim for $name {
            const DIMENSIONS: &'static [&'static Dimension] = &[$(&units::$dimension),+];
            const NAME: &'static str = stringify!($name);
        }
    )+};
}

dimensions! {
    Number: NUMBER;
    Time: TIME;
    Length: LENGTH;
    Velocity: VELOCITY;
    Acceleration: ACCELERATION;
    Jerk: JERK;
    Mass: MASS;
    Inertia: INERTIA;
    Force: FORCE;
    Energy: ENERGY;
    Torque: TORQUE;
    Stiffness: STIFFNESS;
    Elasticity: ELASTICITY;
    Current: CURRENT;
    TorqueConstant: TORQUE_CONSTANT;
    PerSecond: PER_SECOND;
    Pressure: PRESSURE;
    PressureRate: PRESSURE_RATE;
    Resistance: RESISTANCE;
    Inductance: INDUCTANCE;
    Voltage: VOLTAGE;
    Temperature: TEMPERATURE;
    ThermalResistance: THERMAL_RESISTANCE;
    // An axis is linear or rotary.
    AxisPlace: LENGTH | ANGLE;
    AxisVelocity: VELOCITY | ANGULAR_VELOCITY;
    AxisAcceleration: ACCELERATION | ANGULAR_ACCELERATION;
    AxisJerk: JERK | ANGULAR_JERK;
    AxisMass: MASS | INERTIA;
    AxisForce: FORCE | TORQUE;
    AxisViscous: VISCOUS | ROTARY_VISCOUS;
    AxisStiffness: STIFFNESS | ROTARY_STIFFNESS;
    AxisForceConstant: FORCE_CONSTANT | TORQUE_CONSTANT;
    DriveVelocityGain: CURRENT_PER_VELOCITY | CURRENT_PER_ANGULAR_VELOCITY;
    // An axis' effort is a current, or a force or torque where a recording holds one.
    Effort: CURRENT | FORCE | TORQUE;
    EffortPerVelocity: CURRENT_PER_VELOCITY | VISCOUS | CURRENT_PER_ANGULAR_VELOCITY | ROTARY_VISCOUS;
    // A place of a drive is that of the axis, or the angle of a crank or table.
    DrivePlace: LENGTH | ANGLE;
    // A value of a force curve is a way or a force.
    CurvePlace: LENGTH | FORCE;
    // What an innovation is in the unit of.
    Innovation: LENGTH | VELOCITY | CURRENT | FORCE | ANGLE | ANGULAR_VELOCITY | TORQUE;
    EffortPerLength: CURRENT_PER_LENGTH | STIFFNESS | CURRENT_PER_ANGLE | ROTARY_STIFFNESS;
    // Of a regime: a speed, or an acceleration.
    Pace: VELOCITY | ACCELERATION | ANGULAR_VELOCITY | ANGULAR_ACCELERATION;
}

/// What stands in the file: text with a unit, or a plain number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    /// `"10mm"`.
    Text(String),
    /// `10` or `1.5`, as the shortest text that reads back as the same number.
    Plain(String),
}

impl Scalar {
    /// As it is shown in messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("\"{}\"", crate::error::shortened(text)),
            Self::Plain(number) => number.clone(),
        }
    }
}

/// A quantity of dimension `D`, not yet checked, with its place.
#[derive(Clone, Debug)]
pub(crate) struct Quantity<D> {
    pub(crate) scalar: Scalar,
    pub(crate) span: Span,
    dimension: PhantomData<D>,
}

struct ScalarVisitor<D>(PhantomData<D>);

impl<D: Dim> Visitor<'_> for ScalarVisitor<D> {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dimension) = D::DIMENSIONS.first() else {
            return f.write_str("a value");
        };
        if dimension.is_number() {
            write!(f, "a number such as {}", dimension.example)
        } else {
            write!(f, "{} such as \"{}\"", dimension.name, dimension.example)
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Plain(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Plain(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        if number.is_finite() {
            Ok(Scalar::Plain(format!("{number:?}")))
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

struct Bare<D>(Scalar, PhantomData<D>);

impl<'de, D: Dim> Deserialize<'de> for Bare<D> {
    fn deserialize<T: Deserializer<'de>>(deserializer: T) -> Result<Self, T::Error> {
        deserializer
            .deserialize_any(ScalarVisitor::<D>(PhantomData))
            .map(|scalar| Self(scalar, PhantomData))
    }
}

impl<'de, D: Dim> Deserialize<'de> for Quantity<D> {
    fn deserialize<T: Deserializer<'de>>(deserializer: T) -> Result<Self, T::Error> {
        let spanned = Spanned::<Bare<D>>::deserialize(deserializer)?;
        Ok(Self {
            span: spanned.span(),
            scalar: spanned.into_inner().0,
            dimension: PhantomData,
        })
    }
}

impl<D: Dim> JsonSchema for Quantity<D> {
    fn schema_name() -> Cow<'static, str> {
        D::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = D::DIMENSIONS.iter().map(|d| d.name).collect();
        let units: Vec<String> = D::DIMENSIONS.iter().map(|d| d.allowed()).collect();
        let examples: Vec<&str> = D::DIMENSIONS.iter().map(|d| d.example).collect();
        let description = format!("{}; units: {}", names.join(" or "), units.join("; "));
        if D::DIMENSIONS.iter().any(|d| d.is_number()) {
            json_schema!({"type": ["number", "string"], "description": description, "examples": [1.2]})
        } else {
            json_schema!({
                "type": "string",
                "description": description,
                "pattern": r"^\s*[+-]?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d{1,4})?\s*\S.*$",
                "examples": examples,
            })
        }
    }
}

/// Anything else with its place: a name, a count, a list.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self {
            span: spanned.span(),
            value: spanned.into_inner(),
        })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
