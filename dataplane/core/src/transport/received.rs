//! Whose a received datagram is, and what follows from it.

use super::Transports;
use super::ice::{ANSWER_BYTES_MAX, Changes, Check, NotACheck};
use super::limits::DISCONNECTED_AFTER;
use super::paths::Owner;
use super::peer::Peer;
use crate::forwarder::MediaPeer;
use crate::{PacketSink, Path};
use std::time::Instant;

impl Transports {
    /// Whose media a datagram on `path` is; counted when it is nobody's.
    pub(crate) fn media_sender(&mut self, now: Instant, path: &Path) -> Option<MediaPeer> {
        let Some(owner) = self.paths.find(path) else {
            self.counters.unknown_path += 1;
            return None;
        };
        if owner.media.is_some() {
            self.media_heard[owner.slot()] = Some(now);
        } else {
            self.media_refused(owner.slot());
        }
        owner.media
    }

    // Kept out of every packet's way.
    #[cold]
    fn media_refused(&mut self, slot: usize) {
        match self.slots[slot].as_mut().and_then(Peer::live_mut) {
            Some(live) if live.is_established() => {
                self.counters.media_before_admission += 1;
                live.media_missed();
            }
            _ => self.counters.media_before_keys += 1,
        }
    }

    /// Takes a DTLS datagram. One of a handshake may have to wait for a later call.
    pub(crate) fn dtls_received(
        &mut self,
        now: Instant,
        path: &Path,
        datagram: &[u8],
        sink: &mut impl PacketSink,
    ) {
        let Some(owner) = self.paths.find(path) else {
            self.counters.unknown_path += 1;
            return;
        };
        let slot = owner.slot();
        let is_handshake = self.slots[slot]
            .as_ref()
            .and_then(Peer::live)
            .is_some_and(|live| !live.is_established());
        if is_handshake && !self.handshakes.may_step() {
            let is_kept = self.handshakes.keep(now, *path, datagram);
            self.counters.handshakes_dropped += u64::from(!is_kept);
            return;
        }
        self.with(now, slot, sink, |live, peer, context| {
            live.dtls_received(peer, datagram, context)
        });
    }

    /// Takes a STUN datagram: the only one that an unknown path may send.
    pub(crate) fn stun_received(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        sink: &mut impl PacketSink,
    ) {
        let check = match Check::parse(datagram) {
            Ok(check) => check,
            Err(NotACheck::Malformed) => {
                self.counters.stun_malformed += 1;
                return;
            }
            Err(NotACheck::NotARequest) => {
                self.counters.stun_not_a_check += 1;
                return;
            }
        };
        if !self.paths.is_ours(&path.local) {
            self.counters.stun_not_a_candidate += 1;
            return;
        }
        let Some(&slot) = self.by_ufrag.get(check.local_ufrag()) else {
            self.counters.stun_unknown_ufrag += 1;
            return;
        };
        let Some(live) = self.slots[slot].as_ref().and_then(Peer::live) else {
            return;
        };
        let hmac = self.provider.sha1_hmac_provider;
        let Some((credentials, with_current)) = live.agent.authenticate(&check, hmac) else {
            self.counters.stun_unauthenticated += 1;
            return;
        };
        if self.is_taken(now, &path, slot) {
            self.counters.stun_path_taken += 1;
            return;
        }
        let mut answer = [0; ANSWER_BYTES_MAX];
        let Some(bytes) = check.answer(credentials, path.remote, hmac, &mut answer) else {
            return;
        };
        let answer = &answer[..bytes];
        if !check.is_controlling() {
            // Told so by the answer. Nothing else follows from such a check.
            self.counters.stun_role_conflict += 1;
            self.with(now, slot, sink, |_, _, context| {
                context.send(path, answer);
                Ok(())
            });
            return;
        }
        self.release(&path, slot);
        let mut changes = Changes::default();
        self.with(now, slot, sink, |live, peer, context| {
            context.send(path, answer);
            context.counters.checks_answered += 1;
            changes = live
                .agent
                .accept(now, path, check.nominates(), with_current);
            live.checked(peer, &check, datagram, changes.nominated, context)
        });
        if let Some(live) = self.slots[slot].as_ref().and_then(Peer::live)
            && changes.opened
        {
            let media = live.media;
            let slot = u32::try_from(slot).expect("PEERS_MAX is far less");
            self.paths.insert(&path, Owner { slot, media });
        }
        if let Some(closed) = changes.closed {
            self.paths.remove(&closed);
        }
        self.retire(slot, changes.retired);
    }

    /// Whether another transport was heard on `path` just now. A check proves who sends it, not
    /// from where: it must not take a path from under its user.
    fn is_taken(&self, now: Instant, path: &Path, slot: usize) -> bool {
        self.paths.find(path).is_some_and(|owner| {
            let owner = owner.slot();
            let live = self.slots[owner].as_ref().and_then(Peer::live);
            owner != slot
                && live.is_some_and(|live| {
                    let heard = self.media_heard[owner].max(Some(live.heard));
                    heard.is_some_and(|at| now.saturating_duration_since(at) < DISCONNECTED_AFTER)
                })
        })
    }

    /// Takes `path` from a silent owner other than `slot`: its address was given to another.
    fn release(&mut self, path: &Path, slot: usize) {
        if let Some(owner) = self.paths.find(path)
            && owner.slot() != slot
            && let Some(live) = self.slots[owner.slot()].as_mut().and_then(Peer::live_mut)
        {
            live.agent.forget(path);
        }
    }
}
