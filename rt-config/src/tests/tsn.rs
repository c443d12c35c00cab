//! `[tsn]`: what is built, and every kind of error at its line.

use super::errors::wrong;
use crate::machine::{Gate, Qdisc};
use crate::{PRESS_CELL, load};

/// Gates of 1 ms, the period of the press cell.
const TAPRIO: &str = r#"
[tsn]
interface = "eth1"
vlan = 5
pcp = [0, 0, 0, 6, 0, 0, 0, 7]
qdisc = "taprio"
classes = [0, 0, 0, 1]
queues = [3, 1]
base_time = "10ms"
gates = [
    { open = [1], for = "200us" },
    { open = [], for = "50us" },
    { open = [0], for = "750us" },
]
"#;

const ETF: &str = r#"
[tsn]
interface = "eth1"
qdisc = "etf"
classes = [0, 0, 0, 1]
launch_class = 1
delta = "200us"
"#;

fn cell(tsn: &str) -> String {
    format!("{PRESS_CELL}\n{tsn}")
}

#[test]
fn gates_are_built() {
    let machine = load(&cell(TAPRIO), "it.toml").unwrap();
    let tsn = machine.tsn.unwrap();
    assert_eq!(tsn.vlan_interface().as_deref(), Some("eth1.5"));
    assert_eq!(tsn.vlan.unwrap().pcp, [0, 0, 0, 6, 0, 0, 0, 7]);
    assert!(!tsn.offload);
    let Some(Qdisc::Taprio {
        classes,
        base_time_ns,
        gates,
    }) = tsn.qdisc
    else {
        panic!("no taprio");
    };
    assert_eq!(classes.queues, [3, 1]);
    assert_eq!(classes.of_priority[..5], [0, 0, 0, 1, 0]);
    assert_eq!(base_time_ns, 10_000_000);
    let gate = |open, length_ns| Gate { open, length_ns };
    assert_eq!(gates, [gate(2, 200_000), gate(0, 50_000), gate(1, 750_000)]);
}

#[test]
fn launch_times_are_built() {
    let tsn = load(&cell(ETF), "it.toml").unwrap().tsn.unwrap();
    assert_eq!(tsn.vlan_interface(), None);
    let Some(Qdisc::Etf {
        below: Some((classes, 1)),
        delta_ns: 200_000,
    }) = tsn.qdisc
    else {
        panic!("{tsn:?}");
    };
    assert_eq!(classes.queues, [1, 1]);
}

#[test]
fn errors_point_at_their_line() {
    let taprio = |from, to, words| wrong(&cell(TAPRIO), from, to, words);
    taprio("\"eth1\"", "\"eth/1\"", "no name of a network interface");
    let long = cell(&TAPRIO.replace("eth1", "a-long-name-123"));
    wrong(&long, "vlan = 5", "vlan = 6", "is too long");
    taprio("vlan = 5", "vlan = 0", "`vlan` must be 1 to 4094");
    taprio("vlan = 5", "vlan = 4095", "`vlan` must be 1 to 4094");
    taprio("vlan = 5", "vlan = 70000", "whole number from 0 to 65535");
    taprio("vlan = 5\npcp", "pcp", "`pcp` needs vlan");
    taprio("6, 0, 0, 0, 7]", "8, 0, 0, 0, 7]", "`pcp` must be 0 to 7");
    taprio("6, 0, 0, 0, 7]", "6, 0, 0, 7]", "`pcp` has 7 numbers");
    taprio("\"taprio\"", "\"tapiro\"", "is not known here");
    taprio(
        "classes = [0, 0, 0, 1]",
        "classes = [0, 0, 0, 9]",
        "must be 0 to 7",
    );
    taprio("queues = [3, 1]", "queues = [3]", "`queues` has 1 numbers");
    taprio(
        "queues = [3, 1]",
        "queues = [3, 0]",
        "`queues` must be 1 to 256",
    );
    taprio(
        "queues = [3, 1]",
        "queues = [256, 1]",
        "257 transmit queues",
    );
    taprio("open = [1]", "open = [2]", "`open` must be 0 to 1");
    taprio("\"750us\"", "\"0us\"", "`for` must be 1us to 1s");
    taprio("open = [0], ", "opne = [0], ", "did you mean `open`?");
    // Those of the whole list point at its first line.
    taprio(
        "gates = [",
        "gates = [{ open = [1], for = \"1us\" },",
        "no multiple of the cycle's period of 1ms",
    );
    taprio(
        "gates = [\n    { open = [1]",
        "gates = [\n    { open = [0]",
        "class 1 never opens",
    );
    taprio(
        "queues =",
        "bus_priority = 16\nqueues =",
        "`bus_priority` must be 0 to 15",
    );
    let etf = |from, to, words| wrong(&cell(ETF), from, to, words);
    etf(
        "delta = \"200us\"",
        "delta = \"2ms\"",
        "`delta` must be 0ns to 1ms",
    );
    etf("launch_class = 1", "launch_class = 2", "must be 0 to 1");
}

#[test]
fn what_belongs_together_is_missed() {
    let cases = [
        (ETF, "delta = \"200us\"\n", "", "etf needs `delta`"),
        (ETF, "launch_class = 1\n", "", "needs `launch_class`"),
        (
            ETF,
            "classes = [0, 0, 0, 1]\n",
            "",
            "`launch_class` needs classes",
        ),
        (
            ETF,
            "qdisc = \"etf\"\n",
            "",
            "`delta` needs qdisc = \"etf\"",
        ),
        (
            ETF,
            "\"etf\"",
            "\"mqprio\"",
            "`delta` needs qdisc = \"etf\"",
        ),
        (
            TAPRIO,
            "\"taprio\"",
            "\"mqprio\"",
            "`gates` needs qdisc = \"taprio\"",
        ),
        (
            TAPRIO,
            "base_time = \"10ms\"",
            "delta = \"1us\"",
            "`delta` needs qdisc = \"etf\"",
        ),
    ];
    for (base, from, to, words) in cases {
        assert!(base.contains(from));
        let text = cell(&base.replace(from, to));
        let plain = load(&text, "it.toml").expect_err(words).plain();
        assert!(plain.contains(words), "{words}: {plain}");
    }
    let nothing = cell("[tsn]\ninterface = \"eth1\"\n");
    let plain = load(&nothing, "it.toml").unwrap_err().plain();
    assert!(plain.contains("neither a VLAN nor"), "{plain}");
}

#[test]
fn launch_times_are_given_where_somebody_keeps_them() {
    let publish = |keys: &str| {
        format!("[publish.uadp]\ninterface = \"eth1\"\npublisher_id = 9\npcp = 3\n{keys}\n")
    };
    let offset = "launch_offset = \"600us\"";
    let load = |tsn: &str, keys: &str| load(&cell(&format!("{tsn}{}", publish(keys))), "it.toml");
    let launched = load(ETF, offset).unwrap();
    let (tsn, published) = (launched.tsn.unwrap(), launched.publish.unwrap());
    assert_eq!(published.launch_offset_ns, Some(600_000));
    assert_eq!(published.priority(), 3);
    assert!(tsn.needs_launch_time(3) && !tsn.needs_launch_time(2) && !tsn.needs_launch_time(200));
    assert!(tsn.queues_for("eth1") && !tsn.queues_for("eth1.5") && !tsn.queues_for("eth2"));
    // Somebody else may have set etf.
    assert!(load("", offset).is_ok());
    assert!(
        load("", "")
            .unwrap()
            .publish
            .unwrap()
            .launch_offset_ns
            .is_none()
    );
    for (tsn, keys, words) in [
        (ETF, "", "etf, which drops frames without a launch time"),
        (TAPRIO, offset, "[tsn] sets something else for these frames"),
        (
            ETF,
            "launch_offset = \"11ms\"",
            "`launch_offset` must be 1ns to 10ms",
        ),
        (
            ETF,
            "launch_offset = \"0us\"",
            "`launch_offset` must be 1ns to 10ms",
        ),
    ] {
        let plain = load(tsn, keys).expect_err(words).plain();
        assert!(plain.contains(words), "{words}: {plain}");
    }
    // Another class of the same interface needs none, and its frames may not have one.
    let other = |keys: &str| publish(keys).replace("pcp = 3", "pcp = 2");
    assert!(crate::load(&cell(&format!("{ETF}{}", other(""))), "it.toml").is_ok());
    let plain = crate::load(&cell(&format!("{ETF}{}", other(offset))), "it.toml").unwrap_err();
    assert!(plain.plain().contains("`launch_offset` needs etf"));
}

#[test]
fn the_bus_is_kept_out_of_the_launch_class() {
    let bus = |tsn: &str| cell(tsn).replacen("[bus]\n", "[bus]\ninterface = \"eth1\"\n", 1);
    assert!(load(&bus(ETF), "it.toml").is_ok());
    let same = ETF.replace("delta", "bus_priority = 3\ndelta");
    let plain = load(&bus(&same), "it.toml").unwrap_err().plain();
    assert!(plain.contains("etf would drop them"), "{plain}");
    assert!(
        load(&cell(&same), "it.toml").is_ok(),
        "the bus is elsewhere"
    );
    let all = "[tsn]\ninterface = \"eth1\"\nqdisc = \"etf\"\ndelta = \"200us\"\n";
    assert!(load(&bus(all), "it.toml").is_err());
}
