//! What the bandwidth estimator does on synthetic paths, measured against the goals, and plots of
//! the estimate against the truth.
//!
//! `cargo run --release -p bedside-core --example estimator_traces -- [--html FILE]`
#![expect(clippy::print_stdout, reason = "an instrument's reading")]

mod plot;
mod traces;

use traces::{Run, run, scenarios};

fn main() -> Result<(), std::io::Error> {
    let runs: Vec<Run> = scenarios()
        .iter()
        .map(|scenario| run(scenario, 1))
        .collect();
    println!(
        "| path | utilisation, % | queueing p95, ms | 85 % at join after, s | probes | goal |"
    );
    println!("|---|---|---|---|---|---|");
    for run in &runs {
        let joined = run.reached_after_ms(0, 0.85);
        println!(
            "| {} | {:.1} | {:.0} | {} | {} | {} |",
            run.scenario.name,
            run.utilisation * 100.0,
            run.queued_p95_ms(),
            joined.map_or_else(
                || "never".to_owned(),
                |ms| format!("{:.2}", ms as f64 / 1e3)
            ),
            run.probes,
            if reached(run) {
                "reached"
            } else {
                "not reached"
            },
        );
    }
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--html")
        && let Some(file) = arguments.next()
    {
        std::fs::write(&file, plot::page(&runs))?;
        println!("{file}");
    }
    Ok(())
}

/// Utilisation of at least 85 %, and 95 % of packets queued for less than 60 ms.
fn reached(run: &Run) -> bool {
    run.utilisation >= 0.85 && run.queued_p95_ms() < 60.0
}
