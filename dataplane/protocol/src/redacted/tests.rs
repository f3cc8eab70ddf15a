use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    #[serde(serialize_with = "exposed")]
    name: Phi<String>,
    #[serde(serialize_with = "exposed")]
    key: Secret<String>,
}

#[test]
fn debug_text_never_holds_the_value() {
    let row = Row {
        name: Phi::new("canary".to_owned()),
        key: Secret::new("canary".to_owned()),
    };
    assert_eq!(
        format!("{row:?} {row:#?}").matches("canary").count(),
        0,
        "{row:?}"
    );
}

#[test]
fn what_is_exposed_comes_back() {
    let row = Row {
        name: Phi::new("Ada".to_owned()),
        key: Secret::new("one".to_owned()),
    };
    let text = serde_json::to_string(&row).expect("strings");
    assert_eq!(text, r#"{"name":"Ada","key":"one"}"#);
    assert_eq!(serde_json::from_str::<Row>(&text).expect("the same"), row);
}

#[test]
fn an_error_of_reading_does_not_quote_the_value() {
    let check = |text: &str| {
        let wrong = serde_json::from_str::<Phi<u32>>(text).expect_err("not a number");
        assert!(!wrong.to_string().contains("anary"), "{wrong}");
        let wrong = serde_json::from_str::<Secret<u32>>(text).expect_err("not a number");
        assert!(!wrong.to_string().contains("anary"), "{wrong}");
    };
    check(r#""canary""#);
    check(r#"{"canary":1}"#);
    // What a plain type does, for comparison.
    let quoted = serde_json::from_str::<u32>(r#""canary""#).expect_err("not a number");
    assert!(quoted.to_string().contains("canary"));
}

#[test]
fn secrets_are_equal_by_value() {
    let secret = |text: &str| Secret::new(text.to_owned());
    assert_eq!(secret("a"), secret("a"));
    assert_ne!(secret("a"), secret("b"));
    assert_ne!(secret("a"), secret("aa"));
}
