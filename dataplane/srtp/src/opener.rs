//! The receiving direction.

mod sources;

use sources::Sources;

use crate::cipher::{Cipher, ENCRYPTED_FLAG, Position};
use crate::header::{self, RTCP_HEADER_BYTES};
use crate::key::Packets;
use crate::{Error, MasterKey, Profile, index};

/// Opens what one transport sends to us.
///
/// It keeps a roll-over counter and a replay window for each SSRC, for RTP and for RTCP apart
/// (RFC 3711 §3.2.3), and moves them only for authentic packets. Memory is taken when it is made and
/// when a source joins, up to about 9 KiB.
pub struct Opener {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    sources: Sources,
}

impl Opener {
    /// Derives the session keys and prepares their schedules: some microseconds.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] if `master` was made for another profile;
    /// [`Error::ModuleRefused`] if aws-lc-rs takes no keys, for instance after a failed self-test.
    pub fn new(profile: Profile, master: &MasterKey) -> Result<Self, Error> {
        Ok(Self {
            profile,
            rtp: Cipher::new(&master.derive(profile, Packets::Rtp)?)?,
            rtcp: Cipher::new(&master.derive(profile, Packets::Rtcp)?)?,
            sources: Sources::new(),
        })
    }

    /// Opens an RTP packet in place.
    ///
    /// `packet` is the whole datagram; `header_bytes` its RTP header with CSRCs and extension, and
    /// `ssrc` and `sequence` what stands in it. The plaintext keeps its padding.
    ///
    /// # Errors
    /// [`Error::HeaderMismatch`] if the header says otherwise than the arguments. All others are
    /// the peer's or the network's: [`Error::Truncated`], [`Error::Replayed`], [`Error::TooOld`],
    /// [`Error::TooManySources`] and [`Error::KeyExhausted`] without looking at the payload, else
    /// [`Error::NotAuthentic`]. The packet is then good for nothing.
    pub fn open_rtp(
        &mut self,
        packet: &mut [u8],
        header_bytes: usize,
        ssrc: u32,
        sequence: u16,
    ) -> Result<OpenedRtp, Error> {
        let overhead_bytes = self.profile.rtp_overhead_bytes();
        let plain_bytes = packet
            .len()
            .checked_sub(overhead_bytes)
            .ok_or(Error::Truncated)?;
        if header_bytes > plain_bytes {
            return Err(Error::Truncated);
        }
        if !header::is_rtp_of(&packet[..header_bytes], ssrc, sequence) {
            return Err(Error::HeaderMismatch);
        }
        let source = self.sources.find(ssrc)?;
        let index = index::estimate(self.sources.rtp_highest(source), sequence)?;
        self.sources.check_rtp(source, index)?;
        self.rtp
            .open_rtp(packet, header_bytes, Position { ssrc, index })?;
        self.sources.accept_rtp(source, index);
        Ok(OpenedRtp { plain_bytes, index })
    }

    /// Opens an RTCP compound in place, and returns its plain length in bytes.
    ///
    /// # Errors
    /// All of them the peer's or the network's: [`Error::Truncated`], [`Error::NotEncrypted`],
    /// [`Error::Replayed`], [`Error::TooOld`] and [`Error::TooManySources`] without looking at the
    /// payload, else [`Error::NotAuthentic`]. The packet is then good for nothing.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        let overhead_bytes = self.profile.rtcp_overhead_bytes();
        let plain_bytes = packet
            .len()
            .checked_sub(overhead_bytes)
            .ok_or(Error::Truncated)?;
        if plain_bytes < RTCP_HEADER_BYTES {
            return Err(Error::Truncated);
        }
        let [flag_and_index, rest @ ..] = self.rtcp.rtcp_index_word(packet);
        if flag_and_index & ENCRYPTED_FLAG == 0 {
            return Err(Error::NotEncrypted);
        }
        let [second, third, fourth] = rest;
        let index = [flag_and_index & !ENCRYPTED_FLAG, second, third, fourth];
        let index = u64::from(u32::from_be_bytes(index));

        let ssrc = header::rtcp_sender(packet);
        let source = self.sources.find(ssrc)?;
        self.sources.check_rtcp(source, index)?;
        self.rtcp.open_rtcp(packet, Position { ssrc, index })?;
        self.sources.accept_rtcp(source, index);
        Ok(plain_bytes)
    }
}

/// An RTP packet that was opened in its buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenedRtp {
    /// Length of header and plaintext payload, in bytes; the tag behind them is dead.
    pub plain_bytes: usize,
    /// `roll-over counter << 16 | sequence number`, below 2^48: the sequence number that never
    /// wraps.
    pub index: u64,
}

#[cfg(test)]
mod tests;
