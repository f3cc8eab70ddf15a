//! In which capacity a caller asks, and whether what they ask about is theirs.

use crate::Error;
use crate::app::App;
use crate::clock::since_epoch;
use crate::identity::Principal;
use crate::listener::PeerAddress;
use crate::store::access::Admission;
use bedside_audit::{ActorKind, Role};
use bedside_policy::{Action, Capacity, Principal as Asks, Resource};
use bedside_protocol::Phi;
use bedside_rooms::{Claims, Refusal};
use http::request::Parts;

/// Whoever shows an access token, and what it says; how they proved who they are is in both.
///
/// # Errors
/// 401 with a plain reason.
pub(crate) fn by_token(app: &App, parts: &Parts) -> Result<(Principal, Claims), Refusal> {
    let (mut claims, token) = app.tokens.claims_and_token(parts)?;
    let address = parts.extensions.get().map(|PeerAddress(address)| *address);
    let principal = Principal::of_token(claims.clone(), &token, address);
    claims
        .bedside_authentication
        .clone_from(&principal.authentication);
    Ok((principal, claims))
}

/// What the policies are told of a caller.
pub(super) fn asks(principal: &Principal, action: Action) -> Asks {
    let capacities = if principal.kind == ActorKind::Operator {
        vec![Capacity::Operator]
    } else if let Some(claims) = &principal.claims {
        vec![Capacity::Role(token_role(claims.expose(), action))]
    } else if principal.roles.is_empty() {
        vec![Capacity::Nobody]
    } else {
        principal
            .roles
            .iter()
            .map(|&role| Capacity::Role(role))
            .collect()
    };
    let now_s = i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX);
    Asks {
        id: principal.id.clone().unwrap_or(Phi::new(String::new())),
        capacities,
        mfa_age_s: principal
            .mfa
            .map(|mfa| u64::try_from(now_s.saturating_sub(mfa.at_s)).unwrap_or(0)),
        vouched: principal.claims.is_some(),
    }
}

/// The role that a token gives: the one that it names; an agent's if it is one; for whoever takes
/// part with a token that says no more, a clinician's with `roomAdmin` and a patient's without;
/// in everything else a token is a server of the clinic's.
fn token_role(claims: &Claims, action: Action) -> Role {
    let grant = claims.video.as_ref();
    if let Some(role) = claims.bedside_role {
        return role;
    }
    if claims.kind == "agent" || grant.is_some_and(|grant| grant.agent) {
        return Role::Agent;
    }
    let takes_part = matches!(
        action,
        Action::Join | Action::Wait | Action::Admit | Action::ReportStatistics
    );
    let person = claims.kind.is_empty() || claims.kind == "standard";
    match grant {
        Some(grant) if takes_part && person && grant.room_admin => Role::Clinician,
        Some(_) if takes_part && person => Role::Patient,
        _ => Role::Service,
    }
}

/// How a caller stands to what they ask about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    /// It is theirs.
    pub(super) own: bool,
    /// They were let in, or need not be.
    pub(super) admitted: bool,
}

/// # Errors
/// [`Error::Database`].
pub(super) async fn standing(
    app: &App,
    principal: &Principal,
    resource: &Resource,
) -> Result<Standing, Error> {
    let free = |own| Standing {
        own,
        admitted: true,
    };
    let room = match resource {
        Resource::Installation => return Ok(free(false)),
        Resource::Account(account) => return Ok(free(principal.id.as_ref() == Some(account))),
        Resource::Consult(room) => room.expose(),
    };
    if let Some(claims) = &principal.claims {
        // Whoever signed the token decided on the admission: we do so in `/api/join`.
        let grant = claims.expose().video.as_ref();
        return Ok(free(grant.is_some_and(|grant| grant.room == *room)));
    }
    if let Some(link) = &principal.link {
        let link = link.expose();
        let admitted = !app.waiting.holds(link)
            || app.store.admission(&link.identity).await? == Some(Admission::Admitted);
        return Ok(Standing {
            own: link.room == *room,
            admitted,
        });
    }
    match &principal.id {
        Some(id) if principal.kind == ActorKind::User => Ok(free(
            app.store.is_member_of_consult(room, id.expose()).await?,
        )),
        _ => Ok(free(false)),
    }
}
