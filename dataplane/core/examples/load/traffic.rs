//! What clients send: media at its rate, and what they say about what they receive.

use super::{
    CHECK_INTERVAL, Duty, FEEDBACK_INTERVAL, LoadedWorker, Media, REPORT_INTERVAL, Wakeup,
};
use bedside_core::rtcp::{
    ReportBlock, SenderInfo, TICK_US, write_nack, write_receiver_report, write_sender_report,
    write_transport_feedback,
};
use bedside_core::rtp::{SequenceNumber, Timestamp};
use std::cmp::Reverse;
use std::time::{Duration, Instant};

impl LoadedWorker {
    /// Makes what clients send within `time` from now on, in wake-ups that bring at most
    /// `per_wakeup` datagrams. Says how many datagrams that is.
    pub(crate) fn prepare(&mut self, time: Duration, per_wakeup: usize) -> usize {
        self.wakeups.clear();
        let end = self.prepared + time;
        self.prepared = end;
        while let Some(Reverse((at, number, duty))) = self.due.peek().copied()
            && at < end
        {
            self.due.pop();
            let interval = match duty {
                Duty::Publish => self.publications[number].media.interval(),
                Duty::Report => REPORT_INTERVAL,
                Duty::Feedback => FEEDBACK_INTERVAL,
                Duty::Check => CHECK_INTERVAL,
            };
            self.due.push(Reverse((at + interval, number, duty)));
            match duty {
                Duty::Publish => self.send_frame(at, number, per_wakeup),
                Duty::Report => self.send_report(at, number, per_wakeup),
                Duty::Feedback => {
                    self.send_feedback(at, number, per_wakeup);
                    self.sink.heard[number].clear();
                }
                Duty::Check => {
                    let check = self.clients[number].check();
                    self.deliver(at, number, check, per_wakeup);
                }
            }
        }
        self.wakeups
            .iter()
            .map(|wakeup| wakeup.datagrams.len())
            .sum()
    }

    /// Has everybody ask `rounds` times for the `count` newest packets of each video again, as
    /// they were sent when the wake-ups before were gone through while the sink kept them.
    pub(crate) fn prepare_nacks(&mut self, rounds: u32, count: u16) {
        self.wakeups.clear();
        let sent = self.sink.kept.take().unwrap_or_default();
        for round in 1..=rounds {
            // A packet that was just sent again is not sent again at once.
            let at = self.now + Duration::from_millis(20) * round;
            for index in 0..self.receptions.len() {
                let (subscriber, ssrc) = (
                    self.receptions[index].subscriber,
                    self.receptions[index].ssrc,
                );
                let newest = sent.iter().rev().find(|(_, packet)| {
                    packet.get(8..12) == Some(&ssrc.to_be_bytes()) && packet[1] & 0x7f == 96
                });
                let Some((_, newest)) = newest else {
                    continue;
                };
                let newest = u16::from_be_bytes([newest[2], newest[3]]);
                let missing: Vec<_> = (0..count)
                    .rev()
                    .map(|back| SequenceNumber(newest.wrapping_sub(back)))
                    .collect();
                let mut compound = Vec::new();
                write_receiver_report(&mut compound, FEEDBACK_SSRC, &[]);
                write_nack(&mut compound, FEEDBACK_SSRC, ssrc, &missing);
                let sealed = self.clients[subscriber].seal_rtcp(&compound);
                self.deliver(at, subscriber, sealed, 1);
            }
        }
        self.prepared = self
            .prepared
            .max(self.now + Duration::from_millis(20) * rounds);
    }

    /// Has everybody check its path `rounds` times.
    pub(crate) fn prepare_checks(&mut self, rounds: u32) {
        self.wakeups.clear();
        for _ in 0..rounds {
            for number in 0..self.clients.len() {
                let check = self.clients[number].check();
                self.deliver(self.now, number, check, PER_WAKEUP);
            }
        }
    }

    /// Has everybody say `rounds` times how well it receives, and feed back what arrived.
    pub(crate) fn prepare_feedback(&mut self, rounds: u32) {
        self.wakeups.clear();
        for _ in 0..rounds {
            for number in 0..self.clients.len() {
                self.send_report(self.now, number, PER_WAKEUP);
                self.send_feedback(self.now, number, PER_WAKEUP);
            }
        }
    }

    /// Has everybody say once that its path takes no more than about so many thousand bits a second
    /// (REMB, `draft-alvestrand-rmcat-remb-03` §2.2).
    pub(crate) fn prepare_limit(&mut self, kbps: u16) {
        self.wakeups.clear();
        for number in 0..self.clients.len() {
            let mut compound = Vec::new();
            write_receiver_report(&mut compound, FEEDBACK_SSRC, &[]);
            compound.extend_from_slice(&[0x8f, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0]);
            compound.extend_from_slice(b"REMB");
            let [high, low] = kbps.to_be_bytes();
            // In units of 2^10.
            compound.extend_from_slice(&[0, 10 << 2, high, low]);
            let sealed = self.clients[number].seal_rtcp(&compound);
            self.deliver(self.now, number, sealed, PER_WAKEUP);
        }
    }

    /// Has the network deliver again what was prepared last and gone through: nothing but replays.
    pub(crate) fn prepare_replays(&mut self) {
        let is_rtp = |datagram: &[u8]| datagram[0] >> 6 == 2 && !(192..=223).contains(&datagram[1]);
        for wakeup in &mut self.wakeups {
            wakeup.at = self.now;
            wakeup.datagrams.retain(|(_, datagram)| is_rtp(datagram));
        }
    }

    /// Has the network deliver each datagram that was prepared twice in a row.
    pub(crate) fn repeat_prepared(&mut self) {
        for wakeup in &mut self.wakeups {
            let datagrams = std::mem::take(&mut wakeup.datagrams).into_iter();
            wakeup.datagrams = datagrams
                .flat_map(|datagram| [datagram.clone(), datagram])
                .collect();
        }
    }

    /// Puts a datagram into the last wake-up, or into the next.
    fn deliver(&mut self, at: Instant, client: usize, datagram: Vec<u8>, per_wakeup: usize) {
        let datagram = (self.clients[client].path, datagram);
        match self.wakeups.last_mut() {
            Some(last) if last.datagrams.len() < per_wakeup => {
                last.at = at;
                last.datagrams.push(datagram);
            }
            _ => self.wakeups.push(Wakeup {
                at,
                datagrams: vec![datagram],
            }),
        }
    }

    fn send_frame(&mut self, at: Instant, number: usize, per_wakeup: usize) {
        let media = self.publications[number].media;
        let (packets, bytes) = match media {
            Media::Audio => (1, 100),
            Media::Video { packets, bytes } => (packets, bytes),
        };
        for part in 0..packets {
            let publication = &mut self.publications[number];
            let publisher = publication
                .publisher
                .expect("only what is published here is due");
            let client = &mut self.clients[publisher];
            let sequence = publication.index.to_be_bytes();
            let mut packet = vec![0; bytes];
            packet[0] = 0x90;
            packet[1] = media.payload_types().media;
            if part + 1 == packets {
                packet[1] |= 0x80;
            }
            packet[2..4].copy_from_slice(&sequence[6..]);
            let units = match media {
                Media::Audio => 960,
                Media::Video { .. } => 3_000,
            };
            packet[4..8].copy_from_slice(&publication.frame.wrapping_mul(units).to_be_bytes());
            packet[8..12].copy_from_slice(&publication.ssrc.to_be_bytes());
            let [w0, w1] = client.transport_sequence.to_be_bytes();
            client.transport_sequence = client.transport_sequence.wrapping_add(1);
            // A transport-wide sequence number and an audio level.
            packet[12..24].copy_from_slice(&[0xbe, 0xde, 0, 2, 0x21, w0, w1, 0x40, 0x9e, 0, 0, 0]);
            let mut payload = vec![0x5a; bytes - HEADER_BYTES - TAG_BYTES];
            if let Media::Video { .. } = media {
                let [_, _, high, low] = (publication.frame | 0x8000).to_be_bytes();
                let begins = if part == 0 { 0x90 } else { 0x80 };
                // A stream that was dropped on its way goes on with the next.
                let delta = u8::from(!publication.frame.is_multiple_of(KEY_FRAME_INTERVAL));
                payload[..7].copy_from_slice(&[begins, 0xe0, high | 0x80, low, low, 0x20, delta]);
            }
            let (ssrc, index) = (publication.ssrc, publication.index);
            let sealed = client
                .sealer()
                .seal_rtp_into(&mut packet, HEADER_BYTES, &payload, index, ssrc, 0)
                .expect("sealable");
            packet.truncate(sealed);
            publication.index += 1;
            self.deliver(at, publisher, packet, per_wakeup);
        }
        self.publications[number].frame += 1;
    }

    /// What a client sends and what it receives.
    fn send_report(&mut self, at: Instant, number: usize, per_wakeup: usize) {
        let blocks: Vec<_> = self
            .receptions
            .iter()
            .filter(|reception| reception.subscriber == number)
            .map(|reception| ReportBlock {
                ssrc: reception.ssrc,
                fraction_lost: 0,
                cumulative_lost: 0,
                highest_sequence: self.publications[reception.publication].frame,
                jitter: 100,
                last_sender_report: 0,
                delay_since_last: 0,
            })
            .collect();
        let mut compound = Vec::new();
        for blocks in blocks.chunks(BLOCKS_MAX) {
            write_receiver_report(&mut compound, FEEDBACK_SSRC, blocks);
        }
        let elapsed = u64::try_from((at - self.began).as_micros()).expect("a short run");
        for publication in &self.publications {
            if publication.publisher == Some(number) {
                write_sender_report(
                    &mut compound,
                    &SenderInfo {
                        ssrc: publication.ssrc,
                        ntp: (1 << 62) + elapsed * 4_295,
                        timestamp: Timestamp(publication.frame * 960),
                        packets: publication.frame,
                        bytes: publication.frame * 100,
                    },
                );
            }
        }
        if !compound.is_empty() {
            let sealed = self.clients[number].seal_rtcp(&compound);
            self.deliver(at, number, sealed, per_wakeup);
        }
    }

    /// What a client has received since it fed back last, all of it a while after it was sent.
    fn send_feedback(&mut self, at: Instant, number: usize, per_wakeup: usize) {
        let is_subscriber = |reception: &super::Reception| reception.subscriber == number;
        let Some(media) = self.receptions.iter().find(|of| is_subscriber(of)) else {
            return;
        };
        let heard = &self.sink.heard[number];
        let Some((first, _)) = heard.first().copied() else {
            return;
        };
        let arrivals: Vec<_> = heard
            .iter()
            .map(|(_, sent_us)| Some(u64::from(sent_us + DELAY_US) / TICK_US))
            .collect();
        let mut compound = Vec::new();
        write_receiver_report(&mut compound, FEEDBACK_SSRC, &[]);
        write_transport_feedback(
            &mut compound,
            FEEDBACK_SSRC,
            media.ssrc,
            0,
            SequenceNumber(first),
            &arrivals,
        );
        let sealed = self.clients[number].seal_rtcp(&compound);
        self.deliver(at, number, sealed, per_wakeup);
    }
}

/// Of a header with the two extensions.
const HEADER_BYTES: usize = 24;

/// What sealing adds with AES-GCM.
const TAG_BYTES: usize = 16;

/// The SSRC that clients report from.
const FEEDBACK_SSRC: u32 = 1;

/// RFC 3550 §6.4.2.
const BLOCKS_MAX: usize = 31;

/// Frames from one key frame to the next.
const KEY_FRAME_INTERVAL: u32 = 30;

/// How long a packet is under way to a client.
const DELAY_US: u32 = 20_000;

/// Datagrams in a wake-up of a busy worker.
const PER_WAKEUP: usize = 32;
