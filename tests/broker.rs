//! A mosquitto of the test's own, and who listens to it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::gateway::{Peer, until};
use crate::run::Place;
use crate::{program, root};

/// A broker on a port of its own. What it keeps for subscribers that are away survives its end.
#[derive(Debug)]
pub struct Broker {
    mosquitto: PathBuf,
    folder: PathBuf,
    child: Option<Child>,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Broker {
    /// A broker for `test`, not started yet. Without mosquitto the test is skipped aloud.
    ///
    /// # Panics
    /// Where there is no port.
    #[must_use]
    pub fn new(test: &str, place: &Place) -> Option<Self> {
        let mosquitto = program(test, "mosquitto")?;
        // The port is free again before the broker takes it; nobody else is given it meanwhile.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let address = listener.and_then(|listener| listener.local_addr());
        let address = address.unwrap_or_else(|error| panic!("no port: {error}"));
        Some(Self {
            mosquitto,
            folder: place.path(""),
            child: None,
            port: address.port(),
        })
    }

    /// Starts it with more lines of its configuration, and waits until it listens.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn start(&mut self, more: &str) {
        self.stop();
        let folder = self.folder.display();
        let name = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        let text = format!(
            "user {name}\nper_listener_settings false\nlistener {} 127.0.0.1\npersistence true\npersistence_location {folder}/\n\
             max_queued_messages 0\n{more}\n",
            self.port
        );
        let path = self.folder.join("mosquitto.conf");
        let log = std::fs::File::create(self.folder.join("mosquitto.log"));
        let (Ok(()), Ok(log)) = (std::fs::write(&path, text), log) else {
            panic!("cannot write to {folder}");
        };
        let child = Command::new(&self.mosquitto)
            .arg("-c")
            .arg(&path)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("no mosquitto: {error}"));
        until(|| {
            if let Ok(Some(status)) = child.try_wait() {
                let log = std::fs::read_to_string(self.folder.join("mosquitto.log"));
                panic!("mosquitto has ended: {status}: {log:?}");
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()
        });
        self.child = Some(child);
    }

    /// What makes a broker, and a sink of the gateway, use TLS with certificates of both that are made here: lines of both configurations.
    /// Without openssl `test` is skipped aloud.
    ///
    /// # Panics
    /// Where no certificates can be made.
    #[must_use]
    pub fn certificates(&self, test: &str) -> Option<(String, String)> {
        program(test, "openssl")?;
        let made = Command::new(root().join("tests/gateway/certificates.sh"))
            .arg(&self.folder)
            .status();
        assert!(made.is_ok_and(|status| status.success()), "no certificates");
        let file = |name: &str| self.folder.join(name).display().to_string();
        let [ca, broker, key] = ["ca.pem", "broker.pem", "broker.key"].map(file);
        let [client, client_key] = ["client.pem", "client.key"].map(file);
        Some((
            format!(
                "allow_anonymous true\ncafile {ca}\ncertfile {broker}\nkeyfile {key}\nrequire_certificate true\n"
            ),
            format!(
                "url = 'mqtts://127.0.0.1:{}'\nca_file = {ca:?}\ncertificate_file = {client:?}\nkey_file = {client_key:?}\n",
                self.port
            ),
        ))
    }

    /// Ends it in order: it writes down what it keeps.
    ///
    /// # Panics
    /// Where it cannot be told.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        signal(&child, "TERM");
        let _ = child.wait();
    }

    /// Holds it as it is, and lets it go on: connections stay, and nothing is answered in between.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn hang(&self, hung: bool) {
        let Some(child) = &self.child else {
            panic!("no broker runs");
        };
        signal(child, if hung { "STOP" } else { "CONT" });
    }

    /// Has it read its files anew.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn reload(&self) {
        let Some(child) = &self.child else {
            panic!("no broker runs");
        };
        signal(child, "HUP");
    }

    /// A subscriber that nobody here wrote, by the name of its session, once it is subscribed. `more` goes to its script.
    #[must_use]
    pub fn subscriber(
        &self,
        place: &Place,
        python: &std::path::Path,
        filter: &str,
        more: &[&str],
    ) -> Subscriber {
        let script = root().join("tests/gateway/subscriber.py");
        let port = self.port.to_string();
        let mut command = place.command(python, [script.as_os_str()]);
        command.arg(&port).arg(filter).args(more);
        let mut peer = Peer::of(command);
        // What the broker has kept for this session comes before its answer.
        let mut passed = Vec::new();
        loop {
            let line = peer.line();
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if value["type"] == "subscribed" {
                return Subscriber { peer, passed };
            }
            passed.push(value);
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
}

/// Who listens.
pub struct Subscriber {
    peer: Peer,
    /// What has come, in order.
    pub passed: Vec<Value>,
}

impl Subscriber {
    /// The next message for which `test` holds; those before it are kept in `passed` too.
    ///
    /// # Panics
    /// Where the subscriber has ended, as it does after a minute without a message.
    pub fn until(&mut self, test: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.peer.next("message");
            self.passed.push(message.clone());
            if test(&message) {
                return message;
            }
        }
    }

    /// Numbers of the events that have come, in order.
    #[must_use]
    pub fn events(&self) -> Vec<u64> {
        let events = self.passed.iter().filter(|message| {
            let topic = message["topic"].as_str().unwrap_or_default();
            topic.contains("/event/")
        });
        events
            .filter_map(|message| message["json"]["seq"].as_u64())
            .collect()
    }

    /// Asserts that events came in order from 1 to `last` and none is missing, where one that comes again is the same, byte for byte, and
    /// recognised by its number. Returns how many came again.
    ///
    /// # Panics
    /// Where it is otherwise.
    pub fn assert_complete(&self, last: u64) -> usize {
        let numbers = self.events();
        let (mut seen, mut again) = (0, 0);
        for number in &numbers {
            if *number <= seen {
                again += 1;
            } else {
                assert_eq!(*number, seen + 1, "of {numbers:?}");
                seen = *number;
            }
        }
        assert_eq!(seen, last, "of {numbers:?}");
        let mut first = std::collections::BTreeMap::new();
        for message in &self.passed {
            if let Some(seq) = message["properties"]["seq"].as_str() {
                assert_eq!(message["json"]["seq"].to_string(), seq, "{message}");
                let before = first.entry(seq.to_owned()).or_insert(&message["payload"]);
                assert_eq!(*before, &message["payload"]);
            }
        }
        again
    }
}
