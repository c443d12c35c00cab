//! How the cycle gets its time.

/// Priority under SCHED_FIFO unless given: above the interrupt threads (50 unless somebody changed them), below the watchdogs.
pub const DEFAULT_PRIORITY: u8 = 80;
/// Largest number of a core: the kernel's own bound.
pub const MAX_CORE: usize = 8191;
/// Most cores that share the models beside that of the cycle: a barrier over more costs what they save.
pub const MAX_MODEL_CORES: usize = 15;

/// `[realtime]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realtime {
    /// Core of the cycle; none: the last isolated one, or the last one.
    pub core: Option<usize>,
    /// Cores that other buses of the machine have, and how many buses before this one take any that is free.
    pub others: OtherBuses,
    /// Cores that share the models with it, each at most once and none of them [`Self::core`]; at most [`MAX_MODEL_CORES`],
    /// and with the cycle's no more than there are lanes of eight axes.
    pub model_cores: Vec<usize>,
    /// How it is scheduled.
    pub policy: Policy,
    /// Priority under SCHED_FIFO, 1 to 98.
    pub priority: u8,
    /// Refuse to start where the computer does not grant it.
    pub require: bool,
    /// How the start of a cycle is awaited.
    pub wait: Wait,
    /// The network interface of the bus.
    pub nic: RealtimeNic,
    /// A clock that the starts of the cycle are held against; none: CLOCK_MONOTONIC, and distributed clocks where there are.
    pub clock: Option<CycleClock>,
    /// Whether ptp4l keeps the clock of this computer; none: nobody asks.
    pub ptp: Option<Ptp>,
}

/// What the other buses of the machine do with the cores of the computer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherBuses {
    /// Cores that they name.
    pub cores: Vec<usize>,
    /// How many of those before this one name none.
    pub before: usize,
}

/// A clock beside CLOCK_MONOTONIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleClock {
    /// Which.
    pub source: ClockSource,
    /// Starts lie on whole periods of it and this much later (ns), below the period.
    pub phase_ns: u64,
    /// The cycle follows it; else it is only told how far it is off.
    pub follow: bool,
}

/// See [`CycleClock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// CLOCK_TAI.
    Tai,
    /// The device of a PTP hardware clock.
    Device(String),
}

impl ClockSource {
    /// As it is written.
    pub fn name(&self) -> &str {
        match self {
            Self::Tai => "tai",
            Self::Device(path) => path,
        }
    }
}

/// How ptp4l is asked, and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ptp {
    /// Its management socket; none: where it usually is.
    pub socket: Option<String>,
    /// PTP domain.
    pub domain: u8,
    /// Largest offset from the grandmaster (ns).
    pub max_offset_ns: u64,
    /// Longest time without a Sync message (ns).
    pub max_silence_ns: u64,
}

impl Default for Ptp {
    fn default() -> Self {
        Self {
            socket: None,
            domain: 0,
            max_offset_ns: 1_000,
            max_silence_ns: 3_000_000_000,
        }
    }
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            core: None,
            others: OtherBuses::default(),
            model_cores: Vec::new(),
            policy: Policy::Fifo,
            priority: DEFAULT_PRIORITY,
            require: false,
            wait: Wait::Auto,
            nic: RealtimeNic::default(),
            clock: None,
            ptp: None,
        }
    }
}

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// SCHED_FIFO.
    #[default]
    Fifo,
    /// SCHED_DEADLINE: a share of each period is reserved.
    Deadline,
    /// The ordinary way.
    Other,
}

/// How the start of a cycle is awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// As the lateness of wake-ups, measured at the start, suggests.
    #[default]
    Auto,
    /// The clock is read until it is time: nothing is late, and the core does nothing else.
    Spin,
    /// The kernel wakes the thread.
    Sleep,
    /// It sleeps, and spins the rest.
    Hybrid,
}

/// What is to be set on the network interface of the bus; none: left as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealtimeNic {
    /// Core that takes its interrupts.
    pub irq_core: Option<usize>,
    /// Time that a received frame may wait for others (us).
    pub rx_coalescing_us: Option<u32>,
    /// Time that the report of a sent frame may wait for others (us).
    pub tx_coalescing_us: Option<u32>,
}

impl RealtimeNic {
    /// Whether anything is to be set.
    pub const fn is_asked(&self) -> bool {
        self.irq_core.is_some()
            || self.rx_coalescing_us.is_some()
            || self.tx_coalescing_us.is_some()
    }
}
