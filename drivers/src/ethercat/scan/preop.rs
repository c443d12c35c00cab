//! Process data as SubDevices map them now, read by CoE: for that they are taken to PRE-OP, and back to INIT.

use super::super::bring_up::maindevice_config;
use super::super::executor::{FRAMES, run};
use super::super::frame::command;
use super::super::line::Line;
use super::super::port::Port;
use crate::link::{Link, MAX_FRAME};
use ethercrab::error::{Error, MailboxError};
use ethercrab::{MainDevice, PduStorage, SubDeviceRef};
use twinstep_config::machine::{MAX_SUBDEVICES, PdoEntry};

/// Most process data that ethercrab may map (bytes); nothing is mapped here.
const MAX_IMAGE: usize = 16;
/// PDO assignment of SyncManagers 2 and 3: outputs, inputs.
const ASSIGNED: [u16; 2] = [0x1c12, 0x1c13];
/// Most PDOs of one direction, and most objects of one PDO, that are read.
const MOST: u8 = 64;
const AL_CONTROL: u16 = 0x0120;
/// INIT, and whatever error there is acknowledged.
const INIT: u8 = 0x11;
const ACCESS_NS: u64 = 20_000_000;

/// Outputs and inputs.
pub type Mapping = [Vec<PdoEntry>; 2];

/// Asks every SubDevice with a CoE mailbox; none for the others.
///
/// # Errors
/// What ethercrab said where the bus does not reach PRE-OP.
pub fn mappings<L: Link>(port: &mut Port<L>) -> Result<Vec<Option<Mapping>>, Error> {
    let storage = Box::new(PduStorage::<FRAMES, MAX_FRAME>::new());
    let Ok((mut tx, mut rx, pdu_loop)) = storage.try_split() else {
        return Err(Error::Internal);
    };
    let (timeouts, config) = maindevice_config();
    let maindevice = MainDevice::new(pdu_loop, timeouts, config);
    let clock = port.clock().clone();
    let init = maindevice.init_single_group::<MAX_SUBDEVICES, MAX_IMAGE>(|| clock.now_ns());
    let result = run(port, &mut tx, &mut rx, init).and_then(|group| {
        let mut all = Vec::with_capacity(group.len());
        for subdevice in group.iter(&maindevice) {
            all.push(run(port, &mut tx, &mut rx, mapping(&subdevice))?);
        }
        Ok(all)
    });
    let mut line = Line::new();
    line.begin();
    line.push(command::BWR, 0, AL_CONTROL, 2, &[INIT, 0]);
    line.deadline_ns = port.clock().now_ns().saturating_add(ACCESS_NS);
    // Whoever did not hear it says so in the next scan.
    let _ = line.exchange(port);
    result
}

async fn mapping<S>(subdevice: &SubDeviceRef<'_, S>) -> Result<Option<Mapping>, Error>
where
    S: core::ops::Deref<Target = ethercrab::SubDevice>,
{
    let mut mapping = Mapping::default();
    for (assigned, entries) in ASSIGNED.into_iter().zip(&mut mapping) {
        let pdos = match subdevice.sdo_read::<u8>(assigned, 0).await {
            Ok(pdos) => pdos,
            Err(Error::Mailbox(MailboxError::NoReadMailbox | MailboxError::NoWriteMailbox)) => {
                return Ok(None);
            }
            // It carries nothing this way, or has a fixed map that it does not tell.
            Err(Error::Mailbox(MailboxError::Aborted { .. })) => continue,
            Err(error) => return Err(error),
        };
        for n in 1..=pdos.min(MOST) {
            let pdo: u16 = subdevice.sdo_read(assigned, n).await?;
            let objects: u8 = subdevice.sdo_read(pdo, 0).await?;
            for object in 1..=objects.min(MOST) {
                let mapped: u32 = subdevice.sdo_read(pdo, object).await?;
                let [bits, subindex, low, high] = mapped.to_le_bytes();
                entries.push(PdoEntry {
                    index: u16::from_le_bytes([low, high]),
                    subindex,
                    bits,
                });
            }
        }
    }
    let tells = mapping.iter().any(|entries| !entries.is_empty());
    Ok(tells.then_some(mapping))
}
