//! Joins, ICE and DTLS included, while media is forwarded at half of what the worker can carry.
//!
//! The load goes to sinks that drop; what the joins do to media is seen by consults beside it whose
//! participants read everything.

use crate::{
    contender::{Contender, Running},
    figure::{Figure, Goal, Measured, Unit},
    forwarding::{DROPPING, HALF_OF_CAPACITY, load},
    load::Load,
};
use anyhow::Result;
use std::time::Duration;

/// Media must keep to this while others join.
const LATENCY_P999_NS: u64 = 5_000_000;
const WATCHED_CONSULTS: usize = 20;

/// Handshakes that go on at a time. The first number with which media keeps to its bound counts: the
/// generator's one processor does the other half of every handshake, and the more of them it has in
/// hand the later it is with media.
const AT_ONCE: [usize; 4] = [16, 8, 4, 2];

/// Measures how many join in a second while media keeps to its bound.
///
/// # Errors
/// The server does not start or does not go on.
pub fn run(participants: usize, report: &mut dyn FnMut(Figure)) -> Result<()> {
    for at_once in AT_ONCE {
        let figure = measure(participants, at_once)?;
        let kept = figure.measured.as_ref().is_some_and(|one| one.usable);
        if kept || Some(&at_once) == AT_ONCE.last() {
            report(figure);
            break;
        }
    }
    Ok(())
}

fn measure(participants: usize, at_once: usize) -> Result<Figure> {
    let mut running = Running::start(Contender::BEDSIDE, &load(50, HALF_OF_CAPACITY), DROPPING)?;
    let before = running.measure(Duration::from_millis(500), Duration::from_secs(1))?;
    let watched = Load::consults(WATCHED_CONSULTS);
    let (window, joins) =
        running.join_while_forwarding(&watched, &Load::idle(participants), at_once)?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = joins.joined as f64 / joins.elapsed.as_secs_f64();
    let p999 = window.measurements.forwarding.quantile_ns(0.999);
    let kept = if p999 < LATENCY_P999_NS {
        ""
    } else {
        ", which is above 5 ms: the rate does not count"
    };
    Ok(Figure {
        run: "joins",
        what: "joins a second while forwarding at half capacity".to_owned(),
        unit: Unit::JoinsPerSecond,
        goal: Some(Goal::AtLeast(300.0)),
        measured: Some(Measured {
            usable: p999 < LATENCY_P999_NS,
            ..Measured::counted(rate)
        }),
        note: format!(
            "{} joined, {at_once} at a time; media p99.9 {} us{kept}; {} packets lost; worker {:.0} % busy, {:.0} % \
             without joins",
            joins.joined,
            p999 / 1_000,
            window.lost(),
            window.cost.cores() * 100.0,
            before.cost.cores() * 100.0,
        ),
    })
}
