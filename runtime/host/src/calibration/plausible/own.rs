//! What is particular to recordings of ours: integers as the drives have them, a start-up, and modes without a target position.

use twinstep_drivers::recording::AxisRecord;
use twinstep_models::sample::Told;

/// Movement that may be noise of the encoder or the tremble of an axis that holds its place (counts).
pub(super) const NOISE_COUNTS: f64 = 1000.0;
/// What to do where an object is off by a thousand.
pub(super) const REMEDY: &str = "correct the scaling in the configuration (`lead`, of a rotary axis `gear`, `counts_per_rev` and `rated_current` of a drive, `pressure_per_count` of a station), the objects that are mapped, or the motion program";
/// The same where only the twin shows it.
pub(super) const REMEDY_OF_A_TWIN: &str = "correct `lead` (of a rotary axis `gear`), `counts_per_rev`, `rated_current` and `torque_constant` of the drive; if the twin of the configuration is what is wrong, take it out";
/// A current that cannot be one.
pub(super) const NO_PERMILLE: &str =
    "is it the torque in permille of the rated one, and `rated_current` that of the motor?";

/// What was recorded while the drive was enabled, and the target where it was a position that was followed; none where it was never
/// enabled.
pub(super) fn seen(record: &AxisRecord) -> Option<AxisRecord> {
    if !record.enabled.contains(&true) {
        return None;
    }
    let enabled = |values: &[f64]| -> Vec<f64> {
        let pairs = values.iter().zip(&record.enabled);
        (pairs.map(|(v, on)| if *on { *v } else { f64::NAN })).collect()
    };
    let reference = record.reference_m.as_ref().map(|reference| {
        let followed = enabled(reference);
        let pairs = followed.iter().zip(&record.told);
        let position = |told| matches!(told, Told::Position | Told::PositionAndOffsets);
        (pairs.map(|(r, (told, ..))| if position(*told) { *r } else { f64::NAN })).collect()
    });
    Some(AxisRecord {
        name: record.name.clone(),
        reference_m: reference,
        position_m: enabled(&record.position_m),
        velocity_m_per_s: enabled(&record.velocity_m_per_s),
        current_a: enabled(&record.current_a),
        told: record.told.clone(),
        enabled: record.enabled.clone(),
    })
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
