//! Writes such files.

use super::super::error::{Problem, RecordingError};
use super::super::store::{Head, encode};
use super::{
    CHECKPOINTS, CHUNK_BYTES, CHUNK_NS, COMMANDS, CONFIGURATION, Checkpoint, DIGESTS, END, EVENTS,
    FORM, METADATA, PROCESS_DATA, SI_INTERVAL_NS, SI_MESSAGES_PER_S, schema,
};
use crate::bus::{BusFault, ProcessImage};
use crate::object_map::{ObjectMap, outcome};
use mcap::records::{MessageHeader, Metadata};
use mcap::write::NoSeek;
use mcap::{Attachment, Compression, McapError, WriteOptions, Writer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use twinstep_config::machine::Machine;
use twinstep_models::sample::{CycleStamp, Missing, StationReading};

/// Pieces wait in a buffer of this size before they go to the file (bytes).
const BUFFER_BYTES: usize = 1 << 16;

/// What a file says of itself.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The configuration, as it was read.
    pub configuration: String,
    /// More of the run: `version`, `plan`, `machine`, `seed`, ... Kept under these names.
    pub facts: BTreeMap<String, String>,
    /// The form of the checkpoints' bytes; none where there will be no checkpoint.
    pub checkpoints: Option<String>,
}

/// Counts what goes into the file.
#[derive(Debug)]
struct Counted {
    file: BufWriter<File>,
    bytes: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a run into an MCAP file.
pub struct McapWriter {
    path: PathBuf,
    writer: Writer<NoSeek<Counted>>,
    bytes: Arc<AtomicU64>,
    sizes: [usize; 3],
    map: ObjectMap,
    process_data: u16,
    events: u16,
    commands: u16,
    digests: u16,
    checkpoints: Option<u16>,
    axes: Vec<u16>,
    stations: Vec<u16>,
    readings: Vec<Result<StationReading, Missing>>,
    /// Shortest time between two messages in SI units (ns).
    si_interval_ns: u64,
    next_si_ns: u64,
    message: Vec<u8>,
    unflushed: bool,
    flushes: u64,
    /// Time of the cycle that the chunk began with (ns); none where it has none yet.
    chunk_ns: Option<u64>,
}

impl McapWriter {
    /// Creates the file, or empties it, and writes what stands in front.
    ///
    /// # Errors
    /// [`RecordingError`] when the machine has no bus or the file cannot be written.
    pub fn create(
        path: impl AsRef<Path>,
        machine: &Machine,
        description: &Description,
    ) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let map = ObjectMap::new(machine)
            .map_err(|error| RecordingError::new(path, Problem::Map(error)))?;
        if machine.bus.is_none() {
            return Err(RecordingError::new(path, Problem::NoBus));
        }
        if path.is_dir() {
            return Err(RecordingError::new(path, Problem::Directory));
        }
        let file =
            File::create(path).map_err(|error| RecordingError::new(path, Problem::Io(error)))?;
        let bytes = Arc::new(AtomicU64::new(0));
        let file = Counted {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            bytes: Arc::clone(&bytes),
        };
        Self::begin(path, machine, description, map, file, bytes)
            .map_err(|error| RecordingError::new(path, problem(error)))
    }

    fn begin(
        path: &Path,
        machine: &Machine,
        description: &Description,
        map: ObjectMap,
        file: Counted,
        bytes: Arc<AtomicU64>,
    ) -> Result<Self, McapError> {
        let mut writer = WriteOptions::new()
            .compression(Some(Compression::Zstd))
            .compression_level(1)
            // By the thread that writes: others would keep the rights of whoever opened the file, and stand on any core.
            .compression_threads(0)
            .chunk_size(Some(CHUNK_BYTES))
            // A chunk is written as a whole, never patched: what a crash leaves is readable.
            .disable_seeking(true)
            .library(format!("twinstep {}", env!("CARGO_PKG_VERSION")))
            .create(NoSeek::new(file))?;
        let mut facts = description.facts.clone();
        facts.insert("form".to_owned(), FORM.to_owned());
        facts.insert("machine".to_owned(), machine.name.clone());
        facts.insert("period_ns".to_owned(), machine.cycle.period_ns.to_string());
        writer.write_metadata(&Metadata {
            name: METADATA.to_owned(),
            metadata: facts,
        })?;
        writer.attach(&Attachment {
            log_time: 0,
            create_time: 0,
            name: CONFIGURATION.to_owned(),
            media_type: "application/toml".to_owned(),
            data: Cow::Borrowed(description.configuration.as_bytes()),
        })?;
        let none = BTreeMap::new();
        let mut channel = |topic: &str, name: &str, text: &str, json: bool| {
            let (schema, message) = if json {
                ("jsonschema", "json")
            } else {
                ("ros1msg", "ros1")
            };
            let schema = writer.add_schema(&format!("twinstep/{name}"), schema, text.as_bytes())?;
            writer.add_channel(schema, topic, message, &none)
        };
        let layout = map.layout();
        let fields = schema::process_data(layout);
        let process_data = channel(PROCESS_DATA, "ProcessData", &fields, false)?;
        let events = channel(EVENTS, "Event", schema::EVENT, true)?;
        let commands = channel(COMMANDS, "Command", schema::COMMAND, true)?;
        let digests = channel(DIGESTS, "Digest", schema::DIGEST, false)?;
        let axes = (map.axis_names().iter())
            .map(|name| channel(&format!("/axes/{name}"), "Axis", schema::AXIS, false))
            .collect::<Result<Vec<_>, _>>()?;
        let stations = (machine.stations.iter())
            .map(|one| {
                let topic = format!("/stations/{}", one.name);
                channel(&topic, "Station", schema::STATION, false)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let checkpoints = match &description.checkpoints {
            None => None,
            Some(form) => {
                let schema = writer.add_schema(
                    "twinstep/Checkpoint",
                    "x-twinstep-serde",
                    form.as_bytes(),
                )?;
                Some(writer.add_channel(schema, CHECKPOINTS, "x-twinstep-postcard", &none)?)
            }
        };
        let sizes = [
            layout.subdevices.len(),
            layout.output_bytes,
            layout.input_bytes,
        ];
        let sources = (axes.len() + stations.len()) as u64;
        let mut all = Self {
            path: path.to_owned(),
            writer,
            bytes,
            sizes,
            process_data,
            events,
            commands,
            digests,
            checkpoints,
            readings: vec![Err(Missing::NoFrame); stations.len()],
            axes,
            stations,
            si_interval_ns: SI_INTERVAL_NS.max(sources * 1_000_000_000 / SI_MESSAGES_PER_S),
            next_si_ns: 0,
            message: Vec::new(),
            unflushed: true,
            flushes: 0,
            chunk_ns: None,
            map,
        };
        all.writer.flush()?;
        Ok(all)
    }

    /// Writes one cycle at the time of day `utc_ns`: how the exchange ended, and the image after it. The end of the source is
    /// no cycle and writes nothing.
    ///
    /// # Errors
    /// [`RecordingError`] when the file cannot be written or the image is not this machine's.
    pub fn write(
        &mut self,
        utc_ns: u64,
        stamp: &CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> Result<(), RecordingError> {
        if [image.valid.len(), image.outputs.len(), image.inputs.len()] != self.sizes {
            return Err(RecordingError::new(&self.path, Problem::ImageSize));
        }
        let Some(head) = Head::of(stamp, result, image) else {
            return Ok(());
        };
        let stamp = head.stamp;
        let mut message = core::mem::take(&mut self.message);
        message.clear();
        encode(&head, image, &mut message);
        if self.map.is_told_by_controller() {
            message.extend(<[u8; 3]>::from(image.conditions));
        }
        let written = self.put(self.process_data, stamp.cycle, utc_ns, &message);
        self.message = message;
        written?;
        if stamp.time_ns >= self.next_si_ns {
            self.next_si_ns = stamp.time_ns.saturating_add(self.si_interval_ns);
            self.si(utc_ns, stamp.cycle, result, image)?;
        }
        // Time that goes back ends a chunk too.
        let begun_ns = *self.chunk_ns.get_or_insert(stamp.time_ns);
        if stamp.time_ns.abs_diff(begun_ns) >= CHUNK_NS {
            self.flush()?;
        }
        Ok(())
    }

    /// The same in SI units.
    fn si(
        &mut self,
        utc_ns: u64,
        cycle: u64,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> Result<(), RecordingError> {
        let exchange = outcome(result);
        let mut message = core::mem::take(&mut self.message);
        for n in 0..self.axes.len() {
            let valid = (self.map.axis_subdevice(n))
                .and_then(|device| image.valid.get(device))
                .is_some_and(Result::is_ok)
                && exchange.is_ok();
            let raw = self.map.raw_axis(image, n).filter(|_| valid);
            message.clear();
            message.extend(cycle.to_le_bytes());
            message.push(u8::from(raw.is_some()));
            let values = raw.map_or([f64::NAN; 4], |raw| {
                [
                    raw.target_m,
                    raw.position_m,
                    raw.velocity_m_per_s,
                    raw.current_a,
                ]
            });
            message.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            self.put(self.axes[n], cycle, utc_ns, &message)?;
        }
        self.map.read(image, exchange, &mut [], &mut self.readings);
        for n in 0..self.stations.len() {
            let reading = self.readings[n].ok();
            message.clear();
            message.extend(cycle.to_le_bytes());
            message.push(u8::from(reading.is_some()));
            let pressure_pa = reading.map_or(f64::NAN, |reading| reading.pressure_pa);
            message.extend(pressure_pa.to_le_bytes());
            let valves = reading.map_or([false; 2], |r| [r.ejector_on, r.blow_off]);
            message.extend(valves.map(u8::from));
            self.put(self.stations[n], cycle, utc_ns, &message)?;
        }
        self.message = message;
        Ok(())
    }

    /// Writes a stored event, as its line of JSON.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn event(&mut self, utc_ns: u64, cycle: u64, json: &str) -> Result<(), RecordingError> {
        self.put(self.events, cycle, utc_ns, json.as_bytes())
    }

    /// Writes what the operator told the run, as JSON.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn command(&mut self, utc_ns: u64, cycle: u64, json: &str) -> Result<(), RecordingError> {
        self.put(self.commands, cycle, utc_ns, json.as_bytes())
    }

    /// Writes the digest after a cycle.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn digest(&mut self, utc_ns: u64, cycle: u64, digest: u64) -> Result<(), RecordingError> {
        let mut message = [0; 16];
        message[..8].copy_from_slice(&cycle.to_le_bytes());
        message[8..].copy_from_slice(&digest.to_le_bytes());
        self.put(self.digests, cycle, utc_ns, &message)
    }

    /// Writes a part of the twins' state. A file that was begun without their form takes none.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn checkpoint(&mut self, utc_ns: u64, part: &Checkpoint) -> Result<(), RecordingError> {
        let Some(channel) = self.checkpoints else {
            return Ok(());
        };
        let mut message = core::mem::take(&mut self.message);
        message.clear();
        part.encode(&mut message);
        let written = self.put(channel, part.cycle, utc_ns, &message);
        self.message = message;
        written
    }

    fn put(
        &mut self,
        channel_id: u16,
        cycle: u64,
        utc_ns: u64,
        message: &[u8],
    ) -> Result<(), RecordingError> {
        let header = MessageHeader {
            channel_id,
            sequence: cycle as u32,
            log_time: utc_ns,
            publish_time: utc_ns,
        };
        self.unflushed = true;
        let written = self.writer.write_to_known_channel(&header, message);
        written.map_err(|error| RecordingError::new(&self.path, problem(error)))
    }

    /// Ends the chunk and hands it to the system, so that nothing up to here is lost when the process dies.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        if !core::mem::take(&mut self.unflushed) {
            return Ok(());
        }
        self.chunk_ns = None;
        self.flushes += 1;
        (self.writer.flush()).map_err(|error| RecordingError::new(&self.path, problem(error)))
    }

    /// How many chunks were handed over before they were full.
    pub fn flushes(&self) -> u64 {
        self.flushes
    }

    /// Bytes in the file so far; a chunk counts once it is written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `facts` of the run's end, the indexes, and waits until the disk has all of it.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self, facts: &BTreeMap<String, String>) -> Result<(), RecordingError> {
        let wrong = |error| RecordingError::new(&self.path, problem(error));
        let end = Metadata {
            name: END.to_owned(),
            metadata: facts.clone(),
        };
        self.writer.write_metadata(&end).map_err(wrong)?;
        self.writer.finish().map_err(wrong)?;
        let file = File::open(&self.path).and_then(|file| file.sync_all());
        file.map_err(|error| RecordingError::new(&self.path, Problem::Io(error)))
    }
}

/// An error of the format's library.
pub(super) fn problem(error: McapError) -> Problem {
    match error {
        McapError::Io(error) => Problem::Io(error),
        other => Problem::Container(other.to_string()),
    }
}
