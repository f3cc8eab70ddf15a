//! The first DTLS message of a client, put together from its fragments and read far enough to
//! choose the version to answer with.
//!
//! A hello with a post-quantum key share does not fit one datagram, so both browsers send two
//! (measured: Chromium 156 1,413 bytes, Firefox 153 1,461). Fragments come in any order, twice,
//! or cut differently when they are sent again (RFC 6347 §4.2.3, RFC 9147 §5.5).

use super::limits::{CLIENT_HELLO_BYTES_MAX, CLIENT_HELLO_FRAGMENTS_MAX};
use bedside_protocol::SrtpProfile;

/// What a client offers, as far as the choice of version needs it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ClientHello {
    /// Offers DTLS 1.2 (RFC 6347).
    pub(super) dtls12: bool,
    /// Offers DTLS 1.3 (RFC 9147).
    pub(super) dtls13: bool,
    /// The SRTP profiles that we know, in the client's order (RFC 5764 §4.1.1), each once.
    pub(super) srtp_profiles: Vec<SrtpProfile>,
}

impl ClientHello {
    /// Reads the body of a ClientHello (RFC 5246 §7.4.1.2, RFC 9147 §5.3); `None` unless it is
    /// well formed as far as it is read.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let legacy_version = reader.u16()?;
        let _random = reader.take(32)?;
        let _session_id = reader.vector_u8()?;
        let _cookie = reader.vector_u8()?;
        let _cipher_suites = reader.vector_u16()?;
        let _compression_methods = reader.vector_u8()?;

        let mut hello = Self {
            dtls12: legacy_version == DTLS_1_2,
            ..Self::default()
        };
        if reader.is_empty() {
            return Some(hello);
        }
        let mut extensions = Reader(reader.vector_u16()?);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let mut data = Reader(extensions.vector_u16()?);
            match kind {
                SUPPORTED_VERSIONS => {
                    let mut versions = Reader(data.vector_u8()?);
                    hello.dtls12 = false;
                    while !versions.is_empty() {
                        match versions.u16()? {
                            DTLS_1_2 => hello.dtls12 = true,
                            DTLS_1_3 => hello.dtls13 = true,
                            _ => {}
                        }
                    }
                }
                USE_SRTP => {
                    let mut profiles = Reader(data.vector_u16()?);
                    while !profiles.is_empty() {
                        let profile = match profiles.u16()? {
                            SRTP_AES128_CM_HMAC_SHA1_80 => SrtpProfile::Aes128CmHmacSha1_80,
                            SRTP_AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
                            SRTP_AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
                            _ => continue,
                        };
                        if !hello.srtp_profiles.contains(&profile) {
                            hello.srtp_profiles.push(profile);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(hello)
    }
}

/// Fragments of one ClientHello. Holds at most [`CLIENT_HELLO_BYTES_MAX`] bytes.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    body: Vec<u8>,
    /// Which bytes of `body` have arrived: sorted, disjoint, not touching; at most
    /// [`CLIENT_HELLO_FRAGMENTS_MAX`].
    arrived: Vec<(usize, usize)>,
}

impl Assembly {
    /// Takes one datagram, and gives the whole message as soon as every byte has arrived.
    /// Everything but a fragment of a first ClientHello is passed over.
    pub(super) fn push(&mut self, datagram: &[u8]) -> Option<WholeHello> {
        let mut records = Reader(datagram);
        while let Some(record) = Record::next(&mut records) {
            if record.kind != HANDSHAKE || record.epoch != 0 {
                continue;
            }
            let mut messages = Reader(record.payload);
            while let Some(fragment) = Fragment::next(&mut messages) {
                if fragment.kind == CLIENT_HELLO
                    && fragment.message_sequence == 0
                    && self.insert(&fragment)
                {
                    return Some(WholeHello {
                        body: std::mem::take(&mut self.body),
                        record_sequence: record.sequence,
                    });
                }
            }
        }
        None
    }

    /// Whether the message is now whole.
    fn insert(&mut self, fragment: &Fragment<'_>) -> bool {
        if fragment.message_bytes > CLIENT_HELLO_BYTES_MAX
            || fragment.offset + fragment.data.len() > fragment.message_bytes
        {
            return false;
        }
        if self.body.len() != fragment.message_bytes {
            // Another length is another hello: a client that started over. The newest counts.
            self.arrived.clear();
            self.body.clear();
            self.body.resize(fragment.message_bytes, 0);
        }
        let (mut start, mut end) = (fragment.offset, fragment.offset + fragment.data.len());
        self.body[start..end].copy_from_slice(fragment.data);
        self.arrived.retain(|&(from, to)| {
            let apart = to < start || end < from;
            if !apart {
                start = start.min(from);
                end = end.max(to);
            }
            apart
        });
        if self.arrived.len() == CLIENT_HELLO_FRAGMENTS_MAX {
            self.arrived.clear();
        }
        let place = self.arrived.partition_point(|&(from, _)| from < start);
        self.arrived.insert(place, (start, end));
        self.arrived == [(0, self.body.len())]
    }
}

/// A whole ClientHello and the number of the record that completed it.
#[derive(Debug)]
pub(super) struct WholeHello {
    body: Vec<u8>,
    record_sequence: u64,
}

impl WholeHello {
    /// What it offers, if it can be read.
    pub(super) fn offer(&self) -> Option<ClientHello> {
        ClientHello::parse(&self.body)
    }

    /// The same message as one unfragmented record. The handshake transcript is computed over
    /// whole messages (RFC 6347 §4.2.6, RFC 9147 §5.2), so both ends still agree on it.
    pub(super) fn to_datagram(&self) -> Vec<u8> {
        let message_bytes = self.body.len();
        let [_, length @ ..] = u32::try_from(message_bytes)
            .unwrap_or_default()
            .to_be_bytes();
        let [_, _, sequence @ ..] = self.record_sequence.to_be_bytes();
        let mut datagram =
            Vec::with_capacity(RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES + message_bytes);
        datagram.push(HANDSHAKE);
        datagram.extend_from_slice(&DTLS_1_2.to_be_bytes());
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(&sequence);
        let payload_bytes = HANDSHAKE_HEADER_BYTES + message_bytes;
        datagram.extend_from_slice(
            &u16::try_from(payload_bytes)
                .unwrap_or_default()
                .to_be_bytes(),
        );
        datagram.push(CLIENT_HELLO);
        datagram.extend_from_slice(&length);
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(&[0, 0, 0]);
        datagram.extend_from_slice(&length);
        datagram.extend_from_slice(&self.body);
        datagram
    }
}

/// A plaintext record (RFC 6347 §4.1).
struct Record<'a> {
    kind: u8,
    epoch: u16,
    sequence: u64,
    payload: &'a [u8],
}

impl<'a> Record<'a> {
    fn next(reader: &mut Reader<'a>) -> Option<Self> {
        let kind = reader.u8()?;
        let _version = reader.u16()?;
        let epoch = reader.u16()?;
        let sequence = reader.uint(6)?;
        let payload = reader.vector_u16()?;
        Some(Self {
            kind,
            epoch,
            sequence,
            payload,
        })
    }
}

/// A piece of a handshake message (RFC 6347 §4.2.2).
struct Fragment<'a> {
    kind: u8,
    message_bytes: usize,
    message_sequence: u16,
    offset: usize,
    data: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn next(reader: &mut Reader<'a>) -> Option<Self> {
        let kind = reader.u8()?;
        let message_bytes = reader.u24()?;
        let message_sequence = reader.u16()?;
        let offset = reader.u24()?;
        let data_bytes = reader.u24()?;
        let data = reader.take(data_bytes)?;
        Some(Self {
            kind,
            message_bytes,
            message_sequence,
            offset,
            data,
        })
    }
}

/// Bytes that are taken from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// A big-endian number of at most eight bytes.
    fn uint(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(
            taken
                .iter()
                .fold(0, |value, &byte| value << 8 | u64::from(byte)),
        )
    }

    fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn u16(&mut self) -> Option<u16> {
        let (&taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(taken))
    }

    fn u24(&mut self) -> Option<usize> {
        let (&[high, middle, low], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
    }

    fn vector_u8(&mut self) -> Option<&'a [u8]> {
        let bytes = usize::from(self.u8()?);
        self.take(bytes)
    }

    fn vector_u16(&mut self) -> Option<&'a [u8]> {
        let bytes = usize::from(self.u16()?);
        self.take(bytes)
    }
}

/// Record type (RFC 5246 §6.2.1).
const HANDSHAKE: u8 = 22;
/// Handshake message type (RFC 5246 §7.4).
const CLIENT_HELLO: u8 = 1;
/// Type, version, epoch, sequence number, length.
const RECORD_HEADER_BYTES: usize = 13;
/// Type, length, message sequence, fragment offset, fragment length.
const HANDSHAKE_HEADER_BYTES: usize = 12;

/// Version numbers on the wire (RFC 6347 §4.1, RFC 9147 §5.3).
const DTLS_1_2: u16 = 0xfefd;
const DTLS_1_3: u16 = 0xfefc;

/// Extension types (RFC 5764 §9, RFC 8446 §4.2).
const USE_SRTP: u16 = 14;
const SUPPORTED_VERSIONS: u16 = 43;

/// Protection profiles (RFC 5764 §4.1.2, RFC 7714 §14.2).
const SRTP_AES128_CM_HMAC_SHA1_80: u16 = 0x0001;
const SRTP_AEAD_AES_128_GCM: u16 = 0x0007;
const SRTP_AEAD_AES_256_GCM: u16 = 0x0008;

#[cfg(test)]
mod tests;
