//! Which process data come with the machine's cycle, and which with another group of the master's.

use super::collect::Key;
use super::layout::{Layout, Span};
use super::map::weights;
use super::mismatch::Mismatch;
use super::rhythm::{Groups, Member};
use crate::ethercat::plan::Direction;
use twinstep_config::machine::Machine;

/// A group that was not heard for so many of its cycles brings nothing any more.
const SILENT: u32 = 3;

/// What the collector has to know of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// Datagram that begins the cycle.
    pub anchor: Key,
    /// Datagrams of other groups.
    pub keys: Vec<Key>,
    /// For each span of the layout that comes with another group: cycles after which it is missing.
    pub limits: Vec<Option<u32>>,
}

fn is_carried<'a>(span: &Span, mut members: impl Iterator<Item = &'a Member>) -> bool {
    let bytes = |member: &Member| {
        let (read, write) = weights(member.key.0);
        let meant = match span.direction {
            Direction::Input => read,
            Direction::Output => write,
        };
        let part = span
            .overlap(member.key.1, member.length)
            .filter(|_| meant > 0);
        part.map_or(0, |(_, _, bytes)| bytes)
    };
    let mut left = span.length;
    members.any(|member| {
        left = left.saturating_sub(bytes(member));
        left == 0
    })
}

/// Compares layout and groups.
///
/// # Errors
/// [`Mismatch`] for a SubDevice whose data do not pass at all, and for an axis or press that has no new ones every cycle: its
/// twin would judge old ones.
pub fn apart(layout: &Layout, groups: &Groups, machine: &Machine) -> Result<Apart, Mismatch> {
    let name = |subdevice: usize| {
        let mut devices = machine.bus.iter().flat_map(|bus| &bus.subdevices);
        devices
            .nth(subdevice)
            .map_or(String::new(), |device| device.name.clone())
    };
    let is_axis = |name: &str| {
        let presses = machine.presses.iter().map(|press| &press.axis);
        let mut axes = machine.axes.iter().chain(presses);
        axes.any(|axis| axis.name == name)
    };
    let ours = || {
        groups
            .members
            .iter()
            .filter(|member| member.every.is_none())
    };
    let mut limits = Vec::new();
    for span in &layout.spans {
        let Some((subdevice, _)) = span.image.filter(|_| !is_carried(span, ours())) else {
            limits.push(None);
            continue;
        };
        // A span that is cut over two groups is not followed.
        let every = (groups.members.iter())
            .filter(|member| is_carried(span, core::iter::once(*member)))
            .filter_map(|member| member.every)
            .min();
        let name = name(subdevice);
        match every {
            None => return Err(Mismatch::Silent { name }),
            Some(every) if every > 1 && is_axis(&name) => {
                return Err(Mismatch::Slow { name, every });
            }
            Some(every) => limits.push(Some(every.saturating_mul(SILENT))),
        }
    }
    let others = groups
        .members
        .iter()
        .filter(|member| member.every.is_some());
    Ok(Apart {
        anchor: groups.anchor,
        keys: others.map(|member| member.key).collect(),
        limits,
    })
}
