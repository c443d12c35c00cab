//! Whether a packet socket's interface is there.
//!
//! The system says once that an interface went down, before the frames that wait are taken, and is silent about its end. So after that
//! word the socket is asked whenever no frame waits, until one comes of which it is known that it came later.

/// What is known of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Attachment {
    /// It is up, as far as the system has said.
    #[default]
    Up,
    /// It went down; frames from before may still wait.
    Down,
    /// It went down, and nothing waits any more.
    Drained,
}

impl Attachment {
    /// After a frame: it shows that the interface is up, unless it may have waited since before.
    pub(crate) fn heard(self) -> Self {
        match self {
            Self::Up | Self::Drained => Self::Up,
            Self::Down => Self::Down,
        }
    }

    /// After a look that found no frame.
    pub(crate) fn silent(self) -> Self {
        match self {
            Self::Up => Self::Up,
            Self::Down | Self::Drained => Self::Drained,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Attachment;

    #[test]
    fn frames_from_before_do_not_bring_an_interface_up() {
        let down = Attachment::Down;
        assert_eq!(down.heard().heard(), Attachment::Down);
        assert_eq!(down.heard().silent(), Attachment::Drained);
        assert_eq!(down.silent().silent().heard(), Attachment::Up);
        assert_eq!(Attachment::Up.silent().heard(), Attachment::Up);
    }
}
