//! What kind of datagram arrived, by its first bytes (RFC 7983 §7, RFC 5761 §4).

/// The protocol of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// First byte 0 to 3 (RFC 8489).
    Stun,
    /// First byte 20 to 63 (RFC 6347, RFC 9147).
    Dtls,
    /// First byte 64 to 79: TURN channel data (RFC 8656 §12), which nothing here takes.
    TurnChannel,
    /// First byte 128 to 191, second byte outside of RTCP's range.
    Rtp,
    /// First byte 128 to 191, second byte 192 to 223 (RFC 5761 §4).
    Rtcp,
    /// Anything else, and what is too short to be any of them.
    Unknown,
}

/// Sorts one datagram. Looks at its first two bytes and its length, nothing else.
pub(crate) fn classify(datagram: &[u8]) -> Class {
    let [first, second, ..] = *datagram else {
        return Class::Unknown;
    };
    match first {
        0..=3 if datagram.len() >= STUN_HEADER_BYTES => Class::Stun,
        20..=63 if datagram.len() >= DTLS_HEADER_BYTES_MIN => Class::Dtls,
        64..=79 => Class::TurnChannel,
        128..=191 => match second {
            192..=223 if datagram.len() >= RTCP_HEADER_BYTES => Class::Rtcp,
            192..=223 => Class::Unknown,
            _ if datagram.len() >= RTP_HEADER_BYTES => Class::Rtp,
            _ => Class::Unknown,
        },
        _ => Class::Unknown,
    }
}

/// Header of a STUN message (RFC 8489 §5).
const STUN_HEADER_BYTES: usize = 20;

/// Shortest DTLS record header: the unified header of RFC 9147 §4 with an 8-bit sequence number
/// and no length, before at least one byte of ciphertext.
const DTLS_HEADER_BYTES_MIN: usize = 3;

/// Fixed RTP header (RFC 3550 §5.1).
const RTP_HEADER_BYTES: usize = 12;

/// Shortest RTCP packet with a sender (RFC 3550 §6.1).
const RTCP_HEADER_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(first: u8, second: u8) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[0] = first;
        bytes[1] = second;
        bytes
    }

    #[test]
    fn every_first_byte_has_one_class() {
        for first in 0..=u8::MAX {
            let expected = match first {
                0..=3 => Class::Stun,
                20..=63 => Class::Dtls,
                64..=79 => Class::TurnChannel,
                128..=191 => Class::Rtp,
                _ => Class::Unknown,
            };
            assert_eq!(
                classify(&datagram(first, 0)),
                expected,
                "first byte {first}"
            );
        }
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_the_packet_type() {
        for second in 0..=u8::MAX {
            let expected = if (192..=223).contains(&second) {
                Class::Rtcp
            } else {
                Class::Rtp
            };
            assert_eq!(
                classify(&datagram(0x80, second)),
                expected,
                "second byte {second}"
            );
        }
    }

    #[test]
    fn a_truncated_header_is_unknown() {
        for (full, header_bytes) in [
            (datagram(0, 1), STUN_HEADER_BYTES),
            (datagram(22, 254), DTLS_HEADER_BYTES_MIN),
            (datagram(0x80, 96), RTP_HEADER_BYTES),
            (datagram(0x80, 200), RTCP_HEADER_BYTES),
        ] {
            assert_ne!(classify(&full[..header_bytes]), Class::Unknown);
            assert_eq!(classify(&full[..header_bytes - 1]), Class::Unknown);
        }
    }

    #[test]
    fn any_bytes_are_classified() {
        bolero::check!().for_each(|bytes: &[u8]| {
            if matches!(classify(bytes), Class::Rtp | Class::Rtcp) {
                assert_eq!(bytes[0] >> 6, 2, "RTP version 2");
            }
        });
    }
}
