//! The other end of the flags, for programs in Rust.

use super::wire::Flag;
use super::{READER, failed, node, service_name};
use crate::error::HostError;
use iceoryx2::node::Node;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::service::ipc;
use iceoryx2::service::port_factory::PortFactory as _;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

/// Reads the flags of a machine. It polls and never waits. Belongs to the thread that made it.
pub struct FlagReader {
    flags: Subscriber<ipc::Service, Flag, ()>,
    service: PortFactory<ipc::Service, Flag, ()>,
    // Goes last: the port is on it.
    _node: Node<ipc::Service>,
}

impl FlagReader {
    /// Opens the flags of the machine that is shared as `name`.
    ///
    /// # Errors
    /// [`HostError::Machine`] where no running twinstep shares it, or 8 programs read it already.
    pub fn open(name: &str) -> Result<Self, HostError> {
        let node = node::<ipc::Service>(READER)?;
        let name = service_name(name, "flags")?;
        let service = node
            .service_builder(&name)
            .publish_subscribe::<Flag>()
            .open()
            .map_err(|error| failed(name.as_str(), &error))?;
        let flags = service
            .subscriber_builder()
            .create()
            .map_err(|error| failed(name.as_str(), &error))?;
        Ok(Self {
            flags,
            service,
            _node: node,
        })
    }

    /// The oldest flag that was not read yet; none where there is no new one. Who reads too slowly loses the oldest.
    #[inline]
    pub fn take(&mut self) -> Option<Flag> {
        // What cannot be received is lost, as is what was overwritten: a flag is volatile.
        self.flags.receive().ok().flatten().map(|sample| *sample)
    }

    /// Whether somebody publishes.
    pub fn is_alive(&self) -> bool {
        self.service.dynamic_config().number_of_publishers() > 0
    }
}
