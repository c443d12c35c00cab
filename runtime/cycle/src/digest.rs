//! The digest of all predictions and events of a run: equal digests mean equal runs, bit for bit.
//!
//! The hash is that of the lanes: see [`twinstep_models::digest`].

use crate::event::{Event, Source};
use crate::press::StrokeRecord;
pub use twinstep_models::digest::mix;
use twinstep_models::sample::Conditions;

/// Scatters the bits of a finished hash (the finaliser of splitmix64).
pub const fn finish(hash: u64) -> u64 {
    let a = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

/// Takes one event in: every field that a replay must reproduce.
pub fn mix_event(hash: u64, e: &Event) -> u64 {
    let source = match e.source {
        Source::Axis(i) => 1 << 32 | i as u64,
        Source::Station(i) => 2 << 32 | i as u64,
        Source::Bus => 3 << 32,
        Source::SubDevice(i) => 4 << 32 | i as u64,
        Source::Controller => 5 << 32,
    };
    let codes = [
        e.channel as u64,
        e.state as u64,
        e.detector as u64,
        e.severity as u64,
        e.regime as u64,
        e.cause as u64,
        u64::from(e.context.recipe),
        u64::from(e.context.part),
    ];
    let mut h = mix(mix(hash, e.cycle), source);
    for code in codes {
        h = mix(h, code);
    }
    // Without them it is what it was before there were any.
    let Conditions {
        tool,
        load,
        temperature,
    } = e.context.conditions;
    if e.context.conditions != Conditions::default() {
        h = mix(
            h,
            u64::from(tool) << 16 | u64::from(load) << 8 | u64::from(temperature),
        );
    }
    for (cause, weight) in e.causes.iter().flat_map(|ranking| ranking.0) {
        h = mix(mix(h, cause as u64), weight.to_bits());
    }
    if let Some(nok) = &e.nok {
        h = mix(
            mix(h, nok.stroke << 8 | u64::from(nok.object)),
            nok.violation.by.to_bits(),
        );
    }
    mix(mix(h, e.measured.to_bits()), e.predicted.to_bits())
}

/// Takes one judged stroke in.
pub fn mix_stroke(hash: u64, s: &StrokeRecord) -> u64 {
    let t = &s.features.totals;
    let words = [
        s.stroke,
        s.stamp.cycle,
        u64::from(s.verdict.nok),
        t.peak.force_n.to_bits(),
        t.block.position_m.to_bits(),
        t.work_j.to_bits(),
        t.returned_j.to_bits(),
    ];
    let hash = words.into_iter().fold(hash, mix);
    match s.tare.mean_n() {
        None => hash,
        Some(mean_n) => mix(hash, mean_n.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_every_bit_count() {
        let a = finish(mix(mix(0, 1), 2));
        let b = finish(mix(mix(0, 2), 1));
        assert_ne!(a, b);
        for bit in 0..64 {
            assert_ne!(finish(mix(0, 1 << bit)), finish(mix(0, 0)), "bit {bit}");
        }
    }
}
