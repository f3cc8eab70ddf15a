//! How the layers of a published track are recognised: by RID (RFC 8853), by SSRC groups (RFC
//! 5576) as older clients write them, or by MID alone.

use super::attributes::Attributes;
use super::limits::SSRCS_PER_SECTION_MAX;
use bedside_protocol::limits::ENCODINGS_PER_TRACK_MAX;
use bedside_protocol::{Encoding, Layer, Mid};

/// The layers of what a section sends, lowest first; at least one.
///
/// `a=ssrc` lines beside RIDs are not taken: their order says nothing for certain, and the RID
/// header extension tells each stream's layer.
pub(super) fn encodings(attributes: Attributes<'_>, rids: &[Mid]) -> Vec<Encoding> {
    if !rids.is_empty() {
        let mut sorted = rids.to_vec();
        sorted.sort_by_key(|rid| rank(rid.as_str()));
        return layered(sorted.len(), |index| {
            (sorted.get(index).copied(), None, None)
        });
    }
    let groups = Groups::parse(attributes);
    let ssrcs = match groups.simulcast.as_slice() {
        [] => groups.first().into_iter().collect(),
        simulcast => simulcast.to_vec(),
    };
    layered(ssrcs.len().max(1), |index| {
        let ssrc = ssrcs.get(index).copied();
        (
            None,
            ssrc,
            ssrc.and_then(|ssrc| groups.retransmission(ssrc)),
        )
    })
}

/// The RIDs that the client offers to send, in its order; at most three, each with its `a=rid`
/// line. A paused one (`~`) counts, of alternatives (`,`) the first.
pub(super) fn rids(attributes: Attributes<'_>) -> Vec<Mid> {
    let Some(simulcast) = attributes.first("simulcast") else {
        return Vec::new();
    };
    let mut words = simulcast.split_ascii_whitespace();
    let mut list = "";
    while let (Some(direction), Some(streams)) = (words.next(), words.next()) {
        if direction == "send" {
            list = streams;
        }
    }
    let mut rids: Vec<Mid> = Vec::new();
    for stream in list.split(';') {
        let name = stream.split(',').next().unwrap_or_default();
        let name = name.trim_start_matches('~');
        let described = attributes.all("rid").any(|rid| {
            let mut words = rid.split_ascii_whitespace();
            words.next() == Some(name) && words.next() == Some("send")
        });
        let Ok(rid) = Mid::new(name) else { continue };
        if described && !rids.contains(&rid) && rids.len() < ENCODINGS_PER_TRACK_MAX {
            rids.push(rid);
        }
    }
    rids
}

fn layered(
    count: usize,
    names: impl Fn(usize) -> (Option<Mid>, Option<u32>, Option<u32>),
) -> Vec<Encoding> {
    let layers = Layer::ALL.into_iter().take(count).enumerate();
    layers
        .map(|(index, layer)| {
            let (rid, ssrc, rtx_ssrc) = names(index);
            Encoding {
                layer,
                rid,
                ssrc,
                rtx_ssrc,
            }
        })
        .collect()
}

/// LiveKit's clients name layers `q`, `h`, `f` or `2`, `1`, `0`, lowest first; others stay in the
/// order of the list.
fn rank(rid: &str) -> u8 {
    match rid {
        "q" | "2" => 0,
        "h" | "1" => 1,
        "f" | "0" => 2,
        _ => 3,
    }
}

/// `a=ssrc` and `a=ssrc-group` lines of a section.
#[derive(Default)]
struct Groups {
    announced: Vec<u32>,
    simulcast: Vec<u32>,
    /// Pairs of a stream and its retransmissions.
    flow_identification: Vec<(u32, u32)>,
    /// Streams that only repair another.
    repairing: Vec<u32>,
}

impl Groups {
    fn parse(attributes: Attributes<'_>) -> Self {
        let mut groups = Self::default();
        for value in attributes.all("ssrc") {
            let ssrc = ssrc(value.split_ascii_whitespace().next());
            if let Some(ssrc) = ssrc.filter(|ssrc| groups.announced.last() != Some(ssrc)) {
                push(&mut groups.announced, ssrc);
            }
        }
        for value in attributes.all("ssrc-group") {
            let mut words = value.split_ascii_whitespace();
            let semantics = words.next();
            let ssrcs: Vec<u32> = words
                .take(SSRCS_PER_SECTION_MAX)
                .filter_map(|word| ssrc(Some(word)))
                .collect();
            match (semantics, ssrcs.as_slice()) {
                (Some("SIM"), layers) if groups.simulcast.is_empty() => {
                    let layers = layers.iter().take(ENCODINGS_PER_TRACK_MAX);
                    groups.simulcast.extend(layers);
                }
                (Some("FID"), [stream, retransmission]) => {
                    push(&mut groups.repairing, *retransmission);
                    push(&mut groups.flow_identification, (*stream, *retransmission));
                }
                (Some("FEC-FR" | "FEC"), [_, repairing @ ..]) => {
                    for ssrc in repairing {
                        push(&mut groups.repairing, *ssrc);
                    }
                }
                _ => {}
            }
        }
        groups
    }

    /// The stream of a section without simulcast.
    fn first(&self) -> Option<u32> {
        let mut streams = self.announced.iter();
        streams.find(|ssrc| !self.repairing.contains(ssrc)).copied()
    }

    fn retransmission(&self, stream: u32) -> Option<u32> {
        let mut pairs = self.flow_identification.iter();
        pairs
            .find(|(of, _)| *of == stream)
            .map(|(_, retransmission)| *retransmission)
    }
}

fn ssrc(word: Option<&str>) -> Option<u32> {
    word?.parse().ok().filter(|ssrc| *ssrc != 0)
}

fn push<T>(list: &mut Vec<T>, value: T) {
    if list.len() < SSRCS_PER_SECTION_MAX {
        list.push(value);
    }
}
