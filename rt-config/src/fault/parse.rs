//! Reading a fault: a table of the forms, and one reader for all of them.

use super::forms::{FORMS, Form, Target};
use super::{Fault, FaultError, FaultKind};
use crate::check::listed;
use crate::error::{closest, shortened};
use crate::machine::{AxisKind, Machine};
use crate::units::{self, Dimension};

/// Latest start and longest ramp (s): a year.
const MAX_TIME_S: u64 = 365 * 86_400;
/// Longest fault text (bytes).
const MAX_TEXT: usize = 256;

impl Fault {
    /// The forms that [`Fault::parse`] takes, one a line, for the command line's help.
    pub fn usage() -> String {
        let mut text: String = FORMS
            .iter()
            .map(|form| format!("{}\n", form.usage))
            .collect();
        text.push_str("each with [@TIME], such as @10s, counted from the first cycle in OP");
        text
    }

    /// Reads a fault of `machine`.
    ///
    /// # Errors
    /// [`FaultError`] when the kind, target, key, value or time is none, with the form that is allowed.
    pub fn parse(text: &str, machine: &Machine) -> Result<Self, FaultError> {
        if text.len() > MAX_TEXT {
            return Err(FaultError {
                message: format!("a fault has at most {MAX_TEXT} bytes"),
                label: "too long".to_owned(),
                help: Self::usage(),
                text: shortened(text),
                at: (0, 0),
            });
        }
        Reader { text, machine }.fault()
    }
}

/// Reads one text; every part of it is a slice of `text`, so that errors can point at it.
pub(super) struct Reader<'a> {
    text: &'a str,
    machine: &'a Machine,
}

impl<'a> Reader<'a> {
    fn fault(&self) -> Result<Fault, FaultError> {
        let (body, time) = match self.text.rsplit_once('@') {
            Some((body, time)) => (body, Some(time)),
            None => (self.text, None),
        };
        let mut parts = body.splitn(3, ':');
        let kind = parts.next().unwrap_or_default().trim();
        let form = FORMS.iter().find(|form| form.kind == kind).ok_or_else(|| {
            let kinds = FORMS.map(|form| form.kind);
            self.error(
                kind,
                format!("there is no fault \"{}\"", shortened(kind)),
                "unknown kind",
                format!("{}allowed forms:\n{}", near(kind, &kinds), Fault::usage()),
            )
        })?;
        let target = parts
            .next()
            .map(str::trim)
            .filter(|target| !target.is_empty());
        let Some(target) = target else {
            return Err(self.error(
                kind,
                format!("the fault {kind} has no target"),
                "at what?",
                format!("write {}", form.usage),
            ));
        };
        self.target(form, target)?;
        let (values, ramp) = self.keys(form, kind, parts.next())?;
        let kind = self.kind(form, target, &values)?;
        if let (Some(ramp), FaultKind::Jam { push_m: 0.0 }) = (ramp, &kind) {
            return Err(self.error(
                ramp,
                "a jam without `push` holds at once: nothing of it can grow over a ramp".to_owned(),
                "`ramp` is of `push`",
                format!("leave `ramp` out, or write {}", form.usage),
            ));
        }
        let ramp_ns = ramp.map_or(Ok(0), |ramp| self.nanoseconds("`ramp`", ramp))?;
        Ok(Fault {
            kind,
            target: target.to_owned(),
            at_ns: time.map_or(Ok(0), |time| self.nanoseconds("the time after @", time))?,
            ramp_ns,
        })
    }

    /// Checks that the target is there and can have this fault.
    fn target(&self, form: &Form, target: &str) -> Result<(), FaultError> {
        let axes = self.machine.axes.iter().map(|axis| axis.name.as_str());
        let presses = || {
            self.machine
                .presses
                .iter()
                .map(|press| press.axis.name.as_str())
        };
        let stations = self
            .machine
            .stations
            .iter()
            .map(|station| station.name.as_str());
        let (what, names): (_, Vec<&str>) = match form.target {
            Target::Axis => ("an axis or press", axes.chain(presses()).collect()),
            Target::Press => ("a press", presses().collect()),
            Target::Station => ("a station", stations.collect()),
            Target::Bus => ("the bus", vec!["bus"]),
            Target::SubDevice => {
                let bus = self.machine.bus.iter().flat_map(|bus| &bus.subdevices);
                let names = bus.map(|subdevice| subdevice.name.as_str());
                ("a SubDevice", names.collect())
            }
        };
        // The redundant cable has no SubDevice behind it.
        let ring = form.kind == "cable" && target == "bus";
        if ring || names.contains(&target) {
            return Ok(());
        }
        let known = if names.is_empty() {
            format!("this machine does not have {what}")
        } else {
            format!("{} can have it: {}", form.kind, listed(&names))
        };
        Err(self.error(
            target,
            format!(
                "the fault {} needs {what}, and \"{}\" is none",
                form.kind,
                shortened(target)
            ),
            format!("not {what}"),
            format!("{}{known}; write {}", near(target, &names), form.usage),
        ))
    }

    /// The values of the form's own keys in their order, and the ramp as it is written.
    fn keys(
        &self,
        form: &Form,
        kind: &'a str,
        keys: Option<&'a str>,
    ) -> Result<(Vec<&'a str>, Option<&'a str>), FaultError> {
        let mut own = vec![None; form.keys.len()];
        let mut ramp = None;
        for pair in keys.into_iter().flat_map(|keys| keys.split(',')) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(self.error(
                    pair,
                    format!("\"{}\" is not KEY=VALUE", shortened(pair)),
                    "no key",
                    format!("write {}", form.usage),
                ));
            };
            let (key, value) = (key.trim(), value.trim());
            let known = form.keys.iter().position(|(name, _)| *name == key);
            let slot = match known.and_then(|at| own.get_mut(at)) {
                Some(slot) => slot,
                None if key == "ramp" && form.continuous => &mut ramp,
                None => {
                    let message = if key == "ramp" {
                        format!("the fault {} happens at once and takes no ramp", form.kind)
                    } else {
                        format!("the fault {} has no key \"{}\"", form.kind, shortened(key))
                    };
                    return Err(self.error(
                        key,
                        message,
                        "not a key of it",
                        format!("write {}", form.usage),
                    ));
                }
            };
            if slot.replace(value).is_some() {
                return Err(self.error(
                    key,
                    format!("the key {key} is given twice"),
                    "second time",
                    format!("write {}", form.usage),
                ));
            }
        }
        let values = own
            .into_iter()
            .zip(form.keys)
            .map(|(value, (key, default))| {
                value.or(*default).ok_or_else(|| {
                    self.error(
                        kind,
                        format!("the fault {} needs the key `{key}`", form.kind),
                        format!("`{key}=` is missing"),
                        format!("write {}", form.usage),
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        Ok((values, ramp))
    }

    fn kind(&self, form: &Form, target: &str, values: &[&str]) -> Result<FaultKind, FaultError> {
        let value = values.first().copied().unwrap_or_default();
        let kind = self.machine.kind_of(target);
        let of_axis = |linear: &'static Dimension| match kind {
            AxisKind::Linear => linear,
            AxisKind::Rotary => linear.rotary().unwrap_or(linear),
        };
        // The sizes are generous: whatever a machine could survive being modelled with.
        Ok(match form.kind {
            "friction" => FaultKind::Friction {
                factor: self.quantity(form, value, &units::NUMBER, 100.0)?,
            },
            "load" => FaultKind::Load {
                mass_kg: self.quantity(form, value, of_axis(&units::MASS), 1e6)?,
            },
            "backlash" => FaultKind::Backlash {
                gap_m: self.quantity(form, value, of_axis(&units::LENGTH), 0.1)?,
            },
            "current_gain" => FaultKind::CurrentGain {
                factor: self.quantity(form, value, &units::NUMBER, 100.0)?,
            },
            "leak" => FaultKind::Leak {
                rate_pa_per_s: self.quantity(form, value, &units::PRESSURE_RATE, 1e7)?,
            },
            "missing_part" => FaultKind::MissingPart,
            "encoder_slip" => FaultKind::EncoderSlip {
                step_m: self.quantity(form, value, of_axis(&units::LENGTH), 0.1)?,
            },
            "lubrication" => FaultKind::Lubrication {
                factor: self.quantity(form, value, &units::NUMBER, 100.0)?,
            },
            "spalling" => FaultKind::Spalling {
                depth: self.quantity(form, value, &units::NUMBER, 1.0)?,
            },
            "stiffness" => FaultKind::Stiffness {
                factor: self.quantity(form, value, &units::NUMBER, 1.0)?,
            },
            "brake" => FaultKind::Brake {
                share: self.quantity(form, value, &units::NUMBER, 1.0)?,
            },
            "jam" => FaultKind::Jam {
                push_m: match value {
                    // It only holds.
                    "0" => 0.0,
                    way => self.quantity(form, way, of_axis(&units::LENGTH), 0.1)?,
                },
            },
            "frame_loss" => FaultKind::FrameLoss {
                count: digits(value, 10)
                    .filter(|count| (1..=1_000_000).contains(count))
                    .ok_or_else(|| self.wrong(form, value, "a whole number from 1 to 1000000"))?,
            },
            "drive_fault" => FaultKind::DriveFault {
                code: value
                    .strip_prefix("0x")
                    .or_else(|| value.strip_prefix("0X"))
                    .map_or_else(|| digits(value, 10), |hex| digits(hex, 16))
                    .and_then(|code| u16::try_from(code).ok())
                    .filter(|code| *code != 0)
                    .ok_or_else(|| {
                        self.wrong(
                            form,
                            value,
                            "an error code 0x603F, 0x0001 to 0xFFFF or decimal",
                        )
                    })?,
            },
            "wrong_part" => {
                let names: Vec<&str> = self
                    .machine
                    .parts
                    .iter()
                    .map(|part| part.name.as_str())
                    .collect();
                if !names.contains(&value) {
                    let known = format!("a part of this machine: {}", listed(&names));
                    return Err(self.wrong(
                        form,
                        value,
                        &format!("{known}{}", near(value, &names).trim_end()),
                    ));
                }
                FaultKind::WrongPart {
                    part: value.to_owned(),
                }
            }
            _ => self.bus_kind(form, values)?,
        })
    }

    fn quantity(
        &self,
        form: &Form,
        value: &str,
        dimension: &Dimension,
        max: f64,
    ) -> Result<f64, FaultError> {
        let unit = dimension.si();
        let expected = || {
            let units = match dimension.is_number() {
                true => String::new(),
                false => format!(", with one of the units {}", dimension.allowed()),
            };
            let rotary = match dimension.linear() {
                Some(_) => " for a rotary axis",
                None => "",
            };
            format!(
                "{} above 0 and up to {max}{unit}{units}{rotary}",
                dimension.name
            )
        };
        dimension
            .parse(value)
            .ok()
            .filter(|size| *size > 0.0 && *size <= max)
            .ok_or_else(|| self.wrong(form, value, &expected()))
    }

    fn nanoseconds(&self, what: &str, value: &str) -> Result<u64, FaultError> {
        let max_ns = (MAX_TIME_S * 1_000_000_000) as f64;
        match units::TIME.parse_scaled(value, 9) {
            Ok(ns) if (0.0..=max_ns).contains(&ns) => Ok((ns + 0.5) as u64),
            _ => Err(self.error(
                value,
                format!("{what} is \"{}\", which is no time", shortened(value)),
                "not a time from 0 to a year",
                format!(
                    "write a time such as 10s; allowed units: {}",
                    units::TIME.allowed()
                ),
            )),
        }
    }

    fn wrong(&self, form: &Form, value: &str, expected: &str) -> FaultError {
        let key = form.keys.first().map_or("", |(key, _)| key);
        self.wrong_key(form, (key, value), expected)
    }

    /// The value of a key is none.
    pub(super) fn wrong_key(
        &self,
        form: &Form,
        (key, value): (&str, &str),
        expected: &str,
    ) -> FaultError {
        self.error(
            value,
            format!(
                "`{key}` of the fault {} is \"{}\"",
                form.kind,
                shortened(value)
            ),
            "not possible",
            format!("expected {expected}; write {}", form.usage),
        )
    }

    /// An error at `part`, which is a slice of the text.
    fn error(
        &self,
        part: &str,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> FaultError {
        let start = (part.as_ptr() as usize)
            .checked_sub(self.text.as_ptr() as usize)
            .filter(|start| start + part.len() <= self.text.len())
            .unwrap_or(0);
        FaultError {
            message: message.into(),
            label: label.into(),
            help: help.into(),
            text: self.text.to_owned(),
            at: (start, part.len()),
        }
    }
}

/// A number of nothing but digits.
pub(super) fn digits(text: &str, radix: u32) -> Option<u32> {
    text.chars()
        .all(|c| c.is_digit(radix))
        .then(|| u32::from_str_radix(text, radix).ok())
        .flatten()
}

/// "did you mean ...? ", or nothing.
fn near(text: &str, candidates: &[&str]) -> String {
    closest(text, candidates).map_or_else(String::new, |near| format!("did you mean \"{near}\"? "))
}
