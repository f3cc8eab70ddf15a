//! One client's transport, from the first connectivity check to `close_notify`.

use super::certificate::Certificate;
use super::channels::{Channels, Opened, Sent};
use super::dtls::{Findings, Keys};
use super::gate::Gate;
use super::ice::{Agent, Check};
use super::limits::{
    CONNECT_TIME_MAX, CONSENT_EXPIRES_AFTER, DISCONNECTED_AFTER, DRIVE_TURNS_MAX,
    PATH_ANNOUNCE_INTERVAL, SCTP_BUFFERED_BYTES_MAX,
};
use super::{Admitted, Context, Notice};
use crate::demultiplex::{Class, classify};
use crate::forwarder::{MediaKeys, MediaPeer};
use crate::{PacketSink, Path};
use bedside_protocol::limits::DATA_MESSAGE_BYTES_MAX;
use bedside_protocol::{
    CandidateKind, CloseReason, DataChannelKind, DtlsVersion, Event, Generation, IceCredentials,
    Peer as Wanted, PeerId, Policy, RoomId, SrtpProfile,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use str0m::config::{CryptoProvider, Fingerprint};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, IceCreds, Input, Output, Rtc, RtcConfig};

/// A transport that was asked for, live or ended.
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) room: RoomId,
    pub(super) generation: Generation,
    pub(super) remote_fingerprint_sha256: [u8; 32],
    pub(super) state: State,
}

pub(super) enum State {
    Live(Box<Live>),
    /// Remembered until the control plane removes it: a peer is never used twice, and a control
    /// plane that names it again is told.
    Closed(CloseReason),
}

/// A live transport.
pub(super) struct Live {
    pub(super) agent: Agent,
    /// When anything last came on an open path; of media, as of the last turn of this transport.
    pub(super) heard: Instant,
    /// Where its media goes, once it is admitted.
    pub(super) media: Option<MediaPeer>,
    gate: Gate,
    rtc: Rtc,
    /// When str0m wants to be called.
    rtc_due: Instant,
    channels: Channels,
    phase: Phase,
    policy: Policy,
    expected_fingerprint_sha256: [u8; 32],
    /// DTLS showed a certificate with that fingerprint.
    verified: bool,
    /// When it was made, or last given new credentials before it connected.
    created: Instant,
    /// When the control plane was last told where the client is.
    announced: Instant,
    /// The client has moved since then.
    announce_due: bool,
    /// SCTP was started.
    has_data: bool,
}

/// How far a transport is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Waits for a nomination.
    Checking,
    /// DTLS runs on the nominated path.
    Handshaking,
    /// DTLS is up.
    Connected(Negotiated),
    /// Connected, but silent.
    Disconnected(Negotiated),
}

/// What DTLS agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Negotiated {
    version: DtlsVersion,
    profile: SrtpProfile,
    fingerprint_sha256: [u8; 32],
}

impl Peer {
    pub(super) fn is_live(&self) -> bool {
        self.live().is_some()
    }

    pub(super) fn live(&self) -> Option<&Live> {
        match &self.state {
            State::Live(live) => Some(live),
            State::Closed(_) => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.state {
            State::Live(live) => Some(live),
            State::Closed(_) => None,
        }
    }
}

impl Live {
    pub(super) fn new(
        now: Instant,
        wanted: &Wanted,
        policy: Policy,
        certificate: &Certificate,
        provider: Arc<CryptoProvider>,
    ) -> Option<Self> {
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(provider)
            .set_dtls_cert(certificate.dtls().clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .clear_extension_map()
            .set_sctp_max_buffered_amount(SCTP_BUFFERED_BYTES_MAX)
            .set_sctp_max_message_size(u32::try_from(DATA_MESSAGE_BYTES_MAX).unwrap_or(u32::MAX))
            .build(now);
        rtc.add_local_candidate(Candidate::host(INNER_ADDRESS, Protocol::Udp).ok()?)?;
        let mut api = rtc.direct_api();
        api.set_remote_fingerprint(Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: wanted.remote_fingerprint_sha256.to_vec(),
        });
        api.start_dtls(false).ok()?;
        let mut live = Self {
            agent: Agent::new(wanted.local.clone(), now),
            heard: now,
            media: None,
            gate: Gate::default(),
            rtc,
            rtc_due: now,
            channels: Channels::default(),
            phase: Phase::Checking,
            policy,
            expected_fingerprint_sha256: wanted.remote_fingerprint_sha256,
            verified: false,
            created: now,
            announced: now,
            announce_due: false,
            has_data: false,
        };
        live.start_data(wanted);
        Some(live)
    }

    /// Starts SCTP if data channels are now negotiated. Tells whether it did.
    fn start_data(&mut self, wanted: &Wanted) -> bool {
        let starts = wanted.data_channels && !self.has_data;
        if starts {
            self.has_data = true;
            self.rtc.direct_api().start_sctp(false);
            if wanted.open_data_channels {
                Channels::open(&mut self.rtc);
            }
        }
        starts
    }

    /// Takes account of a renegotiation.
    pub(super) fn renegotiated<S: PacketSink>(
        &mut self,
        peer: PeerId,
        wanted: &Wanted,
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        if self.start_data(wanted) {
            drop(self.rtc.handle_input(Input::Timeout(context.now)));
            self.drive(peer, context)
        } else {
            Ok(())
        }
    }

    /// Begins an ICE restart. Gives the credentials that no longer count, if any.
    pub(super) fn restart_ice(
        &mut self,
        local: IceCredentials,
        now: Instant,
    ) -> Option<IceCredentials> {
        if self.negotiated().is_none() {
            self.created = now;
        }
        self.agent.restart(local, now)
    }

    /// When this transport is due next.
    pub(super) fn due(&self) -> Instant {
        let consent_expires = self.agent.last_check() + CONSENT_EXPIRES_AFTER;
        let own = match self.phase {
            Phase::Checking | Phase::Handshaking => self.created + CONNECT_TIME_MAX,
            Phase::Connected(_) if self.announce_due => self.announced + PATH_ANNOUNCE_INTERVAL,
            Phase::Connected(_) => consent_expires.min(self.heard + DISCONNECTED_AFTER),
            Phase::Disconnected(_) => consent_expires,
        };
        own.min(self.rtc_due)
    }

    /// Whether DTLS is up.
    pub(super) fn is_established(&self) -> bool {
        self.negotiated().is_some()
    }

    fn negotiated(&self) -> Option<Negotiated> {
        match self.phase {
            Phase::Connected(negotiated) | Phase::Disconnected(negotiated) => Some(negotiated),
            Phase::Checking | Phase::Handshaking => None,
        }
    }

    /// Goes on after an authenticated check, which came as `datagram`; `moved` tells that it
    /// nominated another path than before.
    pub(super) fn checked<S: PacketSink>(
        &mut self,
        peer: PeerId,
        check: &Check<'_>,
        datagram: &[u8],
        moved: bool,
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        self.heard = context.now;
        let Some(path) = self.agent.nominated() else {
            return Ok(());
        };
        match self.phase {
            Phase::Checking => {
                self.phase = Phase::Handshaking;
                self.nominate_inside(check, datagram, context.now);
                self.drive(peer, context)
            }
            Phase::Handshaking => Ok(()),
            Phase::Connected(_) if !moved => Ok(()),
            Phase::Connected(negotiated) | Phase::Disconnected(negotiated) => {
                self.phase = Phase::Connected(negotiated);
                if self.gate.is_open() {
                    context.notices.push_back(Notice::Path { peer, path });
                }
                self.announce_due = true;
                self.announce_moved(peer, context);
                Ok(())
            }
        }
    }

    /// Lets str0m's own agent see the check that nominated first: before it has a nominated pair,
    /// it sends no DTLS. Its answers and the addresses that it chooses are not used.
    fn nominate_inside(&mut self, check: &Check<'_>, datagram: &[u8], now: Instant) {
        let local = self.agent.current();
        let local = IceCreds {
            ufrag: local.ufrag.clone(),
            pass: local.password.expose().clone(),
        };
        let remote = IceCreds {
            ufrag: check.remote_ufrag().to_owned(),
            pass: String::new(),
        };
        let mut api = self.rtc.direct_api();
        api.set_local_ice_credentials(local);
        api.set_remote_ice_credentials(remote);
        self.input(datagram, now);
    }

    /// Takes a DTLS datagram from an open path.
    pub(super) fn dtls_received<S: PacketSink>(
        &mut self,
        peer: PeerId,
        datagram: &[u8],
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        self.heard = context.now;
        self.input(datagram, context.now);
        self.drive(peer, context)
    }

    /// Does what is due.
    pub(super) fn handle_timeout<S: PacketSink>(
        &mut self,
        peer: PeerId,
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        let now = context.now;
        let over = |since: Instant, bound| now.saturating_duration_since(since) >= bound;
        match self.phase {
            Phase::Checking | Phase::Handshaking => {
                if over(self.created, CONNECT_TIME_MAX) {
                    return Err(match self.phase {
                        Phase::Checking => CloseReason::IceTimeout,
                        _ => CloseReason::DtlsFailed,
                    });
                }
            }
            Phase::Connected(_) | Phase::Disconnected(_)
                if over(self.agent.last_check(), CONSENT_EXPIRES_AFTER) =>
            {
                return Err(CloseReason::IceTimeout);
            }
            Phase::Connected(negotiated) => {
                if over(self.heard, DISCONNECTED_AFTER) {
                    self.phase = Phase::Disconnected(negotiated);
                    if self.gate.is_open() {
                        context.notices.push_back(Notice::Disconnected { peer });
                    }
                    context.event(Event::PeerDisconnected { peer });
                } else {
                    self.announce_moved(peer, context);
                }
            }
            Phase::Disconnected(_) => {}
        }
        if self.rtc_due > now {
            return Ok(());
        }
        // An error shows when the instance is driven: it is no longer alive.
        drop(self.rtc.handle_input(Input::Timeout(now)));
        self.drive(peer, context)
    }

    /// Takes a message for the client.
    pub(super) fn send<S: PacketSink>(
        &mut self,
        peer: PeerId,
        kind: DataChannelKind,
        message: &[u8],
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        if !self.gate.is_open() {
            context.counters.data_without_channel += 1;
            return Ok(());
        }
        match self.channels.send(&mut self.rtc, kind, message) {
            Sent::Accepted => {}
            Sent::DroppedOldest(count) => context.counters.data_dropped += count,
            Sent::Dropped => context.counters.data_dropped += 1,
            Sent::NoChannel => context.counters.data_without_channel += 1,
        }
        drop(self.rtc.handle_input(Input::Timeout(context.now)));
        self.drive(peer, context)
    }

    /// Gives it up as it is: it says no more, not even goodbye.
    pub(super) fn abandon(&mut self) {
        self.rtc.disconnect();
        drop(Findings::take());
    }

    /// Says goodbye as far as there is anyone to say it to.
    pub(super) fn close<S: PacketSink>(&mut self, context: &mut Context<'_, S>) {
        if self.rtc.close().is_err() {
            return;
        }
        for _ in 0..DRIVE_TURNS_MAX {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => self.transmit(&transmit.contents, context),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => break,
            }
        }
        drop(Findings::take());
    }

    /// Tells the control plane how far the peer is and what it can be written on, once it has
    /// connected.
    pub(super) fn announce<S: PacketSink>(&mut self, peer: PeerId, context: &mut Context<'_, S>) {
        if let (Some(negotiated), Some(path)) = (self.negotiated(), self.agent.nominated()) {
            self.announced = context.now;
            self.announce_due = false;
            context.event(connected(peer, negotiated, path));
            if self.gate.is_open() {
                self.announce_channels(peer, context);
            }
        }
        if matches!(self.phase, Phase::Disconnected(_)) {
            context.event(Event::PeerDisconnected { peer });
        }
    }

    fn announce_channels<S: PacketSink>(&self, peer: PeerId, context: &mut Context<'_, S>) {
        for channel in self.channels.known() {
            context.event(Event::DataChannelOpen { peer, channel });
        }
    }

    /// Media came while it is not admitted.
    pub(super) fn media_missed(&mut self) {
        if let Gate::Closed(held) = &mut self.gate {
            held.missed_media = true;
        }
    }

    /// Opens the gate, if DTLS is up: the forwarder gets the keys, and the control plane what
    /// waited. Harmless when it is open.
    pub(super) fn admit<S: PacketSink>(&mut self, peer: PeerId, context: &mut Context<'_, S>) {
        let Gate::Closed(held) = &mut self.gate else {
            return;
        };
        let Some((keys, path)) = held.keys.take().zip(self.agent.nominated()) else {
            return;
        };
        let messages = std::mem::take(&mut held.messages);
        let missed_media = held.missed_media;
        self.gate = Gate::Open;
        context
            .notices
            .push_back(Notice::Admitted(Box::new(Admitted {
                peer,
                keys,
                path,
                missed_media,
            })));
        if matches!(self.phase, Phase::Disconnected(_)) {
            context.notices.push_back(Notice::Disconnected { peer });
        }
        self.announce_channels(peer, context);
        for (channel, payload) in messages {
            context.event(Event::Data {
                peer,
                channel,
                payload,
            });
        }
    }

    /// Tells the control plane where the client has moved to, unless that was just done: one that
    /// nominates back and forth must not flood it.
    fn announce_moved<S: PacketSink>(&mut self, peer: PeerId, context: &mut Context<'_, S>) {
        let since = context.now.saturating_duration_since(self.announced);
        if self.announce_due
            && since >= PATH_ANNOUNCE_INTERVAL
            && let (Some(negotiated), Some(path)) = (self.negotiated(), self.agent.nominated())
        {
            self.announced = context.now;
            self.announce_due = false;
            context.event(connected(peer, negotiated, path));
        }
    }

    fn input(&mut self, datagram: &[u8], now: Instant) {
        let source = self
            .agent
            .nominated()
            .map_or(INNER_ADDRESS, |path| path.remote);
        if let Ok(receive) = Receive::new(Protocol::Udp, source, INNER_ADDRESS, datagram) {
            // What failed is among the findings; what is only this datagram's fault is nothing.
            drop(self.rtc.handle_input(Input::Receive(now, receive)));
        }
    }

    /// Runs str0m until it has nothing more to say (its rule: after every mutation, drain).
    fn drive<S: PacketSink>(
        &mut self,
        peer: PeerId,
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        for _ in 0..DRIVE_TURNS_MAX {
            let ended = self.drain(peer, context);
            self.take_findings(peer, context)?;
            if let Some(reason) = ended {
                return Err(reason);
            }
            if self.rtc_due > context.now && !self.channels.flush(&mut self.rtc) {
                return Ok(());
            }
            drop(self.rtc.handle_input(Input::Timeout(context.now)));
        }
        self.rtc_due = context.now + DRIVE_PAUSE;
        context.counters.stalled += 1;
        Ok(())
    }

    /// One drain. Gives the reason if the transport has ended.
    fn drain<S: PacketSink>(
        &mut self,
        peer: PeerId,
        context: &mut Context<'_, S>,
    ) -> Option<CloseReason> {
        let mut ended = None;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.rtc_due = at;
                    return ended
                        .or_else(|| (!self.rtc.is_alive()).then_some(CloseReason::DtlsFailed));
                }
                Ok(Output::Transmit(transmit)) => self.transmit(&transmit.contents, context),
                Ok(Output::Event(str0m::Event::Closed)) => ended = Some(CloseReason::ClosedByPeer),
                Ok(Output::Event(event)) => self.event(peer, event, context),
                Err(_) => return Some(CloseReason::DtlsFailed),
            }
        }
    }

    fn take_findings<S: PacketSink>(
        &mut self,
        peer: PeerId,
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        let findings = Findings::take();
        if findings.refused {
            return Err(CloseReason::Policy);
        }
        if let Some(fingerprint) = findings.certificate_sha256 {
            self.verified = fingerprint == self.expected_fingerprint_sha256;
            if !self.verified {
                return Err(CloseReason::FingerprintMismatch);
            }
        }
        if let Some(keys) = findings.keys {
            self.connect(peer, keys, context)?;
        }
        if findings.failed && self.negotiated().is_none() {
            return Err(CloseReason::DtlsFailed);
        }
        context.counters.dtls_rejected += u64::from(findings.failed);
        Ok(())
    }

    fn connect<S: PacketSink>(
        &mut self,
        peer: PeerId,
        keys: Keys,
        context: &mut Context<'_, S>,
    ) -> Result<(), CloseReason> {
        let is_aead = keys.profile != SrtpProfile::Aes128CmHmacSha1_80;
        if (self.policy.aead_only && !is_aead)
            || (self.policy.dtls13_only && keys.version != DtlsVersion::Dtls13)
        {
            return Err(CloseReason::Policy);
        }
        if !self.verified || self.agent.nominated().is_none() {
            return Err(CloseReason::DtlsFailed);
        }
        self.phase = Phase::Connected(Negotiated {
            version: keys.version,
            profile: keys.profile,
            fingerprint_sha256: self.expected_fingerprint_sha256,
        });
        context.counters.connected += 1;
        if let Gate::Closed(held) = &mut self.gate {
            held.keys = Some(MediaKeys {
                profile: match keys.profile {
                    SrtpProfile::AeadAes256Gcm => bedside_srtp::Profile::AeadAes256Gcm,
                    SrtpProfile::AeadAes128Gcm => bedside_srtp::Profile::AeadAes128Gcm,
                    SrtpProfile::Aes128CmHmacSha1_80 => bedside_srtp::Profile::AesCm128HmacSha1_80,
                },
                receive: keys.client,
                send: keys.server,
            });
        }
        self.announce(peer, context);
        Ok(())
    }

    fn event<S: PacketSink>(
        &mut self,
        peer: PeerId,
        event: str0m::Event,
        context: &mut Context<'_, S>,
    ) {
        match event {
            // str0m takes part in SCTP whether it was started or not.
            str0m::Event::ChannelOpen(id, _) if !self.has_data => {
                self.rtc.direct_api().close_data_channel(id);
                context.counters.channels_ignored += 1;
            }
            str0m::Event::ChannelOpen(id, label) => {
                match self.channels.opened(&mut self.rtc, id, &label) {
                    Opened::Known(channel) if self.gate.is_open() => {
                        context.event(Event::DataChannelOpen { peer, channel });
                    }
                    // Told when the peer is admitted.
                    Opened::Known(_) | Opened::DataTrack => {}
                    Opened::Unknown => context.counters.channels_ignored += 1,
                }
            }
            str0m::Event::ChannelClose(id) => self.channels.closed(id),
            str0m::Event::ChannelData(message) => match self.channels.kind(message.id) {
                Some(channel) if message.data.len() <= DATA_MESSAGE_BYTES_MAX => {
                    match &mut self.gate {
                        Gate::Open => context.event(Event::Data {
                            peer,
                            channel,
                            payload: message.data,
                        }),
                        Gate::Closed(held) => {
                            let is_kept = held.keep(channel, message.data);
                            context.counters.data_before_admission += u64::from(!is_kept);
                        }
                    }
                }
                _ => context.counters.data_ignored += 1,
            },
            // str0m's view of ICE and of its own readiness: neither is what we go by.
            _ => {}
        }
    }

    /// Sends what str0m wants sent, where the client nominated.
    fn transmit<S: PacketSink>(&self, datagram: &[u8], context: &mut Context<'_, S>) {
        if classify(datagram) == Class::Dtls
            && let Some(path) = self.agent.nominated()
        {
            context.send(path, datagram);
        }
    }
}

fn connected(peer: PeerId, negotiated: Negotiated, path: Path) -> Event {
    Event::PeerConnected {
        peer,
        dtls: negotiated.version,
        srtp: negotiated.profile,
        remote_fingerprint_sha256: negotiated.fingerprint_sha256,
        candidate: CandidateKind::Udp,
        remote_address: path.remote,
    }
}

/// Our side of the one pair that str0m's agent knows; a documentation address (RFC 5737), never
/// on the wire.
const INNER_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// How long a transport rests that did not settle.
const DRIVE_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);
