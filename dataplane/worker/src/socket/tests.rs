use super::*;

#[test]
fn only_the_same_user_and_root_may_connect() {
    assert!(may_connect(1_000, 1_000));
    assert!(may_connect(0, 1_000));
    assert!(!may_connect(1_001, 1_000));
    assert!(!may_connect(1_000, 0));
}
