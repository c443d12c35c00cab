//! A bus that is only listened to.

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
