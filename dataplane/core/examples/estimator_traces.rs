//! What the bandwidth estimator does on synthetic paths, measured against the goals, and plots of
//! the estimate against the truth.
//!
//! `cargo run --release -p bedside-core --example estimator_traces -- [--html FILE]`
#![expect(clippy::print_stdout, reason = "an instrument's reading")]

mod plot;
mod traces;

use traces::{Run, Scenario, lte, lte_anywhere, run, scenarios};

fn main() -> Result<(), std::io::Error> {
    let runs: Vec<Run> = scenarios()
        .iter()
        .map(|scenario| run(scenario, 1))
        .collect();
    println!(
        "| path | utilisation, % | queueing p95, ms | lost, % | 85 % at join after, s | probes | \
         85 % and 60 ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for run in &runs {
        let joined = run.reached_after_ms(0, 0.85);
        println!(
            "| {} | {:.1} | {:.0} | {:.1} | {} | {} | {} |",
            run.scenario.name,
            run.utilisation * 100.0,
            run.queued_p95_ms(),
            run.lost * 100.0,
            joined.map_or_else(
                || "never".to_owned(),
                |ms| format!("{:.2}", ms as f64 / 1e3)
            ),
            run.probes,
            verdict(run),
        );
    }
    many_cells();
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--html")
        && let Some(file) = arguments.next()
    {
        std::fs::write(&file, plot::page(&runs))?;
        println!("{file}");
    }
    Ok(())
}

/// Sixty cells of each kind, because one seed is one story.
fn many_cells() {
    for cell in [lte as fn(u64) -> Scenario, lte_anywhere] {
        let runs: Vec<Run> = (1..=60).map(|seed| run(&cell(seed), seed)).collect();
        let worst = |of: fn(&Run) -> f64| {
            let mut found: Vec<f64> = runs.iter().map(of).collect();
            found.sort_by(f64::total_cmp);
            found
        };
        let (used, queued) = (worst(|run| run.utilisation), worst(Run::queued_p95_ms));
        let reached = runs.iter().filter(|run| run.reaches_goal()).count();
        println!(
            "{}, 60 seeds: utilisation {:.1} % (lowest {:.1}), queueing p95 {:.0} ms (highest {:.0}), \
             goal reached in {reached}",
            cell(1).name,
            used[30] * 100.0,
            used[0] * 100.0,
            queued[30],
            queued[59],
        );
    }
}

fn verdict(run: &Run) -> &'static str {
    if run.reaches_goal() {
        "reached"
    } else {
        "not reached"
    }
}
