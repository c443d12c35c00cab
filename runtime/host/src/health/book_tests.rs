//! What was kept is put back where it fits; what does not fit, or is damaged, is refused in words.

use super::*;
use crate::plan::PlanStore;
use proptest::prelude::*;
use twinstep_cycle::health::HealthSample;
use twinstep_cycle::press::StrokeRecord;
use twinstep_models::channel::Regime;
use twinstep_models::press::evaluate::MAX_OBJECTS;
use twinstep_models::press::evaluate::verdict::{Features, Verdict};
use twinstep_models::press::tare::Tare;
use twinstep_models::sample::CycleStamp;

/// Hours that the machine ran.
const HOURS: u64 = 3;

fn cell() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
}

fn owner() -> Owner {
    Owner::of(&cell(), Some(7))
}

/// The book of a cell that has moved, gripped and rested since.
fn book() -> Book {
    let machine = cell();
    let (plan, names) = (PlanStore::new(&machine), Names::of(&machine));
    let mut state = plan.state();
    let (axes, stations) = state.health_mut();
    for (n, health) in axes.iter_mut().enumerate() {
        for cycle in 0..100_u32 {
            health.cycle(&HealthSample {
                residual_a: 0.01 * f64::from(cycle % 7),
                contact_a: 0.0,
                window_m: 1e-3 * f64::from(cycle) * (n + 1) as f64,
                velocity_m_per_s: 0.2,
                acceleration_m_per_s2: f64::from(cycle % 3),
                position_m: 1e-3 * f64::from(cycle),
                current_a: 1.0,
                regime: Regime::ConstantSpeed,
                ended: cycle == 99,
                warms: false,
                time_ns: 3_600_000_000_000,
                cycle: u64::from(cycle) * 8,
            });
        }
    }
    for station in stations {
        (0..20).for_each(|n| station.hold(1000.0 + f64::from(n), 5.0, 3_600_000_000_000));
    }
    let pipeline = plan.pipeline(&mut state);
    let mut buffer = HealthBuffer::of(&names);
    while !buffer.copy_one(&pipeline) {}
    buffer.time_ns = HOURS * 3_600_000_000_000;
    let mut book = Book::new(owner());
    book.take(&buffer, &names);
    book
}

/// What a machine has after the book was put back.
fn put_back(machine: &Machine, mut book: Book) -> (PutBack, StateStore) {
    let (plan, names) = (PlanStore::new(machine), Names::of(machine));
    let mut state = plan.state();
    let done = book.put_back(&names, &mut state);
    (done, state)
}

#[test]
fn what_was_kept_is_put_back() {
    let bytes = book().encode().unwrap();
    println!("{} bytes", bytes.len());
    let read = Book::decode(&bytes, &owner()).unwrap();
    let (done, mut state) = put_back(&cell(), read);
    assert_eq!((done.axes, done.stations), (9, 1));
    assert_eq!((done.anew, done.gone), (vec![], vec![]));
    assert!((done.hours - HOURS as f64).abs() < 1e-9);
    let (axes, stations) = state.health_mut();
    for (n, health) in axes.iter().enumerate() {
        let used = health.usage();
        assert!((used.hours - HOURS as f64).abs() < 1e-9, "{used:?}");
        assert!(
            (used.metres / (0.099 * (n + 1) as f64) - 1.0).abs() < 1e-9,
            "{used:?}"
        );
    }
    assert_eq!(stations[0].usage().strokes, 20);
    let reading = stations[0].reading().unwrap();
    assert!((1000.0..1020.0).contains(&reading.value), "{reading:?}");
}

/// The cell, its press followed by its strokes.
fn followed() -> Machine {
    let mut machine = cell();
    machine.presses[0].axis.health.gradient_factor = Some(0.8);
    machine
}

/// The book of that cell after ten strokes with each part of the first recipe.
fn book_of_strokes() -> Book {
    let machine = followed();
    let (plan, names) = (PlanStore::new(&machine), Names::of(&machine));
    let mut state = plan.state();
    for n in 0..20_u64 {
        let part = (n % 2) as u8;
        let mut features = Features {
            gradient_n_per_m: Some(1e6 * (1.0 + f64::from(part))),
            ..Features::default()
        };
        features.totals.contact_m = Some(0.15);
        state.press_health_mut()[0].stroke(&StrokeRecord {
            stroke: n + 1,
            stamp: CycleStamp::default(),
            source: Source::Axis(8),
            context: Context::of(0, part),
            verdict: Verdict::default(),
            features,
            residual: None,
            tare: Tare::Taken(40.0),
            unknown: None,
            outcomes: [None; MAX_OBJECTS],
        });
    }
    let pipeline = plan.pipeline(&mut state);
    let mut buffer = HealthBuffer::of(&names);
    while !buffer.copy_one(&pipeline) {}
    assert_eq!(buffer.copied(), 9 + 1 + 1);
    let mut book = Book::new(owner());
    book.take(&buffer, &names);
    book
}

/// What is known of the gradient with each part, by part.
fn gradients(state: &mut StateStore) -> Vec<(u8, f64)> {
    let readings = state.press_health_mut()[0].readings();
    let gradients = readings.filter(|(_, reading)| reading.parameter == "gradient");
    let mut found: Vec<_> = gradients
        .map(|(context, reading)| (context.part, reading.value))
        .collect();
    found.sort_by_key(|(part, _)| *part);
    found
}

#[test]
fn strokes_of_a_press_are_put_back_by_the_names_of_its_parts() {
    let bytes = book_of_strokes().encode().unwrap();
    let read = || Book::decode(&bytes, &owner()).unwrap();
    let (done, mut state) = put_back(&followed(), read());
    assert_eq!((done.anew, done.gone), (vec![], vec![]));
    assert_eq!(gradients(&mut state), [(0, 1e6), (1, 2e6)]);
    assert_eq!(state.press_health_mut()[0].usage().strokes, 20);
    // The other way round, and one of them is another part.
    let mut machine = followed();
    machine.parts.swap(0, 1);
    machine.parts[0].name = "another".to_owned();
    let (done, mut state) = put_back(&machine, read());
    assert_eq!(gradients(&mut state), [(1, 1e6)]);
    let then = cell();
    let (press, part) = (&then.presses[0].axis.name, &then.parts[1].name);
    let recipe = &then.recipes[0].name;
    assert_eq!(done.gone, [format!("{press} with {part} in {recipe}")]);
    // Nobody asks for it any more.
    let (done, mut state) = put_back(&cell(), read());
    assert_eq!((done.anew, done.gone), (vec![], vec![]));
    assert!(gradients(&mut state).is_empty());
}

#[test]
fn a_file_of_the_form_without_strokes_is_read() {
    let book = book();
    let head = Head {
        form: form_before(),
        version: "0.0.9".to_owned(),
        owner: owner(),
    };
    let rest = postcard::to_stdvec(&(head, &book.axes, &book.stations)).unwrap();
    let bytes = summed([&MAGIC[..], &[0; SUM][..], &rest[..]].concat());
    let read = Book::decode(&bytes, &owner()).unwrap();
    assert!(read.presses.is_empty());
    let (done, _) = put_back(&cell(), read);
    assert_eq!((done.axes, done.stations), (9, 1));
    assert_eq!((done.anew, done.gone), (vec![], vec![]));
}

#[test]
fn what_is_another_axis_or_twin_begins_anew_and_the_rest_goes_on() {
    let mut machine = cell();
    machine.axes[0].twin.as_mut().unwrap().mass_kg *= 1.01;
    machine.axes[1].name = "somebody".to_owned();
    machine.axes[2].health.friction_factor = 9.0;
    let names = [&cell().axes[0].name, &cell().axes[1].name].map(Clone::clone);
    let (done, mut state) = put_back(&machine, book());
    assert_eq!((done.axes, done.stations), (7, 1));
    assert_eq!(
        (done.anew, done.gone),
        (vec![names[0].clone()], vec![names[1].clone()])
    );
    let (axes, _) = state.health_mut();
    for (n, health) in axes.iter().enumerate() {
        assert_eq!(health.usage().metres > 0.0, n > 1, "{n}");
    }
}

/// Why `bytes` are refused.
fn refused(bytes: &[u8], owner: &Owner) -> String {
    Book::decode(bytes, owner).unwrap_err()
}

/// `bytes` with the checksum that belongs to them.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let from = MAGIC.len();
    if bytes.len() >= from + SUM {
        let sum = Sha256::digest(&bytes[from + SUM..]);
        bytes[from..from + SUM].copy_from_slice(&sum);
    }
    bytes
}

#[test]
fn what_is_not_ours_is_refused_in_words() {
    let bytes = book().encode().unwrap();
    let head = Head {
        form: form() ^ 1,
        version: "9.9.9".to_owned(),
        owner: owner(),
    };
    let head = postcard::to_stdvec(&head).unwrap();
    let later = summed([&MAGIC[..], &[0; SUM][..], &head[..]].concat());
    for (bytes, says) in [
        (vec![], "does not begin"),
        (b"SQLite format 3\0 and so on".to_vec(), "does not begin"),
        (
            bytes[..MAGIC.len() + 5].to_vec(),
            "ends within its checksum",
        ),
        (
            bytes[..bytes.len() - 1].to_vec(),
            "its checksum is that of other bytes",
        ),
        (summed(bytes[..bytes.len() - 1].to_vec()), "it is damaged"),
        (summed([&bytes[..], &[0]].concat()), "1 bytes are left over"),
        (later, "another version of the twins: of twinstep 9.9.9"),
    ] {
        let said = refused(&bytes, &owner());
        assert!(said.contains(says), "{says}: {said}");
    }
    for (other, says) in [
        (
            Owner {
                machine: "lathe".to_owned(),
                ..owner()
            },
            "this is 'lathe', simulated",
        ),
        (
            Owner {
                bus: Some("rear".to_owned()),
                ..owner()
            },
            "bus 'rear'",
        ),
        (
            Owner {
                simulated: None,
                ..owner()
            },
            "simulated, machine seed 7",
        ),
    ] {
        let said = refused(&bytes, &other);
        assert!(
            said.contains("it is the health of") && said.contains(says),
            "{said}"
        );
    }
}

#[test]
fn names_that_look_alike_have_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let long = "a press that has a very long name, longer than what goes into a file's";
    let named = |machine: &str, bus: Option<&str>| Owner {
        machine: machine.to_owned(),
        bus: bus.map(str::to_owned),
        ..owner()
    };
    let owners = [
        named("Presse Ä", None),
        named("Presse Ö", None),
        named("Presse _", None),
        named("Presse Ä", Some("front")),
        named("Presse Ä", Some("frönt")),
        named("Presse Ä", Some("fränt")),
        named("Presse Ä-front", None),
        named(long, None),
        named(&format!("{long}, the second"), None),
    ];
    for owner in &owners {
        Book::new(owner.clone())
            .write(&owner.path(folder.path()))
            .unwrap();
    }
    for owner in &owners {
        let path = owner.path(folder.path());
        assert!(Book::read(&path, owner).unwrap().is_some(), "{path:?}");
        assert!(path.file_name().unwrap().to_str().unwrap().is_ascii());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), owners.len());
}

#[test]
fn what_is_put_aside_is_renamed_and_replaces_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = owner().path(folder.path());
    for text in ["one", "two"] {
        fs::write(&path, text).unwrap();
        put_aside(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read_to_string(with(&path, ASIDE)).unwrap(), text);
    }
    assert!(put_aside(&path).is_err(), "there is none");
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = owner().path(folder.path());
    let name = path.file_name().unwrap();
    assert_eq!(name, "health-press_cell-17fb11bd-simulated.bin");
    assert!(Book::read(&path, &owner()).unwrap().is_none());
    Book::new(owner()).write(&path).unwrap();
    assert_eq!(Book::read(&path, &owner()).unwrap().unwrap().axes.len(), 0);
    book().write(&path).unwrap();
    assert_eq!(Book::read(&path, &owner()).unwrap().unwrap().axes.len(), 9);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let gone = folder.path().join("no/such/folder.bin");
    assert!(book().write(&gone).is_err());
    File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
    let said = Book::read(&path, &owner()).unwrap_err();
    assert!(said.contains("longer than 20 MiB"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_are_refused(
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
    ) {
        let whole = bytes();
        let mut bytes = whole.to_vec();
        for (at, change) in damage {
            bytes[at.index(whole.len())] ^= change;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        // The same place may have been changed twice.
        prop_assume!(bytes != whole);
        prop_assert!(Book::decode(&bytes, &owner()).is_err());
        // Where even the checksum is made to fit, what is read does no harm.
        if let Ok(book) = Book::decode(&summed(bytes), &owner()) {
            let (_, mut state) = put_back(&cell(), book);
            let (axes, stations) = state.health_mut();
            for health in axes {
                let _ = (health.readings(), health.usage());
            }
            for health in stations {
                health.hold(1000.0, 5.0, 1);
                let _ = health.reading();
            }
        }
    }

    #[test]
    fn strangers_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..2000), ours in any::<bool>()) {
        if ours {
            bytes = summed([&MAGIC[..], &bytes[..]].concat());
        }
        prop_assert!(Book::decode(&bytes, &owner()).is_err());
    }
}

/// A book as bytes, made once.
fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| book().encode().unwrap())
}
