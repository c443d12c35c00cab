use super::*;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn interrupts_are_moved_read_back_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("sys/class/net/eth0/device/msi_irqs")).unwrap();
    for irq in ["130", "131"] {
        fs::write(at("sys/class/net/eth0/device/msi_irqs").join(irq), "msix\n").unwrap();
        fs::create_dir_all(at("proc/irq").join(irq)).unwrap();
        fs::write(at("proc/irq").join(irq).join("smp_affinity_list"), "0-3\n").unwrap();
    }
    // One that belongs to a core and cannot be moved.
    fs::write(at("sys/class/net/eth0/device/msi_irqs/132"), "msix\n").unwrap();
    let asked = RealtimeNic {
        irq_core: Some(2),
        ..RealtimeNic::default()
    };
    let settings = Settings::apply_under(Root::folder(folder.path()), "eth0", &asked, &[]);
    let read =
        |irq: &str| fs::read_to_string(at("proc/irq").join(irq).join("smp_affinity_list")).unwrap();
    assert_eq!((read("130").as_str(), read("131").as_str()), ("2\n", "2\n"));
    assert_eq!(settings.refused.len(), 1, "{:?}", settings.refused);
    assert!(
        settings.refused[0].contains("interrupt 132"),
        "{:?}",
        settings.refused
    );
    drop(settings);
    assert_eq!(
        (read("130").as_str(), read("131").as_str()),
        ("0-3\n", "0-3\n")
    );
}

#[test]
fn what_a_killed_run_has_set_is_set_back_by_the_next_one() {
    let (folder, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |path: &str| folder.path().join(path);
    let folders = [notes.path().to_str().unwrap()];
    let affinity = at("proc/irq/140/smp_affinity_list");
    for port in ["eth0", "eth1"] {
        fs::create_dir_all(at("sys/class/net").join(port).join("device/msi_irqs/140")).unwrap();
    }
    fs::create_dir_all(at("proc/irq/140")).unwrap();
    fs::write(&affinity, "0-3\n").unwrap();
    let asked = RealtimeNic {
        irq_core: Some(2),
        ..RealtimeNic::default()
    };
    let root = Root::folder(folder.path());
    // Two ports share an interrupt: both know what the first one found.
    let apply = |port| Settings::apply_under(root.clone(), port, &asked, &folders);
    let mut both = ["eth0", "eth1"].map(apply);
    assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
    // Killed: locks go, and nothing is set back.
    moved::all().forget(&affinity);
    for settings in &mut both {
        settings.kept = None;
        settings.moved.clear();
    }
    drop(both);
    for port in ["eth1", "eth0"] {
        fs::write(&affinity, "2\n").unwrap();
        let note = in_this_namespace("nic", port);
        assert_eq!(
            left::give_back(&root, &folders, &note, port),
            Some(true),
            "{port}"
        );
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "0-3\n", "{port}");
        // In order nothing is left to set back.
        drop(apply(port));
        assert_eq!(
            left::give_back(&root, &folders, &note, port),
            None,
            "{port}"
        );
    }
}

#[test]
fn what_could_not_be_set_back_is_set_back_by_a_run_that_can() {
    let (folder, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |path: &str| folder.path().join(path);
    let folders = [notes.path().to_str().unwrap()];
    fs::create_dir_all(at("sys/class/net/eth0/device/msi_irqs/141")).unwrap();
    fs::create_dir_all(at("proc/irq/141")).unwrap();
    let path = "/proc/irq/141/smp_affinity_list";
    let affinity = at("proc/irq/141/smp_affinity_list");
    // A list of cores that nobody can write to, whatever his rights, and that is never core 7 alone.
    std::os::unix::fs::symlink("/sys/devices/system/cpu/online", &affinity).unwrap();
    // A run that was killed had moved the interrupt away from there.
    let note = in_this_namespace("nic", "eth0");
    let before = Before {
        coalescing: None,
        affinities: vec![(path.to_owned(), "7".to_owned())],
    };
    let mut kept = Kept::take(&folders, &note, true).unwrap();
    kept.keep(&before).unwrap();
    drop(kept);
    let root = Root::folder(folder.path());
    let back = || left::give_back(&root, &folders, &note, "eth0");
    assert_eq!(back(), Some(false));
    let asked = RealtimeNic {
        irq_core: Some(2),
        ..RealtimeNic::default()
    };
    let apply = || Settings::apply_under(root.clone(), "eth0", &asked, &folders);
    // A run without the rights is refused, and ends.
    let settings = apply();
    assert_eq!(settings.refused.len(), 1, "{:?}", settings.refused);
    drop(settings);
    assert_eq!(back(), Some(false), "nothing was set back");
    // One with them ends with what was there before all of it.
    fs::remove_file(&affinity).unwrap();
    fs::write(&affinity, "1\n").unwrap();
    let settings = apply();
    assert_eq!(settings.refused, Vec::<String>::new());
    assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
    drop(settings);
    assert_eq!(fs::read_to_string(&affinity).unwrap(), "7\n");
    assert_eq!(back(), None, "nothing is left to do");
}

#[test]
fn ports_that_share_an_interrupt_leave_it_as_the_first_one_found_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    for port in ["eth0", "eth1"] {
        let of_port = at("sys/class/net").join(port).join("device/msi_irqs");
        fs::create_dir_all(&of_port).unwrap();
        fs::write(of_port.join("130"), "msix\n").unwrap();
    }
    fs::create_dir_all(at("proc/irq/130")).unwrap();
    let affinity = at("proc/irq/130/smp_affinity_list");
    fs::write(&affinity, "0-3\n").unwrap();
    let asked = RealtimeNic {
        irq_core: Some(2),
        ..RealtimeNic::default()
    };
    let apply = |port| Settings::apply_under(Root::folder(folder.path()), port, &asked, &[]);
    // Of one bus or of two: whichever ends first.
    for first in [0, 1] {
        let mut both = vec![apply("eth0"), apply("eth1")];
        drop(both.swap_remove(first));
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
        drop(both);
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "0-3\n");
    }
}

/// A computer with an interrupt that two ports share, `irq`, on the cores `found`: asks for core 2, and tells the file of the interrupt.
fn shared(folder: &Path, irq: &str, found: &str) -> (RealtimeNic, PathBuf) {
    for port in ["eth0", "eth1"] {
        let of_port = folder.join("sys/class/net").join(port);
        fs::create_dir_all(of_port.join("device/msi_irqs").join(irq)).unwrap();
    }
    let affinity = folder.join("proc/irq").join(irq);
    fs::create_dir_all(&affinity).unwrap();
    let affinity = affinity.join("smp_affinity_list");
    fs::write(&affinity, found).unwrap();
    let asked = RealtimeNic {
        irq_core: Some(2),
        ..RealtimeNic::default()
    };
    (asked, affinity)
}

/// Leaves a note of `port` as an earlier run does, by which `path` had the cores `before`.
fn leave(folders: &[&str], port: &str, path: &str, before: &str) {
    let note = in_this_namespace("nic", port);
    let before = Before {
        coalescing: None,
        affinities: vec![(path.to_owned(), before.to_owned())],
    };
    let mut kept = Kept::take(folders, &note, true).unwrap();
    kept.keep(&before).unwrap();
}

#[test]
fn what_the_note_of_one_port_says_comes_before_what_another_port_found() {
    let path = "/proc/irq/142/smp_affinity_list";
    let left = |folders: &[&str], port: &str| -> Option<Before> {
        let note = in_this_namespace("nic", port);
        let mut kept = Kept::take(folders, &note, false)?;
        kept.left_behind()
    };
    // Whichever of both ends first, and whichever begins.
    for (begins, ends) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (folder, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [notes.path().to_str().unwrap()];
        let (asked, affinity) = shared(folder.path(), "142", "2\n");
        let root = Root::folder(folder.path());
        // It could not be set back: this port knows of core 7, the other one finds core 2.
        leave(&folders, "eth0", path, "7");
        let ports = ["eth0", "eth1"];
        let apply = |port| Settings::apply_under(root.clone(), port, &asked, &folders);
        let one = apply(ports[begins]);
        let mut both = vec![one, apply(ports[1 - begins])];
        both.sort_by(|one, other| one.interface.cmp(&other.interface));
        drop(both.remove(ends));
        let case = format!("begins {begins}, ends {ends}");
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n", "{case}");
        // Should the process be killed now, somebody still knows.
        let last = &mut both[0];
        let known = last.kept.as_mut().and_then(Kept::left_behind);
        let known = [known, left(&folders, ports[ends])];
        let mut known = known.iter().flatten().flat_map(|before| &before.affinities);
        assert!(known.any(|(_, cores)| cores == "7"), "{case}");
        drop(both);
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "7\n", "{case}");
        // What still stands in a note is so: nothing is told or written.
        for port in ports {
            let note = in_this_namespace("nic", port);
            let back = left::give_back(&root, &folders, &note, port);
            assert_eq!(back, None, "{case}: {port}");
        }
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "7\n", "{case}");
    }
}

#[test]
fn the_port_that_ends_last_keeps_what_it_cannot_set_back_of_another_ones_note() {
    let (folder, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folders = [notes.path().to_str().unwrap()];
    let (asked, affinity) = shared(folder.path(), "143", "2\n");
    let path = "/proc/irq/143/smp_affinity_list";
    let root = Root::folder(folder.path());
    leave(&folders, "eth0", path, "7");
    let [last, first] =
        ["eth1", "eth0"].map(|port| Settings::apply_under(root.clone(), port, &asked, &folders));
    drop(first);
    // From now on nobody can write to it.
    fs::remove_file(&affinity).unwrap();
    std::os::unix::fs::symlink("/sys/devices/system/cpu/online", &affinity).unwrap();
    drop(last);
    let note = in_this_namespace("nic", "eth1");
    let left = Kept::take(&folders, &note, false).unwrap().left_behind();
    let expected = vec![(path.to_owned(), "7".to_owned())];
    assert_eq!(left.map(|left| left.affinities), Some(expected));
}

#[test]
fn what_another_process_has_set_is_left_to_it() {
    let (folder, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folders = [notes.path().to_str().unwrap()];
    let (asked, affinity) = shared(folder.path(), "144", "5\n");
    let root = Root::folder(folder.path());
    let note = in_this_namespace("nic", "eth0");
    let theirs = Kept::take(&folders, &note, true).unwrap();
    let apply = || Settings::apply_under(root.clone(), "eth0", &asked, &folders);
    let settings = apply();
    assert_eq!(settings.refused.len(), 1, "{:?}", settings.refused);
    assert!(
        settings.refused[0].contains(ANOTHERS),
        "{:?}",
        settings.refused
    );
    drop(settings);
    assert_eq!(fs::read_to_string(&affinity).unwrap(), "5\n");
    // It has set what is asked for here too.
    fs::write(&affinity, "2\n").unwrap();
    let settings = apply();
    assert_eq!(settings.refused, Vec::<String>::new());
    // It ends first, and this one must not put back what it had found.
    fs::write(&affinity, "5\n").unwrap();
    drop(theirs);
    drop(settings);
    assert_eq!(fs::read_to_string(&affinity).unwrap(), "5\n");
}

#[test]
fn an_interrupt_that_cannot_be_read_is_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (asked, affinity) = shared(folder.path(), "145", "1\n");
    fs::remove_file(&affinity).unwrap();
    let settings = Settings::apply_under(Root::folder(folder.path()), "eth0", &asked, &[]);
    assert!(
        settings.refused[0].contains("stays on unknown (its cores cannot be read)"),
        "{:?}",
        settings.refused
    );
    assert!(!affinity.exists());
}

#[test]
fn a_driver_that_knows_no_coalescing_is_named() {
    let asked = RealtimeNic {
        rx_coalescing_us: Some(0),
        irq_core: Some(0),
        ..RealtimeNic::default()
    };
    let settings = Settings::apply("lo", &asked);
    let said = settings.refused.join("; ");
    assert!(
        said.contains("coalescing of lo") && said.contains("no interrupts"),
        "{said}"
    );
}
