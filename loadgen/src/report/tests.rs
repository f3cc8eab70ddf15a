//! Tests of pages, plots and numbers.

use super::html::{Figure, Goal, Page, Table, Verdict};
use super::number;
use super::plot::{Axis, Mark, Plot, Series, Shape};

fn latency() -> Plot {
    Plot {
        title: "Latency".to_owned(),
        x: Axis::percentile("percentile"),
        y: Axis::logarithmic("us"),
        series: vec![
            Series::new(
                "video",
                Shape::Line,
                vec![(0.0, 80.0), (50.0, 120.0), (99.0, 400.0), (100.0, 9_000.0)],
            ),
            Series::new(
                "audio",
                Shape::LineAndDots,
                vec![(0.0, 70.0), (99.9, 800.0)],
            ),
        ],
        marks: vec![Mark {
            name: "bound".to_owned(),
            y: 5_000.0,
        }],
    }
}

fn labels(svg: &str) -> Vec<&str> {
    let mut lines = svg.lines();
    let mut labels = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("<text") {
            labels.extend(lines.next());
        }
    }
    labels
}

#[test]
fn percentiles_are_spaced_by_nines_and_latencies_by_decades() {
    let svg = latency().to_svg().unwrap();
    let labels = labels(&svg);
    for expected in ["0", "50", "90", "99", "99.9", "10", "100", "1000", "10k"] {
        assert!(labels.contains(&expected), "{expected} in {labels:?}");
    }
}

#[test]
fn linear_axes_have_round_labels_from_zero() {
    let plot = Plot {
        x: Axis::linear("s"),
        y: Axis::linear("packets/s"),
        series: vec![Series::new(
            "sent",
            Shape::Line,
            vec![(0.0, 1_300.0), (23.0, 43_210.0)],
        )],
        marks: vec![],
        ..latency()
    };
    let svg = plot.to_svg().unwrap();
    let labels = labels(&svg);
    for expected in ["0", "5", "25", "10k", "50k"] {
        assert!(labels.contains(&expected), "{expected} in {labels:?}");
    }
}

#[test]
fn plots_of_odd_values_are_drawn() {
    for points in [
        vec![],
        vec![(0.0, 0.0)],
        vec![(5.0, 5.0), (5.0, 5.0)],
        vec![(f64::NAN, 1.0), (1.0, f64::INFINITY), (2.0, -3.0)],
        (0..100_000)
            .map(|x| (f64::from(x), f64::from(x % 7)))
            .collect(),
    ] {
        for (x, y) in [
            (Axis::linear(""), Axis::linear("")),
            (Axis::logarithmic(""), Axis::logarithmic("")),
            (Axis::percentile(""), Axis::linear("")),
        ] {
            let series = vec![Series::new("s", Shape::LineAndDots, points.clone())];
            let plot = Plot {
                x,
                y,
                series,
                ..latency()
            };
            assert!(plot.to_svg().unwrap().ends_with("</svg>\n"));
        }
    }
}

#[test]
fn a_page_needs_nothing_from_outside() {
    let mut page = Page::new("Title <of> a page", "What was found");
    page.heading("Goals");
    page.goals(vec![Goal {
        what: "Cost".to_owned(),
        goal: "<= 1.25".to_owned(),
        measured: "1.19".to_owned(),
        verdict: Verdict::Reached,
        note: String::new(),
    }]);
    page.figures(vec![Figure {
        label: "p99".to_owned(),
        value: "1 ms".to_owned(),
        note: "all media".to_owned(),
    }]);
    page.table(Table::facts(&[("Kernel", "6.18".to_owned())]));
    page.plots(vec![latency()]);
    page.notice("The generator was the limit.");
    page.code("bedside-loadgen run consult");
    let html = page.render().unwrap();
    assert!(html.contains("Title &lt;of&gt; a page"));
    assert!(html.contains("&lt;= 1.25") && html.contains("✓ reached"));
    let without_names = html.replace("http://www.w3.org/2000/svg", "");
    for outside in [
        "http:", "https:", "<script", "<link", "src=", "url(", "@import",
    ] {
        assert!(!without_names.contains(outside), "{outside}");
    }
}

#[test]
fn an_empty_plot_is_left_out() {
    let mut page = Page::new("t", "");
    let series = vec![Series::new("none", Shape::Line, vec![(1.0, 0.0)])];
    page.plots(vec![Plot {
        series,
        marks: vec![],
        ..latency()
    }]);
    assert!(!page.render().unwrap().contains("<svg"));
}

#[test]
fn numbers_have_three_digits_that_count_and_thousands_apart() {
    let cases = [
        (0.0, "0"),
        (1_234_567.0, "1,234,567"),
        (-1_234.56, "-1,235"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (0.00123, "0.00123"),
        (f64::NAN, "-"),
    ];
    for (value, expected) in cases {
        assert_eq!(number::plain(value), expected);
    }
    assert_eq!(number::time(1_234_000.0), "1.23 ms");
    assert_eq!(number::time(999.0), "999 ns");
    assert_eq!(number::bytes(3.0 * 1024.0 * 1024.0), "3 MiB");
    assert_eq!(number::counted(1, "room"), "1 room");
    assert_eq!(number::counted(2_000, "room"), "2,000 rooms");
    assert_eq!(number::percent(0.0312), "3.12 %");
}
