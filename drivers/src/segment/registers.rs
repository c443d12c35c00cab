//! The register map of an EtherCAT SubDevice Controller (ESC) as data: ranges, who may write them, what an access does.
//!
//! Every access is handled by byte range, never by exact address or length: masters write 0x0920 with 8 or with 12
//! bytes and 0x0800 with 8, 16, 32 or 128. A new register is a new row. Names are those of ETG.1000.4.

/// Size of the address space that is simulated (bytes): registers up to 0x0FFF, then 8 KiB of process data RAM.
pub const MEMORY_BYTES: usize = 0x3000;
/// First address of the process data RAM.
pub const RAM_START: u16 = 0x1000;
/// Most FMMUs of an ESC.
pub const FMMUS: usize = 16;
/// Most SyncManagers of an ESC.
pub const SYNC_MANAGERS: usize = 16;

/// First byte of FMMU 0; each takes 16 bytes.
pub const FMMU_START: u16 = 0x0600;
/// First byte of SyncManager 0; each takes 8 bytes.
pub const SYNC_MANAGER_START: u16 = 0x0800;

/// First address behind FMMUs and SyncManagers.
pub const CHANNELS_END: u16 = SYNC_MANAGER_START + 8 * SYNC_MANAGERS as u16;

/// What the bus may do with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Writes are ignored and do not count.
    ReadOnly,
    /// Writes are stored.
    ReadWrite,
    /// Writes only trigger the effect; the stored value stays.
    Trigger,
}

/// Set of [`effect`] bits.
pub type Effects = u32;

/// What an access makes the SubDevice do.
pub mod effect {
    use super::Effects;
    /// Nothing.
    pub const NONE: Effects = 0;
    /// Write: AL control, the AL state machine has a request.
    pub const AL_CONTROL: Effects = 1 << 0;
    /// Write: SII owner.
    pub const SII_CONFIG: Effects = 1 << 1;
    /// Write: SII command.
    pub const SII_CONTROL: Effects = 1 << 2;
    /// Write: an FMMU was configured.
    pub const FMMU: Effects = 1 << 3;
    /// Write: a SyncManager was configured.
    pub const SYNC_MANAGER: Effects = 1 << 4;
    /// Write: latch the receive times of all ports.
    pub const RECEIVE_TIME: Effects = 1 << 5;
    /// Write: compare the system time. Read: refresh it.
    pub const SYSTEM_TIME: Effects = 1 << 6;
    /// Write: system time offset or propagation delay.
    pub const TIME_OFFSET: Effects = 1 << 7;
    /// Write: SYNC0 is switched on or off.
    pub const SYNC_ACTIVATION: Effects = 1 << 8;
    /// Write: clears the whole range (error counters).
    pub const CLEAR: Effects = 1 << 9;
    /// Write: bytes of the outputs or of the receive mailbox.
    pub const RAM: Effects = 1 << 10;
    /// Write: watchdog times.
    pub const WATCHDOG: Effects = 1 << 11;
    /// Read: refresh the events before, clear those of the DL status or of the AL status after.
    pub const EVENTS: Effects = 1 << 12;
    /// See [`EVENTS`].
    pub const DL_STATUS: Effects = 1 << 13;
    /// See [`EVENTS`].
    pub const AL_STATUS: Effects = 1 << 14;
}

/// One row of the map.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// First address.
    pub first: u16,
    /// Last address (inclusive).
    pub last: u16,
    /// Who may write.
    pub access: Access,
    /// What a write triggers.
    pub on_write: Effects,
    /// What a read triggers before the bytes are taken.
    pub on_read: Effects,
}

const fn ro(first: u16, last: u16) -> Range {
    Range {
        first,
        last,
        access: Access::ReadOnly,
        on_write: effect::NONE,
        on_read: effect::NONE,
    }
}

const fn seen(first: u16, last: u16, on_read: Effects) -> Range {
    Range {
        on_read,
        ..ro(first, last)
    }
}

const fn rw(first: u16, last: u16, on_write: Effects) -> Range {
    Range {
        first,
        last,
        access: Access::ReadWrite,
        on_write,
        on_read: effect::NONE,
    }
}

const fn trigger(first: u16, last: u16, on_write: Effects, on_read: Effects) -> Range {
    Range {
        first,
        last,
        access: Access::Trigger,
        on_write,
        on_read,
    }
}

/// Registers before the channels.
const LOW: &[Range] = &[
    ro(0x0000, 0x0009), // type, revision, build, FMMUs, SMs, RAM, ports, features
    rw(0x0010, 0x0011, effect::NONE), // configured station address
    ro(0x0012, 0x0013), // configured station alias
    rw(0x0020, 0x0021, effect::NONE), // write enable, write protection
    rw(0x0030, 0x0031, effect::NONE), // ESC write enable, protection
    trigger(0x0040, 0x0041, effect::NONE, effect::NONE), // ESC reset ECAT, PDI
    rw(0x0100, 0x0103, effect::NONE), // DL control
    rw(0x0108, 0x0109, effect::NONE), // physical read/write offset
    seen(0x0110, 0x0111, effect::DL_STATUS), // DL status
    rw(0x0120, 0x0121, effect::AL_CONTROL), // AL control
    seen(0x0130, 0x0135, effect::AL_STATUS), // AL status, reserved, AL status code
    rw(0x0138, 0x0139, effect::NONE), // RUN and ERR LED override
    ro(0x0140, 0x0153), // PDI control and configuration
    rw(0x0200, 0x0201, effect::NONE), // ECAT event mask
    rw(0x0204, 0x0207, effect::NONE), // AL event mask
    seen(0x0210, 0x0211, effect::EVENTS), // ECAT event request
    seen(0x0220, 0x0223, effect::EVENTS), // AL event request
    trigger(0x0300, 0x030B, effect::CLEAR, effect::NONE), // errors of the ports, forwarded errors
    trigger(0x030C, 0x030C, effect::CLEAR, effect::NONE), // errors of the processing unit
    trigger(0x030D, 0x030D, effect::CLEAR, effect::NONE), // errors of the PDI
    ro(0x030E, 0x030F), // PDI error code
    trigger(0x0310, 0x0313, effect::CLEAR, effect::NONE), // lost links
    rw(0x0400, 0x0401, effect::WATCHDOG), // watchdog divider
    rw(0x0410, 0x0411, effect::WATCHDOG), // watchdog time PDI
    rw(0x0420, 0x0421, effect::WATCHDOG), // watchdog time process data
    ro(0x0440, 0x0441), // watchdog status process data
    trigger(0x0442, 0x0443, effect::CLEAR, effect::NONE), // watchdog counters
    rw(0x0500, 0x0501, effect::SII_CONFIG), // SII owner
    rw(0x0502, 0x0503, effect::SII_CONTROL), // SII control and status
    rw(0x0504, 0x050F, effect::NONE), // SII address, data
    rw(0x0510, 0x0517, effect::NONE), // MII management
];

/// Registers and RAM behind the channels.
const HIGH: &[Range] = &[
    trigger(0x0900, 0x0903, effect::RECEIVE_TIME, effect::NONE), // receive time port 0
    ro(0x0904, 0x090F),                                          // receive times ports 1 to 3
    trigger(0x0910, 0x0917, effect::SYSTEM_TIME, effect::SYSTEM_TIME), // system time
    ro(0x0918, 0x091F),                      // receive time of the processing unit
    rw(0x0920, 0x092B, effect::TIME_OFFSET), // system time offset, delay
    ro(0x092C, 0x092F),                      // system time difference
    rw(0x0930, 0x0935, effect::NONE),        // speed counter, filter depths
    rw(0x0980, 0x0981, effect::SYNC_ACTIVATION), // cyclic unit control, activation
    ro(0x0982, 0x0984),                      // pulse length, activation status
    ro(0x098E, 0x098F),                      // SYNC0, SYNC1 status
    rw(0x0990, 0x0997, effect::NONE),        // start time, then time of the next SYNC0
    ro(0x0998, 0x099F),                      // time of the next SYNC1
    rw(0x09A0, 0x09A7, effect::NONE),        // SYNC0 and SYNC1 cycle time
    rw(0x09A8, 0x09A9, effect::NONE),        // latch control
    ro(0x09AE, 0x09CF),                      // latch status and times
    ro(0x0E00, 0x0E07),                      // product id
    rw(0x0F00, 0x0F03, effect::RAM),         // outputs of a digital terminal
    rw(0x0F80, 0x0FFF, effect::NONE),        // user RAM
    rw(RAM_START, (MEMORY_BYTES - 1) as u16, effect::RAM),
];

/// Rows of a SyncManager: start to control, status, activate, PDI control.
const SYNC_MANAGER_ROWS: usize = 4;
const ROWS: usize = LOW.len() + FMMUS + SYNC_MANAGERS * SYNC_MANAGER_ROWS + HIGH.len();
const TABLE: [Range; ROWS] = table();

/// The map, ascending and without overlaps (a test checks it). What is not in it does not exist: it neither answers
/// nor counts. A controller with fewer channels lacks the rows of the others.
pub static MAP: &[Range] = &TABLE;

const fn table() -> [Range; ROWS] {
    let mut all = [ro(0, 0); ROWS];
    let mut at = 0;
    while at < LOW.len() {
        all[at] = LOW[at];
        at += 1;
    }
    let mut n = 0;
    while n < FMMUS {
        let first = FMMU_START + 16 * n as u16;
        all[at] = rw(first, first + 15, effect::FMMU);
        at += 1;
        n += 1;
    }
    n = 0;
    while n < SYNC_MANAGERS {
        let first = SYNC_MANAGER_START + 8 * n as u16;
        all[at] = rw(first, first + 4, effect::SYNC_MANAGER);
        all[at + 1] = ro(first + 5, first + 5);
        all[at + 2] = rw(first + 6, first + 6, effect::SYNC_MANAGER);
        all[at + 3] = ro(first + 7, first + 7);
        at += SYNC_MANAGER_ROWS;
        n += 1;
    }
    n = 0;
    while n < HIGH.len() {
        all[at] = HIGH[n];
        at += 1;
        n += 1;
    }
    all
}

/// For every register address the first row that ends there or behind it.
static INDEX: [u8; RAM_START as usize] = index();

const fn index() -> [u8; RAM_START as usize] {
    assert!(ROWS <= u8::MAX as usize, "a row number fits a byte");
    let mut all = [0; RAM_START as usize];
    let (mut address, mut row) = (0, 0);
    while address < all.len() {
        while (TABLE[row].last as usize) < address {
            row += 1;
        }
        all[address] = row as u8;
        address += 1;
    }
    all
}

/// Rows that overlap `length` bytes from `address` on, in ascending order.
pub fn rows(address: u16, length: usize) -> impl Iterator<Item = &'static Range> {
    let start = usize::from(address);
    // Behind the registers there is one row: the RAM, which is the last.
    let first = INDEX.get(start).map_or(ROWS - 1, |&row| usize::from(row));
    MAP.get(first..)
        .unwrap_or_default()
        .iter()
        .take_while(move |row| usize::from(row.first) < start + length)
        .filter(move |row| usize::from(row.last) >= start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_is_ascending_and_inside_the_memory() {
        for pair in MAP.windows(2) {
            assert!(pair[0].first <= pair[0].last);
            assert!(pair[0].last < pair[1].first, "{:04x}", pair[1].first);
        }
        assert!(usize::from(MAP.last().unwrap().last) < MEMORY_BYTES);
    }

    #[test]
    fn rows_cut_across_ranges() {
        let found: Vec<u16> = rows(0x0920, 16).map(|row| row.first).collect();
        assert_eq!(found, [0x0920, 0x092C]);
        assert_eq!(rows(0x0014, 4).count(), 0);
        assert_eq!(rows(0x012f, 2).count(), 1);
    }
}
