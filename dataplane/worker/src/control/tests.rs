use super::*;
use serde_json::json;

#[test]
fn another_version_is_refused_whatever_its_form() {
    let first = json!({"frame": "hello", "version": PROTOCOL_VERSION + 1, "shape": "of tomorrow"});
    assert_eq!(
        hello(first),
        Err(Refusal::Version {
            ours: PROTOCOL_VERSION,
            theirs: PROTOCOL_VERSION + 1
        })
    );
    let huge = json!({"version": u64::MAX});
    assert_eq!(
        hello(huge),
        Err(Refusal::Version {
            ours: PROTOCOL_VERSION,
            theirs: u32::MAX
        })
    );
}

#[test]
fn what_is_no_hello_is_malformed() {
    for first in [
        json!(null),
        json!([1]),
        json!({"frame": "hello"}),
        json!({"frame": "hello", "version": "1"}),
        json!({"frame": "hello", "version": PROTOCOL_VERSION}),
        json!({"frame": "goodbye", "version": PROTOCOL_VERSION}),
    ] {
        let refusal = hello(first).unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed { .. }), "{refusal}");
    }
}
