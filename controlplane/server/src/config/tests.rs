use super::*;

/// What is refused about a file's text, in words.
fn refused(text: &str) -> String {
    match Config::from_toml(text).and_then(|config| config.check()) {
        Ok(()) => panic!("not refused: {text}"),
        Err(error) => error.to_string(),
    }
}

fn accepted(text: &str) -> Config {
    let config = Config::from_toml(text).expect(text);
    config.check().expect(text);
    config
}

/// A trial on one machine.
const TRIAL: &str = "profile = 'trial'\ntls.development = true\n";

#[test]
fn an_empty_file_lacks_a_certificate_and_its_name() {
    let words = refused("");
    assert!(words.contains("`tls.certificate_file`"), "{words}");
    assert!(words.contains("`public_url`"), "{words}");
    let config = accepted(TRIAL);
    assert_eq!(config.listen, ["127.0.0.1:7880".parse().expect("address")]);
    assert_eq!(
        config.admin_socket(),
        PathBuf::from("/var/lib/bedside/admin.sock")
    );
}

#[test]
fn an_unknown_key_is_named() {
    for text in [
        "lisen = ['127.0.0.1:1']",
        "[media]\nstun_servers = ['stun.example.org']",
        "[rooms]\nmax_participant = 3",
        "[tls]\nmin_version = '1.2'",
    ] {
        let words = refused(text);
        assert!(words.contains("unknown field"), "{words}");
    }
    let words = refused("lisen = ['127.0.0.1:1']");
    assert!(words.contains("did you mean `listen`?"), "{words}");
    let words = refused("[rooms]\nmax_participant = 3");
    assert!(
        words.contains("did you mean `max_participants`?"),
        "{words}"
    );
    let words = refused("colour = 'red'");
    assert!(!words.contains("did you mean"), "{words}");
}

#[test]
fn what_is_absent_on_purpose_says_why() {
    for (text, rule) in [
        ("[media]\nstun_servers = ['stun.example.org']", Rule::RELAY),
        ("[media]\nturn = 'turn.example.org'", Rule::RELAY),
        ("[tls]\nmin_version = '1.2'", Rule::TLS),
        ("[tls]\nsession_tickets = true", Rule::TLS),
        ("cors_origins = ['*']", Rule::DEBUG),
        ("[media]\nsdes = true", Rule::TRANSPORT),
    ] {
        let words = refused(text);
        assert!(words.contains(rule.citation), "{words}");
        assert!(words.contains("remove it"), "{words}");
    }
}

#[test]
fn a_trial_is_not_for_others() {
    let files =
        "public_url = 'https://a.example'\ntls.certificate_file = 'c'\ntls.key_file = 'k'\n";
    accepted(&format!(
        "profile = 'trial'\nlisten = ['127.0.0.1:443']\n{files}"
    ));
    let words = refused(&format!(
        "profile = 'trial'\nlisten = ['192.0.2.1:443']\n{files}"
    ));
    assert!(words.contains("`profile`"), "{words}");
    accepted(&format!("listen = ['192.0.2.1:443']\n{TRIAL}"));
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    let check = |text: &str, expected: &str| {
        let words = refused(&format!("{TRIAL}{text}"));
        assert!(words.contains(expected), "{words}");
    };
    check("listen = []", "listen");
    for url in [
        "http://a.example",
        "https://",
        "https://a.example/",
        "https://a.example/consult",
        "https://u:p@a.example",
        "https://a.example?x",
        "a.example",
    ] {
        check(&format!("public_url = '{url}'"), "public_url");
    }
    check("tls.key_file = 'k'", "tls.development");
    check("media.listen = ['0.0.0.0']", "media.public_addresses");
    check("media.listen = []", "media.listen");
    check("media.public_addresses = ['::']", "wildcard");
    check("rooms.signal_lost_timeout_s = 14", "15 to 300");
    check("rooms.video_codecs = []", "rooms.video_codecs");
    check("rooms.video_codecs = ['opus']", "rooms.video_codecs");
    check("rooms.video_codecs = ['theora']", "unknown variant");
    check("webhooks.urls = ['http://ehr.example/hook']", "https://");
    check("webhooks.urls = ['ehr.example']", "https://");
}

#[test]
fn every_setting_reaches_its_field() {
    let config = accepted(
        r#"
        listen = ["10.0.0.5:443", "[::1]:443"]
        public_url = "https://consult.example:8443"
        data_directory = "/srv/bedside"
        dataplane_socket = "/run/dp.sock"
        admin_socket = "/run/admin.sock"
        api_keys_file = "/etc/bedside/keys"
        [tls]
        certificate_file = "/etc/bedside/tls.pem"
        key_file = "/etc/bedside/tls.key"
        ca_file = "/etc/bedside/ca.pem"
        [media]
        listen = ["0.0.0.0"]
        port = 5000
        workers = 3
        pin = false
        public_addresses = ["192.0.2.7"]
        aead_only = true
        dtls13_only = true
        [rooms]
        auto_create = false
        empty_timeout_s = 1
        departure_timeout_s = 2
        max_participants = 3
        participants_per_worker = 50
        video_codecs = ["h264", "vp8"]
        signal_lost_timeout_s = 40
        [webhooks]
        urls = ["https://ehr.example/hook", "http://127.0.0.1:9/hook", "http://[::1]:9/"]
        api_key = "k1"
        ca_file = "/etc/bedside/hooks.pem"
        "#,
    );
    assert_eq!(
        config.public_url.as_deref(),
        Some("https://consult.example:8443")
    );
    let dataplane = config.dataplane();
    assert_eq!(
        (dataplane.workers, dataplane.port, dataplane.pin),
        (3, 5000, false)
    );
    assert!(dataplane.policy.aead_only && dataplane.policy.dtls13_only);
    assert_eq!(config.api_keys_file(), PathBuf::from("/etc/bedside/keys"));
    assert_eq!(config.admin_socket(), PathBuf::from("/run/admin.sock"));
    assert_eq!(config.rooms.signal_lost_timeout_s, 40);
    assert_eq!(config.rooms.participants_per_worker, 50);
    assert_eq!(config.rooms.video_codecs, [Codec::H264, Codec::Vp8]);
    assert_eq!(config.webhooks.urls.len(), 3);
}

/// The page that documents every setting.
const PAGE: &str = include_str!("../../../../docs/reference/configuration.md");

#[test]
fn the_pages_examples_are_accepted() {
    let examples: Vec<_> = PAGE
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        accepted(example);
    }
}

#[test]
fn the_page_names_every_setting() {
    // The refusal of an unknown key lists the known ones.
    let settings = |section: &str| -> Vec<String> {
        let text = format!(
            "{section}{}no_such_setting = 1",
            if section.is_empty() { "" } else { "." }
        );
        let words = refused(&text);
        let (_, listed) = words.split_once("expected").expect("a list");
        listed
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let sections = [
        "tls",
        "media",
        "rooms",
        "webhooks",
        "audit",
        "identity",
        "policy",
        "telemetry",
        "retention",
    ];
    let top = settings("");
    for setting in &top {
        let heading = format!("## `[{setting}]`");
        let row = format!("| `{setting}` |");
        let wanted = if sections.contains(&setting.as_str()) {
            heading
        } else {
            row
        };
        assert!(PAGE.contains(&wanted), "{wanted}");
    }
    assert_eq!(top.len(), 18);
    for section in sections {
        for setting in settings(section) {
            let row = format!("| `{section}.{setting}` |");
            assert!(PAGE.contains(&row), "{row}");
        }
    }
}
