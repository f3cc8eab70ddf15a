use super::*;
use crate::transport::tests::support::start;
use bedside_protocol::Secret;
use str0m::ice::{StunMessageBuilder, TransId};

fn hmac() -> &'static dyn Sha1HmacProvider {
    super::super::dtls::stock_provider().sha1_hmac_provider
}

fn side(name: &str) -> IceCredentials {
    IceCredentials {
        ufrag: name.to_owned(),
        password: Secret::new(format!("password-of-{name}-long-enough")),
    }
}

fn session(number: u32) -> IceCredentials {
    side(&format!("ours{number}"))
}

fn path(port: u16) -> Path {
    Path {
        local: SocketAddr::from(([198, 51, 100, 1], 40_000)),
        remote: SocketAddr::from(([203, 0, 113, 1], port)),
    }
}

/// A check as a client of `session` makes it, signed with `password`.
fn request(username: &str, password: &str, nominates: bool) -> Vec<u8> {
    let message = StunMessage::binding_request(username, TransId::new(), true, 1, 2, nominates);
    sign(message, password)
}

fn sign(message: StunMessage<'_>, password: &str) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    let length = message
        .to_bytes(Some(password.as_bytes()), &mut bytes, |key, parts| {
            hmac().sha1_hmac(key, parts)
        })
        .unwrap();
    bytes.truncate(length);
    bytes
}

fn check_of(session: &IceCredentials) -> Vec<u8> {
    let username = format!("{}:theirs", session.ufrag);
    request(&username, session.password.expose(), true)
}

#[test]
fn a_check_with_the_password_is_authenticated_and_answered() {
    let now = start();
    let agent = Agent::new(session(1), now);
    let datagram = check_of(&session(1));
    let check = Check::parse(&datagram).unwrap();
    assert_eq!(
        (check.local_ufrag(), check.remote_ufrag()),
        ("ours1", "theirs")
    );
    assert!(check.nominates());
    let (credentials, is_current) = agent.authenticate(&check, hmac()).expect("authentic");
    assert!(is_current);

    for remote in ["203.0.113.9:5000", "[2001:db8::9]:5000"] {
        let remote: SocketAddr = remote.parse().unwrap();
        let mut answer = [0; ANSWER_BYTES_MAX];
        let bytes = check
            .answer(credentials, remote, hmac(), &mut answer)
            .unwrap();
        let answer = StunMessage::parse(&answer[..bytes]).unwrap();
        assert!(answer.is_successful_binding_response());
        assert_eq!(answer.mapped_address(), Some(remote));
        assert_eq!(answer.trans_id(), check.message.trans_id());
        let password = session(1).password.expose().clone();
        assert!(answer.verify(password.as_bytes(), |key, parts| {
            hmac().sha1_hmac(key, parts)
        }));
    }
}

#[test]
fn a_wrong_password_name_or_bit_is_not_authenticated() {
    let agent = Agent::new(session(1), start());
    let password = session(1).password.expose().clone();
    let mut flipped = check_of(&session(1));
    flipped[25] ^= 1;
    for datagram in [
        request("ours1:theirs", "password-of-somebody-else", true),
        request("ours2:theirs", &password, true),
        request("ours1", &password, true),
        flipped,
    ] {
        let authentic = Check::parse(&datagram)
            .ok()
            .and_then(|check| agent.authenticate(&check, hmac()).map(|_| ()));
        assert_eq!(authentic, None);
    }
}

/// Chromium checks its old path under its new name as soon as it has made the offer of a restart.
#[test]
fn a_check_under_the_clients_next_name_is_authenticated() {
    let agent = Agent::new(session(1), start());
    let password = session(1).password.expose().clone();
    let datagram = request("ours1:another", &password, false);
    let check = Check::parse(&datagram).unwrap();
    assert!(agent.authenticate(&check, hmac()).is_some());
}

#[test]
fn what_is_not_a_check_is_told_apart() {
    let not_a_check = |bytes: &[u8]| Check::parse(bytes).err();
    assert_eq!(not_a_check(&[]), Some(NotACheck::Malformed));
    assert_eq!(not_a_check(&[0; 20]), Some(NotACheck::Malformed));
    let whole = check_of(&session(1));
    for bytes in 0..whole.len() {
        assert_eq!(
            not_a_check(&whole[..bytes]),
            Some(NotACheck::Malformed),
            "{bytes} bytes"
        );
    }
    let remote = path(1).remote;
    let response = StunMessage::binding_reply(TransId::new(), remote);
    assert_eq!(
        not_a_check(&sign(response, "password")),
        Some(NotACheck::NotARequest)
    );
    let indication = StunMessageBuilder::new()
        .binding()
        .indication()
        .build(TransId::new());
    assert_eq!(
        not_a_check(&sign(indication, "password")),
        Some(NotACheck::NotARequest)
    );
}

#[test]
fn a_client_that_takes_itself_for_controlled_is_told_otherwise() {
    let agent = Agent::new(session(1), start());
    let password = session(1).password.expose().clone();
    let message = StunMessage::binding_request("ours1:theirs", TransId::new(), false, 1, 2, false);
    let datagram = sign(message, &password);
    let check = Check::parse(&datagram).unwrap();
    assert!(!check.is_controlling());
    let (credentials, _) = agent.authenticate(&check, hmac()).unwrap();
    let mut answer = [0; ANSWER_BYTES_MAX];
    let bytes = check
        .answer(credentials, path(1).remote, hmac(), &mut answer)
        .unwrap();
    let answer = StunMessage::parse(&answer[..bytes]).unwrap();
    assert_eq!(answer.error_code().map(|(code, _)| code), Some(487));
}

#[test]
fn the_last_nomination_counts() {
    let now = start();
    let mut agent = Agent::new(session(1), now);
    assert!(!agent.accept(now, path(1), false, true).nominated);
    assert_eq!(agent.nominated(), None);
    assert!(agent.accept(now, path(1), true, true).nominated);
    assert!(
        !agent.accept(now, path(1), true, true).nominated,
        "it is nominated already"
    );
    assert!(agent.accept(now, path(2), true, true).nominated);
    assert_eq!(agent.nominated(), Some(path(2)));
    assert_eq!(agent.open_paths().count(), 2);
}

#[test]
fn both_credentials_count_until_the_new_ones_nominate() {
    let now = start();
    let mut agent = Agent::new(session(1), now);
    agent.accept(now, path(1), true, true);
    assert_eq!(agent.restart(session(2), now), None);

    let old = check_of(&session(1));
    let old = Check::parse(&old).unwrap();
    let new = check_of(&session(2));
    let new = Check::parse(&new).unwrap();
    assert!(
        agent
            .authenticate(&old, hmac())
            .is_some_and(|(_, is_current)| !is_current)
    );
    assert!(
        agent
            .authenticate(&new, hmac())
            .is_some_and(|(_, is_current)| is_current)
    );
    assert_eq!(agent.local_ufrags().collect::<Vec<_>>(), ["ours2", "ours1"]);

    assert_eq!(agent.accept(now, path(1), true, false).retired, None);
    assert_eq!(agent.accept(now, path(2), false, true).retired, None);
    assert_eq!(
        agent.accept(now, path(2), true, true).retired,
        Some(session(1))
    );
    assert!(agent.authenticate(&old, hmac()).is_none());
    assert_eq!(agent.nominated(), Some(path(2)));
}

#[test]
fn of_two_restarts_the_one_that_never_nominated_is_dropped() {
    let now = start();
    let mut agent = Agent::new(session(1), now);
    agent.accept(now, path(1), true, true);
    assert_eq!(agent.restart(session(2), now), None);
    assert_eq!(agent.restart(session(3), now), Some(session(2)));
    assert_eq!(agent.local_ufrags().collect::<Vec<_>>(), ["ours3", "ours1"]);
}

#[test]
fn a_restart_before_the_first_nomination_replaces() {
    let now = start();
    let mut agent = Agent::new(session(1), now);
    assert_eq!(agent.restart(session(2), now), Some(session(1)));
}

#[test]
fn paths_are_bounded_and_the_nominated_one_stays() {
    let start = start();
    let mut agent = Agent::new(session(1), start);
    agent.accept(start, path(1), true, true);
    for port in 2..100 {
        let now = start + Duration::from_secs(u64::from(port));
        let changes = agent.accept(now, path(port), false, true);
        assert!(changes.opened);
        assert_ne!(changes.closed, Some(path(1)));
        assert!(agent.open_paths().count() <= PATHS_PER_PEER_MAX);
    }
    assert!(agent.open_paths().any(|open| open == path(1)));
    assert!(agent.open_paths().any(|open| open == path(99)));
}

#[test]
fn silent_paths_close_but_for_the_nominated_one() {
    let start = start();
    let mut agent = Agent::new(session(1), start);
    agent.accept(start, path(1), true, true);
    agent.accept(start, path(2), false, true);
    let later = start + Duration::from_secs(20);
    agent.accept(later, path(3), false, true);
    let end = start + Duration::from_secs(30);
    assert_eq!(agent.close_silent(end, Duration::from_secs(30)), [path(2)]);
    assert_eq!(agent.open_paths().count(), 2);
}

#[test]
fn credentials_are_checked() {
    assert_eq!(check_credentials(&session(1)), Ok(()));
    for (ufrag_bytes, password_bytes) in [(3, 22), (257, 22), (4, 21), (4, 257)] {
        let credentials = IceCredentials {
            ufrag: "u".repeat(ufrag_bytes),
            password: Secret::new("p".repeat(password_bytes)),
        };
        assert!(check_credentials(&credentials).is_err());
    }
}

#[test]
fn any_bytes_are_taken() {
    let agent = Agent::new(session(1), start());
    let whole = check_of(&session(1));
    bolero::check!()
        .with_type::<(Vec<u8>, Vec<(u16, u8)>)>()
        .for_each(|(bytes, damage)| {
            let mut damaged = whole.clone();
            for (place, value) in damage {
                let place = usize::from(*place) % damaged.len();
                damaged[place] = *value;
            }
            for datagram in [bytes, &damaged] {
                if let Ok(check) = Check::parse(datagram)
                    && agent.authenticate(&check, hmac()).is_some()
                {
                    assert_eq!(check.local_ufrag(), "ours1");
                }
            }
        });
}
