//! FHIR R4 AuditEvent, in the shape of IHE BALP (Basic Audit Log Patterns 1.1): one patient entity
//! at most, agents with `requestor`, purpose of use, and the codes of DICOM PS3.16.

use crate::{Action, ActorKind, Entry, EntryActor, Fact, Hash, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

/// The AuditEvent of an entry. `origin` is the log's name, which owns the code systems of ours
/// (`https://<origin>/...`); `leaf` is the leaf's hash, which leads to the proof.
///
/// It does not claim one of BALP's profiles in `meta.profile`: their fixed `type` and `subtype`
/// are those of RESTful transactions, and a consult is none.
#[must_use]
pub fn audit_event(index: u64, entry: &Entry, leaf: Hash, origin: &str) -> Value {
    let kind = kind(entry.action, entry.outcome);
    let mut subtypes = vec![coding(&own(origin, "action"), entry.action.name(), None)];
    subtypes.extend(
        kind.subtype
            .map(|(code, display)| coding(DICOM, code, Some(display))),
    );
    let mut entities = Vec::new();
    if let Some(patient) = &entry.patient {
        entities.push(json!({
            "what": reference("Patient", &own(origin, "person"), patient.pid.as_str()),
            "type": coding(ENTITY_TYPE, "1", Some("Person")),
            "role": coding(ENTITY_ROLE, "1", Some("Patient")),
        }));
    }
    if let Some(encounter) = &entry.encounter {
        entities.push(json!({
            "what": reference("Encounter", &own(origin, "encounter"), encounter),
            "type": coding(ENTITY_TYPE, "2", Some("System Object")),
            "role": coding(ENTITY_ROLE, "4", Some("Domain Resource")),
        }));
    }
    if let Some(room) = &entry.room {
        entities.push(json!({
            "what": reference("Location", &own(origin, "room"), room.as_str()),
            "type": coding(ENTITY_TYPE, "2", Some("System Object")),
            "role": coding(ENTITY_ROLE, "2", Some("Location")),
        }));
    }
    if let Some(object) = &entry.object {
        entities.push(json!({
            "what": identifier(&own(origin, &object.kind), &object.id),
            "type": coding(ENTITY_TYPE, "2", Some("System Object")),
            "role": coding(ENTITY_ROLE, "4", Some("Domain Resource")),
        }));
    }
    entities.push(json!({
        "what": identifier(&own(origin, "entry"), &index.to_string()),
        "type": coding(ENTITY_TYPE, "2", Some("System Object")),
        "role": coding(ENTITY_ROLE, "13", Some("Security Resource")),
        "detail": details(entry, leaf),
    }));
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": entry.id.to_string(),
        "type": coding(kind.system, kind.code, Some(kind.display)),
        "subtype": subtypes,
        "action": kind.action,
        "recorded": entry.ts.to_string(),
        "outcome": outcome(entry.outcome),
        "purposeOfEvent": [{ "coding": [coding(PURPOSE, &word(&entry.purpose), None)] }],
        "agent": [actor(entry, origin), server(origin)],
        "source": {
            "site": origin,
            "observer": observer(origin),
            "type": [coding(SOURCE_TYPE, "4", Some("Application Server"))],
        },
        "entity": entities,
    });
    if let Some(reason) = &entry.reason {
        event["outcomeDesc"] = json!(reason);
    }
    event
}

/// Whoever acted: the one agent that is the requestor.
fn actor(entry: &Entry, origin: &str) -> Value {
    let EntryActor {
        pid,
        role,
        network,
        authn,
        kind,
        ..
    } = &entry.actor;
    let person = matches!(
        kind,
        ActorKind::User | ActorKind::Patient | ActorKind::Unknown
    );
    let mut agent = json!({
        "type": { "coding": [if person {
            coding(PARTICIPATION, "IRCP", Some("information recipient"))
        } else {
            coding(DICOM, "110150", Some("Application"))
        }] },
        "requestor": true,
        "purposeOfUse": [{ "coding": [coding(PURPOSE, &word(&entry.purpose), None)] }],
    });
    agent["who"] = match pid {
        Some(pid) => identifier(&own(origin, "person"), pid.as_str()),
        None => json!({ "display": word(kind) }),
    };
    if let Some(role) = role {
        agent["role"] = json!([{ "coding": [coding(&own(origin, "role"), role.name(), None)] }]);
    }
    if let Some(network) = network {
        // The network, not the host: 2 is "IP Address", the nearest that R4 has.
        agent["network"] = json!({ "address": network, "type": "2" });
    }
    if let Some(policy) = &entry.policy {
        let ids = policy.ids.iter();
        let uris =
            ids.map(|id| format!("{}#{id}", own(origin, &format!("policy/{}", policy.hash))));
        agent["policy"] = uris.collect();
    }
    if let Some(credential) = authn.as_ref().and_then(|authn| authn.credential.as_ref()) {
        // BALP's place for a token's id.
        agent["altId"] = json!(credential);
    }
    agent
}

fn server(origin: &str) -> Value {
    json!({
        "type": { "coding": [coding(DICOM, "110152", Some("Destination Role ID"))] },
        "who": observer(origin),
        "requestor": false,
    })
}

fn observer(origin: &str) -> Value {
    identifier(&own(origin, "log"), origin)
}

fn details(entry: &Entry, leaf: Hash) -> Value {
    let mut details = vec![json!({ "type": "leaf", "valueBase64Binary": leaf.to_string() })];
    details.extend(entry.facts.iter().map(|(name, fact)| {
        let text = match fact {
            Fact::Number(number) => number.to_string(),
            Fact::Flag(flag) => flag.to_string(),
            // FHIR has no empty text.
            Fact::Text(text) if text.trim().is_empty() => "-".to_owned(),
            Fact::Text(text) => text.clone(),
        };
        json!({ "type": name, "valueString": text })
    }));
    if let Some(authn) = &entry.actor.authn {
        details.push(json!({ "type": "authentication", "valueString": word(authn) }));
    }
    details.into()
}

/// A code system or a name space of the log's.
fn own(origin: &str, name: &str) -> String {
    format!("https://{origin}/{name}")
}

fn coding(system: &str, code: &str, display: Option<&str>) -> Value {
    match display {
        Some(display) => json!({ "system": system, "code": code, "display": display }),
        None => json!({ "system": system, "code": code }),
    }
}

fn identifier(system: &str, value: &str) -> Value {
    json!({ "identifier": { "system": system, "value": value } })
}

fn reference(resource: &str, system: &str, value: &str) -> Value {
    json!({ "type": resource, "identifier": { "system": system, "value": value } })
}

/// How a value is written in entries.
fn word<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).expect("texts and lists of texts");
    text.trim_matches('"').to_owned()
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "0",
        // "Minor failure": the system did what it should.
        Outcome::Denied => "4",
        // "Serious failure".
        Outcome::Failed => "8",
    }
}

/// What FHIR and DICOM call an action.
struct Kind {
    system: &'static str,
    code: &'static str,
    display: &'static str,
    /// A code of DICOM's that says more.
    subtype: Option<(&'static str, &'static str)>,
    /// Create, read, update, delete, execute.
    action: &'static str,
}

fn kind(action: Action, outcome: Outcome) -> Kind {
    use Action as A;
    let of = |(system, code, display), subtype, action| Kind {
        system,
        code,
        display,
        subtype,
        action,
    };
    let (class, subtype, crude) = match action {
        A::NodeStart => (ACTIVITY, Some(("110120", "Application Start")), "E"),
        A::NodeStop => (ACTIVITY, Some(("110121", "Application Stop")), "E"),
        A::Login => (AUTHENTICATION, Some(("110122", "Login")), "E"),
        A::Logout | A::SessionTimeout => (AUTHENTICATION, Some(("110123", "Logout")), "E"),
        A::SessionLock => (AUTHENTICATION, None, "E"),
        A::BreakGlass => (ALERT, Some(("110127", "Emergency Override Started")), "E"),
        A::BreakGlassReview => (ALERT, None, "U"),
        A::Denied | A::TokenRefused | A::MediaRefused => {
            (ALERT, Some(("110132", "Use of Restricted Function")), "E")
        }
        A::TimeStep | A::AuditGap => (ALERT, None, "E"),
        A::ConfigChange => (ALERT, Some(("110131", "Software Configuration")), "U"),
        A::PolicyChange | A::BaaChange => (ALERT, Some(("110129", "Security Configuration")), "U"),
        A::UserChange => (
            ALERT,
            Some(("110137", "User Security Attributes Changed")),
            "U",
        ),
        A::UserRevoke => (
            ALERT,
            Some(("110137", "User Security Attributes Changed")),
            "D",
        ),
        A::RoleChange | A::PermissionChange => {
            (ALERT, Some(("110136", "Security Roles Changed")), "U")
        }
        A::KeyCreate | A::LinkCreate | A::TokenCreate => (
            ALERT,
            Some(("110135", "Object Security Attributes Changed")),
            "C",
        ),
        A::KeyRotate | A::ApiKeyChange | A::CertificateChange => (
            ALERT,
            Some(("110135", "Object Security Attributes Changed")),
            "U",
        ),
        A::KeyDestroy | A::LinkEnd => (
            ALERT,
            Some(("110135", "Object Security Attributes Changed")),
            "D",
        ),
        A::AuditRead => (LOG_USED, None, "R"),
        A::AuditVerify | A::AuditWitness => (LOG_USED, None, "E"),
        A::Evidence => (EXPORT, None, "R"),
        A::RoomOpen | A::PeerOpen | A::TrackPublish | A::RecordingConsent => (ACCESS, None, "C"),
        A::RoomClose | A::PeerClose | A::TrackUnpublish => (ACCESS, None, "D"),
        A::PeerPath => (ACCESS, None, "U"),
        A::Join
        | A::Leave
        | A::Wait
        | A::Admit
        | A::LinkUse
        | A::ApiCall
        | A::Turn
        | A::Recording
        | A::AgentTool
        | A::HandOff => (ACCESS, None, "E"),
        A::DataplaneConnection => (ACTIVITY, Some(("110126", "Node Authentication")), "E"),
    };
    // Somebody was not allowed in: what DICOM calls an alert, whatever they tried.
    let class = if outcome == Outcome::Denied && class == ACCESS {
        ALERT
    } else {
        class
    };
    of(class, subtype, crude)
}

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PURPOSE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ENTITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";

const ACTIVITY: (&str, &str, &str) = (DICOM, "110100", "Application Activity");
const LOG_USED: (&str, &str, &str) = (DICOM, "110101", "Audit Log Used");
const EXPORT: (&str, &str, &str) = (DICOM, "110106", "Export");
const ALERT: (&str, &str, &str) = (DICOM, "110113", "Security Alert");
const AUTHENTICATION: (&str, &str, &str) = (DICOM, "110114", "User Authentication");
const ACCESS: (&str, &str, &str) = (
    "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
    "access",
    "Access/View Record Lifecycle Event",
);

#[cfg(test)]
mod tests;
