//! How layers are recognised.

use super::codecs::sdp;
use super::*;
use bedside_protocol::{Encoding, Layer};

fn encodings(attributes: &str) -> Vec<Encoding> {
    let attributes = format!(
        "a=rtpmap:96 VP8/90000\na=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n{attributes}"
    );
    let text = sdp("video", "96", &attributes);
    let mut connection = connection(Role::Single);
    negotiate(&mut connection, &text);
    connection.receivers().remove(0).encodings
}

fn by_rid(attributes: &str) -> Vec<(Layer, String)> {
    let rid = |encoding: &Encoding| encoding.rid.map(|rid| rid.as_str().to_owned());
    let encodings = encodings(attributes);
    let layers = encodings.iter();
    layers
        .map(|encoding| (encoding.layer, rid(encoding).unwrap_or_default()))
        .collect()
}

fn rids(names: &[&str]) -> String {
    let lines: Vec<String> = names
        .iter()
        .map(|name| format!("a=rid:{name} send"))
        .collect();
    format!("{}\na=simulcast:send {}", lines.join("\n"), names.join(";"))
}

fn layers(names: [&str; 3]) -> Vec<(Layer, String)> {
    let named = Layer::ALL.into_iter().zip(names);
    named
        .filter(|(_, name)| !name.is_empty())
        .map(|(layer, name)| (layer, name.to_owned()))
        .collect()
}

#[test]
fn names_of_livekit_s_clients_decide_the_order() {
    assert_eq!(by_rid(&rids(&["q", "h", "f"])), layers(["q", "h", "f"]));
    assert_eq!(by_rid(&rids(&["f", "h", "q"])), layers(["q", "h", "f"]));
    assert_eq!(by_rid(&rids(&["2", "1", "0"])), layers(["2", "1", "0"]));
    assert_eq!(by_rid(&rids(&["q", "h"])), layers(["q", "h", ""]));
    assert_eq!(by_rid(&rids(&["h", "f"])), layers(["h", "f", ""]));
    assert_eq!(by_rid(&rids(&["q"])), layers(["q", "", ""]));
}

#[test]
fn other_names_stay_in_their_order() {
    assert_eq!(
        by_rid(&rids(&["lo", "mid", "hi"])),
        layers(["lo", "mid", "hi"])
    );
}

#[test]
fn paused_alternative_and_surplus_layers() {
    let described = "a=rid:a send\na=rid:b send\na=rid:c send\na=rid:d send\n";
    let of = |list: &str| by_rid(&format!("{described}a=simulcast:recv x;y send {list}"));
    assert_eq!(of("~a;b,c"), layers(["a", "b", ""]));
    assert_eq!(of("a;b;c;d"), layers(["a", "b", "c"]));
    assert_eq!(of("a;a;b"), layers(["a", "b", ""]));
    assert_eq!(of("a;x;b"), layers(["a", "b", ""]), "x is not described");
}

#[test]
fn without_the_header_extension_there_are_no_rids() {
    let text = sdp(
        "video",
        "96",
        &format!("a=rtpmap:96 VP8/90000\n{}", rids(&["q", "h"])),
    );
    let mut connection = connection(Role::Single);
    let answer = negotiate(&mut connection, &text);
    assert!(!answer.contains("a=simulcast"));
    assert_eq!(connection.receivers()[0].encodings.len(), 1);
}

#[test]
fn ssrc_groups_of_older_clients() {
    let lines = "a=ssrc-group:SIM 1 3 5\na=ssrc-group:FID 1 2\na=ssrc-group:FID 3 4\na=ssrc-group:FID 5 6\n\
                 a=ssrc:1 cname:c\na=ssrc:1 msid:stream track\na=ssrc:3 cname:c\na=ssrc:5 cname:c";
    let found = encodings(lines);
    let numbers: Vec<(Layer, Option<u32>, Option<u32>)> = found
        .iter()
        .map(|encoding| (encoding.layer, encoding.ssrc, encoding.rtx_ssrc))
        .collect();
    assert_eq!(
        numbers,
        [
            (Layer::Low, Some(1), Some(2)),
            (Layer::Medium, Some(3), Some(4)),
            (Layer::High, Some(5), Some(6)),
        ]
    );
}

#[test]
fn one_stream_with_its_retransmissions_and_repairs() {
    let found = encodings(
        "a=ssrc-group:FID 20 10\na=ssrc-group:FEC-FR 20 30\na=ssrc:10 cname:c\na=ssrc:30 cname:c\na=ssrc:20 cname:c",
    );
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].ssrc, found[0].rtx_ssrc), (Some(20), Some(10)));
}

#[test]
fn without_any_the_mid_will_tell() {
    for lines in ["", "a=ssrc:0 cname:c", "a=ssrc:x", "a=ssrc-group:FID 1"] {
        let found = encodings(lines);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].ssrc, found[0].rid), (None, None));
    }
}

#[test]
fn stream_and_track_id() {
    let ids = |lines: &str| {
        let text = sdp("video", "96", &format!("a=rtpmap:96 VP8/90000\n{lines}"));
        let mut connection = connection(Role::Single);
        negotiate(&mut connection, &text);
        let receiver = connection.receivers().remove(0);
        (receiver.stream_id, receiver.track_id)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ids("a=msid:s t"), (some("s"), some("t")));
    assert_eq!(ids("a=msid:- t"), (None, some("t")));
    assert_eq!(ids("a=msid:s"), (some("s"), None));
    assert_eq!(ids("a=msid:s t\na=msid:s2 t"), (some("s"), some("t")));
    assert_eq!(
        ids("a=ssrc:1 cname:c\na=ssrc:1 msid:s t"),
        (some("s"), some("t"))
    );
    assert_eq!(ids(""), (None, None));
}
