//! CSV (RFC 4180), for spreadsheets.

use crate::Entry;
use serde::Serialize;

/// The first line.
pub const CSV_HEADER: &str = "index,id,time,recorded,action,outcome,reason,actor_kind,actor,role,\
     network,authentication,patient,room,encounter,object_kind,object,purpose,policies,\
     policy_hash,facts,detail\r\n";

/// The line of an entry. Facts stand in one cell, as JSON; of the sealed detail only the name of
/// its key. A cell that a spreadsheet would take for a formula begins with an apostrophe.
#[must_use]
pub fn csv_row(index: u64, entry: &Entry) -> String {
    let actor = &entry.actor;
    let policy = entry.policy.as_ref();
    let facts = if entry.facts.is_empty() {
        String::new()
    } else {
        json(&entry.facts)
    };
    let cells = [
        index.to_string(),
        entry.id.to_string(),
        entry.ts.to_string(),
        entry.id.recorded().to_string(),
        entry.action.name().to_owned(),
        word(&entry.outcome),
        entry.reason.clone().unwrap_or_default(),
        word(&actor.kind),
        actor
            .pid
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        actor
            .role
            .map(|role| role.name().to_owned())
            .unwrap_or_default(),
        actor.network.clone().unwrap_or_default(),
        actor
            .authn
            .as_ref()
            .map(|authn| authn.method.clone())
            .unwrap_or_default(),
        entry
            .patient
            .as_ref()
            .map(|patient| patient.pid.to_string())
            .unwrap_or_default(),
        entry
            .room
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        entry.encounter.clone().unwrap_or_default(),
        entry
            .object
            .as_ref()
            .map(|object| object.kind.clone())
            .unwrap_or_default(),
        entry
            .object
            .as_ref()
            .map(|object| object.id.clone())
            .unwrap_or_default(),
        word(&entry.purpose),
        policy
            .map(|policy| policy.ids.join(" "))
            .unwrap_or_default(),
        policy.map(|policy| policy.hash.clone()).unwrap_or_default(),
        facts,
        entry
            .detail_enc
            .as_ref()
            .map(|detail| detail.key_id().to_string())
            .unwrap_or_default(),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    cells.join(",") + "\r\n"
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("texts, numbers and maps by text")
}

/// How an enumeration is written in entries.
fn word<T: Serialize>(value: &T) -> String {
    json(value).trim_matches('"').to_owned()
}

fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if formula { "'" } else { "" };
    if formula || cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{mark}{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests;
