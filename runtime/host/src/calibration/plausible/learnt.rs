//! A recording against what the configuration has learnt of its axis: the twin, or the healthy movements.
//!
//! A machine that is only replayed has neither a drive nor a motion program, and often no cascade. What was learnt of it says all the same
//! how much current it needs, how fast it moves and how far it stays behind: nothing of it changes by a thousand.

use super::super::{MAX_FIT_PERIOD_NS, joined};
use super::{APART, Checked, Kind, press_of, ratio, span, thousand};
use twinstep_config::machine::{AxisTwin, Healthy};
use twinstep_drivers::recording::Recording;
use twinstep_models::identify::{AxisRecord, fit_axis_under};
use twinstep_models::signature::{Figure, SAMPLE_NS};

/// Shares of the speeds that are below the one that counts as fast: the first, unless the next is so much faster that the axis stood most of the
/// time. Jumps from one segment to the next are above all of them as a rule.
const FAST: [f64; 3] = [0.9, 0.99, 0.999];
const STOOD: f64 = 4.0;
/// An axis travels when it goes this many times as far as its position bends from one sample to the next.
const TRAVELS: f64 = 30.0;
/// Share of that from which on an axis moves.
const MOVES: f64 = 0.5;
/// Median of the size of a normal variable over its standard deviation.
const MEDIAN: f64 = 0.6745;
/// Samples that the mass is sought in.
const MOST: usize = 40_000;
/// Standard errors that the mass must stand out by.
const CERTAIN: f64 = 3.0;

impl Checked<'_> {
    /// Of healthy movements: speed of the reference, current, following error.
    pub(super) fn as_healthy(&mut self, healthy: &Healthy) {
        let Some(reference_m) = &self.record.reference_m else {
            return;
        };
        if !travels(reference_m) {
            return;
        }
        let unit = self.axis.kind.unit("m");
        let period_ns = self.machine.cycle.period_ns.max(1);
        let apart = usize::try_from(SAMPLE_NS / period_ns).map_or(1, |n| n.max(1));
        let speeds = speeds(reference_m, apart, self.period_s);
        let fast = fast(&speeds);
        let usual = (healthy.speeds.as_ref()).map_or(0.0, |paces| 0.5 * (paces.least + paces.most));
        if let Some(more) = thousand(ratio(fast, usual)) {
            let text = format!(
                "it moves at {fast:.6} {unit}/s, and healthy movements of the configuration at {usual:.6} {unit}/s: a factor of a thousand {}, as of a wrong unit (m{unit} for {unit}?)",
                word(more),
            );
            self.say(true, Kind::Reference, &text);
            return;
        }
        let left_m: Vec<f64> = (reference_m.iter().zip(&self.record.position_m))
            .map(|(r, x)| r - x)
            .collect();
        let bends = left_m
            .windows(2 * apart + 1)
            .map(|w| (w[0] - 2.0 * w[apart] + w[2 * apart]).abs());
        let rough = quantile(bends, 0.5) / (MEDIAN * 6.0_f64.sqrt());
        let usual = mean_of(healthy, Figure::Roughness);
        if let Some(more) = thousand(ratio(rough, usual)) {
            let text = format!(
                "what is left to the reference scatters by {rough:.3e} {unit}, and in healthy movements of the configuration by {usual:.3e} {unit}: a factor of a thousand {}, as of a wrong unit (m{unit} for {unit}?)",
                word(more),
            );
            self.say(true, Kind::Position, &text);
        }
        let moving = speeds.iter().zip(&self.record.current_a);
        let moving = moving.filter(|(v, _)| **v >= MOVES * fast);
        let current = quantile(moving.map(|(_, i)| i.abs()), 0.5);
        self.as_usual(
            current,
            mean_of(healthy, Figure::Friction),
            "healthy movements",
        );
    }

    /// Of a twin: the current that friction takes, and the mass.
    pub(super) fn as_twin(&mut self, twin: &AxisTwin, recording: &Recording) {
        if !travels(&self.record.position_m) {
            return;
        }
        let kf = twin.force_constant_n_per_a;
        let gravity_a = twin.gravity_n / kf;
        let speeds = speeds(&self.record.position_m, APART, self.period_s);
        let fast = fast(&speeds);
        let moving = speeds.iter().zip(&self.record.current_a);
        let moving = moving.filter(|(v, _)| **v >= MOVES * fast);
        let current = quantile(moving.map(|(_, i)| (i - gravity_a).abs()), 0.5);
        let friction_n = 0.5 * (twin.coulomb_positive_n + twin.coulomb_negative_n);
        if self.as_usual(current, friction_n / kf, "friction of the twin") {
            return;
        }
        if let Some(mass_kg) = self.mass(twin, recording)
            && thousand(ratio(mass_kg, twin.mass_kg)).is_some()
        {
            let unit = self.axis.kind.unit("m");
            let text = format!(
                "with it the mass of {} is {mass_kg:.4e} {kg}, and the twin of the configuration has {:.4e} {kg}: a factor of a thousand, as of a wrong unit, of this column (m{unit} for {unit}?) or of column `{current}` (m{effort} for {effort}?)",
                self.axis.name,
                twin.mass_kg,
                current = self.column(Kind::Current),
                effort = self.axis.effort(),
                kg = self.axis.kind.unit("kg"),
            );
            self.say(true, Kind::Position, &text);
        }
    }

    /// Whether the current is a thousand times, or a thousandth of, what `of` needs; then it is said.
    fn as_usual(&mut self, current: f64, needed: f64, of: &str) -> bool {
        let off = thousand(ratio(current, needed));
        if let Some(more) = off {
            let unit = self.axis.effort();
            let text = format!(
                "it is {current:.6} {unit} in movements, and {of} in the configuration {} {needed:.6} {unit}: a factor of a thousand {}, as of a wrong unit (m{unit} for {unit}?)",
                if of.ends_with('s') { "take" } else { "takes" },
                word(more),
            );
            self.say(true, Kind::Current, &text);
        }
        off.is_some()
    }

    /// The mass that the recording gives, where it stands out of its error (kg).
    fn mass(&self, twin: &AxisTwin, recording: &Recording) -> Option<f64> {
        let one_mass =
            press_of(self.machine, self.n).is_none_or(|press| press.drive_train.linkage.is_none());
        if !one_mass || self.machine.cycle.period_ns > MAX_FIT_PERIOD_NS {
            return None;
        }
        let all = joined(self.machine, self.n, std::slice::from_ref(recording));
        let most = all.usable.len().min(MOST);
        let record = AxisRecord {
            period_s: self.period_s,
            position_m: &all.record.position_m[..most],
            current_a: &all.record.current_a[..most],
            reference_m: &all.record.position_m[..most],
            usable: &all.usable[..most],
        };
        let kf = twin.force_constant_n_per_a;
        // What the motion lacks is said by who needs it.
        let fit = fit_axis_under(&record, twin.gravity_n / kf).ok()?;
        let inertia = fit.inertia;
        (inertia.value > CERTAIN * inertia.standard_error).then_some(kf * inertia.value)
    }
}

/// Speed from every sample to the one `apart` samples later (m/s); none where one of them is not there.
fn speeds(position_m: &[f64], apart: usize, period_s: f64) -> Vec<f64> {
    let over_s = apart as f64 * period_s;
    (position_m.windows(apart + 1))
        .map(|w| (w[apart] - w[0]).abs() / over_s)
        .collect()
}

/// The value that a share of the finite ones is below; 0 where there are none.
fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (share * values.len() as f64) as usize;
    values.get(at.min(last)).copied().unwrap_or(0.0)
}

/// Whether an axis goes anywhere, in whatever unit: one that stands says nothing of what movements take.
fn travels(position_m: &[f64]) -> bool {
    let bends = position_m.windows(3);
    let bend = quantile(bends.map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()), 0.5);
    span(position_m) > TRAVELS * bend
}

/// The speed that counts as fast.
fn fast(speeds: &[f64]) -> f64 {
    let all = FAST.map(|share| quantile(speeds.iter().copied(), share));
    let steps = all.iter().zip(&all[1..]);
    let found = steps.take_while(|(slow, next)| **next > STOOD * **slow);
    all[found.count()]
}

/// Mean of a figure over the loads.
fn mean_of(healthy: &Healthy, figure: Figure) -> f64 {
    let all = healthy
        .loads
        .iter()
        .map(|load| load.figures[figure as usize]);
    all.sum::<f64>() / healthy.loads.len().max(1) as f64
}

fn word(more: bool) -> &'static str {
    if more { "more" } else { "less" }
}
