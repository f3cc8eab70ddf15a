//! What every decision needs beside the room it is about.

use crate::config::Config;
use crate::input::{SessionId, Time};
use crate::limits;
use crate::negotiation::SdpError;
use crate::output::{CloseHow, Measure, Output};
use crate::random::Random;
use bedside_protocol::{Command, CommandFrame, RoomId, Welcome, WorkerId};
use livekit_protocol as proto;
use proto::signal_response::Message;
use std::collections::{BTreeMap, VecDeque};

/// The moment, the means and the way out of one call.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) config: &'a Config,
    pub(crate) random: &'a mut Random,
    /// `None` while no data plane is connected.
    pub(crate) dataplane: Option<&'a Welcome>,
    pub(crate) outputs: &'a mut VecDeque<Output>,
    pub(crate) counters: &'a mut Counters,
}

impl Context<'_> {
    pub(crate) fn send(&mut self, session: SessionId, message: Message) {
        self.outputs.push_back(Output::Signal {
            session,
            response: Box::new(proto::SignalResponse {
                message: Some(message),
            }),
        });
    }

    pub(crate) fn audit(&mut self, event: bedside_audit::Event) {
        self.outputs.push_back(Output::Audit(Box::new(event)));
    }

    pub(crate) fn close(&mut self, session: SessionId, how: CloseHow) {
        self.outputs
            .push_back(Output::CloseSession { session, how });
    }

    pub(crate) fn command(&mut self, room: RoomId, worker: WorkerId, command: Command) {
        self.outputs.push_back(Output::Command(CommandFrame {
            generation: self.config.generation,
            room,
            worker,
            command,
        }));
    }

    pub(crate) fn measure(&mut self, measure: Measure) {
        self.outputs.push_back(Output::Measured(measure));
    }

    /// Counts a refusal or a drop.
    pub(crate) fn count(&mut self, reason: &'static str) {
        self.counters.count(reason);
    }

    /// Until when a participant whose signalling connection is lost now may come back.
    pub(crate) fn signal_lost_by(&self) -> Time {
        let timeout_s = self.config.signal_lost_timeout_s;
        self.now.after_s(timeout_s.max(limits::SIGNAL_LOST_S_MIN))
    }

    /// `now` and this many microseconds.
    pub(crate) fn later(&self, us: u64) -> Time {
        self.now.after_us(us)
    }
}

/// Counts since the start.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// Descriptions, by why they were refused.
    pub(crate) refused_sdp: BTreeMap<&'static str, u64>,
    pub(crate) events_lost: u64,
    pub(crate) commands_refused: u64,
}

impl Counters {
    pub(crate) fn count(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }

    pub(crate) fn count_sdp(&mut self, error: SdpError) {
        *self.refused_sdp.entry(error.label()).or_default() += 1;
    }
}
