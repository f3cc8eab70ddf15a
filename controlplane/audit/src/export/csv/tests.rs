use super::*;
use crate::Fact;

/// Cells of a line, as RFC 4180 says to read them.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let (mut quoted, mut characters) =
        (false, line.strip_suffix("\r\n").unwrap().chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cells.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

#[test]
fn a_line_has_what_the_header_says() {
    let mut entry = crate::sealer::tests::joined();
    entry.reason = Some("=HYPERLINK(\"http://203.0.113.9\")".to_owned());
    entry
        .facts
        .insert("quote".to_owned(), Fact::from("a \"b\",\r\n"));
    let names = cells(CSV_HEADER);
    let values = cells(&csv_row(7, &entry));
    assert_eq!(names.len(), values.len());
    let cell = |name: &str| values[names.iter().position(|other| other == name).unwrap()].as_str();
    assert_eq!(cell("index"), "7");
    assert_eq!(cell("time"), "2026-11-24T12:44:34.123456Z");
    assert_eq!(cell("recorded"), "2026-11-24T12:44:39.123000Z");
    assert_eq!(cell("action"), "room.join");
    assert_eq!(cell("outcome"), "success");
    assert_eq!(cell("reason"), "'=HYPERLINK(\"http://203.0.113.9\")");
    assert_eq!(cell("actor_kind"), "patient");
    assert_eq!(cell("actor"), cell("patient"));
    assert_eq!(cell("role"), "patient");
    assert_eq!(cell("network"), "203.0.113.0/24");
    assert_eq!(cell("authentication"), "link");
    assert_eq!(cell("encounter"), "RM_abc");
    assert_eq!(cell("purpose"), "TREAT");
    assert_eq!(cell("policies"), "join");
    let facts: serde_json::Value = serde_json::from_str(cell("facts")).unwrap();
    assert_eq!(facts["quote"], "a \"b\",\r\n");
    assert_eq!(
        cell("detail"),
        entry.detail_enc.unwrap().key_id().to_string()
    );
}
