use super::*;
use crate::testing::scratch;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn keys_are_read_in_order() {
    let keys = ApiKeys::parse(&format!("# ours\n\nk1: {SECRET}\n k2 :{SECRET}:x \n"))
        .expect("well-formed");
    assert_eq!(keys.names().collect::<Vec<_>>(), ["k1", "k2"]);
    assert_eq!(
        keys.secret("k2").map(|secret| secret.expose().clone()),
        Some(format!("{SECRET}:x"))
    );
    assert!(keys.secret("k3").is_none());
}

#[test]
fn a_refusal_names_the_line_and_never_the_secret() {
    for (text, expected) in [
        ("".to_owned(), "no API key"),
        ("k1 canary-secret".to_owned(), "line 1"),
        (format!("k1: {SECRET}\nk2: canary-secret"), "line 2"),
        (format!("k1: {SECRET}\nk1: {SECRET}"), "repeats"),
        (format!(": {SECRET}"), "line 1"),
    ] {
        let words = ApiKeys::parse(&text).expect_err(&text);
        assert!(words.contains(expected), "{words}");
        assert!(
            !words.contains("canary") && !words.contains(SECRET),
            "{words}"
        );
    }
}

#[test]
fn a_made_file_can_be_read_and_is_kept() {
    let scratch = scratch();
    let path = scratch.path().join("api-keys");
    ApiKeys::make(&path).expect("made");
    let first = ApiKeys::read(&path).expect("well-formed");
    ApiKeys::make(&path).expect("kept");
    let second = ApiKeys::read(&path).expect("well-formed");
    let name = first.names().next().expect("one key").to_owned();
    assert!(name.starts_with("API"), "{name}");
    assert!(first.secret(&name) == second.secret(&name));
}
