//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): publishing and viewing by plain HTTP.
//!
//! `POST /whip` or `/whep` takes an SDP offer and answers with a session's URL; `PATCH` there
//! trickles candidates or restarts ICE, `DELETE` ends it. The token decides the room. No `Link`
//! header names STUN or TURN servers: ours is ICE-lite with host candidates and needs none.

use crate::app::App;
use crate::authorize::{Asking, Routes, by_token};
use crate::evidence::access::{self, Door};
use crate::http::{Refused, cors};
use crate::identity::tokens;
use crate::limits::{ENTITY_TAGS_MAX, SDP_BYTES_MAX};
use crate::metrics::{Entrance, Verdict};
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use bedside_rooms::{Claims, Refusal, Rooms, Time, WebrtcAnswer, WebrtcResource};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .on(Method::POST, "/whip", Action::Join, publish)
        .on(Method::POST, "/whep", Action::Join, play)
        .on(Method::PATCH, "/whip/{session}", Action::Join, change)
        .on(Method::PATCH, "/whep/{session}", Action::Join, change)
        .on(Method::DELETE, "/whip/{session}", Action::Join, end)
        .on(Method::DELETE, "/whep/{session}", Action::Join, end)
        .layer(from_fn(cors))
        .layer(from_fn(accept))
}

async fn publish(
    State(app): State<App>,
    asking: Asking,
    request: Request,
) -> Result<Response, Refused> {
    let start = |rooms: &mut Rooms, now: Time, claims: &_, offer: &str| {
        rooms.whip_publish(now, claims, offer)
    };
    let metrics = app.metrics.clone();
    let begun = begin(app, asking, request, "/whip", start).await;
    metrics.joins.count((Entrance::Whip, verdict(&begun)));
    begun
}

async fn play(
    State(app): State<App>,
    asking: Asking,
    request: Request,
) -> Result<Response, Refused> {
    let start =
        |rooms: &mut Rooms, now: Time, claims: &_, offer: &str| rooms.whep_play(now, claims, offer);
    let metrics = app.metrics.clone();
    let begun = begin(app, asking, request, "/whep", start).await;
    metrics.joins.count((Entrance::Whep, verdict(&begun)));
    begun
}

async fn begin(
    app: App,
    asking: Asking,
    request: Request,
    path: &str,
    start: impl FnOnce(&mut Rooms, Time, &Claims, &str) -> Result<WebrtcAnswer, Refusal>
    + Send
    + 'static,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let way = if path == "/whip" { "whip" } else { "whep" };
    let (claims, door) = taking_part(&app, &asking, &parts, way).await?;
    let offer = text(&parts.headers, SDP, body).await?;
    let used = tokens::use_once(&app, &door, &claims).await;
    used.map_err(Refused)?;
    // The log first: the rooms hear of nobody before.
    door.open(&app.ledger).await.map_err(Refused)?;
    let answer = app
        .rooms
        .call(move |rooms, now| start(rooms, now, &claims, &offer))
        .await
        .unwrap_or_else(|stopped| Err(stopped.into()))
        .inspect_err(|refusal| door.turn_away(&app.ledger, refusal))
        .map_err(Refused)?;
    let mut response = (StatusCode::CREATED, answer.sdp).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, SDP);
    headers.insert(LOCATION, value(&format!("{path}/{}", answer.resource.0)));
    headers.insert(ETAG, value(&answer.etag));
    headers.insert(ACCEPT_PATCH, FRAGMENT);
    Ok(response)
}

/// The claims of a token with which somebody may take part in its room.
async fn taking_part(
    app: &App,
    asking: &Asking,
    parts: &Parts,
    way: &'static str,
) -> Result<(Claims, Door), Refused> {
    let (principal, claims) = by_token(app, parts)
        .inspect_err(|refusal| access::token_refused(app, parts, refusal))
        .map_err(Refused)?;
    let door = Door::new(&principal, &claims, way);
    let room = claims.video.as_ref().map(|grant| grant.room.clone());
    let consult = Resource::Consult(Phi::new(room.unwrap_or_default()));
    let decided = asking.decide(app, &principal, consult).await;
    let policy = decided
        .map_err(Refusal::from)
        .inspect_err(|refusal| door.turn_away(&app.ledger, refusal))
        .map_err(Refused)?;
    Ok((claims, door.decided(policy)))
}

async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(session): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    taking_part(&app, &asking, &parts, "session").await?;
    let tags = if_match(&parts.headers)?;
    let fragment = text(&parts.headers, FRAGMENT, body).await?;
    let resource = WebrtcResource(session);
    let changed = app
        .rooms
        .call(move |rooms, now| {
            // The session's tag is one of a list; without a match nothing is changed.
            let mut outcome = Err(refusal(412, "this is not the current ICE session"));
            for tag in &tags {
                outcome = rooms.webrtc_patch(now, &resource, Some(tag), &fragment);
                if !matches!(&outcome, Err(refusal) if refusal.status == 412) {
                    break;
                }
            }
            outcome
        })
        .await
        .map_err(|stopped| Refused(stopped.into()))?
        .map_err(Refused)?;
    let Some(restarted) = changed else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let mut response = restarted.sdpfrag.into_response();
    response.headers_mut().insert(CONTENT_TYPE, FRAGMENT);
    response.headers_mut().insert(ETAG, value(&restarted.etag));
    Ok(response)
}

async fn end(
    State(app): State<App>,
    asking: Asking,
    Path(session): Path<String>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let (parts, _) = request.into_parts();
    taking_part(&app, &asking, &parts, "session").await?;
    app.rooms
        .call(move |rooms, now| rooms.webrtc_end(now, &WebrtcResource(session)))
        .await
        .map_err(|stopped| Refused(stopped.into()))?
        .map_err(Refused)?;
    Ok(StatusCode::OK)
}

/// Says what may be sent (RFC 9725 §4.2) where it was asked for or something else was sent.
async fn accept(request: Request, next: Next) -> Response {
    let asked = request.method() == Method::OPTIONS;
    let is_session = request.uri().path().matches('/').count() > 1;
    let mut response = next.run(request).await;
    if asked || response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        let (name, kind) = if is_session {
            (ACCEPT_PATCH, FRAGMENT)
        } else {
            (ACCEPT_POST, SDP)
        };
        response.headers_mut().insert(name, kind);
    }
    response
}

/// The entity tags that a `PATCH` names. It must name one, so that a late candidate of an earlier
/// ICE session is not taken for one of the current (RFC 9725 §4.3.1); `*` fits any.
fn if_match(headers: &HeaderMap) -> Result<Vec<String>, Refused> {
    let fields = headers.get_all(IF_MATCH).iter();
    let tags: Vec<String> = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        // RFC 9725's own figures show the wildcard in quotes.
        .map(|tag| if tag == "\"*\"" { "*" } else { tag })
        .take(ENTITY_TAGS_MAX)
        .map(str::to_owned)
        .collect();
    if tags.is_empty() {
        return Err(Refused(refusal(428, "If-Match must name the ICE session")));
    }
    Ok(tags)
}

/// A body of the wanted type.
async fn text(headers: &HeaderMap, wanted: HeaderValue, body: Body) -> Result<String, Refused> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    if !kind.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()) {
        return Err(Refused(refusal(
            415,
            "this is not the Content-Type that belongs here",
        )));
    }
    let bytes = to_bytes(body, SDP_BYTES_MAX)
        .await
        .map_err(|_| Refused(refusal(413, "the body is too long or did not arrive whole")))?;
    String::from_utf8(bytes.into()).map_err(|_| Refused(refusal(400, "the body is not UTF-8")))
}

fn verdict(begun: &Result<Response, Refused>) -> Verdict {
    begun.as_ref().map_or(Verdict::Refused, |_| Verdict::Done)
}

fn refusal(status: u16, reason: &str) -> Refusal {
    Refusal {
        status,
        reason: reason.to_owned(),
    }
}

/// Of what the rooms made: letters, digits and quotes.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("the rooms make names of printable ASCII")
}

const SDP: HeaderValue = HeaderValue::from_static("application/sdp");
const FRAGMENT: HeaderValue = HeaderValue::from_static("application/trickle-ice-sdpfrag");
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

#[cfg(test)]
mod tests;
