//! What a capture of somebody's EtherCAT holds.

use crate::attached::not_tapped;
use crate::error::{Exit, HostError};
use crate::output::Output;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;
use twinstep_drivers::ethercat::plan::Direction;
use twinstep_drivers::frame::command as c;
use twinstep_drivers::tap::capture::CaptureFile;
use twinstep_drivers::tap::learn::Station;
use twinstep_drivers::tap::map::Mapped;
use twinstep_drivers::tap::pairing::FrameCounts;
use twinstep_drivers::tap::report::{Logical, Report, report};

/// Runs the command.
///
/// # Errors
/// [`HostError::Usage`] for what is no capture.
pub fn run(path: &Path, output: &Output) -> Result<Exit, HostError> {
    let mut source = CaptureFile::open(path).map_err(not_tapped)?;
    let found = report(&mut source).map_err(not_tapped)?;
    let lines = Lines::of(&found);
    if output.json() {
        lines
            .subdevices
            .iter()
            .for_each(|line| output.json_line(line));
        lines
            .process_data
            .iter()
            .for_each(|line| output.json_line(line));
        lines.logical.iter().for_each(|line| output.json_line(line));
        output.json_line(&lines.summary);
    } else {
        output.line(&lines.text());
    }
    Ok(Exit::Fine)
}

struct Lines {
    subdevices: Vec<SubDeviceLine>,
    process_data: Vec<ProcessDataLine>,
    logical: Vec<LogicalLine>,
    summary: SummaryLine,
}

/// One SubDevice. What did not pass is `null`.
#[derive(Serialize)]
struct SubDeviceLine {
    r#type: &'static str,
    subdevice: usize,
    /// Place in the ring, counted from 0.
    position: Option<u16>,
    address: u16,
    name: Option<String>,
    vendor_id: Option<u32>,
    product_code: Option<u32>,
    revision: Option<u32>,
    serial: Option<u32>,
    /// As read last: 1 INIT, 2 PRE-OP, 4 SAFE-OP, 8 OP, 16 more with an error.
    al_status: Option<u8>,
    al_code: Option<u16>,
    sync0_ns: Option<u32>,
    /// It gives the time to the others.
    reference_clock: bool,
    sdo_transfers: u64,
    sdo_aborts: u64,
    emergencies: u64,
}

/// Process data that one FMMU maps.
#[derive(Serialize)]
struct ProcessDataLine {
    r#type: &'static str,
    subdevice: usize,
    /// `input`, `output`, or `mailbox_status`.
    kind: &'static str,
    logical_address: u64,
    start_bit: u64,
    bits: u64,
    sync_manager: Option<u16>,
    /// As in a configuration: index, subindex, bits. Empty where neither CoE nor SII said.
    objects: Vec<String>,
}

/// One logical datagram over the whole capture.
#[derive(Serialize)]
struct LogicalLine {
    r#type: &'static str,
    command: &'static str,
    logical_address: u32,
    length: usize,
    count: u64,
    period_ns: Option<u64>,
    /// What the FMMUs imply in the end.
    expected_working_counter: u16,
    /// Working counters and how often they were seen.
    working_counters: Vec<(u16, u64)>,
    /// How many were what the FMMUs implied when they passed.
    as_implied: u64,
}

#[derive(Serialize)]
struct SummaryLine {
    r#type: &'static str,
    subdevices: usize,
    /// How many answered the last broadcast.
    answering: Option<u16>,
    /// SubDevices and logical datagrams that found no room above.
    left_out: u64,
    duration_ns: u64,
    frames: Frames,
    /// Frames that nothing explains.
    unexplained: u64,
}

#[derive(Serialize)]
struct Frames {
    all: u64,
    outbound: u64,
    returned: u64,
    late: u64,
    duplicate: u64,
    unanswered: u64,
    under_way: u64,
    before: u64,
    orphan: u64,
    truncated: u64,
    malformed: u64,
    other_ethercat: u64,
    foreign: u64,
    protocols: Vec<(String, u64)>,
}

impl Lines {
    fn of(found: &Report) -> Self {
        let stations = found.learner.stations();
        let reference = found.learner.reference_clock;
        Self {
            subdevices: (stations.iter().enumerate())
                .map(|(n, station)| SubDeviceLine::of(n, station, reference))
                .collect(),
            process_data: found.map.pieces.iter().map(ProcessDataLine::of).collect(),
            logical: found.logical.iter().map(LogicalLine::of).collect(),
            summary: SummaryLine {
                r#type: "summary",
                subdevices: stations.len(),
                answering: found.learner.count,
                left_out: found.learner.dropped + found.dropped_logical,
                duration_ns: found.duration_ns,
                frames: Frames::of(&found.counts),
                unexplained: found.counts.unexplained(),
            },
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let hex =
            |value: Option<u32>| value.map_or_else(|| "?".into(), |value| format!("0x{value:08x}"));
        for s in &self.subdevices {
            let _ = writeln!(
                text,
                "{:>3} 0x{:04x} {:<24} vendor {} product {} AL 0x{:02x} SYNC0 {}",
                s.subdevice,
                s.address,
                s.name.as_deref().unwrap_or("?"),
                hex(s.vendor_id),
                hex(s.product_code),
                s.al_status.unwrap_or(0),
                s.sync0_ns.map_or_else(
                    || "off".into(),
                    |ns| format!("{} us", f64::from(ns) / 1000.0)
                ),
            );
            for p in self
                .process_data
                .iter()
                .filter(|p| p.subdevice == s.subdevice)
            {
                let _ = writeln!(
                    text,
                    "      {:<14} 0x{:08x}.{} {} bits {}",
                    p.kind,
                    p.logical_address,
                    p.start_bit,
                    p.bits,
                    p.objects.join(" ")
                );
            }
        }
        for l in &self.logical {
            let period = l.period_ns.map_or_else(String::new, |ns| {
                format!(" every {} us", ns as f64 / 1000.0)
            });
            let _ = writeln!(
                text,
                "{} 0x{:08x} {} bytes, {} times{period}: working counter {} expected, seen {:?}",
                l.command,
                l.logical_address,
                l.length,
                l.count,
                l.expected_working_counter,
                l.working_counters
            );
        }
        let f = &self.summary.frames;
        let _ = write!(
            text,
            "{} frames: {} out, {} back, {} late, {} duplicate, {} unanswered, {} under way at the end, {} from before; {} of other protocols {:?}, {} other EtherCAT\n{} unexplained: {} answers to nothing, {} cut short, {} malformed",
            f.all,
            f.outbound,
            f.returned,
            f.late,
            f.duplicate,
            f.unanswered,
            f.under_way,
            f.before,
            f.foreign,
            f.protocols,
            f.other_ethercat,
            self.summary.unexplained,
            f.orphan,
            f.truncated,
            f.malformed
        );
        text
    }
}

impl SubDeviceLine {
    fn of(subdevice: usize, station: &Station, reference: Option<u16>) -> Self {
        let (sii, mailbox) = (&station.sii, &station.mailbox);
        Self {
            r#type: "subdevice",
            subdevice,
            position: station.position,
            address: station.address,
            name: mailbox.name().or_else(|| sii.name()),
            vendor_id: sii.vendor_id(),
            product_code: sii.product_code(),
            revision: sii.revision(),
            serial: sii.serial(),
            al_status: station.al.map(|(status, _)| status),
            al_code: station.al.map(|(_, code)| code),
            sync0_ns: station.sync0_ns(),
            reference_clock: reference == Some(station.address),
            sdo_transfers: mailbox.transfers,
            sdo_aborts: mailbox.aborts,
            emergencies: mailbox.emergencies,
        }
    }
}

impl ProcessDataLine {
    fn of(piece: &Mapped) -> Self {
        let object = |(index, subindex, bits): &(u16, u8, u8)| {
            format!("0x{index:04X}:{subindex:02X}/{bits}")
        };
        Self {
            r#type: "process_data",
            subdevice: piece.station,
            kind: match piece.direction {
                _ if piece.is_mailbox_status() => "mailbox_status",
                Direction::Input => "input",
                Direction::Output => "output",
            },
            logical_address: piece.logical_bit / 8,
            start_bit: piece.logical_bit % 8,
            bits: piece.bits,
            sync_manager: piece.sync_manager,
            objects: piece.objects.iter().map(object).collect(),
        }
    }
}

impl LogicalLine {
    fn of(known: &Logical) -> Self {
        Self {
            r#type: "logical",
            command: match known.command {
                c::LRD => "LRD",
                c::LWR => "LWR",
                _ => "LRW",
            },
            logical_address: known.address,
            length: known.length,
            count: known.count,
            period_ns: known.period_ns(),
            expected_working_counter: known.expected,
            working_counters: known.seen.clone(),
            as_implied: known.as_implied,
        }
    }
}

impl Frames {
    fn of(counts: &FrameCounts) -> Self {
        Self {
            all: counts.frames,
            outbound: counts.outbound,
            returned: counts.returned,
            late: counts.late,
            duplicate: counts.duplicate,
            unanswered: counts.unanswered,
            under_way: counts.under_way,
            before: counts.before,
            orphan: counts.orphan,
            truncated: counts.truncated,
            malformed: counts.malformed,
            other_ethercat: counts.other_ethercat,
            foreign: counts.foreign,
            protocols: (counts.protocols.iter())
                .map(|(protocol, count)| (format!("0x{protocol:04x}"), *count))
                .collect(),
        }
    }
}
