//! Memory that is there before it is needed.
//!
//! One of the named files with unsafe code: the call that tells the allocator to keep what it has.
#![allow(unsafe_code)]

use std::hint::black_box;

/// Depth of the stack that is touched (bytes): more than the cycle goes down.
const STACK: usize = 256 << 10;
/// Memory that is touched on the heap (bytes), for what is made until the first cycle; the cycle itself takes none.
const HEAP: usize = 4 << 20;
/// Piece in which it is touched (bytes): small enough to come from the heap and not from a mapping of its own.
const PIECE: usize = 64 << 10;
/// Smallest page (bytes).
const PAGE: usize = 4096;

/// Touches the stack below the caller.
#[inline(never)]
pub(super) fn stack() {
    let mut depth = [0_u8; STACK];
    for byte in depth.iter_mut().step_by(PAGE) {
        *byte = 1;
    }
    black_box(&mut depth);
}

/// Touches heap of this thread and keeps it.
pub(super) fn heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes numbers only; a value that the allocator does not like is refused and changes nothing.
    unsafe {
        // What is freed stays.
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
    let mut pieces = Vec::with_capacity(HEAP / PIECE);
    for _ in 0..HEAP / PIECE {
        let mut piece = vec![0_u8; PIECE];
        for byte in piece.iter_mut().step_by(PAGE) {
            *byte = 1;
        }
        pieces.push(black_box(piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Page faults of this thread that needed no disk: field 10 of proc(5) `stat`.
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_whitespace()
            .nth(10 - 3)
            .unwrap()
            .parse()
            .unwrap()
    }

    #[test]
    fn a_touched_stack_faults_no_more() {
        std::thread::spawn(|| {
            let before = faults();
            stack();
            let first = faults() - before;
            assert!(first as usize >= STACK / PAGE / 2, "{first}");
            let before = faults();
            stack();
            // What reads the figure may touch a page itself.
            assert!(faults() - before <= 4, "{}", faults() - before);
        })
        .join()
        .unwrap();
    }
    #[test]
    fn a_touched_heap_faults_no_more() {
        std::thread::spawn(|| {
            let pieces =
                || -> Vec<Vec<u8>> { (0..HEAP / PIECE / 2).map(|_| vec![1; PIECE]).collect() };
            let before = faults();
            heap();
            let first = faults() - before;
            let before = faults();
            black_box(&pieces());
            let again = faults() - before;
            println!("{first} faults at first, {again} after it");
            // Pages may be huge ones.
            assert!(first > again, "{first}, {again}");
            assert!(again <= 16, "{again}");
        })
        .join()
        .unwrap();
    }
}
