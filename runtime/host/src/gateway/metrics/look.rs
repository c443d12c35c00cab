//! One look at everything, and how it is encoded.

use super::families::{Families, Labels, label};
use super::instance;
use super::tally::{Key, Tally};
use crate::control::status::StatusLine;
use crate::gateway::buses::each;
use crate::gateway::context::Context;
use crate::gateway::desk::Alarm;
use crate::gateway::sinks::SinkLine;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::sync::Arc;

/// What a scrape tells.
#[derive(Debug)]
pub struct Look {
    status: Option<Arc<StatusLine>>,
    events: Vec<(Key, u64)>,
    last_seq: u64,
    alarms: Vec<Alarm>,
    sinks: Vec<SinkLine>,
}

impl Look {
    /// Looks.
    pub fn at(context: &Context, tally: &Tally) -> Self {
        let last_seq = context.journal.newest();
        Self {
            status: context.live.borrow().status.clone(),
            events: tally.counts(),
            last_seq,
            alarms: context.desk.alarms(),
            sinks: context.sinks.lines(last_seq),
        }
    }

    /// A look at this status alone; none while no instance answers.
    #[cfg(test)]
    pub fn with(status: Option<StatusLine>, tally: &Tally) -> Self {
        Self {
            status: status.map(Arc::new),
            events: tally.counts(),
            last_seq: 1,
            alarms: Vec::new(),
            sinks: Vec::new(),
        }
    }

    fn alarms(&self) -> Vec<(Labels, f64)> {
        let count = |state: &str, test: &dyn Fn(&Alarm) -> bool| {
            let n = self.alarms.iter().filter(|alarm| test(alarm)).count();
            (vec![label("state", state)], n as f64)
        };
        vec![
            count("active", &|alarm| alarm.active),
            count("unacknowledged", &|alarm| alarm.acknowledged.is_none()),
            count("shelved", &|alarm| {
                alarm.active && alarm.shelved_until_utc_ns.is_some()
            }),
        ]
    }

    fn events(&self) -> impl Iterator<Item = (Labels, u64)> {
        self.events.iter().map(|(key, n)| {
            let bus = key.bus.as_deref().map(|bus| label("bus", bus));
            let rest = [label("channel", &key.channel), label("state", key.state)];
            (bus.into_iter().chain(rest).collect(), *n)
        })
    }
}

fn sinks(families: &mut Families<'_, '_>, sinks: &[SinkLine]) -> fmt::Result {
    let name = |sink: &SinkLine| vec![label("sink", sink.name)];
    families.counters(
        "sink_sent",
        "Messages that have arrived; acknowledged ones, where the protocol knows that.",
        sinks.iter().map(|sink| (name(sink), sink.sent)),
    )?;
    families.counters(
        "sink_failed",
        "Messages that did not arrive, and were tried again or given up.",
        sinks.iter().map(|sink| (name(sink), sink.failed)),
    )?;
    families.counters(
        "sink_left_out",
        "Messages of a look at the machine that were never sent: more than one look may have, or than the network took.",
        sinks.iter().map(|sink| (name(sink), sink.left_out)),
    )?;
    families.gauges(
        "sink_behind",
        "Stored events that have not arrived yet.",
        None,
        sinks.iter().map(|sink| (name(sink), sink.behind as f64)),
    )?;
    families.gauges(
        "sink_connected",
        "Whether a sink has somebody to speak to.",
        None,
        sinks
            .iter()
            .map(|sink| (name(sink), f64::from(u8::from(sink.connected)))),
    )
}

impl Collector for Look {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut families = Families(&mut encoder);
        instance::encode(&mut families, self.status.as_deref().map_or(&[], each))?;
        families.counters(
            "events",
            "Events stored since the gateway started.",
            self.events(),
        )?;
        families.gauges(
            "store_last_event",
            "Number of the last stored event.",
            None,
            [(Labels::new(), self.last_seq as f64)],
        )?;
        families.gauges("alarms", "Alarms on the list.", None, self.alarms())?;
        sinks(&mut families, &self.sinks)
    }
}
