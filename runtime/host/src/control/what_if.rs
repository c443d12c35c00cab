//! What other periods would have led to, as the status tells it.

use crate::phases::WhatIf;
use serde::{Deserialize, Serialize};

/// Overruns at other periods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIfLine {
    /// Cycles looked at.
    pub cycles: u64,
    /// How many of them would have overrun.
    pub periods: Vec<WhatIfPeriod>,
}

/// Overruns at one other period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIfPeriod {
    /// The period (ns).
    pub period_ns: u64,
    /// Cycles that would have overrun it.
    pub overruns: u64,
}

impl From<&WhatIf> for WhatIfLine {
    fn from(what_if: &WhatIf) -> Self {
        let periods = WhatIf::PERIODS_NS.iter().zip(&what_if.overruns);
        let of = |(&period_ns, &overruns)| WhatIfPeriod {
            period_ns,
            overruns,
        };
        Self {
            cycles: what_if.cycles,
            periods: periods.map(of).collect(),
        }
    }
}
