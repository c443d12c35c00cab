use super::*;

/// A toy axis of 1000 counts with switches, walked one count at a time.
struct Toy {
    at: i32,
    signals: Signals,
    ranges: [Option<(i32, i32)>; 5],
}

impl Toy {
    fn new(at: i32, home: Option<(i32, i32)>) -> Self {
        let mut toy = Self {
            at,
            signals: Signals::default(),
            ranges: [
                Some((i32::MIN, 0)),
                Some((1000, i32::MAX)),
                home,
                None,
                None,
            ],
        };
        for (n, range) in toy.ranges.iter().enumerate() {
            toy.signals.present[n] = range.is_some();
            toy.signals.levels[n] = range.is_some_and(|(from, to)| (from..=to).contains(&at));
        }
        toy
    }

    fn go(&mut self, way: i32) {
        self.at += way;
        for (n, range) in self.ranges.iter().enumerate() {
            let on = range.is_some_and(|(from, to)| (from..=to).contains(&self.at));
            if on != self.signals.levels[n] {
                self.signals.levels[n] = on;
                let edges = if on {
                    &mut self.signals.rising
                } else {
                    &mut self.signals.falling
                };
                edges[n].count += 1;
                edges[n].position_counts = self.at;
            }
        }
        // A zero pulse every 100 counts, half-way between two.
        if self.at.rem_euclid(100) == 50 {
            let index = Signal::Index as usize;
            for edges in [&mut self.signals.rising, &mut self.signals.falling] {
                edges[index].count += 1;
                edges[index].position_counts = self.at;
            }
        }
    }

    /// Homes with a method; the home position and whether the last way was slow, or the phase that it ended in.
    fn home(&mut self, method: i64) -> Result<(i32, bool), Phase> {
        let mut homing = Homing::idle(false);
        let mut slow = true;
        for _ in 0..5000 {
            let (demand, home) = homing.step(true, method, &self.signals, self.at, true);
            if let Some(home) = home {
                assert_eq!(homing.phase, Phase::Attained);
                return Ok((home, slow));
            }
            match demand {
                Demand::Go { positive, fast } => {
                    slow = !fast;
                    self.go(if positive { 1 } else { -1 });
                }
                Demand::Stand if homing.phase == Phase::Error => return Err(Phase::Error),
                Demand::Stand => {}
            }
        }
        Err(homing.phase)
    }
}

#[test]
fn each_method_finds_its_home_from_anywhere() {
    // A switch on the way, one that is on up to the end, one that is on from the start.
    let (middle, upper, lower) = (Some((400, 450)), Some((400, 2000)), Some((-2000, 450)));
    // First position that is on or off behind the edge, as the toy counts.
    for (method, home, expected) in [
        (17, None, 1),
        (18, None, 999),
        (19, upper, 399),
        (20, upper, 400),
        (21, lower, 451),
        (22, lower, 450),
        (23, middle, 399),
        (24, middle, 400),
    ] {
        for start in [2, 300, 398, 399, 400, 425, 450, 451, 700, 998] {
            let found = Toy::new(start, home).home(method);
            assert_eq!(found, Ok((expected, true)), "method {method} from {start}");
        }
    }
}

#[test]
fn zero_pulses_and_the_place_itself() {
    for (method, start, expected) in [(33, 420, 350), (34, 420, 450), (35, 420, 420), (37, 7, 7)] {
        assert_eq!(
            Toy::new(start, None).home(method),
            Ok((expected, true)),
            "{method}"
        );
    }
}

#[test]
fn what_is_not_there_and_what_is_never_found_is_an_error() {
    for method in [0, 1, 16, 19, 24, 36, -128, 127] {
        assert_eq!(
            Toy::new(500, None).home(method),
            Err(Phase::Error),
            "{method}"
        );
    }
    // The home switch is behind: method 19 does not look there, and stops at the limit.
    assert_eq!(Toy::new(500, Some((100, 150))).home(19), Err(Phase::Error));
}

#[test]
fn it_starts_with_an_edge_and_ends_without_the_bit() {
    let toy = Toy::new(500, None);
    let mut homing = Homing::idle(true);
    let step = |homing: &mut Homing, start| homing.step(start, 17, &toy.signals, 500, true);
    assert_eq!(step(&mut homing, true).0, Demand::Stand);
    step(&mut homing, false);
    let go = Demand::Go {
        positive: false,
        fast: true,
    };
    assert_eq!(step(&mut homing, true).0, go);
    assert_eq!(step(&mut homing, false).0, Demand::Stand);
    assert_eq!(homing.phase, Phase::Idle);
}

#[test]
fn no_input_whatever_panics() {
    let mut rng = crate::rng::Rng::new(3, 1);
    let mut homing = Homing::default();
    let mut signals = Signals::default();
    for _ in 0..20_000 {
        let bits = rng.next_u64();
        for n in 0..6 {
            signals.levels[n] = bits >> n & 1 != 0;
            signals.present[n] = bits >> (n + 8) & 1 != 0;
            if bits >> (n + 16) & 3 == 0 {
                signals.rising[n].count = signals.rising[n].count.wrapping_add(1);
            }
        }
        let method = i64::from((bits >> 32) as i8);
        homing.step(
            bits >> 40 & 3 != 0,
            method,
            &signals,
            bits as i32,
            bits >> 50 & 1 == 0,
        );
    }
}
