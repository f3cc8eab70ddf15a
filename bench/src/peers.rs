//! Other servers under the same load, on the same processor, in the same run.
//!
//! Janus forwards a publisher of a room of its `VideoRoom` to plain addresses under SRTP
//! (`rtp_forward`). That takes RTP in the clear and seals with `AES_CM_128_HMAC_SHA1_80`, which costs
//! about four times what an AES-GCM seal costs (1,070 against 276 ns for 1,200 bytes): the note
//! beside the figure says so. It has no handshakes, no feedback and no repair to do.

mod janus;

use crate::{
    comparison::Effort,
    figure::{Figure, Measured, Unit},
    load::PACKET_BYTES,
    server::{GENERATOR_PROCESSOR, socket_drops},
};
use anyhow::{Context, Result, bail};
use bedside_loadgen::{
    kernel::{Cost, Process},
    pacing::Clock,
};
use janus::Janus;
use rustix::thread::{CpuSet, sched_setaffinity};
use socket2::{Domain, SockFilter, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

const SUBSCRIBERS: u32 = 50;
/// Packets a second that arrive: a fifth of what the first measurements found a core to carry.
const PACKETS: u32 = 13_500;
const PACKETS_PER_FRAME: u32 = 9;
/// What SRTP adds under the profile that Janus has here.
const TAG_BYTES: u16 = 10;

/// Measures Janus, 1 to 50.
///
/// # Errors
/// It is not installed, or does not do what it is told.
pub fn run(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(GENERATOR_PROCESSOR);
    sched_setaffinity(None, &set)?;
    let sinks: Vec<Socket> = (0..SUBSCRIBERS).map(|_| sink()).collect::<Result<_>>()?;
    let addresses: Vec<SocketAddr> = sinks
        .iter()
        .map(|sink| sink.local_addr()?.as_socket().context("an IP socket"))
        .collect::<Result<_>>()?;
    let mut janus = Janus::start()?;
    let publisher = janus.publisher()?;
    for address in &addresses {
        janus.forward_to(*address)?;
    }
    let process = Process::of(janus.pid())?;
    let mut source = Source::new(publisher)?;
    let mut costs = Vec::new();
    let mut busy = 0.0;
    for _ in 0..effort.most {
        source.send_for(effort.warm_up)?;
        let arrived = arrivals(&addresses)?;
        let before = process.sample()?;
        source.send_for(effort.window)?;
        let cost = Cost::between(&before, &process.sample()?);
        let packets = arrivals(&addresses)? - arrived;
        if packets == 0 {
            bail!("nothing arrives from Janus");
        }
        #[expect(clippy::cast_precision_loss, reason = "a few seconds in nanoseconds")]
        costs.push(cost.run_time_ns as f64 / packets as f64);
        busy = cost.cores();
        if costs.len() >= effort.wanted && Measured::of(costs.clone(), effort.wanted).usable {
            break;
        }
    }
    let cost = Measured::of(costs.clone(), effort.wanted);
    let rates = costs.iter().map(|cost| 1e9 / cost).collect();
    report(Figure {
        run: "peers",
        what: format!(
            "packets a CPU-second by Janus ({}), 1 to 50",
            janus.version()
        ),
        unit: Unit::PacketsPerCpuSecond,
        goal: None,
        measured: Some(Measured::of(rates, effort.wanted)),
        note: format!(
            "{:.0} ns a packet; rtp_forward, AES-CM-SHA1 out, RTP in; {:.0} % busy",
            cost.value,
            busy * 100.0
        ),
    });
    Ok(())
}

/// A socket whose filter drops everything, and which the kernel counts for.
fn sink() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)])?;
    Ok(socket)
}

/// BPF_RET with a constant (linux/bpf_common.h).
const RETURN: u16 = 0x06;

/// Packets that the sinks have dropped.
fn arrivals(sinks: &[SocketAddr]) -> Result<u64> {
    sinks.iter().map(|sink| socket_drops(*sink)).sum()
}

/// A publisher of plain RTP, frame by frame.
struct Source {
    socket: UdpSocket,
    sequence: u16,
    timestamp: u32,
    packet: Vec<u8>,
}

impl Source {
    fn new(to: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(to)?;
        let mut packet = vec![0; usize::from(PACKET_BYTES - TAG_BYTES)];
        packet[..2].copy_from_slice(&[0x80, 96]);
        packet[8..12].copy_from_slice(&janus::PUBLISHER_SSRC.to_be_bytes());
        // A VP8 payload descriptor that starts a partition of a frame that is no key frame.
        packet[12..14].copy_from_slice(&[0x10, 0x01]);
        Ok(Self {
            socket,
            sequence: 0,
            timestamp: 0,
            packet,
        })
    }

    fn send_for(&mut self, span: std::time::Duration) -> Result<()> {
        let interval_ns = 1_000_000_000 / u64::from(PACKETS / SUBSCRIBERS / PACKETS_PER_FRAME);
        let began_ns = Clock::now_ns();
        let end_ns = began_ns + u64::try_from(span.as_nanos())?;
        let mut due_ns = began_ns;
        while due_ns < end_ns {
            if let Some(wait_ns) = due_ns.checked_sub(Clock::now_ns()) {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a generator waits for its next frame"
                )]
                std::thread::sleep(std::time::Duration::from_nanos(wait_ns));
            }
            for number in 1..=PACKETS_PER_FRAME {
                self.sequence = self.sequence.wrapping_add(1);
                self.packet[1] = if number == PACKETS_PER_FRAME {
                    0x80 | 96
                } else {
                    96
                };
                self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
                self.packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
                self.socket.send(&self.packet)?;
            }
            self.timestamp = self.timestamp.wrapping_add(3_000);
            due_ns += interval_ns;
        }
        Ok(())
    }
}
