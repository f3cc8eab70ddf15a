//! What is in the audit log before it has an effect, and what happens when it cannot be.

use super::whip::offer;
use super::{Bench, within};
use crate::limits::STRANGER_RECORDS_PER_MINUTE;
use bedside_audit::{Entry, Fact};
use bedside_ledger::Search;
use bedside_protocol::{
    CandidateKind, CloseReason, Command, DtlsVersion, Event, PeerId, RoomId, SrtpProfile,
};
use livekit_protocol::signal_response::Message as Response;

impl Bench {
    /// The log's entries of an action, the oldest first, once there are so many.
    pub(crate) async fn entries(&self, action: &str, count: usize) -> Vec<Entry> {
        let archive = self.running.admin.app.ledger.archive().clone();
        let search = Search {
            action: Some(action.to_owned()),
            ..Search::default()
        };
        let found = async {
            loop {
                let found = archive.search(&search, 100).await.expect("reads");
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let mut found = within(found, action).await;
        found.reverse();
        let entries = found.iter().map(|stored| Entry::parse(&stored.body));
        entries.map(|entry| entry.expect("an entry")).collect()
    }

    /// Somebody publishes by WHIP.
    async fn publish(&self) -> String {
        let bearer = format!("Bearer {}", self.token("camera"));
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/sdp"),
        ];
        let offer = offer("sendonly");
        let answer = self
            .client()
            .send("POST", "/whip", &headers, offer.as_bytes())
            .await;
        answer.status
    }

    /// The same, and their transport comes up.
    async fn connect(&mut self) -> (RoomId, PeerId) {
        assert_eq!(self.publish().await, "201");
        let (room, peer) = self
            .dataplane
            .command(|frame| match &frame.command {
                Command::EnsurePeer(peer) => Some((frame.room, peer.peer)),
                _ => None,
            })
            .await;
        self.dataplane.event(room, connected(peer)).await;
        (room, peer)
    }
}

fn connected(peer: PeerId) -> Event {
    Event::PeerConnected {
        peer,
        dtls: DtlsVersion::Dtls13,
        srtp: SrtpProfile::AeadAes256Gcm,
        remote_fingerprint_sha256: [0xab; 32],
        candidate: CandidateKind::Udp,
        remote_address: ([203, 0, 113, 9], 5_000).into(),
    }
}

fn closed(peer: PeerId) -> Event {
    Event::PeerClosed {
        peer,
        reason: CloseReason::ClosedByPeer,
    }
}

#[tokio::test]
async fn a_peer_is_admitted_once_its_record_is_in_the_log() {
    let mut bench = Bench::new().await;
    let (_, peer) = bench.connect().await;
    bench
        .dataplane
        .command(|frame| (frame.command == Command::AdmitPeer { peer }).then_some(()))
        .await;
    // Had it not been there before, it would not be there now: nothing was waited for.
    let opened = bench.entries("pc.open", 0).await;
    assert_eq!(opened.len(), 1);
    let facts = &opened[0].facts;
    assert_eq!(facts.get("dtls"), Some(&Fact::Text("1.3".to_owned())));
    assert_eq!(
        facts.get("fingerprint_verified"),
        facts.get("fingerprint_signalled")
    );
    assert_eq!(facts.get("record"), Some(&Fact::Number(1)));
    let joins = bench.entries("room.join", 0).await;
    assert_eq!(joins.len(), 1);
    assert_eq!(opened[0].actor.pid, joins[0].actor.pid, "the same person");
    let proof = joins[0].actor.authn.as_ref().expect("a token");
    assert_eq!(
        (proof.method.as_str(), proof.provider.as_ref()),
        ("token", Some(&bench.tokens.first_key()))
    );
    assert_eq!(opened[0].actor.authn, joins[0].actor.authn);
    bench.dataplane.acknowledged(1).await;
    bench.stop().await;
}

#[tokio::test]
async fn evidence_that_comes_again_is_in_the_log_once() {
    let mut bench = Bench::new().await;
    let (room, peer) = bench.connect().await;
    bench.dataplane.event(room, closed(peer)).await;
    bench.dataplane.acknowledged(2).await;
    let closings = bench.entries("pc.close", 0).await.len();
    assert_eq!(closings, 1);
    // A data plane that did not hear of it, and this control plane.
    bench.dataplane.hang_up();
    bench.dataplane.acknowledged = 0;
    bench.dataplane.accept().await;
    bench.dataplane.event_again(1, room, connected(peer)).await;
    bench.dataplane.event_again(2, room, closed(peer)).await;
    bench.dataplane.acknowledged(2).await;
    // And the next one, after a crash.
    let Bench {
        running, scratch, ..
    } = bench;
    running.admin.app.ledger.close().await;
    drop(running);
    let mut bench = Bench::on(scratch).await;
    bench.dataplane.event_again(1, room, connected(peer)).await;
    bench.dataplane.event_again(2, room, closed(peer)).await;
    bench.dataplane.acknowledged(2).await;
    assert_eq!(bench.entries("pc.open", 0).await.len(), 1);
    assert_eq!(bench.entries("pc.close", 0).await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn lost_evidence_is_a_gap_in_the_log() {
    let mut bench = Bench::new().await;
    let (room, peer) = bench.connect().await;
    bench.dataplane.event_again(4, room, closed(peer)).await;
    bench.dataplane.acknowledged(4).await;
    let gaps = bench.entries("audit.gap", 1).await;
    assert_eq!(gaps[0].facts.get("missing"), Some(&Fact::Number(2)));
    assert_eq!(gaps[0].reason.as_deref(), Some("dataplane_events_lost"));
    bench.stop().await;
}

#[tokio::test]
async fn without_a_log_nobody_joins_and_calls_go_on() {
    let mut bench = Bench::new().await;
    let client = bench.client();
    let (mut signal, room) = bench.join().await;
    bench.running.admin.app.ledger.close().await;

    assert_eq!(
        client.signal("/rtc", &bench.token("q")).await.err(),
        Some(503)
    );
    assert_eq!(bench.publish().await, "503");
    let refused = Event::Refused {
        command: "ensure_room".to_owned(),
        reason: "a test says so".to_owned(),
    };
    bench.dataplane.event(room, refused).await;
    // Whoever is in goes on being served.
    let ping = livekit_protocol::Ping::default();
    signal
        .send(livekit_protocol::signal_request::Message::PingReq(ping))
        .await;
    signal
        .until(|message| matches!(message, Response::PongResp(_)).then_some(()))
        .await;
    assert_eq!(bench.dataplane.acknowledged, 0);
    bench.stop().await;
}

#[tokio::test]
async fn strangers_do_not_fill_the_log_and_are_all_counted() {
    let bench = Bench::new().await;
    let client = bench.client();
    let tries = 3 * STRANGER_RECORDS_PER_MINUTE;
    for _ in 0..tries {
        assert_eq!(client.get("/rtc/validate").await.status, "401");
        assert_eq!(client.signal("/rtc", "x.y.z").await.err(), Some(401));
        assert_eq!(client.get("/api/consults").await.status, "401");
    }
    let bench = Bench::on(bench.stop().await).await;
    for action in ["token.refused", "access.denied"] {
        let entries = bench.entries(action, 0).await;
        let (each, together): (Vec<_>, Vec<_>) = entries
            .iter()
            .partition(|entry| !entry.facts.contains_key("count"));
        assert_eq!(each.len(), STRANGER_RECORDS_PER_MINUTE as usize, "{action}");
        let count = u64::from(tries - STRANGER_RECORDS_PER_MINUTE);
        assert_eq!(together.len(), 1, "{action}");
        assert_eq!(together[0].facts.get("count"), Some(&Fact::Number(count)));
        assert_eq!(together[0].actor.network, each[0].actor.network);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_start_and_a_stop_are_in_the_log() {
    let bench = Bench::new().await;
    bench.entries("dataplane.connection", 1).await;
    let scratch = bench.stop().await;
    let bench = Bench::on(scratch).await;
    assert_eq!(bench.entries("node.start", 2).await.len(), 2);
    assert_eq!(bench.entries("node.stop", 1).await.len(), 1);
    bench.stop().await;
}
