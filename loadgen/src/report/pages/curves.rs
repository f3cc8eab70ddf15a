//! The plots of a run and of a ramp.

use crate::capacity::{Ramp, Step, Verdict};
use crate::measure::Second;
use crate::report::plot::{Axis, Mark, Plot, Series, Shape};
use crate::report::summary::{Distribution, LATENESS_P99_MAX, Measured};

/// Latency by percentile, and over time.
pub(super) fn latency(measured: &Measured) -> Vec<Plot> {
    let seconds = |value: fn(&Second) -> u64| over_time(measured, |second| us(value(second)));
    vec![
        Plot {
            title: "Latency by percentile".to_owned(),
            x: Axis::percentile("percentile"),
            y: Axis::logarithmic("microseconds"),
            series: vec![
                by_percentile("audio", &measured.audio_latency),
                by_percentile("video", &measured.video_latency),
                by_percentile("forwarding", &measured.forwarding),
            ],
            marks: vec![],
        },
        Plot {
            title: "Latency over time".to_owned(),
            x: Axis::linear("seconds"),
            y: Axis::logarithmic("microseconds"),
            series: vec![
                Series::new("p50", Shape::Line, seconds(|second| second.latency_p50_ns)),
                Series::new("p99", Shape::Line, seconds(|second| second.latency_p99_ns)),
                Series::new("max", Shape::Line, seconds(|second| second.latency_max_ns)),
            ],
            marks: vec![],
        },
        Plot {
            title: "How late the generator itself was".to_owned(),
            x: Axis::percentile("percentile"),
            y: Axis::logarithmic("microseconds"),
            series: vec![by_percentile("lateness", &measured.lateness)],
            marks: vec![Mark {
                name: "bound for p99".to_owned(),
                y: LATENESS_P99_MAX.as_secs_f64() * 1e6,
            }],
        },
    ]
}

/// Packets, loss and joins.
pub(super) fn traffic(measured: &Measured) -> Vec<Plot> {
    let series = |name: &str, value: fn(&Second) -> u64| {
        let points = over_time(measured, |second| value(second) as f64);
        Series::new(name, Shape::Line, points)
    };
    let mut plots = vec![Plot {
        title: "Packets a second".to_owned(),
        x: Axis::linear("seconds"),
        y: Axis::linear("packets/s"),
        series: vec![
            series("sent", |second| second.sent),
            series("arrived", |second| second.received),
        ],
        marks: vec![],
    }];
    if measured.packets.lost > 0 {
        plots.push(Plot {
            title: "Lost packets a second".to_owned(),
            x: Axis::linear("seconds"),
            y: Axis::linear("packets/s"),
            series: vec![series("lost", |second| second.lost)],
            marks: vec![],
        });
    }
    plots.push(Plot {
        title: "Joining, by percentile".to_owned(),
        x: Axis::percentile("percentile"),
        y: Axis::logarithmic("milliseconds"),
        series: vec![
            joining("join", &measured.join),
            joining("first packet or frame", &measured.first_frame),
        ],
        marks: vec![],
    });
    if measured
        .seconds_series
        .iter()
        .any(|second| second.joined > 0)
    {
        plots.push(Plot {
            title: "Joins a second".to_owned(),
            x: Axis::linear("seconds"),
            y: Axis::linear("joins/s"),
            series: vec![series("joined", |second| second.joined)],
            marks: vec![],
        });
    }
    plots
}

/// Costs over time.
pub(super) fn cost(measured: &Measured) -> Vec<Plot> {
    let points = measured.cost_series.iter();
    let per_packet = points
        .clone()
        .filter_map(|second| Some((second.at_s, second.server_ns_per_packet?)))
        .collect();
    let server = points
        .clone()
        .filter_map(|second| Some((second.at_s, second.server_cores?)))
        .collect();
    let generator = points
        .map(|second| (second.at_s, second.generator_cores))
        .collect();
    vec![
        Plot {
            title: "Server: run time per packet that arrived".to_owned(),
            x: Axis::linear("seconds"),
            y: Axis::linear("nanoseconds"),
            series: vec![Series::new("server", Shape::Line, per_packet)],
            marks: vec![],
        },
        Plot {
            title: "Cores busy".to_owned(),
            x: Axis::linear("seconds"),
            y: Axis::linear("cores"),
            series: vec![
                Series::new("server", Shape::Line, server),
                Series::new("generator", Shape::Line, generator),
            ],
            marks: vec![],
        },
    ]
}

/// Latency and cost by load.
pub(super) fn ramp(ramp: &Ramp) -> Vec<Plot> {
    let mut steps: Vec<&Step> = ramp.steps.iter().collect();
    steps.sort_by(|a, b| a.scale.total_cmp(&b.scale));
    let by_load = |name: &str, value: &dyn Fn(&Measured) -> Option<f64>| {
        let point = |step: &&Step| {
            let load = step.measured.received_per_second();
            Some((load, value(&step.measured)?))
        };
        Series::new(
            name,
            Shape::LineAndDots,
            steps.iter().filter_map(point).collect(),
        )
    };
    let at = |percentile: f64| move |measured: &Measured| Some(us(measured.latency.at(percentile)));
    let not_held = steps
        .iter()
        .filter(|step| step.verdict != Verdict::Held)
        .map(|step| {
            let measured = &step.measured;
            (
                measured.received_per_second(),
                us(measured.latency.at(99.0)),
            )
        })
        .collect();
    vec![
        Plot {
            title: "Latency by load".to_owned(),
            x: Axis::linear("packets delivered a second"),
            y: Axis::logarithmic("microseconds"),
            series: vec![
                by_load("p50", &at(50.0)),
                by_load("p99", &at(99.0)),
                by_load("p99.9", &at(99.9)),
                Series::new("p99, load not carried", Shape::Dots, not_held),
            ],
            marks: vec![Mark {
                name: "bound for p99".to_owned(),
                y: us(ramp.bound.latency_p99_ns),
            }],
        },
        Plot {
            title: "Server: run time per packet, by load".to_owned(),
            x: Axis::linear("packets delivered a second"),
            y: Axis::linear("nanoseconds"),
            series: vec![by_load("server", &|measured| {
                measured.server.as_ref()?.ns_per_packet
            })],
            marks: vec![],
        },
    ]
}

/// A distribution of latencies as a curve, microseconds.
pub(super) fn by_percentile(name: &str, distribution: &Distribution) -> Series {
    curve(name, distribution, 1e3)
}

fn joining(name: &str, distribution: &Distribution) -> Series {
    curve(name, distribution, 1e6)
}

fn curve(name: &str, distribution: &Distribution, unit_ns: f64) -> Series {
    // With a thousand values there is no 99.99th percentile to speak of: the maximum stands where
    // the last value does.
    let last = 100.0 * (1.0 - 1.0 / distribution.count.max(1) as f64);
    let points = distribution.percentiles.iter();
    let points = points
        .filter(|(percentile, _)| *percentile <= last)
        .copied()
        .chain((distribution.count > 0).then_some((last, distribution.max_ns)))
        .map(|(percentile, value_ns)| (percentile, value_ns as f64 / unit_ns))
        .collect();
    Series::new(name, Shape::Line, points)
}

fn over_time(measured: &Measured, value: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    // The last second is not over yet.
    let complete = measured.seconds_series.len().saturating_sub(1);
    let seconds = measured.seconds_series.iter().take(complete);
    seconds
        .map(|second| (second.at_s as f64, value(second)))
        .collect()
}

fn us(value_ns: u64) -> f64 {
    value_ns as f64 / 1e3
}
