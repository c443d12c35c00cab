//! A static library without `std` and without an allocator that links the core.
//!
//! It builds only while `twinstep-models` and `twinstep-cycle` keep to `no_std`: were `std` linked, its panic handler
//! would collide with the one here; were `alloc` linked, the global allocator would be missing.
#![no_std]

use core::panic::PanicInfo;
use twinstep_cycle::event::EventState;
use twinstep_models::sample::Missing;

/// Calls into both crates, so that both are really linked.
#[unsafe(no_mangle)]
pub extern "C" fn twinstep_nostd(code: u8) -> usize {
    let missing = Missing::ALL.iter().find(|missing| **missing as u8 == code);
    missing.map_or(0, |missing| missing.name().len()) + EventState::Raised.name().len()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
