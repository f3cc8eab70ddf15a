//! Hash tables for ids and SSRCs: one multiplication a look-up, keyed by the worker's seed, so
//! that a peer which chooses SSRCs cannot choose collisions, and a run replays from its seed.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

/// A table of numbers. It is never iterated: order is the business of the lists beside it.
pub(super) struct NumberMap<K, V>(HashMap<K, V, Keyed>);

impl<K: Eq + std::hash::Hash, V: Copy> NumberMap<K, V> {
    pub(super) fn new(key: u64) -> Self {
        Self(HashMap::with_hasher(Keyed { key: key | 1 }))
    }

    pub(super) fn find(&self, number: K) -> Option<V> {
        self.0.get(&number).copied()
    }

    pub(super) fn insert(&mut self, number: K, value: V) {
        self.0.insert(number, value);
    }

    pub(super) fn remove(&mut self, number: K) {
        self.0.remove(&number);
    }

    /// Keeps the entries that `keep` wants. What it answers must not depend on their order.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(V) -> bool) {
        self.0.retain(|_, value| keep(*value));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone)]
struct Keyed {
    key: u64,
}

impl BuildHasher for Keyed {
    type Hasher = FoldedMultiply;

    fn build_hasher(&self) -> FoldedMultiply {
        FoldedMultiply {
            key: self.key,
            state: 0,
        }
    }
}

struct FoldedMultiply {
    key: u64,
    state: u64,
}

impl Hasher for FoldedMultiply {
    fn write_u64(&mut self, number: u64) {
        let mixed = self.state ^ number ^ self.key.rotate_left(32);
        let product = u128::from(mixed) * u128::from(self.key);
        let [high, low] = [product >> 64, product & u128::from(u64::MAX)];
        self.state = u64::try_from(high ^ low).unwrap_or_default();
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}
