//! Bit-exact: the digest of all predictions and events says whether two runs were the same.

use twinstep_tests::release_binary;
use twinstep_tests::run::Place;

/// Fast, long enough for several moves of every axis.
const RUN: &str = "demo --fast --json --cycles 4000 --seed 7";
/// With deviations on several channels.
const FAULTS: &str = "--inject friction:carriage:factor=1.5@1s --inject drive_fault:lift:code=0x2310@2s \
                      --inject leak:gripper:rate=10mbar/s@1s";

#[test]
fn the_same_run_has_the_same_digest() {
    let place = Place::new();
    for args in [RUN.to_owned(), format!("{RUN} {FAULTS}")] {
        let [first, second] = [(); 2].map(|()| place.twinstep(&args).fine().digest());
        assert_eq!(first, second, "{args}");
    }
}

#[test]
fn debug_and_release_agree() {
    let place = Place::new();
    for args in [RUN.to_owned(), format!("{RUN} {FAULTS}")] {
        let debug = place.twinstep(&args).fine();
        let release = place.run(release_binary(), &args).fine();
        assert_eq!(debug.digest(), release.digest(), "{args}");
        assert_eq!(
            debug.summary()["events"],
            release.summary()["events"],
            "{args}"
        );
    }
}

#[test]
fn real_time_and_virtual_time_agree() {
    let place = Place::new();
    let real = place.twinstep("demo --json --cycles 300 --seed 3").fine();
    let fast = place
        .twinstep("demo --json --cycles 300 --seed 3 --fast")
        .fine();
    assert_eq!(real.digest(), fast.digest());
    // Waiting was real: there is none in virtual time.
    assert_ne!(real.summary()["phases"]["slack"]["max_ns"], 0);
    assert_eq!(fast.summary()["phases"]["slack"]["max_ns"], 0);
}

#[test]
fn whatever_differs_changes_the_digest() {
    let place = Place::new();
    let runs = [
        RUN.to_owned(),
        RUN.replace("--seed 7", "--seed 8"),
        RUN.replace("4000", "4001"),
        format!("{RUN} --machine-seed 5"),
        format!("{RUN} --inject frame_loss:bus:count=3@2s"),
        format!("{RUN} --inject frame_loss:bus:count=9@2s"),
        format!("{RUN} --inject frame_loss:bus:count=3@2005ms"),
        // Far too small and too late to be found: the measurements alone make the difference.
        format!("{RUN} --inject friction:carriage:factor=1.001@3900ms"),
    ];
    let digests = runs.map(|args| (place.twinstep(&args).fine().digest(), args));
    for (n, (digest, args)) in digests.iter().enumerate() {
        for (other, other_args) in &digests[..n] {
            assert_ne!(digest, other, "{args} and {other_args}");
        }
    }
}

#[test]
fn events_are_part_of_the_digest_and_watching_is_not() {
    let place = Place::new();
    let plain = place.twinstep(RUN).fine().digest();
    let record = place.path("run.csv").display().to_string();
    let pcap = place.path("run.pcap").display().to_string();
    let watched = format!("{RUN} --record {record} --pcap {pcap} --judge");
    assert_eq!(place.twinstep(&watched).fine().digest(), plain);
}
