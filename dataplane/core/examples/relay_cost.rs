//! What a room on several workers costs beside forwarding: handing a packet to another worker, and
//! taking it there, without the rings between them. Processor time of this thread; forwarding alone
//! is measured in the same run.
//!
//! `cargo run --release -p bedside-core --example relay_cost`
#![expect(clippy::print_stdout, reason = "an instrument's reading")]

#[expect(dead_code, reason = "tests and benchmarks use more of it")]
mod load;

use bedside_protocol::{RoomId, WorkerId};
use load::{LoadedWorker, Media, start, thread_time};
use std::time::Duration;

const ROOM: RoomId = RoomId(1);
const VIDEO: Media = Media::Video {
    packets: 8,
    bytes: 1_200,
};

/// Publishers on the first worker; subscribers on it; other workers, and subscribers on each.
struct Layout {
    publishers: usize,
    here: usize,
    workers: u16,
    there: usize,
}

/// Processor time for each published packet: of the first worker, and of the second.
fn measure(layout: &Layout) -> (f64, f64) {
    let now = start();
    let mut origin = LoadedWorker::numbered(WorkerId(0), now);
    let mut others: Vec<LoadedWorker> = (1..=layout.workers)
        .map(|number| LoadedWorker::numbered(WorkerId(number), now))
        .collect();
    let published: Vec<_> = (0..layout.publishers)
        .map(|_| {
            let publisher = origin.join(ROOM);
            let workers = (1..=layout.workers).map(WorkerId).collect();
            for other in &mut others {
                other.relayed_from(WorkerId(0), ROOM, VIDEO);
            }
            origin.publish_to(publisher, VIDEO, workers)
        })
        .collect();
    for (worker, count) in std::iter::once((&mut origin, layout.here))
        .chain(others.iter_mut().map(|other| (other, layout.there)))
    {
        for _ in 0..count {
            let subscriber = worker.join(ROOM);
            for &published in &published {
                worker.subscribe(subscriber, published);
            }
        }
    }
    let mut costs = [Vec::new(), Vec::new()];
    for number in 0..WARM_UP + SLICES {
        let received = origin.core.statistics().forwarder.received_rtp;
        origin.prepare(SLICE, 8);
        let before = thread_time();
        origin.run();
        let here = thread_time() - before;
        // Each other one takes its own from all; only one is there when that is measured.
        let before = thread_time();
        for other in &mut others {
            other.run_relayed(&mut origin);
        }
        let there = thread_time() - before;
        for worker in std::iter::once(&mut origin).chain(&mut others) {
            worker.drain_events();
        }
        let packets = origin.core.statistics().forwarder.received_rtp - received;
        if number >= WARM_UP {
            for (costs, spent) in costs.iter_mut().zip([here, there]) {
                costs.push(spent.as_nanos() as f64 / packets as f64);
            }
        }
    }
    let statistics = origin.core.statistics().forwarder;
    assert_eq!(statistics.relay_dropped, 0);
    let [here, there] = costs.map(|mut costs| {
        costs.sort_by(f64::total_cmp);
        costs[costs.len() / 2]
    });
    (here, there)
}

fn main() {
    let layout = |here, workers, there| Layout {
        publishers: 4,
        here,
        workers,
        there,
    };
    let (receive, _) = measure(&layout(0, 0, 0));
    let (forward, _) = measure(&layout(10, 0, 0));
    let (hand, take) = measure(&layout(0, 1, 0));
    let (_, serve) = measure(&layout(0, 1, 10));
    let (again, _) = measure(&layout(0, 0, 0));
    println!("ns of processor time for a packet of 1,200 bytes");
    println!("{receive:6.0} to receive it ({again:.0} at the end of the run)");
    println!(
        "{:6.0} to forward it to a subscriber",
        (forward - receive) / 10.0
    );
    println!("{:6.0} to hand it to another worker", hand - receive);
    println!("{take:6.0} to take it there");
    println!(
        "{:6.0} to forward it to a subscriber there",
        (serve - take) / 10.0
    );
}

/// Until caches have their size.
const WARM_UP: usize = 40;
const SLICES: usize = 100;
const SLICE: Duration = Duration::from_millis(50);
