//! Trickled candidates and ICE restarts by fragment.

use super::*;
use crate::negotiation::{SdpError, check_candidate, parse_fragment};

const CANDIDATE: &str =
    "candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0";

#[test]
fn candidates() {
    for good in [
        CANDIDATE,
        "",
        "candidate:3 1 TCP 2105458943 192.0.2.2 9 typ host tcptype active",
        "candidate:0 1 UDP 2122187007 0f7a9e5c-0e0b-4d0a.local 50191 typ host",
        "candidate:842163049 1 udp 1677729535 198.51.100.9 46154 typ srflx raddr 0.0.0.0 rport 0",
        "a=candidate:1 1 udp 1 2001:db8::1 1 typ relay",
    ] {
        assert_eq!(check_candidate(good), Ok(()), "{good}");
    }
    for bad in [
        "hello",
        "candidate:",
        "candidate:1 1 udp",
        "candidate:1 0 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 70000 typ host",
        "candidate:1 1 udp x 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 1 host",
    ] {
        assert_eq!(
            check_candidate(bad),
            Err(SdpError::Malformed("candidate")),
            "{bad}"
        );
    }
    let long = format!("{CANDIDATE}{}", " x".repeat(1_000));
    assert_eq!(
        check_candidate(&long),
        Err(SdpError::TooLarge("characters in a candidate"))
    );
}

#[test]
fn a_trickled_fragment() {
    let text = format!(
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na={CANDIDATE}\r\na={CANDIDATE}\r\na=end-of-candidates\r\n"
    );
    let fragment = parse_fragment(&text).expect("well-formed");
    assert_eq!(fragment.candidates, 2);
    assert!(fragment.end_of_candidates);
    assert_eq!(fragment.ice.map(|ice| ice.ufrag).as_deref(), Some("EsAw"));
    assert!(parse_fragment("not a fragment").is_err());
    assert!(parse_fragment("a=candidate:1").is_err());
    assert_eq!(
        parse_fragment("a=ice-ufrag:EsAw\na=ice-pwd:short"),
        Err(SdpError::IceCredentials)
    );
    let long = "a=end-of-candidates\n".repeat(1_000);
    assert_eq!(parse_fragment(&long), Err(SdpError::TooLarge("bytes")));
}

#[test]
fn other_credentials_restart_ice() {
    let mut connection = connection(Role::Single);
    let text = offer("chromium-156-whip-simulcast");
    let restart = parse_fragment("a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1")
        .expect("well-formed");
    let early = connection.restart_by_fragment(&restart, credentials("again"));
    assert_eq!(early, Err(SdpError::NoOffer));
    negotiate(&mut connection, &text);

    let line = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.unwrap_or_default().to_owned()
    };
    let same = format!("{}\n{}", line("a=ice-ufrag:"), line("a=ice-pwd:"));
    let same = parse_fragment(&same).expect("well-formed");
    let nothing = connection.restart_by_fragment(&same, credentials("again"));
    assert_eq!(nothing, Ok(None));
    assert_eq!(connection.local(), &credentials("first"));

    let reply = connection
        .restart_by_fragment(&restart, credentials("again"))
        .expect("there is an offer")
        .expect("it restarts ICE");
    insta::assert_snapshot!(reply);
    assert_eq!(connection.local(), &credentials("again"));
    let parsed = parse_fragment(&reply).expect("a fragment");
    assert_eq!(parsed.ice, Some(credentials("again")));
    assert_eq!(parsed.candidates, 2);
}
