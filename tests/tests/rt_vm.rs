//! A real PREEMPT_RT kernel: what the binary asks of it, read back from `/proc` and `/sys` of a virtual machine.
//!
//! Behaviour only. Emulated processors are slow and uneven, so nothing here looks at a duration.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::listener::{tripped, undisturbed};
use twinstep_tests::run::{Place, json_lines};
use twinstep_tests::sim::{Sim, interrupt};
use twinstep_tests::vm;

/// A thread as the kernel sees it.
#[derive(Debug)]
struct Thread {
    /// Field 41 of proc(5) `stat`: 1 is SCHED_FIFO.
    policy: u32,
    /// Field 40.
    priority: u32,
    /// Field 19.
    niceness: i64,
    /// Times that it has gone to sleep by itself.
    slept: u64,
    /// Time on a processor (clock ticks, fields 14 and 15).
    ran: u64,
    /// Processors it may run on.
    allowed: String,
    /// Locked memory of its process (kB).
    locked_kb: u64,
}

/// The thread of this name, if the process has one by now.
fn thread(process: u32, name: &str) -> Option<Thread> {
    for task in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let task = task.ok()?.path();
        let read = |file: &str| fs::read_to_string(task.join(file)).ok();
        if read("comm")?.trim() != name {
            continue;
        }
        let (stat, status) = (read("stat")?, read("status")?);
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<i64>().ok();
        let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
        return Some(Thread {
            policy: field(41)?.try_into().ok()?,
            priority: field(40)?.try_into().ok()?,
            niceness: field(19)?,
            slept: line("voluntary_ctxt_switches:")?.trim().parse().ok()?,
            ran: (field(14)? + field(15)?).try_into().ok()?,
            allowed: line("Cpus_allowed_list:")?.trim().to_owned(),
            locked_kb: line("VmLck:")?.split_whitespace().next()?.parse().ok()?,
        });
    }
    None
}

/// Waits until the thread `cycle` of a running process is a real-time one with locked memory.
///
/// # Panics
/// Where the process ends before.
fn cycle_thread(child: &mut Child) -> Thread {
    loop {
        let ended = child.try_wait().unwrap();
        match thread(child.id(), "cycle") {
            Some(found) if found.policy != 0 && found.locked_kb > 0 => return found,
            last => assert!(ended.is_none(), "ended as {ended:?}, last seen as {last:?}"),
        }
        vm::moment();
    }
}

/// `twinstep demo` in a folder of its own.
fn demo(place: &Place) -> Command {
    let mut command = place.command(Path::new(vm::BINARY), ["demo", "--json"]);
    command.stderr(Stdio::inherit());
    command
}

/// Ends a run and returns its summary.
fn summary(mut child: Child) -> Value {
    interrupt(&child);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let last = lines.map(Result::unwrap).last().unwrap();
    assert!(child.wait().unwrap().success());
    json_lines(&last).pop().unwrap()
}

#[test]
fn the_cycle_thread_is_pinned_scheduled_and_locked() {
    if !vm::inside(
        "the_cycle_thread_is_pinned_scheduled_and_locked",
        2,
        "",
        &[],
    ) {
        return;
    }
    assert_eq!(
        fs::read_to_string("/sys/kernel/realtime").unwrap().trim(),
        "1"
    );
    let place = Place::new();
    let mut child = demo(&place).spawn().unwrap();
    let cycle = cycle_thread(&mut child);
    println!("{cycle:?}");
    assert_eq!((cycle.policy, cycle.priority), (1, 80));
    assert_eq!(cycle.allowed, "1", "the last of two processors");
    // Threads of the kernel that pass frames on go before the recorder.
    let recorder = loop {
        match thread(child.id(), "recorder") {
            Some(found) if found.niceness == 10 => break found,
            last => assert!(child.try_wait().unwrap().is_none(), "{last:?}"),
        }
        vm::moment();
    };
    assert_eq!(recorder.policy, 0, "{recorder:?}");
    // No core rests longer than it takes to leave at once.
    let mut limit = [0; 4];
    let device = fs::File::open("/dev/cpu_dma_latency").unwrap();
    (&device).read_exact(&mut limit).unwrap();
    assert_eq!(i32::from_ne_bytes(limit), 0);
    let trust = summary(child)["trust"].clone();
    println!("{trust}");
    for key in [
        "realtime_kernel",
        "sched_fifo",
        "memory_locked",
        "virtual_machine",
    ] {
        assert_eq!(trust[key], true, "{key}");
    }
    // Whatever the kernel grants: its host decides when it runs.
    assert_eq!(trust["timing_valid"], false);

    let other = configured("priority = 60", |_| true);
    assert_eq!((other.policy, other.priority), (1, 60), "{other:?}");
    // Number 6 is SCHED_DEADLINE, whose threads run on any processor of their cpuset.
    let reserved = configured("policy = \"deadline\"", |seen| seen.slept > 20);
    assert_eq!((reserved.policy, reserved.allowed.as_str()), (6, "0-1"));
    // Longer than memory is touched at the start.
    let spinning = configured("wait = \"spin\"", |seen| seen.ran > 150);
    assert!(spinning.slept < 20, "it sleeps: {spinning:?}");
}

/// What the configuration asks for beyond the usual, as the kernel has it once the cycle's thread has slept or run for so long.
fn configured(keys: &str, enough: impl Fn(&Thread) -> bool) -> Thread {
    let place = Place::new();
    let cell = fs::read_to_string(vm::PRESS_CELL).unwrap();
    let config = place.file("cell.toml", format!("{cell}\n[realtime]\n{keys}\n"));
    let args = ["demo", "--json", "--config", config.to_str().unwrap()];
    let mut child = place.command(Path::new(vm::BINARY), args).spawn().unwrap();
    let first = cycle_thread(&mut child);
    let since = |last: Thread| Thread {
        slept: last.slept - first.slept,
        ran: last.ran - first.ran,
        ..last
    };
    let last = loop {
        let last = thread(child.id(), "cycle").map(since);
        let ended = child.try_wait().unwrap();
        assert_eq!(ended, None, "{keys}: last seen as {last:?}");
        if let Some(last) = last.filter(&enough) {
            break last;
        }
        vm::moment();
    };
    let _ = summary(child);
    println!("{keys}: {last:?}");
    last
}

/// The cycle goes by the monotonic clock: whoever sets the time of day changes the labels of events and nothing else.
#[test]
fn a_jump_of_the_time_of_day_is_no_matter_of_the_cycle() {
    const TEST: &str = "a_jump_of_the_time_of_day_is_no_matter_of_the_cycle";
    if !vm::inside(TEST, 2, "", &[]) {
        return;
    }
    let fault = [
        "--inject",
        "friction:infeed:factor=2@500ms",
        "--cycles",
        "2500",
    ];
    let quiet = Place::new();
    let run = demo(&quiet).args(fault).output().unwrap();
    let quiet = json_lines(&String::from_utf8(run.stdout).unwrap());
    let place = Place::new();
    let mut child = demo(&place).args(fault).spawn().unwrap();
    let _ = cycle_thread(&mut child);
    // An hour ahead, a day back, by turns until the run has ended.
    let mut jumps = 0;
    while child.try_wait().unwrap().is_none() {
        let now = vm::told("date", "+%s").trim().parse::<i64>().unwrap();
        let to = if jumps % 2 == 0 {
            now + 3600
        } else {
            now - 86_400
        };
        vm::told("date", &format!("-s @{to}"));
        jumps += 1;
        vm::moment();
    }
    let jumped = json_lines(&std::io::read_to_string(child.stdout.take().unwrap()).unwrap());
    assert!(child.wait().unwrap().success());
    println!("{jumps} jumps: {}", jumped.last().unwrap());
    assert!(jumps > 2, "{jumps}");
    let (quiet, jumped) = (quiet.last().unwrap(), jumped.last().unwrap());
    assert!(quiet["events"].as_u64() > Some(0), "{quiet}");
    for key in ["cycles", "events", "digest"] {
        assert_eq!(jumped[key], quiet[key], "{key}");
    }
}

#[test]
fn in_an_isolated_cpuset_it_runs_on_a_core_of_it() {
    if !vm::inside("in_an_isolated_cpuset_it_runs_on_a_core_of_it", 3, "", &[]) {
        return;
    }
    // As docs/realtime.md tells an administrator to: two processors that the scheduler balances nothing onto.
    let root = Path::new("/sys/fs/cgroup");
    let group = root.join("twinstep");
    fs::write(root.join("cgroup.subtree_control"), "+cpuset").unwrap();
    fs::create_dir(&group).unwrap();
    fs::write(group.join("cpuset.cpus"), "1-2").unwrap();
    fs::write(group.join("cpuset.cpus.partition"), "isolated").unwrap();
    let read = |path: &Path| fs::read_to_string(path).unwrap().trim().to_owned();
    assert_eq!(read(&group.join("cpuset.cpus.partition")), "isolated");
    assert_eq!(read(&root.join("cpuset.cpus.isolated")), "1-2");

    let place = Place::new();
    // The shell puts itself into the group and becomes the program.
    let enter = format!(
        "echo $$ >{}/cgroup.procs && exec \"$0\" \"$@\"",
        group.display()
    );
    let mut child = place
        .command(
            Path::new("/bin/sh"),
            ["-c", &enter, vm::BINARY, "demo", "--json"],
        )
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let cycle = cycle_thread(&mut child);
    println!("{cycle:?}");
    assert_eq!(cycle.allowed, "2", "the last processor of the group");
    let groups = read(Path::new(&format!("/proc/{}/cgroup", child.id())));
    assert_eq!(groups, "0::/twinstep");
    // The core is taken for as long as the run goes on, though nobody named it.
    let args = ["-c", &enter, vm::BINARY, "demo", "--json", "--cycles", "10"];
    let second = place.command(Path::new("/bin/sh"), args).output().unwrap();
    is_refused(&second, "core 2 is taken by another twinstep");
    assert_eq!(summary(child)["trust"]["sched_fifo"], true);
}

#[test]
fn the_press_cell_runs_over_a_virtual_cable() {
    const TEST: &str = "the_press_cell_runs_over_a_virtual_cable";
    if !vm::inside(TEST, 2, "", &[]) {
        return;
    }
    const CYCLES: u64 = 2000;
    // An emulated processor that stands still trips drives.
    undisturbed(|| {
        let place = Place::new();
        let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
        // The segment's processor is emulated too.
        let slower = text.replacen("period = \"1ms\"", "period = \"2ms\"", 1);
        assert_ne!(slower, text);
        let config = place.file("cell.toml", slower);
        let config = config.to_str().unwrap();
        let cable = Cable::new(TEST).expect("root may lay a cable");
        let mut sim = Sim::start(&cable, config, &[]);
        let cycles = CYCLES.to_string();
        let record = place.path("run.csv");
        let run = [
            "run",
            config,
            "--interface",
            ENDS[0],
            "--arm",
            "--json",
            "--cycles",
            &cycles,
            // Emulated processors take turns: what the recorder computes on one stands the other still, cycle and all.
            "--no-event-recordings",
        ];
        let run = cable
            .command(
                vm::BINARY,
                run.iter()
                    .copied()
                    .chain(["--record", record.to_str().unwrap()]),
            )
            .env("XDG_STATE_HOME", place.path("state"))
            .spawn()
            .unwrap();
        sim.wait_for_op();
        let run = run.wait_with_output().unwrap();
        let served = sim.end();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{said}");
        let summary = json_lines(&said).pop().unwrap();
        println!("{summary}");
        println!("{}", served.last().unwrap());
        assert_eq!(summary["cycles"], CYCLES);
        assert_eq!(summary["trust"]["sched_fifo"], true);
        assert_eq!(summary["bus"]["foreign"], 0);
        let events = json_lines(&said);
        if tripped(&events) {
            return false;
        }
        let rows = fs::read_to_string(record).unwrap();
        let enabled = statuswords(&rows)
            .filter(|all| all.iter().all(|word| word & 0x6f == 0x27))
            .count() as u64;
        // Late or not, the machine was switched on, and moved for most of the time.
        assert!(
            enabled > CYCLES / 2,
            "all drives enabled in {enabled} cycles: {said}"
        );
        true
    });
}

/// The statuswords of all drives, cycle by cycle; cycles without an answer are left out.
fn statuswords(rows: &str) -> impl Iterator<Item = Vec<u16>> + '_ {
    let mut lines = rows.lines();
    let heads = lines.next().unwrap().split(',').enumerate();
    let columns: Vec<usize> = heads
        .filter_map(|(at, head)| head.ends_with(".0x6041").then_some(at))
        .collect();
    assert_eq!(columns.len(), 9, "eight axes and a press");
    lines.filter_map(move |line| {
        let cells: Vec<_> = line.split(',').collect();
        columns.iter().map(|at| cells[*at].parse().ok()).collect()
    })
}

#[test]
fn an_isolated_core_of_the_command_line_is_seen_and_taken() {
    const TEST: &str = "an_isolated_core_of_the_command_line_is_seen_and_taken";
    if !vm::inside(TEST, 3, "isolcpus=managed_irq,domain,1 irq_affinity=0", &[]) {
        return;
    }
    let place = Place::new();
    let doctor = |more: &str| {
        let run = place.run(Path::new(vm::BINARY), &format!("doctor --json {more}"));
        run.fine().lines()
    };
    let lines = doctor("");
    let verdict = |lines: &[Value], name: &str| {
        let check = lines.iter().find(|line| line["name"] == name);
        let check = check.unwrap_or_else(|| panic!("no {name}"));
        let word = |key: &str| check[key].as_str().unwrap().to_owned();
        (word("verdict"), word("value"))
    };
    for line in &lines {
        println!("{line}");
    }
    for (name, expected, part) in [
        ("kernel.realtime", "ok", "PREEMPT_RT, 6."),
        ("kernel.hypervisor", "bad", "virtual machine"),
        (
            "kernel.command_line",
            "warn",
            "irq_affinity= is irqaffinity=",
        ),
        ("isolation.core", "ok", "cycle on core 1 of 0-2"),
        ("isolation.isolated", "ok", "isolcpus 1"),
        ("rights.sched_fifo", "ok", ""),
        ("rights.lock_memory", "ok", ""),
        ("clock.tai", "warn", "0 s"),
    ] {
        let (found, value) = verdict(&lines, name);
        assert!(
            found == expected && value.contains(part),
            "{name}: {found} {value}"
        );
    }
    let summary = lines.last().unwrap();
    let trust = &summary["trust"];
    for (key, expected) in [
        ("realtime_kernel", true),
        ("sched_fifo", true),
        ("memory_locked", true),
        ("isolated", true),
        ("virtual_machine", true),
        // Whatever the kernel grants: its host decides when it runs.
        ("timing_valid", false),
    ] {
        assert_eq!(trust[key], expected, "{key}: {trust}");
    }
    assert_eq!(summary["core"], 1);
    // Another core is not isolated, and it is said.
    let (found, value) = verdict(&doctor("--core 2"), "isolation.isolated");
    assert!(found != "ok", "{value}");

    // The cycle takes the isolated core by itself, and any other where it is named.
    let mut child = demo(&place).spawn().unwrap();
    assert_eq!(cycle_thread(&mut child).allowed, "1");
    let mut second = demo(&place);
    second.args(["--cycles", "10"]).stderr(Stdio::piped());
    let second = second.output().unwrap();
    is_refused(&second, "core 1 is taken by another twinstep");
    let trust = summary_of(child, "trust");
    assert_eq!(
        (&trust["core"], &trust["isolated"]),
        (&1.into(), &true.into())
    );
    let cell = fs::read_to_string(vm::PRESS_CELL).unwrap();
    for (core, isolated) in [("1", true), ("2", false)] {
        let text = format!("{cell}\n[realtime]\ncore = {core}\n");
        let config = place.file("core.toml", text);
        let args = ["run", config.to_str().unwrap(), "--json"];
        let mut child = place.command(Path::new(vm::BINARY), args).spawn().unwrap();
        assert_eq!(cycle_thread(&mut child).allowed, core);
        let trust = summary_of(child, "trust");
        assert_eq!(trust["isolated"], isolated, "{trust}");
    }
    // What is required is granted here, but for the share that the kernel keeps for others.
    let config = place.file(
        "require.toml",
        format!("{cell}\n[realtime]\nrequire = true\n"),
    );
    let args = ["run", config.to_str().unwrap(), "--json", "--cycles", "100"];
    let throttling = "/proc/sys/kernel/sched_rt_runtime_us";
    fs::write(throttling, "950000").unwrap();
    let refused = place.command(Path::new(vm::BINARY), args).output().unwrap();
    is_refused(&refused, "does not grant real-time throttling off");
    fs::write(throttling, "-1").unwrap();
    let granted = place.run(Path::new(vm::BINARY), &args.join(" ")).fine();
    assert_eq!(granted.summary()["trust"]["throttling_off"], true);
    // A worker has it too, though nobody starts with it in their affinity.
    let text = format!("{cell}\n[realtime]\ncore = 2\nmodel_cores = [1]\n");
    let config = place.file("workers.toml", text);
    // Compression would keep the emulator's other processors still for milliseconds.
    let args = [
        "run",
        config.to_str().unwrap(),
        "--json",
        "--no-event-recordings",
    ];
    let mut child = place.command(Path::new(vm::BINARY), args).spawn().unwrap();
    assert_eq!(cycle_thread(&mut child).allowed, "2");
    let worker = loop {
        match thread(child.id(), "models-1") {
            // It begins as the cycle's thread is, which starts it.
            Some(found) if found.allowed == "1" && found.policy != 0 => break found,
            last => assert!(child.try_wait().unwrap().is_none(), "{last:?}"),
        }
        vm::moment();
    };
    assert_eq!((worker.policy, worker.priority), (1, 80));
    let trust = summary_of(child, "trust");
    assert_eq!(
        (&trust["workers"], &trust["workers_granted"]),
        (&1.into(), &1.into()),
        "{trust}"
    );
}

/// Whether a run ended with code 1 because of this.
fn is_refused(run: &Output, words: &str) {
    let text = String::from_utf8_lossy(&run.stderr);
    let said: Vec<_> = (text.split_whitespace())
        .filter(|word| *word != "|")
        .collect();
    let said = said.join(" ");
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains(words), "{said}");
}

/// One key of a run's summary, once it is ended.
fn summary_of(child: Child, key: &str) -> Value {
    summary(child)[key].clone()
}
