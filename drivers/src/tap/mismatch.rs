//! Why tapped frames and a configuration do not belong together, in words.

use crate::ethercat::plan::Direction;
use std::fmt;

/// Why frames and configuration do not belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A configured SubDevice is not on the bus, or not in this place.
    Absent {
        /// Its name.
        name: String,
    },
    /// It has more or fewer bytes.
    Length {
        /// Its name.
        name: String,
        /// Direction.
        direction: Direction,
        /// Bytes by the configuration.
        configured: usize,
        /// Bytes on the bus.
        found: usize,
    },
    /// It maps other objects.
    Object {
        /// Its name.
        name: String,
        /// Direction.
        direction: Direction,
        /// Index, subindex, bits by the configuration.
        configured: (u16, u8, u8),
        /// The same on the bus.
        found: (u16, u8, u8),
    },
    /// Its data do not begin or end with a byte.
    Bits {
        /// Its name.
        name: String,
    },
    /// The process data as a whole are shorter or longer.
    Total {
        /// Bytes by the configuration.
        configured: usize,
        /// Bytes in the frames.
        found: usize,
    },
    /// Its process data do not pass, or in parts that belong to different groups.
    Silent {
        /// Its name.
        name: String,
    },
    /// It is an axis or press, and its process data do not pass in every cycle.
    Slow {
        /// Its name.
        name: String,
        /// Cycles from one time to the next, at least; from 2.
        every: u32,
    },
    /// Neither order explains what came back.
    NoOrder,
    /// Both do.
    AnyOrder,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |direction: &Direction| match direction {
            Direction::Input => "inputs",
            Direction::Output => "outputs",
        };
        match self {
            Self::Absent { name } => write!(
                f,
                "`{name}` was not found on the tapped bus: compare `subdevices`, `vendor_id` and `product_code` of the \
                 configuration with `twinstep scan --capture FILE`"
            ),
            Self::Length {
                name,
                direction,
                configured,
                found,
            } => write!(
                f,
                "`{name}` has {found} bytes of {} on the tapped bus and {configured} in the configuration: list the objects \
                 that its master maps under `{}`",
                way(direction),
                way(direction)
            ),
            Self::Object {
                name,
                direction,
                configured,
                found,
            } => write!(
                f,
                "`{name}` maps 0x{:04X}:{:02X} ({} bits) among its {} where the configuration has 0x{:04X}:{:02X} ({} bits): \
                 list them under `{}` as its master maps them",
                found.0,
                found.1,
                found.2,
                way(direction),
                configured.0,
                configured.1,
                configured.2,
                way(direction)
            ),
            Self::Bits { name } => write!(
                f,
                "the process data of `{name}` do not begin and end with a byte: such SubDevices cannot be tapped yet"
            ),
            Self::Total { configured, found } => write!(
                f,
                "the tapped frames carry {found} bytes of process data, the configured SubDevices have {configured}: compare \
                 the lists of objects with what the master maps, or tap from the master's start on"
            ),
            Self::Silent { name } => write!(
                f,
                "the master maps the process data of `{name}` and does not exchange them as one group: take it out of the \
                 configuration, or let its master exchange them"
            ),
            Self::Slow { name, every } => write!(
                f,
                "new process data of `{name}` come only every {every} cycles or so: set `period` to the time of its group; \
                 groups that come more often are then thinned out"
            ),
            Self::NoOrder => write!(
                f,
                "the process data change in places where the configuration has outputs, in whichever order: compare \
                 `subdevices` and the lists of objects with the master's, or tap from the master's start on"
            ),
            Self::AnyOrder => write!(
                f,
                "it does not show whether the master maps inputs or outputs first: set `order` in [bus] to \"inputs_first\" \
                 (ethercrab, twinstep) or \"outputs_first\" (SOEM, IgH)"
            ),
        }
    }
}
