//! The drive's object dictionary (CiA 402), as a table.

use super::super::application::ABORT_RANGE;
use super::super::pdo::{Object, slot_of};
use super::super::plant::Signals;
use super::homing;
use twinstep_config::machine::{Axis, Machine, SECOND_AXIS};

/// Read-only object.
const fn ro(
    index: u16,
    subindex: u8,
    bits: u8,
    signed: bool,
    initial: i64,
    name: &'static str,
) -> Object {
    Object {
        index,
        subindex,
        bits,
        signed,
        writable: false,
        initial,
        name,
    }
}

/// Object that may be written.
const fn rw(
    index: u16,
    subindex: u8,
    bits: u8,
    signed: bool,
    initial: i64,
    name: &'static str,
) -> Object {
    Object {
        index,
        subindex,
        bits,
        signed,
        writable: true,
        initial,
        name,
    }
}

/// All objects of one axis. Units: counts, counts/s, counts/s2, per mille of rated torque or current, unless said otherwise.
pub(in super::super) const OBJECTS: [Object; 76] = [
    ro(0x603f, 0, 16, false, 0, "Error code"),
    rw(0x6040, 0, 16, false, 0, "Controlword"),
    ro(0x6041, 0, 16, false, 0, "Statusword"),
    rw(0x605a, 0, 16, true, 2, "Quick stop option code"),
    rw(0x605b, 0, 16, true, 1, "Shutdown option code"),
    rw(0x605c, 0, 16, true, 1, "Disable operation option code"),
    rw(0x605d, 0, 16, true, 1, "Halt option code"),
    rw(0x605e, 0, 16, true, 2, "Fault reaction option code"),
    rw(0x6060, 0, 8, true, 8, "Modes of operation"),
    ro(0x6061, 0, 8, true, 8, "Modes of operation display"),
    ro(0x6062, 0, 32, true, 0, "Position demand value"),
    ro(0x6063, 0, 32, true, 0, "Position actual value, increments"),
    ro(0x6064, 0, 32, true, 0, "Position actual value"),
    rw(0x6065, 0, 32, false, 0, "Following error window"),
    rw(0x6066, 0, 16, false, 10, "Following error time out (ms)"),
    rw(0x6067, 0, 32, false, 0, "Position window"),
    rw(0x6068, 0, 16, false, 10, "Position window time (ms)"),
    ro(0x606b, 0, 32, true, 0, "Velocity demand value"),
    ro(0x606c, 0, 32, true, 0, "Velocity actual value"),
    rw(0x606d, 0, 16, false, 0xffff, "Velocity window"),
    rw(0x606e, 0, 16, false, 10, "Velocity window time (ms)"),
    rw(0x606f, 0, 16, false, 0xffff, "Velocity threshold"),
    rw(0x6070, 0, 16, false, 10, "Velocity threshold time (ms)"),
    rw(0x6071, 0, 16, true, 0, "Target torque"),
    rw(0x6072, 0, 16, false, 0, "Max torque"),
    ro(0x6074, 0, 16, true, 0, "Torque demand"),
    ro(0x6075, 0, 32, false, 0, "Motor rated current (mA)"),
    ro(0x6076, 0, 32, false, 0, "Motor rated torque (mN m)"),
    ro(0x6077, 0, 16, true, 0, "Torque actual value"),
    ro(0x6078, 0, 16, true, 0, "Current actual value"),
    rw(0x607a, 0, 32, true, 0, "Target position"),
    rw(0x607c, 0, 32, true, 0, "Home offset"),
    ro(0x607d, 0, 8, false, 2, "Software position limit"),
    rw(0x607d, 1, 32, true, i32::MIN as i64, "Min position limit"),
    rw(0x607d, 2, 32, true, i32::MAX as i64, "Max position limit"),
    rw(
        0x607f,
        0,
        32,
        false,
        u32::MAX as i64,
        "Max profile velocity",
    ),
    rw(0x6081, 0, 32, false, 0, "Profile velocity"),
    rw(0x6083, 0, 32, false, 0, "Profile acceleration"),
    rw(0x6084, 0, 32, false, 0, "Profile deceleration"),
    rw(0x6085, 0, 32, false, 0, "Quick stop deceleration"),
    rw(0x6086, 0, 16, true, 0, "Motion profile type: trapezoid"),
    ro(0x608f, 0, 8, false, 2, "Position encoder resolution"),
    ro(0x608f, 1, 32, false, 0, "Encoder increments"),
    ro(0x608f, 2, 32, false, 1, "Motor revolutions"),
    ro(0x6091, 0, 8, false, 2, "Gear ratio"),
    ro(0x6091, 1, 32, false, 1, "Motor revolutions"),
    ro(0x6091, 2, 32, false, 1, "Shaft revolutions"),
    ro(0x6092, 0, 8, false, 2, "Feed constant"),
    ro(0x6092, 1, 32, false, 0, "Feed (counts)"),
    ro(0x6092, 2, 32, false, 1, "Shaft revolutions"),
    rw(0x6098, 0, 8, true, 37, "Homing method"),
    ro(0x6099, 0, 8, false, 2, "Homing speeds"),
    rw(0x6099, 1, 32, false, 0, "Speed during search for switch"),
    rw(0x6099, 2, 32, false, 0, "Speed during search for zero"),
    rw(0x609a, 0, 32, false, 0, "Homing acceleration"),
    rw(0x60b1, 0, 32, true, 0, "Velocity offset"),
    rw(0x60b2, 0, 16, true, 0, "Torque offset"),
    rw(0x60b8, 0, 16, false, 0, "Touch probe function"),
    ro(0x60b9, 0, 16, false, 0, "Touch probe status"),
    ro(0x60ba, 0, 32, true, 0, "Touch probe 1 positive edge"),
    ro(0x60bb, 0, 32, true, 0, "Touch probe 1 negative edge"),
    ro(0x60bc, 0, 32, true, 0, "Touch probe 2 positive edge"),
    ro(0x60bd, 0, 32, true, 0, "Touch probe 2 negative edge"),
    ro(0x60c2, 0, 8, false, 2, "Interpolation time period"),
    rw(0x60c2, 1, 8, false, 1, "Its value"),
    rw(0x60c2, 2, 8, true, -3, "Its power of ten (s)"),
    rw(0x60e0, 0, 16, false, 0xffff, "Positive torque limit value"),
    rw(0x60e1, 0, 16, false, 0xffff, "Negative torque limit value"),
    rw(0x60f2, 0, 16, false, 0, "Positioning option code"),
    ro(0x60f4, 0, 32, true, 0, "Following error actual value"),
    ro(0x60fc, 0, 32, true, 0, "Position demand, increments"),
    ro(0x60fd, 0, 32, false, 0, "Digital inputs"),
    rw(0x60ff, 0, 32, true, 0, "Target velocity"),
    ro(0x6402, 0, 16, false, 3, "Motor type: PM synchronous"),
    ro(0x6502, 0, 32, false, 0x3a5, "Supported drive modes"),
    ro(
        0x67ff,
        0,
        32,
        false,
        0x0002_0192,
        "Device profile: servo drive 402",
    ),
];

/// Objects of a drive with two axes: those of the first, then those of the second, [`SECOND_AXIS`] further.
pub(in super::super) const BOTH: [Object; 2 * OBJECTS.len()] = {
    let mut all = [OBJECTS[0]; 2 * OBJECTS.len()];
    let mut n = 0;
    while n < OBJECTS.len() {
        all[n] = OBJECTS[n];
        all[n + OBJECTS.len()] = Object {
            index: OBJECTS[n].index + SECOND_AXIS,
            ..OBJECTS[n]
        };
        n += 1;
    }
    all
};

/// Values beside the table.
pub(super) type Values = [i64; OBJECTS.len()];

const fn slot(index: u16) -> usize {
    slot_of(&OBJECTS, index, 0)
}

pub(super) const ERROR_CODE: usize = slot(0x603f);
pub(super) const CONTROLWORD: usize = slot(0x6040);
pub(super) const STATUSWORD: usize = slot(0x6041);
pub(super) const QUICK_STOP_OPTION: usize = slot(0x605a);
pub(super) const FAULT_REACTION_OPTION: usize = slot(0x605e);
pub(super) const MODE: usize = slot(0x6060);
pub(super) const MODE_DISPLAY: usize = slot(0x6061);
pub(super) const POSITION_DEMAND: usize = slot(0x6062);
pub(super) const POSITION_ACTUAL: usize = slot(0x6064);
pub(super) const VELOCITY_ACTUAL: usize = slot(0x606c);
pub(super) const TARGET_TORQUE: usize = slot(0x6071);
pub(super) const MAX_TORQUE: usize = slot(0x6072);
pub(super) const TORQUE_DEMAND: usize = slot(0x6074);
pub(super) const TORQUE_ACTUAL: usize = slot(0x6077);
pub(super) const CURRENT_ACTUAL: usize = slot(0x6078);
pub(super) const TARGET_POSITION: usize = slot(0x607a);
pub(super) const VELOCITY_OFFSET: usize = slot(0x60b1);
pub(super) const TORQUE_OFFSET: usize = slot(0x60b2);
pub(super) const PERIOD_VALUE: usize = slot_of(&OBJECTS, 0x60c2, 1);
pub(super) const PERIOD_EXPONENT: usize = slot_of(&OBJECTS, 0x60c2, 2);
pub(super) const FOLLOWING_ERROR: usize = slot(0x60f4);
pub(super) const TARGET_VELOCITY: usize = slot(0x60ff);
pub(super) const POSITION_DEMAND_INTERNAL: usize = slot(0x60fc);
pub(super) const FOLLOWING_WINDOW: usize = slot(0x6065);
pub(super) const SHUTDOWN_OPTION: usize = slot(0x605b);
pub(super) const DISABLE_OPTION: usize = slot(0x605c);
pub(super) const HALT_OPTION: usize = slot(0x605d);
pub(super) const POSITION_INTERNAL: usize = slot(0x6063);
pub(super) const FOLLOWING_TIME: usize = slot(0x6066);
pub(super) const POSITION_WINDOW: usize = slot(0x6067);
pub(super) const POSITION_TIME: usize = slot(0x6068);
pub(super) const VELOCITY_DEMAND: usize = slot(0x606b);
pub(super) const VELOCITY_WINDOW: usize = slot(0x606d);
pub(super) const VELOCITY_TIME: usize = slot(0x606e);
pub(super) const VELOCITY_THRESHOLD: usize = slot(0x606f);
pub(super) const THRESHOLD_TIME: usize = slot(0x6070);
pub(super) const HOME_OFFSET: usize = slot(0x607c);
pub(super) const MAX_PROFILE_VELOCITY: usize = slot(0x607f);
pub(super) const PROFILE_VELOCITY: usize = slot(0x6081);
pub(super) const ACCELERATION: usize = slot(0x6083);
pub(super) const DECELERATION: usize = slot(0x6084);
pub(super) const QUICK_STOP_DECELERATION: usize = slot(0x6085);
pub(super) const PROFILE_TYPE: usize = slot(0x6086);
pub(super) const HOMING_METHOD: usize = slot(0x6098);
pub(super) const HOMING_ACCELERATION: usize = slot(0x609a);
pub(super) const PROBE_FUNCTION: usize = slot(0x60b8);
pub(super) const PROBE_STATUS: usize = slot(0x60b9);
pub(super) const PROBE_POSITIONS: usize = slot(0x60ba);
pub(super) const POSITIVE_TORQUE: usize = slot(0x60e0);
pub(super) const NEGATIVE_TORQUE: usize = slot(0x60e1);
pub(super) const POSITIONING_OPTION: usize = slot(0x60f2);
pub(super) const DIGITAL_INPUTS: usize = slot(0x60fd);
pub(super) const MIN_POSITION: usize = slot_of(&OBJECTS, 0x607d, 1);
pub(super) const MAX_POSITION: usize = slot_of(&OBJECTS, 0x607d, 2);
pub(super) const FAST_HOMING: usize = slot_of(&OBJECTS, 0x6099, 1);
pub(super) const SLOW_HOMING: usize = slot_of(&OBJECTS, 0x6099, 2);
const RATED_CURRENT: usize = slot(0x6075);
const RATED_TORQUE: usize = slot(0x6076);
const ENCODER_INCREMENTS: usize = slot_of(&OBJECTS, 0x608f, 1);
const FEED: usize = slot_of(&OBJECTS, 0x6092, 1);

/// The values a drive starts with.
pub(super) fn initial(axis: Option<&Axis>, machine: &Machine) -> Values {
    let mut values: Values = core::array::from_fn(|n| OBJECTS[n].initial);
    if let Some(Axis { drive, motion, .. }) = axis {
        let rounded = |value: f64| (value + 0.5).floor() as i64;
        values[RATED_CURRENT] = rounded(drive.rated_current_a * 1000.0);
        values[RATED_TORQUE] =
            rounded(drive.rated_current_a * drive.torque_constant_nm_per_a * 1000.0);
        values[MAX_TORQUE] = i64::from(drive.max_torque_permille);
        values[ENCODER_INCREMENTS] = rounded(drive.counts_per_rev);
        values[FEED] = rounded(drive.counts_per_rev);
        values[FOLLOWING_WINDOW] = rounded(0.25 * drive.counts_per_rev);
        values[POSITION_WINDOW] = rounded(0.005 * drive.counts_per_rev);
        let counts_per_m = drive.counts_per_rev / drive.feed_m_per_rev.abs().max(1e-6);
        let unsigned = |value: f64| rounded(value.abs() * counts_per_m).clamp(1, u32::MAX.into());
        values[PROFILE_VELOCITY] = unsigned(motion.velocity_m_per_s);
        values[ACCELERATION] = unsigned(motion.acceleration_m_per_s2);
        values[DECELERATION] = unsigned(motion.acceleration_m_per_s2);
        values[QUICK_STOP_DECELERATION] = unsigned(2.0 * motion.acceleration_m_per_s2);
        values[FAST_HOMING] = unsigned(0.1 * motion.velocity_m_per_s);
        values[SLOW_HOMING] = unsigned(0.01 * motion.velocity_m_per_s);
        values[HOMING_ACCELERATION] = unsigned(motion.acceleration_m_per_s2);
    }
    let (value, exponent) = period_object(machine.cycle.period_ns);
    values[PERIOD_VALUE] = value;
    values[PERIOD_EXPONENT] = exponent;
    values
}

/// Whether the drive can do what a value asks for.
///
/// # Errors
/// A CoE abort code.
pub(super) fn check(slot: usize, value: i64, signals: &Signals) -> Result<(), u32> {
    let fine = match slot {
        QUICK_STOP_OPTION => matches!(value, 0..=3 | 5..=7),
        SHUTDOWN_OPTION | DISABLE_OPTION => matches!(value, 0 | 1),
        HALT_OPTION => matches!(value, 1..=3),
        FAULT_REACTION_OPTION => matches!(value, 0..=3),
        MODE => value == 0 || is_mode(value),
        PROFILE_TYPE => value == 0,
        HOMING_METHOD => homing::is_supported(value, signals),
        POSITIONING_OPTION => matches!(value, 0..=2),
        PERIOD_EXPONENT => (-9..=0).contains(&value),
        PERIOD_VALUE => value > 0,
        ACCELERATION | DECELERATION | QUICK_STOP_DECELERATION | HOMING_ACCELERATION => value > 0,
        _ => true,
    };
    if fine { Ok(()) } else { Err(ABORT_RANGE) }
}

/// Modes of 0x6502.
pub(super) const fn is_mode(mode: i64) -> bool {
    matches!(mode, 1 | 3 | 6 | 8 | 9 | 10)
}

/// A period as 0x60C2 writes it: value times ten to the power of the exponent (s).
fn period_object(period_ns: u64) -> (i64, i64) {
    let mut unit_ns = 1_000_000_000;
    let mut exponent = 0;
    while exponent > -9 {
        if period_ns.is_multiple_of(unit_ns) && period_ns / unit_ns <= 255 && period_ns > 0 {
            return ((period_ns / unit_ns) as i64, exponent);
        }
        unit_ns /= 10;
        exponent -= 1;
    }
    // What eight bits cannot say exactly is said in microseconds; the drive keeps the true cycle.
    ((period_ns / 1000).clamp(1, 255) as i64, -6)
}

/// The period that 0x60C2 asks for (s); none where it says nothing sensible.
pub(super) fn period_s(value: i64, exponent: i64) -> Option<f64> {
    if value <= 0 || !(-9..=0).contains(&exponent) {
        return None;
    }
    let mut period = value as f64;
    for _ in exponent..0 {
        period /= 10.0;
    }
    Some(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_object_and_has_no_twins() {
        assert!(OBJECTS.windows(2).all(|pair| {
            (pair[0].index, pair[0].subindex) != (pair[1].index, pair[1].subindex)
        }));
        assert!(OBJECTS.iter().all(|o| [8, 16, 32].contains(&o.bits)));
        assert!(OBJECTS.iter().all(|o| o.name.len() <= 40));
    }

    #[test]
    fn periods_go_into_the_object_and_back() {
        for period_ns in [
            31_000, 62_000, 125_000, 250_000, 500_000, 1_000_000, 2_000_000, 10_000_000,
        ] {
            let (value, exponent) = period_object(period_ns);
            let back = period_s(value, exponent).unwrap_or(0.0);
            assert!(
                (back * 1e9 - period_ns as f64).abs() < 1e-3,
                "{period_ns}: {value} {exponent}"
            );
        }
        assert_eq!(period_s(0, -3), None);
        assert_eq!(period_s(1, 5), None);
    }
}
