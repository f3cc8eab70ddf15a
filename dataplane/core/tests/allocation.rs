//! Steady forwarding allocates nothing: not for packets, not for reports or feedback.
#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "../examples/room/mod.rs"]
mod room;

use room::MeasuredRoom;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting on the side touches
// a thread-local that needs no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn forwarding_allocates_nothing() {
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant has no other source; all that follows is counted from it"
    )]
    let mut room = MeasuredRoom::new(Instant::now(), 2, 10);
    let statistics_every = 2_000 / 33 + 1;
    let mut counted = 0;
    let mut batches = 0;
    for round in 0..20 * statistics_every {
        room.prepare(8);
        let before = ALLOCATIONS.get();
        room.forward();
        let made = ALLOCATIONS.get() - before;
        // An event to the control plane is made of memory; every two seconds there is one.
        let quiet = room.forwarder.poll_event().is_none();
        room.drain_events();
        if quiet && round > 2 * statistics_every {
            counted += made;
            batches += 1;
        }
    }
    assert!(
        batches > 15 * statistics_every,
        "{batches} batches were counted"
    );
    assert!(room.sink.packets > 100_000);
    assert_eq!(counted, 0);
}
