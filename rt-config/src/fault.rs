//! The fault syntax, the same everywhere: `KIND:TARGET[:KEY=VALUE[,KEY=VALUE]][@TIME]`.

mod bus;
mod forms;
mod parse;
mod parse_bus;

pub use bus::BusFault;

use crate::machine::{AxisKind, Machine};
use miette::{Diagnostic, LabeledSpan, SourceCode};
use std::fmt;

/// `text` as the machine of the bus called `bus` reads it, if its target is that bus or `is_here`; in a machine of several buses a bus
/// is the target by its name, and the fault says `bus` where the machine is only that part.
pub(crate) fn retarget(text: &str, bus: &str, is_here: impl Fn(&str) -> bool) -> Option<String> {
    let (body, time) = match text.rsplit_once('@') {
        Some((body, time)) => (body, Some(time)),
        None => (text, None),
    };
    let mut parts = body.splitn(3, ':');
    let kind = parts.next()?;
    let target = parts.next()?.trim();
    if target != bus {
        return is_here(target).then(|| text.to_owned());
    }
    let mut own = format!("{kind}:bus");
    for (sign, rest) in [(':', parts.next()), ('@', time)] {
        if let Some(rest) = rest {
            own.push(sign);
            own.push_str(rest);
        }
    }
    Some(own)
}

/// Which of the `machines` of several buses a fault is of, by its target, and its text there. None: of none of them.
pub fn on_which_bus<'a>(
    text: &str,
    machines: impl IntoIterator<Item = &'a Machine>,
) -> Option<(usize, String)> {
    let places = machines.into_iter().enumerate();
    places
        .filter_map(|(n, machine)| {
            let place = machine.place.as_ref()?;
            let is_here = |target: &str| {
                let axes = machine.axes.iter().map(|axis| &axis.name);
                let presses = machine.presses.iter().map(|press| &press.axis.name);
                let stations = machine.stations.iter().map(|station| &station.name);
                let devices = machine
                    .bus
                    .iter()
                    .flat_map(|bus| &bus.subdevices)
                    .map(|device| &device.name);
                axes.chain(presses)
                    .chain(stations)
                    .chain(devices)
                    .any(|name| name == target)
            };
            Some((n, retarget(text, &place.name, is_here)?))
        })
        .next()
}

/// One fault to inject on a simulated machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Name from the configuration, or `bus`.
    pub target: String,
    /// When it starts, from the first cycle in OP (ns).
    pub at_ns: u64,
    /// A continuous fault grows from nothing to its size in this time (ns); 0 is a step.
    pub ramp_ns: u64,
}

/// Kinds of fault, with their size in SI units.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// `friction:AXIS:factor=1.2`
    Friction {
        /// Factor on Coulomb and viscous friction (1).
        factor: f64,
    },
    /// `load:AXIS:mass=20kg`
    Load {
        /// Added mass (kg; kg m2 of a rotary axis).
        mass_kg: f64,
    },
    /// `backlash:AXIS:gap=50um`
    Backlash {
        /// Added gap (m; rad of a rotary axis).
        gap_m: f64,
    },
    /// `current_gain:AXIS:factor=1.05`
    CurrentGain {
        /// Factor of the current sensor (1).
        factor: f64,
    },
    /// `frame_loss:bus:count=3`
    FrameLoss {
        /// Frames lost in a row.
        count: u32,
    },
    /// `drive_fault:AXIS:code=0x2310`
    DriveFault {
        /// Error code 0x603F.
        code: u16,
    },
    /// `leak:STATION:rate=10mbar/s`
    Leak {
        /// Added leak (Pa/s).
        rate_pa_per_s: f64,
    },
    /// `wrong_part:PRESS:part=NAME`
    WrongPart {
        /// Part that is in the press instead of the recipe's.
        part: String,
    },
    /// `missing_part:PRESS`
    MissingPart,
    /// `encoder_slip:AXIS:step=200um`
    EncoderSlip {
        /// Way by which the measured position jumps against the mechanics (m; rad of a rotary axis). A ramp gets there in jumps of a tenth.
        step_m: f64,
    },
    /// `lubrication:AXIS:factor=2`
    Lubrication {
        /// Factor on viscous friction and on what friction at rest has beyond that in motion (1); Coulomb friction takes a
        /// quarter of the rise.
        factor: f64,
    },
    /// `spalling:AXIS:depth=0.5`
    Spalling {
        /// Amplitude of friction over a revolution of the screw, relative to friction (1). Its mean falls by a quarter of that:
        /// a pitted raceway has lost preload.
        depth: f64,
    },
    /// `stiffness:PRESS:factor=0.8`
    Stiffness {
        /// Factor on the stiffness of frame and stiffest part in series (1, below 1): the frame alone takes all of it.
        factor: f64,
    },
    /// `brake:AXIS:share=0.1`
    Brake {
        /// Share of the holding torque that stays in when the brake should be open (0 to 1).
        share: f64,
    },
    /// `jam:AXIS:push=20um`
    Jam {
        /// Way by which the place where the axis is caught moves on, to larger positions (m; rad of a rotary axis); 0: it stays.
        push_m: f64,
    },
    /// A fault of the bus.
    Bus(BusFault),
}

impl Fault {
    /// As the fault of an axis of this kind is written.
    pub const fn of(&self, kind: AxisKind) -> OfKind<'_> {
        OfKind { fault: self, kind }
    }
}

/// A fault of an axis of some kind, to be written.
#[derive(Clone, Copy, Debug)]
pub struct OfKind<'a> {
    fault: &'a Fault,
    kind: AxisKind,
}

impl fmt::Display for Fault {
    /// The text that [`Fault::parse`] reads back as the same fault, of an axis that is not rotary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.of(AxisKind::Linear), f)
    }
}

impl fmt::Display for OfKind<'_> {
    /// The text that [`Fault::parse`] reads back as the same fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            kind,
            target,
            at_ns,
            ramp_ns,
        } = self.fault;
        let [way, mass] = ["m", "kg"].map(|linear| self.kind.unit(linear));
        match kind {
            FaultKind::Friction { factor } => write!(f, "friction:{target}:factor={factor:?}")?,
            FaultKind::Load { mass_kg } => write!(f, "load:{target}:mass={mass_kg:?}{mass}")?,
            FaultKind::Backlash { gap_m } => write!(f, "backlash:{target}:gap={gap_m:?}{way}")?,
            FaultKind::CurrentGain { factor } => {
                write!(f, "current_gain:{target}:factor={factor:?}")?;
            }
            FaultKind::FrameLoss { count } => write!(f, "frame_loss:{target}:count={count}")?,
            FaultKind::DriveFault { code } => write!(f, "drive_fault:{target}:code=0x{code:04X}")?,
            FaultKind::Leak { rate_pa_per_s } => {
                write!(f, "leak:{target}:rate={rate_pa_per_s:?}Pa/s")?
            }
            FaultKind::WrongPart { part } => write!(f, "wrong_part:{target}:part={part}")?,
            FaultKind::MissingPart => write!(f, "missing_part:{target}")?,
            FaultKind::EncoderSlip { step_m } => {
                write!(f, "encoder_slip:{target}:step={step_m:?}{way}")?;
            }
            FaultKind::Lubrication { factor } => {
                write!(f, "lubrication:{target}:factor={factor:?}")?;
            }
            FaultKind::Spalling { depth } => write!(f, "spalling:{target}:depth={depth:?}")?,
            FaultKind::Stiffness { factor } => write!(f, "stiffness:{target}:factor={factor:?}")?,
            FaultKind::Brake { share } => write!(f, "brake:{target}:share={share:?}")?,
            FaultKind::Jam { push_m: 0.0 } => write!(f, "jam:{target}:push=0")?,
            FaultKind::Jam { push_m } => write!(f, "jam:{target}:push={push_m:?}{way}")?,
            FaultKind::Bus(fault) => fault.write(target, f)?,
        }
        if *ramp_ns > 0 {
            write!(f, ",ramp={ramp_ns}ns")?;
        }
        if *at_ns > 0 {
            write!(f, "@{at_ns}ns")?;
        }
        Ok(())
    }
}

/// A text that is no fault of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    /// What was expected and what came.
    pub message: String,
    /// What stands at the place.
    pub label: String,
    /// What to do.
    pub help: String,
    /// The text as it was given.
    pub text: String,
    /// Place in the text: first byte and length.
    pub at: (usize, usize),
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FaultError {}

impl Diagnostic for FaultError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("fault"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new(
            Some(self.label.clone()),
            self.at.0,
            self.at.1,
        ))))
    }
}

#[cfg(test)]
mod tests;
