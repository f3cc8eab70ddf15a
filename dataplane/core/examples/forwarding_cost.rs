//! What forwarding one packet costs, without any I/O:
//! `cargo run --release -p bedside-core --example forwarding_cost`. Sealing alone is measured in
//! the same run, because the machine's speed changes from minute to minute.

mod room;

use bedside_srtp::Sealer;
use room::{MeasuredRoom, PROFILE, SERVER, key};
use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "an instrument reads the clock that it measures with"
)]
fn clock() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "an instrument's reading")]
fn main() {
    println!("publishers subscribers packets/batch  ns/packet sent  of which sealing");
    for (publishers, subscribers, packets) in [
        (1, 1, 8),
        (1, 10, 8),
        (1, 50, 8),
        (1, 50, 1),
        (50, 50, 1),
        (1, 500, 8),
    ] {
        let seal_ns = seal_ns();
        let mut room = MeasuredRoom::new(clock(), publishers, subscribers);
        let mut spent = Duration::ZERO;
        let mut sent = 0;
        let rounds = 200 + 400_000 / (publishers * subscribers * packets);
        for round in 0..rounds {
            room.prepare(packets);
            let before = room.sink.packets;
            let started = clock();
            room.forward();
            let elapsed = started.elapsed();
            if round >= rounds / 4 {
                spent += elapsed;
                sent += room.sink.packets - before;
            }
            room.drain_events();
        }
        let ns = spent.as_nanos() as f64 / sent as f64;
        println!("{publishers:10} {subscribers:11} {packets:13} {ns:15.0} {seal_ns:17.0}");
    }
}

/// One seal of a full packet from one buffer into another.
fn seal_ns() -> f64 {
    let mut sealer = Sealer::new(PROFILE, &key(9, SERVER)).expect("a key of the profile");
    let mut packet = [0; 1_300];
    let payload = [1; 1_172];
    packet[0] = 0x90;
    packet[8..12].copy_from_slice(&[0, 0, 0, 7]);
    let count = 100_000_u64;
    let started = clock();
    for index in 0..count {
        let [.., s0, s1] = index.to_be_bytes();
        packet[2..4].copy_from_slice(&[s0, s1]);
        let sealed = sealer.seal_rtp_into(&mut packet, 28, &payload, index, 7, 0);
        std::hint::black_box(sealed.expect("sealable"));
    }
    started.elapsed().as_nanos() as f64 / count as f64
}
