use super::*;
use bedside_rooms::VideoGrant;

fn session() -> (Session, User) {
    let session = Session {
        digest: [0xab; 32],
        user: "U_1".to_owned(),
        roles: vec![Role::Clinician, Role::SecurityOfficer],
        provider_sid: None,
        acr: Some("urn:mfa".to_owned()),
        amr: vec!["otp".to_owned()],
        multi_factor: true,
        authenticated_s: now_s() - STEP_UP_S_MAX + 5,
        created_s: 0,
        last_used_s: 0,
        expires_s: i64::MAX,
        locked_s: None,
    };
    let user = User {
        id: "U_1".to_owned(),
        issuer: "https://provider.example".to_owned(),
        subject: Phi::new("subject-canary".to_owned()),
        display_name: Phi::new("name-canary".to_owned()),
        roles: vec![Role::Auditor],
        created_s: 0,
        last_seen_s: 0,
        revoked_s: None,
    };
    (session, user)
}

#[test]
fn a_session_proves_its_own_roles_and_names_its_login() {
    let (session, user) = session();
    let principal = Principal::of_session(&session, &user, None);
    assert_eq!(principal.kind, ActorKind::User);
    assert!(principal.has(Role::SecurityOfficer) && !principal.has(Role::Auditor));
    assert!(principal.is_stepped_up());
    let actor = principal.actor(None);
    assert_eq!(actor.role, Some(Role::Clinician));
    let authentication = actor.authentication.expect("known");
    assert_eq!(
        authentication.credential.as_deref(),
        Some("abababababababab")
    );
    assert_eq!(authentication.acr.as_deref(), Some("urn:mfa"));
    let text = format!("{principal:?}");
    assert!(!text.contains("canary") && !text.contains("U_1"), "{text}");
}

#[test]
fn an_old_or_single_factor_is_no_step_up() {
    let (session, user) = session();
    let old = Session {
        authenticated_s: now_s() - STEP_UP_S_MAX - 1,
        ..session.clone()
    };
    assert!(!Principal::of_session(&old, &user, None).is_stepped_up());
    let single = Session {
        multi_factor: false,
        ..session
    };
    assert!(!Principal::of_session(&single, &user, None).is_stepped_up());
}

#[test]
fn a_locked_session_or_a_revoked_user_proves_no_role() {
    let (session, user) = session();
    let locked = Session {
        locked_s: Some(1),
        ..session.clone()
    };
    let revoked = User {
        revoked_s: Some(1),
        ..user.clone()
    };
    for principal in [
        Principal::of_session(&locked, &user, None),
        Principal::of_session(&session, &revoked, None),
    ] {
        assert!(principal.locked && principal.roles.is_empty());
    }
}

#[test]
fn a_token_is_a_services_or_an_agents_and_never_a_clinicians() {
    let claims = |kind: &str, agent: bool| Claims {
        iss: "key".to_owned(),
        sub: "someone".to_owned(),
        kind: kind.to_owned(),
        video: Some(VideoGrant {
            room_admin: true,
            room_join: true,
            agent,
            ..VideoGrant::default()
        }),
        ..Claims::default()
    };
    let check = |claims: Claims, kind, role| {
        let principal = Principal::of_token(claims, "token", None);
        assert_eq!((principal.kind, principal.roles), (kind, vec![role]));
        assert!(principal.mfa.is_none());
    };
    check(claims("", false), ActorKind::Service, Role::Service);
    check(claims("standard", true), ActorKind::Agent, Role::Agent);
    check(claims("agent", false), ActorKind::Agent, Role::Agent);
    let unnamed = Claims {
        sub: String::new(),
        ..claims("", false)
    };
    let principal = Principal::of_token(unnamed, "token", None);
    assert_eq!(principal.id, Some(Phi::new("key".to_owned())));
}
