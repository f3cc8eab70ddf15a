//! The loop of sockets around two links.

use crate::{
    limits::{
        DATAGRAM_BYTES_MAX, FLOWS_MAX, LINE_BYTES_MAX, LOG_INTERVAL_MS, READS_PER_TURN,
        SOCKET_BUFFER_BYTES,
    },
    link::{Link, histogram, record},
    profile::{Profile, ProfileError, Setting, time},
    statistics::{DirectionStatistics, Log, Quantiles, Statistics},
};
use hdrhistogram::Histogram;
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};
use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// One port of the relay, and the server's that it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Route {
    /// Where clients send.
    pub listen: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
}

/// How a relay is told what to do while it runs: a line `start` begins the time line, the end of
/// the input ends the relay.
#[derive(Debug)]
pub struct Control {
    input: OwnedFd,
    line: Vec<u8>,
}

/// A relay that is ready to run.
#[derive(Debug)]
pub struct Relay {
    ports: Vec<Port>,
    flows: Vec<Flow>,
    up: Link<Packet>,
    down: Link<Packet>,
    time_line: TimeLine,
    /// When clients get a new upstream port.
    hand_over_at: Option<Instant>,
    log: Log,
    log_due: Instant,
    late_us: Histogram<u64>,
    refused_flows: u64,
    send_errors: u64,
    hand_overs: u64,
    started_at: Instant,
}

#[derive(Debug)]
struct Port {
    socket: UdpSocket,
    to: SocketAddr,
}

/// One client address at one port.
#[derive(Debug)]
struct Flow {
    port: usize,
    client: SocketAddr,
    upstream: UdpSocket,
}

#[derive(Clone, Debug)]
struct Packet {
    flow: usize,
    payload: Arc<[u8]>,
}

#[derive(Debug)]
struct TimeLine {
    profile: Profile,
    /// The next change.
    next: usize,
    begun: Option<(Instant, SystemTime)>,
}

/// What the poll found.
#[derive(Default)]
struct Readable {
    ports: Vec<usize>,
    flows: Vec<usize>,
    control: bool,
}

impl Control {
    /// Reads from `input`, usually standard input.
    #[must_use]
    pub fn new(input: OwnedFd) -> Self {
        Self {
            input,
            line: Vec::new(),
        }
    }

    /// Reads what is there; `None` at the end, else whether `start` was said.
    fn read(&mut self) -> io::Result<Option<bool>> {
        let mut buffer = [0; LINE_BYTES_MAX];
        let count = match rustix::io::read(&self.input, &mut buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok(Some(false)),
            Err(error) => return Err(error.into()),
        };
        let mut start = false;
        for &byte in buffer.iter().take(count) {
            if byte == b'\n' {
                start |= self.line.trim_ascii() == b"start";
                self.line.clear();
            } else if self.line.len() < LINE_BYTES_MAX {
                self.line.push(byte);
            }
        }
        Ok(Some(start))
    }
}

impl Relay {
    /// Opens a port on `listen` for each of the server's in `to`.
    ///
    /// # Errors
    /// A port cannot be opened, or the profile says something that there is not.
    pub fn new(listen: IpAddr, to: &[SocketAddr], profile: Profile) -> Result<Self, io::Error> {
        let setting = |impairment| {
            let setting = Setting::default().with(impairment);
            setting
                .map_err(|error: ProfileError| io::Error::new(io::ErrorKind::InvalidInput, error))
        };
        let (up, down) = (setting(&profile.up)?, setting(&profile.down)?);
        let ports = to.iter().map(|&to| {
            let socket = udp_socket(SocketAddr::new(listen, 0))?;
            Ok(Port { socket, to })
        });
        let now = read_clock();
        // The directions draw from streams of their own.
        let seeds = [profile.seed, profile.seed ^ (1 << 63)];
        Ok(Self {
            ports: ports.collect::<io::Result<_>>()?,
            flows: Vec::new(),
            up: Link::new(up, seeds[0], now),
            down: Link::new(down, seeds[1], now),
            time_line: TimeLine {
                profile,
                next: 0,
                begun: None,
            },
            hand_over_at: None,
            log: Log::default(),
            log_due: now,
            late_us: histogram(),
            refused_flows: 0,
            send_errors: 0,
            hand_overs: 0,
            started_at: now,
        })
    }

    /// Its ports.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn routes(&self) -> io::Result<Vec<Route>> {
        let routes = self.ports.iter().map(|port| {
            Ok(Route {
                listen: port.socket.local_addr()?,
                to: port.to,
            })
        });
        routes.collect()
    }

    /// Begins the time line now.
    pub fn start(&mut self) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the log is laid over those of other processes"
        )]
        let unix = SystemTime::now();
        let now = read_clock();
        self.time_line.begun = Some((now, unix));
        self.log_due = now;
    }

    /// Relays until `control` ends, or for so long.
    ///
    /// # Errors
    /// The kernel refuses to poll or to read. What a peer does is no error.
    pub fn run(
        mut self,
        control: Option<Control>,
        run_for: Option<Duration>,
    ) -> io::Result<Statistics> {
        let mut control = control;
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let now = read_clock();
            let ends_at = run_for.map(|run_for| self.started_at + run_for);
            if ends_at.is_some_and(|at| at <= now) {
                return Ok(self.statistics(now));
            }
            self.handle_timeout(now)?;
            let due = self.poll_timeout().into_iter().chain(ends_at).min();
            let wait = due.map(|at| at.saturating_duration_since(read_clock()));
            let readable = self.poll(control.as_ref(), wait)?;
            if let Some(control) = control.as_mut().filter(|_| readable.control) {
                match control.read()? {
                    None => return Ok(self.statistics(read_clock())),
                    Some(true) if self.time_line.begun.is_none() => self.start(),
                    Some(_) => {}
                }
            }
            for port in readable.ports {
                self.read_clients(port, &mut buffer)?;
            }
            for flow in readable.flows {
                self.read_server(flow, &mut buffer);
            }
        }
    }

    /// Everything that is due: changes, hand-overs, packets, the log.
    fn handle_timeout(&mut self, now: Instant) -> io::Result<()> {
        self.change(now);
        if self.hand_over_at.is_some_and(|at| at <= now) {
            self.hand_over_at = None;
            self.hand_over()?;
        }
        self.send_due();
        if let Some((begun, _)) = self.time_line.begun
            && self.log_due <= now
        {
            let since = now.saturating_duration_since(begun);
            self.log.add(now, since, &mut self.up, &mut self.down);
            self.log_due = now + Duration::from_millis(LOG_INTERVAL_MS);
        }
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let times = [
            self.up.poll_timeout(),
            self.down.poll_timeout(),
            self.time_line.due(),
            self.hand_over_at,
            self.time_line.begun.map(|_| self.log_due),
        ];
        times.into_iter().flatten().min()
    }

    /// Changes in the time line whose time has come, each at its own time.
    fn change(&mut self, now: Instant) {
        while let Some(at) = self.time_line.due().filter(|&at| at <= now) {
            let Some(change) = self.time_line.profile.changes.get(self.time_line.next) else {
                break;
            };
            self.time_line.next += 1;
            // `Profile::parse` has been through all of them.
            for (link, impairment) in [(&mut self.up, &change.up), (&mut self.down, &change.down)] {
                if let Ok(setting) = link.setting().with(impairment) {
                    link.set(at, setting);
                }
            }
            if let Some(gap_ms) = change.hand_over_gap_ms
                && let Ok(gap) = time("hand_over_gap_ms", gap_ms)
            {
                self.up.interrupt(at + gap);
                self.down.interrupt(at + gap);
                self.hand_over_at = Some(at + gap);
            }
        }
    }

    /// Upstream sockets anew: packets to the old ports find nobody.
    fn hand_over(&mut self) -> io::Result<()> {
        self.hand_overs += 1;
        for flow in &mut self.flows {
            if let Some(port) = self.ports.get(flow.port) {
                flow.upstream = upstream(port.to)?;
            }
        }
        Ok(())
    }

    fn send_due(&mut self) {
        while let Some(arrival) = self.up.poll_arrival(read_clock()) {
            let Some(flow) = self.flows.get(arrival.packet.flow) else {
                continue;
            };
            let sent = flow.upstream.send(&arrival.packet.payload);
            self.sent(arrival.at, sent.is_ok());
        }
        while let Some(arrival) = self.down.poll_arrival(read_clock()) {
            let flow = self.flows.get(arrival.packet.flow);
            let Some((flow, port)) = flow.and_then(|flow| Some((flow, self.ports.get(flow.port)?)))
            else {
                continue;
            };
            let sent = port.socket.send_to(&arrival.packet.payload, flow.client);
            self.sent(arrival.at, sent.is_ok());
        }
    }

    fn sent(&mut self, due: Instant, taken: bool) {
        record(
            &mut self.late_us,
            read_clock().saturating_duration_since(due),
        );
        self.send_errors += u64::from(!taken);
    }

    fn poll(&self, control: Option<&Control>, wait: Option<Duration>) -> io::Result<Readable> {
        let ports = self.ports.iter().map(|port| port.socket.as_fd());
        let flows = self.flows.iter().map(|flow| flow.upstream.as_fd());
        let control = control.map(|control| control.input.as_fd());
        let mut descriptors: Vec<PollFd<'_>> = ports
            .chain(flows)
            .chain(control)
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .collect();
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        match poll(&mut descriptors, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut readable = Readable::default();
        let ready = descriptors
            .iter()
            .map(|descriptor| !descriptor.revents().is_empty());
        for (index, _) in ready.enumerate().filter(|&(_, ready)| ready) {
            let flow = index.checked_sub(self.ports.len());
            match flow {
                None => readable.ports.push(index),
                Some(flow) if flow < self.flows.len() => readable.flows.push(flow),
                Some(_) => readable.control = true,
            }
        }
        Ok(readable)
    }

    fn read_clients(&mut self, port: usize, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..READS_PER_TURN {
            let Some(open) = self.ports.get(port) else {
                break;
            };
            let Ok((size_bytes, client)) = open.socket.recv_from(buffer) else {
                // Nothing left, or what ICMP says of an earlier packet.
                break;
            };
            let Some(flow) = self.flow(port, client)? else {
                self.refused_flows += 1;
                continue;
            };
            let payload = buffer.get(..size_bytes).unwrap_or_default().into();
            let packet = Packet { flow, payload };
            self.up.handle_packet(read_clock(), size_bytes, packet);
        }
        Ok(())
    }

    fn read_server(&mut self, flow: usize, buffer: &mut [u8]) {
        for _ in 0..READS_PER_TURN {
            let Some(open) = self.flows.get(flow) else {
                break;
            };
            let Ok(size_bytes) = open.upstream.recv(buffer) else {
                break;
            };
            let payload = buffer.get(..size_bytes).unwrap_or_default().into();
            let packet = Packet { flow, payload };
            self.down.handle_packet(read_clock(), size_bytes, packet);
        }
    }

    /// The flow of a client, new if need be; `None` if there are too many.
    fn flow(&mut self, port: usize, client: SocketAddr) -> io::Result<Option<usize>> {
        let known = |flow: &Flow| flow.port == port && flow.client == client;
        if let Some(flow) = self.flows.iter().position(known) {
            return Ok(Some(flow));
        }
        let Some(to) = self.ports.get(port).map(|port| port.to) else {
            return Ok(None);
        };
        if self.flows.len() >= FLOWS_MAX {
            return Ok(None);
        }
        self.flows.push(Flow {
            port,
            client,
            upstream: upstream(to)?,
        });
        Ok(Some(self.flows.len() - 1))
    }

    fn statistics(self, now: Instant) -> Statistics {
        let unix_ms = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH);
            since.map_or(0.0, |since| since.as_secs_f64() * 1_000.0)
        };
        Statistics {
            started_unix_ms: self.time_line.begun.map(|(_, unix)| unix_ms(unix)),
            seconds: now.saturating_duration_since(self.started_at).as_secs_f64(),
            flows: self.flows.len(),
            refused_flows: self.refused_flows,
            send_errors: self.send_errors,
            hand_overs: self.hand_overs,
            late_us: Quantiles::of(&self.late_us),
            up: DirectionStatistics::of(&self.up),
            down: DirectionStatistics::of(&self.down),
            log: self.log,
        }
    }
}

impl TimeLine {
    fn due(&self) -> Option<Instant> {
        let (begun, _) = self.begun?;
        let change = self.profile.changes.get(self.next)?;
        Some(begun + Duration::from_millis(change.at_ms))
    }
}

/// A socket of the relay's own towards the server.
fn upstream(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = udp_socket(SocketAddr::new(any, 0))?;
    socket.connect(to)?;
    Ok(socket)
}

fn udp_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    // As large as the kernel allows; it says nothing where that is less.
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop of sockets is where the relay reads the clock"
)]
fn read_clock() -> Instant {
    Instant::now()
}
