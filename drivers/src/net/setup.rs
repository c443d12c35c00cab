//! Sets what `[tsn]` asks for, all or nothing.

use super::messages::{self, Options, differences};
use super::netlink::{
    Listed, Netlink, back_of, found_back_of, name_and_remark, vlan_below, vlan_of,
};
use std::io;
use twinstep_config::machine::{Qdisc, Tsn};

/// Handle of our queueing discipline at the root; the kernel chooses from 0x8001 on. By it a later run knows it as ours.
const MAJOR: u16 = 0x7453;
/// Alias of our VLAN's interface, for the same reason.
const REMARK: &str = "twinstep";

/// What went wrong. The interface is as it was found.
#[derive(Debug)]
pub enum NetError {
    /// The kernel cannot be asked.
    NoNetlink(io::Error),
    /// There is no interface of this name.
    NoInterface(String),
    /// Something of somebody else is in the way.
    Taken {
        /// Interface.
        interface: String,
        /// What is there.
        what: String,
        /// The command that removes it.
        remove: String,
    },
    /// The kernel refuses.
    Refused {
        /// Interface.
        interface: String,
        /// What was asked for.
        what: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The kernel says that it did, and something else is there.
    Different {
        /// Interface.
        interface: String,
        /// What was asked for.
        what: String,
        /// What differs.
        differences: Vec<String>,
    },
}

impl core::fmt::Display for NetError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoNetlink(error) => write!(f, "rtnetlink: {error}"),
            Self::NoInterface(name) => {
                write!(f, "there is no network interface '{name}' (see `ip link`)")
            }
            Self::Taken {
                interface, what, ..
            } => write!(f, "{interface} has {what} already, which is not ours"),
            Self::Refused {
                interface,
                what,
                error,
            } => write!(
                f,
                "{interface}: {what} was asked for, and the kernel refuses: {error}"
            ),
            Self::Different {
                interface,
                what,
                differences,
            } => write!(
                f,
                "{interface}: {what} was set, but something else is read back: {}",
                differences.join("; ")
            ),
        }
    }
}

impl std::error::Error for NetError {}

impl NetError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoNetlink(_) => "this needs Linux with rtnetlink".to_owned(),
            Self::NoInterface(_) => "name an interface in [tsn] that is there".to_owned(),
            Self::Taken { remove, .. } => {
                format!("if nobody needs it: `{remove}`")
            }
            Self::Refused { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                "CAP_NET_ADMIN is needed: run as root, or `setcap cap_net_raw,cap_net_admin=ep` on the program".to_owned()
            }
            Self::Refused { what, .. } if what.contains("offload") => {
                "leave `offload` out, so that the kernel does it, or use a network card that can (docs/tsn.md)".to_owned()
            }
            Self::Refused { .. } => {
                "compare `queues` with the transmit queues of the interface (`ip -d link show`), and see docs/tsn.md for modules of the kernel".to_owned()
            }
            Self::Different { .. } => "this kernel or driver does not do what it says".to_owned(),
        }
    }
}

/// What was set. Dropping it takes everything back.
pub struct Setup {
    netlink: Netlink,
    /// Index of the interface that has our queueing discipline.
    qdisc_on: Option<u32>,
    /// Index of our VLAN's interface.
    vlan: Option<u32>,
    left_behind: Vec<String>,
}

impl Setup {
    /// Sets a VLAN and a queueing discipline, and reads both back. What a run that was killed has left on the interface is
    /// taken back first: whoever calls this knows that no other run has it.
    ///
    /// # Errors
    /// [`NetError`]; whatever was set by then is taken back.
    pub fn apply(tsn: &Tsn) -> Result<Self, NetError> {
        let netlink = Netlink::connect().map_err(NetError::NoNetlink)?;
        let name = &tsn.interface;
        let index = (netlink.link(name))
            .map_err(|error| refused(name, "to be found", error))?
            .ok_or_else(|| NetError::NoInterface(name.clone()))?
            .header
            .index;
        let mut setup = Self {
            netlink,
            qdisc_on: None,
            vlan: None,
            left_behind: Vec::new(),
        };
        setup.clear(name, index)?;
        // An error on the way drops what there is by then.
        setup.queue(tsn, index)?;
        setup.tag(tsn, index)?;
        Ok(setup)
    }

    /// What a run that was killed had left on the interface, in words. It is gone.
    pub fn left_behind(&self) -> &[String] {
        &self.left_behind
    }

    /// Takes back what bears our marks.
    fn clear(&mut self, name: &str, index: u32) -> Result<(), NetError> {
        let refuse = |error| refused(name, "to take back what a killed run has left", error);
        let links = self.netlink.links().map_err(refuse)?;
        for link in links {
            let (vlan, remark) = name_and_remark(&link);
            if remark == REMARK && vlan_below(&link) == Some(index) {
                let told = format!("the interface {vlan}");
                let own = link.header.index;
                self.netlink.delete_link(own).map_err(refuse)?;
                self.left_behind.push(told);
            }
        }
        let all = self.netlink.qdiscs(index).map_err(refuse)?;
        let mut roots = all.iter().filter(|one| one.parent.is_none());
        if let Some(root) = roots.find(|one| one.major == MAJOR) {
            self.netlink.delete_root(index).map_err(refuse)?;
            let told = format!("the queueing discipline {}", root.kind);
            self.left_behind.push(told);
        }
        Ok(())
    }

    fn queue(&mut self, tsn: &Tsn, index: u32) -> Result<(), NetError> {
        let Some(qdisc) = &tsn.qdisc else {
            return Ok(());
        };
        let name = &tsn.interface;
        let what = asked(qdisc, tsn.offload);
        let list = |netlink: &Netlink| {
            (netlink.qdiscs(index)).map_err(|error| refused(name, "a list of its queues", error))
        };
        if let Some(other) = list(&self.netlink)?
            .iter()
            .find(|one| one.parent.is_none() && one.major != 0)
        {
            return Err(NetError::Taken {
                interface: name.clone(),
                what: format!("the queueing discipline {} at its root", other.kind),
                remove: format!("tc qdisc del dev {name} root"),
            });
        }
        let (root, below) = messages::encode(qdisc, tsn.offload);
        let add = |netlink: &Netlink, place, options: &Options| {
            (netlink.add_qdisc(index, place, options.kind, &options.bytes))
                .map_err(|error| refused(name, &what, error))
        };
        add(&self.netlink, (None, MAJOR), &root)?;
        self.qdisc_on = Some(index);
        let mut expected = vec![(None, root)];
        if let Some((first, count, options)) = below {
            // Queues are numbered from 1 below the root.
            for minor in first + 1..=first + count {
                add(&self.netlink, (Some((MAJOR, minor)), 0), &options)?;
                expected.push((Some((MAJOR, minor)), options.clone()));
            }
        }
        let found = list(&self.netlink)?;
        let differences: Vec<String> = expected
            .iter()
            .flat_map(|(parent, options)| compare(*parent, options, &found))
            .collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(NetError::Different {
            interface: name.clone(),
            what,
            differences,
        })
    }

    fn tag(&mut self, tsn: &Tsn, parent: u32) -> Result<(), NetError> {
        let (Some(vlan), Some(name)) = (&tsn.vlan, tsn.vlan_interface()) else {
            return Ok(());
        };
        let what = format!("VLAN {}", vlan.id);
        let refuse = |error| refused(&tsn.interface, &what, error);
        if self.netlink.link(&name).map_err(refuse)?.is_some() {
            return Err(NetError::Taken {
                interface: tsn.interface.clone(),
                what: format!("an interface {name}"),
                remove: format!("ip link del {name}"),
            });
        }
        self.netlink.add_vlan(&name, parent, vlan).map_err(refuse)?;
        let made = self.netlink.link(&name).map_err(refuse)?;
        let found = made.as_ref().and_then(vlan_of);
        let back = made.as_ref().map(found_back_of);
        if let Some(made) = &made {
            self.vlan = Some(made.header.index);
            (self.netlink.set_up(made.header.index, REMARK)).map_err(refuse)?;
        }
        let asked_back = back_of(vlan);
        if found.as_ref() == Some(vlan) && back == Some(asked_back) {
            return Ok(());
        }
        Err(NetError::Different {
            interface: tsn.interface.clone(),
            what,
            differences: vec![format!(
                "asked for {vlan:?} and back {asked_back:?}, found {found:?} and {back:?}"
            )],
        })
    }

    /// Takes everything back, once. Returns what did not work, in words.
    pub fn restore(&mut self) -> Vec<String> {
        let vlan = self
            .vlan
            .take()
            .map(|index| ("the VLAN", self.netlink.delete_link(index)));
        let qdisc = self
            .qdisc_on
            .take()
            .map(|index| ("the queueing discipline", self.netlink.delete_root(index)));
        // An interface that has vanished meanwhile took everything with it.
        let gone = |error: &io::Error| error.raw_os_error() == Some(libc::ENODEV);
        [vlan, qdisc]
            .into_iter()
            .flatten()
            .filter_map(|(what, done)| {
                let error = done.err().filter(|error| !gone(error))?;
                Some(format!("{what} could not be taken back: {error}"))
            })
            .collect()
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        // Who wants to know calls `restore`.
        self.restore();
    }
}

fn compare(parent: Option<(u16, u16)>, asked: &Options, found: &[Listed]) -> Vec<String> {
    match found.iter().find(|one| one.parent == parent) {
        Some(one) if one.kind == asked.kind => differences(asked, &one.options),
        other => vec![format!(
            "asked for {}, found {}",
            asked.kind,
            other.map_or("nothing", |one| one.kind.as_str())
        )],
    }
}

fn refused(interface: &str, what: &str, error: io::Error) -> NetError {
    NetError::Refused {
        interface: interface.to_owned(),
        what: what.to_owned(),
        error,
    }
}

/// What is asked for, in words.
fn asked(qdisc: &Qdisc, offload: bool) -> String {
    let name = match qdisc {
        Qdisc::Mqprio(_) => "mqprio",
        Qdisc::Taprio { .. } => "taprio",
        Qdisc::Etf { .. } => "etf",
    };
    let by = if offload { " with offload" } else { "" };
    format!("{name}{by}")
}
