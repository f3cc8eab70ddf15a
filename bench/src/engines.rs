//! io_uring beside epoll, under the same load.

use crate::{
    comparison::{Effort, cost_ratio, in_turns},
    contender::Contender,
    figure::{Figure, Measured, Unit},
    forwarding::{DROPPING, DROPPING_SLOW, load},
    load::Load,
    server::Engine,
};
use anyhow::Result;

/// Measures the cost of both for one-to-many and for consults, and their latency.
///
/// # Errors
/// An engine does not start or does not go on.
pub fn run(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    for (name, load, sinks) in [
        ("1 to 50", load(50, 500_000), DROPPING),
        ("200 consults", Load::consults(200), DROPPING_SLOW),
    ] {
        let engine = |engine| Contender::Bedside(Some(engine));
        let contenders = [
            (engine(Engine::IoUring), &load),
            (engine(Engine::Epoll), &load),
        ];
        let [uring, epoll] = in_turns(contenders, sinks, effort)?;
        report(cost_ratio(
            "engines",
            format!("cost: io_uring over epoll, {name}"),
            1.0,
            [&uring, &epoll],
            effort,
        ));
        for (engine, windows) in [("io_uring", &uring), ("epoll", &epoll)] {
            let p99 = |window: &crate::contender::Window| {
                window.measurements.forwarding.quantile_ns(0.99)
            };
            #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few ms")]
            let middle = windows.middle(p99).map(|ns| ns as f64);
            report(Figure {
                run: "engines",
                what: format!("latency p99 with {engine}, {name}"),
                unit: Unit::Nanoseconds,
                goal: None,
                measured: middle.map(Measured::counted),
                note: format!("from sending to arrival; {}", windows.note()),
            });
        }
    }
    Ok(())
}
