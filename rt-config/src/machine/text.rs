//! The configuration that a machine was read from.

use std::fmt;
use std::sync::Arc;

/// The text of a configuration, for recordings that hold it. It says nothing that the machine does not: machines that are alike are
/// equal whatever their texts are, and it is not shown.
#[derive(Clone, Default)]
pub struct Text(pub Arc<str>);

impl PartialEq for Text {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}
