use super::*;

/// The two clocks and a cycle that the servo steers.
struct World {
    servo: Servo,
    start_ns: u64,
    /// The other clock when CLOCK_MONOTONIC was 0 (ns).
    origin_ns: f64,
    /// What it gains (1).
    drift: f64,
    /// Times between starts (ns).
    apart_ns: Vec<u64>,
}

const PERIOD_NS: u64 = 1_000_000;
const TAI_NS: f64 = 1.7e18;

impl World {
    fn new(phase_ns: u64, drift: f64) -> Self {
        Self {
            servo: Servo::new(PERIOD_NS, phase_ns),
            start_ns: 5_000_000_000,
            origin_ns: 0.0,
            drift,
            apart_ns: Vec::new(),
        }
    }

    /// The other clock (ns); its first digits are left out, which an f64 would round.
    fn other_ns(&self, monotonic_ns: u64) -> u64 {
        let gained = (monotonic_ns as f64 * self.drift + self.origin_ns) as i64;
        (TAI_NS as u64 + monotonic_ns).wrapping_add_signed(gained)
    }

    /// One cycle; the clocks are read `read_ns` wrong.
    fn cycle(&mut self, read_ns: i64) {
        let monotonic_ns = self.start_ns + 300_000;
        let reading = Reading {
            start_ns: self.start_ns,
            monotonic_ns,
            other_ns: self.other_ns(monotonic_ns).wrapping_add_signed(read_ns),
            width_ns: 100,
        };
        let correction_ns = self.servo.advance(Some(reading));
        self.go_on(correction_ns);
    }

    fn go_on(&mut self, correction_ns: i64) {
        let next_ns = (self.start_ns + PERIOD_NS).wrapping_add_signed(-correction_ns);
        self.apart_ns.push(next_ns - self.start_ns);
        self.start_ns = next_ns;
    }

    fn run(&mut self, cycles: u32) {
        (0..cycles).for_each(|_| self.cycle(0));
    }

    /// The true phase error of the next start.
    fn error_ns(&self) -> i64 {
        self.servo.phase_error_ns(self.other_ns(self.start_ns))
    }

    /// No two starts are nearer or farther than a fiftieth of the period allows.
    fn expect_no_burst(&self) {
        for apart_ns in &self.apart_ns {
            assert!(
                (980_000..=1_020_000).contains(apart_ns),
                "{apart_ns} ns apart"
            );
        }
    }
}

#[test]
fn starts_come_onto_the_grid_from_anywhere() {
    for away_ns in [0, 1, 499_999, 500_000, 500_001, 750_000, 999_999] {
        let mut world = World::new(250_000, 0.0);
        world.origin_ns = f64::from(away_ns);
        world.run(400);
        assert!(world.servo.is_locked(), "{away_ns}");
        assert!(
            world.error_ns().abs() <= 20,
            "{away_ns}: {}",
            world.error_ns()
        );
        world.expect_no_burst();
        assert_eq!((world.servo.jumps, world.servo.lost), (0, 0), "{away_ns}");
        let phase_ns = world.other_ns(world.start_ns) % PERIOD_NS;
        assert!(phase_ns.abs_diff(250_000) <= 20, "{phase_ns}");
    }
}

#[test]
fn a_drift_is_learnt_and_leaves_no_error() {
    for ppm in [-200.0, -20.0, 0.1, 50.0, 500.0] {
        let mut world = World::new(0, ppm * 1e-6);
        world.run(3_000);
        assert!(
            world.error_ns().abs() <= 20,
            "{ppm} ppm: {}",
            world.error_ns()
        );
        let found_ppm = world.servo.drift_ppb() / 1e3;
        assert!((found_ppm - ppm).abs() < 5.0, "{ppm} ppm: {found_ppm}");
        assert!(world.servo.is_locked(), "{ppm} ppm");
        assert_eq!(world.servo.jumps, 0, "{ppm} ppm");
        world.expect_no_burst();
    }
}

#[test]
fn jitter_of_the_reading_hardly_moves_the_starts() {
    let mut world = World::new(0, 30e-6);
    world.run(2_000);
    let (mut seed, mut worst_ns) = (1_u32, 0);
    for _ in 0..5_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let read_ns = i64::from(seed >> 16) % 2_001 - 1_000;
        world.cycle(read_ns);
        worst_ns = worst_ns.max(world.error_ns().abs());
    }
    // Readings are up to 1 us off, the starts less.
    assert!(worst_ns < 800, "{worst_ns} ns");
    assert!(world.servo.is_locked());
    assert_eq!((world.servo.jumps, world.servo.lost), (0, 0));
}

#[test]
fn a_jump_is_counted_and_walked_to() {
    // Also by whole periods, and backwards, where the phase shows nothing.
    for (jump_ns, visible) in [
        (300_000.0, true),
        (-37e9 - 400_000.0, true),
        (37e9, false),
        (-1e6, false),
        (60_000.0, true),
    ] {
        let mut world = World::new(0, 20e-6);
        world.run(1_000);
        assert!(world.servo.is_locked());
        let drift_ppb = world.servo.drift_ppb();
        world.origin_ns += jump_ns;
        world.cycle(0);
        assert_eq!(world.servo.jumps, 1, "{jump_ns}");
        assert_eq!(world.servo.is_locked(), !visible, "{jump_ns}");
        world.run(600);
        assert!(world.servo.is_locked(), "{jump_ns}");
        assert_eq!(world.servo.jumps, 1, "{jump_ns}");
        assert_eq!(world.servo.lost, u64::from(visible), "{jump_ns}");
        assert!(
            world.error_ns().abs() <= 20,
            "{jump_ns}: {}",
            world.error_ns()
        );
        let learnt_ppb = world.servo.drift_ppb();
        assert!((learnt_ppb - drift_ppb).abs() < 2_000.0, "{learnt_ppb}");
        world.expect_no_burst();
    }
}

#[test]
fn without_a_clock_the_drift_goes_on() {
    let mut world = World::new(0, 100e-6);
    world.run(2_000);
    for _ in 0..100 {
        let correction_ns = world.servo.advance(None);
        world.go_on(correction_ns);
    }
    assert_eq!(world.servo.unread, 100);
    // Nobody says of a clock that has gone that the starts are where they should be.
    assert_eq!((world.servo.is_locked(), world.servo.lost), (false, 1));
    assert_eq!(world.servo.error_ns(), None);
    // A hundred cycles of 100 ns each were not lost.
    assert!(world.error_ns().abs() < 1_000, "{}", world.error_ns());
    let slow = Reading {
        start_ns: 0,
        monotonic_ns: 0,
        other_ns: 123,
        width_ns: MAX_WIDTH_NS + 1,
    };
    world.servo.advance(Some(slow));
    assert_eq!((world.servo.unread, world.servo.jumps), (101, 0));
    world.run(2_000);
    assert!(world.servo.is_locked() && world.servo.error_ns().is_some());
    assert_eq!(world.servo.lost, 1);
}

#[test]
fn the_first_start_is_put_on_the_grid() {
    let servo = Servo::new(PERIOD_NS, 250_000);
    for (other_ns, wait_ns) in [
        (10_250_000, 0),
        (10_250_001, 999_999),
        (10_249_999, 1),
        (10_000_000, 250_000),
        (10_700_000, 550_000),
        (10_800_000, 450_000),
    ] {
        let reading = Reading {
            start_ns: 500,
            monotonic_ns: 500,
            other_ns,
            width_ns: 0,
        };
        assert_eq!(servo.wait_ns(&reading), wait_ns, "{other_ns}");
    }
}

#[test]
fn a_clock_at_its_ends_does_not_panic() {
    let mut servo = Servo::new(31_250, 31_249);
    for other_ns in [0, 1, u64::MAX, u64::MAX / 2, 5] {
        for start_ns in [0, u64::MAX, 7] {
            servo.advance(Some(Reading {
                start_ns,
                monotonic_ns: u64::MAX - start_ns,
                other_ns,
                width_ns: 0,
            }));
        }
    }
    assert!(servo.drift_ppb().is_finite());
}
