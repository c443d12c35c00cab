//! Frames with NetworkMessages of fixed layout. Nothing allocates after they are laid out.

use super::uadp::{self, DataSet, ETHERTYPE, Group, LayoutError, MAX_MESSAGES, Message};
use crate::link::{Link, MAX_FRAME};
use twinstep_config::machine::Stream;

/// A source address that nobody owns, for an interface that does not say its own (locally administered).
pub const NOBODY: [u8; 6] = [0x02, 0x54, 0x57, 0x49, 0x4e, 0x01];

/// The address of a network interface, [`NOBODY`] where the system does not say it.
pub fn address_of(interface: &str) -> [u8; 6] {
    let path = std::path::Path::new("/sys/class/net")
        .join(interface)
        .join("address");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut address = [0; 6];
    let mut parts = text.trim().split(':');
    for byte in &mut address {
        let part = parts
            .next()
            .and_then(|part| u8::from_str_radix(part, 16).ok());
        match part {
            Some(value) => *byte = value,
            None => return NOBODY,
        }
    }
    address
}

/// A VLAN tag's protocol (IEEE 802.1Q).
pub(super) const VLAN: [u8; 2] = [0x81, 0x00];

/// All data sets of one writer group, shared out over as many frames as they need.
#[derive(Debug)]
pub struct Publisher {
    head: Vec<u8>,
    messages: Vec<Message>,
    /// Message and place in it of every data set.
    places: Vec<(usize, usize)>,
    frame: Vec<u8>,
    /// SequenceNumber of the next DataSetMessages: the number of the publishing interval.
    sequence: u16,
    /// SequenceNumber of the next NetworkMessage.
    group_sequence: u16,
    /// Frames that did not leave.
    pub failed: u64,
}

impl Publisher {
    /// Lays frames out for `data_sets` of `stream`, sent from the address `source`, with a time stamp or not.
    ///
    /// # Errors
    /// [`LayoutError`] for a data set that is too long for a frame, or none at all.
    pub fn new(
        stream: &Stream,
        source: [u8; 6],
        data_sets: &[DataSet],
        stamped: bool,
    ) -> Result<Self, LayoutError> {
        let mut head = stream.destination.to_vec();
        head.extend_from_slice(&source);
        if let Some(vlan) = stream.vlan {
            let tag = u16::from(vlan.priority & 7) << 13 | vlan.id & 0x0fff;
            head.extend_from_slice(&VLAN);
            head.extend_from_slice(&tag.to_be_bytes());
        }
        head.extend_from_slice(&ETHERTYPE);
        let room = MAX_FRAME - head.len();
        let mut parts: Vec<&[DataSet]> = Vec::new();
        let mut rest = data_sets;
        while !rest.is_empty() {
            let fits = |count: &usize| {
                uadp::length(rest.get(..*count).unwrap_or_default(), stamped) <= room
            };
            let most = rest.len().min(MAX_MESSAGES);
            // One that fits nowhere is refused below.
            let count = (1..=most).rev().find(fits).unwrap_or(1);
            let (part, behind) = rest.split_at(count);
            parts.push(part);
            rest = behind;
        }
        if parts.is_empty() {
            return Err(LayoutError::Messages(0));
        }
        let (mut messages, mut places) = (Vec::new(), Vec::new());
        for (part, number) in parts.into_iter().zip(1..) {
            let group = Group {
                publisher_id: stream.publisher_id,
                writer_group_id: stream.writer_group_id,
                version: 1,
                number,
                stamped,
            };
            places.extend((0..part.len()).map(|n| (messages.len(), n)));
            messages.push(Message::new(&group, part, room)?);
        }
        Ok(Self {
            head,
            messages,
            places,
            frame: Vec::with_capacity(MAX_FRAME),
            sequence: 0,
            group_sequence: 0,
            failed: 0,
        })
    }

    /// The fields of data set `n` in this interval, to be filled; `status` is the upper half of a StatusCode, 0 for good. None
    /// where there is no such data set.
    pub fn data_set(&mut self, n: usize, status: u16) -> Option<&mut [u8]> {
        let &(message, at) = self.places.get(n)?;
        self.messages
            .get_mut(message)?
            .data_set(at, self.sequence, status)
    }

    /// Sets the time of the values of this interval (ns since 2000).
    pub fn set_time(&mut self, time_ns: u64) {
        for message in &mut self.messages {
            message.set_time(time_ns);
        }
    }

    /// Frames of one interval.
    pub fn frames(&self) -> usize {
        self.messages.len()
    }

    /// Sends everything, and begins the next interval. What does not leave is counted: a subscriber sees the gap.
    pub fn send<L: Link + ?Sized>(&mut self, link: &mut L) {
        for message in &mut self.messages {
            message.set_sequence(self.group_sequence);
            self.group_sequence = self.group_sequence.wrapping_add(1);
            self.frame.clear();
            self.frame.extend_from_slice(&self.head);
            self.frame.extend_from_slice(message.bytes());
            self.failed += u64::from(link.send(&self.frame).is_err());
        }
        self.sequence = self.sequence.wrapping_add(1);
    }
}
