//! A page of plots, with nothing outside of it.

use super::traces::{Run, Sample};
use super::verdict;
use std::fmt::Write;

/// One page with a plot for each run.
pub(crate) fn page(runs: &[Run]) -> String {
    let mut out = String::from(
        "<!doctype html><meta charset=utf-8><title>Estimate against truth</title><style>\
         body{font:14px sans-serif;max-width:64rem;margin:2rem auto}svg{width:100%}\
         .truth{fill:#dde}.target{stroke:#06c}.pacing{stroke:#6c9}.queue{stroke:#c40}\
         path{fill:none;stroke-width:1.2}</style><h1>Estimate against truth</h1>\
         <p>Grey: what the path takes. Blue: target. Green: what may leave now. Red, below: \
         queueing delay, with a line at 60 ms.</p>",
    );
    for run in runs {
        plot(&mut out, run).expect("a string takes everything");
    }
    out
}

fn plot(out: &mut String, run: &Run) -> std::fmt::Result {
    write!(
        out,
        "<h2>{}</h2><p>utilisation {:.1} %, queueing delay p95 {:.0} ms: goal {}</p>",
        run.scenario.name,
        run.utilisation * 100.0,
        run.queued_p95_ms(),
        verdict(run),
    )?;
    let highest = |of: fn(&Sample) -> f64| run.samples.iter().map(of).fold(1.0, f64::max);
    let top_bps = highest(|sample| sample.truth_bps.max(sample.target_bps) as f64);
    let top_ms = highest(|sample| sample.queued_ms).max(80.0);
    let span = run.scenario.seconds as f64 * 1e3;
    let x = |sample: &Sample| sample.ms as f64 / span * WIDTH;
    let rate_y = |bps: u64| RATE_HEIGHT * (1.0 - bps as f64 / top_bps);
    let queue_y = |ms: f64| HEIGHT - QUEUE_HEIGHT * ms / top_ms;
    write!(out, "<svg viewBox=\"0 -12 {WIDTH} {}\">", HEIGHT + 14.0)?;
    write!(
        out,
        "<path class=truth style=\"fill:#dde\" d=\"M0,{RATE_HEIGHT}"
    )?;
    for sample in &run.samples {
        write!(out, "L{:.1},{:.1}", x(sample), rate_y(sample.truth_bps))?;
    }
    write!(out, "L{WIDTH},{RATE_HEIGHT}\"/>")?;
    line(out, "pacing", run, |sample| {
        (x(sample), rate_y(sample.pacing_bps))
    })?;
    line(out, "target", run, |sample| {
        (x(sample), rate_y(sample.target_bps))
    })?;
    line(out, "queue", run, |sample| {
        (x(sample), queue_y(sample.queued_ms))
    })?;
    write!(
        out,
        "<path style=\"stroke:#aaa\" d=\"M0,{0:.1}L{WIDTH},{0:.1}\"/>\
         <text y=\"-2\" font-size=\"10\">{1:.1} Mbit/s</text>\
         <text y=\"{2}\" font-size=\"10\">{top_ms:.0} ms</text></svg>",
        queue_y(60.0),
        top_bps / 1e6,
        RATE_HEIGHT + 12.0,
    )
}

fn line(
    out: &mut String,
    class: &str,
    run: &Run,
    point: impl Fn(&Sample) -> (f64, f64),
) -> std::fmt::Result {
    write!(out, "<path class={class} d=\"")?;
    for (index, sample) in run.samples.iter().enumerate() {
        let (x, y) = point(sample);
        let step = if index == 0 { 'M' } else { 'L' };
        write!(out, "{step}{x:.1},{y:.1}")?;
    }
    write!(out, "\"/>")
}

const WIDTH: f64 = 900.0;
const RATE_HEIGHT: f64 = 180.0;
const QUEUE_HEIGHT: f64 = 70.0;
const HEIGHT: f64 = 265.0;
