//! Who tells recipe, part, tool, load and temperature.

use serde::Serialize;
use twinstep_config::machine::{Machine, Teller, TellerPlace};

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TellerReport {
    /// `recipe`, `part`, `tool`, `load` or `temperature`.
    what: &'static str,
    /// Who tells it: a SubDevice and its object, a column, or the controller.
    told_by: String,
    /// The number that stands for each, by name, in the order of the configuration.
    values: Vec<(String, u32)>,
    /// The bands of a temperature, in the order of the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bands: Vec<String>,
}

impl TellerReport {
    /// Those of a machine; none where nobody tells either.
    pub(super) fn of(machine: &Machine) -> Vec<Self> {
        let context = &machine.context;
        let lists = [
            ("recipe", &context.recipe),
            ("part", &context.part),
            ("tool", &context.tool),
            ("load", &context.load),
        ];
        let report = |what, teller: &Teller| Self {
            what,
            told_by: told_by(machine, &teller.place),
            values: teller
                .names
                .iter()
                .cloned()
                .zip(teller.numbers.clone())
                .collect(),
            bands: Vec::new(),
        };
        let told = lists
            .into_iter()
            .filter_map(|(what, teller)| Some(report(what, teller.as_ref()?)));
        let temperature = context.temperature.as_ref().map(|one| Self {
            what: "temperature",
            told_by: told_by(machine, &one.place),
            values: Vec::new(),
            bands: one.names(),
        });
        told.chain(temperature).collect()
    }

    pub(super) fn text(&self) -> String {
        let values = self
            .values
            .iter()
            .map(|(name, number)| format!("{number} {name}"));
        let all: Vec<String> = values.chain(self.bands.iter().cloned()).collect();
        let values = all.join(", ");
        format!("{} told by {}: {values}", self.what, self.told_by)
    }
}

fn told_by(machine: &Machine, place: &TellerPlace) -> String {
    match place {
        TellerPlace::Column(name) => format!("column {name}"),
        TellerPlace::Controller => "the controller, in shared memory".to_owned(),
        TellerPlace::Object {
            subdevice,
            entry,
            output,
        } => {
            let devices = machine.bus.iter().flat_map(|bus| &bus.subdevices);
            let name = devices.map(|device| device.name.as_str()).nth(*subdevice);
            format!(
                "{}, {} 0x{:04X}:{:02X}/{}",
                name.unwrap_or("unknown"),
                if *output { "output" } else { "input" },
                entry.index,
                entry.subindex,
                entry.bits
            )
        }
    }
}
