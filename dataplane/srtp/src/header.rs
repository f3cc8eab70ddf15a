//! The few header fields that this crate reads: those that a nonce is made of, and the P bit.

/// Whether an RTP header carries this SSRC and this sequence number (RFC 3550 §5.1).
///
/// The caller has parsed or written the header and says what stands in it. Where it errs, the two
/// ends would disagree on the nonce; counter mode would not even notice, because its tag covers
/// the header and not the nonce.
pub(crate) fn is_rtp_of(header: &[u8], ssrc: u32, sequence: u16) -> bool {
    header.len() >= RTP_FIXED_HEADER_BYTES
        && header[2..4] == sequence.to_be_bytes()
        && header[8..12] == ssrc.to_be_bytes()
}

/// Whether an RTP header announces padding; the header is not empty.
pub(crate) fn announces_padding(header: &[u8]) -> bool {
    header[0] & PADDING_FLAG != 0
}

/// The SSRC of a compound's first packet; the compound is at least [`RTCP_HEADER_BYTES`] long.
pub(crate) fn rtcp_sender(compound: &[u8]) -> u32 {
    let mut ssrc = [0; 4];
    ssrc.copy_from_slice(&compound[4..RTCP_HEADER_BYTES]);
    u32::from_be_bytes(ssrc)
}

/// The part of an RTCP compound that stays in the clear: the first packet's header and the
/// sender's SSRC (RFC 3711 §3.4).
pub(crate) const RTCP_HEADER_BYTES: usize = 8;

const RTP_FIXED_HEADER_BYTES: usize = 12;
const PADDING_FLAG: u8 = 0x20;
