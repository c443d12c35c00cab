//! The seam between an EtherCAT SubDevice Controller and the firmware behind it.

use super::pdo::Object;
use super::plant::Plant;
use twinstep_config::machine::PdoEntry;

/// CoE abort code: object does not exist.
pub const ABORT_NO_OBJECT: u32 = 0x0602_0000;
/// CoE abort code: subindex does not exist.
pub const ABORT_NO_SUBINDEX: u32 = 0x0609_0011;
/// CoE abort code: attempt to write a read-only object.
pub const ABORT_READ_ONLY: u32 = 0x0601_0002;
/// CoE abort code: data type or length does not match.
pub const ABORT_LENGTH: u32 = 0x0607_0010;

/// CoE abort code: value range of the object exceeded.
pub const ABORT_RANGE: u32 = 0x0609_0030;

/// AL states as they stand in 0x0120 and 0x0130 (ETG.1000.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AlState {
    /// INIT
    #[default]
    Init = 1,
    /// PRE-OP
    PreOp = 2,
    /// BOOTSTRAP
    Bootstrap = 3,
    /// SAFE-OP
    SafeOp = 4,
    /// OP
    Op = 8,
}

impl AlState {
    /// The state that AL control asks for; none for a number that is no state.
    pub const fn from_control(control: u8) -> Option<Self> {
        match control & 0x0f {
            1 => Some(Self::Init),
            2 => Some(Self::PreOp),
            3 => Some(Self::Bootstrap),
            4 => Some(Self::SafeOp),
            8 => Some(Self::Op),
            _ => None,
        }
    }
}

/// A device's firmware: its object dictionary and what it does at SYNC0.
///
/// Identity, SyncManager and PDO mapping objects (0x1000-0x1FFF) are answered by the CoE server from the description;
/// everything else comes here. Nothing but [`Application::map`] may allocate after start.
pub trait Application: Send {
    /// The objects beside those of the communication area, for SDO information. Objects of one index stand together.
    fn objects(&self) -> &'static [Object] {
        &[]
    }

    /// From here on the process data consists of these objects; until it is called, of those of the configuration.
    fn map(&mut self, _outputs: &[PdoEntry], _inputs: &[PdoEntry]) {}

    /// SDO upload: writes the value (little-endian) into `data` and returns its length (bytes).
    ///
    /// # Errors
    /// A CoE abort code.
    fn read_object(&mut self, index: u16, subindex: u8, data: &mut [u8]) -> Result<usize, u32>;

    /// SDO download.
    ///
    /// # Errors
    /// A CoE abort code.
    fn write_object(&mut self, index: u16, subindex: u8, data: &[u8]) -> Result<(), u32>;

    /// The AL state machine has reached `state`.
    fn al_state(&mut self, state: AlState, plant: &mut Plant);

    /// SYNC0 (or the frame, without DC): the outputs of SyncManager 2 take effect.
    fn outputs(&mut self, rx: &[u8], plant: &mut Plant);

    /// SYNC0 (or the frame, without DC): latches the inputs into the buffer of SyncManager 3.
    fn inputs(&mut self, tx: &mut [u8], plant: &Plant);
}
