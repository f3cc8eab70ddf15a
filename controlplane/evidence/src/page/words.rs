//! Words for people.

use bedside_audit::{Action, ActorKind, Outcome, Timestamp};

/// To the second, UTC.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    let clock = rest.split('.').next().unwrap_or_default();
    format!("{day} {clock} UTC")
}

/// Seconds since the Unix epoch.
pub(super) fn seconds(at_s: u64) -> String {
    time(Timestamp::from_micros(at_s.saturating_mul(1_000_000)))
}

/// The beginning of what is too long to be read.
pub(super) fn short(text: &str) -> String {
    const SHOWN: usize = 14;
    match text.char_indices().nth(SHOWN + 6) {
        None => text.to_owned(),
        Some(_) => text.chars().take(SHOWN).chain(['…']).collect(),
    }
}

/// A name from data as it is read: `srtp_profile` as `srtp profile`.
pub(super) fn label(name: &str) -> String {
    name.replace(['_', '-'], " ")
}

/// Class and word.
pub(super) const fn outcome(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Success => ("success", "done"),
        Outcome::Denied => ("denied", "denied"),
        Outcome::Failed => ("failed", "failed"),
    }
}

/// What kind of actor.
pub(super) const fn kind(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::User => "workforce",
        ActorKind::Patient => "patient or guest",
        ActorKind::Agent => "AI agent",
        ActorKind::Service => "server",
        ActorKind::Operator => "operator at the host",
        ActorKind::System => "this software",
        ActorKind::Unknown => "unknown",
    }
}

/// What was done or tried.
pub(super) const fn action(action: Action) -> &'static str {
    match action {
        Action::NodeStart => "The service started",
        Action::NodeStop => "The service stopped",
        Action::TimeStep => "The clock was moved",
        Action::DataplaneConnection => "The media process connected or was lost",
        Action::ConfigChange => "The configuration changed",
        Action::PolicyChange => "The policies changed",
        Action::RoomOpen => "The room opened",
        Action::RoomClose => "The room closed",
        Action::Join => "Asked to join",
        Action::Leave => "Left",
        Action::Wait => "Waits to be admitted",
        Action::Admit => "Was admitted or turned away",
        Action::PeerOpen => "Media connection opened",
        Action::PeerClose => "Media connection closed",
        Action::PeerPath => "Media took another path",
        Action::MediaRefused => "Media was refused",
        Action::TrackPublish => "Began to send",
        Action::TrackUnpublish => "Ceased to send",
        Action::PermissionChange => "Permissions changed",
        Action::LinkCreate => "Link made",
        Action::LinkUse => "Link used",
        Action::LinkEnd => "Link ended",
        Action::TokenCreate => "Token made",
        Action::TokenRefused => "Token refused",
        Action::ApiCall => "Server call",
        Action::Login => "Logged in",
        Action::Logout => "Logged out",
        Action::SessionTimeout => "Session ended by time",
        Action::SessionLock => "Screen locked or unlocked",
        Action::UserChange => "Account changed",
        Action::UserRevoke => "Access revoked",
        Action::RoleChange => "Role changed",
        Action::BreakGlass => "Emergency entry",
        Action::BreakGlassReview => "Emergency entry reviewed",
        Action::Denied => "Denied by policy",
        Action::Turn => "Relay allocation",
        Action::KeyCreate => "Key made",
        Action::KeyRotate => "Key rotated",
        Action::KeyDestroy => "Key destroyed",
        Action::ApiKeyChange => "API key changed",
        Action::CertificateChange => "Certificate taken into use",
        Action::RecordingConsent => "Consent to recording",
        Action::Recording => "Recording",
        Action::AgentTool => "Agent called a tool",
        Action::HandOff => "Hand-over to a clinician",
        Action::BaaChange => "Agreement recorded or removed",
        Action::AuditRead => "Records read",
        Action::AuditVerify => "Log checked",
        Action::AuditGap => "Records are missing",
        Action::AuditWitness => "Witness answered",
        Action::Evidence => "Evidence bundle made",
        _ => "Other",
    }
}
