//! A ring in steady use allocates nothing.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use bedside_ring::{Config, Engine, Ring};

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

fn ring(engine: Engine) -> Ring {
    let addresses = vec!["127.0.0.1:0".parse().expect("an address")];
    let config = Config {
        engine,
        ..Config::new(addresses)
    };
    Ring::new(&config).expect("this host has both engines")
}

/// Sends bursts of several kinds, more than a slab in all, and answers each datagram.
fn round(client: &mut Ring, server: &mut Ring, to: SocketAddr) {
    let from = client.local_addresses()[0];
    let mut outgoing = client.outgoing();
    for index in 0..300_usize {
        let bytes = 100 + (index / 20) * 70;
        let room = outgoing.reserve(from, to, 1_500).expect("a slab is free");
        room[..bytes].fill(1);
        outgoing.commit(bytes);
    }
    client.waker().wake();
    client.wait(Some(Duration::ZERO)).expect("it works");
    let mut left = 300;
    while left > 0 {
        left -= server
            .wait(Some(Duration::from_secs(10)))
            .expect("it works")
            .datagrams;
        let (batch, mut outgoing) = server.split();
        for datagram in batch {
            let bytes = datagram.payload.len();
            let room = outgoing.reserve(datagram.local, datagram.source, bytes);
            room.expect("a slab is free")
                .copy_from_slice(datagram.payload);
            outgoing.commit(bytes);
        }
    }
    server.wait(Some(Duration::ZERO)).expect("it works");
    let mut left = 300;
    while left > 0 {
        left -= client
            .wait(Some(Duration::from_secs(10)))
            .expect("it works")
            .datagrams;
    }
}

#[test]
fn steady_traffic_allocates_nothing() {
    for engine in Engine::ALL {
        let (mut client, mut server) = (ring(engine), ring(engine));
        let to = server.local_addresses()[0];
        round(&mut client, &mut server, to);
        let before = ALLOCATIONS.get();
        for _ in 0..100 {
            round(&mut client, &mut server, to);
        }
        assert_eq!(ALLOCATIONS.get(), before, "{engine}");
        assert_eq!(server.statistics().datagrams_sent, 101 * 300, "{engine}");
    }
}
