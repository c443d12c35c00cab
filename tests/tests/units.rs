//! The units for systemd: what they grant and refuse, that systemd takes them, and that the binary works within what they leave it.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use twinstep_config::PRESS_CELL;
use twinstep_tests::gateway::{Peer, http, post, until as look};
use twinstep_tests::run::Place;
use twinstep_tests::{binary, program, root, skip};

fn shipped() -> PathBuf {
    root().join("scripts/systemd")
}

fn unit(name: &str) -> String {
    fs::read_to_string(shipped().join(name)).unwrap()
}

/// What a unit says in `[Service]`, line by line.
fn service(text: &str) -> Vec<&str> {
    let from = text.lines().skip_while(|line| *line != "[Service]").skip(1);
    let all = from.take_while(|line| !line.starts_with('['));
    all.filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// All that stands behind `key=` in a unit.
fn words<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let lines = service(text).into_iter();
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .flat_map(str::split_whitespace)
        .collect()
}

/// A line less is a right more: both units are held against what was decided, line by line.
#[test]
fn every_line_stands_as_it_was_decided() {
    let cycle = unit("twinstep@.service");
    assert_eq!(
        service(&cycle),
        [
            "Type=notify",
            "ExecStart=/usr/local/bin/twinstep run /etc/twinstep/%i.toml --json --state /var/lib/twinstep/%i --control /run/twinstep/%i.sock --control-group twinstep",
            "User=twinstep",
            "Group=twinstep",
            "UMask=0027",
            "StateDirectory=twinstep",
            "StateDirectoryMode=0750",
            "RuntimeDirectory=twinstep",
            "RuntimeDirectoryMode=0750",
            "RuntimeDirectoryPreserve=yes",
            "WatchdogSec=2",
            "TimeoutStopSec=30",
            "Restart=on-failure",
            "RestartSec=5",
            "AmbientCapabilities=CAP_NET_RAW CAP_SYS_NICE CAP_IPC_LOCK",
            "CapabilityBoundingSet=CAP_NET_RAW CAP_SYS_NICE CAP_IPC_LOCK",
            "LimitRTPRIO=98",
            "LimitMEMLOCK=infinity",
            "NoNewPrivileges=yes",
            "RestrictAddressFamilies=AF_UNIX AF_PACKET AF_NETLINK",
            "IPAddressDeny=any",
            "SocketBindDeny=any",
            "ReadWritePaths=-/run/lock /tmp",
            "DevicePolicy=closed",
            "DeviceAllow=/dev/cpu_dma_latency rw",
            "DeviceAllow=char-ptp r",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "ProtectClock=yes",
            "ProtectHostname=yes",
            "ProtectKernelModules=yes",
            "ProtectKernelLogs=yes",
            "ProtectKernelTunables=yes",
            "ProtectControlGroups=yes",
            "ProtectProc=default",
            "PrivateMounts=yes",
            "LockPersonality=yes",
            "MemoryDenyWriteExecute=yes",
            "RestrictNamespaces=yes",
            "RestrictSUIDSGID=yes",
            "RemoveIPC=no",
            "SystemCallArchitectures=native",
            "SystemCallFilter=@system-service",
            "SystemCallErrorNumber=EPERM",
        ]
    );
    let gateway = unit("twinstep-gateway@.service");
    assert_eq!(
        service(&gateway),
        [
            "Type=notify",
            "ExecStart=/usr/local/bin/twinstep gateway --json --config /etc/twinstep/gateway.toml --state /var/lib/twinstep/%i --control /run/twinstep/%i.sock --book /var/lib/twinstep-gateway/%i",
            "User=twinstep-gateway",
            "Group=twinstep-gateway",
            "SupplementaryGroups=twinstep",
            "UMask=0077",
            "StateDirectory=twinstep-gateway",
            "StateDirectoryMode=0700",
            "WatchdogSec=30",
            "TimeoutStopSec=10",
            "Restart=always",
            "RestartSec=2",
            "Nice=10",
            "CPUSchedulingPolicy=other",
            "IOSchedulingClass=idle",
            "MemoryMax=512M",
            "TasksMax=64",
            "AmbientCapabilities=",
            "CapabilityBoundingSet=",
            "NoNewPrivileges=yes",
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
            "RestrictRealtime=yes",
            "PrivateDevices=yes",
            "PrivateTmp=yes",
            "PrivateUsers=yes",
            "PrivateMounts=yes",
            "DevicePolicy=closed",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "ProtectClock=yes",
            "ProtectHostname=yes",
            "ProtectKernelModules=yes",
            "ProtectKernelLogs=yes",
            "ProtectKernelTunables=yes",
            "ProtectControlGroups=yes",
            "ProtectProc=invisible",
            "ProcSubset=pid",
            "LockPersonality=yes",
            "MemoryDenyWriteExecute=yes",
            "RestrictNamespaces=yes",
            "RestrictSUIDSGID=yes",
            "RemoveIPC=yes",
            "SystemCallArchitectures=native",
            "SystemCallFilter=@system-service",
            "SystemCallFilter=~@privileged @resources @obsolete",
            "SystemCallFilter=sched_setaffinity",
            "SystemCallErrorNumber=EPERM",
        ]
    );
}

/// The units that are shipped are units, as systemd itself judges.
#[test]
fn the_units_are_what_systemd_takes() {
    let test = "the_units_are_what_systemd_takes";
    let Some(analyze) = program(test, "systemd-analyze") else {
        return;
    };
    let verify = |place: &Place, name: &str, text: &str| {
        let path = place.file(name, text);
        Command::new(&analyze)
            .arg("verify")
            .arg(path.with_file_name(name.replace('@', "@cell")))
            .output()
            .unwrap()
    };
    for (name, worst) in [("twinstep@.service", 25), ("twinstep-gateway@.service", 15)] {
        // The binary is where this test has it, not where a machine would.
        let text = unit(name).replace("/usr/local/bin/twinstep", &binary().display().to_string());
        let place = Place::new();
        let said = verify(&place, name, &text);
        assert!(
            said.status.success() && said.stderr.is_empty(),
            "{name}: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        let security = Command::new(&analyze)
            .args([
                "security",
                "--offline=true",
                &format!("--threshold={worst}"),
            ])
            .arg(place.path(&name.replace('@', "@cell")))
            .output()
            .unwrap();
        assert!(
            security.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&security.stdout)
        );
        // The same judge finds a word that it does not know.
        let wrong = verify(
            &place,
            name,
            &text.replace("LockPersonality", "LokPersonality"),
        );
        assert!(String::from_utf8_lossy(&wrong.stderr).contains("LokPersonality"));
    }
}

/// User and group of the service in the view: no others are known there.
const ID: &str = "4242";

/// Makes the file system that a unit leaves to its service, in a mount namespace of its own, and becomes its user there. The test's
/// own folder is /mnt, and what a unit may write to lies in memory: nothing outside is touched. The folders beside it are read-only.
/// Shared memory is the service's own, since the first user of iceoryx2 on a computer has it.
const VIEW: &str = r#"
set -e
mount --bind "$PLACE" /mnt
mount --bind "$BINARY" /mnt/twinstep
mount --bind /mnt/group /etc/group
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var/lib
mount -t tmpfs -o mode=1777 none /tmp
mount -t tmpfs -o mode=1777 none /dev/shm
mkdir -m 1777 /run/lock
mkdir -m 750 $OWN
chown "$ID:$ID" $OWN
for folder in $OWN $WRITABLE; do mount --bind "$folder" "$folder"; done
for folder in / /run /var/lib /tmp; do
  case " $WRITABLE " in *" $folder "*) continue ;; esac
  mount -o remount,bind,ro "$folder"
  if mkdir "$folder/twinstep-view" 2>/dev/null; then rmdir "$folder/twinstep-view"; exit 98; fi
done
umask "$MASK"
set +e
setpriv --reuid="$ID" --regid="$ID" --clear-groups --bounding-set="$RIGHTS" --inh-caps="$RIGHTS" --ambient-caps="$RIGHTS" \
  --no-new-privs env -i PATH="$PATH" "$@"
code=$?
stat -c '%a %n' /run/lock/twinstep-core-* /var/lib/twinstep/cell >&2
exit $code
"#;

/// What became of `ExecStart` of this unit: its exit code, last line and remarks. None where no view can be made.
fn start_within(test: &str, text: &str, machine: &str) -> Option<(i32, String, String)> {
    let unshare = program(test, "unshare")?;
    program(test, "setpriv")?;
    let place = Place::new();
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let _ = place.file("cell.toml", machine);
    let _ = place.file("twinstep", "");
    let groups = fs::read_to_string("/etc/group").unwrap();
    let _ = place.file("group", format!("{groups}twinstep:x:{ID}:\n"));
    let own = [
        format!("/var/lib/{}", words(text, "StateDirectory").join(" ")),
        format!("/run/{}", words(text, "RuntimeDirectory").join(" ")),
    ];
    let capabilities = words(text, "AmbientCapabilities");
    let rights = capabilities
        .iter()
        .map(|name| name.replace("CAP_", "+").to_lowercase());
    let rights = std::iter::once("-all".to_owned()).chain(rights);
    let mut command = place.command(&unshare, ["--mount", "sh", "-c", VIEW, "view"]);
    for word in words(text, "ExecStart") {
        let word = word.replace("%i", "cell");
        let word = word.replace("/usr/local/bin/twinstep", "/mnt/twinstep");
        command.arg(word.replace("/etc/twinstep/", "/mnt/"));
    }
    let output = command
        .args(["--cycles", "200"])
        .env("PLACE", place.path(""))
        .env("BINARY", binary())
        .env("ID", ID)
        .env("OWN", own.join(" "))
        .env(
            "WRITABLE",
            words(text, "ReadWritePaths").join(" ").replace('-', ""),
        )
        .env("MASK", words(text, "UMask").join(" "))
        .env("RIGHTS", rights.collect::<Vec<_>>().join(","))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let not_here = ["unshare: ", "mount: ", "setpriv: "];
    if let Some(line) = errors
        .lines()
        .find(|line| not_here.iter().any(|word| line.starts_with(word)))
    {
        skip(test, &format!("no mount namespace can be made: {line}"));
        return None;
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = lines.lines().last().unwrap_or_default().to_owned();
    let said: Vec<_> = errors
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect();
    Some((output.status.code().unwrap_or(-1), last, said.join(" ")))
}

#[test]
fn the_binary_works_within_what_its_unit_leaves_it() {
    let test = "the_binary_works_within_what_its_unit_leaves_it";
    let text = unit("twinstep@.service");
    let core = last_core();
    // A core that is claimed, a state folder, a control socket, and shared memory: all that a run makes.
    let more = format!(
        "[shared]\nname = \"unit-{}\"\n[realtime]\ncore = {core}\n[judge]",
        std::process::id()
    );
    let machine = PRESS_CELL.replacen("[judge]", &more, 1);
    let Some((code, summary, said)) = start_within(test, &text, &machine) else {
        return;
    };
    assert_eq!(code, 0, "{said}");
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["cycles"], 200, "{summary}");
    assert!(summary["shared"].is_object(), "{summary}");
    // Others see who has the core, whatever the mask of the service; what it stores is its group's at most.
    let lock = format!("644 /run/lock/twinstep-core-{core}.lock");
    assert!(said.contains(&lock), "{said}");
    assert!(said.contains("750 /var/lib/twinstep/cell"), "{said}");
    // The view is one: without the paths that the unit opens nothing can be claimed.
    let closed = text.replace("ReadWritePaths=-/run/lock /tmp\n", "");
    assert_ne!(closed, text);
    let Some((code, _, said)) = start_within(test, &closed, &machine) else {
        return;
    };
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("/tmp/iceoryx2"), "{said}");
    let alone = PRESS_CELL.replacen("[judge]", &format!("[realtime]\ncore = {core}\n[judge]"), 1);
    let Some((code, _, said)) = start_within(test, &closed, &alone) else {
        return;
    };
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cannot be claimed"), "{said}");
}

/// What the unit of the gateway leaves to it, beside a machine that runs outside: the store and the control socket are there to be read
/// and used by their group, /proc shows its own processes alone, and nothing but its own folder can be written to.
const GATEWAY_VIEW: &str = r#"
set -e
mount --bind "$PLACE" /mnt
mount --bind "$BINARY" /mnt/twinstep
for folder in /run /var/lib; do mount -t tmpfs -o mode=755 none "$folder"; done
for folder in /tmp /dev/shm; do mount -t tmpfs -o mode=1777 none "$folder"; done
mount -t proc -o subset=pid,hidepid=invisible none /proc
mkdir -p /run/twinstep /var/lib/twinstep/cell
touch /run/twinstep/cell.sock
mount --bind /mnt/cell.sock /run/twinstep/cell.sock
mount --bind /mnt/state /var/lib/twinstep/cell
mkdir -m 700 $OWN
chown "$ID:$ID" $OWN
mount --bind $OWN $OWN
for folder in / /run /var/lib /var/lib/twinstep/cell /mnt; do mount -o remount,bind,ro "$folder"; done
umask "$MASK"
exec setpriv --reuid="$ID" --regid="$ID" $GROUPS --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs \
  env -i PATH="$PATH" NOTIFY_SOCKET=/mnt/notify WATCHDOG_USEC=600000 "$@"
"#;

/// `ExecStart` of the unit of the gateway within that view, as a member of the group of the cycle or of no other group.
fn gateway_within(place: &Place, unshare: &Path, groups: &str) -> Peer {
    let text = unit("twinstep-gateway@.service");
    assert_eq!(words(&text, "SupplementaryGroups"), ["twinstep"]);
    let capabilities =
        ["AmbientCapabilities", "CapabilityBoundingSet"].map(|key| words(&text, key));
    assert_eq!(capabilities, [Vec::<&str>::new(), Vec::new()]);
    let mut command = place.command(unshare, ["--mount", "sh", "-c", GATEWAY_VIEW, "view"]);
    for word in words(&text, "ExecStart") {
        let word = word.replace("%i", "cell");
        let word = word.replace("/usr/local/bin/twinstep", "/mnt/twinstep");
        command.arg(word.replace("/etc/twinstep/", "/mnt/"));
    }
    command
        .env("PLACE", place.path(""))
        .env("BINARY", binary())
        .env("ID", "4243")
        .env("GROUPS", groups)
        .env(
            "OWN",
            format!("/var/lib/{}", words(&text, "StateDirectory").join(" ")),
        )
        .env("MASK", words(&text, "UMask").join(" "));
    Peer::of_heard(command, &place.path("gateway.err"))
}

#[test]
fn the_gateway_works_within_what_its_unit_leaves_it() {
    let test = "the_gateway_works_within_what_its_unit_leaves_it";
    let (Some(unshare), Some(_)) = (program(test, "unshare"), program(test, "setpriv")) else {
        return;
    };
    let place = Place::new();
    let mut view = Command::new(&unshare);
    view.args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
    if !view.output().is_ok_and(|output| output.status.success()) {
        skip(test, "no mount namespace can be made");
        return;
    }
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    // What is shipped is served as it stands.
    let _ = place.file("gateway.toml", unit("gateway.toml"));
    let _ = place.file("twinstep", "");
    let mut machine = Peer::start(
        &place,
        "demo --json --no-page --cycles 3600000 --state state --control cell.sock --inject drive_fault:lift:code=0x2310@500ms",
    );
    machine.next("event");
    machine.forget_lines();
    // Of the group of the cycle, and of nobody else.
    for (name, mode) in [
        ("state", 0o2750),
        ("cell.sock", 0o660),
        ("state/events.sqlite", 0o640),
        ("state/events.sqlite-wal", 0o640),
        ("state/events.sqlite-shm", 0o640),
    ] {
        let path = place.path(name);
        std::os::unix::fs::chown(&path, None, Some(4242)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let manager = UnixDatagram::bind(place.path("notify")).unwrap();
    fs::set_permissions(place.path("notify"), fs::Permissions::from_mode(0o777)).unwrap();
    let until = |word: &str| {
        let mut told = [0; 256];
        loop {
            let count = manager.recv(&mut told).unwrap();
            if String::from_utf8_lossy(&told[..count]).contains(word) {
                return;
            }
        }
    };
    let mut gateway = gateway_within(&place, &unshare, "--groups=4242");
    let url = gateway.url();
    until("READY=1");
    until("WATCHDOG=1");
    let get = |path: &str| http(&url, &format!("GET {path}"), &[], "");
    look(|| (get("/api/status").status == 200).then_some(()));
    let alarm = look(|| {
        let alarms = get("/api/alarms").json();
        (alarms["known"] == true).then(|| alarms["alarms"][0].clone())
    });
    assert_eq!(alarm["event"]["source"], "lift", "{alarm}");
    // Its book is its own to write.
    let done = post(
        &url,
        "/api/alarms/acknowledge",
        &json!({"seq": alarm["last_seq"]}),
    );
    assert_eq!(done.status, 200, "{done:?}");
    until("WATCHDOG=1");
    gateway.signal("TERM");
    until("STOPPING=1");
    assert!(gateway.child.wait().unwrap().success());
    let said = fs::read_to_string(place.path("gateway.err")).unwrap();
    assert!(!said.contains("cannot"), "{said}");

    // The view is one: who is no member of the group is told what he may not read, and what to do.
    let mut gateway = gateway_within(&place, &unshare, "--clear-groups");
    let url = gateway.url();
    let said = look(|| {
        let said = fs::read_to_string(place.path("gateway.err")).unwrap();
        said.contains("the event store").then_some(said)
    });
    assert!(
        said.contains(
            "the event store cannot be read: cannot read /var/lib/twinstep/cell/events.sqlite"
        ),
        "{said}"
    );
    assert!(
        said.contains("as a member of the group that owns them") && !said.contains("write"),
        "{said}"
    );
    assert_eq!(
        http(&url, "GET /api/alarms", &[], "").json()["known"],
        false
    );
}

/// The last core of this computer.
fn last_core() -> usize {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let last = online.trim().rsplit(['-', ',']).next();
    last.unwrap().parse().unwrap()
}
