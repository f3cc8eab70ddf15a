use super::*;
use bolero::check;

fn tags(fields: &[&[u8]]) -> Result<Vec<String>, u16> {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(IF_MATCH, HeaderValue::from_bytes(field).expect("printable"));
    }
    if_match(&headers).map_err(|refused| refused.0.status)
}

#[test]
fn entity_tags_are_taken_from_every_field() {
    let check = |fields: &[&[u8]], expected: &[&str]| {
        assert_eq!(tags(fields).expect("some"), expected);
    };
    check(&[b"\"a\""], &["\"a\""]);
    check(&[b"\"a\" ,\"b\"", b"\"c\""], &["\"a\"", "\"b\"", "\"c\""]);
    check(&[b"*"], &["*"]);
    check(&[b" \"*\" "], &["*"]);
    check(&[b"W/\"a\""], &["W/\"a\""]);
    check(&[b"\xff", b"\"a\""], &["\"a\""]);
    assert_eq!(tags(&[]), Err(428));
    for none in [&b""[..], b" , ,", b"\xff"] {
        assert_eq!(tags(&[none]), Err(428));
    }
}

#[test]
fn no_field_breaks_the_reader_or_makes_much_work() {
    check!().for_each(|field: &[u8]| {
        if HeaderValue::from_bytes(field).is_ok()
            && let Ok(tags) = tags(&[field])
        {
            assert!((1..=ENTITY_TAGS_MAX).contains(&tags.len()));
        }
    });
}
