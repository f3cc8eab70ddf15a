//! What the control plane wants: rooms and transports that should be.

use super::Transports;
use super::ice::check_credentials;
use super::limits::PEERS_MAX;
use super::peer::{Live, Peer, State};
use crate::PacketSink;
use bedside_protocol::{CloseReason, Event, Generation, Peer as Wanted, PeerId, RoomId};
use std::sync::Arc;
use std::time::Instant;

impl Transports {
    pub(crate) fn ensure_room(&mut self, generation: Generation, room: RoomId) {
        self.rooms.ensure(generation, room);
    }

    pub(crate) fn remove_room(&mut self, now: Instant, room: RoomId, sink: &mut impl PacketSink) {
        for peer in self.rooms.remove(room) {
            self.remove(now, peer, CloseReason::Removed, sink);
        }
    }

    /// Makes a transport, restarts its ICE, or finds it as it should be.
    ///
    /// # Errors
    /// Why it is refused, in words for the operator; nothing has changed then.
    pub(crate) fn ensure_peer(
        &mut self,
        now: Instant,
        generation: Generation,
        room: RoomId,
        wanted: &Wanted,
        sink: &mut impl PacketSink,
    ) -> Result<(), &'static str> {
        check_credentials(&wanted.local)?;
        // A lite agent sends no checks, so nothing else is done with the client's.
        check_credentials(&wanted.remote)?;
        let Some(&slot) = self.by_peer.get(&wanted.peer) else {
            return self.make(now, generation, room, wanted);
        };
        if let Some(&other) = self.by_ufrag.get(&wanted.local.ufrag)
            && other != slot
        {
            return Err("the local user name fragment is another peer's");
        }
        let Some(peer) = &mut self.slots[slot] else {
            return Ok(());
        };
        if peer.room != room {
            return Err("the peer is in another room");
        }
        if peer.remote_fingerprint_sha256 != wanted.remote_fingerprint_sha256 {
            return Err("the remote fingerprint changed; that is a new peer");
        }
        let adopted = std::mem::replace(&mut peer.generation, generation) < generation;
        match &mut peer.state {
            State::Closed(reason) => {
                let closed = Event::PeerClosed {
                    peer: wanted.peer,
                    reason: *reason,
                };
                self.events.push_back((room, closed));
            }
            State::Live(live) => {
                if *live.agent.current() != wanted.local {
                    let retired = live.restart_ice(wanted.local.clone(), now);
                    self.by_ufrag.insert(wanted.local.ufrag.clone(), slot);
                    self.retire(slot, retired);
                }
                self.with(now, slot, sink, |live, peer, context| {
                    if adopted {
                        live.announce(peer, context);
                    }
                    live.renegotiated(peer, wanted, context)
                });
            }
        }
        Ok(())
    }

    /// Lets a connected peer's media and messages pass.
    ///
    /// # Errors
    /// Why it is refused, in words for the operator; nothing has changed then.
    pub(crate) fn admit_peer(
        &mut self,
        now: Instant,
        room: RoomId,
        peer: PeerId,
        sink: &mut impl PacketSink,
    ) -> Result<(), &'static str> {
        let slot = self.by_peer.get(&peer).copied();
        let known = slot.and_then(|slot| Some((slot, self.slots[slot].as_ref()?)));
        let Some((slot, known)) = known.filter(|(_, known)| known.room == room) else {
            return Err("the peer is not in the room");
        };
        match known.live() {
            // The control plane has been told of its end.
            None => return Ok(()),
            Some(live) if !live.is_established() => {
                return Err("the peer has not connected");
            }
            Some(_) => {}
        }
        self.with(now, slot, sink, |live, peer, context| {
            live.admit(peer, context);
            Ok(())
        });
        Ok(())
    }

    fn make(
        &mut self,
        now: Instant,
        generation: Generation,
        room: RoomId,
        wanted: &Wanted,
    ) -> Result<(), &'static str> {
        if self.by_ufrag.contains_key(&wanted.local.ufrag) {
            return Err("the local user name fragment is another peer's");
        }
        if self.by_peer.len() >= PEERS_MAX {
            return Err("the worker has as many peers as it can hold");
        }
        let live = Live::new(
            now,
            wanted,
            self.policy,
            &self.certificate,
            Arc::clone(&self.provider),
        )
        .ok_or("the transport cannot be made")?;
        self.rooms.add(room, wanted.peer)?;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.media_heard.push(None);
            self.slots.len() - 1
        });
        self.media_heard[slot] = None;
        self.timers.set(slot, live.due());
        self.slots[slot] = Some(Peer {
            id: wanted.peer,
            room,
            generation,
            remote_fingerprint_sha256: wanted.remote_fingerprint_sha256,
            state: State::Live(Box::new(live)),
        });
        self.by_peer.insert(wanted.peer, slot);
        self.by_ufrag.insert(wanted.local.ufrag.clone(), slot);
        Ok(())
    }

    /// Removes a peer that is in `room`.
    pub(crate) fn remove_peer(
        &mut self,
        now: Instant,
        room: RoomId,
        peer: PeerId,
        sink: &mut impl PacketSink,
    ) {
        if self.rooms.take(room, peer) {
            self.remove(now, peer, CloseReason::Removed, sink);
        }
    }

    /// Removes what `generation` has not named in `room`, and tells it what is live.
    pub(crate) fn reconcile(
        &mut self,
        now: Instant,
        generation: Generation,
        room: RoomId,
        sink: &mut impl PacketSink,
    ) {
        if self.rooms.is_older(room, generation) {
            self.remove_room(now, room, sink);
            return;
        }
        for peer in self.rooms.peers(room) {
            let Some(&slot) = self.by_peer.get(&peer) else {
                continue;
            };
            let named = self.slots[slot]
                .as_ref()
                .is_some_and(|peer| peer.generation >= generation);
            if named {
                self.with(now, slot, sink, |live, peer, context| {
                    live.announce(peer, context);
                    Ok(())
                });
            } else {
                self.remove_peer(now, room, peer, sink);
            }
        }
    }

    /// Closes every transport.
    pub(crate) fn shutdown(&mut self, now: Instant, sink: &mut impl PacketSink) {
        let rooms: Vec<_> = self.rooms.ids().collect();
        for room in rooms {
            for peer in self.rooms.remove(room) {
                self.remove(now, peer, CloseReason::Shutdown, sink);
            }
        }
    }

    /// Closes a transport that is no longer in its room, and forgets it.
    fn remove(
        &mut self,
        now: Instant,
        peer: PeerId,
        reason: CloseReason,
        sink: &mut impl PacketSink,
    ) {
        let Some(slot) = self.by_peer.remove(&peer) else {
            return;
        };
        self.end(now, slot, reason, sink);
        self.slots[slot] = None;
        self.free.push(slot);
    }
}
