//! Modes in which the drive moves by itself, limits, stops, touch probes, and two axes in one drive.

use super::*;
use crate::segment::application::ABORT_RANGE;
use twinstep_config::machine::{SwitchRange, Switches};

/// Increments of drive 0 a metre.
const PER_M: f64 = 1_048_576.0 / 0.15;

impl Bench {
    fn write(&mut self, index: u16, subindex: u8, value: i64) {
        let mut data = [0; 8];
        let length = self.drive.read_object(index, subindex, &mut data).unwrap();
        let bytes = value.to_le_bytes();
        let written = self.drive.write_object(index, subindex, &bytes[..length]);
        assert_eq!(written, Ok(()), "{index:#06x}:{subindex} = {value}");
    }

    fn mode(&mut self, mode: i64) {
        self.set(0x6060, mode);
        self.set(0x6040, 0x0f);
        self.cycles(2);
        assert_eq!(self.get(0x6061), mode);
    }

    fn status(&self, bit: i64) -> bool {
        self.get(0x6041) & bit != 0
    }

    /// Hands a set-point over, as a controller does: with the bits of the controlword beside bit 4.
    fn move_to(&mut self, target: i64, bits: i64) {
        self.set(0x607a, target);
        self.set(0x6040, 0x1f | bits);
        let mut waited = 0;
        while !self.status(FOLLOWS_TARGET) {
            self.cycles(1);
            waited += 1;
            assert!(waited < 10, "the set-point is not taken");
        }
        self.set(0x6040, 0x0f);
        self.cycles(2);
    }

    fn until(&mut self, bit: i64, cycles: u64) {
        for _ in 0..cycles {
            if self.status(bit) {
                return;
            }
            self.cycles(1);
        }
        panic!("no {bit:#x} in {cycles} cycles: {:#x}", self.get(0x6041));
    }
}

fn counts(metres: f64) -> i64 {
    (metres * PER_M) as i64
}

fn with_switches(switches: Switches) -> Machine {
    let mut machine = press_cell();
    machine.axes[0].plant.as_mut().unwrap().switches = switches;
    machine
}

fn range(from_m: f64, to_m: f64) -> Option<SwitchRange> {
    Some(SwitchRange { from_m, to_m })
}

#[test]
fn profile_position_arrives_with_its_profile() {
    let mut bench = Bench::new(0);
    bench.enable();
    bench.mode(1);
    bench.write(0x6081, 0, counts(0.2));
    bench.write(0x6083, 0, counts(2.0));
    bench.write(0x6084, 0, counts(4.0));
    let start = bench.get(0x6064);
    bench.move_to(start + counts(0.1), 0);
    assert!(!bench.status(TARGET_REACHED));
    let begun_ns = bench.now_ns;
    let mut fastest = 0;
    while !bench.status(TARGET_REACHED) {
        bench.cycles(1);
        fastest = fastest.max(bench.get(0x606c));
    }
    // 0.1 s up over 10 mm, 0.05 s down over 5 mm, 85 mm at 0.2 m/s; then 10 ms in the window.
    let took_s = (bench.now_ns - begun_ns) as f64 * 1e-9;
    assert!((0.55..0.66).contains(&took_s), "{took_s}");
    assert!((fastest - counts(0.2)).abs() < counts(0.02), "{fastest}");
    let end = bench.get(0x6064) - start;
    assert!((end - counts(0.1)).abs() < 5_300, "{end}");
    // Relative to the target before it, twice: the second waits for the first.
    bench.move_to(counts(-0.03), 0x40);
    bench.move_to(counts(-0.03), 0x40);
    bench.until(TARGET_REACHED, 2000);
    let end = bench.get(0x6064) - start;
    assert!((end - counts(0.04)).abs() < 5_300, "{end}");
    // At once: the move turns round on its way.
    bench.move_to(start + counts(0.3), 0);
    bench.cycles(200);
    bench.move_to(start, 0x20);
    bench.until(TARGET_REACHED, 4000);
    assert!((bench.get(0x6064) - start).abs() < 5_300);
}

#[test]
fn halt_holds_a_move_that_goes_on_afterwards() {
    let mut bench = Bench::new(0);
    bench.enable();
    bench.mode(1);
    bench.write(0x6081, 0, counts(0.2));
    let start = bench.get(0x6064);
    for option in 1..=3 {
        bench.write(0x605d, 0, option);
        let target = start + counts(0.1) * (option % 2);
        bench.move_to(target, 0);
        bench.cycles(200);
        bench.set(0x6040, 0x10f);
        bench.cycles(400);
        assert!(bench.status(TARGET_REACHED) && bench.get(0x606c).abs() < counts(0.002));
        let held = bench.get(0x6064);
        assert!(
            (held - target).abs() > counts(0.02),
            "{option}: it has stopped on the way"
        );
        assert_eq!(bench.get(0x6041) & 0x6f, 0x27, "it stays enabled");
        bench.set(0x6040, 0x0f);
        bench.cycles(5);
        bench.until(TARGET_REACHED, 3000);
        assert!((bench.get(0x6064) - target).abs() < 5_300, "{option}");
    }
}

#[test]
fn profile_velocity_ramps_and_is_limited() {
    let mut bench = Bench::new(0);
    bench.enable();
    bench.write(0x6083, 0, counts(1.0));
    bench.mode(3);
    bench.cycles(20);
    assert!(bench.status(FOLLOWS_TARGET), "at rest");
    bench.write(0x60ff, 0, counts(0.2));
    bench.cycles(100);
    let half = bench.get(0x606c);
    assert!((half - counts(0.1)).abs() < counts(0.02), "{half}");
    bench.until(TARGET_REACHED, 200);
    bench.cycles(20);
    assert!((bench.get(0x606c) - counts(0.2)).abs() < counts(0.01));
    assert!(!bench.status(FOLLOWS_TARGET) && !bench.status(INTERNAL_LIMIT));
    bench.write(0x607f, 0, counts(0.05));
    bench.cycles(400);
    assert!((bench.get(0x606c) - counts(0.05)).abs() < counts(0.01));
    assert!(bench.status(INTERNAL_LIMIT));
    // A software limit ends it in its place.
    let end = bench.get(0x6064) + counts(0.05);
    bench.write(0x607d, 2, end);
    bench.cycles(2000);
    assert!((bench.get(0x6064) - end).abs() < 5_300);
    bench.write(0x60ff, 0, -counts(0.05));
    bench.cycles(300);
    assert!(bench.get(0x606c) < -counts(0.04), "and lets it come back");
}

#[test]
fn software_limits_hold_targets() {
    let mut bench = Bench::new(0);
    bench.enable();
    let start = bench.get(0x6064);
    bench.write(0x607d, 1, start - counts(0.01));
    bench.write(0x607d, 2, start + counts(0.02));
    bench.mode(1);
    bench.move_to(start + counts(0.1), 0);
    bench.cycles(1500);
    assert!((bench.get(0x6064) - start - counts(0.02)).abs() < 5_300);
    assert!(bench.status(INTERNAL_LIMIT) && !bench.status(TARGET_REACHED));
    let target = bench.get(0x6064);
    bench.set(0x607a, target);
    bench.mode(8);
    bench.drive.first.values[TARGET_POSITION] = target;
    bench.travel(1000, -300);
    bench.cycles(50);
    assert!((bench.get(0x6064) - start + counts(0.01)).abs() < 5_300);
    assert!(bench.status(INTERNAL_LIMIT));
}

#[test]
fn homing_finds_switches_and_moves_the_zero() {
    // Where the axis stands is 50 mm.
    let switches = Switches {
        negative_limit: range(f64::NEG_INFINITY, 0.02),
        positive_limit: range(0.4, f64::INFINITY),
        home: range(0.1, 0.12),
        ..Switches::default()
    };
    let place = |method: i64| match method {
        17 => 0.02,
        18 => 0.4,
        23 | 24 => 0.1,
        _ => 0.05,
    };
    for method in [17, 18, 23, 24, 35, 37] {
        let mut bench = Bench::of(with_switches(switches), 0);
        bench.enable();
        bench.write(0x6098, 0, method);
        bench.write(0x6099, 1, counts(0.2));
        bench.write(0x6099, 2, counts(0.01));
        bench.write(0x607c, 0, 1_000_000);
        bench.mode(6);
        assert!(!bench.status(FOLLOWS_TARGET));
        bench.set(0x6040, 0x1f);
        bench.cycles(2);
        bench.until(FOLLOWS_TARGET, 20_000);
        assert!(bench.status(TARGET_REACHED) && !bench.status(FOLLOWING_ERROR_FAULT));
        // The switch has position 1 000 000 now, to a tenth of a millimetre: the load is not the motor.
        let at = bench.sdo(0x6063, 0) + 1_000_000 - bench.get(0x6064);
        assert!((at - counts(place(method))).abs() < 700, "{method}: {at}");
        // Moves go by the new zero, and away from a limit switch only.
        let way = counts(if method == 18 { -0.01 } else { 0.01 });
        bench.mode(1);
        bench.move_to(1_000_000 + way, 0);
        bench.until(TARGET_REACHED, 5000);
        assert!((bench.get(0x6064) - 1_000_000 - way).abs() < 5_300);
    }
}

#[test]
fn homing_on_the_zero_pulse_and_without_its_switch() {
    let mut bench = Bench::new(0);
    bench.enable();
    for (method, way) in [(33, -1), (34, 1)] {
        bench.write(0x6098, 0, method);
        bench.write(0x6099, 2, counts(0.05));
        bench.mode(6);
        let before = bench.sdo(0x6063, 0);
        bench.set(0x6040, 0x1f);
        bench.cycles(2);
        bench.until(FOLLOWS_TARGET, 10_000);
        let zero = bench.sdo(0x6063, 0) - bench.get(0x6064);
        assert_eq!(zero.rem_euclid(1_048_576), 0, "{method}");
        assert!(((zero - before) * way) >= 0 && (zero - before).abs() <= 1_048_576);
        let position = bench.get(0x6064);
        bench.set(0x607a, position);
        bench.mode(8);
    }
    // No switches, no such methods.
    for method in [17_i8, 19, 24, 1, 0] {
        let refused = bench.drive.write_object(0x6098, 0, &method.to_le_bytes());
        assert_eq!(refused, Err(ABORT_RANGE), "{method}");
    }
}

#[test]
fn touch_probes_latch_edges_on_the_way() {
    let switches = Switches {
        probe_1: range(0.08, 0.09),
        probe_2: range(0.1, f64::INFINITY),
        ..Switches::default()
    };
    let mut bench = Bench::of(with_switches(switches), 0);
    bench.enable();
    bench.write(0x60b8, 0, 0x1131);
    bench.cycles(1);
    assert_eq!(bench.sdo(0x60b9, 0), 0x0101);
    bench.travel(300, 1500);
    bench.cycles(50);
    assert_eq!(bench.sdo(0x60b9, 0), 0x0307);
    for (index, place) in [(0x60ba, 0.08), (0x60bb, 0.09), (0x60bc, 0.1)] {
        // The gap between motor and load, and no more: far less than the way of a cycle.
        let at = bench.sdo(index, 0);
        assert!((at - counts(place)).abs() < 300, "{index:#x}: {at}");
    }
    assert_ne!(bench.sdo(0x60fd, 0) & 1 << 17, 0);
}

#[test]
fn quick_stop_and_disabling_follow_their_options() {
    for option in [0, 1, 2, 3, 5, 6, 7] {
        let mut bench = Bench::new(0);
        bench.enable();
        bench.write(0x605a, 0, option);
        bench.write(0x6084, 0, counts(1.0));
        bench.write(0x6085, 0, counts(10.0));
        bench.travel(200, 2_000);
        let from = bench.get(0x6064);
        bench.set(0x6040, 0x0b);
        bench.cycles(600);
        let way = bench.get(0x6064) - from;
        let expected = if option >= 5 { 0x07 } else { 0x40 };
        assert_eq!(bench.get(0x6041) & 0x6f & !0x20, expected, "{option}");
        // 0.286 m/s: 41 mm at 1 m/s2, 4 mm at 10 m/s2; with all its current less than the first.
        let (least, most) = match option {
            1 | 5 => (0.035, 0.05),
            2 | 6 => (0.003, 0.008),
            3 | 7 => (0.0, 0.008),
            _ => (0.008, 2.0),
        };
        assert!(
            (counts(least)..counts(most)).contains(&way),
            "{option}: {way}"
        );
        assert_eq!(bench.plant.drive(0).unwrap().powered(), option >= 5);
    }
    for (object, word) in [(0x605b, 0x06), (0x605c, 0x07)] {
        let mut bench = Bench::new(0);
        bench.enable();
        bench.write(object, 0, 0);
        bench.travel(200, 2_000);
        bench.set(0x6040, word);
        bench.cycles(2);
        assert!(
            !bench.plant.drive(0).unwrap().powered(),
            "{object:#x}: it coasts"
        );
    }
}

#[test]
fn torque_is_limited_on_one_side() {
    let mut bench = Bench::new(0);
    bench.enable();
    bench.write(0x60e0, 0, 50);
    bench.mode(10);
    bench.write(0x6071, 0, 200);
    bench.cycles(30);
    assert!((bench.get(0x6077) - 50).abs() < 10, "{}", bench.get(0x6077));
    assert!(bench.status(INTERNAL_LIMIT));
    bench.write(0x6071, 0, -200);
    bench.cycles(30);
    assert!(
        (bench.get(0x6077) + 200).abs() < 10,
        "{}",
        bench.get(0x6077)
    );
    assert!(!bench.status(INTERNAL_LIMIT));
}

#[test]
fn the_following_error_window_is_what_was_written() {
    for (reaction, powered) in [(0, false), (2, true)] {
        let mut bench = Bench::new(0);
        bench.enable();
        bench.write(0x6065, 0, 20_000);
        bench.write(0x6066, 0, 5);
        bench.write(0x605e, 0, reaction);
        let far = bench.get(0x6064) + 30_000;
        bench.set(0x607a, far);
        bench.write(0x60e0, 0, 10);
        bench.cycles(12);
        assert_eq!(bench.get(0x603f), 0x8611_u16 as i16 as i64, "{reaction}");
        assert_eq!(bench.plant.drive(0).unwrap().powered(), powered);
        bench.cycles(300);
        assert_eq!(bench.get(0x6041) & 0x4f, 0x08);
    }
    // All ones: nobody watches.
    let mut bench = Bench::new(0);
    bench.enable();
    bench.write(0x6065, 0, i64::from(u32::MAX));
    bench.write(0x60e0, 0, 10);
    let far = bench.get(0x6064) + 3_000_000;
    bench.set(0x607a, far);
    bench.cycles(100);
    assert_eq!(bench.get(0x603f), 0);
}

#[test]
fn two_axes_in_one_drive_move_by_themselves() {
    let mut machine = press_cell();
    let bus = machine.bus.as_mut().unwrap();
    let second = bus.subdevices.remove(1);
    let first = &mut bus.subdevices[0];
    let further = |entry: &twinstep_config::machine::PdoEntry| {
        let mut entry = *entry;
        entry.index += SECOND_AXIS;
        entry
    };
    first.outputs.extend(second.outputs.iter().map(further));
    first.inputs.extend(second.inputs.iter().map(further));
    first.second = Some(second.name);
    let mut bench = Bench::of(machine, 0);
    bench.enable();
    let (start, other) = (bench.get(0x6064), bench.get(0x6864));
    bench.set(0x6860, 8);
    bench.set(0x687a, other);
    for word in [0x06, 0x07, 0x0f] {
        bench.set(0x6840, word);
        bench.cycles(150);
    }
    assert_eq!(bench.get(0x6841) & 0x6f, 0x27);
    for n in 1..=200 {
        bench.set(0x687a, other + 500 * n);
        bench.cycles(1);
    }
    bench.cycles(100);
    assert!((bench.get(0x6864) - other - 100_000).abs() < 3_000);
    assert!(
        (bench.get(0x6064) - start).abs() < 3_000,
        "the first one stands"
    );
    assert_eq!(bench.sdo(0x6864, 0), bench.get(0x6864));
    assert_eq!(bench.sdo(0x6d02, 0), 0x3a5);
    assert_eq!(bench.drive.objects().len(), 2 * OBJECTS.len());
    // A drive with one axis has no such objects.
    let mut data = [0; 8];
    let single = Bench::new(0).drive.read_object(0x6864, 0, &mut data);
    assert_eq!(single, Err(ABORT_NO_OBJECT));
}
