//! Requests over rtnetlink, each awaited to its end.

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::packet_core::{
    DefaultNla, ErrorMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload, Nla,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoVlan, LinkAttribute, LinkInfo, LinkMessage, VlanQosMapping,
};
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};
use rtnetlink::sys::AsyncSocket;
use rtnetlink::{Handle, LinkUnspec, LinkVlan, QosMapping};
use std::io;
use std::time::Duration;
use twinstep_config::machine::VlanMap;

/// Attribute with the options of a queueing discipline, `TCA_OPTIONS`.
const TCA_OPTIONS: u16 = 2;
/// Attribute of an error with its cause in words, `NLMSGERR_ATTR_MSG`.
const ERROR_TEXT: u16 = 1;
/// The kernel answers at once; a socket that stays silent is given up after this.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the kernel, with the runtime that it needs.
pub(super) struct Netlink {
    runtime: tokio::runtime::Runtime,
    handle: Handle,
}

/// A queueing discipline that the kernel lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) kind: String,
    /// Handle of the queue it hangs at; none for the root.
    pub(super) parent: Option<(u16, u16)>,
    /// Its own: 0 for what the kernel chose by itself.
    pub(super) major: u16,
    pub(super) options: Vec<u8>,
}

impl Netlink {
    pub(super) fn connect() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut connection, handle, _) =
            runtime.block_on(async { rtnetlink::new_connection() })?;
        // With it refusals come with their cause in words; older kernels only send the number.
        let _ = connection.socket_mut().socket_mut().set_ext_ack(true);
        runtime.spawn(connection);
        Ok(Self { runtime, handle })
    }

    /// Waits for an answer, but not for ever.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, rtnetlink::Error>>) -> io::Result<T> {
        self.runtime.block_on(async {
            match tokio::time::timeout(PATIENCE, answer).await {
                Ok(result) => result.map_err(|error| refusal(&error)),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        })
    }

    /// The interface of this name; none where there is none.
    pub(super) fn link(&self, name: &str) -> io::Result<Option<LinkMessage>> {
        let request = self.handle.link().get().match_name(name.to_owned());
        match self.wait(request.execute().try_next()) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            other => other,
        }
    }

    /// The interface of this index; none where there is none.
    pub(super) fn link_at(&self, index: u32) -> io::Result<Option<LinkMessage>> {
        let request = self.handle.link().get().match_index(index);
        match self.wait(request.execute().try_next()) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            other => other,
        }
    }

    pub(super) fn add_vlan(&self, name: &str, parent: u32, vlan: &VlanMap) -> io::Result<()> {
        let pcp = (0_u32..)
            .zip(vlan.pcp)
            .map(|(priority, pcp)| (priority, u32::from(pcp)));
        let egress = pcp.map(|(from, to)| QosMapping { from, to });
        let back = (0_u32..).zip(back_of(vlan));
        let ingress = back.map(|(from, to)| QosMapping { from, to });
        let message = LinkVlan::new(name, parent, vlan.id)
            .qos(ingress, egress)
            .up()
            .build();
        self.wait(self.handle.link().add(message).execute())
    }

    pub(super) fn delete_link(&self, index: u32) -> io::Result<()> {
        self.wait(self.handle.link().del(index).execute())
    }

    /// All interfaces.
    pub(super) fn links(&self) -> io::Result<Vec<LinkMessage>> {
        self.wait(self.handle.link().get().execute().try_collect())
    }

    /// Administratively up, with a remark (its alias) that says whose it is.
    pub(super) fn set_up(&self, index: u32, remark: &str) -> io::Result<()> {
        let message = LinkUnspec::new_with_index(index)
            .up()
            .append_extra_attribute(LinkAttribute::IfAlias(remark.to_owned()))
            .build();
        self.wait(self.handle.link().set(message).execute())
    }

    /// All queueing disciplines of an interface.
    pub(super) fn qdiscs(&self, index: u32) -> io::Result<Vec<Listed>> {
        let all: Vec<TcMessage> = self.wait(self.handle.qdisc().get().execute().try_collect())?;
        let of_it = all
            .into_iter()
            .filter(|one| u32::try_from(one.header.index) == Ok(index));
        Ok(of_it.map(listed).collect())
    }

    /// Sets a queueing discipline: `handle` 0 lets the kernel choose one, `parent` none is the root.
    pub(super) fn add_qdisc(
        &self,
        index: u32,
        (parent, major): (Option<(u16, u16)>, u16),
        kind: &str,
        options: &[u8],
    ) -> io::Result<()> {
        let mut message = tc_message(index, parent);
        message.header.handle = TcHandle { major, minor: 0 };
        message.attributes = vec![
            TcAttribute::Kind(kind.to_owned()),
            TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options.to_vec())),
        ];
        self.send(
            RouteNetlinkMessage::NewQueueDiscipline(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    pub(super) fn delete_root(&self, index: u32) -> io::Result<()> {
        let message = tc_message(index, None);
        self.send(RouteNetlinkMessage::DelQueueDiscipline(message), 0)
    }

    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut handle = self.handle.clone();
        self.wait(async move {
            let mut answers = handle.request(request)?;
            while let Some(answer) = answers.next().await {
                if let NetlinkPayload::Error(error) = answer.payload {
                    // An error of 0 is the acknowledgement.
                    if error.code.is_some() {
                        return Err(rtnetlink::Error::NetlinkError(error));
                    }
                }
            }
            Ok(())
        })
    }
}

fn tc_message(index: u32, parent: Option<(u16, u16)>) -> TcMessage {
    // Indices of interfaces are positive 32-bit numbers.
    let mut message = TcMessage::with_index(i32::try_from(index).unwrap_or(0));
    message.header.parent =
        parent.map_or(TcHandle::ROOT, |(major, minor)| TcHandle { major, minor });
    message
}

fn listed(message: TcMessage) -> Listed {
    let parent = message.header.parent;
    let mut listed = Listed {
        kind: String::new(),
        parent: (parent != TcHandle::ROOT).then_some((parent.major, parent.minor)),
        major: message.header.handle.major,
        options: Vec::new(),
    };
    for attribute in message.attributes {
        match attribute {
            TcAttribute::Kind(kind) => listed.kind = kind,
            TcAttribute::Options(options) => {
                for option in options {
                    // A kind that the library does not know comes as one attribute, whole.
                    if let TcOption::Other(raw) = option {
                        listed.options = vec![0; raw.value_len()];
                        raw.emit_value(&mut listed.options);
                    }
                }
            }
            _ => {}
        }
    }
    listed
}

/// What an interface says of its VLAN, where it is one.
fn vlan_data(link: &LinkMessage) -> Option<&Vec<InfoVlan>> {
    let infos = link
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => Some(infos),
            _ => None,
        });
    infos.flatten().find_map(|info| match info {
        LinkInfo::Data(InfoData::Vlan(data)) => Some(data),
        _ => None,
    })
}

/// VLAN id and PCP of the priorities 0 to 7 of an interface, where it is a VLAN. A PCP that is not told is 0.
pub(super) fn vlan_of(link: &LinkMessage) -> Option<VlanMap> {
    let mut vlan = VlanMap { id: 0, pcp: [0; 8] };
    for info in vlan_data(link)? {
        match info {
            InfoVlan::Id(id) => vlan.id = *id,
            InfoVlan::EgressQos(maps) => {
                for map in maps {
                    if let VlanQosMapping::Mapping(from, to) = map
                        && let Some(slot) = vlan.pcp.get_mut(*from as usize)
                    {
                        *slot = u8::try_from(*to).unwrap_or(u8::MAX);
                    }
                }
            }
            _ => {}
        }
    }
    Some(vlan)
}

/// The priority of received frames of each PCP: that which is sent with it, of several the first, and 0 where none is.
pub(super) fn back_of(vlan: &VlanMap) -> [u32; 8] {
    let mut back = [0; 8];
    for (priority, pcp) in (0_u32..8).zip(vlan.pcp).rev() {
        if let Some(slot) = back.get_mut(usize::from(pcp)) {
            *slot = priority;
        }
    }
    back
}

/// The same as an interface has it.
pub(super) fn found_back_of(link: &LinkMessage) -> [u32; 8] {
    let mut back = [0; 8];
    let maps = vlan_data(link).into_iter().flatten();
    let maps = maps.filter_map(|info| match info {
        InfoVlan::IngressQos(maps) => Some(maps),
        _ => None,
    });
    for map in maps.flatten() {
        if let VlanQosMapping::Mapping(from, to) = map
            && let Some(slot) = back.get_mut(*from as usize)
        {
            *slot = *to;
        }
    }
    back
}

/// Name and remark of an interface; empty where it has none.
pub(super) fn name_and_remark(link: &LinkMessage) -> (&str, &str) {
    let (mut name, mut remark) = ("", "");
    for one in &link.attributes {
        match one {
            LinkAttribute::IfName(text) => name = text,
            LinkAttribute::IfAlias(text) => remark = text,
            _ => {}
        }
    }
    (name, remark)
}

/// Index of the interface that a VLAN's stands on; none for one that is no VLAN.
pub(super) fn vlan_below(link: &LinkMessage) -> Option<u32> {
    vlan_of(link)?;
    link.attributes.iter().find_map(|one| match one {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    })
}

/// A refusal as an error of the system, with the kernel's own words where it sent some.
fn refusal(error: &rtnetlink::Error) -> io::Error {
    let rtnetlink::Error::NetlinkError(message) = error else {
        return io::Error::other(error.to_string());
    };
    let system = io::Error::from_raw_os_error(-message.raw_code());
    match words(message) {
        Some(words) => io::Error::new(
            system.kind(),
            format!("{words} (error {})", -message.raw_code()),
        ),
        None => system,
    }
}

/// The kernel's words: attributes behind the request that it sends back, which is whole unless it says otherwise.
fn words(message: &ErrorMessage) -> Option<String> {
    let header = &message.header;
    let length = u32::from_ne_bytes(header.get(..4)?.try_into().ok()?);
    // A message that was cut to its header has 16 bytes.
    for start in [length as usize, 16] {
        let mut rest = header.get(start..)?;
        while let Some(length) = rest.get(..2) {
            let length = usize::from(u16::from_ne_bytes(length.try_into().ok()?));
            let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
            let Some(value) = rest.get(4..length) else {
                break;
            };
            if kind & 0x3fff == ERROR_TEXT {
                let text = String::from_utf8_lossy(value);
                return Some(text.trim_end_matches('\0').to_owned());
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    None
}
