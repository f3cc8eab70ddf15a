//! Identifiers and credentials from the caller's seed.

use bedside_protocol::{IceCredentials, PeerId, RoomId, Secret, TrackId};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

/// Makes identifiers and credentials. ChaCha20 from a cryptographic seed: what it makes cannot
/// be guessed, and the same seed makes the same.
pub(crate) struct Random {
    stream: ChaCha20Rng,
    next: u64,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut stream = ChaCha20Rng::from_seed(seed);
        // Numbers count up from a random start, so that they sort by age and two control planes
        // of one data-plane boot do not meet: they would have to start within a call count of
        // each other in 2^63.
        let next = stream.next_u64() >> 1;
        Self { stream, next }
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    pub(crate) fn room(&mut self) -> RoomId {
        RoomId(self.number())
    }

    pub(crate) fn peer(&mut self) -> PeerId {
        PeerId(self.number())
    }

    pub(crate) fn track(&mut self) -> TrackId {
        TrackId(self.number())
    }

    /// LiveKit's form: a prefix that clients read, then 12 characters (71 bits).
    pub(crate) fn sid(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.text(12))
    }

    /// 8 and 32 characters: 47 and 190 bits (RFC 8445 §5.3 asks for 24 and 128).
    pub(crate) fn credentials(&mut self) -> IceCredentials {
        IceCredentials {
            ufrag: self.text(8),
            password: Secret::new(self.text(32)),
        }
    }

    /// An unguessable URL segment (RFC 9725 §4.2), 142 bits.
    pub(crate) fn resource(&mut self) -> String {
        self.text(24)
    }

    /// Session number for an SDP origin line: below 2^63 (RFC 8829 §5.2.1).
    pub(crate) fn session(&mut self) -> u64 {
        self.stream.next_u64() >> 1
    }

    /// Where a transport's SSRCs start; they count up from here.
    pub(crate) fn ssrc(&mut self) -> u32 {
        self.stream.next_u32()
    }

    fn text(&mut self, characters: usize) -> String {
        let mut text = String::with_capacity(characters);
        while text.len() < characters {
            let byte = usize::from((self.stream.next_u32() & 0xff) as u8);
            // Bytes from the last, incomplete round would favour some characters.
            if byte < ALPHABET.len() * (256 / ALPHABET.len()) {
                text.push(char::from(ALPHABET[byte % ALPHABET.len()]));
            }
        }
        text
    }
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
