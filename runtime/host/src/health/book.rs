//! The book: health of a machine as it stands in its file between two runs.
//!
//! | bytes | what |
//! |---|---|
//! | 16 | `twinstep health` and a line feed |
//! | 32 | SHA-256 of all that follows |
//! | rest | in the form of `postcard`: a head (form, version, whose it is), then axes and presses by name, then stations by name, then what the strokes of presses say by name, with the names of parts and recipes |
//!
//! The head keeps its form. Everything behind it is read only where the head says that its form is that of this program, or the one before
//! it, which had nothing of strokes.

use crate::control::file_name;
use crate::control::health::HealthBuffer;
use crate::names::Names;
use crate::plan::StateStore;
use crate::record::checkpoint::hash_of;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use twinstep_config::machine::Machine;
use twinstep_cycle::event::Source;
use twinstep_cycle::health::{AxisHealth, PressHealth, StationHealth, Usage};
use twinstep_models::sample::Context;

/// How a file begins.
const MAGIC: &[u8; 16] = b"twinstep health\n";
/// Bytes of the checksum.
const SUM: usize = 32;
/// Most bytes of a file: three times what a machine of 1024 axes and 64 stations has, and room for some 350 presses whose strokes have met all
/// the parts that are followed.
pub const MAX_BYTES: u64 = 20 << 20;
/// What is added to the name of a file that could not be put back whole.
pub const ASIDE: &str = ".aside";

/// Whose health it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the machine.
    pub machine: String,
    /// Name of the bus, where the machine has several.
    pub bus: Option<String>,
    /// Seed of the machine, where it is a simulated one.
    pub simulated: Option<u64>,
}

/// What stands in front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Hash of the form of what follows.
    form: u64,
    /// Version of the program.
    version: String,
    owner: Owner,
}

/// Health of one axis, station or press.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept<T> {
    /// Time of its run, from the start (ns).
    time_ns: u64,
    health: T,
}

/// What the strokes of a press say. Of which part and recipe they were is kept by name: in the next run they may have other numbers. The form of
/// a file goes by what is in `health` alone ([`form`]): another field here needs another word there.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pressed {
    health: PressHealth,
    parts: Vec<String>,
    recipes: Vec<String>,
}

type Axes = BTreeMap<String, Kept<AxisHealth>>;
type Stations = BTreeMap<String, Kept<StationHealth>>;
type Presses = BTreeMap<String, Kept<Pressed>>;

/// See the module.
#[derive(Clone, Debug)]
pub struct Book {
    owner: Owner,
    axes: Axes,
    stations: Stations,
    presses: Presses,
}

/// What was put back of a book.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PutBack {
    /// Axes and presses that go on.
    pub axes: usize,
    /// Stations that go on.
    pub stations: usize,
    /// The longest that one of them was followed (h).
    pub hours: f64,
    /// What begins anew, because its twin is another one now.
    pub anew: Vec<String>,
    /// What the machine does not have any more: axes, presses, stations, and parts and recipes that a press was followed with.
    pub gone: Vec<String>,
}

impl Owner {
    /// That of a bus.
    pub fn of(machine: &Machine, simulated: Option<u64>) -> Self {
        Self {
            machine: machine.name.clone(),
            bus: machine.place.as_ref().map(|place| place.name.clone()),
            simulated,
        }
    }

    /// Its file in a state folder. What no file name can hold of the names is lost in it, so that a hash of them stands there too.
    pub fn path(&self, state: &Path) -> PathBuf {
        state.join(self.file(&format!("-{}", self.hash())))
    }

    fn file(&self, hash: &str) -> String {
        let bus = self.bus.as_ref().map(|bus| format!("-{}", file_name(bus)));
        let simulated = self.simulated.map_or("", |_| "-simulated");
        format!(
            "health-{}{}{hash}{simulated}.bin",
            file_name(&self.machine),
            bus.unwrap_or_default(),
        )
    }

    /// The file that earlier versions wrote for it, where there is one: its name has no hash. This version does not read it.
    pub fn earlier(&self, state: &Path) -> Option<PathBuf> {
        let earlier = state.join(self.file(""));
        earlier.is_file().then_some(earlier)
    }

    /// Of machine and bus, as eight digits.
    fn hash(&self) -> String {
        let mut sum = Sha256::new();
        sum.update(self.machine.as_bytes());
        if let Some(bus) = &self.bus {
            // No name holds it.
            sum.update([0]);
            sum.update(bus.as_bytes());
        }
        let sum = sum.finalize();
        sum.iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn text(&self) -> String {
        let bus = self.bus.as_ref().map(|bus| format!(", bus '{bus}'"));
        let simulated = self
            .simulated
            .map(|seed| format!(", simulated, machine seed {seed}"));
        format!(
            "'{}'{}{}",
            self.machine,
            bus.unwrap_or_default(),
            simulated.unwrap_or_default()
        )
    }
}

impl Book {
    /// An empty one.
    pub const fn new(owner: Owner) -> Self {
        Self {
            owner,
            axes: BTreeMap::new(),
            stations: BTreeMap::new(),
            presses: BTreeMap::new(),
        }
    }

    /// Takes a copy of the cycle in. What is missing in it stays as it was.
    pub fn take(&mut self, buffer: &HealthBuffer, names: &Names) {
        let time_ns = buffer.time_ns;
        for (n, health) in buffer.axes() {
            let health = health.clone();
            let name = names.source(Source::Axis(*n)).to_owned();
            self.axes.insert(name, Kept { time_ns, health });
        }
        for (n, health) in buffer.stations() {
            let health = health.clone();
            let name = names.source(Source::Station(*n)).to_owned();
            self.stations.insert(name, Kept { time_ns, health });
        }
        let [parts, recipes] = names.parts_and_recipes().map(<[String]>::to_vec);
        for (n, health) in buffer.presses() {
            let health = Pressed {
                health: health.clone(),
                parts: parts.clone(),
                recipes: recipes.clone(),
            };
            let name = names.source(Source::Axis(*n)).to_owned();
            self.presses.insert(name, Kept { time_ns, health });
        }
    }

    /// Puts health back where axis or station is the same; what is not is taken out of the book.
    pub fn put_back(&mut self, names: &Names, state: &mut StateStore) -> PutBack {
        let mut done = PutBack::default();
        let (axes, stations) = state.health_mut();
        done.axes = done.of(
            &mut self.axes,
            axes,
            |n| names.source(Source::Axis(n)),
            |to, from| to.resume(&from.health, from.time_ns).then(|| to.usage()),
        );
        done.stations = done.of(
            &mut self.stations,
            stations,
            |n| names.source(Source::Station(n)),
            |to, from| to.resume(&from.health, from.time_ns).then(|| to.usage()),
        );
        let presses = state.press_health_mut();
        let of_presses: Vec<&str> = (presses.iter())
            .map(|health| names.source(Source::Axis(health.axis())))
            .collect();
        // Whoever takes the limits out again asks for nothing any more: that is no news.
        for (health, name) in presses.iter().zip(&of_presses) {
            if !health.is_tracked() {
                self.presses.remove(*name);
            }
        }
        done.of(
            &mut self.presses,
            presses,
            |n| of_presses.get(usize::from(n)).copied().unwrap_or_default(),
            |to, from| {
                let now = |was| from.health.now(was, names);
                let resumed = to.resume(&from.health.health, from.time_ns, now);
                resumed.then(|| to.usage())
            },
        );
        for (name, kept) in &self.presses {
            done.gone.extend(kept.health.gone(name, names));
        }
        done
    }

    /// As bytes.
    ///
    /// # Errors
    /// What has no bytes, which no health of ours has.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let head = Head {
            form: form(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            owner: self.owner.clone(),
        };
        let rest = postcard::to_stdvec(&(head, &self.axes, &self.stations, &self.presses))
            .map_err(|error| error.to_string())?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&Sha256::digest(&rest));
        bytes.extend_from_slice(&rest);
        Ok(bytes)
    }

    /// Reads the health of `owner`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn decode(bytes: &[u8], owner: &Owner) -> Result<Self, String> {
        let damaged = |what: &str| format!("it is damaged: {what}");
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err("it does not begin as a file of health does".to_owned());
        };
        let Some((sum, rest)) = rest.split_at_checked(SUM) else {
            return Err(damaged("it ends within its checksum"));
        };
        if Sha256::digest(rest)[..] != *sum {
            return Err(damaged("its checksum is that of other bytes"));
        }
        let (head, rest) =
            postcard::take_from_bytes::<Head>(rest).map_err(|error| damaged(&error.to_string()))?;
        let with_presses = head.form == form();
        if !with_presses && head.form != form_before() {
            return Err(format!(
                "it is of another version of the twins: of twinstep {}, this is {}, and a field differs",
                head.version,
                env!("CARGO_PKG_VERSION")
            ));
        }
        if head.owner != *owner {
            return Err(format!(
                "it is the health of {}, and this is {}",
                head.owner.text(),
                owner.text()
            ));
        }
        let ((axes, stations), rest) = postcard::take_from_bytes::<(Axes, Stations)>(rest)
            .map_err(|error| damaged(&error.to_string()))?;
        let (presses, rest) = if with_presses {
            postcard::take_from_bytes::<Presses>(rest)
                .map_err(|error| damaged(&error.to_string()))?
        } else {
            (Presses::new(), rest)
        };
        if !rest.is_empty() {
            return Err(damaged(&format!("{} bytes are left over", rest.len())));
        }
        Ok(Self {
            owner: head.owner,
            axes,
            stations,
            presses,
        })
    }

    /// Reads a file; none where there is no file.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    pub fn read(path: &Path, owner: &Owner) -> Result<Option<Self>, String> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
            Ok(file) => file,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(format!("it is longer than {} MiB", MAX_BYTES >> 20));
        }
        Self::decode(&bytes, owner).map(Some)
    }

    /// Writes it beside `path` and puts it in its place once it is on the disk: a power cut leaves the old one or the new one.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let bytes = self.encode()?;
        let new = with(path, ".new");
        replace(&bytes, &new, path).map_err(|error| error.to_string())
    }
}

impl Pressed {
    /// What was known of parts and recipes that this machine does not have any more, as `PRESS with PART in RECIPE`.
    fn gone<'s>(&'s self, press: &'s str, names: &'s Names) -> impl Iterator<Item = String> + 's {
        let all = self.health.contexts();
        let gone = all.filter(move |was| self.now(*was, names).is_none());
        gone.map(move |was| {
            let mut text = press.to_owned();
            for (word, names, n) in [
                (" with ", &self.parts, was.part),
                (" in ", &self.recipes, was.recipe),
            ] {
                if let Some(name) = names.get(usize::from(n)) {
                    text.push_str(word);
                    text.push_str(name);
                }
            }
            text
        })
    }

    /// Which part and recipe of this machine those of then are, by their names; none that it does not have any more.
    fn now(&self, was: Context, names: &Names) -> Option<Context> {
        let find = |was: u8, then: &[String], now: &[String]| match then.get(usize::from(was)) {
            Some(name) => {
                let place = now.iter().position(|one| one == name)?;
                u8::try_from(place).ok()
            }
            // Where there is none to name, there is one.
            None => (then.is_empty() && now.is_empty()).then_some(was),
        };
        let [parts, recipes] = names.parts_and_recipes();
        Some(Context::of(
            find(was.recipe, &self.recipes, recipes)?,
            find(was.part, &self.parts, parts)?,
        ))
    }
}

impl PutBack {
    /// Axes, stations or strokes of presses: `resume` says what was used so far where one goes on. Returns how many do.
    fn of<'n, T, K>(
        &mut self,
        book: &mut BTreeMap<String, Kept<K>>,
        all: &mut [T],
        name: impl Fn(u16) -> &'n str,
        resume: impl Fn(&mut T, &Kept<K>) -> Option<Usage>,
    ) -> usize {
        let mut kept = std::mem::take(book);
        for (n, health) in (0..).zip(all) {
            let name = name(n);
            let Some(own) = kept.remove(name) else {
                continue;
            };
            match resume(health, &own) {
                Some(used) => {
                    self.hours = self.hours.max(used.hours);
                    book.insert(name.to_owned(), own);
                }
                None => say(&mut self.anew, name.to_owned()),
            }
        }
        for name in kept.into_keys() {
            say(&mut self.gone, name);
        }
        book.len()
    }
}

/// A press is in the book as an axis and by its strokes, and is said once.
fn say(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// The path with something added to its name.
pub fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Keeps what a file holds aside, where the file itself goes on being there: whatever happens, one of both is whole. An older one goes. Both
/// are names of one file until the next one takes its place, so that a disk without any room will do; where a file cannot have two names
/// it is copied.
///
/// # Errors
/// Why not.
pub fn keep_aside(path: &Path) -> io::Result<()> {
    let aside = with(path, ASIDE);
    let new = with(&aside, ".new");
    // What was not finished once.
    let _ = fs::remove_file(&new);
    if fs::hard_link(path, &new).is_err() {
        return replace(&fs::read(path)?, &new, &aside);
    }
    let renamed = fs::rename(&new, &aside);
    // It stays where the older one is the same file.
    let _ = fs::remove_file(&new);
    renamed?;
    sync_folder(path)
}

/// Puts a file aside: it has the name with [`ASIDE`] once this returns, also after a power cut. An older one goes.
///
/// # Errors
/// Why not; it then has its own name still, or both.
pub fn put_aside(path: &Path) -> io::Result<()> {
    fs::rename(path, with(path, ASIDE))?;
    sync_folder(path)
}

fn replace(bytes: &[u8], new: &Path, path: &Path) -> io::Result<()> {
    let write = || {
        let mut file = File::create(new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(new, path)
    };
    write().inspect_err(|_| {
        // Half a file takes room where there is none.
        let _ = fs::remove_file(new);
    })?;
    sync_folder(path)
}

/// A name is on the disk once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Hash of the form of what follows the head.
fn form() -> u64 {
    static FORM: OnceLock<u64> = OnceLock::new();
    *FORM.get_or_init(hash_of::<(Kept<AxisHealth>, Kept<StationHealth>, Kept<PressHealth>)>)
}

/// That of the form before it, which had nothing of strokes.
fn form_before() -> u64 {
    static FORM: OnceLock<u64> = OnceLock::new();
    *FORM.get_or_init(hash_of::<(Kept<AxisHealth>, Kept<StationHealth>)>)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
