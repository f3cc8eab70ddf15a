//! A run: participants play a scenario, the kernel is asked what they and the server cost, and
//! when the time is up the figures are brought together.
//!
//! The time before measuring ends when the scenario's warm-up is over **and** everybody has joined
//! or failed to; at most [`JOIN_TIME_MAX`] more is granted. Joins and first frames count from the
//! start, everything else from then.

use crate::Stop;
use crate::kernel::{self, Cost, Process, Sample};
use crate::measure::{Board, Measurements};
use crate::pacing::Clock;
use crate::scenario::Scenario;
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What makes the participants of a scenario join, send and receive until it is told to stop, or
/// until it cannot go on. It runs on a thread of its own, and reports to the board.
pub type Player<'a> = &'a (dyn Fn(&Scenario, &Arc<Board>, &Stop) -> Result<(), PlayerError> + Sync);

/// Why participants cannot go on.
pub type PlayerError = Box<dyn StdError + Send + Sync>;

/// What is run.
pub struct Run<'a> {
    /// What the participants do.
    pub scenario: &'a Scenario,
    /// What makes them do it.
    pub player: Player<'a>,
    /// The server's processes; empty where they are not known (another host).
    pub server: &'a [Process],
}

/// How far a run is, once a second.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Whether this time counts.
    pub phase: Phase,
    /// Since the phase began.
    pub elapsed: Duration,
    /// How long the phase takes; joining may take longer.
    pub length: Duration,
    /// Participants that the scenario has.
    pub participants: u64,
    /// Participants that have joined since the start, counting every coming back.
    pub joined: u64,
    /// Since the phase began.
    pub measurements: Measurements,
    /// The server's cost since the last progress; none where its processes are not known.
    pub server: Option<Cost>,
    /// Our own.
    pub generator: Cost,
    /// Packets sent since the last progress.
    pub sent: u64,
    /// Packets that arrived since the last progress.
    pub received: u64,
}

/// What a run is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Participants join and things settle; not measured.
    WarmUp,
    /// It counts.
    Measuring,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Joins and first frames from the start; the rest from the end of the warm-up.
    pub measurements: Measurements,
    /// How long was measured.
    pub measured: Duration,
    /// The server's cost meanwhile; none where its processes are not known or have ended.
    pub server: Option<Cost>,
    /// Our own.
    pub generator: Cost,
    /// Costs second by second.
    pub costs: Vec<CostSecond>,
    /// How it ended.
    pub ended: Ended,
}

/// What one second cost.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct CostSecond {
    /// Since measuring began, seconds.
    pub at_s: f64,
    /// Cores that the server kept busy; none where its processes are not known.
    pub server_cores: Option<f64>,
    /// The server's run time for each packet that arrived, nanoseconds; none where there was no
    /// packet.
    pub server_ns_per_packet: Option<f64>,
    /// Cores that the generator kept busy.
    pub generator_cores: f64,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The time was up.
    Complete,
    /// Somebody stopped it; what had been measured counts.
    Interrupted,
    /// It could not go on; what had been measured counts.
    Failed(String),
}

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as run::Error")]
pub enum Error {
    /// The participants could not begin.
    #[error("the participants could not join")]
    Player(#[source] PlayerError),
    /// Every attempt to join failed.
    #[error("nobody joined: {attempts} attempts failed{}", hint(what))]
    NobodyJoined {
        /// How many.
        attempts: u64,
        /// What failed most often, in the participants' words.
        what: String,
    },
    /// The server or this process cannot be watched.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// The thread of the participants panicked: a bug of the generator's.
    #[error("the generator itself failed; this is a bug in it")]
    Panicked,
}

/// How much longer than the warm-up participants may take to join before measuring begins without
/// those that have not.
pub const JOIN_TIME_MAX: Duration = Duration::from_secs(60);

impl Run<'_> {
    /// Runs until the scenario's time is up or somebody says stop. `observe` is called once a
    /// second.
    ///
    /// # Errors
    /// The participants failed before anything could be measured.
    pub fn play(&self, stop: &Stop, observe: &mut dyn FnMut(&Progress)) -> Result<Outcome, Error> {
        let board = Arc::new(Board::new(Clock::now_ns()));
        let (ended_tx, ended_rx) = mpsc::channel::<()>();
        // A stop of this run's own: the caller's says that no further run is wanted either.
        let own_stop = Stop::new();
        thread::scope(|scope| {
            let (player_board, player_stop) = (&board, own_stop.clone());
            let player = scope.spawn(move || {
                let result = (self.player)(self.scenario, player_board, &player_stop);
                // Nobody needs to be told of an end that was asked for.
                drop(ended_tx);
                result
            });
            let outcome = Watch::new(self, &board, &ended_rx).and_then(|mut watch| {
                let ended = watch.until_over_or_gone(stop, observe);
                own_stop.stop();
                Ok((watch, ended?))
            });
            own_stop.stop();
            let result = player.join().map_err(|_| Error::Panicked)?;
            let (watch, ended) = outcome?;
            watch.outcome(ended, result)
        })
    }
}

/// Somebody looking at a run.
struct Watch<'a> {
    run: &'a Run<'a>,
    board: &'a Board,
    player_ended: &'a mpsc::Receiver<()>,
    own: Process,
    participants: u64,
    phase: Phase,
    phase_began_ns: u64,
    /// Of the warm-up.
    before: Option<Measurements>,
    /// At the beginning of the phase, and at the last progress.
    began: Costs,
    last: Costs,
    last_counts: (u64, u64),
    costs: Vec<CostSecond>,
    /// At the last progress of the phase, or at the end, before participants leave.
    end: Option<End>,
}

struct End {
    measurements: Measurements,
    costs: Costs,
    at_ns: u64,
}

#[derive(Clone)]
struct Costs {
    server: Option<Sample>,
    own: Sample,
}

impl<'a> Watch<'a> {
    fn new(
        run: &'a Run<'a>,
        board: &'a Board,
        player_ended: &'a mpsc::Receiver<()>,
    ) -> Result<Self, Error> {
        let own = Process::own()?;
        let began = Costs {
            server: Sample::of_all(run.server)?,
            own: own.sample()?,
        };
        Ok(Self {
            run,
            board,
            player_ended,
            own,
            participants: run.scenario.participant_count(),
            phase: Phase::WarmUp,
            phase_began_ns: Clock::now_ns(),
            before: None,
            last: began.clone(),
            began,
            last_counts: (0, 0),
            costs: Vec::new(),
            end: None,
        })
    }

    /// A server that ends in mid-run ends the run; what was measured until then counts.
    fn until_over_or_gone(
        &mut self,
        stop: &Stop,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<Ended, Error> {
        match self.until_over(stop, observe) {
            Err(Error::Kernel(gone @ kernel::Error::Gone { .. })) => {
                Ok(Ended::Failed(format!("the server has ended: {gone}")))
            }
            other => other,
        }
    }

    fn until_over(
        &mut self,
        stop: &Stop,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<Ended, Error> {
        if self.run.scenario.warm_up.is_zero() {
            self.phase = Phase::Measuring;
        }
        let mut next_look_ns = self.phase_began_ns + SECOND_NS;
        loop {
            match self.player_ended.recv_timeout(TICK) {
                // If it could not go on, it says why when it is joined. Its threads, whose run time
                // is wanted, have ended: the last progress is the end.
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(match stop.is_stopped() {
                        true => Ended::Interrupted,
                        false => Ended::Complete,
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now_ns = Clock::now_ns();
            if stop.is_stopped() {
                self.close()?;
                return Ok(Ended::Interrupted);
            }
            if self.phase == Phase::Measuring && self.since(now_ns) >= self.run.scenario.duration {
                self.wait_for_a_report();
                self.close()?;
                return Ok(Ended::Complete);
            }
            if now_ns >= next_look_ns {
                next_look_ns += SECOND_NS;
                let progress = self.progress(now_ns)?;
                observe(&progress);
                if progress.joined == 0 && failures(&progress.measurements) >= self.participants {
                    self.close()?;
                    return Ok(Ended::Complete);
                }
                if self.phase == Phase::WarmUp && self.is_warm(&progress) {
                    self.wait_for_a_report();
                    self.begin_measuring()?;
                    next_look_ns = self.phase_began_ns + SECOND_NS;
                } else {
                    self.end = Some(End {
                        measurements: progress.measurements,
                        costs: self.last.clone(),
                        at_ns: now_ns,
                    });
                }
            }
        }
    }

    fn since(&self, now_ns: u64) -> Duration {
        Duration::from_nanos(now_ns.saturating_sub(self.phase_began_ns))
    }

    fn is_warm(&self, progress: &Progress) -> bool {
        let warm_up = self.run.scenario.warm_up;
        let came = progress.joined + failures(&progress.measurements);
        let everybody_came = came >= self.participants;
        progress.elapsed >= warm_up
            && (everybody_came || progress.elapsed >= warm_up + JOIN_TIME_MAX)
    }

    /// Participants report once a second. Costs are read just after a report, at the beginning and
    /// at the end, so that they are of the same stretch of time as the packets.
    fn wait_for_a_report(&self) {
        let before = self.board.snapshot().packets_received;
        for _ in 0..REPORT_TICKS_MAX {
            let ended = self.player_ended.recv_timeout(TICK);
            let is_over = ended != Err(RecvTimeoutError::Timeout);
            if is_over || self.board.snapshot().packets_received != before {
                return;
            }
        }
    }

    fn begin_measuring(&mut self) -> Result<(), Error> {
        let now_ns = Clock::now_ns();
        self.before = Some(self.board.snapshot());
        self.board.reset(now_ns);
        self.phase = Phase::Measuring;
        self.phase_began_ns = now_ns;
        self.end = None;
        self.began = self.costs_now()?;
        self.last = self.began.clone();
        self.last_counts = (0, 0);
        Ok(())
    }

    fn progress(&mut self, now_ns: u64) -> Result<Progress, Error> {
        let measurements = self.board.snapshot();
        let now = self.costs_now()?;
        let counts = (measurements.packets_sent, measurements.packets_received);
        let sent = counts.0.saturating_sub(self.last_counts.0);
        let received = counts.1.saturating_sub(self.last_counts.1);
        let server = between(self.last.server.as_ref(), now.server.as_ref());
        let generator = Cost::between(&self.last.own, &now.own);
        let elapsed = self.since(now_ns);
        if self.phase == Phase::Measuring {
            let per_packet = |cost: &Cost| cost.run_time_ns as f64 / received as f64;
            self.costs.push(CostSecond {
                at_s: elapsed.as_secs_f64(),
                server_cores: server.as_ref().map(Cost::cores),
                server_ns_per_packet: server.as_ref().filter(|_| received > 0).map(per_packet),
                generator_cores: generator.cores(),
            });
        }
        self.last = now;
        self.last_counts = counts;
        let joined_before = self.before.as_ref().map_or(0, |before| before.joined);
        let scenario = self.run.scenario;
        Ok(Progress {
            phase: self.phase,
            elapsed,
            length: match self.phase {
                Phase::WarmUp => scenario.warm_up,
                Phase::Measuring => scenario.duration,
            },
            participants: self.participants,
            joined: joined_before + measurements.joined,
            measurements,
            server,
            generator,
            sent,
            received,
        })
    }

    fn costs_now(&self) -> Result<Costs, Error> {
        Ok(Costs {
            server: Sample::of_all(self.run.server)?,
            own: self.own.sample()?,
        })
    }

    fn close(&mut self) -> Result<(), Error> {
        let costs = self.costs_now()?;
        self.end = Some(End {
            measurements: self.board.snapshot(),
            costs,
            at_ns: Clock::now_ns(),
        });
        Ok(())
    }

    fn outcome(self, ended: Ended, player: Result<(), PlayerError>) -> Result<Outcome, Error> {
        let End {
            mut measurements,
            costs,
            at_ns: end_ns,
        } = self.end.unwrap_or_else(|| End {
            measurements: self.board.snapshot(),
            costs: self.last.clone(),
            at_ns: Clock::now_ns(),
        });
        let joined_before = self.before.as_ref().map_or(0, |before| before.joined);
        let ended = match player {
            Ok(()) => ended,
            Err(error) if joined_before + measurements.joined == 0 => {
                return Err(Error::Player(error));
            }
            Err(error) => Ended::Failed(with_causes(&*error)),
        };
        if let Some(before) = &self.before {
            measurements.join.add(&before.join);
            measurements.first_frame.add(&before.first_frame);
            measurements.joined += before.joined;
            for (what, count) in &before.failures {
                *measurements.failures.entry(what.clone()).or_default() += count;
            }
        }
        let most_often = measurements
            .failures
            .iter()
            .max_by_key(|(_, count)| **count);
        if let (0, Some((what, _))) = (measurements.joined, most_often) {
            return Err(Error::NobodyJoined {
                attempts: failures(&measurements),
                what: what.clone(),
            });
        }
        Ok(Outcome {
            measured: Duration::from_nanos(end_ns.saturating_sub(self.phase_began_ns)),
            server: between(self.began.server.as_ref(), costs.server.as_ref()),
            generator: Cost::between(&self.began.own, &costs.own),
            costs: self.costs,
            measurements,
            ended,
        })
    }
}

fn failures(measurements: &Measurements) -> u64 {
    measurements.failures.values().sum()
}

/// What to look at, by the word that participants have for what failed.
fn hint(what: &str) -> String {
    let hint = match what {
        "connect" => "nothing answers at that address",
        "tls" => "the server's certificate is not trusted; --ca names its authority",
        "refused" => "the server refused; are the key and its secret right?",
        other => return format!(" ({other})"),
    };
    format!(": {hint}")
}

fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn between(before: Option<&Sample>, after: Option<&Sample>) -> Option<Cost> {
    Some(Cost::between(before?, after?))
}

/// How often a run looks whether it is over.
const TICK: Duration = Duration::from_millis(50);

/// A little over the second that passes between two reports.
const REPORT_TICKS_MAX: u32 = 24;

const SECOND_NS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests;
