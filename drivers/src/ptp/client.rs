//! One exchange with ptp4l over its management socket, a Unix socket of datagrams.

use super::message::{self, Answer, Asked, MAX_MESSAGE, Malformed};
use super::{Health, MAX_PORTS};
use crate::clock::monotonic_ns;
use core::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where ptp4l listens unless it is told otherwise: for its administrator, and for everybody who only reads.
pub const SOCKETS: [&str; 2] = ["/var/run/ptp4l", "/var/run/ptp4lro"];
/// Messages that are looked at in one exchange: with more, somebody sends nonsense.
const MAX_ANSWERS: usize = 256;
/// majorSdoId of IEEE 1588 and of IEEE 802.1AS: a clock ignores what is not of its own.
const PROFILES: [u8; 2] = [0, 1];

/// Why nothing is known of the clock.
#[derive(Debug)]
pub enum PtpError {
    /// The socket cannot be used.
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody answered in time.
    Silent {
        /// The path of the socket.
        path: PathBuf,
        /// The domain that was asked.
        domain: u8,
        /// What came instead, if anything did.
        instead: Option<Malformed>,
    },
}

impl fmt::Display for PtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { path, error } => {
                write!(f, "ptp4l's socket {}: {error}", path.display())
            }
            Self::Silent {
                path,
                domain,
                instead,
            } => {
                write!(
                    f,
                    "no answer from ptp4l at {} in domain {domain}",
                    path.display()
                )?;
                match instead {
                    Some(instead) => write!(f, ": {instead}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for PtpError {}

impl PtpError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Socket { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                "let this user write to the socket (uds_file_mode in ptp4l.conf), or name the one for reading, /var/run/ptp4lro, in [ptp] socket"
            }
            Self::Socket { .. } => {
                "start ptp4l (Debian: apt-get install linuxptp), or name its uds_address in [ptp] socket"
            }
            Self::Silent { .. } => {
                "compare [ptp] domain with domainNumber in ptp4l.conf; `pmc -u -b 0 'GET PORT_DATA_SET'` asks the same"
            }
        }
    }
}

/// Asks ptp4l at `path` for everything in [`Health`], and waits for its answers for at most `patience`.
///
/// # Errors
/// [`PtpError`]. What is malformed or was not asked for is left out, and never an error while answers come.
pub fn ask(path: &Path, domain: u8, patience: Duration) -> Result<Health, PtpError> {
    let patience_ns = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
    let mut exchange = Exchange {
        caller: Caller::connect(path).map_err(|error| PtpError::Socket {
            path: path.to_owned(),
            error,
        })?,
        deadline_ns: monotonic_ns().saturating_add(patience_ns),
        left: MAX_ANSWERS,
        sequence: 0,
        health: Health::default(),
        instead: None,
    };
    match exchange.all(domain) {
        Ok(true) => Ok(exchange.health),
        Ok(false) => Err(PtpError::Silent {
            path: path.to_owned(),
            domain,
            instead: exchange.instead,
        }),
        Err(error) => Err(PtpError::Socket {
            path: path.to_owned(),
            error,
        }),
    }
}

/// One request after the other: ptp4l must never wait for us to read.
struct Exchange {
    caller: Caller,
    deadline_ns: u64,
    /// Messages that are still looked at.
    left: usize,
    sequence: u16,
    health: Health,
    /// The last message that was no answer.
    instead: Option<Malformed>,
}

impl Exchange {
    /// Whether there was an answer.
    fn all(&mut self, domain: u8) -> io::Result<bool> {
        let [first, rest @ ..] = Asked::ALL;
        // Which profile the clock has is told by the request that it answers.
        for profile in PROFILES {
            self.send(first, domain, profile)?;
        }
        let Some(number) = self.answer(|_| true)? else {
            return Ok(false);
        };
        let profile = PROFILES[usize::from(number.saturating_sub(1)) % PROFILES.len()];
        for asked in rest {
            self.send(asked, domain, profile)?;
            let own = self.sequence;
            if self.answer(|number| number == own)?.is_none() {
                break;
            }
        }
        Ok(true)
    }

    fn send(&mut self, asked: Asked, domain: u8, profile: u8) -> io::Result<()> {
        self.sequence += 1;
        let left = self.time_left().unwrap_or(Duration::from_micros(1));
        self.caller.socket.set_write_timeout(Some(left))?;
        let request = message::request(asked, domain, profile, self.sequence);
        self.caller.socket.send(&request).map(|_| ())
    }

    /// Time until the deadline; none when it has passed.
    fn time_left(&self) -> Option<Duration> {
        let left_ns = self.deadline_ns.saturating_sub(monotonic_ns());
        // The kernel takes no time below a microsecond.
        (left_ns > 0).then(|| Duration::from_nanos(left_ns.max(1_000)))
    }

    /// Takes answers until one is `wanted`, by the number of its request, which is returned. None where time or patience are
    /// over.
    fn answer(&mut self, wanted: impl Fn(u16) -> bool) -> io::Result<Option<u16>> {
        let mut buffer = [0; MAX_MESSAGE];
        while let (Some(left), true) = (self.time_left(), self.left > 0) {
            self.caller.socket.set_read_timeout(Some(left))?;
            let length = match self.caller.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => break,
                    _ => return Err(error),
                },
            };
            self.left -= 1;
            match message::parse(buffer.get(..length).unwrap_or_default()) {
                Ok((number, answer)) if (1..=self.sequence).contains(&number) => {
                    take(&mut self.health, answer);
                    if wanted(number) {
                        return Ok(Some(number));
                    }
                }
                // To somebody else.
                Ok(_) => {}
                Err(error) => self.instead = Some(error),
            }
        }
        Ok(None)
    }
}

/// A socket with a name of its own, to which ptp4l can answer, that takes datagrams of ptp4l only.
#[derive(Debug)]
struct Caller {
    socket: UnixDatagram,
    /// Its file, which goes with it; none for a name without one.
    file: Option<PathBuf>,
}

impl Caller {
    fn connect(path: &Path) -> io::Result<Self> {
        let caller = Self::beside(path)?;
        caller.socket.connect(path)?;
        Ok(caller)
    }

    /// Beside ptp4l's, where it finds it in whatever network namespace it is. Where this user may not make a file there the name
    /// has none, and is known in this network namespace.
    fn beside(path: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the number need only be another one each time.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinstep-ptp-{}-{count}", std::process::id());
        let file = path.with_file_name(&name);
        if let Ok(socket) = UnixDatagram::bind(&file) {
            return Ok(Self {
                socket,
                file: Some(file),
            });
        }
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        Ok(Self { socket, file: None })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Nothing can be done about a file that has gone, or stays.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn take(health: &mut Health, answer: Answer) {
    match answer {
        Answer::Current {
            steps_removed,
            offset_ns,
            path_delay_ns,
        } => {
            health.steps_removed = Some(steps_removed);
            health.offset_ns = Some(offset_ns);
            health.path_delay_ns = Some(path_delay_ns);
        }
        Answer::Parent { grandmaster } => health.grandmaster = Some(grandmaster),
        Answer::TimeProperties { utc_offset_s } => health.utc_offset_s = utc_offset_s,
        Answer::Port { number, state } => {
            let known = health.ports.iter().any(|(other, _)| *other == number);
            if !known && health.ports.len() < MAX_PORTS {
                health.ports.push((number, state));
            }
        }
        Answer::TimeStatus {
            last_sync_ns,
            follows,
        } => {
            health.last_sync_ns = Some(last_sync_ns);
            health.follows = Some(follows);
        }
        // Other programs than ptp4l need not know everything.
        Answer::Refused(..) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::{answer, data};
    use super::super::{ClockIdentity, PortState};
    use super::*;

    /// Somebody at a socket: `reply` makes datagrams of each request.
    fn somebody(
        reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
    ) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ptp4l");
        let socket = UnixDatagram::bind(&path).unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; MAX_MESSAGE];
            // Ends with the test: nobody waits for it.
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                for datagram in reply(&buffer[..length]) {
                    // Whoever asked may have had enough.
                    let _ = socket.send_to_addr(&datagram, &from);
                }
            }
        });
        (folder, path)
    }

    /// A request of the first profile: its number and what is asked for.
    fn of_request(bytes: &[u8]) -> Option<(u16, Asked)> {
        let sequence = u16::from_be_bytes([bytes[30], bytes[31]]);
        let id = u16::from_be_bytes([bytes[52], bytes[53]]);
        let asked = Asked::ALL.into_iter().find(|one| *one as u16 == id);
        (bytes[0] >> 4 == 0).then(|| (sequence, asked.unwrap()))
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn everything_is_asked_for_and_taken() {
        let (_folder, path) = somebody(|request| {
            let Some((sequence, asked)) = of_request(request) else {
                return Vec::new();
            };
            let right = answer(asked, sequence, &data(asked));
            // Nonsense, an answer to somebody else, and a port twice do no harm.
            let other = answer(asked, 4000, &[0; 50]);
            vec![vec![1, 2, 3], Vec::new(), other, right.clone(), right]
        });
        let health = ask(&path, 0, LONG).unwrap();
        assert_eq!(health.ports, [(3, PortState::Slave)]);
        assert_eq!(health.state(), Some(PortState::Slave));
        assert_eq!(
            (health.offset_ns, health.path_delay_ns, health.steps_removed),
            (Some(-1234), Some(5678), Some(2))
        );
        let grandmaster = ClockIdentity([0xa0, 1, 2, 0xff, 0xfe, 3, 4, 5]);
        assert_eq!(health.grandmaster, Some(grandmaster));
        assert_eq!(
            (health.utc_offset_s, health.follows),
            (Some(37), Some(true))
        );
        assert_eq!(health.last_sync_ns, Some(1_700_000_000_000_000_000));
    }

    #[test]
    fn nonsense_without_end_ends() {
        let (_folder, path) = somebody(|_| vec![vec![0x0d; 60]; 200]);
        match ask(&path, 3, LONG) {
            Err(PtpError::Silent {
                domain: 3,
                instead: Some(Malformed::NotManagement(0x0d, 0x0d)),
                ..
            }) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_leaves_the_rest() {
        let (_folder, path) = somebody(|request| {
            let Some((sequence, asked)) = of_request(request) else {
                return Vec::new();
            };
            let mut bytes = answer(asked, sequence, &data(asked));
            if asked == Asked::TimeStatus {
                bytes[49] = 2;
                bytes[52..56].copy_from_slice(&[0, 2, 0xc0, 0]);
            }
            vec![bytes]
        });
        let health = ask(&path, 0, LONG).unwrap();
        assert_eq!((health.follows, health.last_sync_ns), (None, None));
        assert_eq!(health.offset_ns, Some(-1234));
    }

    #[test]
    fn a_caller_leaves_nothing_and_needs_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let caller = Caller::beside(&folder.path().join("ptp4l")).unwrap();
        assert!(caller.file.as_ref().is_some_and(|file| file.exists()));
        drop(caller);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let caller = Caller::beside(Path::new("/no/such/folder/ptp4l")).unwrap();
        assert_eq!(caller.file, None);
    }

    #[test]
    fn who_does_not_answer_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ptp4l");
        let error = ask(&path, 0, LONG).unwrap_err();
        assert!(matches!(error, PtpError::Socket { .. }), "{error}");
        assert!(error.remedy().contains("start ptp4l"));
        let silent = UnixDatagram::bind(&path).unwrap();
        let error = ask(&path, 24, Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("domain 24"), "{error}");
        // Nobody is at the socket any more.
        drop(silent);
        let error = ask(&path, 0, LONG).unwrap_err();
        assert!(matches!(error, PtpError::Socket { .. }), "{error}");
    }
}
