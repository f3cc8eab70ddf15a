use super::*;
use crate::baa::Agreement;
use crate::tls;

/// What is refused about a file's text, in words.
fn refused(text: &str) -> String {
    match Config::from_toml(text) {
        Ok(config) => {
            let refusals = judged(&config, &Register::default());
            assert!(!refusals.is_empty(), "not refused: {text}");
            refusals.to_string()
        }
        Err(error) => error.to_string(),
    }
}

fn accepted(text: &str) -> Config {
    let config = Config::from_toml(text).expect(text);
    let words = judged(&config, &Register::default()).to_string();
    assert_eq!(words, "", "{text}");
    config
}

/// Without the files that it names.
fn judged(config: &Config, register: &Register) -> Refusals {
    let mut refusals = Refusals::default();
    let today = "2026-11-24".parse().expect("a day");
    config.judge(register, today, &mut refusals);
    refusals
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
        ("debug = true", Rule::DEBUG),
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
        own_hosts = ["ehr.example"]
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
        "recording",
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
    assert_eq!(top.len(), 20);
    for section in sections {
        for setting in settings(section) {
            let row = format!("| `{section}.{setting}` |");
            assert!(PAGE.contains(&row), "{row}");
        }
    }
}

/// A file that the `hipaa` profile accepts.
const HIPAA: &str = "public_url = 'https://consult.example'\n\
     tls.certificate_file = 'c'\ntls.key_file = 'k'\n";

/// For every rule, files that break it and nothing else, and that a trial may break.
#[test]
fn every_rule_refuses_what_it_names_in_the_hipaa_profile_alone() {
    let check = |rule: Rule, setting: &str, text: &str| {
        let text = format!("{HIPAA}{text}");
        let config = Config::from_toml(&text).expect(&text);
        let refusals = judged(&config, &Register::default());
        let broken: Vec<_> = refusals
            .iter()
            .filter(|refusal| refusal.rule.is_some())
            .collect();
        let [refusal] = broken.as_slice() else {
            panic!("{text}: {refusals}");
        };
        assert_eq!(
            (refusal.rule, refusal.setting.as_str()),
            (Some(rule), setting),
            "{refusal}"
        );
        let words = refusal.to_string();
        for part in [setting, rule.name, rule.citation, &refusal.remedy] {
            assert!(words.contains(part) && !part.is_empty(), "{words}");
        }
        let trial = Config::from_toml(&format!("profile = 'trial'\n{text}")).expect(&text);
        let broken_too = judged(&trial, &Register::default())
            .iter()
            .any(|refusal| refusal.rule.is_some());
        assert_eq!(broken_too, rule == Rule::TRANSPORT, "{text}");
    };
    accepted(HIPAA);
    check(
        Rule::AGREEMENT,
        "webhooks.urls",
        "webhooks.urls = ['https://ehr.example/h']",
    );
    let identity = "identity.client_id = 'b'\nidentity.roles = { d = 'clinician' }\n";
    check(
        Rule::AGREEMENT,
        "identity.issuer",
        &format!("{identity}identity.issuer = 'https://id.example'"),
    );
    check(
        Rule::AGREEMENT,
        "audit.witnesses",
        "[[audit.witnesses]]\nurl = 'https://w.example'\nvkey = 'w+1+k'",
    );
    check(
        Rule::AGREEMENT,
        "telemetry.otlp_endpoint",
        "telemetry.otlp_endpoint = 'https://otel.example:4318'",
    );
    let local = "identity.issuer = 'http://localhost:5556'\n";
    check(
        Rule::WORKFORCE,
        "identity.mfa_amr",
        &format!("{identity}{local}identity.mfa_amr = []"),
    );
    check(
        Rule::LOGOFF,
        "identity.clinician_idle_s",
        "identity.clinician_idle_s = 901",
    );
    check(
        Rule::LOGOFF,
        "identity.session_s",
        "identity.session_s = 43201",
    );
    check(
        Rule::TRANSPORT,
        "webhooks.urls",
        "own_hosts = ['e.example']\nwebhooks.urls = ['http://e.example']",
    );
    check(
        Rule::TRANSPORT,
        "identity.issuer",
        &format!("own_hosts = ['id.example']\n{identity}identity.issuer = 'http://id.example'"),
    );
    check(
        Rule::METRICS,
        "telemetry.metrics_listen",
        "telemetry.metrics_listen = '203.0.113.4:9090'",
    );
    check(
        Rule::METRICS,
        "telemetry.metrics_listen",
        "telemetry.metrics_listen = '0.0.0.0:9090'",
    );
    check(
        Rule::RETENTION,
        "retention.audit_years",
        "retention.audit_years = 5",
    );
    check(Rule::ORIGINS, "allowed_origins", "allowed_origins = ['*']");
    check(
        Rule::CONSENT,
        "recording.consent",
        "recording.enabled = true",
    );
    for address in ["127.0.0.1:9090", "10.0.0.4:9090", "[fd00::1]:9090"] {
        accepted(&format!("{HIPAA}telemetry.metrics_listen = '{address}'"));
    }
    let development = "profile = 'hipaa'\ntls.development = true";
    let words = refused(development);
    assert!(words.contains("[tls, 45 CFR 164.312(e)(2)(ii)]"), "{words}");
}

#[test]
fn everything_is_refused_at_once() {
    let text = "tls.development = true\nallowed_origins = ['*']\nmedia.listen = []\n\
                webhooks.urls = ['https://a.example', 'https://b.example']";
    let words = refused(text);
    assert_eq!(words.lines().count(), 5, "{words}");
}

#[test]
fn an_agreement_in_force_lets_a_host_pass() {
    let text = format!("{HIPAA}webhooks.urls = ['https://EHR.example/h', 'http://127.0.0.1:9/']");
    let config = Config::from_toml(&text).expect("complete");
    let with = |expires: &str, host: &str| {
        let mut register = Register::default();
        let agreement = Agreement {
            entity: "Example Records, Inc.".to_owned(),
            agreement: "A-7".to_owned(),
            expires: expires.parse().expect("a day"),
            hosts: vec![host.to_owned()],
        };
        let early = "2020-01-01".parse().expect("a day");
        register.add(agreement, early).expect("good");
        judged(&config, &register).to_string()
    };
    assert_eq!(with("2026-11-24", "ehr.example"), "");
    let words = with("2026-11-23", "ehr.example");
    assert!(
        words.contains("agreement A-7 with Example Records, Inc. ended on 2026-11-23"),
        "{words}"
    );
    let words = with("2027-11-23", "other.example");
    assert!(words.contains("without an agreement"), "{words}");
    let own = format!("own_hosts = ['ehr.example']\n{text}");
    accepted(&own);
}

#[test]
fn files_with_secrets_are_looked_at() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = crate::testing::scratch();
    let path = |name: &str| scratch.path().join(name);
    let write = |name: &str, text: &str, mode: u32| {
        std::fs::write(path(name), text).expect("ours");
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).expect("ours");
    };
    let url = "postgres://u:secret@db.example/audit";
    write("postgres", url, 0o600);
    write("key", "k", 0o644);
    write("c", "no PEM", 0o644);
    let config = Config {
        data_directory: scratch.path().to_owned(),
        api_keys_file: Some(path("absent")),
        tls: TlsConfig {
            certificate_file: Some(path("c")),
            key_file: Some(path("key")),
            ..TlsConfig::default()
        },
        audit: AuditConfig {
            postgres_url_file: Some(path("postgres")),
            ..AuditConfig::default()
        },
        public_url: Some("https://consult.example".to_owned()),
        ..Config::default()
    };
    let words = config.refusals().to_string();
    let lines: Vec<_> = words.lines().collect();
    let [agreement, key, keys, certificate, transport] = lines.as_slice() else {
        panic!("{words}");
    };
    assert!(
        agreement.contains("names db.example, an outside host"),
        "{agreement}"
    );
    assert!(
        key.contains("[key-files, 45 CFR 164.312(a)(1)]") && key.contains("mode 644"),
        "{key}"
    );
    assert!(keys.contains("`api_keys_file`"), "{keys}");
    assert!(
        certificate.contains("holds no PEM certificate"),
        "{certificate}"
    );
    assert!(transport.contains("sslmode=verify-full"), "{transport}");
    assert!(!words.contains("secret"), "{words}");

    write("key", "k", 0o640);
    let (files, _) = tls::ensure_development_certificate(scratch.path(), &[]).expect("made");
    std::fs::copy(files.certificate, path("c")).expect("ours");
    write("absent", "k", 0o600);
    write("postgres", &format!("{url}?sslmode=verify-full\n"), 0o600);
    let config = Config {
        own_hosts: vec!["db.example".to_owned()],
        ..config
    };
    assert_eq!(config.refusals().to_string(), "");
    write("postgres", "db.example", 0o600);
    let words = config.refusals().to_string();
    assert!(words.contains("holds no PostgreSQL URL"), "{words}");
}

#[test]
fn the_page_has_every_rule() {
    for rule in Rule::ALL {
        let row = format!("| `{}` | {} | {} |", rule.name, rule.citation, rule.refuses);
        assert!(PAGE.contains(&row), "{row}");
    }
    let rows = PAGE
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains("45 CFR"))
        .count();
    assert_eq!(rows, Rule::ALL.len());
}
