//! Who is beside the cycle stays off its core: the other threads of the run, and a gateway, through a restart of the run too.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeMap;
use std::path::Path;
use twinstep_config::PRESS_CELL;
use twinstep_tests::gateway::{Peer, until};
use twinstep_tests::run::Place;

/// The cores that each thread of a process may run on, by thread; a thread that has ended is left out.
fn threads(pid: u32) -> BTreeMap<String, (String, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: &Path| {
        let status = std::fs::read_to_string(task.join("status")).ok()?;
        let line = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim().to_owned())
        };
        Some((line("Name:")?, line("Cpus_allowed_list:")?))
    };
    tasks
        .filter_map(|task| {
            let task = task.unwrap();
            let found = of(&task.path())?;
            Some((task.file_name().into_string().unwrap(), found))
        })
        .collect()
}

/// Cores in the kernel's notation, such as `0-2,5`.
fn cores(list: &str) -> Vec<usize> {
    let number = |text: &str| text.parse::<usize>().unwrap();
    let spans = list.split(',').map(|span| match span.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(span)..=number(span),
    });
    spans.flatten().collect()
}

/// Cores that this test may run on, and thus whatever it starts.
fn mine() -> Vec<usize> {
    let threads = threads(std::process::id());
    cores(&threads.values().next().unwrap().1)
}

/// A run of the press cell in real time whose cycle is on `core`, with `more` in its `[realtime]`.
fn run(place: &Place, core: usize, more: &str) -> Peer {
    let cell = PRESS_CELL.replacen(
        "[cycle]",
        &format!("[realtime]\ncore = {core}\n{more}\n[cycle]"),
        1,
    );
    let cell = place.file("cell.toml", cell);
    Peer::start(
        place,
        &format!(
            "run {} --json --state state --control cell.sock",
            cell.display()
        ),
    )
}

/// What the cores of a process are held against: all of `all` but `taken`, unless nothing is left.
fn rest(all: &[usize], taken: &[usize]) -> Vec<usize> {
    let rest = all.iter().copied().filter(|one| !taken.contains(one));
    let rest: Vec<usize> = rest.collect();
    if rest.is_empty() { all.to_vec() } else { rest }
}

#[test]
fn nobody_else_is_on_the_core_of_the_cycle() {
    let place = Place::new();
    let all = mine();
    let (first, last) = (all[0], all[all.len() - 1]);
    let mut gateway: Option<Peer> = None;
    // The second run is on another core, and the gateway goes there and back.
    for core in [last, first] {
        let mut machine = run(&place, core, "");
        let off = rest(&all, &[core]);
        let of_the_run = until(|| {
            assert!(machine.child.try_wait().unwrap().is_none(), "the run ended");
            let found = threads(machine.child.id());
            let cycle = found
                .values()
                .any(|(name, list)| name == "cycle" && cores(list) == [core]);
            let others = found.values().filter(|(name, _)| name != "cycle");
            let aside = others.clone().all(|(_, list)| cores(list) == off);
            (cycle && aside && others.count() > 1).then_some(found)
        });
        assert!(of_the_run.len() > 2, "{of_the_run:?}");
        let gateway = gateway.get_or_insert_with(|| {
            let mut gateway = Peer::start(
                &place,
                "gateway --json --listen 127.0.0.1:0 --state state --control cell.sock",
            );
            gateway.url();
            gateway.forget_lines();
            gateway
        });
        let threads_of_it = until(|| {
            let found = threads(gateway.child.id());
            let aside = found.values().all(|(_, list)| cores(list) == off);
            aside.then_some(found)
        });
        assert!(threads_of_it.len() > 2, "{threads_of_it:?}");
        machine.forget_lines();
        machine.signal("INT");
        assert!(machine.child.wait().unwrap().success());
    }
}

/// With two cores nothing is left for the rest: it runs on both then, and is not left on the one that the first of them did not have.
#[test]
fn cores_of_workers_are_left_to_them_and_where_none_is_left_all_are_for_everybody() {
    let place = Place::new();
    let all = mine();
    let (first, last) = (all[0], all[all.len() - 1]);
    if first == last {
        // A worker needs a core of its own: with one there is nothing to see.
        return;
    }
    let mut machine = run(&place, last, &format!("model_cores = [{first}]\n"));
    let off = rest(&all, &[first, last]);
    let worker = format!("models-{first}");
    let of_the_run = until(|| {
        assert!(machine.child.try_wait().unwrap().is_none(), "the run ended");
        let found = threads(machine.child.id());
        let on = |thread: &str, core: usize| {
            (found.values()).any(|(name, list)| name == thread && cores(list) == [core])
        };
        let others = (found.values()).filter(|(name, _)| name != "cycle" && *name != worker);
        let aside = others.clone().all(|(_, list)| cores(list) == off);
        let there = on("cycle", last) && on(&worker, first);
        (there && aside && others.count() > 1).then_some(found)
    });
    assert!(of_the_run.len() > 3, "{of_the_run:?}");
    let mut gateway = Peer::start(
        &place,
        "gateway --json --listen 127.0.0.1:0 --state state --control cell.sock",
    );
    gateway.url();
    gateway.forget_lines();
    until(|| {
        let found = threads(gateway.child.id());
        (found.values().all(|(_, list)| cores(list) == off)).then_some(())
    });
    machine.forget_lines();
    machine.signal("INT");
    assert!(machine.child.wait().unwrap().success());
}
