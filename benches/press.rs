//! What judging the strokes of a press costs: the strokes of the shipped press cell, as its pipeline feeds them, cycle by
//! cycle, evaluation included. The twin of the press itself is an axis and is measured with the others.

use std::hint::black_box;
use std::time::Instant;
use twinstep_cycle::event::Source;
use twinstep_cycle::judge::Occasion;
use twinstep_cycle::outbox::Outbox;
use twinstep_cycle::press::{PressSample, StrokeJudge};
use twinstep_models::sample::{Context, CycleStamp};

/// Cycles of one stroke of the press cell.
const CYCLES: usize = 2493;
/// Strokes per measurement.
const STROKES: usize = 40;
/// Measurements; the median counts.
const ROUNDS: usize = 15;

/// A stroke at 1 kHz: fast to 148 mm, at 15 mm/s to 155 mm, hold, back, rest.
fn stroke() -> Vec<PressSample> {
    let (mut x, mut v) = (0.040, 0.25);
    let mut held = 0;
    (0..CYCLES)
        .map(|_| {
            x += 1e-3 * v;
            v = match (v > 0.0, x) {
                (true, x) if x < 0.148 => 0.25,
                (true, x) if x < 0.155 => 0.015,
                (_, x) if x >= 0.155 && held < 300 => {
                    held += 1;
                    0.0
                }
                (_, x) if x > 0.040 => -0.25,
                _ => 0.0,
            };
            let force_n = 1.64e6 * f64::max(x - 0.150_03, 0.0);
            PressSample {
                position_m: x,
                velocity_m_per_s: v,
                stands: v == 0.0,
                force_n: Ok(force_n),
                predicted_n: Some(force_n),
            }
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn main() {
    let machine = match twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml") {
        Ok(machine) => machine,
        Err(error) => {
            eprintln!("{error}");
            return;
        }
    };
    let (plans, all) = twinstep_host::press_plan::presses(&machine);
    let Some(plan) = plans.first() else { return };
    let (objects, samples) = (plan.objects(&all), stroke());
    let (mut judge, mut out) = (Box::<StrokeJudge>::default(), Outbox::default());
    let (mut rounds, mut judged, mut worst_ns) = (Vec::new(), 0, 0);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for n in 0..STROKES * CYCLES {
            let at = Occasion {
                stamp: CycleStamp::default(),
                source: Source::Axis(plan.axis),
                context: Context::default(),
            };
            judge.judge(plan, objects, &at, &mut out);
            judge.push(
                plan,
                objects,
                &at,
                black_box(&samples[n % CYCLES]),
                &mut out,
            );
            if let Some(record) = judge.take() {
                judged += 1;
                black_box(&record);
            }
            while out.pop().is_some() {}
        }
        rounds.push(begin.elapsed().as_nanos() as f64 / (STROKES * CYCLES) as f64);
    }
    // The dearest cycle, apart: a clock read in every cycle costs as much as the cycle.
    for sample in samples.iter().cycle().take(4 * CYCLES) {
        let at = Occasion {
            stamp: CycleStamp::default(),
            source: Source::Axis(plan.axis),
            context: Context::default(),
        };
        let begin = Instant::now();
        judge.judge(plan, objects, &at, &mut out);
        judge.push(plan, objects, &at, sample, &mut out);
        worst_ns = worst_ns.max(begin.elapsed().as_nanos());
        black_box(judge.take());
        while out.pop().is_some() {}
    }
    rounds.sort_by(f64::total_cmp);
    println!(
        "strokes of one press: {:.1} ns per cycle, median of {ROUNDS} rounds (best {:.1}); {judged} strokes judged at {} objects; dearest cycle {worst_ns} ns",
        rounds[ROUNDS / 2],
        rounds[0],
        objects.len()
    );
}
