//! What an auditor looks for first.

use super::{Page, ended};
use bedside_audit::{Action, Outcome};
use maud::{Markup, html};
use std::collections::BTreeSet;

pub(super) fn render(page: &Page<'_>) -> Markup {
    let count = |action: Action| page.held().filter(|(_, e)| e.action == action).count();
    let people: BTreeSet<&str> = page
        .held()
        .filter_map(|(_, entry)| Some(entry.actor.pid.as_ref()?.as_str()))
        .collect();
    let policies: BTreeSet<&str> = page
        .held()
        .filter_map(|(_, entry)| Some(entry.policy.as_ref()?.hash.as_str()))
        .collect();
    let emergencies = count(Action::BreakGlass);
    let reviewed = count(Action::BreakGlassReview);
    let gaps = count(Action::AuditGap);
    let refused = ended(page, Outcome::Denied);
    let rows = [
        (
            "Records",
            page.held().count().to_string(),
            "each proven to be in the log",
            false,
        ),
        (
            "People",
            people.len().to_string(),
            "who did something, under pseudonyms",
            false,
        ),
        (
            "Media connections",
            count(Action::PeerOpen).to_string(),
            "each recorded before media flowed",
            false,
        ),
        (
            "Denied",
            refused.to_string(),
            "attempts that were not allowed",
            refused > 0,
        ),
        (
            "Failed",
            ended(page, Outcome::Failed).to_string(),
            "allowed, but did not work",
            false,
        ),
        (
            "Emergency entries",
            emergencies.to_string(),
            "made without the usual permission",
            emergencies > reviewed,
        ),
        (
            "Gaps",
            gaps.to_string(),
            "places where records are known to be missing",
            gaps > 0,
        ),
        (
            "Policies",
            policies.len().to_string(),
            "versions that decisions were made by",
            policies.len() > 1,
        ),
    ];
    html! {
        ul.tiles {
            @for (what, number, means, look) in rows {
                li.look[look] {
                    span.figure { (number) } " " strong { (what) } br; span.quiet { (means) }
                    @if look { br; span.mark { "look at this" } }
                }
            }
        }
    }
}
