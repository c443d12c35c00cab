//! OPC UA PubSub over Ethernet: what is subscribed to on a bus of kind "tsn", and what is published.

use super::{PdoEntry, SubDevice};

/// Where UADP goes unless told otherwise: a multicast address that open62541's examples use too.
pub const DESTINATION: [u8; 6] = [0x01, 0x00, 0x5e, 0x7f, 0x00, 0x01];

/// A VLAN tag (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// VLAN (1 to 4094), 0 for a tag that has a priority only.
    pub id: u16,
    /// Priority code point (0 to 7).
    pub priority: u8,
}

/// Who publishes, in which group, and how its frames are addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// PublisherId.
    pub publisher_id: u16,
    /// WriterGroupId.
    pub writer_group_id: u16,
    /// Destination address of the frames.
    pub destination: [u8; 6],
    /// Tag of the frames; none: they have none.
    pub vlan: Option<Vlan>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            publisher_id: 1,
            writer_group_id: 1,
            destination: DESTINATION,
            vlan: None,
        }
    }
}

/// A field of a data set: an object of the SubDevice's process data, as an integer of that object's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSetField {
    /// The object.
    pub entry: PdoEntry,
    /// It is one of the outputs, what the device is told; else one of its inputs.
    pub output: bool,
}

/// What one device publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// Number of the SubDevice on the bus whose process data these are.
    pub subdevice: usize,
    /// PublisherId.
    pub publisher_id: u16,
    /// DataSetWriterId.
    pub writer_id: u16,
    /// Major configuration version that is expected; none: any.
    pub major_version: Option<u32>,
    /// Fields, in order.
    pub fields: Vec<DataSetField>,
}

/// All data sets of a bus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PubSub {
    /// The stream.
    pub stream: Stream,
    /// One for each SubDevice.
    pub data_sets: Vec<DataSet>,
}

/// All process data of a SubDevice: its inputs, then its outputs.
pub(crate) fn all_fields(device: &SubDevice) -> Vec<DataSetField> {
    let of = |entries: &[PdoEntry], output| -> Vec<DataSetField> {
        let field = |entry: &PdoEntry| DataSetField {
            entry: *entry,
            output,
        };
        entries.iter().map(field).collect()
    };
    [of(&device.inputs, false), of(&device.outputs, true)].concat()
}

impl PubSub {
    /// What is published unless told otherwise: every SubDevice all of its process data, inputs first, with writer ids from 1 in
    /// the order of the bus. SubDevices known by an EEPROM image alone have none.
    pub fn of(subdevices: &[SubDevice]) -> Self {
        let mut data_sets = Vec::new();
        for (subdevice, device) in subdevices.iter().enumerate() {
            let fields = all_fields(device);
            if !fields.is_empty() {
                data_sets.push(DataSet {
                    subdevice,
                    publisher_id: Stream::default().publisher_id,
                    writer_id: data_sets.len() as u16 + 1,
                    major_version: None,
                    fields,
                });
            }
        }
        Self {
            stream: Stream::default(),
            data_sets,
        }
    }
}

/// Predictions and deviations, published from the cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Network interface.
    pub interface: String,
    /// The stream.
    pub stream: Stream,
    /// Launch time of its frames, from the start of their cycle on (ns); none: they leave when they are ready.
    pub launch_offset_ns: Option<u64>,
}

impl Publish {
    /// Priority of its frames (`SO_PRIORITY`, 0 to 7).
    pub fn priority(&self) -> u8 {
        self.stream.vlan.map_or(0, |vlan| vlan.priority)
    }
}
