//! What is lost is brought back while the cycle goes on: power, cable, one SubDevice after the other.

use super::tests::{PERIOD_NS, cycle, up};
use super::*;

/// Cycles until all inputs of a cycle were right for a while, after `break_it`; at most `most`.
fn recovers(most: u32, break_it: impl Fn(&mut crate::segment::Segment)) -> u32 {
    let mut bus = up();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    for _ in 0..50 {
        cycle(&mut bus, &mut image, &mut next_ns).unwrap();
    }
    break_it(bus.link_mut().inner_mut().segment_mut());
    let (mut good, mut bad) = (0, 0);
    for n in 0..most {
        image.outputs.fill(n as u8);
        image.inputs.fill(0xaa);
        let result = cycle(&mut bus, &mut image, &mut next_ns);
        let whole = result.is_ok() && image.valid.iter().all(Result::is_ok);
        if whole {
            good += 1;
            // The inputs are those of two cycles ago, none of which was made up.
            if good > 3 {
                assert_eq!(
                    image.inputs[..8],
                    [(n as u8).wrapping_sub(1); 8],
                    "cycle {n}"
                );
                assert_eq!(
                    image.inputs[12..16],
                    [(n as u8).wrapping_sub(1); 4],
                    "cycle {n}"
                );
            }
        } else {
            (good, bad) = (0, n + 1);
            // In SAFE-OP inputs are there, and marked as what they are.
            if matches!(
                image.valid[0],
                Err(Missing::NoFrame | Missing::WorkingCounter)
            ) {
                assert_eq!(
                    image.inputs[..12],
                    [0xaa; 12],
                    "cycle {n}: inputs of nobody"
                );
            }
        }
        if good >= 100 {
            println!("restored {}, {bad} cycles", bus.restored());
            let error = bus.phase_error_ns().unwrap();
            assert!(error.abs() < 2_000, "phase error {error}");
            assert_eq!(bus.dropped_reports(), 0);
            return bad;
        }
    }
    panic!(
        "not back after {most} cycles: {:?} {:?}",
        image.valid,
        bus.statuses()
    );
}

#[test]
fn a_subdevice_that_lost_its_power_comes_back_wherever_it_stands() {
    for position in 0..3 {
        let off_ns = 200 * PERIOD_NS;
        let bad = recovers(3000, |segment| {
            assert!(segment.cut(position, true, 5 * PERIOD_NS, off_ns));
        });
        // Out of reach for 200 cycles; back soon after.
        assert!((200..600).contains(&bad), "{position}: {bad}");
    }
}

#[test]
fn a_cable_that_is_plugged_in_again_brings_all_behind_it_back() {
    for (position, off) in [(0, 20), (1, 20), (2, 300), (1, 300)] {
        let bad = recovers(3000, |segment| {
            assert!(segment.cut(position, false, 0, off * PERIOD_NS));
        });
        let off = off as u32;
        assert!(
            (off - 2..off + 400).contains(&bad),
            "{position}, {off}: {bad}"
        );
    }
}

#[test]
fn two_losses_one_after_the_other_are_both_made_good() {
    let bad = recovers(5000, |segment| {
        assert!(segment.cut(1, true, 0, 100 * PERIOD_NS));
        assert!(segment.cut(0, true, 50 * PERIOD_NS, 300 * PERIOD_NS));
    });
    assert!((350..1500).contains(&bad), "{bad}");
}
