//! A machine of many belts, for what has to carry many axes.

use crate::run::shipped;
use std::fmt::Write as _;

/// A machine of `count` belts like the one that brings parts in two-buses.toml, called `axis-000` and so on, with this period of the cycle.
/// `change` may change the tables of each, by its number.
///
/// # Panics
/// Where two-buses.toml is not as it was.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#[must_use]
pub fn belts(count: usize, period: &str, change: impl Fn(usize, String) -> String) -> String {
    let text = std::fs::read_to_string(shipped("two-buses.toml")).unwrap();
    let from = text.find("[[axis]]\nname = \"infeed\"").unwrap();
    let to = from + text[from..].find("\n#").unwrap();
    let belt = text[from..to].replace("bus = \"front\"\n", "");
    let mut machine = format!(
        "[machine]\nname = \"many axes\"\nasset_id = \"MANY\"\n\n[cycle]\nperiod = \"{period}\"\n\n\
         [judge]\nfalse_alarm_interval = \"30days\"\n\n[bus]\n\n[simulation]\nmachine_seed = 1\n"
    );
    for n in 0..count {
        let axis = belt.replace("\"infeed\"", &format!("\"axis-{n:03}\""));
        write!(machine, "\n{}", change(n, axis)).unwrap();
    }
    machine
}
