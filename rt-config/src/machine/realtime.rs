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
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            core: None,
            model_cores: Vec::new(),
            policy: Policy::Fifo,
            priority: DEFAULT_PRIORITY,
            require: false,
            wait: Wait::Auto,
            nic: RealtimeNic::default(),
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
