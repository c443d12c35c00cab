//! One drive: where its objects lie, what they say, and what it is told.

use super::{CommandError, RawReading, Scaling, Slot, SubDeviceLayout, Unit};
use crate::bus::ProcessImage;
use twinstep_models::sample::{DriveState, Told};

/// Modes of operation 0x6060 that a controller streams set-points in.
pub mod mode {
    /// Cyclic synchronous position.
    pub const CSP: i8 = 8;
    /// Cyclic synchronous velocity.
    pub const CSV: i8 = 9;
    /// Cyclic synchronous torque.
    pub const CST: i8 = 10;

    /// The mode in which a drive is told so; CSP for one that it would be in by itself.
    pub const fn of(told: super::Told) -> i8 {
        match told {
            super::Told::Velocity => CSV,
            super::Told::Torque => CST,
            super::Told::Position | super::Told::PositionAndOffsets | super::Told::Own => CSP,
        }
    }
}

/// What an axis is told in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AxisCommand {
    /// Controlword 0x6040.
    pub controlword: u16,
    /// Target position 0x607A (m).
    pub target_m: f64,
    /// Velocity offset 0x60B1, in mode CSV the target velocity 0x60FF (m/s).
    pub velocity_offset_m_per_s: f64,
    /// Torque offset 0x60B2, in mode CST the target torque 0x6071, as the current that makes it (A).
    pub torque_offset_a: f64,
    /// Modes of operation 0x6060.
    pub mode: i8,
}

/// Places of the objects of one drive.
#[derive(Clone, Debug)]
pub(super) struct AxisSlots {
    pub(super) subdevice: usize,
    pub(super) scaling: Scaling,
    pub(super) statusword: Option<Slot>,
    pub(super) position: Option<Slot>,
    pub(super) velocity: Option<Slot>,
    pub(super) current: Option<Slot>,
    error_code: Option<Slot>,
    controlword: Option<Slot>,
    mode: Option<Slot>,
    mode_display: Option<Slot>,
    pub(super) target_position: Option<Slot>,
    target_velocity: Option<Slot>,
    target_torque: Option<Slot>,
    velocity_offset: Option<Slot>,
    torque_offset: Option<Slot>,
}

impl AxisSlots {
    /// The objects of an axis, which lie `shift` behind those of the device profile.
    pub(super) fn new(
        subdevice: usize,
        device: &SubDeviceLayout,
        shift: u16,
        scaling: Scaling,
    ) -> Self {
        let input = |index: u16| device.input(index + shift, 0);
        let output = |index: u16| device.output(index + shift, 0);
        Self {
            subdevice,
            scaling,
            statusword: input(0x6041),
            position: input(0x6064),
            velocity: input(0x606c),
            // Both are per mille and carry the same factor, see the head of this module.
            current: input(0x6077).or(input(0x6078)),
            error_code: input(0x603f),
            controlword: output(0x6040),
            mode: output(0x6060),
            mode_display: input(0x6061),
            target_position: output(0x607a),
            target_velocity: output(0x60ff),
            target_torque: output(0x6071),
            velocity_offset: output(0x60b1),
            torque_offset: output(0x60b2),
        }
    }

    /// The mode that a drive is in whose process data do not tell it: that of its only target. With a target position it was put into CSP
    /// before the start.
    fn mode_of_targets(&self) -> i8 {
        match (
            self.target_position,
            self.target_velocity,
            self.target_torque,
        ) {
            (None, Some(_), None) => mode::CSV,
            (None, None, Some(_)) => mode::CST,
            _ => mode::CSP,
        }
    }

    pub(super) fn read(&self, image: &ProcessImage) -> Option<RawReading> {
        let input = |slot: Option<Slot>| slot?.get(&image.inputs);
        let position_m = self.scaling.to_si(Unit::Position, input(self.position)?);
        let statusword = input(self.statusword)?;
        // Read back from the outputs, so that live and replay see the same rounded value.
        let output = |slot: Option<Slot>| slot.and_then(|slot| slot.get(&image.outputs));
        let target = output(self.target_position);
        // What the drive says goes before what it was told. A 0 that is sent asks for no other mode.
        let mode = (self.mode_display.and_then(|slot| slot.get(&image.inputs)))
            .or_else(|| output(self.mode).filter(|mode| *mode != 0))
            .unwrap_or(self.mode_of_targets().into());
        let si = |unit, slot| output(slot).map_or(0.0, |raw| self.scaling.to_si(unit, raw));
        let offset_m_per_s = si(Unit::Velocity, self.velocity_offset);
        let offset_a = si(Unit::Torque, self.torque_offset);
        let told = Told::of(mode, offset_m_per_s, offset_a);
        let target_m_per_s = match told {
            Told::Velocity => si(Unit::Velocity, self.target_velocity),
            _ => 0.0,
        };
        let target_a = match told {
            Told::Torque => si(Unit::Torque, self.target_torque),
            _ => 0.0,
        };
        Some(RawReading {
            position_m,
            velocity_m_per_s: self.scaling.to_si(Unit::Velocity, input(self.velocity)?),
            current_a: self.scaling.to_si(Unit::Torque, input(self.current)?),
            target_m: target.map_or(position_m, |raw| self.scaling.to_si(Unit::Position, raw)),
            told_m_per_s: target_m_per_s + offset_m_per_s,
            told_a: target_a + offset_a,
            told,
            state: DriveState::from_statusword(u16::try_from(statusword).unwrap_or(0)),
            error_code: input(self.error_code)
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(0),
        })
    }

    /// Whether the outputs carry what a drive follows in this mode.
    pub(super) fn carries(&self, mode: i8) -> bool {
        self.needed(mode).0.is_some()
    }

    /// The target of a mode, and its index.
    const fn needed(&self, mode: i8) -> (Option<Slot>, u16) {
        match mode {
            mode::CSV => (self.target_velocity, 0x60ff),
            mode::CST => (self.target_torque, 0x6071),
            _ => (self.target_position, 0x607a),
        }
    }

    pub(super) fn write(
        &self,
        image: &mut ProcessImage,
        axis: usize,
        command: &AxisCommand,
    ) -> Result<(), CommandError> {
        let raw = |unit, value, name| {
            self.scaling
                .to_raw(unit, value)
                .ok_or(CommandError::NotANumber { value: name })
        };
        let target = raw(Unit::Position, command.target_m, "target position")?;
        let velocity = raw(
            Unit::Velocity,
            command.velocity_offset_m_per_s,
            "velocity offset",
        )?;
        let torque = raw(Unit::Torque, command.torque_offset_a, "torque offset")?;
        let (needed, index) = self.needed(command.mode);
        if self.controlword.is_none() {
            return Err(CommandError::NotMapped { index: 0x6040 });
        }
        if needed.is_none() {
            return Err(CommandError::NotMapped { index });
        }
        // A drive adds offsets to targets: what stands in the target must not stand in the offset again.
        let in_mode = |mode, value| if command.mode == mode { value } else { 0 };
        let not_in_mode = |mode, value| if command.mode == mode { 0 } else { value };
        let offset_counts = if command.mode == mode::CST {
            0
        } else {
            not_in_mode(mode::CSV, velocity)
        };
        let values = [
            (self.controlword, i64::from(command.controlword)),
            (self.mode, i64::from(command.mode)),
            (self.target_position, target),
            (self.target_velocity, in_mode(mode::CSV, velocity)),
            (self.target_torque, in_mode(mode::CST, torque)),
            (self.velocity_offset, offset_counts),
            (self.torque_offset, not_in_mode(mode::CST, torque)),
        ];
        let fits = values
            .iter()
            .all(|(slot, _)| slot.is_none_or(|slot| slot.get(&image.outputs).is_some()));
        if !fits {
            return Err(CommandError::NoSuchTarget { number: axis });
        }
        for (slot, value) in values {
            if let Some(slot) = slot {
                slot.put(&mut image.outputs, value);
            }
        }
        Ok(())
    }
}
