//! What every answer carries, whatever it answers.

use super::Bench;
use crate::http;

/// Exactly these, on every answer.
const ALWAYS: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=31536000"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob:; connect-src 'self' wss:; worker-src 'self' blob:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    (
        "permissions-policy",
        "camera=(self), microphone=(self), display-capture=(self)",
    ),
];

/// A path that a template matches.
fn instance(template: &str) -> String {
    let part = |part: &str| match part.starts_with('{') {
        true => "x".to_owned(),
        false => part.to_owned(),
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_answer_of_every_route_is_strict() {
    let bench = Bench::new().await;
    let client = bench.client();
    let routes = http::routes();
    let mut paths: Vec<_> = routes
        .endpoints()
        .iter()
        .map(|route| instance(route.path))
        .collect();
    paths.sort();
    paths.dedup();
    for known in [
        "/", "/consult", "/rtc", "/rtc/v1", "/healthz", "/whip", "/twirp/x",
    ] {
        assert!(paths.iter().any(|path| path == known), "{known}: {paths:?}");
    }
    paths.extend(["/app.js", "/no/such/path"].map(str::to_owned));
    for path in &paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let answer = client
                .request(method, path, &[("Content-Length", "0")])
                .await;
            for (name, value) in ALWAYS {
                let found: Vec<_> = answer
                    .headers
                    .iter()
                    .filter(|(known, _)| known == name)
                    .collect();
                assert_eq!(found.len(), 1, "{method} {path}: {name}: {answer:?}");
                assert_eq!(answer.header(name), Some(value), "{method} {path}");
            }
            // What is the same for everybody may be kept, and is asked for each time.
            let everybodys = answer.header("etag").is_some();
            let kept = if everybodys { "no-cache" } else { "no-store" };
            assert_eq!(
                answer.header("cache-control"),
                Some(kept),
                "{method} {path}"
            );
        }
    }
    bench.stop().await;
}

#[tokio::test]
async fn only_named_origins_may_call() {
    let named = "https://app.example";
    let bench = Bench::configured(crate::testing::scratch(), |config| {
        config.allowed_origins = vec![named.to_owned()];
    })
    .await;
    let client = bench.client();
    for path in [
        "/",
        "/rtc/validate",
        "/twirp/livekit.RoomService/ListRooms",
        "/whip",
    ] {
        for (origin, allowed) in [(named, Some(named)), ("https://other.example", None)] {
            let answer = client.request("OPTIONS", path, &[("Origin", origin)]).await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                allowed,
                "{path}"
            );
            let methods = answer.header("access-control-allow-methods");
            assert_eq!(methods.is_some(), allowed.is_some(), "{path}");
            let varies = answer
                .headers
                .iter()
                .any(|header| header == &("vary".to_owned(), "Origin".to_owned()));
            assert!(varies, "{path}: {answer:?}");
        }
    }
    bench.stop().await;
}
