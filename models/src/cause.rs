//! Likely causes of a deviation, each with what to do about it.

/// The likeliest cause of a deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Cause {
    /// Friction of guide, screw or bearing is higher than calibrated.
    FrictionIncreased = 0,
    /// Friction is lower than calibrated.
    FrictionDecreased = 1,
    /// More moved mass than calibrated.
    LoadAdded = 2,
    /// Less moved mass than calibrated.
    LoadRemoved = 3,
    /// Torque constant or current sensor: all currents scale together.
    TorqueConstantChanged = 4,
    /// Lost motion at reversals.
    Backlash = 5,
    /// The force over the stroke is not that of the part the recipe names.
    WrongPart = 6,
    /// The vacuum circuit leaks.
    Leak = 7,
    /// Frames were lost on the bus.
    FramesLost = 8,
    /// A SubDevice did not process its datagram.
    WorkingCounter = 9,
    /// The drive reports a fault; the code stands in `measured`.
    DriveFault = 10,
    /// The axis moves while it is not enabled.
    MovedWhileDisabled = 11,
    /// An abrupt disturbance that no pattern explains yet.
    Disturbance = 12,
    /// The vacuum is not reached.
    VacuumNotReached = 13,
    /// The recording lacks cycles.
    RecordingGap = 14,
    /// A SubDevice left OP; the AL status code stands in `measured`.
    AlError = 15,
    /// A SubDevice does not answer any more.
    NoAnswer = 16,
    /// Friction of the screw is up in both directions, as when lubrication is lacking.
    LubricationLacking = 17,
    /// The nut has lost its preload: less friction, and play.
    PreloadLost = 18,
    /// A raceway or a ball is damaged: ripple once a revolution, while the mean current may fall.
    Spalling = 19,
    /// The encoder loses counts.
    EncoderSlip = 20,
    /// The ram meets no part.
    MissingPart = 21,
    /// A press stroke had more force or work than its evaluation objects allow.
    StrokeForceHigh = 22,
    /// A press stroke had less force or work than its evaluation objects demand.
    StrokeForceLow = 23,
    /// A press stroke turned, crossed or ended at a travel that its evaluation objects do not allow.
    StrokeTravel = 24,
    /// Nobody answers from a SubDevice on: the line is broken in front of it.
    LineBroken = 25,
    /// The line was broken, and the SubDevices behind it had kept their power.
    CableBroken = 26,
    /// A SubDevice has forgotten everything: it was without power.
    PowerLost = 27,
    /// A SubDevice refuses the state that is asked of it, again and again; the AL status code stands in `measured`.
    Refused = 28,
    /// A SubDevice cannot read its EEPROM.
    EepromUnreadable = 29,
    /// Frames came back after their deadline.
    FramesLate = 30,
    /// Frames came back twice.
    FramesDuplicated = 31,
    /// Frames that were not sent here, or that were cut short.
    FramesForeign = 32,
    /// Frames were damaged on the way to a SubDevice, which counted them.
    FramesDamaged = 33,
    /// A SubDevice sent an emergency; its error code stands in `measured`.
    Emergency = 34,
    /// The clock of a SubDevice is off by the time in `measured`.
    ClockOff = 35,
    /// The cycle has lost its phase against SYNC0.
    PhaseLost = 36,
    /// The ring is broken; all SubDevices are reached from one of its ends.
    RingBroken = 37,
    /// The SubDevice in front of the break has lost its link, as often as `measured` says.
    LinkLost = 38,
    /// Every part is met with less force, the stiffer ones most: the press itself yields more than it did.
    PressStiffness = 39,
    /// The controller process has sent no request for longer than its liveness limit.
    ControllerSilent = 40,
    /// A target of the controller was further away than the velocity limit allows, or no number.
    TargetStep = 41,
    /// A drive that the controller had enabled dropped out, and all others were halted with it.
    DriveDropped = 42,
    /// The pressure moved away from the ambient one where nothing pulls: the sensor, or a valve that does not close.
    PressureSensor = 43,
    /// Recipe, part, tool, load or temperature as they are told from outside are none of the configuration's; the number stands in `measured`,
    /// -1 where there is none.
    ContextUnknown = 44,
    /// What holds the axis at rest is another force than its load: a brake, a jam, a part that it is clamped to.
    HeldAtRest = 45,
    /// Friction of an axis with a holding brake is up by as much at every speed: the brake does not open wholly.
    BrakeDrags = 46,
}

impl Cause {
    /// All causes, in the order of their codes.
    pub const ALL: [Self; 47] = [
        Self::FrictionIncreased,
        Self::FrictionDecreased,
        Self::LoadAdded,
        Self::LoadRemoved,
        Self::TorqueConstantChanged,
        Self::Backlash,
        Self::WrongPart,
        Self::Leak,
        Self::FramesLost,
        Self::WorkingCounter,
        Self::DriveFault,
        Self::MovedWhileDisabled,
        Self::Disturbance,
        Self::VacuumNotReached,
        Self::RecordingGap,
        Self::AlError,
        Self::NoAnswer,
        Self::LubricationLacking,
        Self::PreloadLost,
        Self::Spalling,
        Self::EncoderSlip,
        Self::MissingPart,
        Self::StrokeForceHigh,
        Self::StrokeForceLow,
        Self::StrokeTravel,
        Self::LineBroken,
        Self::CableBroken,
        Self::PowerLost,
        Self::Refused,
        Self::EepromUnreadable,
        Self::FramesLate,
        Self::FramesDuplicated,
        Self::FramesForeign,
        Self::FramesDamaged,
        Self::Emergency,
        Self::ClockOff,
        Self::PhaseLost,
        Self::RingBroken,
        Self::LinkLost,
        Self::PressStiffness,
        Self::ControllerSilent,
        Self::TargetStep,
        Self::DriveDropped,
        Self::PressureSensor,
        Self::ContextUnknown,
        Self::HeldAtRest,
        Self::BrakeDrags,
    ];

    /// One phrase for the maintenance engineer.
    pub const fn text(self) -> &'static str {
        match self {
            Self::FrictionIncreased => "friction increased",
            Self::FrictionDecreased => "friction decreased",
            Self::LoadAdded => "more load than calibrated",
            Self::LoadRemoved => "less load than calibrated",
            Self::TorqueConstantChanged => "torque constant or current sensor changed",
            Self::Backlash => "backlash increased (inferred from one encoder)",
            Self::WrongPart => "the part in the press is not the recipe's",
            Self::Leak => "vacuum leak increased",
            Self::FramesLost => "frames lost on the bus",
            Self::WorkingCounter => "a SubDevice did not process its datagram",
            Self::DriveFault => "the drive reports a fault",
            Self::MovedWhileDisabled => "the axis moved while it was not enabled",
            Self::Disturbance => "abrupt disturbance",
            Self::VacuumNotReached => "vacuum not reached",
            Self::RecordingGap => "the recording lacks cycles",
            Self::AlError => "a SubDevice left OP",
            Self::NoAnswer => "a SubDevice does not answer",
            Self::LubricationLacking => "friction increased as when lubrication is lacking",
            Self::PreloadLost => "backlash increased: the nut has lost its preload",
            Self::Spalling => "spalling of the screw: ripple once a revolution",
            Self::EncoderSlip => "the encoder slips or loses counts",
            Self::MissingPart => "no part in the press",
            Self::StrokeForceHigh => "press stroke NOK, force too high",
            Self::StrokeForceLow => "press stroke NOK, force too low",
            Self::StrokeTravel => "press stroke NOK, travel wrong",
            Self::LineBroken => "no answer from a SubDevice on: the line is broken in front of it",
            Self::CableBroken => "the line was broken and is whole again",
            Self::PowerLost => "a SubDevice was without power",
            Self::Refused => "a SubDevice refuses to come back",
            Self::EepromUnreadable => "a SubDevice cannot read its EEPROM: wrong checksum",
            Self::FramesLate => "frames came back too late",
            Self::FramesDuplicated => "frames came back twice",
            Self::FramesForeign => "frames of somebody else, or cut short",
            Self::FramesDamaged => "frames damaged on the cable in front of a SubDevice",
            Self::Emergency => "a SubDevice reports an emergency",
            Self::ClockOff => "the clock of a SubDevice is off",
            Self::PhaseLost => "the cycle is out of step with SYNC0",
            Self::RingBroken => "the ring is broken; all SubDevices are still reached",
            Self::LinkLost => "the line is broken behind a SubDevice that has lost its link",
            Self::PressStiffness => "press stiffness fell: frame, screw or tool gives way",
            Self::ControllerSilent => "the controller fell silent: all axes were halted",
            Self::TargetStep => {
                "a target of the controller stepped beyond the velocity limit, or was no number: all axes were halted"
            }
            Self::DriveDropped => {
                "the drive dropped out under the controller: all axes were halted"
            }
            Self::PressureSensor => "pressure sensor changed, or a valve that does not close",
            Self::ContextUnknown => {
                "the recipe, part, tool, load or temperature that is told is none of the configuration"
            }
            Self::HeldAtRest => "something holds or pushes the axis at rest: brake, jam or part",
            Self::BrakeDrags => "friction increased as when the holding brake drags",
        }
    }

    /// What to do, in one sentence.
    pub const fn action(self) -> &'static str {
        match self {
            Self::FrictionIncreased => {
                "Check lubrication, guide and bearings; compare after relubrication."
            }
            Self::FrictionDecreased => {
                "Check that the axis is still coupled; recalibrate after a change of lubricant."
            }
            Self::LoadAdded => "Check tool and workpiece on the axis against the recipe.",
            Self::LoadRemoved => "Check that tool and workpiece are still attached.",
            Self::TorqueConstantChanged => {
                "Compare motor temperature and current sensor with a reference measurement."
            }
            Self::Backlash => {
                "Measure the lost motion with a gauge; check nut preload and coupling."
            }
            Self::WrongPart => "Stop feeding; compare the part in the press with the recipe.",
            Self::Leak => "Check suction cups, hoses and fittings of the station.",
            Self::FramesLost => {
                "Check cables, connectors and the master's timing; look at the port error counters."
            }
            Self::WorkingCounter => {
                "Find the SubDevice that is not in OP and read its AL status code."
            }
            Self::DriveFault => {
                "Read the drive's fault memory; mend the cause before the fault is reset."
            }
            Self::MovedWhileDisabled => "Check brake and counterbalance before anybody enters.",
            Self::Disturbance => "Look at the window of cycles around the event.",
            Self::VacuumNotReached => "Check the ejector's supply pressure and the suction cups.",
            Self::RecordingGap => "Record again, onto a disk that keeps up.",
            Self::AlError => {
                "Mend what the AL status code says; the SubDevice is brought back to OP where it allows."
            }
            Self::NoAnswer => "Check power and cable of the SubDevice and of the one before it.",
            Self::LubricationLacking => {
                "Relubricate the screw and compare; then check guide and bearings."
            }
            Self::PreloadLost => {
                "Measure the lost motion with a gauge; readjust or replace the nut."
            }
            Self::Spalling => "Inspect raceways and balls of the screw; plan its replacement.",
            Self::EncoderSlip => "Check the encoder's coupling and cable, and home the axis again.",
            Self::MissingPart => "Stop the press; check the feeding of parts.",
            Self::StrokeForceHigh => {
                "Set the part aside; check interference, alignment and whether it is the recipe's part."
            }
            Self::StrokeForceLow => {
                "Set the part aside; check that it is there, its interference and the tool."
            }
            Self::StrokeTravel => {
                "Set the part aside; check its height, its seat and the stop of the press."
            }
            Self::LineBroken | Self::LinkLost => {
                "Check the cable in front of the SubDevice, its connectors, and its power."
            }
            Self::CableBroken => "Replace the cable in front of the SubDevice, or its connectors.",
            Self::PowerLost => "Check the supply of the SubDevice.",
            Self::Refused => "Mend what the AL status code says; then restart the SubDevice.",
            Self::EepromUnreadable => "Write the EEPROM of the SubDevice anew, or replace it.",
            Self::FramesLate => {
                "Check the computer's timing, and switches or media converters on the way."
            }
            Self::FramesDuplicated => {
                "Look for a loop, or a second bridge, between the computer and the first SubDevice."
            }
            Self::FramesForeign => {
                "Nobody else may speak on this cable: look for switches and protocols of the operating system."
            }
            Self::FramesDamaged => {
                "Check the cable in front of the SubDevice, its connectors and its shield."
            }
            Self::Emergency => {
                "Read the fault memory of the SubDevice; mend the cause before the fault is reset."
            }
            Self::ClockOff => {
                "Check whether the SubDevice restarts, or is disturbed; its outputs act at the wrong time meanwhile."
            }
            Self::PressStiffness => {
                "Check tie rods, frame, nut and tool mounting of the press; measure its stiffness against a block."
            }
            Self::PhaseLost => {
                "Check the computer's timing and the reference clock, which is the first SubDevice with a clock."
            }
            Self::RingBroken => {
                "Replace the cable at the break, or its connectors: a second break stops SubDevices."
            }
            Self::ControllerSilent => {
                "Look at the controller process; it has to take every enable back before anything moves again."
            }
            Self::TargetStep => {
                "Mend the controller's targets; it has to take every enable back before anything moves again."
            }
            Self::DriveDropped => {
                "Read the drive's fault memory; the controller has to take every enable back before anything moves again."
            }
            Self::PressureSensor => {
                "Compare the sensor with a gauge; check that the ejector's valve closes."
            }
            Self::ContextUnknown => {
                "Compare what the controller tells with [context]; presses without recipe or part, and figures that differ by the rest, are not judged meanwhile."
            }
            Self::HeldAtRest => {
                "Check that the brake opens, and that nothing touches or clamps the axis where it stands."
            }
            Self::BrakeDrags => {
                "Check that the holding brake opens wholly: supply, air gap, lining; then guide and bearings."
            }
        }
    }
}
