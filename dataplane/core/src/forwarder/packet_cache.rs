//! The one copy of a layer's recent packets: what subscribers are served from, the first time and
//! again.
//!
//! Packets lie in a ring of bytes, each with the extensions that are passed on before it and room
//! for the original sequence number of a retransmission (RFC 4588 §4), so that any subscriber's
//! payload is one slice. A second ring finds them by sequence number. Both start small and double
//! while packets younger than [`CACHE_RETENTION`] would be overwritten.
//!
//! A sequence number is taken once, ever: whatever comes second under it is a duplicate, even
//! after its bytes are gone. That keeps a subscriber's packet index from naming two plaintexts.

use crate::limits::{
    CACHE_BYTES_MAX, CACHE_BYTES_MIN, CACHE_PACKETS_MAX, CACHE_PACKETS_MIN, CACHE_RETENTION,
};
use crate::rtp::{PassedExtension, PictureId, Timestamp, Vp8Descriptor, Vp9Descriptor};
use bedside_protocol::Layer;
use std::ops::Range;
use std::time::Instant;

/// What is kept of a packet beside its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PacketFacts {
    pub(super) timestamp: Timestamp,
    pub(super) marker: bool,
    /// As it was parsed; the counters in the bytes are whatever a subscriber was served last.
    pub(super) descriptor: Option<PayloadDescriptor>,
    /// The spatial layer of the frame that the packet ends, if it ends one.
    pub(super) ends: Option<Layer>,
    /// The payload is RED; where its primary encoding starts.
    pub(super) red_primary_start: Option<usize>,
}

/// A payload descriptor whose counters a subscriber gets its own of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PayloadDescriptor {
    Vp8(Vp8Descriptor),
    Vp9(Vp9Descriptor),
}

impl PayloadDescriptor {
    pub(super) fn picture_id(&self) -> Option<PictureId> {
        match self {
            Self::Vp8(vp8) => vp8.picture_id,
            Self::Vp9(vp9) => vp9.picture_id,
        }
    }

    pub(super) fn tl0_picture_index(&self) -> Option<u8> {
        match self {
            Self::Vp8(vp8) => vp8.tl0_picture_index,
            Self::Vp9(vp9) => vp9.tl0_picture_index,
        }
    }

    /// Writes the counters, moved by the offsets, into the payload that it was parsed from.
    pub(super) fn rewrite(&self, payload: &mut [u8], picture_id_offset: u16, tl0_offset: u8) {
        match self {
            Self::Vp8(vp8) => vp8.rewrite(payload, picture_id_offset, tl0_offset),
            Self::Vp9(vp9) => vp9.rewrite(payload, picture_id_offset, tl0_offset),
        }
    }
}

/// A cached packet, for writing it on.
pub(super) struct CachedPacket<'a> {
    pub(super) facts: &'a PacketFacts,
    /// Extensions that are passed on, as written by [`PacketCache::insert`].
    pub(super) extensions: &'a [u8],
    /// Two bytes for an original sequence number, then the payload.
    pub(super) prefixed_payload: &'a mut [u8],
}

/// Bytes before the payload of a [`CachedPacket`].
pub(super) const PREFIX_BYTES: usize = 2;

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Inserted {
    /// It is the first of its number.
    New,
    /// There was one before.
    Duplicate,
    /// Older than what the cache can tell apart, or longer than the whole cache.
    Unusable,
}

#[derive(Default)]
pub(super) struct PacketCache {
    entries: Vec<Option<Entry>>,
    highest: Option<u64>,
    bytes: Vec<u8>,
    /// Where the next packet is written.
    head: usize,
    /// Bytes passed by the head since the beginning.
    written: u64,
    /// What began before this was overwritten before the ring of bytes grew.
    oldest: u64,
    /// Since when the head has been in this turn of the ring.
    turn_began: Option<Instant>,
    /// The highest number when the ring of entries began its turn, and when that was.
    entries_turn: Option<(u64, Instant)>,
}

#[derive(Clone, Copy)]
struct Entry {
    sequence: u64,
    facts: PacketFacts,
    start: usize,
    extension_bytes: usize,
    payload_bytes: usize,
    /// `written` when the packet was.
    written: u64,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.extension_bytes + PREFIX_BYTES + self.payload_bytes
    }
}

impl PacketCache {
    pub(super) fn insert(
        &mut self,
        now: Instant,
        sequence: u64,
        facts: PacketFacts,
        passed: &[Option<&[u8]>; PassedExtension::ALL.len()],
        payload: &[u8],
    ) -> Inserted {
        if self.entries.is_empty() {
            self.entries.resize(CACHE_PACKETS_MIN, None);
            self.bytes.resize(CACHE_BYTES_MIN, 0);
        }
        if self.is_too_old(sequence) {
            return Inserted::Unusable;
        }
        let is_newest = self.highest.is_none_or(|highest| sequence > highest);
        if !is_newest && self.entry(sequence).is_some() {
            return Inserted::Duplicate;
        }
        let extension_bytes = passed.iter().flatten().map(|data| data.len() + 2).sum();
        let mut entry = Entry {
            sequence,
            facts,
            start: 0,
            extension_bytes,
            payload_bytes: payload.len(),
            written: 0,
        };
        if !self.make_room(now, &mut entry) {
            return Inserted::Unusable;
        }
        if is_newest {
            self.make_slot(now, sequence);
        }

        let mut rest = &mut self.bytes[entry.start..entry.start + entry.bytes()];
        for (kind, data) in (0_u8..).zip(passed) {
            if let Some(data) = data {
                let (slot, after) = rest.split_at_mut(data.len() + 2);
                slot[0] = kind;
                // An element is at most 255 bytes long on the wire.
                slot[1] = u8::try_from(data.len()).unwrap_or(u8::MAX);
                slot[2..].copy_from_slice(data);
                rest = after;
            }
        }
        rest[PREFIX_BYTES..].copy_from_slice(payload);

        self.highest = self.highest.max(Some(sequence));
        let slot = self.slot(sequence);
        self.entries[slot] = Some(entry);
        Inserted::New
    }

    /// The packet of that number, if its bytes are still there.
    pub(super) fn find(&mut self, sequence: u64) -> Option<CachedPacket<'_>> {
        let oldest_intact = self.oldest_intact();
        let slot = slot_of(sequence, self.entries.len());
        let entry = self.entries.get(slot)?.as_ref()?;
        if entry.sequence != sequence || entry.written < oldest_intact {
            return None;
        }
        let bytes = &mut self.bytes[entry.start..entry.start + entry.bytes()];
        let (extensions, prefixed_payload) = bytes.split_at_mut(entry.extension_bytes);
        Some(CachedPacket {
            facts: &entry.facts,
            extensions,
            prefixed_payload,
        })
    }

    /// The highest number taken.
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    fn entry(&self, sequence: u64) -> Option<&Entry> {
        if self.entries.is_empty() {
            return None;
        }
        self.entries[self.slot(sequence)]
            .as_ref()
            .filter(|entry| entry.sequence == sequence)
    }

    fn slot(&self, sequence: u64) -> usize {
        slot_of(sequence, self.entries.len())
    }

    fn is_too_old(&self, sequence: u64) -> bool {
        let window = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        self.highest
            .is_some_and(|highest| sequence.saturating_add(window) <= highest)
    }

    /// Doubles the ring of numbers where it would turn before [`CACHE_RETENTION`] has passed. Goes
    /// by its turns and does not look at the entry that is to be replaced: that is a second old,
    /// so it lies in no processor cache.
    fn make_slot(&mut self, now: Instant, sequence: u64) {
        let (first, began) = *self.entries_turn.get_or_insert((sequence, now));
        let slots = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        if sequence - first < slots {
            return;
        }
        let young = now.saturating_duration_since(began) < CACHE_RETENTION;
        if !young || self.entries.len() >= CACHE_PACKETS_MAX {
            self.entries_turn = Some((sequence, now));
            return;
        }
        let mut larger = vec![None; self.entries.len() * 2];
        for entry in self.entries.drain(..).flatten() {
            let slot = slot_of(entry.sequence, larger.len());
            larger[slot] = Some(entry);
        }
        self.entries = larger;
    }

    /// Finds the place of `entry` behind the head, turning or growing the ring of bytes.
    fn make_room(&mut self, now: Instant, entry: &mut Entry) -> bool {
        let bytes = entry.bytes();
        if bytes > CACHE_BYTES_MIN {
            return false;
        }
        let turn_began = *self.turn_began.get_or_insert(now);
        if self.head + bytes > self.bytes.len() {
            let young = now.saturating_duration_since(turn_began) < CACHE_RETENTION;
            if young && self.bytes.len() < CACHE_BYTES_MAX {
                // The head goes on into the new half; nothing moves, and what lies between the head
                // and the old end stays.
                self.oldest = self.oldest_intact();
                self.advance(self.bytes.len() - self.head);
                self.head = self.bytes.len();
                self.bytes.resize(self.bytes.len() * 2, 0);
            } else {
                self.advance(self.bytes.len() - self.head);
                self.head = 0;
                self.turn_began = Some(now);
            }
        }
        entry.start = self.head;
        entry.written = self.written;
        self.head += bytes;
        self.advance(bytes);
        true
    }

    /// A packet that began before this has been overwritten, at least in part.
    fn oldest_intact(&self) -> u64 {
        let capacity = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        self.oldest.max(self.written.saturating_sub(capacity))
    }

    fn advance(&mut self, bytes: usize) {
        self.written += u64::try_from(bytes).unwrap_or_default();
    }
}

/// The elements of [`CachedPacket::extensions`].
pub(super) fn passed_extensions(
    extensions: &[u8],
) -> impl Iterator<Item = (PassedExtension, &[u8])> + Clone {
    let mut rest = extensions;
    std::iter::from_fn(move || {
        let [kind, length, after @ ..] = rest else {
            return None;
        };
        let (data, after) = after.split_at_checked(usize::from(*length))?;
        rest = after;
        Some((*PassedExtension::ALL.get(usize::from(*kind))?, data))
    })
}

/// Where the payload that a subscriber without RED gets stands in a RED payload.
pub(super) fn payload_range(facts: &PacketFacts, bytes: usize, pass_red: bool) -> Range<usize> {
    match facts.red_primary_start {
        Some(start) if !pass_red => start.min(bytes)..bytes,
        _ => 0..bytes,
    }
}

fn slot_of(sequence: u64, slots: usize) -> usize {
    let slots = u64::try_from(slots).unwrap_or(1);
    usize::try_from(sequence & slots.saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
