//! What a worker's core costs for each packet that it forwards, without any I/O: reports, feedback,
//! checks and timers included. Processor time of this thread; sealing alone is measured in the same
//! run, because the machine's speed changes from minute to minute.
//!
//! `cargo run --release -p bedside-core --example forwarding_cost [NAME]`
#![expect(clippy::print_stdout, reason = "an instrument's reading")]

#[expect(dead_code, reason = "tests and benchmarks use more of it")]
mod load;

use bedside_srtp::{MasterKey, Profile, Sealer};
use load::{LoadedWorker, Media, start, thread_time};
use std::time::Duration;

struct Case {
    name: &'static str,
    /// Datagrams in one wake-up.
    per_wakeup: usize,
    set_up: fn(&mut LoadedWorker),
}

const CASES: [Case; 9] = [
    Case {
        name: "1 to 1, 8 packets",
        per_wakeup: 8,
        set_up: |worker| one_to_many(worker, 1),
    },
    Case {
        name: "1 to 10, 8 packets",
        per_wakeup: 8,
        set_up: |worker| one_to_many(worker, 10),
    },
    Case {
        name: "1 to 50, 8 packets",
        per_wakeup: 8,
        set_up: |worker| one_to_many(worker, 50),
    },
    Case {
        name: "1 to 50, 1 packet",
        per_wakeup: 1,
        set_up: |worker| one_to_many(worker, 50),
    },
    Case {
        name: "1 to 500, 8 packets",
        per_wakeup: 8,
        set_up: |worker| one_to_many(worker, 500),
    },
    Case {
        name: "1 consult, 1 datagram",
        per_wakeup: 1,
        set_up: |worker| worker.consults(1),
    },
    Case {
        name: "200 consults, 1 datagram",
        per_wakeup: 1,
        set_up: |worker| worker.consults(200),
    },
    Case {
        name: "200 consults, 32 datagrams",
        per_wakeup: 32,
        set_up: |worker| worker.consults(200),
    },
    Case {
        name: "1,000 consults, 32 datagrams",
        per_wakeup: 32,
        set_up: |worker| worker.consults(1_000),
    },
];

fn one_to_many(worker: &mut LoadedWorker, subscribers: usize) {
    let room = bedside_protocol::RoomId(1);
    let publisher = worker.join(room);
    let video = worker.publish(
        publisher,
        Media::Video {
            packets: 8,
            bytes: 1_200,
        },
    );
    for _ in 0..subscribers {
        let subscriber = worker.join(room);
        worker.subscribe(subscriber, video);
    }
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    println!("{:30} ns/packet forwarded  of which sealing", "case");
    for case in CASES.iter().filter(|case| case.name.contains(&wanted)) {
        let mut worker = LoadedWorker::new(start());
        (case.set_up)(&mut worker);
        // A second and a half brings everything to rest. Slices are then short enough for what
        // is prepared not to push the worker's own memory out of the processor's cache.
        let mut datagrams = 0;
        for _ in 0..30 {
            datagrams = worker.prepare(Duration::from_millis(50), case.per_wakeup);
            worker.run();
            worker.drain_events();
        }
        let slice = Duration::from_millis(50).mul_f64(DATAGRAMS / datagrams as f64);
        let seal_ns = seal_ns();
        let mut costs = Vec::new();
        while costs.len() < SLICES_MIN || costs.len() < SLICES_MAX && worker.forwarded() < ENOUGH {
            worker.prepare(slice, case.per_wakeup);
            let forwarded = worker.forwarded();
            let before = thread_time();
            worker.run();
            let spent = thread_time() - before;
            costs.push(spent.as_nanos() as f64 / (worker.forwarded() - forwarded) as f64);
            worker.drain_events();
        }
        costs.sort_by(f64::total_cmp);
        let median = costs[costs.len() / 2];
        println!("{:30} {median:19.0} {seal_ns:17.0}", case.name);
    }
}

/// One seal of a full packet from one buffer into another.
fn seal_ns() -> f64 {
    let key = MasterKey::new(Profile::AeadAes256Gcm, &[9; 32], &[9; 12]);
    let mut sealer = Sealer::new(Profile::AeadAes256Gcm, &key.expect("its lengths"))
        .expect("a key of the profile");
    let mut packet = [0; 1_300];
    let payload = [1; 1_160];
    packet[0] = 0x90;
    packet[8..12].copy_from_slice(&[0, 0, 0, 7]);
    let count = 100_000_u64;
    let before = thread_time();
    for index in 0..count {
        let [.., s0, s1] = index.to_be_bytes();
        packet[2..4].copy_from_slice(&[s0, s1]);
        let sealed = sealer.seal_rtp_into(&mut packet, 28, &payload, index, 7, 0);
        std::hint::black_box(sealed.expect("sealable"));
    }
    (thread_time() - before).as_nanos() as f64 / count as f64
}

const SLICES_MIN: usize = 15;
const SLICES_MAX: usize = 200;

/// Datagrams in a slice.
const DATAGRAMS: f64 = 1_000.0;

/// Packets that a case forwards at least, if that does not take too many slices.
const ENOUGH: u64 = 1_000_000;
