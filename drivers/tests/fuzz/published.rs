//! Messages of devices that publish, changed at random, meet the subscriber.

use super::*;
use twinstep_config::machine::PubSub;
use twinstep_drivers::object_map::Layout;
use twinstep_drivers::tsn::TsnBus;
use twinstep_drivers::tsn::devices::Devices;
use twinstep_drivers::tsn::publisher::NOBODY;

#[test]
fn published_messages_are_taken_or_counted() {
    /// Hands out the frames it was given, and keeps those that are sent.
    struct Frames {
        clock: Clock,
        frames: Vec<Vec<u8>>,
    }

    impl Link for Frames {
        fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
            self.frames.push(frame.to_vec());
            Ok(())
        }

        fn receive(&mut self, buffer: &mut [u8], until: u64) -> Result<Option<usize>, LinkError> {
            let Some(frame) = self.frames.pop() else {
                self.clock.wait_until_ns(until);
                return Ok(None);
            };
            let length = frame.len().min(buffer.len());
            buffer[..length].copy_from_slice(&frame[..length]);
            Ok(Some(length))
        }

        fn clock(&self) -> &Clock {
            &self.clock
        }
    }

    let mut machine = machine();
    let bus = machine.bus.as_mut().unwrap();
    bus.pubsub = Some(PubSub::of(&bus.subdevices));
    let layout = Layout::new(&machine).unwrap();
    let mut image = layout.image();
    image.valid.fill(Ok(()));
    let new = || Frames {
        clock: Clock::virtual_from(0),
        frames: Vec::new(),
    };
    let mut devices = Devices::new(&machine, &layout, NOBODY).unwrap();
    let mut sent = new();
    for _ in 0..64 {
        devices.publish(&image, 0, &mut sent);
    }
    let all = sent.frames;
    let mut bus = TsnBus::new(new(), &machine).unwrap();
    let mut rng = rng(0x5541_4450);
    let (mut told, mut good, mut counted) = (layout.image(), 0, 0);
    for round in 0..rounds() / 4 {
        for _ in 0..1 + below(&mut rng, 3) {
            let mut frame = all[below(&mut rng, all.len())].clone();
            change(&mut frame, &all, &mut rng);
            bus.link_mut().frames.push(frame);
        }
        let result = bus.exchange(&mut told, &mut || {});
        good += u64::from(result.is_ok());
        let counters = bus.counters();
        let sum = counters.lost + counters.late + counters.duplicate + counters.foreign;
        assert!(sum >= counted, "{round}");
        counted = sum;
        assert_eq!(
            (told.inputs.len(), told.outputs.len()),
            (image.inputs.len(), image.outputs.len())
        );
    }
    // Both happened: messages that were taken, and such that were not.
    assert!(good > 100 && counted > 100, "{good} {counted}");
}
