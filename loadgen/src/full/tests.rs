use super::alarm::Alarm;
use super::guest::{Protocol, Wants, Way, guests};
use super::link::Link;
use super::socket::{Inbox, Outbox, Socket};
use crate::pacing::Clock;
use crate::scenario::{Network, Scenario};
use bedside_protocol::MediaKind;
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use tokio::task::LocalSet;

const MS: u64 = 1_000_000;

/// When each of 10,000 datagrams, a millisecond apart, comes out of a link.
fn through(network: Network, seed: u64) -> Vec<(u64, u64)> {
    let mut link = Link::new(network, seed);
    let mut arrived = Vec::new();
    let mut take = |link: &mut Link<u64>, now_ns| {
        while let Some(sent_ns) = link.pop_due(now_ns) {
            arrived.push((sent_ns, now_ns));
        }
    };
    for number in 0..10_000 {
        let now_ns = number * MS;
        while let Some(due_ns) = link.next_due_ns().filter(|&due_ns| due_ns <= now_ns) {
            take(&mut link, due_ns);
        }
        link.admit(now_ns, now_ns);
    }
    while let Some(due_ns) = link.next_due_ns() {
        take(&mut link, due_ns);
    }
    arrived
}

#[test]
fn a_link_loses_delays_and_reorders_what_it_is_told_to() {
    let perfect = through(Network::default(), 1);
    assert_eq!(perfect.len(), 10_000);
    assert!(perfect.iter().all(|(sent_ns, at_ns)| sent_ns == at_ns));

    let network = Network {
        loss: 0.1,
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(5),
        reorder: 0.0,
    };
    let arrived = through(network, 7);
    assert!((8_800..9_200).contains(&arrived.len()), "{}", arrived.len());
    assert!(arrived.is_sorted(), "jitter keeps the order");
    for (sent_ns, at_ns) in &arrived {
        assert!((20 * MS..=25 * MS).contains(&(at_ns - sent_ns)));
    }
    assert_eq!(arrived, through(network, 7), "the same seed does the same");
    assert_ne!(arrived, through(network, 8));

    for delay in [Duration::ZERO, Duration::from_millis(20)] {
        let network = Network {
            delay,
            reorder: 0.05,
            ..Network::default()
        };
        let arrived = through(network, 7);
        assert_eq!(arrived.len(), 10_000);
        let overtaken = arrived.windows(2).filter(|pair| pair[1].0 < pair[0].0);
        assert!(overtaken.count() > 300, "with {delay:?}");
    }
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, future);
}

#[test]
fn all_sleepers_wake_and_none_early() {
    block_on(async {
        let alarm = Alarm::new().expect("a timer");
        let runs = alarm.clone();
        tokio::task::spawn_local(async move { runs.run().await });
        let woken = RefCell::new(Vec::new());
        let start_ns = Clock::now_ns();
        let sleep = async |number: u64| {
            let sleeper = alarm.sleeper();
            let at_ns = start_ns + number * MS / 4;
            sleeper.until(at_ns).await.expect("a timer");
            assert!(Clock::now_ns() >= at_ns);
            woken.borrow_mut().push(number);
        };
        tokio::join!(sleep(30), sleep(10), sleep(20), sleep(0), sleep(10));
        woken.borrow_mut().sort_unstable();
        assert_eq!(*woken.borrow(), [0, 10, 10, 20, 30]);
        // A sleep that is given up does not hold up the next one in its place.
        let sleeper = alarm.sleeper();
        tokio::select! {
            biased;
            slept = sleeper.until(u64::MAX) => panic!("far too early: {slept:?}"),
            () = tokio::task::yield_now() => {}
        }
        sleeper.until(Clock::now_ns() + MS).await.expect("a timer");
    });
}

#[test]
fn datagrams_go_out_together_and_come_in_one_by_one() {
    block_on(async {
        let loopback = "127.0.0.1".parse().expect("an address");
        let (from, to) = (Socket::bind(loopback), Socket::bind(loopback));
        let (from, to) = (from.expect("loopback"), to.expect("loopback"));
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        // Two frames: the last datagram of each is shorter, so that each goes in one call.
        let sent: Vec<Vec<u8>> = [700, 700, 300, 900, 900, 100]
            .into_iter()
            .zip(0..)
            .map(|(bytes, number)| vec![number; bytes])
            .collect();
        for datagram in &sent {
            from.push(&mut outbox, to.local(), datagram)
                .expect("room in the socket");
        }
        from.flush(&mut outbox).expect("room in the socket");
        from.flush(&mut outbox).expect("nothing waits any more");
        let mut received = Vec::new();
        while received.len() < sent.len() {
            to.readable().await.expect("open");
            let take = |source, datagram: &[u8]| {
                assert_eq!(source, from.local());
                received.push(datagram.to_vec());
            };
            to.receive(&mut inbox, take).expect("open");
        }
        assert_eq!(received, sent);
        let nothing = to.receive(&mut inbox, |_, _| panic!("nothing was sent"));
        assert!(!nothing.expect("open"));
    });
}

#[test]
fn participants_become_sessions_of_the_servers_protocol() {
    let scenario = r#"
        name = "visit"
        duration = "1s"
        [[rooms]]
        count = 2
        [[rooms.participants]]
        name = "doctor"
        subscribe = { named = ["patient"] }
        publish = [{ audio = {} }, { fixed = { packet_bytes = 1000, packets_per_frame = 2, fps = 30 } }]
        [[rooms.participants]]
        name = "patient"
        count = 2
        publish = [{ audio = {} }]
        [[rooms.participants]]
        name = "student"
        subscribe = "none"
    "#;
    let scenario = Scenario::parse(scenario, Path::new("test.toml")).expect("a scenario");
    let plan = scenario.plan();
    let all = guests(&plan, Protocol::Livekit);
    assert_eq!(all.len(), 8);
    let wants = |place: usize| match &all[place].way {
        Way::Room(wants) => wants,
        Way::Publish | Way::View { .. } => panic!("LiveKit has rooms"),
    };
    let patients = HashSet::from(["patient-1".to_owned(), "patient-2".to_owned()]);
    assert!(matches!(wants(0), Wants::These(them) if *them == patients));
    assert!(matches!(wants(1), Wants::All));
    assert!(matches!(wants(3), Wants::None));

    // No two tracks of a run have the same stamp, and everybody in a room knows them.
    let roster = |place: usize, track| all[place].roster.source(&all[place].identity, track);
    assert_eq!((roster(0, 0), roster(0, 1)), (Some(1), Some(2)));
    assert_eq!(
        (roster(1, 0), roster(2, 0), roster(4, 0)),
        (Some(3), Some(4), Some(5))
    );
    assert_eq!((roster(1, 1), roster(3, 0)), (None, None));
    let first = |kind| all[3].roster.first_source("doctor-1", kind);
    assert_eq!(first(MediaKind::Video), Some(2));

    let all = guests(&plan, Protocol::Whip);
    let sessions: Vec<_> = all
        .iter()
        .take(8)
        .map(|guest| match &guest.way {
            Way::Publish => (guest.identity.as_str(), ""),
            Way::View { publisher } => (guest.identity.as_str(), publisher.as_str()),
            Way::Room(_) => panic!("WHIP has none"),
        })
        .collect();
    let expected = [
        ("doctor-1", ""),
        ("doctor-1-view-1", "patient-1"),
        ("doctor-1-view-2", "patient-2"),
        ("patient-1", ""),
        ("patient-1-view-1", "doctor-1"),
        ("patient-1-view-2", "patient-2"),
        ("patient-2", ""),
        ("patient-2-view-1", "doctor-1"),
    ];
    assert_eq!(sessions, expected);
}
