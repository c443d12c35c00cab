//! A virtual cable in a network namespace of its own: its ends `ec0` and `ec1` go with the value.

use crate::{program, skip};
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// The ends of the cable: the MainDevice's, and the segment's.
pub const ENDS: [&str; 2] = ["ec0", "ec1"];

/// The ends of a second one, for a ring.
pub const SECOND_ENDS: [&str; 2] = ["ec2", "ec3"];

/// See the module.
#[derive(Debug)]
pub struct Cable {
    ip: PathBuf,
    name: String,
    /// Control sockets of runs on this cable: those of other tests are none of their business.
    sockets: TempDir,
}

impl Cable {
    /// Lays a cable for `test`, which is skipped aloud where that is not allowed.
    ///
    /// # Panics
    /// Where the namespace is there and the cable cannot be laid.
    #[must_use]
    pub fn new(test: &str) -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let ip = program(test, "ip")?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinstep-{}-{count}-c", std::process::id());
        let made = Command::new(&ip).args(["netns", "add", &name]).output();
        if !made.is_ok_and(|output| output.status.success()) {
            skip(
                test,
                "no permission to make a network namespace (root is needed)",
            );
            return None;
        }
        let sockets = TempDir::with_prefix("twinstep-cable-")
            .unwrap_or_else(|error| panic!("no folder: {error}"));
        let cable = Self { ip, name, sockets };
        cable.lay(ENDS);
        Some(cable)
    }

    /// Lays one more cable in the same namespace.
    ///
    /// # Panics
    /// Where that fails.
    pub fn lay(&self, ends: [&str; 2]) {
        let run = |args: &[&str]| {
            let output = self.command("ip", args).output();
            let fine = output.as_ref().is_ok_and(|output| output.status.success());
            assert!(fine, "ip {args:?}: {output:?}");
        };
        run(&[
            "link", "add", ends[0], "type", "veth", "peer", "name", ends[1],
        ]);
        for end in ends {
            // Nobody else may speak on the cable. Where there is no IPv6, nobody does.
            let quiet = format!("echo 1 >/proc/sys/net/ipv6/conf/{end}/disable_ipv6");
            let _ = self.command("sh", ["-c", &quiet]).output();
            run(&["link", "set", end, "up"]);
        }
        // The kernel tells of new carriers once a second, and until then frames go nowhere.
        let up = format!(
            "until [ \"$(cat /sys/class/net/{0}/operstate)$(cat /sys/class/net/{1}/operstate)\" = upup ]; do :; done",
            ends[0], ends[1]
        );
        let output = self.command("timeout", ["10", "sh", "-c", &up]).output();
        let fine = output.as_ref().is_ok_and(|output| output.status.success());
        assert!(fine, "{ends:?} do not come up: {output:?}");
    }

    /// A command inside of the namespace, with its standard output kept.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(&self.ip);
        command
            .args(["netns", "exec", &self.name])
            .arg(program)
            .args(args)
            .env("XDG_RUNTIME_DIR", self.sockets.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = Command::new(&self.ip)
            .args(["netns", "del", &self.name])
            .output();
    }
}

/// The Python that `scripts/test` has put other masters into. Without it `test` is skipped aloud.
#[must_use]
pub fn python_of_masters(test: &str) -> Option<PathBuf> {
    let python = std::env::var_os("TWINSTEP_MASTERS").map(PathBuf::from);
    let found = python.filter(|path| fs::metadata(path).is_ok());
    if found.is_none() {
        skip(
            test,
            "no Python with pysoem: set TWINSTEP_MASTERS to one, as scripts/test does",
        );
    }
    found
}
