//! OPC UA PubSub: streams, data sets and their fields.

use super::bus::interface;
use crate::check::Check;
use crate::machine::{
    DESTINATION, DataSet, DataSetField, PubSub, Publish, Stream, SubDevice, Tsn, Vlan,
};
use crate::objects;
use crate::raw::{BusTable, DataSetTable, UadpTable};
use crate::value::At;
use std::fmt::Write;

/// The keys of a stream, wherever they stand.
struct Keys<'a> {
    publisher_id: Option<&'a At<u16>>,
    writer_group_id: Option<&'a At<u16>>,
    vlan: Option<&'a At<u16>>,
    pcp: Option<&'a At<u8>>,
    destination: Option<&'a At<String>>,
}

fn id(key: &str, value: Option<&At<u16>>, check: &mut Check) -> u16 {
    let Some(value) = value else { return 1 };
    if value.value == 0 {
        check.problem(
            &value.span,
            format!("`{key}` is 0, which stands for any"),
            "1 to 65535",
            "take the number that the publisher has",
        );
    }
    value.value
}

fn stream(keys: &Keys<'_>, check: &mut Check) -> Stream {
    if let Some(vlan) = keys.vlan.filter(|vlan| vlan.value > 4094) {
        check.problem(
            &vlan.span,
            format!("there is no VLAN {}", vlan.value),
            "0 to 4094",
            "take the number that the network has, or 0 for a tag with a priority only",
        );
    }
    if let Some(pcp) = keys.pcp.filter(|pcp| pcp.value > 7) {
        check.problem(
            &pcp.span,
            format!("there is no priority {}", pcp.value),
            "0 to 7",
            "take the priority code point of the stream",
        );
    }
    let priority = keys.pcp.map(|pcp| pcp.value);
    let destination = keys.destination.map_or(Some(DESTINATION), |text| {
        let parsed = address(&text.value);
        if parsed.is_none() {
            check.problem(
                &text.span,
                "this is no address of Ethernet",
                "six bytes in hexadecimal with colons",
                "write it like \"01:00:5e:7f:00:01\"",
            );
        }
        parsed
    });
    let tagged = keys.vlan.is_some() || priority.is_some();
    Stream {
        publisher_id: id("publisher_id", keys.publisher_id, check),
        writer_group_id: id("writer_group_id", keys.writer_group_id, check),
        destination: destination.unwrap_or(DESTINATION),
        vlan: tagged.then(|| Vlan {
            id: keys.vlan.map_or(0, |vlan| vlan.value),
            priority: priority.unwrap_or(0),
        }),
    }
}

fn address(text: &str) -> Option<[u8; 6]> {
    let mut parts = text.split([':', '-']);
    let mut address = [0; 6];
    for byte in &mut address {
        let part = parts.next().filter(|part| part.len() == 2)?;
        // No sign, which the conversion would take.
        let digits = part.bytes().all(|byte| byte.is_ascii_hexdigit());
        *byte = u8::from_str_radix(part, 16).ok().filter(|_| digits)?;
    }
    parts.next().is_none().then_some(address)
}

/// What is subscribed to; none where the bus is of another kind.
pub(super) fn subscribed(
    raw: &BusTable,
    is_tsn: bool,
    subdevices: &[SubDevice],
    check: &mut Check,
) -> Option<PubSub> {
    let only = [
        (
            "publisher_id",
            raw.publisher_id.as_ref().map(|key| &key.span),
        ),
        (
            "writer_group_id",
            raw.writer_group_id.as_ref().map(|key| &key.span),
        ),
        ("vlan", raw.vlan.as_ref().map(|key| &key.span)),
        ("pcp", raw.pcp.as_ref().map(|key| &key.span)),
        ("destination", raw.destination.as_ref().map(|key| &key.span)),
        (
            "[[bus.dataset]]",
            raw.dataset.first().map(|one| &one.name.span),
        ),
    ];
    if !is_tsn {
        for (key, span) in only {
            if let Some(span) = span {
                check.problem(
                    span,
                    format!("`{key}` is of a bus of kind \"tsn\", and this is none"),
                    "not used",
                    "add kind = \"tsn\" to [bus], or leave it out",
                );
            }
        }
        return None;
    }
    let keys = Keys {
        publisher_id: raw.publisher_id.as_ref(),
        writer_group_id: raw.writer_group_id.as_ref(),
        vlan: raw.vlan.as_ref(),
        pcp: raw.pcp.as_ref(),
        destination: raw.destination.as_ref(),
    };
    let mut all = PubSub::of(subdevices);
    all.stream = stream(&keys, check);
    check.unique("[[bus.dataset]]", raw.dataset.iter().map(|one| &one.name));
    for one in &mut all.data_sets {
        one.publisher_id = all.stream.publisher_id;
    }
    for table in &raw.dataset {
        let named = |one: &&mut DataSet| {
            let device = subdevices.get(one.subdevice);
            device.is_some_and(|device| device.name == table.name.value)
        };
        match all.data_sets.iter_mut().find(named) {
            Some(one) => fill(one, table, subdevices, check),
            None => {
                let names: Vec<&str> = subdevices.iter().map(|one| one.name.as_str()).collect();
                check.unknown("axis, press or station", &table.name, &names);
            }
        }
    }
    twice(&all, raw, subdevices, check);
    Some(all)
}

/// Refuses two data sets that nothing tells apart.
fn twice(all: &PubSub, raw: &BusTable, subdevices: &[SubDevice], check: &mut Check) {
    let name = |one: &DataSet| {
        subdevices
            .get(one.subdevice)
            .map_or("", |device| &device.name)
    };
    for (at, one) in all.data_sets.iter().enumerate() {
        let same = |other: &&DataSet| {
            (other.publisher_id, other.writer_id) == (one.publisher_id, one.writer_id)
        };
        let Some(other) = all.data_sets.iter().take(at).find(same) else {
            continue;
        };
        let mut tables = raw.dataset.iter();
        let of = tables.find(|table| [name(one), name(other)].contains(&table.name.value.as_str()));
        if let Some(table) = of {
            let id = table.writer_id.as_ref().map(|id| &id.span);
            check.problem(
                id.unwrap_or(&table.name.span),
                format!(
                    "{} and {} have the same writer id {} of publisher {}",
                    name(other),
                    name(one),
                    one.writer_id,
                    one.publisher_id
                ),
                "not told apart",
                "give every data set of a publisher a writer id of its own",
            );
        }
    }
}

fn fill(one: &mut DataSet, table: &DataSetTable, subdevices: &[SubDevice], check: &mut Check) {
    if table.writer_id.is_some() {
        one.writer_id = id("writer_id", table.writer_id.as_ref(), check);
    }
    if table.publisher_id.is_some() {
        one.publisher_id = id("publisher_id", table.publisher_id.as_ref(), check);
    }
    one.major_version = table.major_version.as_ref().map(|version| version.value);
    let (Some(list), Some(device)) = (&table.fields, subdevices.get(one.subdevice)) else {
        return;
    };
    let all = core::mem::take(&mut one.fields);
    for text in &list.value {
        let entry = objects::parse(&text.value);
        let known = all.iter().find(|field| Ok(field.entry) == entry);
        let twice = |field: &&DataSetField| one.fields.contains(field);
        match known {
            Some(field) if !twice(&field) => one.fields.push(*field),
            _ => {
                let mut listed = String::new();
                for field in &all {
                    let entry = field.entry;
                    // Writing to a string cannot fail.
                    let _ = write!(listed, "0x{:04X}:{:02X} ", entry.index, entry.subindex);
                }
                check.problem(
                    &text.span,
                    format!(
                        "\"{}\" cannot be a field of `{}`",
                        crate::error::shortened(&text.value),
                        device.name
                    ),
                    if known.is_some() {
                        "twice"
                    } else {
                        "none of its objects"
                    },
                    format!("its inputs and outputs have {}", listed.trim_end()),
                );
            }
        }
    }
    // What twins cannot do without; all of a station's inputs and outputs.
    let lacking = all.iter().find(|field| {
        let entry = field.entry.index;
        let needed = matches!(entry, 0x6041 | 0x6064 | 0x606c | 0x6077 | 0x607a)
            || (0x6000..0x6001).contains(&entry)
            || (0x7000..0x7001).contains(&entry);
        needed && !one.fields.contains(field)
    });
    if let Some(field) = lacking {
        check.problem(
            &list.span,
            format!(
                "the twin of `{}` needs the object 0x{:04X}",
                device.name, field.entry.index
            ),
            "missing",
            format!("add \"0x{:04X}\" to fields", field.entry.index),
        );
    }
}

/// Latest launch of a frame, from the start of its cycle on (periods).
const MAX_LAUNCH_PERIODS: u64 = 10;

/// What is published. `tsn` is what is set on an interface.
pub(super) fn published(
    raw: &UadpTable,
    tsn: Option<&Tsn>,
    period_ns: u64,
    check: &mut Check,
) -> Publish {
    let keys = Keys {
        publisher_id: Some(&raw.publisher_id),
        writer_group_id: raw.writer_group_id.as_ref(),
        vlan: raw.vlan.as_ref(),
        pcp: raw.pcp.as_ref(),
        destination: raw.destination.as_ref(),
    };
    let mut publish = Publish {
        interface: interface("interface", &raw.interface, check),
        stream: stream(&keys, check),
        launch_offset_ns: None,
    };
    publish.launch_offset_ns = launch(raw, &publish, tsn, period_ns, check);
    publish
}

/// The launch time, where it means something: etf drops frames of its class that have none, and nothing else keeps one.
fn launch(
    raw: &UadpTable,
    publish: &Publish,
    tsn: Option<&Tsn>,
    period_ns: u64,
    check: &mut Check,
) -> Option<u64> {
    let tsn = tsn.filter(|tsn| tsn.queues_for(&publish.interface));
    let needed = tsn.is_some_and(|tsn| tsn.needs_launch_time(publish.priority()));
    let Some(offset) = &raw.launch_offset else {
        if needed {
            check.problem(
                &raw.interface.span,
                "these frames go through etf, which drops frames without a launch time",
                "the launch class of [tsn]",
                "add the time from the start of the cycle on at which they leave, such as launch_offset = \"500us\"",
            );
        }
        return None;
    };
    // A queueing discipline of somebody else is looked at when the run starts.
    if tsn.is_some() && !needed {
        check.problem(
            &offset.span,
            "`launch_offset` needs etf, and [tsn] sets something else for these frames",
            "nobody keeps it",
            "write qdisc = \"etf\", give the stream a `pcp` of the launch class, or leave launch_offset out",
        );
    }
    // A period that has a problem of its own is 0 here.
    let longest_ns = if period_ns > 0 {
        MAX_LAUNCH_PERIODS * period_ns
    } else {
        u64::MAX
    };
    Some(check.nanoseconds("launch_offset", offset, (1, longest_ns)))
}
