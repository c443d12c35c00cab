//! The table of faults: what each is aimed at, and the one key that it needs, if any.

/// What a fault can be aimed at.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// An axis or a press.
    Axis,
    Press,
    Station,
    Bus,
}

/// One row of the table of faults.
pub(super) struct Form {
    pub(super) kind: &'static str,
    pub(super) target: Target,
    /// Empty where the fault has no size.
    pub(super) key: &'static str,
    /// As the command line's help shows it.
    pub(super) usage: &'static str,
    /// It has a size that can grow: it takes `ramp`.
    pub(super) continuous: bool,
}

const fn form(
    kind: &'static str,
    target: Target,
    key: &'static str,
    usage: &'static str,
    continuous: bool,
) -> Form {
    Form {
        kind,
        target,
        key,
        usage,
        continuous,
    }
}

pub(super) const FORMS: [Form; 12] = [
    form(
        "friction",
        Target::Axis,
        "factor",
        "friction:AXIS:factor=1.2[,ramp=60s]",
        true,
    ),
    form(
        "load",
        Target::Axis,
        "mass",
        "load:AXIS:mass=20kg[,ramp=60s]",
        true,
    ),
    form(
        "backlash",
        Target::Axis,
        "gap",
        "backlash:AXIS:gap=50um[,ramp=60s]",
        true,
    ),
    form(
        "current_gain",
        Target::Axis,
        "factor",
        "current_gain:AXIS:factor=1.05[,ramp=60s]",
        true,
    ),
    form(
        "frame_loss",
        Target::Bus,
        "count",
        "frame_loss:bus:count=3",
        false,
    ),
    form(
        "drive_fault",
        Target::Axis,
        "code",
        "drive_fault:AXIS:code=0x2310",
        false,
    ),
    form(
        "leak",
        Target::Station,
        "rate",
        "leak:STATION:rate=10mbar/s[,ramp=60s]",
        true,
    ),
    form(
        "wrong_part",
        Target::Press,
        "part",
        "wrong_part:PRESS:part=NAME",
        false,
    ),
    form(
        "missing_part",
        Target::Press,
        "",
        "missing_part:PRESS",
        false,
    ),
    form(
        "encoder_slip",
        Target::Axis,
        "step",
        "encoder_slip:AXIS:step=200um[,ramp=60s]",
        true,
    ),
    form(
        "lubrication",
        Target::Axis,
        "factor",
        "lubrication:AXIS:factor=2[,ramp=60s]",
        true,
    ),
    form(
        "spalling",
        Target::Axis,
        "depth",
        "spalling:AXIS:depth=0.5[,ramp=60s]",
        true,
    ),
];
