//! A second reader of SDP that shares nothing with the code under test, and what an answer must
//! be to its offer.

use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Sdp<'a> {
    pub(super) session: Vec<&'a str>,
    pub(super) sections: Vec<Section<'a>>,
}

pub(super) struct Section<'a> {
    pub(super) media: &'a str,
    pub(super) port: &'a str,
    pub(super) protocol: &'a str,
    pub(super) formats: Vec<&'a str>,
    pub(super) lines: Vec<&'a str>,
}

pub(super) fn read(text: &str) -> Sdp<'_> {
    let mut sdp = Sdp {
        session: Vec::new(),
        sections: Vec::new(),
    };
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("m=") {
            let words: Vec<&str> = rest.split(' ').collect();
            let [media, port, protocol, formats @ ..] = words.as_slice() else {
                panic!("a short m= line");
            };
            sdp.sections.push(Section {
                media,
                port,
                protocol,
                formats: formats.to_vec(),
                lines: Vec::new(),
            });
        } else {
            match sdp.sections.last_mut() {
                Some(section) => section.lines.push(line),
                None => sdp.session.push(line),
            }
        }
    }
    sdp
}

impl<'a> Section<'a> {
    pub(super) fn value(&self, prefix: &str) -> Option<&'a str> {
        self.values(prefix).first().copied()
    }

    pub(super) fn values(&self, prefix: &str) -> Vec<&'a str> {
        let lines = self.lines.iter();
        lines.filter_map(|line| line.strip_prefix(prefix)).collect()
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.lines.contains(&line)
    }

    pub(super) fn mid(&self) -> Option<&'a str> {
        self.value("a=mid:")
    }

    fn direction(&self) -> (bool, bool) {
        if self.has("a=inactive") {
            (false, false)
        } else if self.has("a=sendonly") {
            (true, false)
        } else if self.has("a=recvonly") {
            (false, true)
        } else {
            (true, true)
        }
    }
}

fn bundle<'a>(sdp: &Sdp<'a>) -> Vec<&'a str> {
    let groups = sdp.session.iter();
    let mut group = groups.filter_map(|line| line.strip_prefix("a=group:BUNDLE"));
    let group = group.next_back().expect("a BUNDLE group");
    group.split_whitespace().collect()
}

/// RFC 3264 §6, RFC 8829 §5.3.1, RFC 8843 §7.3.
pub(super) fn check_pair(offer: &Sdp<'_>, answer: &Sdp<'_>) {
    assert_eq!(
        offer.sections.len(),
        answer.sections.len(),
        "each section is answered"
    );
    assert!(answer.session.contains(&"a=ice-lite"));
    let mut parameters: BTreeMap<&str, &str> = BTreeMap::new();
    let mut accepted = Vec::new();
    let mut with_candidates = 0;
    for (offered, answered) in offer.sections.iter().zip(&answer.sections) {
        assert_eq!(offered.media, answered.media);
        assert_eq!(offered.protocol, answered.protocol);
        assert_eq!(offered.mid(), answered.mid());
        let formats: BTreeSet<&str> = offered.formats.iter().copied().collect();
        assert!(
            answered
                .formats
                .iter()
                .all(|format| formats.contains(format))
        );
        if answered.port == "0" {
            continue;
        }
        accepted.push(answered.mid().expect("a MID"));
        check_transport(answered);
        with_candidates += usize::from(answered.value("a=candidate:").is_some());
        if answered.media == "application" {
            assert_eq!(answered.value("a=sctp-port:"), Some("5000"));
            assert_eq!(answered.value("a=max-message-size:"), Some("64000"));
            continue;
        }
        check_media(offered, answered);
        for line in answered.values("a=fmtp:") {
            let (payload_type, value) = line.split_once(' ').expect("parameters");
            let known = *parameters.entry(payload_type).or_insert(value);
            assert_eq!(
                known, value,
                "a payload type has the same parameters everywhere"
            );
        }
    }
    assert_eq!(
        bundle(answer),
        accepted,
        "exactly what is accepted is bundled"
    );
    let offered = bundle(offer);
    assert!(accepted.iter().all(|mid| offered.contains(mid)));
    assert_eq!(with_candidates, 1);
}

fn check_transport(section: &Section<'_>) {
    assert!(section.has("a=setup:passive"));
    for needed in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:sha-256 "] {
        assert_eq!(section.values(needed).len(), 1);
    }
}

fn check_media(offered: &Section<'_>, answered: &Section<'_>) {
    assert!(answered.has("a=rtcp-mux"));
    let (offer_sends, offer_receives) = offered.direction();
    let (answer_sends, answer_receives) = answered.direction();
    assert!(!answer_sends || offer_receives);
    assert!(!answer_receives || offer_sends);
    let extension = |value: &str| {
        let (id, uri) = value.split_once(' ').expect("id and URI");
        let id = id.split('/').next().unwrap_or_default();
        (id.to_owned(), uri.to_owned())
    };
    let extensions = |section: &Section<'_>| -> BTreeSet<(String, String)> {
        let values = section.values("a=extmap:");
        values.into_iter().map(extension).collect()
    };
    assert!(extensions(answered).is_subset(&extensions(offered)));
    for (prefix, cut) in [("a=rtcp-fb:", false), ("a=rtpmap:", true)] {
        let normal = |value: &&str| {
            let value = value.to_ascii_lowercase();
            let value = if cut {
                value.trim_end_matches("/1")
            } else {
                &value
            };
            value.to_owned()
        };
        let mut offered: BTreeSet<String> = offered.values(prefix).iter().map(normal).collect();
        offered.extend(["0 pcmu/8000", "8 pcma/8000"].map(str::to_owned));
        let answered: BTreeSet<String> = answered.values(prefix).iter().map(normal).collect();
        assert!(answered.is_subset(&offered), "{answered:?} of {offered:?}");
    }
    let sends: BTreeSet<&str> = answered.values("a=msid:").into_iter().collect();
    assert_eq!(
        !sends.is_empty(),
        answer_sends,
        "a sending section names its track"
    );
    for rid in answered.values("a=rid:") {
        let name = rid.strip_suffix(" recv").expect("we receive");
        assert!(offered.has(&format!("a=rid:{name} send")));
    }
}
