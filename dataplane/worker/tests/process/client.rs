//! A WebRTC client: str0m in RTP mode over a UDP socket, on a thread of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bedside_protocol::{ExtensionIds, IceCredentials, Peer, PeerId, Secret};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::config::{DtlsVersion, Fingerprint};
use str0m::media::MediaKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, IceCreds, Input, Output, Rtc, RtcConfig};

/// str0m's payload types.
pub(crate) const OPUS: u8 = 111;
pub(crate) const VP8: u8 = 96;
pub(crate) const VP8_RTX: u8 = 97;

/// Media sections, by the numbers that clients here give them.
pub(crate) const AUDIO: &str = "0";
pub(crate) const VIDEO: &str = "1";

/// A packet of media as it is written or was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packet {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Vec<u8>,
}

/// What a client notices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Noticed {
    Connected,
    ChannelOpen(String),
    Data(Vec<u8>),
    Rtp(Packet),
    KeyFrameRequest,
    /// The data plane said goodbye, or the transport failed.
    Closed,
}

enum Order {
    Write(Vec<Packet>),
    Data(Vec<u8>),
}

/// A running client; its thread ends when it is dropped.
pub(crate) struct Client {
    pub(crate) wanted: Peer,
    orders: Option<Sender<Order>>,
    noticed: Receiver<Noticed>,
    thread: Option<JoinHandle<()>>,
}

/// Streams that a client sends and is sent: (media section, SSRC, SSRC of retransmissions).
#[derive(Default)]
pub(crate) struct Streams {
    pub(crate) sends: Vec<(&'static str, u32, Option<u32>)>,
    pub(crate) receives: Vec<(&'static str, u32, Option<u32>)>,
}

const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a client is an edge")]
fn now() -> Instant {
    Instant::now()
}

fn credentials(ufrag: &str, password: &str) -> IceCredentials {
    IceCredentials {
        ufrag: ufrag.to_owned(),
        password: Secret::new(password.to_owned()),
    }
}

impl Client {
    /// Makes a client, which begins to connect at once: the data plane is to be told `wanted` soon.
    pub(crate) fn start(
        number: u16,
        dtls: DtlsVersion,
        server: SocketAddr,
        server_fingerprint: [u8; 32],
        streams: &Streams,
    ) -> Self {
        let loopback: IpAddr = if server.is_ipv6() {
            Ipv6Addr::LOCALHOST.into()
        } else {
            Ipv4Addr::LOCALHOST.into()
        };
        let socket = UdpSocket::bind((loopback, 0)).unwrap();
        let local = IceCreds {
            ufrag: format!("client{number}"),
            pass: format!("client-password-{number:016}"),
        };
        let ours = IceCreds {
            ufrag: format!("server{number}"),
            pass: format!("server-password-{number:016}"),
        };
        let mut rtc = RtcConfig::new()
            .set_local_ice_credentials(local.clone())
            .set_dtls_version(dtls)
            .set_rtp_mode(true)
            .build(now());
        let address = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        rtc.add_remote_candidate(Candidate::host(server, Protocol::Udp).unwrap());
        let mut api = rtc.direct_api();
        let remote_fingerprint_sha256 = api
            .local_dtls_fingerprint()
            .bytes
            .as_slice()
            .try_into()
            .unwrap();
        let wanted = Peer {
            peer: PeerId(number.into()),
            local: credentials(&ours.ufrag, &ours.pass),
            remote: credentials(&local.ufrag, &local.pass),
            remote_fingerprint_sha256,
            extensions: ExtensionIds::default(),
            transport_cc: false,
            data_channels: true,
            open_data_channels: false,
        };
        api.set_ice_controlling(true);
        api.set_remote_ice_credentials(ours);
        api.set_remote_fingerprint(Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: server_fingerprint.to_vec(),
        });
        api.declare_media(AUDIO.into(), MediaKind::Audio);
        api.declare_media(VIDEO.into(), MediaKind::Video);
        for (mid, ssrc, rtx) in &streams.sends {
            let (ssrc, rtx) = ((*ssrc).into(), rtx.map(Into::into));
            api.declare_stream_tx(ssrc, rtx, (*mid).into(), None);
        }
        for (mid, ssrc, rtx) in &streams.receives {
            let (ssrc, rtx) = ((*ssrc).into(), rtx.map(Into::into));
            api.expect_stream_rx(ssrc, rtx, (*mid).into(), None);
        }
        api.start_dtls(true).unwrap();
        api.start_sctp(true);
        api.create_data_channel(ChannelConfig {
            label: "_reliable".to_owned(),
            ..ChannelConfig::default()
        });
        let (orders, orders_rx) = channel();
        let (noticed_tx, noticed) = channel();
        let body = Body {
            rtc,
            socket,
            address,
            orders: orders_rx,
            noticed: noticed_tx,
            channel: None,
            due: now(),
        };
        let thread = std::thread::spawn(move || body.run());
        Self {
            wanted,
            orders: Some(orders),
            noticed,
            thread: Some(thread),
        }
    }

    pub(crate) fn write(&self, packets: Vec<Packet>) {
        self.order(Order::Write(packets));
    }

    pub(crate) fn write_data(&self, message: &[u8]) {
        self.order(Order::Data(message.to_vec()));
    }

    fn order(&self, order: Order) {
        self.orders.as_ref().unwrap().send(order).unwrap();
    }

    /// The first thing noticed of which `pick` makes something; what comes before is passed over.
    pub(crate) fn wait_for<T>(&self, mut pick: impl FnMut(Noticed) -> Option<T>) -> T {
        let mut passed = Vec::new();
        loop {
            match self.noticed.recv_timeout(PATIENCE) {
                Ok(noticed) => match pick(noticed.clone()) {
                    Some(picked) => return picked,
                    None => passed.push(noticed),
                },
                Err(error) => panic!("{error} after {passed:?}"),
            }
        }
    }

    pub(crate) fn wait_until(&self, wanted: &Noticed) {
        self.wait_for(|noticed| (noticed == *wanted).then_some(()));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed, and made the test fail where it waited.
            drop(thread.join());
        }
    }
}

struct Body {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    orders: Receiver<Order>,
    noticed: Sender<Noticed>,
    channel: Option<ChannelId>,
    due: Instant,
}

impl Body {
    fn run(mut self) {
        let mut buffer = vec![0; 2_000];
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.carry_out(order),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            if !self.drain() {
                return;
            }
            let wait = self.due.saturating_duration_since(now());
            // Never zero, which would mean for ever.
            let wait = wait.clamp(Duration::from_micros(100), Duration::from_millis(2));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            if let Ok((bytes, source)) = self.socket.recv_from(&mut buffer) {
                let received =
                    Receive::new(Protocol::Udp, source, self.address, &buffer[..bytes]).unwrap();
                self.rtc
                    .handle_input(Input::Receive(now(), received))
                    .unwrap();
            }
            self.rtc.handle_input(Input::Timeout(now())).unwrap();
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Write(packets) => {
                for packet in packets {
                    self.write(packet);
                    assert!(self.drain(), "it is connected");
                }
            }
            Order::Data(message) => {
                let id = self.channel.expect("the channel is open");
                self.rtc.channel(id).unwrap().write(true, &message).unwrap();
            }
        }
    }

    fn write(&mut self, packet: Packet) {
        let Packet {
            ssrc,
            payload_type,
            sequence,
            timestamp,
            marker,
            payload,
        } = packet;
        let write = RtpWrite::new(
            payload_type.into(),
            sequence.into(),
            timestamp,
            now(),
            payload,
        )
        .marker(marker)
        .nackable(true);
        self.rtc
            .direct_api()
            .stream_tx(&ssrc.into())
            .unwrap()
            .write_rtp(write);
        self.rtc.handle_input(Input::Timeout(now())).unwrap();
    }

    /// `false` when there is nothing left to do.
    fn drain(&mut self) -> bool {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(due) => {
                    self.due = due;
                    return self.rtc.is_alive();
                }
                Output::Transmit(transmit) => {
                    // What the other side has closed is noticed by the protocol.
                    drop(
                        self.socket
                            .send_to(&transmit.contents, transmit.destination),
                    );
                }
                Output::Event(event) => {
                    if let Some(noticed) = self.notice(event) {
                        // The test may have seen enough.
                        drop(self.noticed.send(noticed));
                    }
                }
            }
        }
    }

    fn notice(&mut self, event: str0m::Event) -> Option<Noticed> {
        match event {
            str0m::Event::Connected => Some(Noticed::Connected),
            str0m::Event::Closed => Some(Noticed::Closed),
            str0m::Event::ChannelOpen(id, label) => {
                self.channel = Some(id);
                Some(Noticed::ChannelOpen(label))
            }
            str0m::Event::ChannelData(message) => Some(Noticed::Data(message.data)),
            str0m::Event::KeyframeRequest(_) => Some(Noticed::KeyFrameRequest),
            str0m::Event::RtpPacket(packet) => Some(Noticed::Rtp(Packet {
                ssrc: *packet.header.ssrc,
                payload_type: *packet.header.payload_type,
                sequence: *packet.seq_no,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                payload: packet.payload.to_vec(),
            })),
            _ => None,
        }
    }
}
