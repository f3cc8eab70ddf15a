//! Steady forwarding allocates nothing in a whole worker: not for packets, repairs, reports,
//! feedback, connectivity checks or timers.
#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "../examples/load/mod.rs"]
#[expect(dead_code, reason = "benchmarks use more of it")]
mod load;

use bedside_protocol::{RoomId, WorkerId};
use load::{LoadedWorker, Media};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

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

/// Three consults for ten seconds of virtual time, their video asked for again now and then.
#[test]
fn forwarding_allocates_nothing() {
    let mut worker = LoadedWorker::new(load::start());
    worker.consults(3);
    let slice = Duration::from_millis(50);
    let (mut counted, mut slices) = (0, 0);
    for number in 0..250 {
        worker.prepare(slice, 4);
        worker.sink.kept = (number % 20 == 0).then(Vec::new);
        let keeps = worker.sink.kept.is_some();
        let before = ALLOCATIONS.get();
        worker.run();
        let mut made = ALLOCATIONS.get() - before;
        // An event to the control plane is made of memory; every two seconds there is one.
        let mut quiet = worker.drain_events() == 0 && !keeps;
        if keeps {
            worker.prepare_nacks(1, 3);
            let before = ALLOCATIONS.get();
            worker.run();
            made = ALLOCATIONS.get() - before;
            quiet = worker.drain_events() == 0;
        }
        // Everything has its size after a few seconds: caches double while they fill.
        if quiet && number >= 100 {
            counted += made;
            slices += 1;
        }
    }
    assert!(slices > 100, "{slices} slices were counted");
    let done = worker.core.statistics();
    assert!(done.forwarder.forwarded > 10_000, "{done:?}");
    assert!(done.forwarder.retransmitted > 100, "{done:?}");
    assert!(done.transport.checks_answered > 20, "{done:?}");
    assert_eq!(counted, 0);
}

/// Nor does it where every frame has to wait for its turn.
#[test]
fn pacing_allocates_nothing() {
    let mut worker = LoadedWorker::new(load::start());
    worker.consults(3);
    let (mut counted, mut slices) = (0, 0);
    for number in 0..250 {
        if number % 20 == 0 {
            // Enough for the video to be granted, then hardly more than it takes.
            worker.prepare_limit(if number < 80 { 1_600 } else { 1_240 });
            worker.run();
        }
        worker.prepare(Duration::from_millis(50), 4);
        let before = ALLOCATIONS.get();
        worker.run();
        let made = ALLOCATIONS.get() - before;
        if worker.drain_events() == 0 && number >= 100 {
            counted += made;
            slices += 1;
        }
    }
    assert!(slices > 100, "{slices} slices were counted");
    let done = worker.core.statistics().forwarder;
    assert!(done.paced > 2_000, "{done:?}");
    // What waited when the video was paused, before the path was known to take it.
    assert!(done.pacer_shed < 50 && done.forwarded > 10_000, "{done:?}");
    assert_eq!(counted, 0);
}

/// Handing a packet to another worker, and taking it there, allocates nothing either.
#[test]
fn relaying_allocates_nothing() {
    let now = load::start();
    let room = RoomId(1);
    let [here, there] = [WorkerId(0), WorkerId(1)];
    let mut origin = LoadedWorker::numbered(here, now);
    let mut other = LoadedWorker::numbered(there, now);
    let video = Media::Video {
        packets: 4,
        bytes: 1_200,
    };
    let subscriber = other.join(room);
    for media in [Media::Audio, video] {
        let publisher = origin.join(room);
        let relayed = other.relayed_from(here, room, media);
        origin.publish_to(publisher, media, vec![there]);
        other.subscribe(subscriber, relayed);
    }
    let (mut counted, mut slices) = (0, 0);
    // The subscriber sends no checks, and is given up after ten seconds.
    for number in 0..190 {
        origin.prepare(Duration::from_millis(50), 4);
        let before = ALLOCATIONS.get();
        origin.run();
        other.run_relayed(&mut origin);
        let made = ALLOCATIONS.get() - before;
        let events = origin.drain_events() + other.drain_events();
        if events == 0 && number >= 100 {
            counted += made;
            slices += 1;
        }
    }
    assert!(slices > 70, "{slices} slices were counted");
    let done = other.core.statistics().forwarder;
    assert!(done.received_relayed > 1_500, "{done:?}");
    assert!(done.forwarded > 1_500, "{done:?}");
    assert_eq!(counted, 0);
}
