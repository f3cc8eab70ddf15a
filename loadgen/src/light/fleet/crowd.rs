//! Many participants that join at once, and who subscribe when all are there.

use super::joining::Wish;
use super::{Fleet, Joined, ParticipantId, Publication, Reception};
use crate::dataplane::Dataplane;
use crate::light::Error;
use crate::light::participant::State;
use crate::pacing::Clock;
use crate::scenario::Network;
use bedside_protocol::{Event, Layer, RoomId, TrackId};
use std::collections::VecDeque;
use std::time::Duration;

/// Longest wait for the next handshake in a row to be done.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

impl Fleet {
    /// Joins everybody in turn, with their room and what they publish, `at_once` handshakes at a
    /// time, and returns when all are connected.
    ///
    /// # Errors
    /// As for [`join_dataplane`](Self::join_dataplane), for any of them.
    pub fn join_all(
        &mut self,
        dataplane: &mut Dataplane,
        wanted: &[(RoomId, Vec<Publication>)],
        at_once: usize,
    ) -> Result<Vec<Joined>, Error> {
        let mut joined = Vec::with_capacity(wanted.len());
        let mut waiting = VecDeque::new();
        for (room, publishes) in wanted {
            while waiting.len() >= at_once.max(1) {
                self.wait_for_first(&mut waiting, dataplane)?;
            }
            let one = self.begin_join(
                dataplane,
                *room,
                publishes,
                Clock::now_ns(),
                &Network::default(),
            )?;
            waiting.push_back(one.participant);
            joined.push(one);
        }
        while !waiting.is_empty() {
            self.wait_for_first(&mut waiting, dataplane)?;
        }
        Ok(joined)
    }

    /// Subscribes somebody who has joined to a track of somebody else in the room.
    ///
    /// # Errors
    /// The data plane fails.
    pub fn subscribe_to(
        &mut self,
        dataplane: &mut Dataplane,
        room: RoomId,
        subscriber: &Joined,
        track: TrackId,
        reception: Reception,
    ) -> Result<(), Error> {
        let wish = Wish {
            track,
            reception,
            source: None,
            layer_max: Layer::High,
        };
        self.subscribe(dataplane, room, subscriber, &wish)
    }

    fn wait_for_first(
        &mut self,
        waiting: &mut VecDeque<ParticipantId>,
        dataplane: &mut Dataplane,
    ) -> Result<(), Error> {
        let Some(first) = waiting.pop_front() else {
            return Ok(());
        };
        let end_ns = Clock::now_ns() + super::nanoseconds(CONNECT_TIME_MAX);
        loop {
            match self.state(first) {
                Some(State::Joined) => break,
                Some(State::Joining) if Clock::now_ns() < end_ns => self.turn(end_ns)?,
                Some(State::Joining) => return Err(Error::NotConnected("time is up")),
                Some(State::Ended(why)) => return Err(Error::NotConnected(why)),
                None => return Err(Error::NotConnected("it left")),
            }
        }
        while let Some(event) = dataplane.try_event()? {
            if let Event::Refused { .. } = event.event {
                return Err(Error::NotConnected("the data plane refused a command"));
            }
        }
        Ok(())
    }
}
