//! The bus: what is on it, and whether it is ours.

use super::PubSub;

/// One of several buses of a machine. What is on it is a [`Machine`](super::Machine) by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusPlace {
    /// Its name, unique among buses, axes, presses and stations.
    pub name: String,
    /// Its place in the order of the configuration, from 0.
    pub index: usize,
    /// How many there are, itself among them.
    pub count: usize,
}

/// An EtherCAT bus, or what takes its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    /// Network interface; none: the simulated segment, in process.
    pub interface: Option<String>,
    /// Second network interface, which a redundant cable leads back to.
    pub redundant_interface: Option<String>,
    /// SubDevices in the order of the wire.
    pub subdevices: Vec<SubDevice>,
    /// Time from SYNC0 to the frame passing (ns).
    pub frame_shift_ns: u64,
    /// The bus is somebody else's and only listened to.
    pub tap: Option<Tap>,
    /// There is no EtherCAT: the devices publish their process data, and twinstep subscribes.
    pub pubsub: Option<PubSub>,
    /// What an overrun leads to.
    pub overrun: Overrun,
}

/// What a cycle that comes too late leads to. Either way two set-points are never sent in one SYNC0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overrun {
    /// The starts that have passed are left out, and the cycle goes on.
    #[default]
    Skip,
    /// The machine is stopped: ramp, standstill, disabled, out of OP; the run ends with an error.
    Stop,
}

impl Bus {
    /// Position of the SubDevice at the end of the trunk, which leads from port B to the next: a redundant cable is plugged into
    /// its port B.
    pub fn trunk_end(&self) -> Option<usize> {
        let mut end = None;
        for (at, subdevice) in self.subdevices.iter().enumerate() {
            let goes_on = match subdevice.behind {
                None => at.checked_sub(1) == end,
                Some(behind) => behind.port == 1 && Some(behind.subdevice) == end,
            };
            if goes_on {
                end = Some(at);
            }
        }
        end
    }

    /// The first SubDevice at a port C. With a redundant cable a frame goes on at port B and does not come back to it.
    pub fn at_port_c(&self) -> Option<&SubDevice> {
        let is_there = |one: &&SubDevice| one.behind.is_some_and(|behind| behind.port == 2);
        self.subdevices.iter().find(is_there)
    }
}

/// One SubDevice on the bus.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubDevice {
    /// Name: that of the axis, press or station it carries; one of its own with an image.
    pub name: String,
    /// Vendor id expected in the SII.
    pub vendor_id: u32,
    /// Product code expected in the SII.
    pub product_code: u32,
    /// Objects in the outputs (RxPDO), in order.
    pub outputs: Vec<PdoEntry>,
    /// Objects in the inputs (TxPDO), in order.
    pub inputs: Vec<PdoEntry>,
    /// EEPROM image of a real device that is simulated here. The twin knows nothing of it: its identity follows from the
    /// image, and where `outputs` and `inputs` are empty its process data is nobody's.
    pub sii: Option<SiiFile>,
    /// It carries no axis, press or station: a terminal, or a coupler.
    pub terminal: bool,
    /// Axis or press that is the second one of this drive: its objects lie [`SECOND_AXIS`] behind those of the first.
    pub second: Option<String>,
    /// Where it hangs; none: at port B of the SubDevice before it, the first at the MainDevice.
    pub behind: Option<Behind>,
}

/// How far the objects of the second axis of a drive lie behind those of the first (CiA 402, multiple axes).
pub const SECOND_AXIS: u16 = 0x0800;

/// An EEPROM image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiiFile {
    /// Path, relative to the configuration.
    pub path: String,
    /// Its bytes; empty until somebody who may open files has read it.
    pub bytes: Vec<u8>,
}

/// A place at a SubDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Position of the SubDevice, before that of the one that hangs there.
    pub subdevice: usize,
    /// Port: 1 (B), 2 (C) or 3 (D).
    pub port: u8,
}

/// One object of the process data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PdoEntry {
    /// Object index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Length (bits): 8, 16 or 32.
    pub bits: u8,
}

/// How somebody else's bus is listened to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tap {
    /// Interface of the returned frames where a TAP has a port for each way; else `interface` carries both.
    pub returned_interface: Option<String>,
    /// Order of the master's process image, for a start that was not observed; none: it is inferred.
    pub order: Option<ImageOrder>,
}

/// Order of a process image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageOrder {
    /// All inputs, then all outputs: ethercrab, twinstep.
    InputsFirst,
    /// All outputs, then all inputs: SOEM, IgH.
    OutputsFirst,
}
