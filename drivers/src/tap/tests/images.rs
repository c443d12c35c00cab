//! SubDevices that the configuration knows by an EEPROM image alone: they count, and their bytes are nobody's.

use super::{CYCLES, run_of, run_with};
use crate::bus::Bus;
use crate::segment::Description;
use crate::segment::testing::terminal;
use twinstep_config::machine::SiiFile;

#[test]
fn they_do_not_disturb_the_others() {
    let of = |name: &str| Description::for_test(name, 8, 12);
    // The drive in the middle has the identity of its neighbours, and bytes of its own.
    let all = vec![
        of("first"),
        terminal(),
        Description::for_test("drive", 3, 5),
        of("last"),
    ];
    let eeproms: Vec<_> = all.iter().map(|one| one.eeprom.clone()).collect();
    let run = run_with("images", all, |machine| {
        let subdevices = &mut machine.bus.as_mut().unwrap().subdevices;
        for at in [1, 2] {
            let (path, bytes) = (String::new(), eeproms[at].clone());
            subdevices[at].outputs.clear();
            subdevices[at].inputs.clear();
            subdevices[at].sii = Some(SiiFile { path, bytes });
        }
    });
    let late = || {
        let mut script = run.script.clone();
        let first = script.process_frames(false)[5];
        script.0.drain(..first);
        script
    };
    for (script, learnt) in [(run.script.clone(), true), (late(), false)] {
        let (mut bus, mut image) = run.tap(script);
        assert_eq!(bus.is_learnt(), learnt);
        assert_eq!((image.outputs.len(), image.inputs.len()), (16, 24));
        let mut heard = Vec::new();
        while bus.exchange(&mut image, &mut || {}).is_ok() {
            assert!(image.valid.iter().all(Result::is_ok));
            heard.push(image.clone());
        }
        assert!(heard.len() > 40, "{}", heard.len());
        for (heard, ours) in heard
            .iter()
            .rev()
            .zip(run.images.iter().rev())
            .take(CYCLES as usize)
        {
            // The master's image has no bytes of the two in the middle either.
            assert_eq!(heard.inputs, ours.inputs);
            assert_eq!(heard.outputs, ours.outputs);
        }
        assert_eq!(bus.counters(), Default::default());
    }
}

#[test]
fn one_that_the_bus_does_not_have_is_not_missed() {
    let run = run_of("no-image", super::devices(&super::sizes()));
    let mut machine = run.machine.clone();
    let absent = twinstep_config::machine::SubDevice {
        name: "spare".into(),
        vendor_id: 1,
        product_code: 2,
        sii: Some(SiiFile {
            path: String::new(),
            bytes: terminal().eeprom,
        }),
        ..Default::default()
    };
    machine.bus.as_mut().unwrap().subdevices.insert(1, absent);
    let mut bus = super::super::TapBus::new(run.script.clone(), &machine).unwrap();
    assert!(bus.ready().unwrap());
}
