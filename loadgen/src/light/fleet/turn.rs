//! One turn of a fleet: what is due is sent, what has come is taken, in between a step of a
//! handshake.

use super::{Fleet, News, ParticipantId, TIMER, nanoseconds};
use crate::light::Error;
use crate::light::network::{Direction, Fate, Impairment};
use crate::light::participant::{Participant, State, send_over};
use crate::light::repair::LOOK_INTERVAL_NS;
use crate::light::socket::BATCH;
use crate::light::transport::Progress;
use crate::light::workplace::Workplace;
use crate::pacing::Clock;
use mio::{Events, Token};
use std::time::Duration;

/// What is due besides frames.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Due {
    /// str0m's timers.
    Transport(usize),
    /// Receiver reports.
    Reports(usize),
    /// A look at what is missing.
    Gaps(usize),
}

/// A step of ICE or DTLS. The costliest takes some hundred microseconds.
#[derive(Debug)]
pub(super) enum Step {
    /// A datagram for a participant.
    Datagram(usize, Vec<u8>),
    /// Time has passed for it.
    Timeout(usize),
}

/// Time between two receiver reports.
pub(super) const REPORT_INTERVAL_NS: u64 = 1_000_000_000;

/// Frames that are sent before sockets are looked at again.
const FRAMES_PER_TURN: usize = 64;

/// Time for handshakes in one turn: one costly step, or many cheap ones.
const STEPS_TIME_NS: u64 = 100_000;

impl Fleet {
    /// One turn; sleeps until something is due or comes, at most until `until_ns`.
    pub(in crate::light) fn turn(&mut self, until_ns: u64) -> Result<(), Error> {
        self.send_due_frames();
        self.run_timers();
        self.run_delayed();
        self.run_steps();
        let timeout = self.sleep_time(until_ns)?;
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let polled = self.poll.poll(&mut events, timeout);
        for event in &events {
            if event.token() != TIMER {
                let Token(id) = event.token();
                self.receive(id);
            }
        }
        self.events = events;
        match polled {
            Err(source) if source.kind() != std::io::ErrorKind::Interrupted => Err(Error::Host {
                doing: "waiting for the network",
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Zero if there is work, else none: the timer is set to when there will be.
    fn sleep_time(&mut self, until_ns: u64) -> Result<Option<Duration>, Error> {
        if !self.steps.is_empty() {
            return Ok(Some(Duration::ZERO));
        }
        let frame_ns = match self.idle_since_ns {
            None => self.media.next_due_ns().map(|due_ns| due_ns + self.idle_ns),
            Some(_) => None,
        };
        let wake_ns = [
            frame_ns,
            self.timers.next_due_ns(),
            self.work.delayed.next_due_ns(),
        ]
        .into_iter()
        .flatten()
        .fold(until_ns, u64::min);
        if wake_ns <= Clock::now_ns() {
            return Ok(Some(Duration::ZERO));
        }
        if wake_ns != self.timer_ns {
            self.timer.set(wake_ns).map_err(|source| Error::Host {
                doing: "setting a timer",
                source,
            })?;
            self.timer_ns = wake_ns;
        }
        Ok(None)
    }

    fn send_due_frames(&mut self) {
        if self.idle_since_ns.is_some() {
            return;
        }
        for _ in 0..FRAMES_PER_TURN {
            let now_ns = Clock::now_ns();
            let Some((due_ns, (id, place))) = self.media.pop_due(now_ns - self.idle_ns) else {
                return;
            };
            let Some(participant) = self.participants.get_mut(id).and_then(Option::as_mut) else {
                continue;
            };
            participant.send_frame(place, due_ns + self.idle_ns, now_ns, &mut self.work);
            if let Some(published) = participant.publications.get(place)
                && let Some(began_ns) = published.began_ns
                && participant.state == State::Joined
            {
                let next_ns = began_ns + nanoseconds(published.source.next_due());
                self.media.push(next_ns, (id, place));
            }
        }
    }

    fn run_timers(&mut self) {
        let now_ns = Clock::now_ns();
        while let Some((due_ns, due)) = self.timers.pop_due(now_ns) {
            match due {
                Due::Transport(id) => self.steps.push_back(Step::Timeout(id)),
                Due::Reports(id) => {
                    let Some(participant) = self.participants.get_mut(id).and_then(Option::as_mut)
                    else {
                        continue;
                    };
                    participant.send_reports(now_ns, &mut self.work);
                    self.timers
                        .push(due_ns + REPORT_INTERVAL_NS, Due::Reports(id));
                }
                Due::Gaps(id) => {
                    let participant = self.participants.get_mut(id).and_then(Option::as_mut);
                    if participant.is_some_and(|it| it.ask_for_gaps(now_ns, &mut self.work)) {
                        self.timers.push(now_ns + LOOK_INTERVAL_NS, Due::Gaps(id));
                    }
                }
            }
        }
    }

    fn run_steps(&mut self) {
        if self.steps.is_empty() {
            return;
        }
        let end_ns = Clock::now_ns() + STEPS_TIME_NS;
        while let Some(step) = self.steps.pop_front() {
            self.run_step(&step);
            if Clock::now_ns() >= end_ns {
                return;
            }
        }
    }

    fn run_step(&mut self, step: &Step) {
        let (Step::Datagram(id, _) | Step::Timeout(id)) = *step;
        let Some(participant) = self.participants.get_mut(id).and_then(Option::as_mut) else {
            return;
        };
        let (Some(transport), Some(remote)) =
            (&mut participant.transport, participant.socket.remote())
        else {
            return;
        };
        let now_ns = Clock::now_ns();
        let now = self.clock.instant(now_ns);
        let armed = transport.due();
        if matches!(step, Step::Timeout(_)) && armed > now {
            // Put off since.
            return;
        }
        let (socket, impairment) = (&participant.socket, &mut participant.impairment);
        let send = |datagram: &[u8]| {
            send_over(socket, impairment, id, datagram, now_ns, &mut self.work);
        };
        let progress = match step {
            Step::Datagram(_, datagram) => transport.receive(now, remote, datagram, send),
            Step::Timeout(_) => transport.timeout(now, send),
        };
        let due = transport.due();
        match progress {
            Progress::Going => {}
            Progress::Keys(keys) => match participant.take_keys(&keys) {
                Ok(()) => {
                    let after_ns = now_ns.saturating_sub(participant.wanted_ns);
                    self.work.recorder.join(Duration::from_nanos(after_ns));
                    self.joined(ParticipantId(id), now_ns);
                    self.news.push_back(News::Joined(ParticipantId(id)));
                }
                Err(_) => self.ended(id, "keys"),
            },
            Progress::Ended(why) => self.ended(id, why),
        }
        if due != armed || matches!(step, Step::Timeout(_)) {
            let due_ns = self.clock.nanoseconds(due);
            self.arm_transport(id, due_ns);
        }
    }

    /// A transport carries nothing, or no more.
    fn ended(&mut self, id: usize, why: &'static str) {
        if let Some(participant) = self.participants.get_mut(id).and_then(Option::as_mut) {
            participant.transport = None;
            participant.state = State::Ended(why);
            self.work.recorder.failed(why);
            self.news.push_back(News::Ended(ParticipantId(id)));
        }
    }

    /// Lets datagrams on bad networks go on whose time has come.
    fn run_delayed(&mut self) {
        let now_ns = Clock::now_ns();
        while let Some((due_ns, mut delayed)) = self.work.delayed.pop_due(now_ns) {
            let id = delayed.participant;
            let Some(participant) = self.participants.get_mut(id).and_then(Option::as_mut) else {
                continue;
            };
            match delayed.direction {
                // A datagram that cannot be sent is lost once more.
                Direction::Out => drop(participant.socket.send(&delayed.datagram)),
                Direction::In => {
                    let step = take(participant, &mut delayed.datagram, due_ns, &mut self.work);
                    self.steps.extend(step);
                    if participant.begins_to_look_for_gaps() {
                        self.timers.push(now_ns + LOOK_INTERVAL_NS, Due::Gaps(id));
                    }
                }
            }
        }
    }

    /// Takes everything that waits at a participant's socket.
    fn receive(&mut self, id: usize) {
        loop {
            let Some(participant) = self.participants.get_mut(id).and_then(Option::as_mut) else {
                return;
            };
            let count = match participant.socket.receive(&mut self.memory) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    self.work.recorder.failed("receive: nobody there");
                    continue;
                }
                Err(_) => return,
            };
            let at_ns = Clock::now_ns();
            for place in 0..count {
                let (message, datagram_bytes) = self.memory.message(place);
                for datagram in message.chunks_mut(datagram_bytes) {
                    let fate = participant
                        .impairment
                        .as_mut()
                        .map_or(Fate::AtOnce, Impairment::fate);
                    match fate {
                        Fate::Lost => {}
                        Fate::AtOnce => {
                            let step = take(participant, datagram, at_ns, &mut self.work);
                            self.steps.extend(step);
                        }
                        Fate::Later(delay_ns) => {
                            self.work
                                .delay(at_ns + delay_ns, id, Direction::In, datagram);
                        }
                    }
                }
            }
            if participant.begins_to_look_for_gaps() {
                self.timers.push(at_ns + LOOK_INTERVAL_NS, Due::Gaps(id));
            }
            if count < BATCH {
                return;
            }
        }
    }
}

/// Takes a datagram, or says what is to be done with it between frames.
fn take(
    participant: &mut Participant,
    datagram: &mut [u8],
    at_ns: u64,
    work: &mut Workplace,
) -> Option<Step> {
    // RFC 7983: STUN, DTLS, RTP and RTCP by their first byte.
    if datagram.first().is_some_and(|first| first & 0xC0 == 0x80) {
        participant.take_media(datagram, at_ns, work);
        None
    } else {
        Some(Step::Datagram(participant.id, datagram.to_vec()))
    }
}
