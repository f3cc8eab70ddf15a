//! What results look like to people: the page of one run or ramp, and of several beside each other.

mod compare;
mod curves;

pub use compare::compare;

use crate::capacity::{self, Bound, Ramp, Step};
use crate::report::html::{Figure, Goal, Page, Table, Verdict};
use crate::report::number;
use crate::report::summary::{Distribution, Measured, Summary, Usage};
use crate::run::Ended;
use crate::scenario::write_duration;

/// The page of a run or a ramp.
#[must_use]
pub fn page(summary: &Summary) -> Page {
    let measured = &summary.measured;
    let mut page = Page::new(
        format!("Load on a WebRTC server: {}", summary.scenario.name),
        lead(summary),
    );
    match &summary.ended {
        Ended::Complete => {}
        Ended::Interrupted => {
            page.notice("The run was stopped early; the figures are of the time until then.")
        }
        Ended::Failed(why) => page.notice(format!("The run broke off: {why}")),
    }
    if let Some(limit) = &measured.generator_limit {
        page.notice(format!(
            "The generator itself was the limit: {limit}. Latency and loss here say little about the server."
        ));
    }
    if let Some(ramp) = &summary.ramp {
        ramp_section(&mut page, ramp);
    }
    page.heading("Results");
    if let (Some(bound), None) = (&summary.bound, &summary.ramp) {
        page.goals(goals(measured, bound));
    }
    page.figures(figures(measured));
    page.heading("Latency");
    page.paragraph(
        "From when a packet was due to its arrival, so that a generator or a server that falls \
         behind shows; “forwarding” counts from when it was in fact sent.",
    );
    page.plots(curves::latency(measured));
    page.table(distributions(measured));
    page.heading("Packets and joins");
    page.plots(curves::traffic(measured));
    page.table(packets(measured));
    if !measured.failures.is_empty() {
        page.table(failures(measured));
    }
    page.heading("Cost");
    match &measured.server {
        Some(server) => {
            page.paragraph(
                "Run time of every thread as the kernel counts it. On loopback the receiving side \
                 of the network stack is charged to whoever sends.",
            );
            page.plots(curves::cost(measured));
            page.table(usage(server, &measured.generator));
            page.table(threads(server));
        }
        None => page.paragraph(
            "The server's processes were not known, so its cost was not measured; \
             --server-pid names them.",
        ),
    }
    page.heading("How it was measured");
    page.table(circumstances(summary));
    page.paragraph("The scenario:");
    page.code(toml::to_string(&summary.scenario).unwrap_or_default());
    page
}

/// What was found, in a sentence or two.
#[must_use]
pub fn lead(summary: &Summary) -> String {
    if let Some(ramp) = &summary.ramp {
        return ramp.conclusion();
    }
    let measured = &summary.measured;
    let mut lead = format!(
        "{} {} participants joined over {}; in {} s {} packets/s went in and {} came out, {} lost, \
         p99 latency {}.",
        number::count(measured.joined),
        summary.participants,
        summary.target,
        number::plain(measured.seconds.round()),
        number::plain(measured.sent_per_second().round()),
        number::plain(measured.received_per_second().round()),
        number::percent(measured.packets.loss),
        number::time(measured.latency.at(99.0) as f64),
    );
    if let Some(cost) = measured
        .server
        .as_ref()
        .and_then(|usage| usage.ns_per_packet)
    {
        lead.push_str(&format!(
            " Each packet that arrived cost the server {} of processor time.",
            number::time(cost)
        ));
    }
    lead
}

/// The figures that matter most.
#[must_use]
pub fn figures(measured: &Measured) -> Vec<Figure> {
    let mut figures = vec![
        figure(
            "Packets out",
            format!(
                "{}/s",
                number::plain(measured.received_per_second().round())
            ),
            format!("{}/s in", number::plain(measured.sent_per_second().round())),
        ),
        figure(
            "Loss",
            number::percent(measured.packets.loss),
            format!("{} packets", number::count(measured.packets.lost)),
        ),
        figure(
            "Latency p50",
            number::time(measured.latency.at(50.0) as f64),
            String::new(),
        ),
        figure(
            "Latency p99",
            number::time(measured.latency.at(99.0) as f64),
            format!("p99.9 {}", number::time(measured.latency.at(99.9) as f64)),
        ),
        figure(
            "Joined",
            number::count(measured.joined),
            format!("p95 {}", number::time(measured.join.at(95.0) as f64)),
        ),
    ];
    if let Some(server) = &measured.server {
        if let Some(cost) = server.ns_per_packet {
            let per_second = format!(
                "{} packets a CPU-second",
                number::plain((1e9 / cost).round())
            );
            figures.push(figure("Server, per packet", number::time(cost), per_second));
        }
        figures.push(figure(
            "Server",
            number::cores(server.cores),
            format!("{} resident", number::bytes(server.rss_bytes as f64)),
        ));
    }
    figures.push(figure(
        "Generator late",
        number::time(measured.lateness.at(99.0) as f64),
        format!("p99; {}", number::cores(measured.generator.cores)),
    ));
    figures
}

fn goals(measured: &Measured, bound: &Bound) -> Vec<Goal> {
    let p99_ns = measured.latency.at(99.0);
    let goal = |what: &str, goal: String, value: String, is_reached: bool| Goal {
        what: what.to_owned(),
        goal: format!("<= {goal}"),
        measured: value,
        verdict: match (&measured.generator_limit, is_reached) {
            (Some(_), _) => Verdict::NotMeasured,
            (None, true) => Verdict::Reached,
            (None, false) => Verdict::Missed,
        },
        note: measured.generator_limit.clone().unwrap_or_default(),
    };
    vec![
        goal(
            "p99 latency",
            number::time(bound.latency_p99_ns as f64),
            number::time(p99_ns as f64),
            p99_ns <= bound.latency_p99_ns,
        ),
        goal(
            "Loss",
            number::percent(bound.loss_max),
            number::percent(measured.packets.loss),
            measured.packets.loss <= bound.loss_max,
        ),
    ]
}

fn figure(label: &str, value: String, note: String) -> Figure {
    Figure {
        label: label.to_owned(),
        value,
        note,
    }
}

fn distributions(measured: &Measured) -> Table {
    let row = |name: &str, distribution: &Distribution| {
        let mut row = vec![name.to_owned(), number::count(distribution.count)];
        for percentile in [50.0, 95.0, 99.0, 99.9, 100.0] {
            row.push(if distribution.count == 0 {
                "-".to_owned()
            } else {
                number::time(distribution.at(percentile) as f64)
            });
        }
        row
    };
    Table {
        columns: ["", "values", "p50", "p95", "p99", "p99.9", "max"]
            .map(str::to_owned)
            .into(),
        rows: vec![
            row("Audio", &measured.audio_latency),
            row("Video", &measured.video_latency),
            row("Forwarding", &measured.forwarding),
            row("Jitter", &measured.jitter),
            row("Join", &measured.join),
            row("First frame", &measured.first_frame),
            row("Generator late", &measured.lateness),
        ],
        ..Table::default()
    }
}

fn packets(measured: &Measured) -> Table {
    let packets = &measured.packets;
    let mut facts = vec![
        ("Sent", number::count(packets.sent)),
        ("Should have arrived", number::count(packets.expected)),
        ("Arrived", number::count(packets.received)),
        (
            "Lost",
            format!(
                "{} ({})",
                number::count(packets.lost),
                number::percent(packets.loss)
            ),
        ),
        ("Reordered", number::count(packets.reordered)),
        ("Duplicated", number::count(packets.duplicated)),
        ("Forged or of another sender", number::count(packets.forged)),
        ("Bytes sent", number::bytes(packets.bytes_sent as f64)),
        (
            "Bytes arrived",
            number::bytes(packets.bytes_received as f64),
        ),
        (
            "Pictures stood still",
            number::percent(measured.frozen_share),
        ),
        ("Layer switches", number::count(measured.layer_switches)),
    ];
    if let Some(fan_out) = measured.fan_out() {
        facts.push(("Receivers of a packet, on average", number::plain(fan_out)));
    }
    Table::facts(&facts)
}

fn failures(measured: &Measured) -> Table {
    let failures = measured.failures.iter();
    Table {
        columns: vec!["What failed".to_owned(), "Times".to_owned()],
        rows: failures
            .map(|(what, count)| vec![what.clone(), number::count(*count)])
            .collect(),
        ..Table::default()
    }
}

fn usage(server: &Usage, generator: &Usage) -> Table {
    let row = |name: &str, value: &dyn Fn(&Usage) -> String| {
        vec![name.to_owned(), value(server), value(generator)]
    };
    Table {
        columns: ["", "server", "generator"].map(str::to_owned).into(),
        rows: vec![
            row("Busy", &|usage| number::cores(usage.cores)),
            row("Busiest thread", &|usage| {
                number::percent(usage.busiest_thread)
            }),
            row("Run time per packet that arrived", &|usage| {
                usage
                    .ns_per_packet
                    .map_or_else(|| "-".to_owned(), number::time)
            }),
            row("Context switches, waiting", &|usage| {
                number::count(usage.voluntary_switches)
            }),
            row("Context switches, made to", &|usage| {
                number::count(usage.involuntary_switches)
            }),
            row("Memory, resident", &|usage| {
                number::bytes(usage.rss_bytes as f64)
            }),
            row("Memory, shared pages divided", &|usage| {
                let pss = usage.pss_bytes;
                pss.map_or_else(|| "-".to_owned(), |pss| number::bytes(pss as f64))
            }),
        ],
        ..Table::default()
    }
}

fn threads(server: &Usage) -> Table {
    let mut threads: Vec<_> = server.run_time_ns_by_thread.iter().collect();
    threads.sort_by_key(|(_, run_time_ns)| std::cmp::Reverse(**run_time_ns));
    let whole = server.run_time_ns.max(1) as f64;
    Table {
        columns: ["Server thread", "run time", "share"]
            .map(str::to_owned)
            .into(),
        rows: threads
            .into_iter()
            .take(THREADS_SHOWN)
            .map(|(name, &run_time_ns)| {
                vec![
                    name.clone(),
                    number::time(run_time_ns as f64),
                    number::percent(run_time_ns as f64 / whole),
                ]
            })
            .collect(),
        ..Table::default()
    }
}

fn circumstances(summary: &Summary) -> Table {
    let scenario = &summary.scenario;
    Table::facts(&[
        ("Machine", summary.machine.in_words()),
        ("Memory", number::bytes(summary.machine.memory_bytes as f64)),
        ("Begun", summary.started_at.clone()),
        ("Generator", format!("bedside-loadgen {}", summary.version)),
        ("Command", summary.command_line.join(" ")),
        (
            "Participants",
            format!("{}, over {}", summary.participants, summary.target),
        ),
        (
            "Scenario",
            format!(
                "{} at scale {}: {}",
                scenario.name,
                number::plain(summary.scale),
                scenario.description
            ),
        ),
        ("Warm-up", write_duration(scenario.warm_up)),
        (
            "Measured",
            format!("{} s", number::plain(summary.measured.seconds)),
        ),
    ])
}

fn ramp_section(page: &mut Page, ramp: &Ramp) {
    page.heading("Capacity");
    page.plots(curves::ramp(ramp));
    page.table(Table {
        caption: "In the order in which loads were tried. The sections below are of the capacity."
            .to_owned(),
        columns: [
            "Rooms",
            "participants",
            "packets/s",
            "p50",
            "p99",
            "p99.9",
            "loss",
            "server per packet",
            "server busy",
            "generator late p99",
            "",
        ]
        .map(str::to_owned)
        .into(),
        rows: ramp.steps.iter().map(ramp_row).collect(),
    });
}

fn ramp_row(step: &Step) -> Vec<String> {
    let measured = &step.measured;
    let server = measured.server.as_ref();
    let nothing = || "-".to_owned();
    vec![
        number::count(step.rooms),
        number::count(step.participants),
        number::plain(measured.received_per_second().round()),
        number::time(measured.latency.at(50.0) as f64),
        number::time(measured.latency.at(99.0) as f64),
        number::time(measured.latency.at(99.9) as f64),
        number::percent(measured.packets.loss),
        server
            .and_then(|usage| usage.ns_per_packet)
            .map_or_else(nothing, number::time),
        server.map_or_else(nothing, |usage| number::cores(usage.cores)),
        number::time(measured.lateness.at(99.0) as f64),
        match &step.verdict {
            capacity::Verdict::Held => "held".to_owned(),
            capacity::Verdict::Broken(why) => format!("broken: {why}"),
            capacity::Verdict::GeneratorLimit(why) => format!("generator: {why}"),
        },
    ]
}

/// Threads that are named in the table: the rest took little.
const THREADS_SHOWN: usize = 12;

#[cfg(test)]
mod tests;
