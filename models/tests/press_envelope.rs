//! Envelopes taught on simulated strokes and judged on others: how many good parts are thrown away, how many bad ones pass.
//!
//! Strokes of a press fit behind a frame, with the spread of parts and the noise of a sensor. The model is the product's,
//! the judging is that of the cycle.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use twinstep_models::press::curve::{Branch, Curve, Point, Sampling};
use twinstep_models::press::evaluate::reference::Reference;
use twinstep_models::press::evaluate::teach::Teacher;
use twinstep_models::press::evaluate::verdict::Evaluation;
use twinstep_models::press::evaluate::{Object, Shape};
use twinstep_models::press::frame::Frame;
use twinstep_models::press::stroke::{Segmenter, Step, StrokeParams, Totals};
use twinstep_models::press::workpiece::{PressFit, Pressed, Workpiece};
use twinstep_models::sample::Context;

/// Good strokes that an envelope is taught from.
const TAUGHT: usize = 60;
/// Strokes of each kind that are judged.
const JUDGED: usize = 400;
/// Share that the envelope is asked to hold.
const COVERAGE: f64 = 0.999;
/// Noise of the force sensor (N, standard deviation).
const NOISE_N: f64 = 8.0;

/// A small generator of its own: splitmix64.
struct Rng(u64);

impl Rng {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// What is wrong with a part.
#[derive(Clone, Copy, Debug)]
struct Fault {
    name: &'static str,
    /// Interference over that of a good part.
    interference: f64,
    /// Contact later by so much (m).
    late_m: f64,
    /// Friction jumps by this share in the second half of the way (a chip, a burr).
    burr: f64,
}

const GOOD: Fault = Fault {
    name: "good",
    interference: 1.0,
    late_m: 0.0,
    burr: 0.0,
};
const FAULTS: [Fault; 5] = [
    Fault {
        name: "loose fit, -20 %",
        interference: 0.8,
        ..GOOD
    },
    Fault {
        name: "tight fit, +20 %",
        interference: 1.2,
        ..GOOD
    },
    Fault {
        name: "low part, 0.2 mm",
        late_m: 0.2e-3,
        ..GOOD
    },
    Fault {
        name: "burr, +20 % from the middle",
        burr: 0.2,
        ..GOOD
    },
    Fault {
        name: "no interference",
        interference: 0.0,
        ..GOOD
    },
];

const PARAMS: StrokeParams = StrokeParams {
    begin_m: 0.148,
    turn_m: 1e-4,
    contact_n: 50.0,
};

/// One stroke at 15 mm/s and 1 kHz.
fn stroke(fault: &Fault, rng: &mut Rng) -> (Curve, Totals) {
    let fit = PressFit {
        contact_m: 0.150 + 8e-6 * rng.normal() + fault.late_m,
        joint_radius_m: 0.01,
        hub_radius_m: 0.02,
        interference_m: 12e-6 * fault.interference * (1.0 + 0.012 * rng.normal()),
        modulus_pa: 210e9,
        friction: 0.12 * (1.0 + 0.01 * rng.normal()),
        shoulder_m: 0.0045,
        seating_n_per_m: 60e6,
    };
    let frame = Frame::of_stiffness(1.2e8);
    let mut part = Pressed::new(Workpiece::Fit(fit));
    let (mut curve, mut segmenter) = (Curve::default(), Segmenter::default());
    curve.begin(Sampling::travel(1e-5));
    let (top, bottom, step) = (0.147, 0.1544, 15e-6);
    let samples = ((bottom - top) / step) as i64;
    for k in 0..=2 * samples {
        let drive = top + step * (samples - (samples - k).abs()) as f64;
        let burr = |x: f64| if x > 0.152 { 1.0 + fault.burr } else { 1.0 };
        let deepest = part.deepest_m;
        let force = frame.force_n(drive, |x| burr(x) * part.workpiece.force_n(x, deepest));
        part.press(frame.ram_m(drive, force));
        let point = Point {
            position_m: frame.ram_m(drive, force),
            force_n: force + NOISE_N * rng.normal(),
        };
        let (now, before) = segmenter.push(&PARAMS, point);
        if let Some(before) = before {
            curve.push(before);
        }
        match now {
            Step::Idle => {}
            Step::Began | Step::Goes(_) => curve.push(point),
            Step::Ended => curve.end(point),
        }
    }
    assert!(!segmenter.in_stroke(), "the stroke has ended");
    (curve, *segmenter.totals())
}

fn is_ok(object: &Object, stroke: &(Curve, Totals)) -> bool {
    let objects = [*object];
    let mut evaluation = Evaluation::default();
    evaluation.begin(&objects, Context::default(), &stroke.0, &stroke.1);
    while !evaluation.step(&objects, &stroke.0, 32) {}
    evaluation.finish(&objects, &stroke.0, &stroke.1).0.ok()
}

/// Teaches and judges with one seed; returns how many good parts were thrown away.
fn run(seed: u64) -> usize {
    println!("seed {seed}: taught on {TAUGHT}, judged on {JUDGED} each, coverage {COVERAGE}");
    let mut rng = Rng(seed);
    let mut teacher = Teacher::new(0.1495, 0.1540).unwrap();
    for _ in 0..TAUGHT {
        let (curve, _) = stroke(&GOOD, &mut rng);
        assert!(
            teacher.learn(&curve.points()[..=curve.turn()], 0.0),
            "seed {seed}"
        );
    }
    let envelope = teacher.envelope(COVERAGE, 0.95, 2.0 * NOISE_N).unwrap();
    let object = Object {
        shape: Shape::Envelope(envelope),
        reference: Reference::Absolute,
        branch: Branch::Forward,
        part: None,
        recipe: None,
    };
    let mut passed = |fault: &Fault| {
        (0..JUDGED)
            .filter(|_| is_ok(&object, &stroke(fault, &mut rng)))
            .count()
    };
    let thrown = JUDGED - passed(&GOOD);
    println!("  {}: {thrown} thrown away", GOOD.name);
    for fault in &FAULTS {
        let missed = passed(fault);
        println!("  {}: {missed} passed", fault.name);
        assert_eq!(missed, 0, "seed {seed}: {fault:?}");
    }
    thrown
}

#[test]
fn good_parts_pass_and_bad_ones_do_not() {
    let seeds = [1, 2, 3, 20_240_517];
    let thrown: usize = seeds.map(run).iter().sum();
    // Of 1600 the coverage that was asked for allows 1.6; more than 5 are beyond any chance of it.
    assert!(
        thrown <= 5,
        "seeds {seeds:?}: {thrown} good parts thrown away"
    );
}
