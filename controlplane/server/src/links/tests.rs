use super::*;
use bolero::check;
use std::net::Ipv4Addr;

fn cookie_of(fields: &[&str]) -> Option<String> {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(COOKIE, HeaderValue::from_str(field).expect("printable"));
    }
    session_cookie(&headers).map(str::to_owned)
}

#[test]
fn the_session_is_found_among_other_cookies() {
    let check = |fields: &[&str], expected: Option<&str>| {
        assert_eq!(cookie_of(fields).as_deref(), expected, "{fields:?}");
    };
    check(&["bedside_session=abc"], Some("abc"));
    check(&["a=b; bedside_session=abc; c=d"], Some("abc"));
    check(&["a=b", "c;bedside_session=a=b"], Some("a=b"));
    check(
        &["xbedside_session=abc; bedside_sessionx=abc; bedside_session"],
        None,
    );
    check(&[], None);
}

#[test]
fn no_cookie_breaks_the_reader() {
    check!().for_each(|field: &[u8]| {
        if let Ok(value) = HeaderValue::from_bytes(field) {
            let headers = HeaderMap::from_iter([(COOKIE, value)]);
            if let Some(session) = session_cookie(&headers) {
                assert!(!session.contains(';'));
            }
        }
    });
}

#[test]
fn pages_of_other_origins_are_refused() {
    let check = |origin: Option<&str>, host: &str, expected: Result<(), Refused>| {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("printable"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("printable"));
        }
        let peer = PeerAddress(Ipv4Addr::LOCALHOST.into());
        assert_eq!(
            admit(&RateLimit::default(), peer, &headers),
            expected,
            "{origin:?}"
        );
    };
    check(None, "a.example", Ok(()));
    check(Some("https://a.example"), "a.example", Ok(()));
    check(Some("https://a.example:7880"), "a.example:7880", Ok(()));
    for foreign in [
        "http://a.example",
        "https://b.example",
        "https://a.example:7880",
        "null",
    ] {
        check(Some(foreign), "a.example", Err(Refused::BadRequest));
    }
}

#[test]
fn tokens_are_long_and_never_the_same() {
    let (one, other) = (
        random_token().expect("random"),
        random_token().expect("random"),
    );
    assert_ne!(one, other);
    assert_eq!(one.len(), 43, "256 bits in base64url");
    assert_ne!(hash(&one), hash(&other));
}
