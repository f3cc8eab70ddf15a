//! The sending direction.

mod nonce_watch;

use nonce_watch::NonceWatch;

use crate::cipher::{Cipher, Position};
use crate::header::{self, RTCP_HEADER_BYTES};
use crate::key::Packets;
use crate::limits::{PADDING_BYTES_MAX, RTCP_INDEX_END, RTP_INDEX_END};
use crate::{Error, MasterKey, Profile};

/// Seals what we send to one transport.
///
/// There is one `Sealer` for a master key, ever: two would number SRTCP packets alike, and a nonce
/// used twice under GCM gives away the plaintext of both packets and the authentication key.
/// Hence no `Clone`.
///
/// **Who owns the nonces.** The caller owns the RTP index of each SSRC: it rewrites sequence
/// numbers, so it alone knows which packet is which, and it never uses an SSRC for a second stream
/// within a DTLS session. As a net under that, the sealer refuses an index twice, and an index
/// more than [`SEAL_WINDOW_PACKETS`](crate::limits::SEAL_WINDOW_PACKETS) behind, for
/// [`WATCHED_SOURCES`](crate::limits::WATCHED_SOURCES) SSRCs at a time. It therefore cannot seal a
/// packet again for repetition on its own SSRC: keep the sealed bytes, or send on a retransmission
/// stream (RFC 4588). The SRTCP index is the sealer's own.
pub struct Sealer {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    watch: NonceWatch,
    rtcp_index_next: u32,
}

impl Sealer {
    /// Derives the session keys and prepares their schedules: some microseconds, and all memory but
    /// 64 bytes for each source that begins, up to 4 KiB.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] if `master` was made for another profile;
    /// [`Error::ModuleRefused`] if aws-lc-rs takes no keys, for instance after a failed self-test.
    pub fn new(profile: Profile, master: &MasterKey) -> Result<Self, Error> {
        Ok(Self {
            profile,
            rtp: Cipher::new(&master.derive(profile, Packets::Rtp)?)?,
            rtcp: Cipher::new(&master.derive(profile, Packets::Rtcp)?)?,
            watch: NonceWatch::new(),
            // RFC 3711 §3.2.1: zero before the first packet.
            rtcp_index_next: 0,
        })
    }

    /// Seals an RTP packet from one buffer into another, and returns its total length in bytes:
    /// `header_bytes + payload.len() + padding_bytes + rtp_overhead_bytes()`.
    ///
    /// The header stands in `packet[..header_bytes]`, with its CSRCs and its extension; `packet`
    /// may be longer than needed. `index` is `roll-over counter << 16 | sequence number`.
    ///
    /// `padding_bytes` is the whole padding of RFC 3550 §5.1, **its count byte included**: zero
    /// for none, else `padding_bytes - 1` zero bytes and one that says `padding_bytes`, all
    /// encrypted. The caller has set the P bit. It is there to make the packets of a run equally
    /// long for segmentation offload.
    ///
    /// # Errors
    /// [`Error::IndexReused`] or [`Error::SealTooLate`] where the nonce may have been used;
    /// [`Error::KeyExhausted`] from index 2^48 on; [`Error::HeaderMismatch`],
    /// [`Error::NoRoom`] and [`Error::PaddingTooLong`] where the arguments do not fit together.
    /// On an error nothing may be sent.
    pub fn seal_rtp_into(
        &mut self,
        packet: &mut [u8],
        header_bytes: usize,
        payload: &[u8],
        index: u64,
        ssrc: u32,
        padding_bytes: usize,
    ) -> Result<usize, Error> {
        if index >= RTP_INDEX_END {
            return Err(Error::KeyExhausted);
        }
        let padding_count = u8::try_from(padding_bytes).map_err(|_| Error::PaddingTooLong)?;
        let total_bytes = [
            payload.len(),
            padding_bytes,
            self.profile.rtp_overhead_bytes(),
        ]
        .into_iter()
        .try_fold(header_bytes, usize::checked_add)
        .ok_or(Error::NoRoom)?;
        let packet = packet.get_mut(..total_bytes).ok_or(Error::NoRoom)?;
        let header = &packet[..header_bytes];
        if !header::is_rtp_of(header, ssrc, sequence_of(index))
            || padding_bytes > 0 && !header::announces_padding(header)
        {
            return Err(Error::HeaderMismatch);
        }
        self.watch.claim(ssrc, index)?;

        let position = Position { ssrc, index };
        if padding_bytes == 0 {
            self.rtp
                .seal_rtp(packet, header_bytes, payload, &[], position)?;
        } else {
            let mut padding = [0; PADDING_BYTES_MAX];
            padding[padding_bytes - 1] = padding_count;
            let padding = &padding[..padding_bytes];
            self.rtp
                .seal_rtp(packet, header_bytes, payload, padding, position)?;
        }
        Ok(total_bytes)
    }

    /// Seals the RTCP compound in `packet[..plain_bytes]` in place, and returns its total length
    /// in bytes: `plain_bytes + rtcp_overhead_bytes()`.
    ///
    /// # Errors
    /// [`Error::KeyExhausted`] after 2^31 packets; [`Error::Truncated`] if the compound is shorter
    /// than its first header; [`Error::NoRoom`] if `packet` is too short. On an error nothing may
    /// be sent.
    pub fn seal_rtcp(&mut self, packet: &mut [u8], plain_bytes: usize) -> Result<usize, Error> {
        let index = self.rtcp_index_next;
        if index >= RTCP_INDEX_END {
            return Err(Error::KeyExhausted);
        }
        if plain_bytes < RTCP_HEADER_BYTES {
            return Err(Error::Truncated);
        }
        let total_bytes = plain_bytes
            .checked_add(self.profile.rtcp_overhead_bytes())
            .ok_or(Error::NoRoom)?;
        let packet = packet.get_mut(..total_bytes).ok_or(Error::NoRoom)?;
        // Spent before it is used: no way out of this function can leave it to be used again.
        self.rtcp_index_next = index + 1;
        let position = Position {
            ssrc: header::rtcp_sender(packet),
            index: u64::from(index),
        };
        self.rtcp.seal_rtcp(packet, position)?;
        Ok(total_bytes)
    }
}

/// The sequence number that an index ends in.
fn sequence_of(index: u64) -> u16 {
    let [.., high, low] = index.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests;
