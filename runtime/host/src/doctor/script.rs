//! A script that applies what can be applied while the computer runs, and lists the rest as comments.

use super::{Check, Fix, Verdict};
use std::fmt::Write as _;

/// What stands above all fixes. `put` writes only what is not there yet, so that the script may be run again.
const HEAD: &str = r##"#!/bin/sh
# Made by `twinstep doctor --fix-script`. Read it before you run it as root.
# It applies what lasts until the next start of the computer; what needs a new start stands at the end as comments.
# It may be run again. TWINSTEP_ROOT=DIR writes into a copy of the files below DIR instead, and runs no command.
set -u
root=${TWINSTEP_ROOT:-}
failed=0

# put FILE VALUE: writes it unless it is there already.
put() {
    # Where there is a choice, what is chosen stands in brackets.
    case "$(cat "$root$1" 2>/dev/null)" in "$2" | *"[$2]"*) return 0 ;; esac
    if printf '%s\n' "$2" 2>/dev/null >"$root$1"; then
        echo "$1: $2"
    else
        echo "$1: refused $2" >&2
        failed=$((failed + 1))
    fi
}

# run COMMAND...: runs it on the live computer.
run() {
    if [ -n "$root" ]; then echo "not run below $root: $*"; return 0; fi
    if "$@"; then echo "done: $*"; else echo "failed: $*" >&2; failed=$((failed + 1)); fi
}
"##;

/// The script for what `checks` found wrong: POSIX `sh`.
pub fn script(checks: &[Check]) -> String {
    let mut text = HEAD.to_owned();
    let mut boot: Vec<&str> = Vec::new();
    let wrong = || {
        checks
            .iter()
            .filter(|check| !matches!(check.verdict, Verdict::Ok | Verdict::NotHere))
    };
    for check in wrong() {
        let mut lines = String::new();
        for fix in &check.fixes {
            // Writing to a string cannot fail.
            let _ = match fix {
                Fix::Write { path, value } => {
                    writeln!(lines, "put {} {}", quoted(path), quoted(value))
                }
                Fix::Run(command) => {
                    let words: Vec<String> = command.split_whitespace().map(quoted).collect();
                    writeln!(lines, "run {}", words.join(" "))
                }
                Fix::Shell(line) => writeln!(lines, "run sh -c {}", quoted(line)),
                Fix::Boot(parameter) => {
                    let name = |parameter: &str| parameter.split('=').next().map(str::to_owned);
                    if boot.iter().all(|other| name(other) != name(parameter)) {
                        boot.push(parameter);
                    }
                    Ok(())
                }
            };
        }
        if !lines.is_empty() {
            let _ = write!(text, "\n# {}: {}\n{lines}", check.name, comment(check.why));
        }
    }
    text.push_str("\n# By hand, or with a new start:\n");
    for check in wrong() {
        let by_script = check.fixes.iter().any(|fix| !matches!(fix, Fix::Boot(_)));
        if !by_script {
            let _ = writeln!(
                text,
                "# {} ({}): {}",
                check.name,
                comment(&check.value),
                comment(&check.remedy)
            );
        }
    }
    if !boot.is_empty() {
        let _ = writeln!(
            text,
            "# Kernel parameters (Debian: GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub):\n#   {}",
            comment(&boot.join(" "))
        );
    }
    text.push_str("\nif [ \"$failed\" -gt 0 ]; then\n    echo \"$failed not applied (interrupts that belong to a core refuse, and so does everything without root)\" >&2\n    exit 1\nfi\n");
    text
}

/// A word that the shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-,:=+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Text that stays behind its `#`.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_read_leaves_its_word_or_its_comment() {
        assert_eq!(quoted("/proc/a-b_c.d"), "/proc/a-b_c.d");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $(x)"), "'it'\\''s $(x)'");
        assert_eq!(quoted(""), "''");
        let check = Check::new("a.b", "/x", "why").warn("a\nrm -rf /", "b\nc");
        let text = script(&[check]);
        assert!(text.contains("# a.b (a rm -rf /): b c\n"), "{text}");
    }

    #[test]
    fn what_is_fine_needs_no_line() {
        let check = Check::new("a.b", "/x", "why").ok("1").write("/x", "1");
        let text = script(&[check]);
        assert!(!text.contains("put /x"), "{text}");
    }
}
