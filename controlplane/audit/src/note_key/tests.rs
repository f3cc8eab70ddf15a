use super::*;
use proptest::prelude::*;

/// The key pair of the Go package `note`'s documentation.
const PRIVATE: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn keys_of_other_tools_are_read_and_written() {
    let key = LogKey::from_text(&Secret::new(PRIVATE.to_owned())).unwrap();
    assert_eq!(key.verifying_key().to_string(), PUBLIC);
    assert_eq!(key.to_text().expose(), PRIVATE);
    assert_eq!(PUBLIC.parse(), Ok(key.verifying_key()));
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert_eq!(key.sign(text).unwrap().to_bytes(), line.as_bytes());
    assert_eq!(format!("{key:?}"), format!("LogKey({PUBLIC:?})"));
}

#[test]
fn wrong_keys_are_refused() {
    for name in ["", "a b", "a+b", "a\nb", "a\0b"] {
        assert!(LogKey::new(name, Secret::new([1; 32])).is_err(), "{name:?}");
    }
    let wrong = [
        "",
        "PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AoEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK",
        PUBLIC,
    ];
    for text in wrong {
        assert!(
            LogKey::from_text(&Secret::new(text.to_owned())).is_err(),
            "{text}"
        );
    }
    for text in [
        "",
        PRIVATE,
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a3+AQ==",
    ] {
        assert!(text.parse::<VerifyingKey>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in "(PRIVATE\\+KEY\\+)?[a-z]{0,3}\\+?[0-9a-f]{0,8}\\+?[A-Za-z0-9+/=]{0,50}") {
        if let Ok(key) = text.parse::<VerifyingKey>() {
            prop_assert_eq!(key.to_string(), text.trim_end());
        }
        prop_assert!(LogKey::from_text(&Secret::new(text)).is_err());
    }
}
