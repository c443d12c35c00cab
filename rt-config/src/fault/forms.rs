//! The table of faults: what each is aimed at, and the keys that it takes.

/// What a fault can be aimed at.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// An axis or a press.
    Axis,
    Press,
    Station,
    Bus,
    /// A SubDevice, by its name in the bus.
    SubDevice,
}

/// One row of the table of faults.
pub(super) struct Form {
    pub(super) kind: &'static str,
    pub(super) target: Target,
    /// Keys in the order of their values; one with a default may be left out.
    pub(super) keys: &'static [(&'static str, Option<&'static str>)],
    /// As the command line's help shows it.
    pub(super) usage: &'static str,
    /// It has a size that can grow: it takes `ramp`.
    pub(super) continuous: bool,
}

const fn form(
    kind: &'static str,
    target: Target,
    keys: &'static [(&'static str, Option<&'static str>)],
    usage: &'static str,
    continuous: bool,
) -> Form {
    Form {
        kind,
        target,
        keys,
        usage,
        continuous,
    }
}

pub(super) const FORMS: [Form; 32] = [
    form(
        "friction",
        Target::Axis,
        &[("factor", None)],
        "friction:AXIS:factor=1.2[,ramp=60s]",
        true,
    ),
    form(
        "load",
        Target::Axis,
        &[("mass", None)],
        "load:AXIS:mass=20kg[,ramp=60s]",
        true,
    ),
    form(
        "backlash",
        Target::Axis,
        &[("gap", None)],
        "backlash:AXIS:gap=50um[,ramp=60s]",
        true,
    ),
    form(
        "current_gain",
        Target::Axis,
        &[("factor", None)],
        "current_gain:AXIS:factor=1.05[,ramp=60s]",
        true,
    ),
    form(
        "frame_loss",
        Target::Bus,
        &[("count", None)],
        "frame_loss:bus:count=3",
        false,
    ),
    form(
        "drive_fault",
        Target::Axis,
        &[("code", None)],
        "drive_fault:AXIS:code=0x2310",
        false,
    ),
    form(
        "leak",
        Target::Station,
        &[("rate", None)],
        "leak:STATION:rate=10mbar/s[,ramp=60s]",
        true,
    ),
    form(
        "wrong_part",
        Target::Press,
        &[("part", None)],
        "wrong_part:PRESS:part=NAME",
        false,
    ),
    form(
        "missing_part",
        Target::Press,
        &[],
        "missing_part:PRESS",
        false,
    ),
    form(
        "encoder_slip",
        Target::Axis,
        &[("step", None)],
        "encoder_slip:AXIS:step=200um[,ramp=60s]",
        true,
    ),
    form(
        "lubrication",
        Target::Axis,
        &[("factor", None)],
        "lubrication:AXIS:factor=2[,ramp=60s]",
        true,
    ),
    form(
        "spalling",
        Target::Axis,
        &[("depth", None)],
        "spalling:AXIS:depth=0.5[,ramp=60s]",
        true,
    ),
    form(
        "stiffness",
        Target::Press,
        &[("factor", None)],
        "stiffness:PRESS:factor=0.8[,ramp=60s]",
        true,
    ),
    form(
        "brake",
        Target::Axis,
        &[("share", Some("1"))],
        "brake:AXIS[:share=0.1,ramp=60s]",
        true,
    ),
    form(
        "jam",
        Target::Axis,
        &[("push", Some("0"))],
        "jam:AXIS[:push=20um[,ramp=60s]]",
        true,
    ),
    form(
        "frame_late",
        Target::Bus,
        &[("by", None), ("count", Some("1"))],
        "frame_late:bus:by=900us[,count=3]",
        false,
    ),
    form(
        "frame_duplicate",
        Target::Bus,
        &[("count", None)],
        "frame_duplicate:bus:count=3",
        false,
    ),
    form(
        "frame_truncate",
        Target::Bus,
        &[("count", None)],
        "frame_truncate:bus:count=3",
        false,
    ),
    form(
        "frame_corrupt",
        Target::SubDevice,
        &[("count", None)],
        "frame_corrupt:NAME:count=3",
        false,
    ),
    form(
        "frame_foreign",
        Target::Bus,
        &[("count", None)],
        "frame_foreign:bus:count=3",
        false,
    ),
    form(
        "working_counter",
        Target::SubDevice,
        &[("count", None)],
        "working_counter:NAME:count=5",
        false,
    ),
    form(
        "cable",
        Target::SubDevice,
        &[("for", None)],
        "cable:NAME:for=500ms",
        false,
    ),
    form(
        "power",
        Target::SubDevice,
        &[("for", None)],
        "power:NAME:for=1s",
        false,
    ),
    form(
        "al_refuse",
        Target::SubDevice,
        &[("state", None), ("code", None), ("count", Some("1000000"))],
        "al_refuse:NAME:state=op,code=0x001b[,count=1]",
        false,
    ),
    form(
        "sdo_abort",
        Target::SubDevice,
        &[("code", Some("0x08000000")), ("count", Some("1"))],
        "sdo_abort:NAME[:code=0x08000000,count=1]",
        false,
    ),
    form(
        "mailbox_late",
        Target::SubDevice,
        &[("by", None), ("count", Some("1"))],
        "mailbox_late:NAME:by=50ms[,count=1]",
        false,
    ),
    form(
        "mailbox_busy",
        Target::SubDevice,
        &[("for", None)],
        "mailbox_busy:NAME:for=100ms",
        false,
    ),
    form(
        "emergency",
        Target::SubDevice,
        &[("code", None)],
        "emergency:NAME:code=0x8130",
        false,
    ),
    form("watchdog", Target::SubDevice, &[], "watchdog:NAME", false),
    form(
        "clock_drift",
        Target::Bus,
        &[("rate", None)],
        "clock_drift:bus:rate=50ppm",
        false,
    ),
    form(
        "clock_jump",
        Target::SubDevice,
        &[("step", None)],
        "clock_jump:NAME:step=20us",
        false,
    ),
    form(
        "eeprom_checksum",
        Target::SubDevice,
        &[],
        "eeprom_checksum:NAME",
        false,
    ),
];
