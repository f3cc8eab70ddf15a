use super::*;
use serde_json::Value;

const ENTRY: &str = concat!(
    r#"{"action":"room.join","actor":{"kind":"system"},"facts":{"a":1,"b":true,"c":"x"},"#,
    r#""id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f","outcome":"denied","purpose":"TREAT","#,
    r#""reason":"link_used","salt":"AAAAAAAAAAAAAAAAAAAAAA==","ts":"2022-02-22T19:22:22.000000Z","v":1}"#
);

/// Canonical JSON by another way: members sorted by a map.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            let members = sorted.into_iter();
            let members = members.map(|(name, value)| {
                format!("{}:{}", Value::from(name.as_str()), canonical(value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(canonical).collect::<Vec<_>>().join(",")
            )
        }
        simple => simple.to_string(),
    }
}

#[test]
fn the_bytes_are_canonical() {
    let entry = Entry::parse(ENTRY.as_bytes()).unwrap();
    assert_eq!(entry.action, Action::Join);
    let full = crate::sealer::tests::joined();
    for bytes in [entry.to_bytes(), full.to_bytes()] {
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(canonical(&value).as_bytes(), bytes);
    }
}

#[test]
fn other_writings_of_an_entry_are_refused() {
    let not_canonical = [
        ENTRY.replace(",\"v\"", ", \"v\""),
        ENTRY.replace("{\"kind\"", "{\"authn\":null,\"kind\""),
        ENTRY.replace(r#""v":1}"#, r#""v":1,"facts":{}}"#),
        ENTRY.replace("link_used", "link\\u005fused"),
        format!("{ENTRY}\n"),
    ];
    for text in not_canonical {
        assert!(Entry::parse(text.as_bytes()).is_err(), "{text}");
    }
    let malformed = [
        ENTRY.replace("\"v\":1", "\"v\":2"),
        ENTRY.replace("\"v\":1", "\"v\":1,\"w\":1"),
        ENTRY.replace("room.join", "room.jump"),
        ENTRY.replace("AAAA==", "AA=="),
        ENTRY.replace("\"a\":1", "\"a\":1.5"),
        ENTRY.replace("\"a\":1", "\"a\":-1"),
        String::new(),
    ];
    for text in malformed {
        assert_eq!(
            Entry::parse(text.as_bytes()),
            Err(AuditError::Malformed("entry")),
            "{text}"
        );
    }
    let long = vec![b' '; ENTRY_BYTES_MAX + 1];
    assert!(matches!(
        Entry::parse(&long),
        Err(AuditError::EntryTooLarge { .. })
    ));
}

#[test]
fn networks() {
    for (address, expected) in [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::1", "::/48"),
    ] {
        assert_eq!(network(address.parse().unwrap()), expected);
    }
}

#[test]
fn bytes_never_panic() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        if let Ok(entry) = Entry::parse(bytes) {
            assert_eq!(entry.to_bytes(), *bytes);
        }
    });
}

#[test]
fn an_entry_with_a_changed_byte_never_panics() {
    bolero::check!()
        .with_type::<(usize, u8)>()
        .for_each(|&(index, byte)| {
            let mut bytes = ENTRY.as_bytes().to_vec();
            let index = index % bytes.len();
            bytes[index] = byte;
            if let Ok(entry) = Entry::parse(&bytes) {
                assert_eq!(entry.to_bytes(), bytes);
            }
        });
}
