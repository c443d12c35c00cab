//! Groups of models, for whoever accounts for the time that they take. The pipeline itself reads no clock: it only says
//! which group it has just worked on.

/// A group of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Group {
    /// The axes, presses' screws included: they share lanes. Observers, detectors, free runs and signatures of movements too.
    Servo = 0,
    /// Strokes: force over displacement, and their evaluation objects.
    Press = 1,
    /// Vacuum stations.
    Station = 2,
}

impl Group {
    /// Number of groups.
    pub const COUNT: usize = 3;
    /// All groups.
    pub const ALL: [Self; Self::COUNT] = [Self::Servo, Self::Press, Self::Station];

    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Servo => "servo",
            Self::Press => "press",
            Self::Station => "station",
        }
    }
}
