use super::*;
use crate::link::in_process::InProcess;
use crate::segment::Segment;

#[test]
fn the_press_cell_is_found_as_it_is() {
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let mut link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let found = scan(&mut link, Depth::Look).unwrap();
    let bus = machine.bus.unwrap();
    assert_eq!(found.len(), bus.subdevices.len());
    for (n, (found, known)) in found.iter().zip(&bus.subdevices).enumerate() {
        assert_eq!(
            (found.position, found.parent),
            (n, n.checked_sub(1)),
            "{found:?}"
        );
        assert_eq!(found.order, known.name);
        assert_eq!(
            (found.vendor_id, found.product_code),
            (known.vendor_id, known.product_code)
        );
        assert_eq!((found.serial, found.al_status), (n as u32 + 1, 1));
        assert_eq!(
            (&found.outputs, &found.inputs),
            (&known.outputs, &known.inputs)
        );
        let last = n + 1 == bus.subdevices.len();
        assert_eq!(found.links, [true, !last, false, false]);
        // The EEPROM is the SubDevice's own again.
        assert!(found.has_clock && found.coe && !found.eeprom_error);
        assert_eq!(found.errors, ErrorCounters::default());
    }
}

#[test]
fn what_is_mapped_is_asked_by_coe_and_the_eeprom_is_given_back() {
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let mut link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let looked = scan(&mut link, Depth::Look).unwrap();
    let mut reader = Reader {
        port: Port::new(&mut link),
        line: Line::new(),
    };
    for n in 0..looked.len() {
        let place = 0_u16.wrapping_sub(n as u16);
        assert_eq!(reader.read::<1>(place, EEPROM_OWNER), Some([1]), "{n}");
    }
    let asked = scan(&mut link, Depth::PreOp).unwrap();
    for (looked, asked) in looked.iter().zip(&asked) {
        assert!(asked.by_coe && !looked.by_coe);
        assert_eq!(
            (&asked.outputs, &asked.inputs),
            (&looked.outputs, &looked.inputs)
        );
    }
    // They are left in INIT.
    let after = scan(&mut link, Depth::Look).unwrap();
    assert!(after.iter().all(|found| found.al_status == 1), "{after:?}");
}

#[test]
fn a_ring_is_scanned_from_both_ends() {
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    for (cut, expected) in [
        (None, Ring::Whole),
        (Some(0), Ring::Broken { first: 0 }),
        (Some(4), Ring::Broken { first: 4 }),
        (Some(10), Ring::Broken { first: 10 }),
    ] {
        let mut segment = Segment::new(&machine, 1, 1).unwrap();
        segment.make_redundant();
        segment.advance(999_000_000);
        if let Some(at) = cut {
            assert!(segment.cut(at, false, 0, u64::MAX / 2));
        }
        let ends = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
        let (found, ring) = scan_ring(ends, Depth::Look).unwrap();
        assert_eq!(ring, expected, "{cut:?}");
        let places: Vec<_> = found.iter().map(|one| (one.position, one.parent)).collect();
        let line: Vec<_> = (0..10_usize).map(|n| (n, n.checked_sub(1))).collect();
        assert_eq!(places, line, "{cut:?}");
        let serials: Vec<_> = found.iter().map(|one| one.serial).collect();
        assert_eq!(serials, (1..=10).collect::<Vec<_>>(), "{cut:?}");
    }
}

#[test]
fn branches_are_read_from_the_links() {
    let found = |position, links| Found {
        position,
        parent: None,
        parent_port: 0,
        sii: Vec::new(),
        by_coe: false,
        address: 0,
        alias: 0,
        al_status: 1,
        al_code: 0,
        links,
        has_clock: false,
        errors: ErrorCounters::default(),
        eeprom_error: false,
        vendor_id: 0,
        product_code: 0,
        revision: 0,
        serial: 0,
        order: String::new(),
        name: String::new(),
        coe: false,
        outputs: Vec::new(),
        inputs: Vec::new(),
    };
    let end = [true, false, false, false];
    // A junction with a line of two and a single one behind it.
    let mut all = [
        found(0, [true, true, true, false]),
        found(1, [true, true, false, false]),
        found(2, end),
        found(3, end),
    ];
    hang_together(&mut all);
    let parents: Vec<_> = all.iter().map(|found| found.parent).collect();
    assert_eq!(parents, [None, Some(0), Some(1), Some(0)]);
    assert_eq!(all.map(|found| found.parent_port), [0, 1, 1, 2]);
}
