use super::*;
use std::net::Ipv4Addr;

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
