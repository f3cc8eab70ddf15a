use super::*;
use crate::testing::scratch;

fn user(subject: &str, roles: &[Role]) -> User {
    User {
        id: format!("U_{subject}"),
        issuer: "https://provider.example".to_owned(),
        subject: Phi::new(subject.to_owned()),
        display_name: Phi::new("Somebody".to_owned()),
        roles: roles.to_vec(),
        created_s: 0,
        last_seen_s: 0,
        revoked_s: None,
    }
}

fn session(user: &str, digest: u8) -> Session {
    Session {
        digest: [digest; 32],
        user: user.to_owned(),
        roles: vec![Role::Clinician],
        provider_sid: Some("sid".to_owned()),
        acr: None,
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        multi_factor: true,
        authenticated_s: 5,
        created_s: 6,
        last_used_s: 7,
        expires_s: 8,
        locked_s: None,
    }
}

#[tokio::test]
async fn a_user_is_known_by_issuer_and_subject() {
    let scratch = scratch();
    let store = Store::open(scratch.path()).await.expect("opens");
    let (before, first) = store
        .see_user(&user("a", &[Role::Clinician, Role::Auditor]))
        .await
        .expect("kept");
    assert_eq!((before, first.id.as_str()), (None, "U_a"));
    assert_eq!(first.roles, [Role::Clinician, Role::Auditor]);
    let renamed = User {
        id: "U_other".to_owned(),
        display_name: Phi::new("Renamed".to_owned()),
        roles: vec![],
        ..first.clone()
    };
    let (before, again) = store.see_user(&renamed).await.expect("kept");
    assert_eq!(before.as_ref(), Some(&first));
    assert_eq!(again.id, "U_a");
    assert_eq!(again.display_name, renamed.display_name);
    assert!(again.roles.is_empty());
    let elsewhere = User {
        id: "U_b".to_owned(),
        issuer: "https://another.example".to_owned(),
        ..first
    };
    let (before, _) = store.see_user(&elsewhere).await.expect("kept");
    assert_eq!(before, None);
    assert_eq!(store.users(10).await.expect("reads").len(), 2);
    assert_eq!(store.user("U_other").await.expect("reads"), None);
}

#[tokio::test]
async fn revoking_is_remembered_with_its_first_time() {
    let scratch = scratch();
    let store = Store::open(scratch.path()).await.expect("opens");
    store.see_user(&user("a", &[])).await.expect("kept");
    let revoked = async || {
        store
            .user("U_a")
            .await
            .expect("reads")
            .expect("there")
            .revoked_s
    };
    assert!(store.set_user_revoked("U_a", true).await.expect("written"));
    let since = revoked().await;
    assert!(since.is_some());
    store.set_user_revoked("U_a", true).await.expect("written");
    assert_eq!(revoked().await, since);
    // Whatever the provider says.
    store
        .see_user(&user("a", &[Role::Auditor]))
        .await
        .expect("kept");
    assert_eq!(revoked().await, since);
    store.set_user_revoked("U_a", false).await.expect("written");
    assert_eq!(revoked().await, None);
    assert!(!store.set_user_revoked("U_x", true).await.expect("written"));
}

#[tokio::test]
async fn sessions_are_kept_replaced_locked_and_ended() {
    let scratch = scratch();
    let store = Store::open(scratch.path()).await.expect("opens");
    store
        .see_user(&user("a", &[Role::Auditor]))
        .await
        .expect("kept");
    let first = session("U_a", 1);
    store.create_session(&first, None).await.expect("kept");
    let (found, whose) = store
        .session(&first.digest)
        .await
        .expect("reads")
        .expect("there");
    assert_eq!(found, first);
    assert_eq!(whose.id, "U_a");
    // The session's roles are its own.
    assert_eq!(whose.roles, [Role::Auditor]);

    let second = session("U_a", 2);
    store
        .create_session(&second, Some(&first.digest))
        .await
        .expect("kept");
    assert_eq!(store.session(&first.digest).await.expect("reads"), None);
    assert!(store.lock_session(&second.digest).await.expect("written"));
    assert!(!store.lock_session(&second.digest).await.expect("written"));
    store
        .touch_session(&second.digest, "U_a")
        .await
        .expect("written");
    let locked = store.sessions().await.expect("reads");
    assert_eq!(locked.len(), 1);
    assert!(locked[0].locked_s.is_some());
    // A locked session has no activity.
    assert_eq!(locked[0].last_used_s, second.last_used_s);

    store
        .create_session(&session("U_a", 3), None)
        .await
        .expect("kept");
    assert!(store.end_session(&[3; 32]).await.expect("written"));
    assert!(!store.end_session(&[3; 32]).await.expect("written"));
    assert_eq!(store.end_sessions_of_user("U_a").await.expect("written"), 1);
    assert!(
        store
            .create_session(&session("U_x", 4), None)
            .await
            .is_err()
    );
}
