//! The ramp: how much load a server carries within a stated bound on latency and loss.
//!
//! Load doubles until the bound is broken, then the interval in between is halved until it is
//! narrow. A step in which the generator itself was the limit proves nothing about the server: the
//! search takes it for an upper end, and says so.

use crate::report::number;
use crate::report::summary::Measured;
use serde::{Deserialize, Serialize};

/// What a server must keep.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Bound {
    /// 99 % of all media arrive no later than this after they were due, nanoseconds.
    pub latency_p99_ns: u64,
    /// Share of packets that may be lost, 0 to 1.
    pub loss_max: f64,
}

/// What a search found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ramp {
    /// What had to be kept.
    pub bound: Bound,
    /// In the order in which they were tried.
    pub steps: Vec<Step>,
    /// Which of them is the capacity: the greatest load that was carried. None: not even the
    /// smallest.
    pub capacity: Option<usize>,
    /// What ended the search.
    pub limit: Limit,
}

/// A load that was tried.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Times the scenario's number of rooms.
    pub scale: f64,
    /// How many rooms that is.
    pub rooms: u64,
    /// How many participants that is.
    pub participants: u64,
    /// What was measured.
    pub measured: Measured,
    /// Whether it was carried.
    pub verdict: Verdict,
}

/// Whether a load was carried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within the bound.
    Held,
    /// Not; says what broke.
    Broken(String),
    /// Nobody knows: the generator was the limit; says how.
    GeneratorLimit(String),
}

/// What ended a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The server: a little more load breaks the bound.
    Server,
    /// The generator: the server carries at least this.
    Generator,
    /// The largest load that was allowed: the server carries at least this.
    Scale,
    /// Somebody stopped it.
    Interrupted,
}

/// How to search.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Search {
    /// The first scale.
    pub from: f64,
    /// The largest scale.
    pub to: f64,
    /// Rooms at scale 1: steps that come to the same number of rooms are one.
    pub rooms: u64,
}

impl Bound {
    /// What of the bound is broken; none: it is kept.
    #[must_use]
    pub fn broken_by(&self, measured: &Measured, participants: u64) -> Option<String> {
        if let Some((what, count)) = measured.failures.iter().max_by_key(|(_, count)| **count) {
            return Some(format!("{count} times: {what}"));
        }
        if measured.joined < participants {
            let joined = measured.joined;
            return Some(format!("{joined} of {participants} participants joined"));
        }
        if measured.packets.loss > self.loss_max {
            let loss = number::percent(measured.packets.loss);
            return Some(format!("loss {loss} > {}", number::percent(self.loss_max)));
        }
        let p99_ns = measured.latency.at(99.0);
        if p99_ns > self.latency_p99_ns {
            let bound = number::time(self.latency_p99_ns as f64);
            return Some(format!(
                "p99 latency {} > {bound}",
                number::time(p99_ns as f64)
            ));
        }
        None
    }
}

impl Verdict {
    /// Of what was measured with so many participants.
    #[must_use]
    pub fn of(measured: &Measured, participants: u64, bound: &Bound) -> Self {
        // First: latency counts from when a packet was due, so a late generator breaks the bound.
        if let Some(limit) = &measured.generator_limit {
            return Self::GeneratorLimit(limit.clone());
        }
        match bound.broken_by(measured, participants) {
            Some(broken) => Self::Broken(broken),
            None => Self::Held,
        }
    }
}

impl Search {
    /// Searches; `try_load` tries a scale, and answers none where somebody said stop.
    ///
    /// # Errors
    /// A load cannot be tried.
    pub fn run<E>(
        &self,
        bound: Bound,
        mut try_load: impl FnMut(f64) -> Result<Option<Step>, E>,
    ) -> Result<Ramp, E> {
        let mut ramp = Ramp {
            bound,
            steps: Vec::new(),
            capacity: None,
            limit: Limit::Interrupted,
        };
        // The greatest that held, the smallest that did not.
        let mut held: Option<f64> = None;
        let mut too_much: Option<f64> = None;
        let mut scale = self.from;
        while ramp.steps.len() < STEPS_MAX {
            let Some(step) = try_load(scale)? else {
                ramp.limit = Limit::Interrupted;
                return Ok(ramp);
            };
            let verdict = step.verdict.clone();
            ramp.steps.push(step);
            match verdict {
                Verdict::Held => {
                    held = Some(scale);
                    ramp.capacity = Some(ramp.steps.len() - 1);
                }
                Verdict::Broken(_) => {
                    too_much = Some(scale);
                    ramp.limit = Limit::Server;
                }
                Verdict::GeneratorLimit(_) => {
                    too_much = Some(scale);
                    ramp.limit = Limit::Generator;
                }
            }
            match self.next(held, too_much) {
                Some(next) => scale = next,
                None => break,
            }
        }
        if too_much.is_none() {
            ramp.limit = Limit::Scale;
        }
        Ok(ramp)
    }

    /// The next scale, unless the answer is known well enough.
    fn next(&self, held: Option<f64>, too_much: Option<f64>) -> Option<f64> {
        let next = match (held, too_much) {
            (Some(held), None) => (held * 2.0).min(self.to),
            (Some(held), Some(too_much)) => f64::midpoint(held, too_much),
            (None, Some(too_much)) => too_much / 2.0,
            (None, None) => self.from,
        };
        let is_new = |tried: f64| self.rooms_at(next) != self.rooms_at(tried);
        let is_wide = held
            .zip(too_much)
            .is_none_or(|(held, too_much)| too_much - held > held * WIDTH_MIN);
        (is_wide && held.is_none_or(is_new) && too_much.is_none_or(is_new)).then_some(next)
    }

    fn rooms_at(&self, scale: f64) -> u64 {
        let rooms = (self.rooms as f64 * scale).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of rooms, positive and small; a cast saturates"
        )]
        let rooms = rooms as u64;
        rooms.max(1)
    }
}

impl Ramp {
    /// The step that is the capacity.
    #[must_use]
    pub fn capacity_step(&self) -> Option<&Step> {
        self.steps.get(self.capacity?)
    }

    /// What was found, in a sentence.
    #[must_use]
    pub fn conclusion(&self) -> String {
        let bound = format!(
            "p99 latency <= {}, loss <= {}",
            number::time(self.bound.latency_p99_ns as f64),
            number::percent(self.bound.loss_max)
        );
        let Some(step) = self.capacity_step() else {
            let why = match self.steps.last().map(|step| &step.verdict) {
                Some(Verdict::Broken(why)) => format!("the server did not keep it: {why}"),
                Some(Verdict::GeneratorLimit(why)) => format!("the generator was the limit: {why}"),
                Some(Verdict::Held) | None => "nothing was tried".to_owned(),
            };
            return format!("No load was carried within {bound}; {why}.");
        };
        let carried = format!(
            "{} with {}, {} packets/s delivered, within {bound}",
            number::counted(step.rooms, "room"),
            number::counted(step.participants, "participant"),
            number::plain(step.measured.received_per_second()),
        );
        match self.limit {
            Limit::Server => format!("Capacity: {carried}. More broke the bound."),
            Limit::Generator => format!(
                "At least {carried}. The generator was the limit beyond that, not the server."
            ),
            Limit::Scale => format!("At least {carried}. More was not tried."),
            Limit::Interrupted => format!("At least {carried}. The search was interrupted."),
        }
    }
}

/// Loads tried in a search: doublings to a thousandfold and then some halvings.
const STEPS_MAX: usize = 24;

/// The capacity is known well enough when more than it by this share was too much.
const WIDTH_MIN: f64 = 0.05;

#[cfg(test)]
mod tests;
