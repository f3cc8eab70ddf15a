use super::*;
use crate::testing::scratch;
use std::net::IpAddr;

#[test]
fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
    let scratch = scratch();
    let (files, _) = development::ensure(scratch.path(), &[]).expect("made");
    let certificate = Certificate::read(&files).expect("good");
    let leaf = |certificate: &Certificate| {
        let current = certificate.current.read().expect("not poisoned");
        current.cert.first().cloned().expect("a leaf")
    };
    let first = leaf(&certificate);
    let other: IpAddr = "192.0.2.9".parse().expect("an address");
    development::ensure(scratch.path(), &[other]).expect("made anew");
    certificate.reload(&files).expect("good");
    let second = leaf(&certificate);
    assert_ne!(first, second);

    std::fs::write(&files.certificate, "nothing").expect("ours");
    let words = certificate.reload(&files).expect_err("no PEM").to_string();
    assert!(words.contains("holds no PEM certificate"), "{words}");
    assert_eq!(leaf(&certificate), second);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (ours, theirs) = (scratch(), scratch());
    let (files, _) = development::ensure(ours.path(), &[]).expect("made");
    let (others, _) = development::ensure(theirs.path(), &[]).expect("made");
    let mixed = Files {
        certificate: files.certificate,
        key: others.key,
    };
    let words = Certificate::read(&mixed).expect_err("mixed").to_string();
    assert!(words.contains("do not go together"), "{words}");
}

#[test]
fn the_days_left_are_those_of_a_certificate_that_can_be_used() {
    let scratch = scratch();
    let (files, _) = development::ensure(scratch.path(), &[]).expect("made");
    let mut config = Config::default();
    assert!(matches!(certificate_expiry(&config), Err(Error::Config(_))));
    config.tls.certificate_file = Some(files.certificate.clone());
    config.tls.key_file = Some(files.key.clone());
    for url in [
        "https://localhost",
        "https://localhost:7880",
        "https://[::1]:7880",
    ] {
        config.public_url = Some(url.to_owned());
        let days = certificate_expiry(&config).expect("good");
        assert!((1..=398).contains(&days), "{days}");
    }
    config.public_url = Some("https://consult.example".to_owned());
    let words = certificate_expiry(&config)
        .expect_err("another name")
        .to_string();
    assert!(words.contains("does not name consult.example"), "{words}");
    config.public_url = None;
    let other = scratch.path().join("other");
    std::fs::create_dir(&other).expect("ours");
    let (others, _) = development::ensure(&other, &[]).expect("made");
    config.tls.key_file = Some(others.key);
    assert!(matches!(
        certificate_expiry(&config),
        Err(Error::Certificate(_))
    ));
}

#[test]
fn nothing_can_be_resumed() {
    let scratch = scratch();
    let (files, _) = development::ensure(scratch.path(), &[]).expect("made");
    let config = server_config(Certificate::read(&files).expect("good")).expect("complete");
    assert_eq!(config.send_tls13_tickets, 0);
    assert!(!config.session_storage.can_cache() && !config.ticketer.enabled());
    assert_eq!(config.max_early_data_size, 0);
}
