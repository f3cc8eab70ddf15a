//! How the connections of a room are, in tables.

use crate::print::table;
use bedside_server::admin::{Connection, ParticipantReport, Received, Reception};

/// A table of the connections, and one of what is received; none of what is not there.
pub(super) fn tables(participants: &[ParticipantReport]) -> Vec<String> {
    let connections: Vec<_> = participants
        .iter()
        .filter_map(|participant| Some((participant, participant.connection.as_ref()?)))
        .collect();
    let rows: Vec<_> = connections
        .iter()
        .map(|(participant, connection)| connection_row(&participant.identity, connection))
        .collect();
    let received: Vec<_> = connections
        .iter()
        .flat_map(|(participant, connection)| {
            let receives = connection.receives.iter();
            receives.map(|received| received_row(participants, &participant.identity, received))
        })
        .collect();
    let mut tables = Vec::new();
    if !rows.is_empty() {
        tables.push(table(CONNECTION, &rows, ""));
    }
    if !received.is_empty() {
        tables.push(table(RECEIVED, &received, ""));
    }
    tables
}

const CONNECTION: [&str; 7] = [
    "IDENTITY",
    "QUALITY",
    "ROUND TRIP",
    "LOSS UP/DOWN",
    "JITTER UP/DOWN",
    "ESTIMATE",
    "SENT/RECEIVED",
];

const RECEIVED: [&str; 5] = ["IDENTITY", "RECEIVES FROM", "TRACK", "WANTED", "GETS"];

fn connection_row(identity: &str, connection: &Connection) -> [String; 7] {
    let quality = match (&connection.quality, connection.score) {
        (Some(quality), Some(score)) => format!("{quality} {score:.1}"),
        _ => UNKNOWN.to_owned(),
    };
    let unknown = || UNKNOWN.to_owned();
    let percent = |share: f32| 100.0 * share;
    [
        identity.to_owned(),
        quality,
        connection
            .round_trip_ms
            .map_or_else(unknown, |ms| format!("{ms:.0} ms")),
        format!(
            "{:.1}/{:.1} %",
            percent(connection.loss_up),
            percent(connection.loss_down)
        ),
        format!(
            "{:.0}/{:.0} ms",
            connection.jitter_up_ms, connection.jitter_down_ms
        ),
        connection
            .estimate_bps
            .map_or_else(unknown, |bps| format!("{} kbit/s", kilobits(bps))),
        format!(
            "{}/{} kbit/s",
            kilobits(connection.sent_bps),
            kilobits(connection.received_bps)
        ),
    ]
}

fn received_row(
    participants: &[ParticipantReport],
    identity: &str,
    received: &Received,
) -> [String; 5] {
    let publisher = participants
        .iter()
        .find(|participant| participant.sid == received.publisher_sid);
    let source = publisher.and_then(|publisher| {
        let mut tracks = publisher.tracks.iter();
        tracks.find(|track| track.sid == received.track_sid)
    });
    let gets = match (received.state, &received.layer) {
        (Reception::Paused, _) => "paused: the network does not take it".to_owned(),
        (Reception::Off, _) => "off: not shown".to_owned(),
        (Reception::Muted, _) => "muted".to_owned(),
        (Reception::Active, Some(layer)) => layer.clone(),
        (Reception::Active, None) if received.layer_wanted.is_none() => "sound".to_owned(),
        (Reception::Active, None) => UNKNOWN.to_owned(),
    };
    [
        identity.to_owned(),
        publisher
            .map_or(&received.publisher_sid, |one| &one.identity)
            .clone(),
        source
            .map_or(&received.track_sid, |track| &track.source)
            .clone(),
        received
            .layer_wanted
            .clone()
            .unwrap_or_else(|| UNKNOWN.to_owned()),
        gets,
    ]
}

fn kilobits(bps: u64) -> u64 {
    bps.div_ceil(1_000)
}

const UNKNOWN: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;
    use bedside_server::admin::TrackReport;

    fn participant(identity: &str, connection: Option<Connection>) -> ParticipantReport {
        ParticipantReport {
            identity: identity.to_owned(),
            name: String::new(),
            sid: format!("PA_{identity}"),
            state: "active".to_owned(),
            joined_at: 0,
            tracks: vec![TrackReport {
                sid: format!("TR_{identity}"),
                kind: "video".to_owned(),
                source: "camera".to_owned(),
                mime_type: "video/VP8".to_owned(),
                muted: false,
                simulcast: true,
                width: 1280,
                height: 720,
            }],
            connection,
        }
    }

    fn connection(of: &str, receives: Vec<Received>) -> Connection {
        Connection {
            participant_sid: format!("PA_{of}"),
            quality: Some("poor".to_owned()),
            score: Some(2.44),
            round_trip_ms: Some(182.4),
            loss_down: 0.0312,
            loss_up: 0.0,
            jitter_down_ms: 11.6,
            jitter_up_ms: 2.0,
            estimate_bps: Some(240_000),
            queue_delay_ms: 12.0,
            sent_bps: 210_400,
            received_bps: 1_900_000,
            receives,
        }
    }

    #[test]
    fn a_weak_connection_and_what_it_gets_can_be_read_at_a_glance() {
        let received = |state, layer: Option<&str>| Received {
            track_sid: "TR_doctor".to_owned(),
            publisher_sid: "PA_doctor".to_owned(),
            state,
            layer_wanted: Some("high".to_owned()),
            layer: layer.map(str::to_owned),
        };
        let receives = vec![
            received(Reception::Active, Some("low")),
            received(Reception::Paused, None),
        ];
        let tables = tables(&[
            participant("doctor", None),
            participant("patient", Some(connection("patient", receives))),
        ]);
        let expected = [
            "IDENTITY  QUALITY   ROUND TRIP  LOSS UP/DOWN  JITTER UP/DOWN  ESTIMATE    SENT/RECEIVED",
            "patient   poor 2.4  182 ms      0.0/3.1 %     2/12 ms         240 kbit/s  211/1900 kbit/s",
            "",
            "IDENTITY  RECEIVES FROM  TRACK   WANTED  GETS",
            "patient   doctor         camera  high    low",
            "patient   doctor         camera  high    paused: the network does not take it",
        ];
        assert_eq!(tables.join("\n\n"), expected.join("\n"));
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known() {
        assert!(tables(&[participant("doctor", None)]).is_empty());
        let quiet = Connection {
            quality: None,
            score: None,
            round_trip_ms: None,
            estimate_bps: None,
            ..connection("doctor", Vec::new())
        };
        let tables = tables(&[participant("doctor", Some(quiet))]);
        let row = tables[0].lines().nth(1).unwrap();
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(cells[..3], ["doctor", "-", "-"]);
    }
}
