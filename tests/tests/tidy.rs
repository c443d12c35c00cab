//! The rules of the house that a compiler does not check: how long a file is, and what may stand where.
//!
//! Each test walks the source tree and lists every offence it finds, so that one run shows them all.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::path::Path;

use twinstep_tests::root;

/// A longer file in `src` is two subjects (lines).
const FILE_LINES_MAX: usize = 500;
/// From here on it is worth a thought (lines).
const FILE_LINES_LONG: usize = 400;

/// The keyword, put together so that this file does not find itself.
const UNSAFE: &str = concat!("un", "safe");

/// The only files that may hold such code, and what for.
const UNSAFE_FILES: &[(&str, &str)] = &[
    (
        "drivers/src/clock.rs",
        "the time driver that EtherCAT timers link to by symbol, and waking of hand-polled futures",
    ),
    (
        "drivers/src/link/launch.rs",
        "system calls that give a frame its launch time, and read what became of it",
    ),
    (
        "drivers/src/link/raw_socket.rs",
        "system calls on a packet socket",
    ),
    (
        "drivers/src/tap/socket.rs",
        "system calls on a packet socket that is only received from",
    ),
    (
        "drivers/tests/no_allocation.rs",
        "an allocator that counts is an allocator",
    ),
    (
        "benches/peers/src/ours.rs",
        "vouches for the vector unit that the processor names",
    ),
    (
        "models/src/simd/mod.rs",
        "enters functions made for a vector unit that the processor has",
    ),
    ("models/src/simd/x86.rs", "instructions of vector units"),
    (
        "models/src/simd/x86_slim.rs",
        "instructions of vector units",
    ),
    (
        "runtime/host/src/control/peer.rs",
        "the system call that says who is at the other end of a local socket",
    ),
    (
        "runtime/host/src/ethtool.rs",
        "the system call that ethtool makes",
    ),
    (
        "runtime/host/src/overruns/usage.rs",
        "a system call that counts what a thread has been through",
    ),
    (
        "runtime/host/src/realtime/prefault.rs",
        "the call that tells the allocator to keep what it has",
    ),
    (
        "runtime/host/src/simd.rs",
        "vouches for the vector unit that the processor names",
    ),
    (
        "runtime/host/tests/allocations.rs",
        "an allocator that counts is an allocator",
    ),
    (
        "runtime/host/tests/overruns.rs",
        "takes pages out of memory and gives threads a priority, to see what becomes of the cycle",
    ),
    (
        "tests/tests/service.rs",
        "holds one thread of a program, to see what the others tell of it",
    ),
    (
        "tests/nostd/src/lib.rs",
        "the name of the symbol that a C linker would look for",
    ),
];

/// What reads a clock, takes the heap, prints or starts a thread: not in the core.
const NOT_IN_THE_CORE: &[&str] = &[
    "Instant",
    "SystemTime",
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
    "dbg!",
    "Box",
    "Vec",
    "vec!",
    "String",
    "Rc",
    "Arc",
    "HashMap",
    "HashSet",
    "format!",
    "std",
    "alloc",
    "disallowed_methods",
];

/// A text file of the project.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Ships with the product: neither test nor benchmark.
    fn is_source(&self) -> bool {
        self.is_rust() && self.path.contains("/src/") && !self.is_test()
    }

    fn is_test(&self) -> bool {
        ["tests/", "benches/"]
            .iter()
            .any(|folder| self.path.starts_with(folder))
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
    }

    /// Runs inside the cycle: `no_std`, no heap, no clock.
    fn is_core(&self) -> bool {
        let core = ["models/src/", "runtime/cycle/src/"]
            .iter()
            .any(|folder| self.path.starts_with(folder));
        core && self.is_source()
            && !self.path.contains("/identify/")
            && !self.path.ends_with("/identify.rs")
    }
}

/// Every text file of the project.
fn files() -> Vec<File> {
    let mut found = Vec::new();
    walk(root(), &mut found);
    assert!(
        found.len() > 20,
        "only {} files below {}",
        found.len(),
        root().display()
    );
    found
}

fn walk(folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            if !["target", ".git"].iter().any(|skipped| name == *skipped) {
                walk(&path, found);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path
                .strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            found.push(File { path, text });
        }
    }
}

/// The lines of code with their numbers: no comments, no `#[cfg(test)]` items.
fn code(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    // Indentation of the `#[cfg(test)]` item that is being skipped: it ends at a brace in the same column.
    let mut skipped: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let line = line
            .split_once("//")
            .map_or(line, |(before, _)| before)
            .trim();
        match skipped {
            Some(column) => {
                let ends = line.ends_with('}') || (line.ends_with(';') && !line.starts_with('#'));
                if indent == column && ends {
                    skipped = None;
                }
            }
            None if line == "#[cfg(test)]" => skipped = Some(indent),
            None if !line.is_empty() => lines.push((index + 1, line)),
            None => {}
        }
    }
    lines
}

/// Whether `line` holds `word` and not merely a longer one around it.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part) && (word.ends_with('!') || !after.is_some_and(part))
    })
}

/// Fails with all offences at once.
fn expect_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

#[test]
fn code_leaves_out_comments_and_tests() {
    let text = "use a;\n// b\n#[cfg(test)]\nmod tests {\n    c();\n}\nd(); // e\n#[cfg(test)]\nuse f;\n#[cfg(test)]\n\
                #[allow(x)]\nmod g;\nh();\n";
    let lines: Vec<_> = code(text)
        .iter()
        .map(|(number, line)| format!("{number} {line}"))
        .collect();
    assert_eq!(lines, ["1 use a;", "7 d();", "13 h();"]);
    assert!(has_word("let v = Vec::new();", "Vec") && has_word("println!(\"\")", "println!"));
    assert!(!has_word("heapless::VecView", "Vec") && !has_word("eprintln!()", "println!"));
}

#[test]
fn files_are_short() {
    let mut offences = Vec::new();
    for file in files().iter().filter(|file| file.is_source()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(format!("{}: {lines}", file.path));
        } else if lines > FILE_LINES_LONG {
            println!(
                "warning: {} has {lines} lines: still one subject?",
                file.path
            );
        }
    }
    expect_none("files over 500 lines, which want to be two", &offences);
}

#[test]
fn unsafe_code_lives_in_named_files() {
    let mut offences = Vec::new();
    let files = files();
    for file in files.iter().filter(|file| file.is_rust()) {
        let named = UNSAFE_FILES.iter().any(|(path, _)| file.path == *path);
        let lines: Vec<&str> = file.text.lines().collect();
        let mut found = false;
        for (number, line) in lines.iter().enumerate() {
            let line = line.split_once("//").map_or(*line, |(before, _)| before);
            // A word of content security policies, which stand in texts.
            let line = line.replace(&format!("'{UNSAFE}-inline'"), "");
            let allowed = line.contains("allow(") && line.contains(&format!("{UNSAFE}_code"));
            if !allowed && !has_word(&line, UNSAFE) {
                continue;
            }
            found = true;
            if !named {
                offences.push(format!("{}:{}: not a named file", file.path, number + 1));
            }
            let block = [" {", " impl"]
                .iter()
                .any(|rest| line.contains(&format!("{UNSAFE}{rest}")));
            let why = lines[number.saturating_sub(10)..=number]
                .iter()
                .any(|line| line.contains("SAFETY"));
            if block && !why {
                offences.push(format!("{}:{}: no SAFETY comment", file.path, number + 1));
            }
        }
        if named && !found {
            offences.push(format!("{}: named, and has none any more", file.path));
        }
    }
    for (path, _) in UNSAFE_FILES {
        if !files.iter().any(|file| file.path == *path) {
            offences.push(format!("{path}: named, and is not there"));
        }
    }
    expect_none("see UNSAFE_FILES", &offences);
}

#[test]
fn the_core_takes_no_clock_heap_or_thread() {
    let mut offences = Vec::new();
    for file in files().iter().filter(|file| file.is_core()) {
        for (number, line) in code(&file.text) {
            // The crate's own attribute speaks of std, and heapless has a Vec.
            if line.starts_with("#![cfg_attr(") || line.contains("heapless::") {
                continue;
            }
            for word in NOT_IN_THE_CORE.iter().filter(|word| has_word(line, word)) {
                offences.push(format!("{}:{number}: {word}", file.path));
            }
        }
    }
    expect_none("models and cycle are pure functions", &offences);
}

#[test]
fn the_plant_does_not_know_the_twin() {
    let mut offences = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.path.starts_with("drivers/src/") && file.is_rust())
    {
        let plant = file.path.starts_with("drivers/src/segment/plant");
        for (number, line) in code(&file.text) {
            // A re-export would be a way around.
            if line.contains("twinstep_models") && (plant || line.starts_with("pub use")) {
                offences.push(format!("{}:{number}", file.path));
            }
        }
    }
    expect_none("the plant imports nothing from models", &offences);
}

#[test]
fn nothing_is_left_unfinished() {
    let words = ["todo!", "unimplemented!", "FIXME", "XXX", "TODO"];
    let mut offences = Vec::new();
    for file in files().iter().filter(|file| file.is_source()) {
        for (number, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                offences.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
    }
    expect_none("unfinished code", &offences);
}

#[test]
fn lines_are_clean() {
    let kinds = [
        ".rs",
        ".toml",
        ".md",
        ".sh",
        "scripts/test",
        "scripts/sweep",
        ".ci/run",
    ];
    // Development machines' folders, put together so that this file does not find itself.
    let machine = [concat!("/wo", "rk/"), concat!("/fa", "rm/")];
    let mut offences = Vec::new();
    for file in &files() {
        let checked = kinds.iter().any(|kind| file.path.ends_with(kind));
        for (number, line) in file.text.lines().enumerate() {
            if checked && line != line.trim_end() {
                offences.push(format!("{}:{}: space at the end", file.path, number + 1));
            }
            if checked && line.contains('\t') {
                offences.push(format!("{}:{}: tab", file.path, number + 1));
            }
            if machine.iter().any(|path| line.contains(path)) {
                offences.push(format!(
                    "{}:{}: a path of one machine",
                    file.path,
                    number + 1
                ));
            }
        }
    }
    expect_none("lines", &offences);
}

/// Places that a page links to: `(number of the line, target)`; code is passed over.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = &line[at + 2..];
            if let Some((target, _)) = target.split_once(')') {
                found.push((number + 1, target));
            }
        }
    }
    found
}

/// The name that a heading has as a target of links.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .replace(' ', "-");
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        .collect()
}

#[test]
fn pages_link_to_what_is_there() {
    let files = files();
    let pages = files.iter().filter(|file| file.path.ends_with(".md"));
    let mut offences = Vec::new();
    let mut count = 0;
    for page in pages {
        let folder = root().join(&page.path);
        for (number, target) in links(&page.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (path, place) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() {
                folder.clone()
            } else {
                folder.with_file_name("").join(path)
            };
            if !file.exists() {
                offences.push(format!("{}:{number}: no {path}", page.path));
                continue;
            }
            let has = |text: &str| {
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                headings.any(|heading| anchor(heading) == place)
            };
            if !place.is_empty() && !has(&fs::read_to_string(&file).unwrap()) {
                offences.push(format!(
                    "{}:{number}: no heading #{place} in {path}",
                    page.path
                ));
            }
        }
    }
    assert!(count > 50, "only {count} links");
    expect_none("links that lead nowhere", &offences);
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let targets: Vec<_> = links(&readme)
        .into_iter()
        .map(|(_, target)| target)
        .collect();
    let pages = fs::read_dir(root().join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let lost: Vec<_> = pages
        .filter(|page| page.ends_with(".md") && !targets.contains(&format!("docs/{page}").as_str()))
        .collect();
    expect_none("pages of docs that the README does not link to", &lost);
}
