//! The CiA 402 objects that twinstep knows: length, sign and unit.

use twinstep_config::machine::Drive;

/// What one increment of an object means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A word, a mode or a code: no unit.
    Plain,
    /// Encoder increments; becomes m on the axis.
    Position,
    /// Encoder increments per second; becomes m/s on the axis.
    Velocity,
    /// Per mille of the rated torque 0x6076; becomes the current (A) that makes this torque, rated torque being torque constant times rated current.
    Torque,
    /// Per mille of the rated current 0x6075; becomes A.
    Current,
    /// Milliampere; becomes A.
    MilliAmpere,
    /// Milli newton metre; becomes N m at the motor shaft.
    MilliNewtonMetre,
}

/// One object of the dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Length (bits): 8, 16 or 32.
    pub bits: u8,
    /// Two's complement.
    pub signed: bool,
    /// Unit.
    pub unit: Unit,
    /// Name as in CiA 402.
    pub name: &'static str,
}

const fn object(
    index: u16,
    subindex: u8,
    bits: u8,
    signed: bool,
    unit: Unit,
    name: &'static str,
) -> Object {
    Object {
        index,
        subindex,
        bits,
        signed,
        unit,
        name,
    }
}

/// Every object with a meaning of its own, by index. All others are carried as unsigned integers without one.
pub const OBJECTS: [Object; 23] = [
    object(0x603f, 0, 16, false, Unit::Plain, "error code"),
    object(0x6040, 0, 16, false, Unit::Plain, "controlword"),
    object(0x6041, 0, 16, false, Unit::Plain, "statusword"),
    object(0x6060, 0, 8, true, Unit::Plain, "modes of operation"),
    object(
        0x6061,
        0,
        8,
        true,
        Unit::Plain,
        "modes of operation display",
    ),
    object(0x6064, 0, 32, true, Unit::Position, "position actual value"),
    object(0x606c, 0, 32, true, Unit::Velocity, "velocity actual value"),
    object(0x6071, 0, 16, true, Unit::Torque, "target torque"),
    object(0x6072, 0, 16, false, Unit::Torque, "max torque"),
    object(0x6074, 0, 16, true, Unit::Torque, "torque demand"),
    object(
        0x6075,
        0,
        32,
        false,
        Unit::MilliAmpere,
        "motor rated current",
    ),
    object(
        0x6076,
        0,
        32,
        false,
        Unit::MilliNewtonMetre,
        "motor rated torque",
    ),
    object(0x6077, 0, 16, true, Unit::Torque, "torque actual value"),
    object(0x6078, 0, 16, true, Unit::Current, "current actual value"),
    object(0x607a, 0, 32, true, Unit::Position, "target position"),
    object(0x60b1, 0, 32, true, Unit::Velocity, "velocity offset"),
    object(0x60b2, 0, 16, true, Unit::Torque, "torque offset"),
    object(
        0x60c2,
        1,
        8,
        false,
        Unit::Plain,
        "interpolation time period value",
    ),
    object(0x60c2, 2, 8, true, Unit::Plain, "interpolation time index"),
    object(
        0x60f4,
        0,
        32,
        true,
        Unit::Position,
        "following error actual value",
    ),
    object(0x60fd, 0, 32, false, Unit::Plain, "digital inputs"),
    object(0x60fe, 1, 32, false, Unit::Plain, "digital outputs"),
    object(0x60ff, 0, 32, true, Unit::Velocity, "target velocity"),
];

/// Looks an object up, none where it has no meaning of its own.
pub fn find(index: u16, subindex: u8) -> Option<&'static Object> {
    OBJECTS
        .iter()
        .find(|object| object.index == index && object.subindex == subindex)
}

/// How raw integers of one drive become SI values of its axis, and back.
///
/// Signs follow the axis: `direction` is applied to position, velocity and current alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Way per encoder increment, with the sign of the direction (m).
    pub m_per_count: f64,
    /// Encoder increments per way, with the sign of the direction (1/m).
    pub counts_per_m: f64,
    /// Current per mille of the rated one, with the sign of the direction (A).
    pub a_per_permille: f64,
    /// The reverse (1/A).
    pub permille_per_a: f64,
}

impl Scaling {
    /// Scaling of a drive, none where its parameters give no finite, non-zero factor.
    pub fn new(drive: &Drive) -> Option<Self> {
        let direction = if drive.direction < 0.0 { -1.0 } else { 1.0 };
        let scaling = Self {
            m_per_count: drive.feed_m_per_rev / drive.counts_per_rev * direction,
            counts_per_m: drive.counts_per_rev / drive.feed_m_per_rev * direction,
            a_per_permille: drive.rated_current_a / 1000.0 * direction,
            permille_per_a: 1000.0 / drive.rated_current_a * direction,
        };
        let usable = |factor: f64| factor.is_finite() && factor != 0.0;
        (usable(scaling.m_per_count)
            && usable(scaling.counts_per_m)
            && usable(scaling.a_per_permille)
            && usable(scaling.permille_per_a))
        .then_some(scaling)
    }

    /// Raw integer to SI: m, m/s, A or N m; plain objects stay as they are.
    pub fn to_si(&self, unit: Unit, raw: i64) -> f64 {
        let raw = raw as f64;
        match unit {
            Unit::Plain => raw,
            Unit::Position | Unit::Velocity => raw * self.m_per_count,
            Unit::Torque | Unit::Current => raw * self.a_per_permille,
            Unit::MilliAmpere | Unit::MilliNewtonMetre => raw / 1000.0,
        }
    }

    /// SI to the nearest raw integer; none where the value is not finite. The caller saturates to the object's length.
    pub fn to_raw(&self, unit: Unit, value: f64) -> Option<i64> {
        let raw = match unit {
            Unit::Plain => value,
            Unit::Position | Unit::Velocity => value * self.counts_per_m,
            Unit::Torque | Unit::Current => value * self.permille_per_a,
            Unit::MilliAmpere | Unit::MilliNewtonMetre => value * 1000.0,
        };
        // A float that is too large saturates in the cast.
        value.is_finite().then(|| raw.round() as i64)
    }
}

/// The interpolation time period 0x60C2 as its two parts, `value` times ten to the power of `exponent` seconds; none where the period has no such form.
///
/// ```
/// use twinstep_drivers::object_map::interpolation_period;
/// assert_eq!(interpolation_period(1_000_000), Some((1, -3)));
/// assert_eq!(interpolation_period(250_000), Some((250, -6)));
/// assert_eq!(interpolation_period(31_250), None);
/// ```
pub fn interpolation_period(period_ns: u64) -> Option<(u8, i8)> {
    // Many drives take milliseconds or microseconds only, so those exponents come first.
    const UNITS_NS: [(i8, u64); 7] = [
        (-3, 1_000_000),
        (-6, 1_000),
        (-4, 100_000),
        (-5, 10_000),
        (-2, 10_000_000),
        (-7, 100),
        (-8, 10),
    ];
    UNITS_NS.iter().find_map(|&(exponent, unit_ns)| {
        let value = u8::try_from(period_ns / unit_ns).ok()?;
        (value != 0 && period_ns.is_multiple_of(unit_ns)).then_some((value, exponent))
    })
}
