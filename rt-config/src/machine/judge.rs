//! How deviations are judged.

/// Judging.
#[derive(Clone, Debug, PartialEq)]
pub struct Judge {
    /// Asked-for interval between false alarms (s): of the whole machine, or of this part of it, since the rate is shared out evenly
    /// over its buses.
    pub false_alarm_interval_s: f64,
    /// When its axes are warming up; none: never.
    pub warm_up: Option<WarmUp>,
    /// Calibration learns what holds its axes at rest.
    pub standstill: bool,
}

/// How axes warm up: until then what rests on friction is not judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp {
    /// From the first movement after a rest until an axis is warm (s).
    pub lasts_s: f64,
    /// Without a movement until it is cold again (s).
    pub rest_s: f64,
}
