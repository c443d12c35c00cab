//! One cyclic exchange: send everything, await everything, judge, copy.

use super::plan::Purpose;
use super::registers::AlStatus;
use super::{EthercatBus, OP, frame::working_counter};
use crate::bus::{BusCause, BusFault, ProcessImage};
use crate::link::Link;
use twinstep_models::sample::{CycleStamp, Missing};

/// An answer is waited for until this part of the period is left, or this long before its end (ns), whichever is later.
const LATEST_PART: u64 = 4;
const LATEST_NS: u64 = 250_000;

impl<L: Link> EthercatBus<L> {
    /// One exchange. The flat order is: fill, send all, do what can be done meanwhile, await all, judge, copy.
    pub(super) fn transfer(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
        mut stamp: CycleStamp,
    ) -> Result<CycleStamp, BusFault> {
        let sent_ns = self.clock().now_ns();
        let time_ns = self.redundancy.system_time_ns(sent_ns);
        self.plan.fill(&image.outputs, time_ns);
        for (frame, ticket) in self.plan.frames.iter().zip(&mut self.tickets) {
            *ticket = Some(self.port.send(frame));
        }
        in_flight();
        let spare_ns = (self.period_ns / LATEST_PART).min(LATEST_NS);
        self.await_answers(sent_ns.saturating_add(self.period_ns - spare_ns));
        let ring = self.port.link().ring();
        self.redundancy
            .look(ring, &self.saved, self.clocks.reference);
        let result = self.judge(image, &mut stamp);
        if stamp.dc_time_ns != 0 {
            self.redundancy.heard(stamp.dc_time_ns, sent_ns);
        }
        result
    }

    fn await_answers(&mut self, deadline_ns: u64) {
        while self.tickets.iter().any(Option::is_some) {
            let Some((ticket, answer)) = self.port.receive(deadline_ns) else {
                break;
            };
            // Answers to register accesses of an earlier cycle are nobody's any more.
            let Some(index) = self.tickets.iter().position(|known| *known == Some(ticket)) else {
                continue;
            };
            if let (Some(slot), Some(copy)) =
                (self.tickets.get_mut(index), self.answers.get_mut(index))
                && let Some(answer) = answer.get(..copy.len())
            {
                copy.copy_from_slice(answer);
                *slot = None;
            }
        }
        for ticket in self.tickets.iter().flatten() {
            self.port.give_up(*ticket);
        }
    }

    fn judge(
        &mut self,
        image: &mut ProcessImage,
        stamp: &mut CycleStamp,
    ) -> Result<CycleStamp, BusFault> {
        image.valid.fill(Ok(()));
        let mut cause = None;
        let mut doubtful = false;
        let mut wrong_counters = 0;
        let mut broadcast = None;
        self.phase_error_ns = None;
        for datagram in &self.plan.datagrams {
            let answer = match (
                self.tickets.get(datagram.frame),
                self.answers.get(datagram.frame),
            ) {
                (Some(None), Some(answer)) => answer,
                _ => {
                    cause = Some(BusCause::NoFrame);
                    self.plan.mark(datagram.purpose, image, Missing::NoFrame);
                    continue;
                }
            };
            let actual = working_counter(answer, datagram.data, datagram.length);
            let data = answer
                .get(datagram.data..datagram.data + datagram.length)
                .unwrap_or_default();
            let right = actual == datagram.expected;
            wrong_counters += u64::from(!right);
            match datagram.purpose {
                Purpose::SystemTime => {
                    if let (true, Ok(bytes)) = (right, data.try_into()) {
                        stamp.dc_time_ns = u64::from_le_bytes(bytes);
                        self.phase_error_ns = Some(phase_error_ns(
                            stamp.dc_time_ns.wrapping_sub(self.redundancy.lag_ns()),
                            self.period_ns,
                            self.shift_ns,
                        ));
                    }
                }
                Purpose::AlStatus => broadcast = data.first().copied().filter(|_| right),
                Purpose::ProcessData(..) if right => {
                    self.plan.take(datagram.purpose, answer, image)
                }
                Purpose::ProcessData(..) => {
                    doubtful = true;
                    cause = cause.or(Some(BusCause::WorkingCounter {
                        expected: datagram.expected,
                        actual,
                    }));
                    self.plan
                        .mark(datagram.purpose, image, Missing::WorkingCounter);
                }
            }
        }
        self.port.counters_mut().working_counter_errors += wrong_counters;
        // Somebody is in OP and did not take part all the same.
        self.doubtful |= doubtful && broadcast == Some(OP);
        self.judge_states(broadcast, image);
        match cause {
            Some(cause) => Err(BusFault {
                stamp: *stamp,
                cause,
            }),
            None => Ok(*stamp),
        }
    }

    /// Inputs count only from SubDevices in OP. The broadcast ORs all states: anything but OP from all means asking
    /// each one, and until that is done none is trusted.
    fn judge_states(&mut self, broadcast: Option<u8>, image: &mut ProcessImage) {
        let known = self
            .statuses
            .iter()
            .fold(0, |all, status| all | status.status);
        match broadcast {
            Some(OP) => {
                if known != OP || self.suspect {
                    self.statuses.fill(AlStatus {
                        status: OP,
                        code: 0,
                    });
                    self.suspect = false;
                }
                return;
            }
            Some(status) if status == known && !self.suspect => {}
            _ => self.suspect = true,
        }
        for (valid, status) in image.valid.iter_mut().zip(&self.statuses) {
            if valid.is_ok() && (self.suspect || status.status != OP) {
                *valid = Err(Missing::NotOperational);
            }
        }
    }
}

/// Where the frame passed the reference clock against SYNC0 + shift (ns, positive: late), within half a period.
pub(super) fn phase_error_ns(dc_time_ns: u64, period_ns: u64, shift_ns: u64) -> i64 {
    let period = period_ns.max(1);
    // SYNC0 stands at whole multiples of the period in system time.
    let late = dc_time_ns.wrapping_sub(shift_ns) % period;
    if late > period / 2 {
        late as i64 - period as i64
    } else {
        late as i64
    }
}
