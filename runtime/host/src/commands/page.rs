//! The gateway that `demo` brings along: a process of its own, which ends with the demo however that ends.

use crate::output::Output;
use crate::session::Options;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Longest line that is read of it (bytes).
const MAX_LINE: u64 = 64 << 10;

/// A gateway that serves the page of a demo.
pub struct Page(Option<Child>);

impl Page {
    /// Starts it. Where the page is becomes known once the demo runs: it is put into `options`, and said where `spoken`.
    /// A demo without a page is a demo all the same: what went wrong is said.
    pub fn open(options: &mut Options, output: &Output, spoken: bool) -> Self {
        let address = options.page.insert(Arc::default());
        let address = Arc::clone(address);
        let said = output.clone();
        let tell = move |url: &str| {
            if address.set(url.to_owned()).is_ok() && spoken {
                said.note(&format!("page: {url}"));
            }
        };
        match start(options, tell) {
            Ok(child) => Self(Some(child)),
            Err(error) => {
                output.note(&format!("no page: the gateway cannot be started: {error}"));
                Self(None)
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // The end of its standard input ends it; the kernel closes that too when this process is killed.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

fn start(options: &Options, tell: impl Fn(&str) + Send + 'static) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["gateway", "--json", "--attached", "--state"])
        .arg(&options.state);
    if let Some(socket) = &options.socket {
        command.arg("--control").arg(socket);
    }
    // The service manager is told by the run, and of the run alone.
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let Some(stdout) = child.stdout.take() else {
        return Ok(child);
    };
    std::thread::Builder::new()
        .name("page".into())
        .spawn(move || {
            let mut lines = BufReader::new(stdout);
            let mut line = String::new();
            while (&mut lines)
                .take(MAX_LINE)
                .read_line(&mut line)
                .is_ok_and(|read| read > 0)
            {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if said["type"] == "listening" && said["sink"] == "web" {
                    tell(said["url"].as_str().unwrap_or_default());
                }
                line.clear();
            }
        })?;
    Ok(child)
}
