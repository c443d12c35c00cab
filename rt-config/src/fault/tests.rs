use super::*;
use crate::machine::Machine;
use proptest::prelude::*;

fn cell() -> Machine {
    crate::load(crate::PRESS_CELL, "press-cell.toml").unwrap()
}

fn parse(text: &str) -> Result<Fault, FaultError> {
    Fault::parse(text, &cell())
}

#[test]
fn the_forms_of_the_design_are_read() {
    let s = 1_000_000_000;
    let table: Vec<(&str, FaultKind, &str, u64, u64)> = vec![
        (
            "friction:infeed:factor=1.2",
            FaultKind::Friction { factor: 1.2 },
            "infeed",
            0,
            0,
        ),
        (
            "friction:press:factor=1.2,ramp=60s@10s",
            FaultKind::Friction { factor: 1.2 },
            "press",
            10 * s,
            60 * s,
        ),
        (
            "load:lift:mass=20kg",
            FaultKind::Load { mass_kg: 20.0 },
            "lift",
            0,
            0,
        ),
        (
            "backlash:cross:ramp=2min,gap=50um",
            FaultKind::Backlash { gap_m: 50e-6 },
            "cross",
            0,
            120 * s,
        ),
        (
            "current_gain:pusher:factor=1.05@250ms",
            FaultKind::CurrentGain { factor: 1.05 },
            "pusher",
            s / 4,
            0,
        ),
        (
            "frame_loss:bus:count=3@1s",
            FaultKind::FrameLoss { count: 3 },
            "bus",
            s,
            0,
        ),
        (
            "drive_fault:infeed:code=0x2310",
            FaultKind::DriveFault { code: 0x2310 },
            "infeed",
            0,
            0,
        ),
        (
            "drive_fault:infeed:code=8976",
            FaultKind::DriveFault { code: 0x2310 },
            "infeed",
            0,
            0,
        ),
        (
            "leak:gripper:rate=10mbar/s",
            FaultKind::Leak {
                rate_pa_per_s: 1000.0,
            },
            "gripper",
            0,
            0,
        ),
        (
            "missing_part:press@2s",
            FaultKind::MissingPart,
            "press",
            2 * s,
            0,
        ),
        (
            "encoder_slip:cross:step=200um",
            FaultKind::EncoderSlip { step_m: 200e-6 },
            "cross",
            0,
            0,
        ),
        (
            "lubrication:insert:factor=2,ramp=60s",
            FaultKind::Lubrication { factor: 2.0 },
            "insert",
            0,
            60 * s,
        ),
        (
            "stiffness:press:factor=0.8,ramp=60s",
            FaultKind::Stiffness { factor: 0.8 },
            "press",
            0,
            60 * s,
        ),
        ("brake:lift", FaultKind::Brake { share: 1.0 }, "lift", 0, 0),
        (
            "brake:lift:share=0.1,ramp=60s@1s",
            FaultKind::Brake { share: 0.1 },
            "lift",
            s,
            60 * s,
        ),
        (
            "jam:cross@2s",
            FaultKind::Jam { push_m: 0.0 },
            "cross",
            2 * s,
            0,
        ),
        (
            "jam:cross:push=20um,ramp=30s",
            FaultKind::Jam { push_m: 20e-6 },
            "cross",
            0,
            30 * s,
        ),
        (
            "spalling:pusher:depth=0.5",
            FaultKind::Spalling { depth: 0.5 },
            "pusher",
            0,
            0,
        ),
        (
            "wrong_part:press:part=bush-long",
            FaultKind::WrongPart {
                part: "bush-long".into(),
            },
            "press",
            0,
            0,
        ),
    ];
    for (text, kind, target, at_ns, ramp_ns) in table {
        let fault = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            fault,
            Fault {
                kind,
                target: target.into(),
                at_ns,
                ramp_ns
            },
            "{text}"
        );
        assert_eq!(parse(&fault.to_string()).as_ref(), Ok(&fault), "{fault}");
    }
}

#[test]
fn faults_of_the_bus_are_read() {
    let ms = 1_000_000;
    for (text, fault, target) in [
        (
            "frame_late:bus:by=900us,count=3",
            BusFault::FrameLate {
                by_ns: 900_000,
                count: 3,
            },
            "bus",
        ),
        (
            "frame_late:bus:count=2,by=1ms",
            BusFault::FrameLate {
                by_ns: ms,
                count: 2,
            },
            "bus",
        ),
        (
            "frame_late:bus:by=2ms",
            BusFault::FrameLate {
                by_ns: 2 * ms,
                count: 1,
            },
            "bus",
        ),
        (
            "frame_duplicate:bus:count=2",
            BusFault::FrameDuplicate { count: 2 },
            "bus",
        ),
        (
            "frame_truncate:bus:count=1",
            BusFault::FrameTruncate { count: 1 },
            "bus",
        ),
        (
            "frame_corrupt:lift:count=4",
            BusFault::FrameCorrupt { count: 4 },
            "lift",
        ),
        (
            "frame_foreign:bus:count=5",
            BusFault::FrameForeign { count: 5 },
            "bus",
        ),
        (
            "working_counter:gripper:count=5",
            BusFault::WorkingCounter { count: 5 },
            "gripper",
        ),
        (
            "cable:cross:for=500ms",
            BusFault::Cable { for_ns: 500 * ms },
            "cross",
        ),
        (
            "power:lift:for=1s",
            BusFault::Power { for_ns: 1000 * ms },
            "lift",
        ),
        (
            "al_refuse:press:state=op,code=0x001b,count=2",
            BusFault::AlRefuse {
                state: 8,
                code: 0x1b,
                count: 2,
            },
            "press",
        ),
        (
            "al_refuse:press:state=safeop,code=27",
            BusFault::AlRefuse {
                state: 4,
                code: 27,
                count: 1_000_000,
            },
            "press",
        ),
        (
            "sdo_abort:lift",
            BusFault::SdoAbort {
                code: 0x0800_0000,
                count: 1,
            },
            "lift",
        ),
        (
            "sdo_abort:lift:code=0x06020000,count=3",
            BusFault::SdoAbort {
                code: 0x0602_0000,
                count: 3,
            },
            "lift",
        ),
        (
            "mailbox_late:lift:by=50ms",
            BusFault::MailboxLate {
                by_ns: 50 * ms,
                count: 1,
            },
            "lift",
        ),
        (
            "mailbox_busy:lift:for=100ms",
            BusFault::MailboxBusy { for_ns: 100 * ms },
            "lift",
        ),
        (
            "emergency:lift:code=0x8130",
            BusFault::Emergency { code: 0x8130 },
            "lift",
        ),
        ("watchdog:lift", BusFault::Watchdog, "lift"),
        (
            "clock_drift:bus:rate=-12.5ppm",
            BusFault::ClockDrift { rate_ppb: -12_500 },
            "bus",
        ),
        (
            "clock_jump:lift:step=-20us",
            BusFault::ClockJump { step_ns: -20_000 },
            "lift",
        ),
        ("eeprom_checksum:lift", BusFault::EepromChecksum, "lift"),
    ] {
        let read = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            (&read.kind, read.target.as_str()),
            (&FaultKind::Bus(fault), target)
        );
        assert_eq!(parse(&read.to_string()).as_ref(), Ok(&read), "{read}");
        let later = parse(&format!("{text}@2s")).unwrap();
        assert_eq!(later.at_ns, 2000 * ms);
        assert_eq!(parse(&later.to_string()), Ok(later));
    }
}

/// Each wrong text, the part of it that the error points at, and words of message or help.
#[test]
fn errors_point_at_the_part_and_name_the_form() {
    for (text, place, words) in [
        ("", "", "there is no fault"),
        (
            "fricton:infeed:factor=1.2",
            "fricton",
            "did you mean \"friction\"",
        ),
        ("friction", "friction", "no target"),
        ("friction::factor=1.2", "friction", "no target"),
        (
            "friction:infed:factor=1.2",
            "infed",
            "did you mean \"infeed\"",
        ),
        (
            "friction:gripper:factor=1.2",
            "gripper",
            "needs an axis or press",
        ),
        ("leak:infeed:rate=1mbar/s", "infeed", "not a station"),
        ("wrong_part:infeed:part=bush-a", "infeed", "not a press"),
        ("missing_part:infeed", "infeed", "not a press"),
        ("missing_part:press:part=bush-a", "part", "no key \"part\""),
        ("missing_part:press:ramp=1s", "ramp", "takes no ramp"),
        ("missing_part:press:=1", "", "no key \"\""),
        ("spalling:cross:depth=1.5", "1.5", "up to 1"),
        ("encoder_slip:cross:step=20", "20", "mm"),
        ("brake:lift:share=1.5", "1.5", "up to 1"),
        ("brake:lift:share=0", "0", "above 0"),
        ("brake:gripper", "gripper", "needs an axis or press"),
        ("jam:lift:push=20", "20", "mm"),
        ("jam:lift:push=-20um", "-20um", "above 0"),
        ("jam:lift:ramp=60s", "60s", "leave `ramp` out"),
        ("jam:lift:push=0,ramp=60s", "60s", "leave `ramp` out"),
        ("lubrication:cross", "lubrication", "needs the key `factor`"),
        ("frame_loss:infeed:count=3", "infeed", "not the bus"),
        (
            "friction:infeed",
            "friction",
            "write friction:AXIS:factor=1.2[,ramp=60s]",
        ),
        ("friction:infeed:", "", "is not KEY=VALUE"),
        (
            "friction:infeed:ramp=60s",
            "friction",
            "needs the key `factor`",
        ),
        (
            "friction:infeed:factor=1.2,factor=1.3",
            "factor",
            "given twice",
        ),
        ("friction:infeed:mass=2kg", "mass", "no key \"mass\""),
        ("friction:infeed:factor=0", "0", "above 0"),
        ("friction:infeed:factor=-1", "-1", "above 0"),
        ("friction:infeed:factor=nan", "nan", "above 0"),
        ("load:infeed:mass=20", "20", "kg, g, t"),
        ("load:infeed:mass=20mm", "20mm", "kg, g, t"),
        ("frame_loss:bus:count=0", "0", "whole number"),
        ("frame_loss:bus:count=+3", "+3", "whole number"),
        ("frame_loss:bus:count=3,ramp=1s", "ramp", "takes no ramp"),
        ("drive_fault:infeed:code=0x", "0x", "error code"),
        ("drive_fault:infeed:code=65536", "65536", "error code"),
        (
            "wrong_part:press:part=bush-c",
            "bush-c",
            "did you mean \"bush-a\"",
        ),
        ("frame_late:bus:by=700", "700", "ns"),
        ("frame_late:bus:count=2", "frame_late", "the key `by`"),
        ("frame_late:lift:by=1ms", "lift", "not the bus"),
        ("frame_duplicate:bus:count=0", "0", "whole number"),
        ("working_counter:bus:count=5", "bus", "needs a SubDevice"),
        ("cable:crss:for=1s", "crss", "did you mean \"cross\""),
        ("cable:cross:for=2h", "2h", "to 1h"),
        ("power:cross", "power", "the key `for`"),
        (
            "al_refuse:lift:state=run,code=1",
            "run",
            "preop, safeop or op",
        ),
        ("al_refuse:lift:state=op,code=0x10000", "0x10000", "0xFFFF"),
        ("al_refuse:lift:state=op", "al_refuse", "the key `code`"),
        ("sdo_abort:lift:code=x", "x", "a code from"),
        ("emergency:lift:code=0", "0", "a code from"),
        ("watchdog:lift:for=1s", "for", "no key \"for\""),
        ("clock_drift:bus:rate=50", "50", "ppm"),
        ("clock_drift:bus:rate=2000ppm", "2000ppm", "1000ppm"),
        ("clock_jump:lift:step=1s", "1s", "100ms"),
        ("friction:infeed:factor=1.2@", "", "no time"),
        ("friction:infeed:factor=1.2@10", "10", "no time"),
        ("friction:infeed:factor=1.2@-1s", "-1s", "no time"),
        ("friction:infeed:factor=1.2,ramp=2kg", "2kg", "no time"),
    ] {
        let error = parse(text).expect_err(text);
        let (start, length) = error.at;
        assert_eq!(&text[start..start + length], place, "{text}: {error}");
        let all = format!("{} {} {}", error.message, error.label, error.help);
        assert!(all.contains(words), "{text}: {all}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_is_nearly_a_fault_is_read_or_refused(
        text in "(friction|load|leak|wrong_part|missing_part|encoder_slip|spalling|drive_fault|frame_loss|frame_late|cable|al_refuse|emergency|clock_drift|clock_jump)(:(infeed|press|gripper|bus|µ)){0,3}(:?(factor|mass|rate|part|code|count|ramp|by|for|state|step)=[-+0-9a-zx./µ]{0,6},?){0,3}(@[0-9a-z.]{0,6})?"
    ) {
        if let Ok(fault) = parse(&text) {
            prop_assert_eq!(parse(&fault.to_string()), Ok(fault));
        }
    }
}
