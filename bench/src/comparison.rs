//! Two contenders in turns, until their repeats agree.

use crate::{
    contender::{Contender, Running, Window},
    figure::{Figure, Goal, Measured, Unit},
    load::Load,
};
use anyhow::{Result, bail};
use bedside_loadgen::light::Sinks;
use std::time::Duration;

/// How long and how often to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Before each window, so that caches and timers are in step.
    pub warm_up: Duration,
    /// One window.
    pub window: Duration,
    /// Windows of each contender that have to agree.
    pub wanted: usize,
    /// Windows of each contender at most.
    pub most: usize,
}

impl Effort {
    /// What the table needs.
    pub const FULL: Self = Self {
        warm_up: Duration::from_millis(500),
        window: Duration::from_secs(3),
        wanted: 3,
        most: 6,
    };
    /// What shows that a run works.
    pub const QUICK: Self = Self {
        warm_up: Duration::from_millis(500),
        window: Duration::from_millis(800),
        wanted: 2,
        most: 3,
    };
}

/// What one contender did in all its windows.
#[derive(Debug, Default)]
pub struct Windows(pub Vec<Window>);

impl Windows {
    /// Nanoseconds of the server's time for each packet that arrived.
    #[must_use]
    pub fn cost(&self, effort: Effort) -> Measured {
        self.measured(effort, Window::cost_ns)
    }

    fn measured(&self, effort: Effort, of: impl Fn(&Window) -> f64) -> Measured {
        let measured = Measured::of(self.0.iter().map(of).collect(), effort.wanted);
        Measured {
            usable: measured.usable && self.0.iter().all(Window::is_confirmed),
            ..measured
        }
    }

    /// Whether there are enough windows and they say the same.
    fn agrees(&self, effort: Effort) -> bool {
        self.0.len() >= effort.wanted && self.cost(effort).usable
    }

    /// Packets that arrived in each second of the server's time.
    #[must_use]
    pub fn rate(&self, effort: Effort) -> Measured {
        self.measured(effort, |window| 1e9 / window.cost_ns())
    }

    /// How busy the server was, 1.0 being a whole processor: the middle window.
    #[must_use]
    pub fn busy(&self) -> f64 {
        let mut busy: Vec<f64> = self.0.iter().map(|window| window.cost.cores()).collect();
        busy.sort_by(f64::total_cmp);
        busy.get(busy.len() / 2).copied().unwrap_or_default()
    }

    /// A value of the window in the middle.
    #[must_use]
    pub fn middle(&self, of: impl Fn(&Window) -> u64) -> Option<u64> {
        let mut values: Vec<u64> = self.0.iter().map(of).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    }

    /// In a few words: how busy, how late the generator was if it was late.
    #[must_use]
    pub fn note(&self) -> String {
        let late = self
            .0
            .iter()
            .map(|one| one.measurements.lateness.quantile_ns(0.99));
        let late_us = late.min().unwrap_or_default() / 1_000;
        let mut note = format!("{:.0} % busy", self.busy() * 100.0);
        if late_us > 1_000 {
            note.push_str(&format!("; the generator was {late_us} us late (p99)"));
        }
        if !self.0.iter().all(Window::is_confirmed) {
            note.push_str("; the kernel counted other packets than arrived");
        }
        note
    }
}

/// The cost of the first over that of the second as a figure with its goal.
#[must_use]
pub fn cost_ratio(
    run: &'static str,
    what: String,
    at_most: f64,
    [first, second]: [&Windows; 2],
    effort: Effort,
) -> Figure {
    let (cost, other) = (first.cost(effort), second.cost(effort));
    Figure {
        run,
        what,
        unit: Unit::Ratio,
        goal: Some(Goal::AtMost(at_most)),
        note: format!(
            "{:.0} ns over {:.0} ns; {}",
            cost.value,
            other.value,
            first.note()
        ),
        measured: Some(cost.over(&other)),
    }
}

/// Measures two loads, each on its own contender, in turns: A, B, A, B, until the repeats of both
/// agree or there have been enough.
///
/// # Errors
/// A contender does not start or does not go on.
pub fn in_turns(
    contenders: [(Contender, &Load); 2],
    sinks: Sinks,
    effort: Effort,
) -> Result<[Windows; 2]> {
    let mut running = [
        Running::start(contenders[0].0, contenders[0].1, sinks)?,
        Running::start(contenders[1].0, contenders[1].1, sinks)?,
    ];
    let mut windows = [Windows::default(), Windows::default()];
    let mut restarts = 0;
    for round in 1..=effort.most {
        for ((running, windows), (contender, load)) in
            running.iter_mut().zip(&mut windows).zip(contenders)
        {
            match running.measure(effort.warm_up, effort.window) {
                Ok(window) => windows.0.push(window),
                Err(error) if restarts == effort.most => return Err(error),
                // A server that was starved for so long that half a cycle of sequence numbers
                // passed can open nothing of that stream any more, nor can its receivers.
                Err(_) => {
                    restarts += 1;
                    *running = Running::start(contender, load, sinks)?;
                }
            }
        }
        let agree = windows.iter().all(|one| one.agrees(effort));
        if round >= effort.wanted && agree {
            break;
        }
    }
    if windows.iter().any(|one| one.0.is_empty()) {
        bail!("no window could be measured: the machine is too busy");
    }
    Ok(windows)
}
