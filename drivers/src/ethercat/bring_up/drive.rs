//! What a drive is asked and told in PRE-OP.

use crate::ethercat::DriveScaling;
use ethercrab::SubDeviceRef;
use ethercrab::error::{Error, MailboxError};

/// Cyclic synchronous position (0x6060).
pub(super) const MODE_CSP: i8 = 8;

/// Reads a drive's scaling, and sets mode and interpolation period where it has the objects.
pub(super) async fn prepare_drive<'a, S>(
    subdevice: &SubDeviceRef<'a, S>,
    shift: u16,
    set_mode: bool,
    period_ns: u64,
) -> Result<DriveScaling, Error>
where
    S: core::ops::Deref<Target = ethercrab::SubDevice>,
{
    let scaling = DriveScaling {
        rated_current_ma: optional(subdevice.sdo_read::<u32>(0x6075 + shift, 0).await)?,
        rated_torque_mnm: optional(subdevice.sdo_read::<u32>(0x6076 + shift, 0).await)?,
    };
    if set_mode {
        subdevice.sdo_write(0x6060 + shift, 0, MODE_CSP).await?;
    }
    if let Some((value, exponent)) = interpolation_period(period_ns) {
        let set = optional(subdevice.sdo_write(0x60c2 + shift, 1, value).await)?;
        if set.is_some() {
            optional(subdevice.sdo_write(0x60c2 + shift, 2, exponent).await)?;
        }
    }
    Ok(scaling)
}

/// An SDO that a drive need not have: its refusal is no error.
fn optional<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Mailbox(MailboxError::Aborted { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// 0x60C2: value times ten to the exponent, in seconds; none where the period cannot be written so.
pub(super) fn interpolation_period(period_ns: u64) -> Option<(u8, i8)> {
    let (mut value, mut exponent) = (period_ns, -9_i8);
    while value > 0 && value.is_multiple_of(10) {
        value /= 10;
        exponent += 1;
    }
    Some((
        u8::try_from(value).ok().filter(|&value| value > 0)?,
        exponent,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_as_cia_402_writes_them() {
        assert_eq!(interpolation_period(1_000_000), Some((1, -3)));
        assert_eq!(interpolation_period(250_000), Some((25, -5)));
        assert_eq!(interpolation_period(62_500), None);
        assert_eq!(interpolation_period(0), None);
    }
}
