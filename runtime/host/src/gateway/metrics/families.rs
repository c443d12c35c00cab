//! How families of metrics are written: name, help, unit, and a row for each set of labels.

use crate::control::status::StatusLine;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;

/// Longest value of a label (characters).
const MAX_LABEL: usize = 128;

/// Labels of a row.
pub type Labels = Vec<(&'static str, String)>;

/// A label; a value that is too long is cut.
pub fn label(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.chars().take(MAX_LABEL).collect())
}

/// Labels of something on a bus; the bus is one of them where the machine has several.
pub fn on<const N: usize>(bus: &StatusLine, more: [(&'static str, String); N]) -> Labels {
    let name = bus.bus_name.as_deref().map(|name| label("bus", name));
    name.into_iter().chain(more).collect()
}

/// Writes families.
pub struct Families<'a, 'b>(pub &'a mut DescriptorEncoder<'b>);

impl Families<'_, '_> {
    /// A family of gauges.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn gauges(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut family =
            (self.0).encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                family.encode_gauge(&value)?;
            } else {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    /// A family of counters.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn counters(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut family = (self.0).encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                family.encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
            } else {
                (family.encode_family(&labels)?)
                    .encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
            }
        }
        Ok(())
    }
}
