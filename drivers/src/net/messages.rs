//! Queueing disciplines as rtnetlink carries them in TCA_OPTIONS (Linux: `include/uapi/linux/pkt_sched.h`). Numbers are in the
//! byte order of the computer.

use twinstep_config::machine::{Classes, Gate, Qdisc};

/// Length of `struct tc_mqprio_qopt` (bytes): classes u8, class of 16 priorities u8, hw u8, count and offset of 16 classes u16.
const MQPRIO_LENGTH: usize = 1 + 16 + 1 + 2 * 16 + 2 * 16;
/// `TC_ETF_OFFLOAD_ON`.
const ETF_OFFLOAD: u32 = 1 << 1;
/// Full offload, `TAPRIO_ATTR_FLAG_FULL_OFFLOAD`.
const TAPRIO_OFFLOAD: u32 = 1 << 1;
/// `TC_TAPRIO_CMD_SET_GATES`.
const SET_GATES: u8 = 0;
/// Set in the type of an attribute that holds attributes.
const NESTED: u16 = 0x8000;

/// Attributes of etf, `TCA_ETF_*`.
const ETF_PARMS: u16 = 1;
/// Attributes of taprio, `TCA_TAPRIO_ATTR_*`.
mod taprio {
    pub(super) const PRIORITY_MAP: u16 = 1;
    pub(super) const ENTRIES: u16 = 2;
    pub(super) const BASE_TIME: u16 = 3;
    pub(super) const CLOCK_ID: u16 = 5;
    pub(super) const ADMIN: u16 = 7;
    pub(super) const FLAGS: u16 = 10;
    /// `TCA_TAPRIO_SCHED_ENTRY` and what is in it.
    pub(super) const ENTRY: u16 = 1;
    pub(super) const COMMAND: u16 = 2;
    pub(super) const GATES: u16 = 3;
    pub(super) const INTERVAL: u16 = 4;
}

/// One queueing discipline to set: its name and the bytes of its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// The one at the root of the interface, and the one below each queue of a class: (first queue, number of queues, options).
pub(super) fn encode(qdisc: &Qdisc, offload: bool) -> (Options, Option<(u16, u16, Options)>) {
    match qdisc {
        Qdisc::Mqprio(classes) => (mqprio(classes, offload), None),
        Qdisc::Taprio {
            classes,
            base_time_ns,
            gates,
        } => (taprio(classes, *base_time_ns, gates, offload), None),
        Qdisc::Etf {
            below: None,
            delta_ns,
        } => (etf(*delta_ns, offload), None),
        Qdisc::Etf {
            below: Some((classes, class)),
            delta_ns,
        } => {
            let count = |class: usize| classes.queues.get(class).copied().unwrap_or(0);
            let first = (0..usize::from(*class)).map(count).sum();
            let below = (first, count(usize::from(*class)), etf(*delta_ns, offload));
            // The card's own priorities are not needed for launch times.
            (mqprio(classes, false), Some(below))
        }
    }
}

fn mqprio(classes: &Classes, offload: bool) -> Options {
    Options {
        kind: "mqprio",
        bytes: priority_map(classes, offload),
    }
}

fn etf(delta_ns: u32, offload: bool) -> Options {
    let mut parameters = Vec::new();
    parameters.extend((delta_ns as i32).to_ne_bytes());
    parameters.extend(libc::CLOCK_TAI.to_ne_bytes());
    parameters.extend(if offload { ETF_OFFLOAD } else { 0 }.to_ne_bytes());
    let mut bytes = Vec::new();
    attribute(&mut bytes, ETF_PARMS, &parameters);
    Options { kind: "etf", bytes }
}

fn taprio(classes: &Classes, base_time_ns: u64, gates: &[Gate], offload: bool) -> Options {
    let mut entries = Vec::new();
    for gate in gates {
        let mut entry = Vec::new();
        attribute(&mut entry, taprio::COMMAND, &[SET_GATES]);
        attribute(&mut entry, taprio::GATES, &gate.open.to_ne_bytes());
        attribute(&mut entry, taprio::INTERVAL, &gate.length_ns.to_ne_bytes());
        attribute(&mut entries, taprio::ENTRY | NESTED, &entry);
    }
    let mut bytes = Vec::new();
    attribute(
        &mut bytes,
        taprio::PRIORITY_MAP,
        &priority_map(classes, false),
    );
    attribute(&mut bytes, taprio::BASE_TIME, &base_time_ns.to_ne_bytes());
    if offload {
        // The card has one clock only: naming another is refused.
        attribute(&mut bytes, taprio::FLAGS, &TAPRIO_OFFLOAD.to_ne_bytes());
    } else {
        attribute(&mut bytes, taprio::CLOCK_ID, &libc::CLOCK_TAI.to_ne_bytes());
    }
    attribute(&mut bytes, taprio::ENTRIES | NESTED, &entries);
    Options {
        kind: "taprio",
        bytes,
    }
}

/// `struct tc_mqprio_qopt`.
fn priority_map(classes: &Classes, offload: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MQPRIO_LENGTH);
    bytes.push(classes.queues.len() as u8);
    bytes.extend(classes.of_priority);
    bytes.push(u8::from(offload));
    let mut next = 0;
    let mut offsets = [0_u16; 16];
    for (class, offset) in offsets.iter_mut().enumerate() {
        let count = classes.queues.get(class).copied().unwrap_or(0);
        bytes.extend(count.to_ne_bytes());
        // A class that is not there has no queues, and begins at 0.
        if count > 0 {
            *offset = next;
            next += count;
        }
    }
    bytes.extend(offsets.iter().flat_map(|offset| offset.to_ne_bytes()));
    bytes
}

/// Appends a netlink attribute, padded to four bytes.
fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = 4 + value.len();
    bytes.extend((length as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len() + (4 - length % 4) % 4, 0);
}

/// The attributes in `bytes`, kinds without their flags. Ends at the first that is none.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & !NESTED, value))
    })
}

/// Compares what the kernel says of a queueing discipline with what was asked for. Returns what differs, in words.
pub(super) fn differences(asked: &Options, found: &[u8]) -> Vec<String> {
    let mut differ = Vec::new();
    let mut compare = |what: &str, asked: Option<&[u8]>, found: Option<&[u8]>| {
        if asked != found {
            let told = |value: Option<&[u8]>| value.map_or("nothing".to_owned(), hex);
            differ.push(format!(
                "{what}: asked for {}, found {}",
                told(asked),
                told(found)
            ));
        }
    };
    let of = |bytes, kind| {
        attributes(bytes)
            .find(|(found, _)| *found == kind)
            .map(|(_, value)| value)
    };
    match asked.kind {
        // The kernel appends attributes of its own.
        "mqprio" => compare("classes", Some(&asked.bytes), found.get(..MQPRIO_LENGTH)),
        "etf" => {
            let (asked, found) = (of(&asked.bytes, ETF_PARMS), of(found, ETF_PARMS));
            // It tells the clock it uses, which is what was asked for.
            compare("delta, clock and flags", asked, found);
        }
        _ => {
            // A schedule that has not started yet stands apart.
            let schedule = of(found, taprio::ADMIN).unwrap_or(found);
            let map = of(found, taprio::PRIORITY_MAP).and_then(|map| map.get(..MQPRIO_LENGTH));
            compare("classes", of(&asked.bytes, taprio::PRIORITY_MAP), map);
            let base = |bytes| of(bytes, taprio::BASE_TIME);
            compare("base time", base(&asked.bytes), base(schedule));
            let clock = of(&asked.bytes, taprio::CLOCK_ID);
            if clock.is_some() {
                compare("clock", clock, of(found, taprio::CLOCK_ID));
            }
            compare("flags", flags(&asked.bytes), flags(found));
            let (asked, found) = (gates(&asked.bytes), gates(schedule));
            compare("gates", Some(&asked), Some(&found));
        }
    }
    differ
}

/// Whether etf, as the kernel lists it, goes by CLOCK_TAI.
pub(super) fn etf_is_tai(options: &[u8]) -> bool {
    let parameters = attributes(options).find(|(kind, _)| *kind == ETF_PARMS);
    let clock = parameters.and_then(|(_, value)| value.get(4..8));
    clock == Some(&libc::CLOCK_TAI.to_ne_bytes())
}

/// First transmit queue, and their number, of the class that frames of `priority` are in; none where the queueing discipline
/// has no classes.
pub(super) fn queues_of(kind: &str, options: &[u8], priority: u8) -> Option<(u16, u16)> {
    let map = match kind {
        "mqprio" => options,
        "taprio" => {
            let found = attributes(options).find(|(kind, _)| *kind == taprio::PRIORITY_MAP);
            found.map(|(_, value)| value)?
        }
        _ => return None,
    };
    let class = usize::from(*map.get(1 + usize::from(priority & 15))?);
    let word = |at: usize| {
        let bytes = map.get(at..at + 2)?;
        bytes.try_into().ok().map(u16::from_ne_bytes)
    };
    // Behind classes, priorities and `hw` come the counts of 16 classes, then their offsets.
    let counts = 1 + 16 + 1;
    Some((
        word(counts + 2 * 16 + 2 * class)?,
        word(counts + 2 * class)?,
    ))
}

/// The flags of taprio; the kernel says 0 where none were given.
fn flags(bytes: &[u8]) -> Option<&[u8]> {
    let found = attributes(bytes).find(|(kind, _)| *kind == taprio::FLAGS);
    found
        .map(|(_, value)| value)
        .filter(|value| value.iter().any(|byte| *byte != 0))
}

/// Command, gates and interval of every entry, one behind the other: the kernel numbers entries, which is not compared.
fn gates(bytes: &[u8]) -> Vec<u8> {
    let lists = attributes(bytes).filter(|(kind, _)| *kind == taprio::ENTRIES);
    let entries = lists.flat_map(|(_, list)| attributes(list));
    let mut all = Vec::new();
    for (_, entry) in entries {
        for wanted in [taprio::COMMAND, taprio::GATES, taprio::INTERVAL] {
            let found = attributes(entry).find(|(kind, _)| *kind == wanted);
            all.extend(found.map(|(_, value)| value).unwrap_or_default());
        }
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Classes {
        let mut of_priority = [0; 16];
        of_priority[3] = 1;
        Classes {
            of_priority,
            queues: vec![3, 1],
        }
    }

    fn schedule() -> Options {
        let gates = [(2, 200_000), (1, 800_000)];
        let gates: Vec<_> = gates
            .map(|(open, length_ns)| Gate { open, length_ns })
            .to_vec();
        taprio(&classes(), 5, &gates, false)
    }

    #[test]
    fn mqprio_is_the_struct_of_the_kernel() {
        let bytes = mqprio(&classes(), true).bytes;
        assert_eq!(bytes.len(), 82);
        assert_eq!(bytes[0], 2);
        assert_eq!(bytes[1..6], [0, 0, 0, 1, 0]);
        assert_eq!(bytes[17], 1, "hw");
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!((word(18), word(20), word(22)), (3, 1, 0), "count");
        assert_eq!((word(50), word(52), word(54)), (0, 3, 0), "offset");
    }

    #[test]
    fn etf_stands_below_the_queues_of_its_class() {
        let qdisc = Qdisc::Etf {
            below: Some((classes(), 1)),
            delta_ns: 200_000,
        };
        let (root, below) = encode(&qdisc, true);
        assert_eq!((root.kind, root.bytes[17]), ("mqprio", 0));
        let (first, count, etf) = below.unwrap();
        assert_eq!((first, count, etf.kind), (3, 1, "etf"));
        let mut expected = vec![16, 0, 1, 0];
        expected.extend(200_000_i32.to_le_bytes());
        expected.extend(11_i32.to_le_bytes());
        expected.extend(2_u32.to_le_bytes());
        assert_eq!(etf.bytes, expected);
    }

    #[test]
    fn the_same_is_the_same_in_the_kernels_own_order() {
        let asked = schedule();
        assert_eq!(differences(&asked, &asked.bytes), Vec::<String>::new());
        // Before its start the schedule is in a table of its own.
        let (mut admin, mut pending) = (Vec::new(), Vec::new());
        for (kind, value) in attributes(&asked.bytes) {
            let list = matches!(kind, taprio::ENTRIES | taprio::BASE_TIME);
            attribute(if list { &mut admin } else { &mut pending }, kind, value);
        }
        attribute(&mut pending, taprio::ADMIN | NESTED, &admin);
        assert_eq!(differences(&asked, &pending), Vec::<String>::new());
    }

    #[test]
    fn what_differs_is_named() {
        let asked = schedule();
        let mut other = asked.bytes.clone();
        // The last bytes are the last interval.
        *other.last_mut().unwrap() ^= 1;
        let told = differences(&asked, &other);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("gates: "), "{told:?}");
        assert!(!differences(&asked, &[]).is_empty());
        let full = taprio(&classes(), 5, &[], true);
        let told = differences(&full, &taprio(&classes(), 5, &[], false).bytes);
        assert!(told[0].starts_with("flags: "), "{told:?}");
        let map = mqprio(&classes(), false);
        assert_eq!(differences(&map, &map.bytes[..40]).len(), 1);
    }

    #[test]
    fn the_queues_of_a_priority_are_read_back() {
        let map = mqprio(&classes(), false).bytes;
        assert_eq!(queues_of("mqprio", &map, 3), Some((3, 1)));
        assert_eq!(queues_of("mqprio", &map, 0), Some((0, 3)));
        assert_eq!(queues_of("taprio", &schedule().bytes, 3), Some((3, 1)));
        assert_eq!(queues_of("pfifo", &map, 3), None);
        for cut in 0..52 {
            assert_eq!(queues_of("mqprio", &map[..cut], 0), None, "{cut}");
        }
        let mut wild = map;
        wild[1] = 255;
        assert_eq!(queues_of("mqprio", &wild, 0), None);
        assert!(etf_is_tai(&etf(5, false).bytes));
        let mut other = etf(5, false).bytes;
        other[8] = 1;
        assert!(!etf_is_tai(&other) && !etf_is_tai(&[]));
    }

    #[test]
    fn hostile_attributes_end_the_list() {
        for bytes in [
            &[3_u8, 0, 1, 0][..],
            &[0, 0, 0, 0],
            &[255, 255, 1, 0, 7],
            &[4],
        ] {
            assert_eq!(attributes(bytes).count(), 0, "{bytes:?}");
        }
    }
}
