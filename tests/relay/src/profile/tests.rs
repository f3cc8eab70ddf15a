use super::{Profile, ProfileError, Setting};
use std::time::Duration;

#[test]
fn a_profile_says_everything() {
    let text = r#"
        seed = 7
        up = { delay_ms = 20.0, jitter_ms = 5.0, loss = 0.02, police_kbps = 3000, police_burst_bytes = 9000 }

        [down]
        delay_ms = 20.0
        reorder = 0.01
        reorder_ms = 8.0
        duplication = 0.001
        burst = { loss = 0.05, length = 3.0 }
        rate_kbps = 5000
        queue_ms = 1000.0

        [[change]]
        at_ms = 10000
        down = { rate_kbps = 400 }

        [[change]]
        at_ms = 20000
        up = { delay_ms = 60.0 }
        down = { rate_kbps = 0, burst = { loss = 0.0, length = 1.0 } }
        hand_over_gap_ms = 300.0
    "#;
    let profile = Profile::parse(text).unwrap();
    assert_eq!(profile.changes.len(), 2);
    let down = Setting::default().with(&profile.down).unwrap();
    assert_eq!(down.queue_bytes(), Some(625_000));
    let slow = down.with(&profile.changes[0].down).unwrap();
    assert_eq!(slow.queue_bytes(), Some(50_000), "1 s at the new rate");
    assert_eq!(
        slow.delay,
        Duration::from_millis(20),
        "what is not named stays"
    );
    let free = slow.with(&profile.changes[1].down).unwrap();
    assert_eq!((free.rate_bps(), free.burst), (None, None));
}

#[test]
fn a_profile_that_says_what_there_is_not_is_refused() {
    let refused = |text: &str| Profile::parse(text).unwrap_err();
    let check = |text, name| match refused(text) {
        ProfileError::Range { name: found, .. } => assert_eq!(found, name),
        other => panic!("{text}: {other}"),
    };
    check("seed = 1\nup = { loss = 2.0 }", "loss");
    check("seed = 1\nup = { delay_ms = -1.0 }", "delay_ms");
    check("seed = 1\nup = { delay_ms = nan }", "delay_ms");
    check(
        "seed = 1\nup = { burst = { loss = 0.1, length = 0.5 } }",
        "burst.length",
    );
    check(
        "seed = 1\n[[change]]\nat_ms = 1\nhand_over_gap_ms = 1e9",
        "hand_over_gap_ms",
    );
    assert!(matches!(
        refused("seed = 1\nup = { rate_kbps = 400 }"),
        ProfileError::NoQueue
    ));
    assert!(matches!(
        refused("seed = 1\nup = { rate_kbps = 400, queue_ms = 1.0, queue_bytes = 1 }"),
        ProfileError::TwoQueues
    ));
    assert!(matches!(
        refused("seed = 1\nup = { rate = 400 }"),
        ProfileError::Syntax(_)
    ));
    assert!(matches!(
        refused("seed = 1\n[[change]]\nat_ms = 2\n[[change]]\nat_ms = 1"),
        ProfileError::Order { at_ms: 1 }
    ));
}
