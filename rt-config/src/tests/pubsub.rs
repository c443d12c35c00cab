//! What is published, and what is subscribed to.

use super::errors::wrong;
use crate::{PRESS_CELL, load};

#[test]
fn published_process_data_is_checked() {
    let with = |keys: &str| PRESS_CELL.replacen("[bus]\n", &format!("{keys}\n"), 1);
    let keys = "[publish.uadp]\ninterface = \"eth2\"\npublisher_id = 99\n\n\
        [[bus.dataset]]\nname = \"lift\"\nwriter_id = 70\nfields = [\"0x6077\", \"0x6041\", \"0x6064\", \"0x606C\", \"0x607A\"]\n\n\
        [bus]\nkind = \"tsn\"\ninterface = \"eth1\"\nvlan = 100\npcp = 6\ndestination = \"01:00:5e:7f:00:02\"";
    let all = with(keys);
    let machine = load(&all, "tsn.toml").unwrap();
    let publish = machine.publish.unwrap();
    assert_eq!(
        (publish.interface.as_str(), publish.stream.publisher_id),
        ("eth2", 99)
    );
    assert_eq!(
        (publish.stream.vlan, publish.stream.writer_group_id),
        (None, 1)
    );
    let bus = machine.bus.unwrap();
    assert_eq!(bus.tap, None);
    let pubsub = bus.pubsub.unwrap();
    assert_eq!(
        pubsub.stream.vlan,
        Some(crate::machine::Vlan {
            id: 100,
            priority: 6
        })
    );
    assert_eq!(pubsub.stream.destination, [1, 0, 0x5e, 0x7f, 0, 2]);
    assert_eq!(pubsub.data_sets.len(), bus.subdevices.len());
    // The lift is the seventh on the wire; all others have everything, inputs first.
    let indexes = |n: usize| -> Vec<_> {
        let fields = pubsub.data_sets[n].fields.iter();
        fields
            .map(|field| (field.entry.index, field.output))
            .collect()
    };
    assert_eq!(pubsub.data_sets[6].writer_id, 70);
    let listed = [
        (0x6077, false),
        (0x6041, false),
        (0x6064, false),
        (0x606c, false),
        (0x607a, true),
    ];
    assert_eq!(indexes(6), listed);
    assert_eq!(pubsub.data_sets[0].writer_id, 1);
    let lengths = (
        bus.subdevices[0].inputs.len(),
        bus.subdevices[0].outputs.len(),
    );
    assert_eq!(indexes(0).len(), lengths.0 + lengths.1);
    assert!(!indexes(0)[0].1 && indexes(0)[lengths.0].1);

    let check = |from, to, words| wrong(&all, from, to, words);
    check("vlan = 100", "vlan = 4095", "no VLAN 4095");
    check(
        "vlan = 100",
        "overrun = \"stop\"\nvlan = 100",
        "who only listens cannot stop",
    );
    check("pcp = 6", "pcp = 8", "no priority 8");
    check(
        "01:00:5e:7f:00:02",
        "01:00:5e:7f:00",
        "no address of Ethernet",
    );
    check(
        "01:00:5e:7f:00:02",
        "01:00:5e:7f:00:+2",
        "no address of Ethernet",
    );
    check("publisher_id = 99", "publisher_id = 0", "stands for any");
    check(
        "writer_id = 70",
        "writer_id = 1",
        "the same writer id 1 of publisher 1",
    );
    check(
        "name = \"lift\"\nwriter",
        "name = \"lift2\"\nwriter",
        "lift2",
    );
    check(
        "\"0x6077\", \"0x6041\"",
        "\"0x6077\", \"0x6078\"",
        "cannot be a field of `lift`",
    );
    check("\"0x6064\", ", "", "needs the object 0x6064");
    let ours = PRESS_CELL.replacen("[bus]\n", "[bus]\npcp = 5\n", 1);
    wrong(&ours, "pcp = 5", "pcp = 6", "`pcp` is of a bus of kind");
}
