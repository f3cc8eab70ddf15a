//! Several runs beside each other: cost by fan-out and by load, latencies.

use super::curves;
use crate::report::html::{Page, Table};
use crate::report::number;
use crate::report::plot::{Axis, Plot, Series, Shape};
use crate::report::summary::{Measured, Summary};

/// The page of several runs. Each has a name: its file's.
#[must_use]
pub fn compare(runs: &[(String, Summary)]) -> Page {
    let scenarios: Vec<_> = runs.iter().map(|(_, run)| &*run.scenario.name).collect();
    let mut page = Page::new(
        "Load on a WebRTC server: runs beside each other",
        format!("{} runs: {}.", runs.len(), scenarios.join(", ")),
    );
    for (name, run) in runs {
        if let Some(limit) = &run.measured.generator_limit {
            page.notice(format!(
                "{name}: the generator itself was the limit: {limit}."
            ));
        }
    }
    page.heading("Results");
    page.table(results(runs));
    page.heading("Cost");
    page.plots(vec![by_fan_out(runs), by_load(runs)]);
    page.heading("Latency");
    page.plots(vec![latencies(runs)]);
    page.heading("How it was measured");
    page.table(circumstances(runs));
    page
}

fn results(runs: &[(String, Summary)]) -> Table {
    let nothing = || "-".to_owned();
    let row = |(name, run): &(String, Summary)| {
        let measured = &run.measured;
        let server = measured.server.as_ref();
        vec![
            name.clone(),
            run.scenario.name.clone(),
            number::plain(run.scale),
            measured.fan_out().map_or_else(nothing, number::plain),
            number::plain(measured.received_per_second().round()),
            number::time(measured.latency.at(50.0) as f64),
            number::time(measured.latency.at(99.0) as f64),
            number::percent(measured.packets.loss),
            server
                .and_then(|usage| usage.ns_per_packet)
                .map_or_else(nothing, number::time),
            server.map_or_else(nothing, |usage| number::cores(usage.cores)),
            number::time(measured.lateness.at(99.0) as f64),
        ]
    };
    Table {
        columns: [
            "Run",
            "scenario",
            "scale",
            "fan-out",
            "packets/s",
            "p50",
            "p99",
            "loss",
            "server per packet",
            "server busy",
            "generator late p99",
        ]
        .map(str::to_owned)
        .into(),
        rows: runs.iter().map(row).collect(),
        ..Table::default()
    }
}

fn by_fan_out(runs: &[(String, Summary)]) -> Plot {
    cost_by(
        runs,
        "Server: run time per packet, by fan-out",
        Axis::logarithmic("receivers of a packet, on average"),
        Measured::fan_out,
    )
}

fn by_load(runs: &[(String, Summary)]) -> Plot {
    cost_by(
        runs,
        "Server: run time per packet, by load",
        Axis::logarithmic("packets delivered a second"),
        |measured| Some(measured.received_per_second()),
    )
}

/// One series a scenario, so that what is connected is of one kind.
fn cost_by(
    runs: &[(String, Summary)],
    title: &str,
    x: Axis,
    along: impl Fn(&Measured) -> Option<f64>,
) -> Plot {
    let mut series: Vec<Series> = Vec::new();
    for (_, run) in runs {
        let name = &run.scenario.name;
        let steps = run.ramp.iter().flat_map(|ramp| &ramp.steps);
        let measured = steps.map(|step| &step.measured);
        let alone = run.ramp.is_none().then_some(&run.measured);
        let points: Vec<_> = measured
            .chain(alone)
            .filter_map(|measured| {
                let cost = measured.server.as_ref()?.ns_per_packet?;
                Some((along(measured)?, cost))
            })
            .collect();
        match series.iter_mut().find(|series| series.name == *name) {
            Some(series) => series.points.extend(points),
            None => series.push(Series::new(name, Shape::LineAndDots, points)),
        }
    }
    for series in &mut series {
        series.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    Plot {
        title: title.to_owned(),
        x,
        y: Axis::linear("nanoseconds"),
        series,
        marks: vec![],
    }
}

fn latencies(runs: &[(String, Summary)]) -> Plot {
    Plot {
        title: "Latency by percentile".to_owned(),
        x: Axis::percentile("percentile"),
        y: Axis::logarithmic("microseconds"),
        series: runs
            .iter()
            .map(|(name, run)| curves::by_percentile(name, &run.measured.latency))
            .collect(),
        marks: vec![],
    }
}

fn circumstances(runs: &[(String, Summary)]) -> Table {
    let row = |(name, run): &(String, Summary)| {
        vec![
            name.clone(),
            run.started_at.clone(),
            run.machine.in_words(),
            run.version.clone(),
            run.command_line.join(" "),
        ]
    };
    Table {
        columns: ["Run", "begun", "machine", "generator", "command"]
            .map(str::to_owned)
            .into(),
        rows: runs.iter().map(row).collect(),
        ..Table::default()
    }
}
