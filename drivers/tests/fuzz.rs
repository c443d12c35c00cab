//! Whatever is on the wire: frames and mailbox messages of the corpus, changed at random, meet the segment, the MainDevice and the
//! tap; and EEPROM images of devices described here, changed likewise, become SubDevices.
//!
//! `cargo test -p twinstep-drivers --test fuzz` makes a short run. `TWINSTEP_FUZZ_ROUNDS=N` makes a longer one, and
//! `TWINSTEP_FUZZ_SEED=S` another; the seed is printed. What was found becomes a file of the corpus, which every run tries first.
//! The corpus was recorded here (`the_corpus_has_what_a_start_up_sends`) and holds nothing of any real device.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "fuzz/published.rs"]
mod published;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use twinstep_config::machine::{Machine, PdoEntry, SiiFile};
use twinstep_drivers::bus::Bus;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::link::{Link, LinkError, MAX_FRAME};
use twinstep_drivers::rng::Rng;
use twinstep_drivers::segment::sii_image::SiiImage;
use twinstep_drivers::segment::{Description, Identity, Segment};
use twinstep_drivers::tap::learn::MAX_STATIONS;
use twinstep_drivers::tap::report::report;
use twinstep_drivers::tap::source::{FrameSource, Heard, Next, TapError, Way};

/// Changed inputs of a short run.
const ROUNDS: u64 = 20_000;
const HEADERS: usize = 16;
const MAILBOX: u16 = 0x1000;
const MAILBOX_BYTES: usize = 128;

fn rounds() -> u64 {
    let rounds = std::env::var("TWINSTEP_FUZZ_ROUNDS").ok();
    rounds.map_or(ROUNDS, |text| text.parse().unwrap())
}

fn rng(stream: u64) -> Rng {
    let seed = std::env::var("TWINSTEP_FUZZ_SEED").map_or(1, |text| text.parse().unwrap());
    println!("TWINSTEP_FUZZ_SEED={seed}");
    Rng::new(seed, stream)
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{name}: {} files", files.len());
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

fn below(rng: &mut Rng, end: usize) -> usize {
    (rng.next_u64() % end.max(1) as u64) as usize
}

/// Changes `bytes` a few times.
fn change(bytes: &mut Vec<u8>, all: &[Vec<u8>], rng: &mut Rng) {
    const TELLING: [u8; 8] = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, 0x10];
    for _ in 0..1 + below(rng, 6) {
        let at = below(rng, bytes.len());
        match below(rng, 8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << below(rng, 8),
            1 if !bytes.is_empty() => bytes[at] = rng.next_u64() as u8,
            2 if !bytes.is_empty() => bytes[at] = TELLING[below(rng, TELLING.len())],
            3 => bytes.truncate(at),
            4 => bytes.insert(at, rng.next_u64() as u8),
            5 if !bytes.is_empty() => drop(bytes.remove(at)),
            6 => {
                let other = &all[below(rng, all.len())];
                let from = below(rng, other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let piece: Vec<u8> = bytes
                    .iter()
                    .skip(at)
                    .take(1 + below(rng, 32))
                    .copied()
                    .collect();
                bytes.extend(piece);
            }
        }
    }
    bytes.truncate(MAX_FRAME);
}

fn machine() -> Machine {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    // Two drives and the station: all kinds of SubDevices, and nothing twice.
    let keep = |name: &str| ["infeed", "press", "gripper"].contains(&name);
    machine.axes.retain(|axis| keep(&axis.name));
    if let Some(bus) = &mut machine.bus {
        bus.subdevices.retain(|subdevice| keep(&subdevice.name));
    }
    machine
}

fn link() -> InProcess {
    let segment = Segment::new(&machine(), 1, 1).unwrap();
    InProcess::new(segment, Clock::virtual_from(1_000_000_000))
}

/// A frame with one datagram.
fn frame(command: u8, position: u16, offset: u16, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend_from_slice(&[0x02, 0, 0, 0, 0, 0, 0x88, 0xa4]);
    let length = data.len() as u16;
    frame.extend_from_slice(&((length + 12) | 0x1000).to_le_bytes());
    frame.extend_from_slice(&[command, 0]);
    frame.extend_from_slice(&position.to_le_bytes());
    frame.extend_from_slice(&offset.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(data);
    frame.extend_from_slice(&[0, 0]);
    frame
}

/// The working counter of a broadcast read of the type: all SubDevices are still there.
fn present(segment: &mut Segment, now_ns: u64) -> u16 {
    let mut ask = frame(7, 0, 0x0000, &[0]);
    assert!(segment.process(&mut ask, now_ns));
    u16::from_le_bytes([ask[HEADERS + 11], ask[HEADERS + 12]])
}

#[test]
fn no_frame_stops_the_segment() {
    let seeds = corpus("frames");
    let mut random = rng(1);
    let mut bus = EthercatBus::bring_up(link(), &machine()).unwrap();
    let now = bus.clock().now_ns();
    let segment = bus.link_mut().segment_mut();
    for round in 0..rounds() + seeds.len() as u64 {
        let mut bytes = seeds[round as usize % seeds.len()].clone();
        if round >= seeds.len() as u64 {
            change(&mut bytes, &seeds, &mut random);
        }
        let length = bytes.len();
        segment.process(&mut bytes, now + round * 10_000);
        assert_eq!(bytes.len(), length);
        if round % 64 == 0 {
            assert_eq!(present(segment, now + round * 10_000), 3, "round {round}");
        }
    }
}

#[test]
fn no_mailbox_message_stops_a_subdevice() {
    let seeds = corpus("mailbox");
    let mut random = rng(2);
    let mut bus = EthercatBus::bring_up(link(), &machine()).unwrap();
    let now = bus.clock().now_ns();
    let segment = bus.link_mut().segment_mut();
    let mut answered = 0;
    for round in 0..rounds() + seeds.len() as u64 {
        let mut bytes = seeds[round as usize % seeds.len()].clone();
        if round >= seeds.len() as u64 {
            change(&mut bytes, &seeds, &mut random);
        }
        bytes.resize(MAILBOX_BYTES, 0);
        let station = 0x1000 + (round % 3) as u16;
        let at = now + round * 10_000;
        segment.process(&mut frame(5, station, MAILBOX, &bytes), at);
        // Answers, and fragments that follow by themselves, are read until there are none.
        let mut reads = 0;
        loop {
            let mut read = frame(
                4,
                station,
                MAILBOX + MAILBOX_BYTES as u16,
                &[0; MAILBOX_BYTES],
            );
            segment.process(&mut read, at);
            let end = HEADERS + 10 + MAILBOX_BYTES;
            if read[end..] == [0, 0] {
                break;
            }
            reads += 1;
            answered += 1;
            let said = usize::from(u16::from_le_bytes([read[HEADERS + 10], read[HEADERS + 11]]));
            assert!(
                said + 6 <= MAILBOX_BYTES,
                "round {round}: a message of {said} bytes"
            );
            assert!(reads < 100, "round {round}: it never ends");
        }
    }
    assert!(answered > 1000, "{answered} answers");
}

/// A link whose answers are changed while `lies` is set, as no cable would: no check sequence stands guard here.
struct Liar {
    inner: InProcess,
    seeds: Vec<Vec<u8>>,
    rng: Rng,
    lies: Rc<RefCell<bool>>,
}

impl Link for Liar {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.inner.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        let Some(length) = self.inner.receive(buffer, deadline_ns)? else {
            return Ok(None);
        };
        if !*self.lies.borrow() || below(&mut self.rng, 3) > 0 {
            return Ok(Some(length));
        }
        let mut bytes = buffer[..length].to_vec();
        change(&mut bytes, &self.seeds, &mut self.rng);
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(Some(bytes.len()))
    }

    fn clock(&self) -> &Clock {
        self.inner.clock()
    }

    fn start_of_operation(&mut self) {
        self.inner.start_of_operation();
    }
}

#[test]
fn no_answer_stops_the_cycle_and_honest_ones_bring_everything_back() {
    let lies = Rc::new(RefCell::new(false));
    let liar = Liar {
        inner: link(),
        seeds: corpus("frames"),
        rng: rng(3),
        lies: Rc::clone(&lies),
    };
    let machine = machine();
    let mut bus = EthercatBus::bring_up(liar, &machine).unwrap();
    let mut image = bus.new_image();
    let mut next_ns = bus.next_cycle_ns();
    let mut good = 0;
    let honest = 3000;
    for round in 0..rounds() / 4 + honest {
        *lies.borrow_mut() = round < rounds() / 4;
        bus.clock().clone().wait_until_ns(next_ns);
        let before = next_ns;
        let whole = bus.exchange(&mut image, &mut || {}).is_ok();
        bus.acyclic(Duration::from_micros(100));
        assert!(
            bus.clock().now_ns() < before + 20_000_000,
            "round {round} took {} ns",
            bus.clock().now_ns() - before
        );
        next_ns = bus.clock().now_ns().max(next_ns + machine.cycle.period_ns);
        while bus.take_report().is_some() {}
        good = if whole && image.valid.iter().all(Result::is_ok) {
            good + 1
        } else {
            0
        };
    }
    assert!(
        good > 500,
        "{good} good cycles at the end: {:?}, {:?}",
        image.valid,
        bus.counters()
    );
}

/// Frames and mailbox messages of the corpus, changed, each with an answer whose data are changed too.
struct Wire {
    frames: Vec<Vec<u8>>,
    messages: Vec<Vec<u8>>,
    rng: Rng,
    answer: Option<Vec<u8>>,
    heard: u64,
    until: u64,
}

impl Wire {
    /// The next frame on its way out; the first ones switch the mailboxes on.
    fn sent(&mut self) -> Vec<u8> {
        const MANAGERS: [u8; 16] = [
            0x00, 0x10, 128, 0, 0x26, 0, 1, 0, 0x80, 0x10, 128, 0, 0x22, 0, 1, 0,
        ];
        let mut sent = match self.heard {
            0 => frame(2, 0, 0x0010, &[0x00, 0x10]),
            _ if self.heard % 4096 < 2 => frame(5, 0x1000, 0x0800, &MANAGERS),
            _ if below(&mut self.rng, 2) == 0 => {
                let mut message = self.messages[below(&mut self.rng, self.messages.len())].clone();
                if below(&mut self.rng, 2) == 0 {
                    change(&mut message, &self.messages, &mut self.rng);
                }
                message.resize(MAILBOX_BYTES, 0);
                frame(5, 0x1000, MAILBOX, &message)
            }
            _ => {
                let mut known = self.frames[below(&mut self.rng, self.frames.len())].clone();
                if below(&mut self.rng, 2) == 0 {
                    change(&mut known, &self.frames, &mut self.rng);
                }
                known
            }
        };
        if let Some(first) = sent.get_mut(6) {
            *first &= !2;
        }
        sent
    }

    /// What comes back of it: a working counter of 1, and now and then an answer of a mailbox.
    fn answer(&mut self, sent: &[u8]) -> Vec<u8> {
        let mut answer = sent.to_vec();
        let end = answer.len();
        if end < HEADERS + 12 {
            return answer;
        }
        answer[6] |= 2;
        answer[end - 2] = 1;
        if below(&mut self.rng, 4) == 0 {
            let at = HEADERS + 10 + below(&mut self.rng, end - HEADERS - 12);
            answer[at] = self.rng.next_u64() as u8;
        }
        answer
    }
}

impl FrameSource for Wire {
    fn next(&mut self, buffer: &mut [u8], _: u64) -> Result<Next, TapError> {
        if self.heard == self.until {
            return Ok(Next::End);
        }
        let bytes = match self.answer.take() {
            Some(answer) => answer,
            None => {
                let mut sent = self.sent();
                // Mailboxes are read as often as they are written.
                let mailbox = sent.get(20..22) == Some(&MAILBOX.to_le_bytes());
                if self.heard % 4 == 2 && mailbox && sent.len() > HEADERS + MAILBOX_BYTES {
                    sent[16] = 4;
                    sent[20] = 0x80;
                    // Requests become responses.
                    sent[HEADERS + 10 + 7] = 3 << 4;
                }
                self.answer = Some(self.answer(&sent));
                sent
            }
        };
        self.heard += 1;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(Next::Frame(Heard {
            length: bytes.len(),
            wire_length: bytes.len(),
            time_ns: self.heard * 1000,
            way: Way::Both,
        }))
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[test]
fn nothing_on_the_wire_stops_a_tap() {
    let mut wire = Wire {
        frames: corpus("frames"),
        messages: corpus("mailbox"),
        rng: rng(4),
        answer: None,
        heard: 0,
        until: 2 * rounds(),
    };
    let found = report(&mut wire).unwrap();
    assert_eq!(found.counts.frames, 2 * rounds());
    assert!(found.learner.stations().len() <= MAX_STATIONS);
    let transfers: u64 = (found.learner.stations().iter())
        .map(|station| station.mailbox.transfers)
        .sum();
    assert!(
        transfers > 10,
        "{transfers} transfers: mailboxes were not followed"
    );
}

/// Records a start-up: most kinds of its frames are in the corpus. With `TWINSTEP_MAKE_CORPUS=1` the first frame of every kind
/// is written there, and the mailbox messages.
#[test]
fn the_corpus_has_what_a_start_up_sends() {
    struct Recorder(InProcess, Rc<RefCell<BTreeMap<Vec<u8>, Vec<u8>>>>);
    impl Link for Recorder {
        fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
            let mut all = self.1.borrow_mut();
            // A kind: command, register and length of the first datagram.
            let kind = [&frame[16..17], &frame[20..24]].concat();
            all.entry(kind).or_insert_with(|| frame.to_vec());
            self.0.send(frame)
        }
        fn receive(&mut self, buffer: &mut [u8], until: u64) -> Result<Option<usize>, LinkError> {
            self.0.receive(buffer, until)
        }
        fn clock(&self) -> &Clock {
            self.0.clock()
        }
    }
    let all = Rc::new(RefCell::new(BTreeMap::new()));
    let mut bus = EthercatBus::bring_up(Recorder(link(), Rc::clone(&all)), &machine()).unwrap();
    assert!(bus.shutdown());
    let name = |kind: &[u8]| -> String {
        let hex: String = kind.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}.bin")
    };
    if std::env::var_os("TWINSTEP_MAKE_CORPUS").is_none() {
        let all = all.borrow();
        let known = all
            .keys()
            .filter(|kind| folder("frames").join(name(kind)).is_file());
        let (known, kinds) = (known.count(), all.len());
        assert!(
            5 * known >= 4 * kinds,
            "{known} of {kinds} kinds: TWINSTEP_MAKE_CORPUS=1 records them"
        );
        return;
    }
    for (kind, frame) in all.borrow().iter() {
        std::fs::write(folder("frames").join(name(kind)), frame).unwrap();
    }
    let coe = |service: u8, rest: &[u8]| {
        let mut bytes = ((rest.len() + 2) as u16).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 0x13, 0, service << 4]);
        bytes.extend_from_slice(rest);
        bytes
    };
    let messages: [(&str, Vec<u8>); 11] = [
        ("upload", coe(2, &[0x40, 0x18, 0x10, 1, 0, 0, 0, 0])),
        ("upload_long", coe(2, &[0x40, 0x08, 0x10, 0, 0, 0, 0, 0])),
        (
            "upload_complete",
            coe(2, &[0x50, 0x18, 0x10, 0, 0, 0, 0, 0]),
        ),
        ("upload_segment", coe(2, &[0x60, 0, 0, 0, 0, 0, 0, 0])),
        ("download", coe(2, &[0x2f, 0x60, 0x60, 0, 8, 0, 0, 0])),
        (
            "download_long",
            coe(2, &[0x21, 0x7a, 0x60, 0, 4, 0, 0, 0, 1, 2, 3, 4]),
        ),
        ("download_segment", coe(2, &[0x01, 1, 2, 3, 4, 5, 6, 7])),
        ("abort", coe(2, &[0x80, 0x18, 0x10, 1, 0, 0, 4, 5])),
        ("list", coe(8, &[1, 0, 0, 0, 1, 0])),
        ("object", coe(8, &[3, 0, 0, 0, 0x41, 0x60])),
        ("entry", coe(8, &[5, 0, 0, 0, 0x41, 0x60, 0, 0])),
    ];
    for (name, bytes) in messages {
        std::fs::write(folder("mailbox").join(format!("{name}.bin")), bytes).unwrap();
    }
}

/// What a drive, a station and a small device have in their EEPROM.
fn eeproms() -> Vec<Vec<u8>> {
    let entries = |index: u16, count: u8| -> Vec<PdoEntry> {
        let entry = |subindex| PdoEntry {
            index,
            subindex,
            bits: 8,
        };
        (1..=count).map(entry).collect()
    };
    let identity = Identity {
        vendor_id: 1,
        product_code: 2,
        revision: 3,
        serial: 4,
    };
    [(0, 0), (1, 3), (8, 8), (40, 60)]
        .map(|(outputs, inputs)| {
            let (outputs, inputs) = (entries(0x7000, outputs), entries(0x6000, inputs));
            let mut eeprom = Description::new("fuzz", identity, outputs, inputs).eeprom;
            // Less of what is empty, more of what tells.
            eeprom.truncate(1200);
            eeprom
        })
        .to_vec()
}

#[test]
fn eeproms_do_no_harm() {
    let all = eeproms();
    let mut rng = rng(3);
    let (mut read, mut built) = (0, 0);
    let mut base = machine();
    if let Some(bus) = &mut base.bus {
        bus.subdevices.truncate(1);
    }
    for _ in 0..rounds() / 10 {
        let mut bytes = all[below(&mut rng, all.len())].clone();
        change(&mut bytes, &all, &mut rng);
        if SiiImage::parse(&bytes).is_err() {
            continue;
        }
        read += 1;
        let mut machine = base.clone();
        if let Some(device) = machine
            .bus
            .as_mut()
            .and_then(|bus| bus.subdevices.first_mut())
        {
            let path = String::new();
            device.sii = Some(SiiFile { path, bytes });
        }
        let Ok(mut segment) = Segment::new(&machine, 1, 1) else {
            continue;
        };
        built += 1;
        // Everything is written with the same bytes, asked for OP, and read back.
        let byte = rng.next_u64() as u8;
        for (at, (command, offset, data)) in [
            (8, 0x0600, vec![byte; 256]),
            (8, 0x0800, vec![byte; 128]),
            (8, 0x0120, vec![2, 0]),
            (8, 0x0120, vec![4, 0]),
            (8, 0x0120, vec![8, 0]),
            (8, 0x0f00, vec![byte; 1024]),
            (12, 0x0000, vec![byte; 1024]),
            (7, 0x0000, vec![0; 1400]),
            (7, 0x1000, vec![0; 1400]),
        ]
        .into_iter()
        .enumerate()
        {
            let mut frame = frame(command, 0, offset, &data);
            assert!(segment.process(&mut frame, 1_000_000 * (at as u64 + 1)));
        }
        segment.advance(1_000_000_000);
    }
    assert!(read > 0 && built > 0, "{read} images read, {built} built");
    println!("{read} images read, {built} SubDevices built");
}
