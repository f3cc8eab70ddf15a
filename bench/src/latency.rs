//! What the server adds on the way, and what it loses, at 80 % of what it can do.
//!
//! Subscribers are real readers here: the receiving sockets' work is charged to the server, as
//! everywhere on loopback, so that its capacity is lower than with sockets that drop.

use crate::{
    contender::{Contender, Running, Window},
    figure::{Figure, Goal, Measured, Unit},
    forwarding,
    load::Load,
};
use anyhow::{Result, bail};
use bedside_loadgen::light::Sinks;
use std::time::Duration;

/// Subscribers who read everything, and open one packet in this many to see when it was sent.
pub const READING: Sinks = Sinks::Read { open_one_in: 64 };
const CONSULTS: u32 = 200;
/// A server whose 99th percentile is above this is beyond its capacity.
const CAPACITY_P99_NS: u64 = 5_000_000;
/// A generator that is later than this (p99) measures itself.
const GENERATOR_LATE_NS: u64 = 1_000_000;
const MOST_PACKETS: u32 = 2_400_000;

/// What is ramped.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Two-way consults, fan-out 1: what most workers do.
    Consults,
    /// One publisher to 50: a frame takes as long to leave as 450 packets take to be sealed.
    OneToFifty,
}

impl Shape {
    /// A load of which `packets` a second arrive.
    #[must_use]
    pub fn load(self, packets: u32) -> Load {
        match self {
            Self::OneToFifty => forwarding::load(50, packets),
            // 3.5 packets a frame, two cameras a consult.
            Self::Consults => Load::cameras(CONSULTS as usize, packets / (7 * CONSULTS)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Consults => "two-way consults",
            Self::OneToFifty => "1 to 50",
        }
    }

    /// What stands in the way of a low latency, in words for a note.
    fn obstacle(self, window: &Window) -> String {
        match self {
            Self::Consults => String::new(),
            Self::OneToFifty => {
                let frame = f64::from(forwarding::PACKETS_PER_FRAME * 50);
                let frame_us = frame * window.cost_ns() / 1_000.0;
                format!("; a frame is {frame} packets, {frame_us:.0} us of work")
            }
        }
    }

    fn first_packets(self) -> u32 {
        match self {
            Self::Consults => 100_000,
            Self::OneToFifty => 200_000,
        }
    }
}

/// What the ramp found.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    /// Packets a second that arrived, with nothing lost and the 99th percentile below 5 ms.
    packets: u32,
    /// Whether the generator gave out before the server did.
    generator_bound: bool,
}

/// Raises the load by a fifth until the server loses packets or falls behind.
///
/// # Errors
/// The server does not start or does not go on.
fn capacity(shape: Shape, window: Duration) -> Result<Capacity> {
    let mut good = shape.first_packets();
    let mut packets = good;
    while packets <= MOST_PACKETS {
        // Others may disturb one window; whoever fails twice has enough.
        let mut carried = false;
        let mut generator_bound = false;
        for _ in 0..2 {
            let load = shape.load(packets);
            let mut running = Running::start(Contender::BEDSIDE, &load, READING)?;
            let seen = running.measure(Duration::from_millis(500), window)?;
            carried = seen.lost() == 0 && p(&seen, 0.99) < CAPACITY_P99_NS;
            generator_bound = seen.measurements.lateness.quantile_ns(0.99) > GENERATOR_LATE_NS;
            if carried {
                break;
            }
        }
        if !carried && packets == shape.first_packets() {
            bail!(
                "{packets} packets a second ({}) are too many already: the machine is too busy",
                shape.name()
            );
        }
        if !carried {
            return Ok(Capacity {
                packets: good,
                generator_bound,
            });
        }
        good = packets;
        packets += packets / 5;
    }
    Ok(Capacity {
        packets: good,
        generator_bound: true,
    })
}

/// Finds the capacity, then measures latency and loss at four fifths of it.
///
/// # Errors
/// The server does not start or does not go on.
pub fn run(
    shape: Shape,
    ramp_window: Duration,
    span: Duration,
    report: &mut dyn FnMut(Figure),
) -> Result<()> {
    let capacity = capacity(shape, ramp_window)?;
    let name = shape.name();
    let bound = if capacity.generator_bound {
        "; the generator was the limit"
    } else {
        ""
    };
    report(Figure {
        run: "latency",
        what: format!("capacity: packets a second, {name}, real readers"),
        unit: Unit::Packets,
        goal: None,
        measured: Some(Measured::counted(capacity.packets.into())),
        note: format!("no loss, p99 below 5 ms{bound}"),
    });
    let load = shape.load(capacity.packets / 5 * 4);
    let mut running = Running::start(Contender::BEDSIDE, &load, READING)?;
    let window = running.measure(Duration::from_secs(1), span)?;
    let late_ns = window.measurements.lateness.quantile_ns(0.99);
    for (point, quantile, bound_ns) in [
        ("p50", 0.5, 200_000.0),
        ("p99", 0.99, 1_000_000.0),
        ("p99.9", 0.999, 3_000_000.0),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few ms")]
        let measured = p(&window, quantile) as f64;
        report(Figure {
            run: "latency",
            what: format!("added latency at 80 % of capacity, {name}, {point}"),
            unit: Unit::Nanoseconds,
            goal: Some(Goal::AtMost(bound_ns)),
            measured: Some(Measured {
                usable: late_ns < GENERATOR_LATE_NS,
                ..Measured::counted(measured)
            }),
            note: format!(
                "{:.0} % busy; from when due: {} us{}",
                window.cost.cores() * 100.0,
                window.measurements.latency().quantile_ns(quantile) / 1_000,
                shape.obstacle(&window),
            ),
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "a count that is to be zero")]
    let lost = window.lost() as f64;
    report(Figure {
        run: "latency",
        what: format!(
            "packets lost in {} s at 80 % of capacity, {name}",
            span.as_secs()
        ),
        unit: Unit::Packets,
        goal: Some(Goal::AtMost(0.0)),
        measured: Some(Measured {
            usable: window.unread == 0,
            ..Measured::counted(lost)
        }),
        note: format!(
            "of {:.0}; the server's socket had no room for {} messages, readers' for {}",
            window.arrived, window.overflowed, window.unread
        ),
    });
    Ok(())
}

fn p(window: &Window, quantile: f64) -> u64 {
    window.measurements.forwarding.quantile_ns(quantile)
}
