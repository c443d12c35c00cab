//! Machines with a simulated press behind a crank and behind a toggle.

use crate::run::shipped;

fn text_of(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The shipped simulated crank as it is before anything was learnt of it.
///
/// # Panics
/// Where it cannot be read.
#[must_use]
pub fn crank() -> String {
    let mut text = String::new();
    let mut learnt = false;
    for line in text_of("servo-crank-press.toml").lines() {
        if line.starts_with('[') {
            learnt = ["[press.twin", "[[press.twin", "[part.twin"]
                .iter()
                .any(|table| line.starts_with(table));
        }
        if !learnt {
            text += line;
            text += "\n";
        }
    }
    text
}

/// The shipped toggle with a plant behind it instead of a recording.
///
/// # Panics
/// Where it is not as it was.
#[must_use]
pub fn toggle() -> String {
    let text = text_of("toggle-press.toml");
    let Some((press, _)) = text.split_once("[recording]") else {
        panic!("it has no recording")
    };
    let mut text = press.to_owned();
    for (from, to) in [
        (
            "[[press]]\n",
            "[bus]\nsubdevices = [\"ram\"]\n\n[simulation]\nmachine_seed = 3\n\n[[press]]\n",
        ),
        (
            "velocity_gain = \"20A s/m\"",
            "velocity_gain = \"600A s/m\"\ntorque_filter = \"600us\"",
        ),
        (
            "bottom = \"140mm\"",
            "bottom = \"130mm\"\nhold = \"200ms\"\nrest = \"300ms\"",
        ),
        (
            "press_velocity = \"0.15m/s\"",
            "press_velocity = \"40mm/s\"",
        ),
        (
            "kind = \"table\"\nefficiency = 0.85\nefficiency_back = 0.8\n",
            "kind = \"table\"\nefficiency = 0.95\nefficiency_back = 0.95\nram_mass = \"250kg\"\n",
        ),
        (
            "frame_stiffness = \"400N/um\"",
            "frame_stiffness = \"300N/um\"",
        ),
        // Behind where it starts again: without a twin its inertia is in its force.
        (
            "contact_force = \"500N\"\n",
            "contact_force = \"500N\"\nbegin = \"111.5mm\"\n",
        ),
        // Friction of the screw is some kN at the bottom.
        ("y = [\"36kN\", \"41kN\"]", "y = [\"31kN\", \"37kN\"]"),
        ("work = [\"170J\", \"210J\"]", "work = [\"125J\", \"155J\"]"),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replacen(from, to, 1);
    }
    text + "\n[[part]]\nname = \"hard\"\ncontact = \"125mm\"\nstiffness = \"5kN/mm\"\n\n[[recipe]]\nname = \"a\"\nparts = [\"blank\"]\n\n\
            [press.plant]\nload_mass = \"120kg\"\nmotor_inertia = \"30kg cm2\"\ncoulomb = \"150N\"\nstatic_ratio = 1.2\n\
            stribeck_velocity = \"3mm/s\"\nviscous = \"300N s/m\"\ngravity = -1\nstiffness = \"150N/um\"\nbacklash = \"4um\"\n\
            efficiency = 0.95\n"
}
