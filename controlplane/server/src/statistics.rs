//! `POST /api/statistics`: how a call goes, as the browsers in it see it.
//!
//! A report is what `RTCPeerConnection.getStats` says (webrtc-stats), and that says a lot:
//! addresses, device names, identifiers. The page sends numbers only, and [`report`] reads nothing
//! but an allow-list of numbers and closed words, whoever sent it. What is not on the list is
//! dropped and counted, not refused: browsers add members with every release, and a report that is
//! refused for one of them would hide exactly the newest browsers. The numbers are added up over
//! everybody at once; nothing is kept of who reported what (45 CFR 164.502(b), minimum necessary).

mod pace;
mod report;

pub(crate) use pace::Pace;

use crate::app::App;
use crate::authorize::Routes;
use crate::authorize::{Asking, by_token};
use crate::identity::Principal;
use crate::limits::STATISTICS_BODY_BYTES_MAX;
use crate::links;
use crate::listener::PeerAddress;
use crate::metrics::Report as Outcome;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts as _, State};
use axum::response::{IntoResponse as _, Response};
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, StatusCode};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .on(
            Method::POST,
            "/api/statistics",
            Action::ReportStatistics,
            take,
        )
        .layer(DefaultBodyLimit::max(STATISTICS_BODY_BYTES_MAX))
}

async fn take(
    State(app): State<App>,
    asking: Asking,
    Extension(pace): Extension<Pace>,
    Extension(peer): Extension<PeerAddress>,
    mut parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let outcome = judge(&app, &asking, &pace, peer, &mut parts, body).await;
    app.metrics.client.reports.count((outcome,));
    let (status, words) = match outcome {
        Outcome::Accepted => return StatusCode::NO_CONTENT.into_response(),
        Outcome::Malformed => (
            StatusCode::BAD_REQUEST,
            "this is not a report of the consult page",
        ),
        Outcome::Unauthenticated => (
            StatusCode::UNAUTHORIZED,
            "only who is in a consult may report",
        ),
        Outcome::Limited => (
            StatusCode::TOO_MANY_REQUESTS,
            "reports come too often; one in 10 s is right",
        ),
        Outcome::Off => (StatusCode::NOT_FOUND, "no reports are taken here"),
    };
    (status, words).into_response()
}

/// Cheap things first: an address and a credential have their pace before the database is asked.
async fn judge(
    app: &App,
    asking: &Asking,
    pace: &Pace,
    peer: PeerAddress,
    parts: &mut Parts,
    body: Result<Bytes, BytesRejection>,
) -> Outcome {
    if !app.client_statistics {
        return Outcome::Off;
    }
    if !pace.admit_address(peer.0) {
        return Outcome::Limited;
    }
    let Some((reporter, principal, room)) = reporter(app, peer, parts).await else {
        return Outcome::Unauthenticated;
    };
    let consult = Resource::Consult(Phi::new(room));
    if asking.decide(app, &principal, consult).await.is_err() {
        return Outcome::Unauthenticated;
    }
    if !pace.admit_reporter(reporter) {
        return Outcome::Limited;
    }
    let Ok(body) = body else {
        return Outcome::Malformed;
    };
    let Some(report) = report::parse(&body) else {
        return Outcome::Malformed;
    };
    report.add_to(&app.metrics.client);
    Outcome::Accepted
}

/// The digest of a good token, or of the session of a clinician or of somebody who used a link, with
/// who that is and where; `None` for nobody.
async fn reporter(
    app: &App,
    peer: PeerAddress,
    parts: &mut Parts,
) -> Option<([u8; 32], Principal, String)> {
    if let Some(token) = parts.headers.get(AUTHORIZATION) {
        let (principal, claims) = by_token(app, parts).ok()?;
        let room = claims.video.map(|grant| grant.room).unwrap_or_default();
        return Some((links::hash(token.to_str().ok()?), principal, room));
    }
    if let Some(clinician) = clinician(app, parts).await {
        return Some(clinician);
    }
    let (session, link) = links::open_session(app, &parts.headers).await?;
    let room = link.room.clone();
    Some((
        session,
        Principal::of_link(link, &session, Some(peer.0)),
        room,
    ))
}

/// Somebody of the workforce who is in a consult now. A locked screen reports nothing until it is
/// unlocked: its session opens nothing.
async fn clinician(app: &App, parts: &mut Parts) -> Option<([u8; 32], Principal, String)> {
    let principal = Principal::from_request_parts(parts, app).await.ok()?;
    let session = principal.session.filter(|_| !principal.locked)?;
    let user = principal.id.as_ref()?.expose().clone();
    let rooms = app.rooms.call(move |rooms, _| rooms.rooms_of(&user)).await;
    let room = rooms.ok()?.into_iter().next()?;
    Some((session, principal, room))
}

#[cfg(test)]
mod tests;
