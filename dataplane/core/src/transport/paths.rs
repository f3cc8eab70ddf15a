//! Whose each open path is.

use crate::Path;
use crate::forwarder::MediaPeer;
use foldhash::quality::FixedState;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Paths with an authenticated check. Looked up for every datagram of DTLS and media, so it says
/// all that media needs, and its entries are small: with thousands of clients a look-up finds
/// nothing of it in the processor's cache.
pub(super) struct Paths {
    /// Our own: paths have no others.
    addresses: Vec<SocketAddr>,
    owners: HashMap<Key, Owner, FixedState>,
}

/// Who uses a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owner {
    /// Of its transport.
    pub(super) slot: u32,
    /// Where its media goes, once its keys are there.
    pub(super) media: Option<MediaPeer>,
}

impl Owner {
    pub(super) fn slot(self) -> usize {
        self.slot as usize
    }
}

impl Paths {
    pub(super) fn new(addresses: Vec<SocketAddr>, hasher: FixedState) -> Self {
        Self {
            addresses,
            owners: HashMap::with_hasher(hasher),
        }
    }

    /// Whether `local` is a candidate of ours.
    pub(super) fn is_ours(&self, local: &SocketAddr) -> bool {
        self.addresses.contains(local)
    }

    pub(super) fn find(&self, path: &Path) -> Option<Owner> {
        self.owners.get(&self.key(path)?).copied()
    }

    /// Gives `path` to `owner`. It has to be to an address of ours.
    pub(super) fn insert(&mut self, path: &Path, owner: Owner) {
        if let Some(key) = self.key(path) {
            self.owners.insert(key, owner);
        }
    }

    pub(super) fn remove(&mut self, path: &Path) {
        if let Some(key) = self.key(path) {
            self.owners.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    fn key(&self, path: &Path) -> Option<Key> {
        let local = self.addresses.iter().position(|own| *own == path.local)?;
        let (address, scope) = match path.remote {
            SocketAddr::V4(remote) => (remote.ip().to_ipv6_mapped(), 0),
            SocketAddr::V6(remote) => (*remote.ip(), remote.scope_id()),
        };
        let [high, low] = [
            address.to_bits() >> 64,
            address.to_bits() & u128::from(u64::MAX),
        ];
        Some(Key {
            address: [high, low].map(|half| u64::try_from(half).unwrap_or_default()),
            scope,
            port: path.remote.port(),
            local: u16::try_from(local).ok()?,
        })
    }
}

/// A path in 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// The client's, IPv4 as mapped.
    address: [u64; 2],
    scope: u32,
    port: u16,
    /// Position of our address.
    local: u16,
}
