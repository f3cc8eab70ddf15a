//! Joins, ICE and DTLS included, while media is forwarded at half of what the worker can carry.

use crate::{
    contender::{Contender, Running},
    figure::{Figure, Goal, Measured, Unit},
    forwarding::load,
    latency::READING,
    load::Load,
};
use anyhow::Result;
use std::time::Duration;

/// Media must keep to this while others join.
const LATENCY_P999_NS: u64 = 5_000_000;

/// Measures how many join in a second when they come as fast as the generator can bring them.
///
/// # Errors
/// The server does not start or does not go on.
pub fn run(
    capacity_packets: u32,
    participants: usize,
    report: &mut dyn FnMut(Figure),
) -> Result<()> {
    let load = load(50, capacity_packets / 2);
    let mut running = Running::start(Contender::BEDSIDE, &load, READING)?;
    running.measure(Duration::from_millis(500), Duration::from_millis(500))?;
    let (window, joins) = running.join_while_forwarding(&Load::idle(participants))?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = joins.joined as f64 / joins.elapsed.as_secs_f64();
    let p999 = window.measurements.forwarding.quantile_ns(0.999);
    let kept = if p999 < LATENCY_P999_NS {
        ""
    } else {
        ", which is above 5 ms: the rate does not count"
    };
    report(Figure {
        run: "joins",
        what: "joins a second while forwarding at half capacity".to_owned(),
        unit: Unit::JoinsPerSecond,
        goal: Some(Goal::AtLeast(300.0)),
        measured: Some(Measured {
            usable: p999 < LATENCY_P999_NS,
            ..Measured::counted(rate)
        }),
        note: format!(
            "{} joined; media p99.9 {} us{kept}; {} packets lost; worker {:.0} % busy",
            joins.joined,
            p999 / 1_000,
            window.lost(),
            window.cost.cores() * 100.0,
        ),
    });
    Ok(())
}
