//! One participant: joins, sends, receives, leaves, and comes again.

use super::alarm::Sleeper;
use super::connection::{Connection, Sections};
use super::entrance::Presence;
use super::guest::{Guest, Wants, Way};
use super::link::Link;
use super::socket::Socket;
use super::streams::Streams;
use super::thread::Thread;
use super::tracks::Tracks;
use super::{Failure, limits};
use crate::pacing::Clock;
use crate::signalling::livekit::{Event as Heard, FIRST_OFFER, Quality, Request};
use bedside_protocol::MediaKind;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Event, IceConnectionState, Input, Output};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::timeout;

/// A participant's whole run.
pub(super) async fn attend(thread: Rc<Thread>, guest: Guest) {
    let mut random = ChaCha8Rng::seed_from_u64(guest.seed);
    let mut over = thread.over.clone();
    let sleeper = thread.alarm.sleeper();
    let mut wanted_ns = thread.at_ns(guest.joins_at);
    loop {
        tokio::select! {
            biased;
            _ = over.wait_for(|over| *over) => return,
            _ = sleeper.until(wanted_ns) => {}
        }
        let churn = guest.churn.map(|churn| churn.draw(&mut random));
        let until_ns = churn.map(|(stay, _)| wanted_ns + nanoseconds(stay));
        let visit = Visit {
            thread: &thread,
            guest: &guest,
            wanted_ns,
            until_ns,
        };
        wanted_ns = match visit.run(&sleeper, &mut over).await {
            Ok(Ended::RunOver) => return,
            Ok(Ended::TimeUp) => {
                let away = churn.map_or(Duration::ZERO, |(_, away)| away);
                Clock::now_ns() + nanoseconds(away)
            }
            Err(failure) => {
                thread.failed(&failure);
                Clock::now_ns() + nanoseconds(limits::RETRY)
            }
        };
    }
}

/// From one join to the next.
struct Visit<'a> {
    thread: &'a Rc<Thread>,
    guest: &'a Guest,
    wanted_ns: u64,
    until_ns: Option<u64>,
}

/// Why a visit ended well.
enum Ended {
    /// The scenario has the participant leave and come again.
    TimeUp,
    RunOver,
}

impl Visit<'_> {
    async fn run(
        &self,
        sleeper: &Sleeper,
        over: &mut watch::Receiver<bool>,
    ) -> Result<Ended, Failure> {
        let (mut call, mut presence) = tokio::select! {
            biased;
            _ = over.wait_for(|over| *over) => return Ok(Ended::RunOver),
            entered = self.enter() => entered?,
        };
        let ended = tokio::select! {
            biased;
            _ = over.wait_for(|over| *over) => Ok(Ended::RunOver),
            // The session's own task ends first only if the server ends it.
            ended = &mut presence.task => {
                call.close();
                return Err(match ended {
                    Ok(Err(error)) => error.into(),
                    Ok(Ok(())) | Err(_) => Failure::Lost,
                });
            }
            ended = call.run(&presence.requests, &mut presence.events, sleeper) => ended,
        };
        call.close();
        let left = leave(presence).await;
        match (ended, left) {
            (Ok(ended), Err(failure)) => {
                self.thread.failed(&failure);
                Ok(ended)
            }
            (ended, _) => ended,
        }
    }

    /// Signals with an offer.
    async fn enter(&self) -> Result<(Call<'_>, Presence), Failure> {
        let thread = self.thread;
        // Never closed.
        let permit = Arc::clone(&thread.joining).acquire_owned().await.ok();
        let entrance = &thread.shared.entrance;
        let socket = Rc::new(Socket::bind(entrance.local())?);
        let now = thread.clock.instant(Clock::now_ns());
        let (connection, offer) = Connection::new(
            &thread.config,
            now,
            socket.local(),
            &self.guest.publish,
            sections(&self.guest.way),
        )?;
        let presence = entrance.enter(self.guest, &connection, &offer.sdp).await?;
        let now_ns = Clock::now_ns();
        let link = |direction| Link::new(self.guest.network, self.guest.seed ^ direction);
        let call = Call {
            thread,
            guest: self.guest,
            connection,
            socket,
            uplink: link(1),
            downlink: link(2),
            streams: Streams::new(self.wanted_ns),
            tracks: None,
            wanted_ns: self.wanted_ns,
            until_ns: self.until_ns,
            connect_by_ns: now_ns + nanoseconds(limits::CONNECT_TIMEOUT),
            permit,
            sections_asked: None,
            transport_due_ns: now_ns,
            switch: None,
        };
        Ok((call, presence))
    }
}

fn sections(way: &Way) -> Sections {
    Sections {
        receiving: match way {
            Way::Room(Wants::None) | Way::Publish => 0,
            Way::Room(_) => limits::RECEIVING_SECTIONS,
            Way::View { .. } => 1,
        },
        data: matches!(way, Way::Room(_)),
    }
}

/// Says goodbye.
async fn leave(presence: Presence) -> Result<(), Failure> {
    let leaving = async {
        // A session that takes no more requests has ended, and says how.
        drop(presence.requests.send(Request::Leave).await);
        match presence.task.await {
            Ok(ended) => Ok(ended?),
            Err(_) => Err(Failure::Lost),
        }
    };
    timeout(limits::LEAVE_TIMEOUT, leaving)
        .await
        .unwrap_or_else(|_| Err(crate::signalling::Error::Timeout("leaving").into()))
}

/// A participant that has signalled.
struct Call<'a> {
    thread: &'a Thread,
    guest: &'a Guest,
    connection: Connection,
    socket: Rc<Socket>,
    uplink: Link<Datagram>,
    downlink: Link<Datagram>,
    streams: Streams,
    /// Once the transport is up.
    tracks: Option<Tracks>,
    wanted_ns: u64,
    until_ns: Option<u64>,
    connect_by_ns: u64,
    /// Until the transport is up.
    permit: Option<OwnedSemaphorePermit>,
    /// More sections (audio, video) that the server needs, not offered yet.
    sections_asked: Option<(u32, u32)>,
    transport_due_ns: u64,
    switch: Option<Switch>,
}

/// To or from the server's address.
type Datagram = (SocketAddr, Vec<u8>);

/// The next choice of layers.
struct Switch {
    at_ns: u64,
    /// How many layers below the highest, modulo their number.
    below: usize,
}

impl Call<'_> {
    /// Until the scenario ends it or something breaks.
    async fn run(
        &mut self,
        requests: &mpsc::Sender<Request>,
        events: &mut mpsc::Receiver<Heard>,
        sleeper: &Sleeper,
    ) -> Result<Ended, Failure> {
        let socket = Rc::clone(&self.socket);
        loop {
            let now_ns = Clock::now_ns();
            if self.until_ns.is_some_and(|until_ns| now_ns >= until_ns) {
                return Ok(Ended::TimeUp);
            }
            if self.tracks.is_none() && now_ns >= self.connect_by_ns {
                return Err(Failure::NotConnected);
            }
            self.choose_layers(now_ns, requests);
            self.send_due(now_ns)?;
            while let Some((source, datagram)) = self.downlink.pop_due(now_ns) {
                self.input(now_ns, source, &datagram)?;
            }
            if now_ns >= self.transport_due_ns {
                self.advance(now_ns)?;
            }
            self.flush(now_ns);
            let next_ns = self.next_due_ns();
            tokio::select! {
                biased;
                slept = sleeper.until(next_ns) => slept?,
                readable = socket.readable() => {
                    readable?;
                    self.receive()?;
                }
                heard = events.recv() => match heard {
                    Some(heard) => self.hear(heard, requests)?,
                    // The session's task has ended and says why.
                    None => std::future::pending().await,
                },
            }
        }
    }

    fn next_due_ns(&self) -> u64 {
        let connect_by_ns = self.tracks.is_none().then_some(self.connect_by_ns);
        [
            connect_by_ns,
            self.until_ns,
            self.tracks.as_ref().and_then(Tracks::next_due_ns),
            self.switch.as_ref().map(|switch| switch.at_ns),
            self.uplink.next_due_ns(),
            self.downlink.next_due_ns(),
        ]
        .into_iter()
        .flatten()
        .fold(self.transport_due_ns, u64::min)
    }

    fn send_due(&mut self, now_ns: u64) -> Result<(), Failure> {
        let Some(tracks) = &mut self.tracks else {
            return Ok(());
        };
        let now = self.thread.clock.instant(now_ns);
        let mut recorder = self.thread.recorder.borrow_mut();
        let sent = tracks.send_due(&mut self.connection, now, now_ns, &mut recorder);
        drop(recorder);
        if sent { self.advance(now_ns) } else { Ok(()) }
    }

    /// Takes what the socket has.
    fn receive(&mut self) -> Result<(), Failure> {
        let thread = self.thread;
        let socket = Rc::clone(&self.socket);
        let mut inbox = thread.inbox.borrow_mut();
        for _ in 0..limits::RECEIVES_MAX {
            let mut result = Ok(());
            let more = socket.receive(&mut inbox, |source, datagram| {
                let now_ns = Clock::now_ns();
                if !self.downlink.is_perfect() {
                    self.downlink.admit(now_ns, (source, datagram.to_vec()));
                } else if result.is_ok() {
                    result = self.input(now_ns, source, datagram);
                }
            })?;
            result?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// A datagram for the transport.
    fn input(&mut self, now_ns: u64, source: SocketAddr, datagram: &[u8]) -> Result<(), Failure> {
        let local = self.socket.local();
        let Ok(receive) = Receive::new(Protocol::Udp, source, local, datagram) else {
            self.thread.recorder.borrow_mut().failed("stray datagram");
            return Ok(());
        };
        let now = self.thread.clock.instant(now_ns);
        self.connection
            .rtc
            .handle_input(Input::Receive(now, receive))?;
        self.drain(now_ns)
    }

    /// Time passes for the transport.
    fn advance(&mut self, now_ns: u64) -> Result<(), Failure> {
        let now = self.thread.clock.instant(now_ns);
        self.connection.rtc.handle_input(Input::Timeout(now))?;
        self.drain(now_ns)
    }

    /// Takes everything that the transport has to say.
    fn drain(&mut self, now_ns: u64) -> Result<(), Failure> {
        loop {
            match self.connection.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.transport_due_ns = self.thread.clock.nanoseconds(at);
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    self.transmit(now_ns, transmit.destination, &transmit.contents);
                }
                Output::Event(event) => self.happened(now_ns, event)?,
            }
        }
    }

    fn transmit(&mut self, now_ns: u64, destination: SocketAddr, datagram: &[u8]) {
        if is_rtp(datagram) {
            let mut recorder = self.thread.recorder.borrow_mut();
            recorder.sent(1, datagram.len() as u64);
        }
        if self.uplink.is_perfect() {
            let mut outbox = self.thread.outbox.borrow_mut();
            let sent = self.socket.push(&mut outbox, destination, datagram);
            drop(outbox);
            self.note(sent);
        } else {
            self.uplink.admit(now_ns, (destination, datagram.to_vec()));
        }
    }

    /// Sends what has come through the uplink, and what waits to be sent together.
    fn flush(&mut self, now_ns: u64) {
        while let Some((destination, datagram)) = self.uplink.pop_due(now_ns) {
            let mut outbox = self.thread.outbox.borrow_mut();
            let sent = self.socket.push(&mut outbox, destination, &datagram);
            drop(outbox);
            self.note(sent);
        }
        let sent = self.socket.flush(&mut self.thread.outbox.borrow_mut());
        self.note(sent);
    }

    /// What the kernel does not take is lost, as on any network, and counted.
    fn note(&self, sent: io::Result<()>) {
        if let Err(error) = sent {
            let what = match error.kind() {
                io::ErrorKind::WouldBlock => "send buffer full",
                _ => "send refused by the kernel",
            };
            self.thread.recorder.borrow_mut().failed(what);
        }
    }

    fn happened(&mut self, now_ns: u64, event: Event) -> Result<(), Failure> {
        match event {
            Event::Connected => self.connected(now_ns)?,
            Event::RtpPacket(packet) => self.received(now_ns, &packet),
            Event::KeyframeRequest(request) => {
                if let Some(tracks) = &mut self.tracks {
                    tracks.request_key_frame(&request);
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                return Err(Failure::Lost);
            }
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, now_ns: u64) -> Result<(), Failure> {
        self.permit = None;
        let after = Duration::from_nanos(now_ns.saturating_sub(self.wanted_ns));
        self.thread.recorder.borrow_mut().join(after);
        self.tracks = Some(Tracks::start(&self.connection, self.guest, now_ns)?);
        self.switch = self.guest.layers.map(|layers| Switch {
            at_ns: now_ns + nanoseconds(layers.every),
            below: 1,
        });
        Ok(())
    }

    fn received(&mut self, now_ns: u64, packet: &RtpPacket) {
        let rtc = &mut self.connection.rtc;
        let stream = rtc
            .direct_api()
            .stream_rx(&packet.header.ssrc)
            .map(|stream| stream.mid());
        let media = stream.and_then(|mid| rtc.media(mid));
        let mut recorder = self.thread.recorder.borrow_mut();
        let is_counted = media.is_some_and(|media| {
            let kind = match media.kind() {
                str0m::media::MediaKind::Audio => MediaKind::Audio,
                str0m::media::MediaKind::Video => MediaKind::Video,
            };
            let mid = media.mid();
            self.streams
                .receive(self.guest, mid, kind, packet, now_ns, &mut recorder)
        });
        if !is_counted {
            recorder.failed("packet of no section");
        }
    }

    /// The server said something.
    fn hear(&mut self, heard: Heard, requests: &mpsc::Sender<Request>) -> Result<(), Failure> {
        let now_ns = Clock::now_ns();
        let local = self.socket.local().ip();
        match heard {
            Heard::Answer { sdp, id, tracks } => {
                if !self.connection.accept(id, &sdp, local)? {
                    return Ok(());
                }
                let mut recorder = self.thread.recorder.borrow_mut();
                let is_first = id == FIRST_OFFER;
                self.streams
                    .answered(tracks, now_ns, is_first, &mut recorder);
                drop(recorder);
                self.offer_sections(requests);
                self.advance(now_ns)?;
            }
            Heard::Sections { audio, video } => {
                let (audios, videos) = self.sections_asked.unwrap_or_default();
                let more = |asked: u32, now: u32| (asked + now).min(limits::SECTIONS_ASKED_MAX);
                self.sections_asked = Some((more(audios, audio), more(videos, video)));
                self.offer_sections(requests);
            }
            Heard::Publishes { identity, tracks } => {
                let new = self.streams.publishes(self.guest, &identity, tracks);
                if let Way::Room(Wants::These(wanted)) = &self.guest.way
                    && wanted.contains(&identity)
                    && !new.is_empty()
                {
                    self.ask(requests, Request::Subscribe(new));
                }
            }
            Heard::Gone { identity } => {
                let mut recorder = self.thread.recorder.borrow_mut();
                self.streams.gone(&identity, now_ns, &mut recorder);
            }
            Heard::Candidate(candidate) => {
                self.connection.add_candidate(&candidate, local)?;
                self.advance(now_ns)?;
            }
            Heard::Refused(reason) => self.thread.failed(&Failure::Refused(reason)),
        }
        Ok(())
    }

    fn offer_sections(&mut self, requests: &mpsc::Sender<Request>) {
        let Some((audio, video)) = self.sections_asked else {
            return;
        };
        let streams = &self.streams;
        let offer = self
            .connection
            .offer_again(audio, video, |mid| streams.is_busy(mid));
        if let Some(offer) = offer {
            self.sections_asked = None;
            let request = Request::Offer {
                sdp: offer.sdp,
                id: offer.id,
            };
            self.ask(requests, request);
        }
    }

    fn choose_layers(&mut self, now_ns: u64, requests: &mpsc::Sender<Request>) {
        let (Some(switch), Some(layers)) = (&mut self.switch, self.guest.layers) else {
            return;
        };
        if now_ns < switch.at_ns {
            return;
        }
        switch.at_ns += nanoseconds(layers.every);
        let below = switch.below;
        switch.below += 1;
        for (track_sid, layers) in self.streams.simulcast() {
            let request = Request::Quality {
                track_sid: track_sid.to_owned(),
                quality: Quality::of_layer(layers - 1 - below % layers),
            };
            self.ask(requests, request);
        }
    }

    /// Asks the server for something, without waiting: a server that does not read its
    /// signalling must not hold up media.
    fn ask(&self, requests: &mpsc::Sender<Request>, request: Request) {
        if requests.try_send(request).is_err() {
            self.thread.recorder.borrow_mut().failed("request not sent");
        }
    }

    /// The transport says goodbye, and streams end.
    fn close(&mut self) {
        let now_ns = Clock::now_ns();
        let closing = self.connection.rtc.close().map_err(Failure::from);
        let closed = closing.and_then(|()| self.advance(now_ns));
        match closed {
            Ok(()) | Err(Failure::Lost) => {}
            Err(failure) => self.thread.failed(&failure),
        }
        self.flush(now_ns);
        let mut recorder = self.thread.recorder.borrow_mut();
        self.streams.close(now_ns, &mut recorder);
    }
}

/// RTP, and neither RTCP, STUN nor DTLS (RFC 7983 §7, RFC 5761 §4).
fn is_rtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
