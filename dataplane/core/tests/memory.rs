//! What a participant of a two-way consult takes, beside the packets that are kept for repair.
#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "../examples/load/mod.rs"]
#[expect(dead_code, reason = "benchmarks use more of it")]
mod load;

use load::LoadedWorker;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    /// Bytes that this thread holds.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting on the side touches
// a thread-local that needs no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add_unsigned(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub_unsigned(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes of a core that holds `consults`, after a moment of media: what dropping it gives back.
fn core_bytes(start: Instant, consults: u64) -> isize {
    let mut worker = LoadedWorker::new(start);
    worker.consults(consults);
    worker.prepare(Duration::from_millis(60), 4);
    worker.run();
    worker.drain_events();
    let other = LoadedWorker::new(start);
    let core = std::mem::replace(&mut worker.core, other.core);
    let held = HELD.get();
    drop(core);
    held - HELD.get()
}

/// DESIGN section 6: at most 64 KiB beyond packet memory.
#[test]
fn a_participant_of_a_consult_fits_into_its_share() {
    let start = load::start();
    // Between two sizes at which every table has just doubled, so that growth is in the figure.
    let more = core_bytes(start, 32) - core_bytes(start, 16);
    let a_participant = more / 32 + CIPHERS - PACKET_MEMORY;
    println!("{a_participant} bytes beside {PACKET_MEMORY} of packet memory");
    assert!(a_participant <= 64 * 1_024, "{a_participant} bytes");
    assert!(a_participant > 4 * 1_024, "the count works");
}

/// The rings of bytes of a participant's audio and video, at the size that they begin with.
const PACKET_MEMORY: isize = 2 * 16 * 1_024;

/// aws-lc's own memory, which a Rust allocator does not see: contexts of 584 bytes for RTP and RTCP
/// in both directions.
const CIPHERS: isize = 4 * 584;
