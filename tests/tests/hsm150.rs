//! The current of a servo explained by its motion: by the shipped configuration, which was fitted on these recordings, and by one that
//! was fitted on others than those it is judged on.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use twinstep_tests::run::{Place, shipped};
use twinstep_tests::{recordings, release_binary};

/// The shipped twin was fitted on all six files: this says that the model can explain them, not that it predicts others.
#[test]
fn the_motion_explains_the_current_in_both_directions() {
    let Some(folder) = recordings("the_motion_explains_the_current_in_both_directions") else {
        return;
    };
    for name in ["idf_neg_0.045_2", "idf_neg_0.04_2", "idf_pos_0.06_2"] {
        let file = folder.join(format!("hsm150/{name}.csv"));
        let config = shipped("hsm150.toml");
        let args = format!("replay {} {} --json", config.display(), file.display());
        let run = Place::new().run(release_binary(), &args).fine();
        let lines = run.of_type("explained");
        assert_eq!(lines.len(), 2, "{lines:#?}");
        let number = |n: usize, key: &str| lines[n][key].as_f64().unwrap();
        println!(
            "{name}: R2 {:.3} RMS {:.4} A beside {:.3} {:.4}; over 0.25 s {:.3} {:.4} beside {:.3} {:.4}",
            number(0, "r2"),
            number(0, "rms"),
            number(0, "regression_r2"),
            number(0, "regression_rms"),
            number(1, "r2"),
            number(1, "rms"),
            number(1, "regression_r2"),
            number(1, "regression_rms"),
        );
        // The regression was fitted on this very record; the twin, fitted on all of them, comes within 5 % of its error.
        assert!(
            number(0, "rms") <= 1.05 * number(0, "regression_rms"),
            "{lines:#?}"
        );
        // With the noise averaged out most of what is left is the motion.
        assert!(number(1, "r2") > 0.4, "{lines:#?}");
        assert_eq!(run.summary()["events"], 0);
    }
}

/// A file, and what the errors of a twin that was fitted on the others may be, beside the regression of that very file: the twin as it is;
/// with the level of its friction followed; the same with the noise averaged out.
type Judged = (&'static str, [f64; 3]);

/// By the first run of every kind the second, and the other way round. Friction differs from run to run: the twin of the second runs is off
/// by a third on the first of `idf_neg_0.04`, which it explains worse than its mean does (R2 below 0), until the level is followed.
const JUDGED: [(u8, [Judged; 3]); 2] = [
    (
        1,
        [
            ("idf_neg_0.045_2", [1.11, 1.02, 1.08]),
            ("idf_neg_0.04_2", [1.07, 1.02, 1.06]),
            ("idf_pos_0.06_2", [1.03, 1.02, 1.11]),
        ],
    ),
    (
        2,
        [
            ("idf_neg_0.045_1", [1.02, 1.02, 1.08]),
            ("idf_neg_0.04_1", [1.32, 1.05, 1.16]),
            ("idf_pos_0.06_1", [1.02, 1.02, 1.06]),
        ],
    ),
];

/// The position is coarse: the inertia is that of the catalogue within its error all the same.
#[test]
fn runs_that_were_not_fitted_are_explained_and_the_inertia_is_no_noise() {
    let Some(folder) =
        recordings("runs_that_were_not_fitted_are_explained_and_the_inertia_is_no_noise")
    else {
        return;
    };
    let file = |name: &str| {
        let path = folder.join(format!("hsm150/{name}.csv"));
        path.display().to_string()
    };
    for (given, judged) in JUDGED {
        let place = Place::new();
        let shipped = std::fs::read(shipped("hsm150.toml")).unwrap();
        let config = place.file("hsm150.toml", shipped);
        let kinds = ["idf_neg_0.045", "idf_neg_0.04", "idf_pos_0.06"];
        let files = kinds.map(|kind| file(&format!("{kind}_{given}"))).join(" ");
        let args = format!("calibrate {} {files} --write --json", config.display());
        let run = place.run(release_binary(), &args).fine();
        let inertia = run.of_type("calibration")[0]["mass_kg"][0]
            .as_f64()
            .unwrap();
        // Catalogue: 1.2e-4 kg m2 over 0.0458 N m/A. The noise of the position left a third of it before.
        let catalogue = 1.2e-4 / 0.0458;
        assert!((0.65..1.2).contains(&(inertia / catalogue)), "{inertia}");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains("load_lag"), "{text}");
        // Why nothing is judged one cycle ahead is written down, and said again.
        let why = "the recording has no reference";
        assert!(text.contains(&format!("cascade_off = \"{why}\"")), "{text}");
        let said = place.run(release_binary(), &format!("check {}", config.display()));
        let said = said.fine().stdout;
        assert!(said.contains(&format!("are off, {why}")), "{said}");
        for (name, [frozen, followed, averaged]) in judged {
            let args = format!("replay {} {} --json", config.display(), file(name));
            let run = place.run(release_binary(), &args).fine();
            let lines = run.of_type("explained");
            let number = |n: usize, key: &str| lines[n][key].as_f64().unwrap();
            let beside = |n: usize, key: &str| number(n, key) / number(n, "regression_rms");
            let found = [
                beside(0, "rms"),
                beside(0, "followed_rms"),
                beside(1, "followed_rms"),
            ];
            println!("{name}: {found:.3?}, R2 {:.3}", number(0, "r2"));
            for (found, most) in found.into_iter().zip([frozen, followed, averaged]) {
                assert!(found <= most, "{name}: {found} for {most}, {lines:#?}");
            }
            assert!(number(1, "followed_r2") > 0.5, "{name}: {lines:#?}");
        }
    }
}
