//! Peer connections: what protected the media of each.

use super::{Page, fact_text, words};
use crate::limits::PAGE_ROWS_MAX;
use bedside_audit::{Action, Entry, Fact};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// A peer connection, from its records.
#[derive(Default)]
struct Connection<'a> {
    opened: Option<(u64, &'a Entry)>,
    closed: Option<(u64, &'a Entry)>,
    paths: usize,
}

pub(super) fn render(page: &Page<'_>) -> Markup {
    let mut connections: BTreeMap<(&str, &str), Connection<'_>> = BTreeMap::new();
    let mut refused = Vec::new();
    for (index, entry) in page.held() {
        let peer = entry
            .object
            .as_ref()
            .map_or("", |object| object.id.as_str());
        let who = entry.actor.pid.as_ref().map_or("", |pid| pid.as_str());
        let key = (who, peer);
        match entry.action {
            Action::PeerOpen => connections.entry(key).or_default().opened = Some((index, entry)),
            Action::PeerClose => connections.entry(key).or_default().closed = Some((index, entry)),
            Action::PeerPath => connections.entry(key).or_default().paths += 1,
            Action::MediaRefused => refused.push((index, entry)),
            _ => {}
        }
    }
    let mut rows: Vec<_> = connections.into_iter().collect();
    rows.sort_by_key(|(_, connection)| connection.opened.map(|(index, _)| index));
    html! {
        p {
            "Each connection between a participant and the server, with the protection that its own \
             handshake agreed on (DTLS, RFC 6347 and RFC 9147; SRTP, RFC 3711 and RFC 7714). "
            "The fingerprint is that of the certificate that was presented; the connection is \
             refused unless it is the one that was signalled."
        }
        (suites(page))
        @if rows.is_empty() { p.nothing { "No media connection was made." } } @else {
            div.scroll { table {
                thead { tr {
                    th scope="col" { "Connection" } th scope="col" { "Who" }
                    th scope="col" { "Opened" } th scope="col" { "Agreed on" }
                    th scope="col" { "Closed" } th scope="col" { "Path changes" }
                } }
                tbody { @for ((who, peer), connection) in rows.iter().take(PAGE_ROWS_MAX) { tr {
                    th scope="row" { code { (peer) } }
                    td { @if !who.is_empty() { code title=(who) { (words::short(who)) } } }
                    td { (end(connection.opened)) }
                    td.facts { @if let Some((_, entry)) = connection.opened { (facts(entry)) } }
                    td { (end(connection.closed)) }
                    td.number { (connection.paths) }
                } } }
            } }
        }
        @if !refused.is_empty() {
            h3 { "Refused" }
            ul { @for (index, entry) in refused { li {
                "No. " (index) ", " (words::time(entry.ts)) ": "
                code { (entry.reason.as_deref().unwrap_or("-")) }
            } } }
        }
    }
}

/// What was agreed on, and by how many connections.
fn suites(page: &Page<'_>) -> Markup {
    let mut suites: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (_, entry) in page
        .held()
        .filter(|(_, entry)| entry.action == Action::PeerOpen)
    {
        let text = |name: &str| match entry.facts.get(name) {
            Some(Fact::Text(text)) => text.clone(),
            _ => "not recorded".to_owned(),
        };
        *suites.entry((text("dtls"), text("srtp"))).or_default() += 1;
    }
    html! {
        @if !suites.is_empty() {
            table.small {
                thead { tr {
                    th scope="col" { "DTLS" } th scope="col" { "SRTP profile" } th scope="col" { "Connections" }
                } }
                tbody { @for ((dtls, srtp), count) in suites { tr {
                    td { (dtls) } td { (srtp) } td.number { (count) }
                } } }
            }
        }
    }
}

fn end(end: Option<(u64, &Entry)>) -> Markup {
    html! {
        @if let Some((index, entry)) = end {
            (words::time(entry.ts)) br; span.quiet { "No. " (index) }
            @if let Some(reason) = &entry.reason { br; code { (reason) } }
        }
    }
}

fn facts(entry: &Entry) -> Markup {
    html! {
        dl { @for (name, fact) in &entry.facts { dt { (words::label(name)) } dd { (fact_text(fact)) } } }
    }
}
