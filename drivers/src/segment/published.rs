//! The process data of the simulated devices, as a process image.

use super::Segment;
use super::application::AlState;
use crate::bus::ProcessImage;
use crate::object_map::Layout;
use twinstep_models::sample::Missing;

impl Segment {
    /// Fills `image`, which `layout` describes, with what stands in the SubDevices now: outputs as the last frame brought
    /// them, inputs as it took them along. What is not in OP is not valid.
    pub fn process_data(&self, layout: &Layout, image: &mut ProcessImage) {
        for (number, place) in layout.subdevices.iter().enumerate() {
            let (Some(device), Some(valid)) =
                (self.devices.get(number), image.valid.get_mut(number))
            else {
                continue;
            };
            if let (Some(outputs), Some(inputs)) = (
                image.outputs.get_mut(place.output_bytes.clone()),
                image.inputs.get_mut(place.input_bytes.clone()),
            ) {
                device.process_data(outputs, inputs);
            }
            *valid = match self.al_state(number) {
                Some((AlState::Op, _)) => Ok(()),
                _ => Err(Missing::NotOperational),
            };
        }
    }

    /// When the last SubDevice on the wire that has outputs got new ones (ns, segment time): a cycle of its MainDevice is over.
    pub fn outputs_at(&self) -> Option<u64> {
        let mut devices = self.devices.iter().rev();
        let last = devices.find(|device| device.description.output_bytes() > 0)?;
        last.outputs_at()
    }
}
