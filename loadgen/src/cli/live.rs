//! What a person sees during a run: a few lines that change on a terminal, a line a second
//! otherwise.

use bedside_loadgen::report::number;
use bedside_loadgen::run::{Phase, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, stderr};

/// Shows progress on standard error.
pub(crate) enum Live {
    /// Lines that change in place.
    Terminal(Box<Terminal>),
    /// A line a second.
    Lines,
    /// Nothing.
    Quiet,
}

/// Lines that change in place. Each is short enough for a terminal of 40 columns.
pub(crate) struct Terminal {
    all: MultiProgress,
    time: ProgressBar,
    lines: [ProgressBar; 6],
}

impl Live {
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if stderr().is_terminal() {
            Self::Terminal(Box::new(Terminal::new()))
        } else {
            Self::Lines
        }
    }

    /// Says what begins.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Self::Terminal(terminal) => terminal.all.suspend(|| eprintln!("{text}")),
            Self::Lines => eprintln!("{text}"),
            Self::Quiet => {}
        }
    }

    pub(crate) fn show(&self, progress: &Progress) {
        match self {
            Self::Terminal(terminal) => terminal.show(progress),
            Self::Lines => eprintln!("{}", line(progress)),
            Self::Quiet => {}
        }
    }

    /// Takes the lines away, so that the result stands alone.
    pub(crate) fn clear(&self) {
        if let Self::Terminal(terminal) = self {
            for line in terminal.lines.iter().chain([&terminal.time]) {
                line.finish_and_clear();
            }
            // A terminal that has gone away is no reason to lose the result.
            drop(terminal.all.clear());
        }
    }
}

impl Terminal {
    fn new() -> Self {
        let all = MultiProgress::new();
        let add = |template: &str| {
            let style = ProgressStyle::with_template(template)
                .expect("the templates are constants, and a test draws them")
                .progress_chars("=> ");
            all.add(ProgressBar::new(1).with_style(style))
        };
        let time = add("{prefix:11} [{wide_bar}] {msg}");
        let lines = [
            "participants",
            "packets",
            "loss",
            "latency",
            "server",
            "generator",
        ]
        .map(|name| {
            let line = add("{prefix:12} {wide_msg}");
            line.set_prefix(name);
            line
        });
        Self { all, time, lines }
    }

    fn show(&self, progress: &Progress) {
        let length = progress.length.as_secs().max(1);
        let elapsed = progress.elapsed.as_secs();
        self.time.set_prefix(phase(progress.phase));
        self.time.set_length(length);
        self.time.set_position(elapsed.min(length));
        self.time.set_message(format!("{elapsed}s of {length}s"));
        let figures = Figures::of(progress);
        let lines = [
            figures.participants,
            format!("{} in, {} out", figures.sent, figures.received),
            figures.loss,
            figures.latency,
            figures.server,
            figures.generator,
        ];
        for (bar, line) in self.lines.iter().zip(lines) {
            bar.set_message(line);
            bar.tick();
        }
        self.time.tick();
    }
}

fn line(progress: &Progress) -> String {
    let figures = Figures::of(progress);
    format!(
        "{} {}s: {} joined, {} in, {} out, lost {}, latency {}, server {}, generator {}",
        phase(progress.phase),
        progress.elapsed.as_secs(),
        figures.participants,
        figures.sent,
        figures.received,
        figures.loss,
        figures.latency,
        figures.server,
        figures.generator,
    )
}

struct Figures {
    participants: String,
    sent: String,
    received: String,
    loss: String,
    latency: String,
    server: String,
    generator: String,
}

impl Figures {
    fn of(progress: &Progress) -> Self {
        let measurements = &progress.measurements;
        let second = measurements
            .seconds
            .iter()
            .rev()
            .find(|second| second.latency_p50_ns > 0)
            .copied()
            .unwrap_or_default();
        let generator = &progress.generator;
        Self {
            participants: format!("{} of {}", progress.joined, progress.participants),
            sent: format!("{}/s", number::count(progress.sent)),
            received: format!("{}/s", number::count(progress.received)),
            loss: format!(
                "{} ({})",
                number::percent(measurements.loss()),
                number::count(measurements.lost())
            ),
            latency: format!(
                "p50 {}, p99 {}",
                number::time(second.latency_p50_ns as f64),
                number::time(second.latency_p99_ns as f64)
            ),
            server: server(progress),
            generator: format!(
                "late {}, {}",
                number::time(measurements.lateness.quantile_ns(0.99) as f64),
                number::cores(generator.cores())
            ),
        }
    }
}

fn server(progress: &Progress) -> String {
    let Some(cost) = &progress.server else {
        return "not known".to_owned();
    };
    let cores = number::cores(cost.cores());
    if progress.received == 0 {
        return cores;
    }
    let per_packet = cost.run_time_ns as f64 / progress.received as f64;
    format!("{}/packet, {cores}", number::time(per_packet))
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::WarmUp => "warming up",
        Phase::Measuring => "measuring",
    }
}
