use super::*;
use crate::forwarder::tests::start;
use std::time::Duration;

#[test]
fn a_storm_becomes_one_request_in_half_a_second() {
    let mut requests = KeyFrameRequests::default();
    let start = start();
    let mut asked = Vec::new();
    for ms in 0..1_200 {
        let now = start + Duration::from_millis(ms);
        requests.request();
        if requests.take_due(now) {
            asked.push(ms);
        }
    }
    assert_eq!(asked, [0, 500, 1_000]);
}

#[test]
fn an_unanswered_request_is_repeated_and_an_answered_one_is_not() {
    let mut requests = KeyFrameRequests::default();
    let start = start();
    assert_eq!(requests.next(start), None);
    requests.request();
    assert!(requests.take_due(start));
    let repeat = start + KEY_FRAME_REQUEST_INTERVAL;
    assert_eq!(requests.next(start), Some(repeat));
    assert!(requests.take_due(repeat));
    requests.settle();
    assert_eq!(requests.next(repeat), None);
    // The throttle outlives the answer.
    requests.request();
    assert!(!requests.take_due(repeat + Duration::from_millis(1)));
}
