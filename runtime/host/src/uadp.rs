//! Predictions and deviations as OPC UA PubSub, published from the cycle thread: a data set for each axis, press and station.
//!
//! Nothing allocates or waits here after the start. A frame that does not leave is counted, and a subscriber sees the gap.

use crate::error::HostError;
use crate::launch::{self, LaunchLine, Launches};
use twinstep_config::machine::Publish;
use twinstep_cycle::event::{Event, EventState, Source};
use twinstep_drivers::link::LinkError;
use twinstep_drivers::link::launch::{LaunchSocket, Launching};
use twinstep_drivers::tsn::devices::BAD;
use twinstep_drivers::tsn::publisher::{Publisher, address_of};
use twinstep_drivers::tsn::uadp::DataSet;
use twinstep_models::sample::{AxisReading, Missing, StationReading};

/// cycle (UInt64), position measured and predicted, current measured and predicted (Double), deviations (UInt32).
pub const AXIS_BYTES: usize = 8 + 4 * 8 + 4;
/// cycle (UInt64), pressure measured and predicted (Double), deviations (UInt32).
pub const STATION_BYTES: usize = 8 + 2 * 8 + 4;
/// Version of these data sets.
const VERSION: (u32, u32) = (1, 0);

/// That so many frames did not leave, for people.
pub fn unpublished_text(count: u64) -> String {
    format!(
        "predictions: {count} frames did not leave: is the interface of [publish.uadp] there, and up?"
    )
}

/// See the module.
pub struct Predictions<L> {
    publisher: Publisher,
    link: L,
    axes: usize,
    launches: Option<Launches>,
    /// Per axis, then per station: a bit for each channel with a deviation, at the channel's code.
    flags: Vec<u32>,
}

impl Predictions<LaunchSocket> {
    /// Publishes as the configuration says.
    ///
    /// # Errors
    /// [`HostError`] where the interface cannot be had.
    pub fn open(publish: &Publish, axes: usize, stations: usize) -> Result<Self, HostError> {
        let (link, launches) = launch::open(publish)?;
        let mut all = Self::new(publish, link, axes, stations)?;
        all.launches = launches;
        Ok(all)
    }
}

/// Why nothing can be published or subscribed to, for the user.
pub fn not_open(error: LinkError) -> HostError {
    let remedy = match &error {
        LinkError::NoPermission(_) => "see README.md, \"A real bus\"",
        _ => "name an interface that `ip link` lists and that is up",
    };
    HostError::machine(error.to_string(), remedy)
}

impl<L: Launching> Predictions<L> {
    /// Publishes on `link`.
    ///
    /// # Errors
    /// [`HostError::Usage`] for a machine without axes and stations.
    pub fn new(
        publish: &Publish,
        link: L,
        axes: usize,
        stations: usize,
    ) -> Result<Self, HostError> {
        let set = |n: usize| DataSet {
            writer_id: n as u16 + 1,
            version: VERSION,
            bytes: if n < axes { AXIS_BYTES } else { STATION_BYTES },
        };
        let sets: Vec<DataSet> = (0..axes + stations).map(set).collect();
        let source = address_of(&publish.interface);
        let publisher = Publisher::new(&publish.stream, source, &sets, false)
            .map_err(|error| HostError::usage(error.to_string(), "leave out [publish.uadp]"))?;
        Ok(Self {
            publisher,
            link,
            axes,
            launches: None,
            flags: vec![0; axes + stations],
        })
    }

    /// Takes note of a deviation that was raised or cleared.
    pub fn note(&mut self, event: &Event) {
        let place = match event.source {
            Source::Axis(n) => usize::from(n),
            Source::Station(n) => self.axes + usize::from(n),
            Source::Bus | Source::SubDevice(_) | Source::Controller => return,
        };
        if let Some(flags) = self.flags.get_mut(place) {
            let bit = 1_u32.checked_shl(event.channel as u32).unwrap_or(0);
            match event.state {
                EventState::Raised | EventState::Updated => *flags |= bit,
                EventState::Cleared => *flags &= !bit,
            }
        }
    }

    /// Figures of axis or press `n`: `predicted` are position (m), velocity and current (A). Without a measurement the data set is
    /// bad, and its measured values are those of before.
    pub fn axis(
        &mut self,
        n: usize,
        cycle: u64,
        reading: &Result<AxisReading, Missing>,
        predicted: Option<[f64; 3]>,
    ) {
        let [position_m, _, current_a] = predicted.unwrap_or_default();
        let measured = reading.as_ref().ok().map(|r| [r.position_m, r.current_a]);
        let pairs = [0, 1].map(|at| (measured.map(|m| m[at]), [position_m, current_a][at]));
        self.put(n, cycle, &pairs);
    }

    /// Figures of station `n`.
    pub fn station(
        &mut self,
        n: usize,
        cycle: u64,
        reading: &Result<StationReading, Missing>,
        predicted_pa: f64,
    ) {
        let measured = reading.as_ref().ok().map(|r| r.pressure_pa);
        self.put(self.axes + n, cycle, &[(measured, predicted_pa)]);
    }

    fn put(&mut self, n: usize, cycle: u64, pairs: &[(Option<f64>, f64)]) {
        let good = pairs.iter().all(|(measured, _)| measured.is_some());
        let flags = self.flags.get(n).copied().unwrap_or_default();
        let Some(fields) = self.publisher.data_set(n, if good { 0 } else { BAD }) else {
            return;
        };
        let mut at = 0;
        let mut put = |bytes: Option<&[u8]>, length: usize| {
            if let (Some(to), Some(from)) = (fields.get_mut(at..at + length), bytes) {
                to.copy_from_slice(from);
            }
            at += length;
        };
        put(Some(&cycle.to_le_bytes()), 8);
        for (measured, predicted) in pairs {
            let measured = measured.map(f64::to_le_bytes);
            put(measured.as_ref().map(<[u8; 8]>::as_slice), 8);
            put(Some(&predicted.to_le_bytes()), 8);
        }
        put(Some(&flags.to_le_bytes()), 4);
    }

    /// Sends what was put in, as one interval. `start_ns` is the start of the cycle on CLOCK_MONOTONIC, where it has one.
    pub fn send(&mut self, start_ns: Option<u64>) {
        let Some(launches) = &mut self.launches else {
            self.publisher.send(&mut self.link);
            return;
        };
        // Without a clock the frames keep the launch time of before: it has passed, and they are counted as dropped.
        if let Some(at_ns) = launches.at_ns(start_ns) {
            self.link.launch_at(at_ns);
        }
        self.publisher.send(&mut self.link);
        if let Some(counters) = self.link.launched() {
            launches.note(counters);
        }
    }

    /// What became of launch times; none where none are given. What was reported since the last cycle is in it.
    pub fn launches(&mut self) -> Option<LaunchLine> {
        let launches = self.launches.as_mut()?;
        if let Some(counters) = self.link.launched() {
            launches.note(counters);
        }
        Some(launches.line())
    }

    /// Why nobody keeps launch times, in words, once.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.launches.as_mut()?.take_trouble()
    }

    /// Frames that did not leave.
    pub fn failed(&self) -> u64 {
        self.publisher.failed
    }
}

#[cfg(test)]
#[path = "uadp_tests.rs"]
mod tests;
