//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): one offer, one answer, over HTTP.

use super::server::Server;
use super::{Error, excerpt, limits};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep, timeout};

/// A session that a server holds; [`Resource::delete`] ends it.
pub struct Resource {
    server: Server,
    token: String,
}

/// What a server answered to an offer.
pub struct Started {
    /// SDP.
    pub answer: String,
    /// The session.
    pub session: Resource,
}

/// Publishes: the offer sends.
///
/// # Errors
/// Any of [`Error`].
pub async fn publish(server: &Server, token: &str, offer: &str) -> Result<Started, Error> {
    start(server, token, offer).await
}

/// Views: the offer receives. While there is nothing to view (404 or 409) it asks again, until
/// `give_up`.
///
/// # Errors
/// Any of [`Error`].
pub async fn view(
    server: &Server,
    token: &str,
    offer: &str,
    give_up: Instant,
) -> Result<Started, Error> {
    loop {
        let error = match start(server, token, offer).await {
            Err(
                error @ Error::Refused {
                    status: 404 | 409, ..
                },
            ) => error,
            other => return other,
        };
        if Instant::now() + limits::VIEW_RETRY > give_up {
            return Err(error);
        }
        sleep(limits::VIEW_RETRY).await;
    }
}

async fn start(server: &Server, token: &str, offer: &str) -> Result<Started, Error> {
    let mut server = server.clone();
    for _ in 0..limits::REDIRECTS_MAX {
        let answer = request(&server, Method::POST, token, offer).await?;
        let location = answer.headers().get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        match answer.status() {
            StatusCode::CREATED => {
                let location = location.ok_or(Error::Protocol("named no session"))?;
                let session = server.follow(location).await?;
                let body = answer.into_body();
                let answer = String::from_utf8(body.into())
                    .map_err(|_| Error::Protocol("answered with what is not SDP"))?;
                return Ok(Started {
                    answer,
                    session: Resource {
                        server: session,
                        token: token.to_owned(),
                    },
                });
            }
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                let location = location.ok_or(Error::Protocol("redirects to nowhere"))?;
                server = server.follow(location).await?;
            }
            status => {
                return Err(Error::Refused {
                    status: status.as_u16(),
                    reason: excerpt(answer.body()),
                });
            }
        }
    }
    Err(Error::Protocol("redirects in circles"))
}

impl Resource {
    /// Ends the session (RFC 9725 §4.2).
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not know it any more, and others of the connection.
    pub async fn delete(self) -> Result<(), Error> {
        let deleting = request(&self.server, Method::DELETE, &self.token, "");
        let answer = timeout(limits::LEAVE_TIMEOUT, deleting)
            .await
            .map_err(|_| Error::Timeout("leaving"))??;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(Error::Refused {
            status: answer.status().as_u16(),
            reason: excerpt(answer.body()),
        })
    }
}

/// One request over a connection of its own: a session's next one comes minutes later.
async fn request(
    server: &Server,
    method: Method,
    token: &str,
    body: &str,
) -> Result<Response<Bytes>, Error> {
    let mut request = Request::builder()
        .method(method)
        .uri(server.path_and_query())
        .header(HOST, server.authority())
        .header(AUTHORIZATION, format!("Bearer {token}"));
    if body.is_empty() {
        request = request.header(CONTENT_LENGTH, 0);
    } else {
        request = request.header(CONTENT_TYPE, "application/sdp");
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .map_err(|_| Error::Protocol("needs a token that fits into a header"))?;
    let stream = TokioIo::new(server.connect().await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, limits::ANSWER_BYTES_MAX);
        let body = body
            .collect()
            .await
            .map_err(|_| Error::Protocol("broke off its answer, or it was too long"))?;
        // The connection ends when nobody can ask any more.
        drop(sender);
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    let exchange = async {
        let (answer, ended) = tokio::join!(exchange, connection);
        let answer: Result<_, Error> = answer;
        // A server that hangs up after its answer has said everything.
        match (answer, ended) {
            (Ok(answer), _) => Ok(answer),
            (Err(_), Err(ended)) => Err(Error::Http(ended)),
            (Err(error), Ok(())) => Err(error),
        }
    };
    timeout(limits::ANSWER_TIMEOUT, exchange)
        .await
        .map_err(|_| Error::Timeout("an answer to HTTP"))?
}
