//! TLS, HTTP bounds, routes.

use super::Bench;
use super::client::server_name;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn only_tls_1_3_without_anything_to_resume() {
    let bench = Bench::new().await;
    let mut stream = TcpStream::connect(bench.address()).await.expect("listens");
    stream
        .write_all(&tls12_client_hello())
        .await
        .expect("the server reads");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await.expect("an alert");
    // alert(21), fatal(2), protocol_version(70): RFC 8446 §6.
    assert_eq!((answer[0], answer[5], answer[6]), (21, 2, 70), "{answer:?}");

    let mut client = bench.client();
    let store = client.remembering();
    client.config().alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut stream = client.connect().await.expect("TLS 1.3");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    // Tickets come after the handshake: read an answer, so that they would have been seen.
    stream
        .write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .expect("the server reads");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .expect("an orderly end");
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    assert!(store.take_tls13_ticket(&server_name()).is_none());
    bench.stop().await;
}

/// `openssl s_client`, another implementation than ours: what it said, and whether it connected.
async fn s_client(bench: &Bench, arguments: &[&str], request: &'static [u8]) -> (bool, String) {
    let mut command = tokio::process::Command::new("openssl");
    command
        .args([
            "s_client",
            "-connect",
            &bench.address().to_string(),
            "-servername",
            "localhost",
        ])
        .arg("-CAfile")
        .arg(bench.ca_file())
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("openssl is installed");
    let mut stdin = child.stdin.take().expect("piped");
    // It may have given up already.
    let _gone = stdin.write_all(request).await;
    drop(stdin);
    let output = super::within(child.wait_with_output(), "openssl ends").await;
    let output = output.expect("openssl runs");
    let words = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    )
}

#[tokio::test]
async fn openssl_is_refused_below_tls_1_3_and_gets_no_ticket_at_it() {
    let bench = Bench::new().await;
    let request = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // 0: the client's own minimum must not be what refuses.
    for version in ["-tls1", "-tls1_1", "-tls1_2"] {
        let arguments = [version, "-cipher", "ALL:@SECLEVEL=0"];
        let (connected, words) = s_client(&bench, &arguments, b"").await;
        assert!(!connected, "{version}: {words}");
        // Before 1.2 a client lacks what comes ahead of the version.
        let alerts = ["alert protocol version", "alert handshake failure"];
        assert!(
            alerts.iter().any(|alert| words.contains(alert)),
            "{version}: {words}"
        );
    }
    let (connected, words) = s_client(&bench, &["-tls1_3", "-ign_eof"], request).await;
    assert!(connected, "{words}");
    for part in [
        "New, TLSv1.3, Cipher is TLS_AES_",
        "Verify return code: 0 (ok)",
        "HTTP/1.1 200",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    // With a ticket it prints "Post-Handshake New Session Ticket arrived".
    assert!(!words.contains("Session Ticket"), "{words}");
    // Early data has nothing to be sent with.
    assert!(
        words.contains("Max Early Data: 0") || !words.contains("Max Early Data"),
        "{words}"
    );
    bench.stop().await;
}

/// A TLS 1.2 client's first flight (RFC 5246 §7.4.1.2): no `supported_versions`. Our own TLS
/// library is built without 1.2 and cannot make one.
fn tls12_client_hello() -> Vec<u8> {
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 23, // supported_groups: secp256r1
        0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
        0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
    ];
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 2, 0xc0, 0x2b, 1, 0]); // ECDHE-ECDSA-AES128-GCM-SHA256
    body.extend_from_slice(&[0, u8::try_from(extensions.len()).expect("short")]);
    body.extend_from_slice(extensions);
    let length = u8::try_from(body.len()).expect("short");
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend_from_slice(&body);
    record
}

#[tokio::test]
async fn large_headers_pass_and_larger_ones_do_not() {
    let bench = Bench::new().await;
    let client = bench.client();
    let token = bench.token("p");
    let padded = |bytes: usize| {
        format!(
            "/rtc/validate?pad={}&access_token={token}",
            "x".repeat(bytes)
        )
    };
    let answer = client.get(&padded(50_000)).await;
    assert_eq!(
        (answer.status.as_str(), answer.body.as_str()),
        ("200", "success")
    );
    // RFC 6585 §5, RFC 9110 §15.5.15.
    let answer = client.get(&padded(70_000)).await;
    assert!(
        ["431", "414", "400"].contains(&answer.status.as_str()),
        "{answer:?}"
    );
    let many: Vec<_> = (0..200).map(|_| ("x-a", "b")).collect();
    assert_eq!(client.request("GET", "/healthz", &many).await.status, "431");
    bench.stop().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_harms_nobody() {
    let bench = Bench::new().await;
    let client = bench.client();
    for garbage in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = client.connect().await.expect("TLS");
        stream.write_all(garbage).await.expect("the server reads");
        stream.shutdown().await.expect("half closed");
        let mut answer = Vec::new();
        // Refused with words or cut off: both are fine, staying open is not.
        if stream.read_to_end(&mut answer).await.is_ok() {
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"));
        }
    }
    assert_eq!(client.get("/healthz").await.status, "200");
    bench.stop().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let bench = Bench::new().await;
    let client = bench.client();
    for path in [
        "/",
        "/consult",
        "/app.js",
        "/healthz",
        "/rtc/validate",
        "/nowhere",
    ] {
        let answer = client.get(path).await;
        let header = |name: &str| answer.header(name).unwrap_or_default();
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
             media-src 'self' blob:; connect-src 'self' wss:; worker-src 'self' blob:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert!(
            header("strict-transport-security").starts_with("max-age="),
            "{path}"
        );
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert!(
            header("permissions-policy").contains("camera=(self)"),
            "{path}"
        );
        assert!(
            header("cache-control") == "no-store" || header("etag").starts_with('"'),
            "{path}: {answer:?}"
        );
    }
    bench.stop().await;
}

#[tokio::test]
async fn the_page_is_served_and_revalidated() {
    let bench = Bench::new().await;
    let client = bench.client();
    let index = client.get("/").await;
    if index.status == "503" {
        // Built without the page: says what to do, and the rest works.
        assert!(index.body.contains("cargo xtask build"), "{}", index.body);
    } else {
        assert_eq!(index.status, "200");
        assert!(index.body.contains("/app.js"), "{}", index.body);
        assert_eq!(client.get("/consult").await.body, index.body);
        assert!(
            index.body.contains("Trial: not for patients"),
            "{}",
            index.body
        );
        let script = client.get("/app.js").await;
        let etag = script.header("etag").expect("tagged").to_owned();
        let again = client
            .request("GET", "/app.js", &[("If-None-Match", &etag)])
            .await;
        assert_eq!((again.status.as_str(), again.body.as_str()), ("304", ""));
        let squeezed = client.request("GET", "/app.js", &[("Accept-Encoding", "br, gzip;q=0.8")]);
        assert_eq!(squeezed.await.header("content-encoding"), Some("gzip"));
        assert_eq!(client.get("/app.js").await.header("content-encoding"), None);
    }
    bench.stop().await;
}

#[tokio::test]
async fn livekits_web_sdk_can_ask_whether_the_network_is_back() {
    let bench = Bench::new().await;
    let answer = bench
        .client()
        .request("HEAD", "/", &[("Origin", "https://ehr.example")])
        .await;
    assert_eq!(answer.status, "200");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    bench.stop().await;
}

#[tokio::test]
async fn preflights_are_answered() {
    let bench = Bench::new().await;
    let client = bench.client();
    for path in ["/", "/rtc/validate", "/rtc/v1/validate"] {
        let answer = client
            .request(
                "OPTIONS",
                path,
                &[("Access-Control-Request-Headers", "authorization")],
            )
            .await;
        assert_eq!(answer.status, "204", "{path}");
        let header = |name: &str| answer.header(name).unwrap_or_default();
        assert!(
            header("access-control-allow-headers").contains("Authorization"),
            "{path}"
        );
        assert!(
            header("access-control-allow-methods").contains("PATCH"),
            "{path}"
        );
        assert_eq!(header("access-control-max-age"), "86400", "{path}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused() {
    let bench = Bench::new().await;
    let error = crate::start(super::config(bench.scratch.path()))
        .await
        .expect_err("the first one runs");
    assert!(
        error.to_string().contains("another `bedside serve`"),
        "{error}"
    );
    bench.stop().await;
}

#[tokio::test]
async fn every_documented_route_is_served() {
    let bench = Bench::new().await;
    let client = bench.client();
    let page = include_str!("../../../../docs/reference/http.md");
    let routes: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .filter_map(|(route, _)| route.split_once(" /"))
        .collect();
    assert!(routes.len() > 10, "{routes:?}");
    let page_is_built = client.get("/").await.status == "200";
    for (method, path) in routes {
        if path.starts_with("app.") && !page_is_built {
            continue;
        }
        let answer = client
            .request(method, &format!("/{path}"), &[("Content-Length", "0")])
            .await;
        let unserved = ["nothing is served here", "there is no such method"]
            .iter()
            .any(|words| answer.body.contains(words));
        assert!(
            !unserved && answer.status != "405",
            "{method} /{path}: {answer:?}"
        );
    }
    bench.stop().await;
}

#[tokio::test]
async fn changed_keys_and_certificates_are_taken() {
    let bench = Bench::new().await;
    let data = bench.scratch.path().join("data");
    let old = bench.token("p");
    let certificate = async || {
        let stream = bench.client().connect().await.expect("listens");
        let chain = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec);
        chain.expect("shown")
    };
    let before = certificate().await;
    let keys = format!("new: {}\n", "s".repeat(32));
    crate::files::write_secret(&data.join("api-keys"), &keys).expect("ours");
    // The server misses it and makes another.
    std::fs::remove_file(data.join("development-tls.pem")).expect("ours");
    tokio::time::pause();
    while bench.running.first_api_key().0 != "new" {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    let path = format!("/rtc/validate?access_token={old}");
    assert_eq!(bench.client().get(&path).await.status, "401");
    let after = certificate().await;
    assert_ne!(after, before);

    // One that cannot be used changes nothing, and both are in the audit log. The key is another
    // one's: in development mode a certificate that cannot be read would be made anew.
    let other = crate::testing::scratch();
    let (files, _) = crate::tls::ensure_development_certificate(other.path(), &[]).expect("made");
    std::fs::copy(files.key, data.join("development-tls.key")).expect("ours");
    tokio::time::pause();
    tokio::time::sleep(2 * crate::limits::FILE_CHECK_INTERVAL).await;
    tokio::time::resume();
    let archive = bench.running.ledger.archive().clone();
    let changes = async || {
        let entries = archive.entries(0, 1_000).await.expect("reads");
        let texts = entries
            .into_iter()
            .map(|entry| String::from_utf8(entry.body).expect("JSON"));
        texts
            .filter(|text| text.contains("key.certificate"))
            .collect::<Vec<_>>()
    };
    let recorded = async {
        while changes().await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    super::within(recorded, "both changes are recorded").await;
    let changes = changes().await;
    assert!(!changes[0].contains("certificate_refused"), "{changes:?}");
    assert!(changes[1].contains("certificate_refused"), "{changes:?}");
    assert_eq!(certificate().await, after);
    bench.stop().await;
}
