//! Whether anything keeps the launch times of frames. A socket is never told: without etf the kernel forgets them.

use super::messages::{etf_is_tai, queues_of};
use super::netlink::{Listed, Netlink, vlan_below};
use super::setup::NetError;

/// Interfaces on top of one another that are followed, VLANs in VLANs.
const MAX_DEPTH: usize = 4;

/// What frames of one priority pass on their way out of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchQueue {
    /// etf on CLOCK_TAI: launch times are kept.
    Etf,
    /// Nothing that keeps launch times: what is there, in words.
    None(String),
}

/// Asks the kernel what frames of `priority` (0 to 15) pass on `interface`, or below it where it is a VLAN.
///
/// # Errors
/// [`NetError::NoNetlink`], [`NetError::NoInterface`], or what the kernel refuses.
pub fn launch_queue(interface: &str, priority: u8) -> Result<LaunchQueue, NetError> {
    let netlink = Netlink::connect().map_err(NetError::NoNetlink)?;
    let refused = |error| NetError::Refused {
        interface: interface.to_owned(),
        what: "a list of its queues".to_owned(),
        error,
    };
    let mut link = (netlink.link(interface).map_err(refused)?)
        .ok_or_else(|| NetError::NoInterface(interface.to_owned()))?;
    for _ in 0..MAX_DEPTH {
        let Some(below) = vlan_below(&link) else {
            break;
        };
        let next = netlink.link_at(below).map_err(refused)?;
        link = next.ok_or_else(|| NetError::NoInterface(interface.to_owned()))?;
    }
    let all = netlink.qdiscs(link.header.index).map_err(refused)?;
    Ok(passed(&all, priority))
}

/// What frames of `priority` pass.
fn passed(all: &[Listed], priority: u8) -> LaunchQueue {
    let Some(root) = all.iter().find(|one| one.parent.is_none()) else {
        return LaunchQueue::None("nothing that holds frames".to_owned());
    };
    if root.kind == "etf" {
        return judge(root);
    }
    let Some((first, count)) = queues_of(&root.kind, &root.options, priority) else {
        return LaunchQueue::None(root.kind.clone());
    };
    // Queues are numbered from 1 below the root; each of the class must have it.
    let of_class = (first..first.saturating_add(count)).map(|queue| {
        let place = Some((root.major, queue.saturating_add(1)));
        all.iter().find(|one| one.parent == place)
    });
    let mut any = false;
    for found in of_class {
        let one = match found {
            Some(one) if one.kind == "etf" => judge(one),
            Some(one) => LaunchQueue::None(format!("{} below {}", one.kind, root.kind)),
            None => LaunchQueue::None(root.kind.clone()),
        };
        if one != LaunchQueue::Etf {
            return one;
        }
        any = true;
    }
    if any {
        LaunchQueue::Etf
    } else {
        LaunchQueue::None(root.kind.clone())
    }
}

fn judge(etf: &Listed) -> LaunchQueue {
    if etf_is_tai(&etf.options) {
        LaunchQueue::Etf
    } else {
        LaunchQueue::None("etf on another clock than CLOCK_TAI".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::encode;
    use super::*;
    use twinstep_config::machine::{Classes, Qdisc};

    fn classes() -> Classes {
        let mut of_priority = [0; 16];
        of_priority[3] = 1;
        Classes {
            of_priority,
            queues: vec![2, 2],
        }
    }

    /// As the kernel would list it.
    fn listed(qdisc: &Qdisc) -> Vec<Listed> {
        let (root, below) = encode(qdisc, false);
        let one = |kind: &str, parent, options: &[u8]| Listed {
            kind: kind.to_owned(),
            parent,
            major: 0x7453,
            options: options.to_vec(),
        };
        let mut all = vec![one(root.kind, None, &root.bytes)];
        if let Some((first, count, options)) = below {
            let places = first + 1..=first + count;
            all.extend(
                places.map(|minor| one(options.kind, Some((0x7453, minor)), &options.bytes)),
            );
        }
        all
    }

    #[test]
    fn only_etf_keeps_launch_times() {
        let none = |words: &str| LaunchQueue::None(words.to_owned());
        assert_eq!(passed(&[], 3), none("nothing that holds frames"));
        let all = listed(&Qdisc::Etf {
            below: None,
            delta_ns: 1,
        });
        assert_eq!(passed(&all, 0), LaunchQueue::Etf);
        let mut all = listed(&Qdisc::Etf {
            below: Some((classes(), 1)),
            delta_ns: 1,
        });
        assert_eq!(all.len(), 3);
        assert_eq!(passed(&all, 3), LaunchQueue::Etf);
        assert_eq!(passed(&all, 2), none("mqprio"));
        all[2].options.fill(0);
        assert_eq!(passed(&all, 3), none("etf on another clock than CLOCK_TAI"));
        all[2].kind = "pfifo".to_owned();
        assert_eq!(passed(&all, 3), none("pfifo below mqprio"));
        let all = listed(&Qdisc::Mqprio(classes()));
        assert_eq!(passed(&all, 3), none("mqprio"));
    }

    #[test]
    fn an_interface_without_etf_is_told_as_such() {
        match launch_queue("lo", 0) {
            Ok(LaunchQueue::None(what)) => assert_eq!(what, "noqueue"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            launch_queue("no-such-if0", 0),
            Err(NetError::NoInterface(_))
        ));
    }
}
