use super::*;

#[test]
fn a_line_is_json_and_gives_the_bytes_back() {
    let bytes = crate::sealer::tests::joined().to_bytes();
    let line = json_line(12, &bytes);
    let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(value["index"], 12);
    assert_eq!(
        value["entry"],
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    );
    assert_eq!(
        JsonLine::parse(&line),
        Ok(JsonLine {
            index: 12,
            bytes: &bytes
        })
    );
    for index in 0..line.len() - 1 {
        let mut changed = line.clone();
        changed[index] ^= 1;
        let read = JsonLine::parse(&changed);
        // The index is not part of the entry; its place is shown by proof.
        assert!(
            read.is_err() || read.unwrap().bytes == bytes,
            "byte {index}"
        );
    }
}

#[test]
fn never_panics() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        assert!(JsonLine::parse(bytes).is_err());
        let line = json_line(3, bytes);
        if let Ok(read) = JsonLine::parse(&line) {
            assert_eq!(read.bytes, bytes);
        }
    });
}
