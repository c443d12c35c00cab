//! What the cycle hands over during a run is written by the thread; a disk that takes nothing is said once and stops no run.

use super::super::book::Owner;
use super::*;
use crate::names::Names;
use crate::plan::PlanStore;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What was said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A run whose cycle has two copies made; none is given at its end. Returns what stopping says.
fn run(state: &Path, said: &Said, rounds: u32) -> Option<String> {
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let plan = PlanStore::new(&machine);
    let info = Arc::new(RunInfo::new(Names::of(&machine), plan.hash(), 1.0, 0));
    let output = Output::new(false, false, Box::new(said.clone()));
    let options = Options {
        state: state.to_owned(),
        simulated: true,
        ..Options::default()
    };
    let (mut sender, mut keeper) = Keeper::open(&machine, &options, &info, &output).unwrap();
    let mut memory = plan.state();
    keeper.put_back(&mut memory, &output);
    keeper.start().unwrap();
    let pipeline = plan.pipeline(&mut memory);
    // Nothing is copied before it is due.
    (0..100).for_each(|n| sender.cycle(&pipeline, n));
    assert!(sender.copying.is_none() && sender.free.ready());
    for round in 0..rounds {
        // The thread gives the buffer back once it is written.
        while !sender.free.ready() {
            std::thread::yield_now();
        }
        sender.soon();
        (0..20).for_each(|n| sender.cycle(&pipeline, u64::from(round) * EVERY_NS + n));
    }
    drop(sender);
    keeper.stop(None)
}

#[test]
fn what_the_cycle_hands_over_is_written_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let said = Said::default();
    assert_eq!(run(folder.path(), &said, 2), None);
    assert_eq!(said.text(), "");
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let owner = Owner::of(&machine, machine.simulation.map(|s| s.machine_seed));
    assert!(
        Book::read(&owner.path(folder.path()), &owner)
            .unwrap()
            .is_some()
    );
    assert_eq!(run(folder.path(), &said, 0), None);
    let text = said.text();
    assert!(text.contains("axes and presses: 9, stations: 1"), "{text}");
}

#[test]
fn a_disk_that_takes_nothing_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let said = Said::default();
    assert_eq!(run(&folder.path().join("gone"), &said, 3), None);
    let text = said.text();
    assert_eq!(text.matches("health is not kept in").count(), 1, "{text}");
}

#[test]
fn a_file_of_an_earlier_version_is_said_until_there_is_one_of_this() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("health-press_cell-simulated.bin");
    std::fs::write(&old, "twinstep health\n...").unwrap();
    for (rounds, says) in [(0, 1), (1, 1), (0, 0)] {
        let said = Said::default();
        assert_eq!(run(folder.path(), &said, rounds), None);
        let text = said.text();
        let told = format!("{} is of an earlier version", old.display());
        assert_eq!(text.matches(&told).count(), says, "{text}");
    }
    assert!(old.exists());
}

#[test]
fn what_goes_on_is_never_without_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let said = Said::default();
    assert_eq!(run(folder.path(), &said, 1), None);
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let owner = Owner::of(&machine, machine.simulation.map(|s| s.machine_seed));
    let path = owner.path(folder.path());
    let old = std::fs::read(&path).unwrap();
    // The new file cannot be made: the same as being killed before it is.
    std::fs::create_dir(with(&path, ".new")).unwrap();
    machine.axes[1].name = "somebody".to_owned();
    let plan = PlanStore::new(&machine);
    let info = Arc::new(RunInfo::new(Names::of(&machine), plan.hash(), 1.0, 0));
    let output = Output::new(false, false, Box::new(said.clone()));
    let options = Options {
        state: folder.path().to_owned(),
        simulated: true,
        ..Options::default()
    };
    let (_sender, mut keeper) = Keeper::open(&machine, &options, &info, &output).unwrap();
    keeper.put_back(&mut plan.state(), &output);
    assert_eq!(std::fs::read(&path).unwrap(), old, "{}", said.text());
    assert_eq!(std::fs::read(with(&path, ASIDE)).unwrap(), old);
}

/// A disk of a megabyte that is full; it goes with this.
struct FullDisk(tempfile::TempDir);

impl FullDisk {
    /// None where nobody may mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = std::process::Command::new("mount")
            .args(mount)
            .arg(folder.path())
            .output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        mounted.then_some(Self(folder))
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let full = std::iter::repeat_with(|| file.write_all(&[0; 4096])).find(Result::is_err);
        assert!(full.is_some());
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg(self.0.path())
            .status();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_is_said() {
    let Some(disk) = FullDisk::mount() else {
        eprintln!("skipped: nobody may mount a file system here");
        return;
    };
    let said = Said::default();
    assert_eq!(run(disk.0.path(), &said, 1), None);
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let owner = Owner::of(&machine, machine.simulation.map(|s| s.machine_seed));
    let path = owner.path(disk.0.path());
    let old = std::fs::read(&path).unwrap();
    disk.fill();
    machine.axes[1].name = "somebody".to_owned();
    let plan = PlanStore::new(&machine);
    let info = Arc::new(RunInfo::new(Names::of(&machine), plan.hash(), 1.0, 0));
    let output = Output::new(false, false, Box::new(said.clone()));
    let options = Options {
        state: disk.0.path().to_owned(),
        simulated: true,
        ..Options::default()
    };
    let (sender, mut keeper) = Keeper::open(&machine, &options, &info, &output).unwrap();
    let mut memory = plan.state();
    keeper.put_back(&mut memory, &output);
    let read = || [path.clone(), with(&path, ASIDE)].map(|path| std::fs::read(path).unwrap());
    assert_eq!(read(), [old.clone(), old.clone()]);
    let text = said.text();
    assert!(
        text.contains("health is not kept in") && text.contains("No space left"),
        "{text}"
    );
    assert!(!with(&path, ".new").exists(), "half a file takes room");
    // Once there is room, this run is kept, and what it did not go on with is still aside.
    std::fs::remove_file(disk.filler()).unwrap();
    let last = sender.copy_all(&plan.pipeline(&mut memory));
    assert_eq!(keeper.stop(Some(&last)), None);
    assert!(Book::read(&path, &owner).unwrap().is_some());
    let [now, aside] = read();
    assert!(now != old && aside == old);
}

#[test]
fn what_is_not_put_back_stays_aside_and_the_rest_is_in_its_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let said = Said::default();
    assert_eq!(run(folder.path(), &said, 1), None);
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let owner = Owner::of(&machine, machine.simulation.map(|s| s.machine_seed));
    let path = owner.path(folder.path());
    let old = std::fs::read(&path).unwrap();
    machine.axes[1].name = "somebody".to_owned();
    let plan = PlanStore::new(&machine);
    let info = Arc::new(RunInfo::new(Names::of(&machine), plan.hash(), 1.0, 0));
    let output = Output::new(false, false, Box::new(said.clone()));
    let options = Options {
        state: folder.path().to_owned(),
        simulated: true,
        ..Options::default()
    };
    let (_sender, mut keeper) = Keeper::open(&machine, &options, &info, &output).unwrap();
    keeper.put_back(&mut plan.state(), &output);
    assert_eq!(std::fs::read(with(&path, ASIDE)).unwrap(), old);
    // Nothing of this run has been written yet: the process may end here.
    let kept = Book::read(&path, &owner).unwrap().unwrap();
    let mut state = plan.state();
    let done = kept.clone().put_back(&info.names, &mut state);
    assert_eq!((done.axes, done.gone), (8, vec![]), "{}", said.text());
}
