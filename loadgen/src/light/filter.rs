//! Dropping media in the kernel, and what that means for counting.
//!
//! A fleet that stands for a thousand receivers on the server's own host would cost more than the
//! server if it read everything. So a socket filter (classic BPF) lets STUN, DTLS and RTCP through
//! and drops RTP, but for one message in N, chosen at random, and a few at numbers that are the same
//! for everybody.
//!
//! # What is counted
//! A server sends many packets in one message (GSO), and on loopback such a message arrives whole.
//! What happens then depends on the receiving socket (Linux 6.18, 20,000 messages of ten packets of
//! 1,200 bytes to a socket whose filter drops all, 2026-11):
//!
//! | `UDP_GRO` | counted as dropped | sender's time for a packet |
//! |---|---|---|
//! | off | 200,000 packets | 550 ns |
//! | on | 20,000 messages | 245 ns |
//!
//! Without it the kernel cuts the message into packets **in the sender's context** and runs the
//! filter on each: the sender pays for work that a network card would have done, or the other host.
//! With it the filter runs once and drops the whole message, which is what a sender pays with a real
//! network. So sinks use it (quinn-udp turns it on), and packets are counted by their sequence
//! numbers, not by the drop count: the server numbers each subscriber's stream without gaps, so
//! between two messages that are let through lie as many packets as the numbers say. The choice is
//! random, because messages begin at numbers that are anything but random; but chance leaves gaps
//! of any length, and one of more than half a cycle cannot be counted (of messages of 45 packets, one
//! gap in 300 between messages that one in 128 lets through). So whatever begins within the first
//! 64 of every 8,192 numbers passes too: no message is longer than 64. The kernel's own count of packets (`IpExt: InNoECTPkts`, which counts the segments of a
//! message, in a network namespace of its own) agrees: 3.06 million in 12 s of 5,000 packets a second
//! to 50 sinks. What the count does not see is a packet that the server numbered and the kernel lost:
//! whoever needs to know lets the same load run into real readers, which see every gap.

use socket2::SockFilter;

/// A filter that passes everything but RTP, and of RTP one message in `one_in` (0 counts as 1) and
/// what bounds a gap.
pub(super) fn pass_one_in(one_in: u32) -> [SockFilter; 16] {
    let one_in = one_in.max(1);
    [
        // Whatever is too short is not RTP.
        SockFilter::new(LOAD_LENGTH, 0, 0, 0),
        SockFilter::new(JUMP_IF_GREATER, 0, 12, PAYLOAD + 1),
        // RFC 7983: RTP and RTCP begin with 128 to 191.
        SockFilter::new(LOAD_BYTE, 0, 0, PAYLOAD),
        SockFilter::new(AND, 0, 0, 0xC0),
        SockFilter::new(JUMP_IF_EQUAL, 0, 9, 0x80),
        // RFC 5761: RTCP goes on with 192 to 223.
        SockFilter::new(LOAD_BYTE, 0, 0, PAYLOAD + 1),
        SockFilter::new(AND, 0, 0, 0xE0),
        SockFilter::new(JUMP_IF_EQUAL, 6, 0, 0xC0),
        // RTP: draw.
        SockFilter::new(LOAD_WORD, 0, 0, RANDOM),
        SockFilter::new(MODULO, 0, 0, one_in),
        SockFilter::new(JUMP_IF_EQUAL, 3, 0, 0),
        // RFC 3550, 5.1: the sequence number.
        SockFilter::new(LOAD_HALF_WORD, 0, 0, PAYLOAD + 2),
        SockFilter::new(AND, 0, 0, CYCLE - 1),
        SockFilter::new(JUMP_IF_GREATER, 1, 0, MESSAGE_PACKETS_MAX - 1),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// Numbers within which one message passes at least: a power of two, far below half a cycle of RTP's.
const CYCLE: u32 = 8_192;
/// Packets of a message at most (UDP_SEGMENT: 64 of every kernel since 4.18).
const MESSAGE_PACKETS_MAX: u32 = 64;

/// The kernel shows a UDP socket's filter the datagram from its UDP header on.
const PAYLOAD: u32 = 8;

// Instruction codes (linux/bpf_common.h), and the ancillary "address" of a random number
// (linux/filter.h: SKF_AD_OFF + SKF_AD_RANDOM).
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF_WORD: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_LENGTH: u16 = 0x80;
const AND: u16 = 0x54;
const MODULO: u16 = 0x94;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_GREATER: u16 = 0x25;
const RETURN: u16 = 0x06;
const RANDOM: u32 = 0xFFFF_F000 + 56;

#[cfg(test)]
mod tests;
