//! Images: our own read back, real ones, broken ones, and anything.

use super::*;
use crate::segment::{Description, sii};
use proptest::prelude::*;
use std::path::Path;

/// The images of real devices, read in place.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/ethercat");

fn real(name: &str) -> Option<SiiImage> {
    let path = Path::new(FOLDER).join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: {} is missing", path.display());
        return None;
    };
    match SiiImage::parse(&bytes) {
        Ok(image) => Some(image),
        Err(error) => panic!("{name}: {error}"),
    }
}

fn bits(pdos: &[PdoRow]) -> usize {
    let assigned = pdos.iter().filter(|pdo| pdo.sync_manager.is_some());
    assigned
        .flat_map(|pdo| &pdo.entries)
        .map(|e| usize::from(e.bits))
        .sum()
}

#[test]
fn our_own_image_reads_back_as_it_was_described() {
    let description = Description::for_test("lift", 12, 14);
    let image = SiiImage::parse(&sii::image(&description)).unwrap();
    assert_eq!((image.vendor_id, image.product_code), (0x0b0b, 0x1234));
    assert_eq!((image.revision, image.serial), (1, 7));
    assert!(image.checksum_fits && !image.is_emulated());
    assert_eq!(image.order, "lift");
    assert_eq!(image.ports, Some([1, 1, 0, 0]));
    let mailboxes = image.mailboxes.unwrap();
    assert_eq!(
        (mailboxes.receive_start, mailboxes.send_start),
        (0x1000, 0x1080)
    );
    assert_eq!(image.fmmus, [1, 2, 3]);
    assert_eq!(image.sync_managers.len(), 4);
    assert_eq!(image.rx_pdos[0].entries, description.rx_pdos[0].entries);
    assert_eq!(image.tx_pdos[0].entries, description.tx_pdos[0].entries);
    assert_eq!(image.clocks[0].activate, 0x0300);
}

#[test]
fn real_images_are_what_they_are() {
    let known = [
        ("akd.hex", 0x6a, 0x0041_4b44, 2, "AKD"),
        ("ek1100.hex", 2, 0x044c_2c52, 0x0012_0000, "EK1100"),
        ("el2828.hex", 2, 0x0b0c_3052, 0x0011_0000, "EL2828"),
        ("el2889.hex", 2, 0x0b49_3052, 0x0011_0000, "EL2889"),
        (
            "el2004-eeprom-dump.bin",
            2,
            0x07d4_3052,
            0x0010_0000,
            "EL2004",
        ),
    ];
    for (file, vendor, product, revision, order) in known {
        let Some(image) = real(file) else { continue };
        println!(
            "{file}: vendor {:#x}, product {:#x}, revision {:#x}, {} \"{}\", FMMUs {:?}, emulated {}",
            image.vendor_id,
            image.product_code,
            image.revision,
            image.order,
            image.name,
            image.fmmus,
            image.is_emulated(),
        );
        for sm in &image.sync_managers {
            println!("  SM {sm:x?}");
        }
        for pdo in image.rx_pdos.iter().chain(&image.tx_pdos) {
            println!(
                "  {:#06x} SM {:?} \"{}\", {} objects",
                pdo.index,
                pdo.sync_manager,
                pdo.name,
                pdo.entries.len()
            );
        }
        assert_eq!(
            (image.vendor_id, image.product_code),
            (vendor, product),
            "{file}"
        );
        assert_eq!(
            (image.revision, image.order.as_str()),
            (revision, order),
            "{file}"
        );
        assert!(image.checksum_fits, "{file}");
    }
    let outputs = |file, expected: usize| {
        if let Some(image) = real(file) {
            assert_eq!(
                (bits(&image.rx_pdos), bits(&image.tx_pdos)),
                (expected, 0),
                "{file}"
            );
            assert!(image.mailboxes.is_none() && image.is_emulated(), "{file}");
        }
    };
    outputs("ek1100.hex", 0);
    outputs("el2004-eeprom-dump.bin", 4);
    outputs("el2828.hex", 8);
    outputs("el2889.hex", 16);
    if let Some(akd) = real("akd.hex") {
        let mailboxes = akd.mailboxes.unwrap();
        assert_eq!(
            (mailboxes.receive_start, mailboxes.receive_bytes),
            (0x1800, 1024)
        );
        assert_eq!((mailboxes.send_start, mailboxes.send_bytes), (0x1c00, 1024));
        assert_ne!(akd.protocols & protocol::COE, 0);
    }
}

/// A short image with one category.
fn with_category(kind: u16, words: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; FIRST_CATEGORY * 2];
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&words.to_le_bytes());
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(&[0xff, 0xff]);
    bytes
}

#[test]
fn what_is_wrong_is_told_with_its_word() {
    let table: [(Vec<u8>, &str); 9] = [
        (vec![0; 126], "126 bytes"),
        (vec![0; 129], "129 bytes"),
        (
            with_category(10, 9, &[0; 4]),
            "word 0x0040: category 10 claims 9 words, 3 are left",
        ),
        (
            with_category(10, 2, &[2, 1, b'a', 9]),
            "word 0x0043: string 2 claims 9 bytes, 0 are left",
        ),
        (
            with_category(30, 1, &[0; 2]),
            "word 0x0040: category 30 has 2 bytes",
        ),
        (with_category(40, 10, &[1; 20]), "20 FMMUs, at most 16"),
        (
            with_category(41, 2, &[0; 4]),
            "word 0x0040: category 41 has 4 bytes, no multiple of its rows of 8",
        ),
        (
            with_category(41, 68, &[0; 136]),
            "17 SyncManagers, at most 16",
        ),
        (
            with_category(50, 8, &[0, 0x1a, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            "word 0x0042: PDO 0x1a00 claims 3 objects, its category has room for 1",
        ),
    ];
    for (bytes, said) in table {
        let error = SiiImage::parse(&bytes).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    // The real size of a DC row is 24 bytes; an image may end without a mark.
    assert!(SiiImage::parse(&with_category(60, 1, &[0; 2])).is_err());
    assert!(SiiImage::parse(&[0; 128]).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        kind in prop_oneof![Just(10_u16), Just(30), Just(40), Just(41), Just(50), Just(51), Just(60)],
        words in 0_u16..150,
    ) {
        let _ = SiiImage::parse(&bytes);
        if let Ok(image) = SiiImage::parse(&with_category(kind, words, &bytes)) {
            prop_assert!(image.fmmus.len() <= MAX_CHANNELS);
        }
    }

    /// A real image with a few bytes changed.
    #[test]
    fn damaged_images_do_no_harm(at in 0_usize..600, value in any::<u8>(), length in 0_usize..600) {
        let mut bytes = sii::image(&Description::for_test("lift", 12, 14));
        bytes[at] = value;
        let _ = SiiImage::parse(&bytes);
        let _ = SiiImage::parse(&bytes[..length]);
    }
}
