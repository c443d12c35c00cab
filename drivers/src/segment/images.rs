//! The EEPROM images that a machine's configuration names.

use super::Description;
use super::assemble::SegmentError;
use super::controller::ControllerError;
use super::sii_image::{SiiError, SiiImage};
use std::path::Path;
use twinstep_config::machine::{Machine, SiiFile};

/// Why an image cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// The file cannot be read.
    Read(String),
    /// It is no image.
    Sii(SiiError),
    /// Its device cannot be simulated.
    Controller(ControllerError),
}

impl core::fmt::Display for ImageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Read(why) => write!(f, "{why}"),
            Self::Sii(error) => write!(f, "{error}"),
            Self::Controller(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ImageError {}

/// Reads the images of a machine's SubDevices, whose paths are relative to `folder`, and takes identities from them.
///
/// # Errors
/// [`SegmentError::Image`], which names SubDevice and file.
pub fn load_images(machine: &mut Machine, folder: &Path) -> Result<(), SegmentError> {
    let subdevices = machine.bus.iter_mut().flat_map(|bus| &mut bus.subdevices);
    for subdevice in subdevices {
        let Some(file) = &mut subdevice.sii else {
            continue;
        };
        let wrong = |why: ImageError| SegmentError::Image {
            name: subdevice.name.clone(),
            path: file.path.clone(),
            why,
        };
        let bytes = std::fs::read(folder.join(&file.path))
            .map_err(|error| wrong(ImageError::Read(error.to_string())))?;
        let image = SiiImage::parse(&bytes).map_err(|error| wrong(ImageError::Sii(error)))?;
        subdevice.vendor_id = image.vendor_id;
        subdevice.product_code = image.product_code;
        file.bytes = bytes;
    }
    Ok(())
}

/// The device of an image that was read.
pub(super) fn description(file: &SiiFile) -> Result<Description, ImageError> {
    let image = SiiImage::parse(&file.bytes).map_err(ImageError::Sii)?;
    Description::from_image(image).map_err(ImageError::Controller)
}
