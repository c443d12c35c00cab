//! PTP management messages (IEEE 1588-2019, clause 15): requests that only read, and their answers. Numbers are big-endian.

use core::fmt;

/// Length of the header and of what every management message has (bytes).
const HEAD: usize = 34 + 14;
/// Length of a request: no data, only what is asked for (bytes).
pub const REQUEST: usize = HEAD + 6;
/// Longest message that is looked at (bytes).
pub const MAX_MESSAGE: usize = 1500;
/// messageType of management messages.
const MANAGEMENT: u8 = 0x0d;
/// versionPTP, lower half of its byte.
const VERSION: u8 = 2;
/// actionField of a request and of an answer.
const GET: u8 = 0;
const RESPONSE: u8 = 2;
/// tlvType of an answer, and of a refusal.
const TLV_MANAGEMENT: u16 = 1;
const TLV_ERROR: u16 = 2;

/// What can be asked for: managementId.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Asked {
    /// Offset, path delay, steps.
    Current = 0x2001,
    /// Grandmaster.
    Parent = 0x2002,
    /// TAI - UTC.
    TimeProperties = 0x2003,
    /// State of each port.
    Port = 0x2004,
    /// Time of the last Sync; linuxptp's own.
    TimeStatus = 0xc000,
}

impl Asked {
    /// All, in the order in which they are asked for: a port answers for itself, so that it comes first and the others end it.
    pub const ALL: [Self; 5] = [
        Self::Port,
        Self::Current,
        Self::Parent,
        Self::TimeProperties,
        Self::TimeStatus,
    ];

    fn of(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|one| *one as u16 == id)
    }
}

/// State of a port (IEEE 1588-2019, 8.2.15.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortState {
    /// Starting.
    Initializing,
    /// Something is wrong.
    Faulty,
    /// Switched off.
    Disabled,
    /// Waits for somebody to follow.
    Listening,
    /// About to be followed.
    PreMaster,
    /// Others follow it.
    Master,
    /// Silent, since another port does it.
    Passive,
    /// Follows, and has not settled yet.
    Uncalibrated,
    /// Follows its master.
    Slave,
    /// This clock is the grandmaster.
    GrandMaster,
    /// A number that stands for nothing.
    Unknown(u8),
}

impl PortState {
    fn of(value: u8) -> Self {
        match value {
            1 => Self::Initializing,
            2 => Self::Faulty,
            3 => Self::Disabled,
            4 => Self::Listening,
            5 => Self::PreMaster,
            6 => Self::Master,
            7 => Self::Passive,
            8 => Self::Uncalibrated,
            9 => Self::Slave,
            10 => Self::GrandMaster,
            other => Self::Unknown(other),
        }
    }

    /// The stable word of it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Faulty => "faulty",
            Self::Disabled => "disabled",
            Self::Listening => "listening",
            Self::PreMaster => "pre_master",
            Self::Master => "master",
            Self::Passive => "passive",
            Self::Uncalibrated => "uncalibrated",
            Self::Slave => "slave",
            Self::GrandMaster => "grand_master",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Identity of a clock, as a rule made of a hardware address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockIdentity(pub [u8; 8]);

impl fmt::Display for ClockIdentity {
    /// As `pmc` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            let dot = if n == 3 || n == 5 { "." } else { "" };
            write!(f, "{dot}{byte:02x}")?;
        }
        Ok(())
    }
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// See [`Asked::Current`].
    Current {
        /// Clocks on the way to the grandmaster.
        steps_removed: u16,
        /// This clock minus its master's (ns).
        offset_ns: i64,
        /// Mean time that a message is under way (ns).
        path_delay_ns: i64,
    },
    /// See [`Asked::Parent`].
    Parent {
        /// The grandmaster.
        grandmaster: ClockIdentity,
    },
    /// See [`Asked::TimeProperties`].
    TimeProperties {
        /// TAI - UTC (s); none where it is not known.
        utc_offset_s: Option<i16>,
    },
    /// See [`Asked::Port`].
    Port {
        /// Its number, from 1.
        number: u16,
        /// Its state.
        state: PortState,
    },
    /// See [`Asked::TimeStatus`].
    TimeStatus {
        /// When the last Sync came, on the clock that is steered (ns).
        last_sync_ns: i64,
        /// There is a grandmaster besides this clock.
        follows: bool,
    },
    /// It is not told: managementErrorId.
    Refused(Asked, u16),
}

impl Answer {
    /// What it answers.
    pub const fn asked(&self) -> Asked {
        match self {
            Self::Current { .. } => Asked::Current,
            Self::Parent { .. } => Asked::Parent,
            Self::TimeProperties { .. } => Asked::TimeProperties,
            Self::Port { .. } => Asked::Port,
            Self::TimeStatus { .. } => Asked::TimeStatus,
            Self::Refused(asked, _) => *asked,
        }
    }
}

/// Why a message is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends before it should.
    Short {
        /// Bytes that are needed.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// No management message of PTP version 2: its first two bytes.
    NotManagement(u8, u8),
    /// Another action than an answer.
    NotResponse(u8),
    /// Neither an answer nor a refusal.
    Tlv(u16),
    /// Something that was not asked for: managementId.
    NotAsked(u16),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, found } => {
                write!(f, "{needed} bytes were expected and {found} came")
            }
            Self::NotManagement(kind, version) => write!(
                f,
                "a management message of PTP version 2 was expected, and 0x{kind:02x} 0x{version:02x} came"
            ),
            Self::NotResponse(action) => {
                write!(
                    f,
                    "an answer (action 2) was expected, and action {action} came"
                )
            }
            Self::Tlv(kind) => write!(f, "an answer was expected, and a TLV 0x{kind:04x} came"),
            Self::NotAsked(id) => write!(f, "0x{id:04x} was answered and not asked for"),
        }
    }
}

impl std::error::Error for Malformed {}

/// A request to all ports of a clock in `domain`. `profile` is 0, or 1 for IEEE 802.1AS (majorSdoId, 0 to 15).
pub fn request(asked: Asked, domain: u8, profile: u8, sequence: u16) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    let mut put = |at: usize, value: &[u8]| {
        let places = bytes.iter_mut().skip(at).zip(value);
        places.for_each(|(to, from)| *to = *from);
    };
    put(0, &[profile << 4 | MANAGEMENT, VERSION]);
    put(2, &(REQUEST as u16).to_be_bytes());
    put(4, &[domain]);
    // Our own port: the process, so that answers to others are not for us.
    let process = std::process::id().to_be_bytes();
    put(24, &process);
    put(28, &1_u16.to_be_bytes());
    put(30, &sequence.to_be_bytes());
    // controlField of management messages, and no interval.
    put(32, &[4, 0x7f]);
    // All clocks and all ports.
    put(34, &[0xff; 10]);
    put(46, &[GET]);
    put(48, &TLV_MANAGEMENT.to_be_bytes());
    put(50, &2_u16.to_be_bytes());
    put(52, &(asked as u16).to_be_bytes());
    bytes
}

/// Reads one answer, with the number of the request.
///
/// # Errors
/// [`Malformed`]; nothing is taken from such a message.
pub fn parse(bytes: &[u8]) -> Result<(u16, Answer), Malformed> {
    let all = Bytes(bytes);
    let (kind, version) = (all.u8(0)?, all.u8(1)?);
    if kind & 0x0f != MANAGEMENT || version & 0x0f != VERSION {
        return Err(Malformed::NotManagement(kind, version));
    }
    // What is behind the stated length is padding.
    let length = usize::from(all.u16(2)?);
    let all = Bytes(all.part(0, length)?);
    let sequence = all.u16(30)?;
    let action = all.u8(46)? & 0x0f;
    if action != RESPONSE {
        return Err(Malformed::NotResponse(action));
    }
    let tlv = all.u16(HEAD)?;
    let data = Bytes(all.part(HEAD + 4, usize::from(all.u16(HEAD + 2)?))?);
    let known = |id: u16| Asked::of(id).ok_or(Malformed::NotAsked(id));
    if tlv == TLV_ERROR {
        return Ok((
            sequence,
            Answer::Refused(known(data.u16(2)?)?, data.u16(0)?),
        ));
    }
    if tlv != TLV_MANAGEMENT {
        return Err(Malformed::Tlv(tlv));
    }
    let asked = known(data.u16(0)?)?;
    let data = Bytes(data.0.get(2..).unwrap_or_default());
    let answer = match asked {
        Asked::Current => Answer::Current {
            steps_removed: data.u16(0)?,
            offset_ns: data.i64(2)? >> 16,
            path_delay_ns: data.i64(10)? >> 16,
        },
        Asked::Parent => Answer::Parent {
            grandmaster: ClockIdentity(data.array(24)?),
        },
        Asked::TimeProperties => {
            let (offset, flags) = (i16::from_be_bytes(data.array(0)?), data.u8(2)?);
            // currentUtcOffsetValid
            Answer::TimeProperties {
                utc_offset_s: (flags & 1 << 2 != 0).then_some(offset),
            }
        }
        Asked::Port => Answer::Port {
            number: data.u16(8)?,
            state: PortState::of(data.u8(10)?),
        },
        Asked::TimeStatus => Answer::TimeStatus {
            last_sync_ns: data.i64(8)?,
            follows: data.array::<4>(38)? != [0; 4],
        },
    };
    Ok((sequence, answer))
}

/// Bytes that are read with their bounds.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn part(&self, at: usize, length: usize) -> Result<&'a [u8], Malformed> {
        self.0.get(at..at + length).ok_or(Malformed::Short {
            needed: at + length,
            found: self.0.len(),
        })
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Malformed> {
        let part = self.part(at, N)?;
        part.try_into().map_err(|_| Malformed::Short {
            needed: at + N,
            found: self.0.len(),
        })
    }

    fn u8(&self, at: usize) -> Result<u8, Malformed> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    fn u16(&self, at: usize) -> Result<u16, Malformed> {
        self.array(at).map(u16::from_be_bytes)
    }

    fn i64(&self, at: usize) -> Result<i64, Malformed> {
        self.array(at).map(i64::from_be_bytes)
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
pub(super) mod tests;
