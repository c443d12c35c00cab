//! What is set on a network interface for time-sensitive traffic.

/// Priorities of frames (`SO_PRIORITY`) that are told apart.
pub const PRIORITIES: usize = 16;
/// Largest number of traffic classes.
pub const MAX_CLASSES: usize = 8;
/// Largest number of entries in a list of gates.
pub const MAX_GATES: usize = 64;
/// Largest number of transmit queues of an interface that can be given to classes.
pub const MAX_QUEUES: u16 = 256;

/// Set for the time of a run, read back, and taken back at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tsn {
    /// Network interface.
    pub interface: String,
    /// VLAN on top of it.
    pub vlan: Option<VlanMap>,
    /// Its queueing discipline.
    pub qdisc: Option<Qdisc>,
    /// Priority of our EtherCAT frames where the bus is on this interface, 0 to 15.
    pub bus_priority: u8,
    /// The network card does the work of the queueing discipline.
    pub offload: bool,
}

/// A VLAN (IEEE 802.1Q).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VlanMap {
    /// VLAN id, 1 to 4094.
    pub id: u16,
    /// PCP (0 to 7) of frames of the priorities 0 to 7.
    pub pcp: [u8; 8],
}

/// Which queue a frame goes into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// Traffic class of each priority, below the number of classes.
    pub of_priority: [u8; PRIORITIES],
    /// Number of transmit queues of each class, 1 to 8 classes; they lie one behind the other.
    pub queues: Vec<u16>,
}

/// A queueing discipline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qdisc {
    /// A strict priority per class.
    Mqprio(Classes),
    /// Gates by a schedule (IEEE 802.1Q, Enhancements for Scheduled Traffic) on CLOCK_TAI.
    Taprio {
        /// Which queue a frame goes into.
        classes: Classes,
        /// Start of the list (ns since 1970 on CLOCK_TAI).
        base_time_ns: u64,
        /// The list, 1 to 64 entries.
        gates: Vec<Gate>,
    },
    /// Frames leave at their launch time on CLOCK_TAI.
    Etf {
        /// Classes, and the one whose frames have launch times; none: all frames have.
        below: Option<(Classes, u8)>,
        /// Time before its launch at which a frame is handed on (ns).
        delta_ns: u32,
    },
}

/// One entry of a list of gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Bit n: the gate of class n is open.
    pub open: u32,
    /// How long (ns).
    pub length_ns: u32,
}

impl Tsn {
    /// Name of the VLAN's interface.
    pub fn vlan_interface(&self) -> Option<String> {
        let vlan = self.vlan.as_ref()?;
        Some(format!("{}.{}", self.interface, vlan.id))
    }

    /// Whether frames on `interface`, which may be that of the VLAN, pass the queueing discipline.
    pub fn queues_for(&self, interface: &str) -> bool {
        self.qdisc.is_some()
            && (self.interface == interface || self.vlan_interface().as_deref() == Some(interface))
    }

    /// Whether frames of this priority (0 to 15) need a launch time: etf drops those that have none.
    pub fn needs_launch_time(&self, priority: u8) -> bool {
        let Some(Qdisc::Etf { below, .. }) = &self.qdisc else {
            return false;
        };
        below.as_ref().is_none_or(|(classes, class)| {
            // The kernel looks at four bits.
            classes.of_priority.get(usize::from(priority & 15)) == Some(class)
        })
    }
}
