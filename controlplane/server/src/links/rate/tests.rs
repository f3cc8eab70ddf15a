use super::*;
use std::time::Duration;
use tokio::time::advance;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_let_through_and_then_one_a_second() {
    let limit = RateLimit::default();
    let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
    assert!((0..LINK_REQUESTS_BURST).all(|_| limit.admit(here)));
    assert!(!limit.admit(here));
    assert!(limit.admit(there), "others are not held up");
    advance(Duration::from_secs_f64(
        60.0 / f64::from(LINK_REQUESTS_PER_MINUTE),
    ))
    .await;
    assert!(limit.admit(here));
    assert!(!limit.admit(here));
    advance(Duration::from_secs(3_600)).await;
    assert!((0..LINK_REQUESTS_BURST).all(|_| limit.admit(here)));
    assert!(
        !limit.admit(here),
        "waiting longer saves up no more than a burst"
    );
}

#[tokio::test(start_paused = true)]
async fn a_network_counts_as_one() {
    let limit = RateLimit::default();
    assert!((0..LINK_REQUESTS_BURST).all(|_| limit.admit(address("2001:db8::1"))));
    assert!(!limit.admit(address("2001:db8::ffff:2")));
    assert!(limit.admit(address("2001:db8:0:1::1")));
    assert!((0..LINK_REQUESTS_BURST).all(|_| limit.admit(address("192.0.2.1"))));
    assert!(
        !limit.admit(address("::ffff:192.0.2.1")),
        "the same host over a dual socket"
    );
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_given_back() {
    let limit = RateLimit::default();
    let source = |n: usize| {
        let n = u32::try_from(n).expect("small");
        IpAddr::V4(n.into())
    };
    assert!((0..LINK_SOURCES_MAX).all(|n| limit.admit(source(n))));
    assert!(!limit.admit(source(LINK_SOURCES_MAX)));
    assert!(limit.admit(source(0)), "whoever is known is served");
    advance(Duration::from_secs(60)).await;
    assert!(limit.admit(source(LINK_SOURCES_MAX)));
    assert_eq!(limit.sources.lock().expect("nobody panicked").len(), 1);
}
