//! Joins, ICE and DTLS included, while media is forwarded at half of what the worker can carry.
//!
//! The load goes to sinks that drop; what the joins do to media is seen by consults beside it whose
//! participants read everything.

use crate::{
    contender::{Contender, Running},
    figure::{Figure, Goal, Measured, Unit},
    forwarding::{DROPPING, SATURATING_PACKETS, load},
    load::Load,
};
use anyhow::Result;
use std::time::Duration;

/// Media must keep to this while others join.
const LATENCY_P999_NS: u64 = 5_000_000;
/// Half of what the saturated run offers, which is more than half of what is carried.
const HALF: u32 = SATURATING_PACKETS / 2;
const WATCHED_CONSULTS: usize = 20;

/// Measures how many join in a second when they come as fast as the generator can bring them.
///
/// # Errors
/// The server does not start or does not go on.
pub fn run(participants: usize, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let mut running = Running::start(Contender::BEDSIDE, &load(50, HALF), DROPPING)?;
    let before = running.measure(Duration::from_millis(500), Duration::from_secs(1))?;
    let watched = Load::consults(WATCHED_CONSULTS);
    let (window, joins) = running.join_while_forwarding(&watched, &Load::idle(participants))?;
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
            "{} joined; media p99.9 {} us{kept}; {} packets lost; worker {:.0} % busy, {:.0} % \
             without joins",
            joins.joined,
            p999 / 1_000,
            window.lost(),
            window.cost.cores() * 100.0,
            before.cost.cores() * 100.0,
        ),
    });
    Ok(())
}
