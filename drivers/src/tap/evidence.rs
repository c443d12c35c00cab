//! What frames show of the process data, for a tap that joined late.
//!
//! It takes the configuration: SubDevices and objects as listed, without gaps, all inputs first (ethercrab, twinstep) or
//! all outputs first (SOEM, IgH). Which of the two, is a key of the configuration or follows from the frames: outputs
//! come back as they went out, so that a byte that changed is an input; bytes behind the process data are SOEM's states
//! of mailboxes. Groups with addresses or cycles of their own take the SubDevices one after the other, in the order of
//! their addresses.

use super::exchange::Exchange;
use super::layout::{Layout, lengths};
use super::learn::Learner;
use super::mismatch::Mismatch;
use super::rhythm::MAX_KEYS;
use crate::frame::command as c;
use std::ops::Range;
use twinstep_config::machine::{Bus, ImageOrder};

/// Cycles after which the order of the image must have shown.
const DECIDED_AFTER: u64 = 2000;
/// Cycles that are looked at before anything is decided: all datagrams of a cycle have passed by then.
const LOOK_AT: u64 = 4;

/// Where a group's bytes stand.
#[derive(Clone, Debug)]
struct Area {
    command: u8,
    logical: Range<u64>,
    /// Addresses that came back changed: first and behind the last.
    changed: Option<Range<u64>>,
    count: u64,
}

impl Area {
    fn length(&self) -> u64 {
        self.logical.end - self.logical.start
    }

    /// Datagrams that follow each other and come equally often carry one image.
    fn goes_on_with(&self, next: &Self) -> bool {
        let (most, least) = (self.count.max(next.count), self.count.min(next.count));
        next.logical.start <= self.logical.end && 2 * most <= 3 * least + 2
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    seen: Vec<Area>,
    first: Option<(u8, u32)>,
    /// Cycles, counted by the first datagram.
    pub cycles: u64,
}

fn widen(range: &mut Option<Range<u64>>, by: Range<u64>) {
    *range = Some(match range.take() {
        None => by,
        Some(known) => known.start.min(by.start)..known.end.max(by.end),
    });
}

/// SubDevices of an area, and the bytes of their inputs and outputs.
struct Share<'a> {
    area: &'a Area,
    devices: Range<usize>,
    inputs: u64,
    outputs: u64,
}

impl Share<'_> {
    fn needed(&self) -> u64 {
        self.inputs + self.outputs
    }

    fn allows(&self, order: ImageOrder) -> bool {
        let start = self.area.logical.start;
        match (&self.area.changed, order) {
            // Behind the inputs there are no states of mailboxes.
            (changed, ImageOrder::InputsFirst) => {
                let end = changed.as_ref().map_or(start, |changed| changed.end);
                self.area.length() == self.needed() && end <= start + self.inputs
            }
            (None, ImageOrder::OutputsFirst) => true,
            (Some(changed), ImageOrder::OutputsFirst) => changed.start >= start + self.outputs,
        }
    }

    fn starts(&self, order: ImageOrder) -> [u64; 2] {
        let start = self.area.logical.start;
        match order {
            ImageOrder::InputsFirst => [start, start + self.inputs],
            ImageOrder::OutputsFirst => [start + self.outputs, start],
        }
    }
}

/// Shares the SubDevices out over the areas, one after the other, as long as they fit; none where they do not come out.
/// `mailboxes`: a byte for each SubDevice may be left over.
fn share_out<'a>(areas: &'a [Area], sizes: &[[u64; 2]], mailboxes: bool) -> Option<Vec<Share<'a>>> {
    let mut shares = Vec::new();
    let mut at = 0;
    for area in areas {
        let mut share = Share {
            area,
            devices: at..at,
            inputs: 0,
            outputs: 0,
        };
        while let Some([inputs, outputs]) = sizes.get(at)
            && share.needed() + inputs + outputs <= area.length()
        {
            share.inputs += inputs;
            share.outputs += outputs;
            at += 1;
        }
        share.devices.end = at;
        let spare = if mailboxes {
            share.devices.len() as u64
        } else {
            0
        };
        if area.length() - share.needed() > spare {
            return None;
        }
        shares.push(share);
    }
    let rest = sizes.get(at..).unwrap_or_default();
    rest.iter().all(|size| *size == [0, 0]).then_some(shares)
}

impl Evidence {
    /// Takes a logical datagram that somebody answered.
    pub fn take(&mut self, exchange: &Exchange<'_>) {
        if exchange.counter == 0 {
            return;
        }
        let start = u64::from(exchange.logical());
        let logical = start..start + exchange.back.len() as u64;
        let same = |area: &Area| area.command == exchange.command && area.logical == logical;
        let at = self.seen.iter().position(same).unwrap_or(self.seen.len());
        if at == self.seen.len() && at < MAX_KEYS {
            self.seen.push(Area {
                command: exchange.command,
                logical,
                changed: None,
                count: 0,
            });
        }
        let Some(known) = self.seen.get_mut(at) else {
            return;
        };
        known.count += 1;
        if exchange.command == c::LRW {
            let pairs = (start..).zip(exchange.sent.iter().zip(exchange.back));
            for (at, _) in pairs.filter(|(_, (sent, back))| sent != back) {
                widen(&mut known.changed, at..at + 1);
            }
        }
        let key = (exchange.command, exchange.logical());
        self.cycles += u64::from(*self.first.get_or_insert(key) == key);
    }

    /// Areas of a command in the order of their addresses, those that carry one image put together.
    fn areas(&self, command: u8) -> Vec<Area> {
        let mine = self.seen.iter().filter(|area| area.command == command);
        let mut mine: Vec<Area> = mine.cloned().collect();
        mine.sort_by_key(|area| (area.logical.start, area.logical.end));
        let mut areas: Vec<Area> = Vec::new();
        for next in mine {
            match areas.last_mut().filter(|area| area.goes_on_with(&next)) {
                Some(area) => {
                    area.logical.end = area.logical.end.max(next.logical.end);
                    if let Some(changed) = next.changed {
                        widen(&mut area.changed, changed);
                    }
                }
                None => areas.push(next),
            }
        }
        areas
    }

    /// The layout of a machine whose start was not observed; none while more has to be seen.
    ///
    /// # Errors
    /// [`Mismatch`] where the frames cannot be those of this machine, or do not show the order.
    pub fn decide(
        &self,
        bus: &Bus,
        learner: &Learner,
        order: Option<ImageOrder>,
    ) -> Result<Option<Layout>, Mismatch> {
        if self.cycles < LOOK_AT {
            return Ok(None);
        }
        let of = |device| lengths(device).map(|bytes| bytes as u64);
        let sizes: Vec<[u64; 2]> = bus.subdevices.iter().map(of).collect();
        let [read, written, both] = [c::LRD, c::LWR, c::LRW].map(|command| self.areas(command));
        let all = || read.iter().chain(&written).chain(&both);
        let total = || Mismatch::Total {
            configured: sizes.iter().flatten().sum::<u64>() as usize,
            found: all().map(Area::length).sum::<u64>() as usize,
        };
        if both.is_empty() {
            let only = |way: usize| -> Vec<[u64; 2]> {
                let size = |size: &[u64; 2]| if way == 0 { [size[0], 0] } else { [0, size[1]] };
                sizes.iter().map(size).collect()
            };
            let (inputs, outputs) = (only(0), only(1));
            let reads = share_out(&read, &inputs, true).ok_or_else(total)?;
            let writes = share_out(&written, &outputs, false).ok_or_else(total)?;
            let mut places = vec![[0; 2]; sizes.len()];
            place(&mut places, &sizes, &reads, ImageOrder::InputsFirst);
            // The second half of every place, where the first shares had none.
            let mut of_outputs = vec![[0; 2]; sizes.len()];
            place(&mut of_outputs, &sizes, &writes, ImageOrder::OutputsFirst);
            for (place, outputs) in places.iter_mut().zip(of_outputs) {
                place[1] = outputs[1];
            }
            return Ok(Some(Layout::configured(bus, learner, &places)));
        }
        if !read.is_empty() || !written.is_empty() {
            return Err(total());
        }
        let shares = share_out(&both, &sizes, true).ok_or_else(total)?;
        let allows = |order| shares.iter().all(|share| share.allows(order));
        let one_sided = shares
            .iter()
            .all(|share| share.inputs == 0 || share.outputs == 0);
        let inputs_first = allows(ImageOrder::InputsFirst);
        let outputs_first = allows(ImageOrder::OutputsFirst);
        let first = match (order, inputs_first, outputs_first) {
            (Some(order), _, _) => order,
            (None, true, _) if one_sided => ImageOrder::InputsFirst,
            (None, true, false) => ImageOrder::InputsFirst,
            (None, false, true) => ImageOrder::OutputsFirst,
            (None, false, false) => return Err(Mismatch::NoOrder),
            (None, true, true) if self.cycles < DECIDED_AFTER => return Ok(None),
            (None, true, true) => return Err(Mismatch::AnyOrder),
        };
        let mut places = vec![[0; 2]; sizes.len()];
        place(&mut places, &sizes, &shares, first);
        Ok(Some(Layout::configured(bus, learner, &places)))
    }
}

/// First logical addresses of every SubDevice's inputs and outputs.
fn place(places: &mut [[u32; 2]], sizes: &[[u64; 2]], shares: &[Share<'_>], order: ImageOrder) {
    for share in shares {
        let mut next = share.starts(order);
        for device in share.devices.clone() {
            let (Some(place), Some(size)) = (places.get_mut(device), sizes.get(device)) else {
                continue;
            };
            // Logical addresses have 32 bits: what was seen in frames fits.
            *place = next.map(|address| address as u32);
            next = [next[0] + size[0], next[1] + size[1]];
        }
    }
}
