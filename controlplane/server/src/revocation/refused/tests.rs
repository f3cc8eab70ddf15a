use super::*;

fn claims(identity: &str, key: &str, nbf: Option<u64>) -> Claims {
    Claims {
        iss: key.to_owned(),
        sub: identity.to_owned(),
        nbf,
        ..Claims::default()
    }
}

#[test]
fn a_revoked_account_is_refused_until_it_is_restored_and_its_old_tokens_for_ever() {
    let refusals = Refusals::default();
    let now = u64::try_from(now_s()).expect("after 1970");
    let (old, young) = (
        claims("alice", "key", Some(now - 5)),
        claims("alice", "key", Some(now + 5)),
    );
    assert!(!refusals.refuse(&old));
    refusals.revoke("alice");
    assert!(refusals.refuse(&old) && refusals.refuse(&young));
    assert!(!refusals.refuse(&claims("bob", "key", None)));
    refusals.restore("alice");
    assert!(refusals.refuse(&old) && !refusals.refuse(&young));
    assert!(refusals.refuse(&claims("alice", "key", None)));
}

#[test]
fn an_api_key_takes_everything_with_it_that_it_signed() {
    let refusals = Refusals::default();
    refusals.load(vec![Revocation {
        account: "key".to_owned(),
        kind: "api_key".to_owned(),
        revoked_s: 100,
        restored_s: None,
    }]);
    assert!(refusals.refuse(&claims("alice", "key", Some(u64::MAX))));
    assert!(!refusals.refuse(&claims("alice", "other", None)));
    assert!(refusals.refuse_key("key") && !refusals.refuse_key("other"));
}
