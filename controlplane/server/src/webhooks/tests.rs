use super::*;
use crate::keys::ApiKeys;
use crate::testing::scratch;

fn tokens() -> Tokens {
    let scratch = scratch();
    let path = scratch.path().join("api-keys");
    ApiKeys::make(&path).expect("writes");
    Tokens::new(ApiKeys::read(&path).expect("reads"))
}

#[test]
fn waits_double_up_to_a_bound() {
    let waits: Vec<_> = (1..=7)
        .map(|attempt| backoff(attempt).as_millis())
        .collect();
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    assert_eq!(backoff(u32::MAX), WEBHOOK_RETRY.1);
}

#[test]
fn only_what_may_pass_is_tried_again() {
    let check = |status: u16, retried: bool| {
        let outcome = outcome(StatusCode::from_u16(status).expect("a status"));
        assert_eq!(matches!(outcome, Outcome::Retry(_)), retried, "{status}");
    };
    for status in [200, 204, 301, 400, 401, 404, 410] {
        check(status, false);
    }
    for status in [408, 429, 500, 503] {
        check(status, true);
    }
    assert_eq!(outcome(StatusCode::NO_CONTENT), Outcome::Delivered);
}

#[test]
fn a_signature_is_for_one_body() {
    let tokens = tokens();
    let signer = Signer {
        tokens: tokens.clone(),
        key: None,
    };
    let body = br#"{"event":"room_started"}"#;
    let claims = tokens
        .verify(&signer.sign(body).expect("a key"))
        .expect("good");
    assert_eq!(claims.iss, tokens.first_key());
    assert_eq!(claims.sha256, STANDARD.encode(digest(&SHA256, body)));
    assert_eq!(claims.video, None, "it opens nothing");
    let lifetime = claims.exp.expect("set") - claims.nbf.expect("set");
    assert_eq!(lifetime, 300);
}

#[test]
fn what_cannot_work_is_refused_at_start() {
    let scratch = scratch();
    let config = |edit: &dyn Fn(&mut WebhooksConfig)| {
        let mut config = WebhooksConfig {
            urls: vec!["https://receiver.example/hook?x=1".to_owned()],
            ..WebhooksConfig::default()
        };
        edit(&mut config);
        webhooks(&config, &tokens(), &Metrics::new()).map(|(webhooks, deliveries)| {
            assert_eq!(webhooks.receivers.len(), deliveries.len());
            deliveries.len()
        })
    };
    assert_eq!(config(&|_| {}).ok(), Some(1));
    assert_eq!(config(&|config| config.urls.clear()).ok(), Some(0));
    let unknown_key = config(&|config| config.api_key = Some("nobody".to_owned()));
    assert!(matches!(unknown_key, Err(Error::Config(_))));
    let not_a_url = config(&|config| config.urls = vec!["https://".to_owned()]);
    assert!(matches!(not_a_url, Err(Error::Config(_))));
    let password = config(&|config| config.urls = vec!["https://a:b@receiver.example".to_owned()]);
    let words = password.expect_err("not sent").to_string();
    assert!(!words.contains("a:b"), "{words}");
    let no_authorities = scratch.path().join("ca.pem");
    std::fs::write(&no_authorities, "nothing").expect("writes");
    let no_authorities = config(&|config| config.ca_file = Some(no_authorities.clone()));
    assert!(matches!(no_authorities, Err(Error::File { .. })));
}

#[test]
fn a_full_queue_drops_what_comes_and_keeps_what_waits() {
    let (events, mut waiting) = mpsc::unbounded_channel();
    let webhooks = Webhooks {
        receivers: vec![Queue {
            events,
            room: Arc::new(Semaphore::new(100)),
        }],
        metrics: Metrics::new(),
    };
    let event = |id: usize| proto::WebhookEvent {
        event: "room_started".to_owned(),
        id: format!("EV_{id}"),
        ..Default::default()
    };
    for id in 0..10 {
        webhooks.send(&event(id));
    }
    let mut bodies = Vec::new();
    while let Ok(one) = waiting.try_recv() {
        bodies.push(String::from_utf8(one.body.to_vec()).expect("JSON"));
    }
    let expected = [0, 1].map(|id| format!(r#"{{"event":"room_started","id":"EV_{id}"}}"#));
    assert_eq!(bodies, expected, "each is 38 bytes");
    webhooks.send(&event(9));
    assert!(waiting.try_recv().is_ok(), "there is room again");
}
