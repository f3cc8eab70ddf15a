//! HTTP/1.1 over the control plane's admin socket.

use crate::exit::{NotFound, Unreachable};
use anyhow::{Context, Result, anyhow};
use bedside_server::admin::Problem;
use clap::Args;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::{io, path::PathBuf, time::Duration};
use tokio::net::UnixStream;

/// Which control plane a command talks to.
#[derive(Args, Clone)]
pub(crate) struct AdminSocket {
    /// Admin socket of the control plane
    #[arg(
        long = "admin-socket",
        value_name = "PATH",
        env = "BEDSIDE_ADMIN_SOCKET",
        hide_env_values = true,
        default_value = "/var/lib/bedside/admin.sock",
        global = true
    )]
    path: PathBuf,
}

/// A path below the socket's root, each part percent-encoded.
pub(crate) fn path(parts: &[&str]) -> String {
    let mut path = String::new();
    for part in parts {
        path.push('/');
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    path
}

impl AdminSocket {
    /// Asks for something.
    pub(crate) fn get<T: DeserializeOwned>(&self, parts: &[&str]) -> Result<T> {
        let body = self.call(Method::GET, parts, None::<&()>, TIMEOUT)?;
        serde_json::from_slice(&body).context("the control plane is of another release")
    }

    /// Has something made.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        body: &impl Serialize,
    ) -> Result<T> {
        self.post_slow(parts, body, TIMEOUT)
    }

    /// Has something done that takes longer than the rest.
    pub(crate) fn post_slow<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        body: &impl Serialize,
        answer_max: Duration,
    ) -> Result<T> {
        let body = self.call(Method::POST, parts, Some(body), answer_max)?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).context("the control plane is of another release")
    }

    /// Has something ended.
    pub(crate) fn delete(&self, parts: &[&str]) -> Result<()> {
        self.call(Method::DELETE, parts, None::<&()>, TIMEOUT)
            .map(drop)
    }

    /// Whether anything listens there, whether we may use it or not.
    pub(crate) fn is_there(&self) -> bool {
        let connected = std::os::unix::net::UnixStream::connect(&self.path);
        let gone = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
        connected.map_or_else(|error| !gone.contains(&error.kind()), |_| true)
    }

    /// Has something done that is answered for in lines of JSON, each when it has happened.
    pub(crate) fn post_lines<T: DeserializeOwned>(
        &self,
        parts: &[&str],
        each: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let mut lines = Lines {
            begun: Vec::new(),
            each,
        };
        let take = |part: &[u8]| lines.take(part);
        let body = self.answer(Method::POST, parts, Vec::new(), TIMEOUT, take)?;
        anyhow::ensure!(body.is_empty(), "the control plane is of another release");
        anyhow::ensure!(
            lines.begun.is_empty(),
            "the control plane stopped in between"
        );
        Ok(())
    }

    /// Has a file made, which may take minutes.
    pub(crate) fn fetch(&self, parts: &[&str], body: &impl Serialize) -> Result<Bytes> {
        self.call(Method::POST, parts, Some(body), FILE_TIMEOUT)
    }

    fn call(
        &self,
        method: Method,
        parts: &[&str],
        body: Option<&impl Serialize>,
        answer_max: Duration,
    ) -> Result<Bytes> {
        let body = body
            .map(serde_json::to_vec)
            .transpose()?
            .unwrap_or_default();
        self.answer(method, parts, body, answer_max, |_| Ok(false))
    }

    /// What of the answer `take` leaves.
    fn answer(
        &self,
        method: Method,
        parts: &[&str],
        body: Vec<u8>,
        answer_max: Duration,
        take: impl FnMut(&[u8]) -> Result<bool>,
    ) -> Result<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(path(parts))
            .header("host", "bedside")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let exchange =
            async { tokio::time::timeout(answer_max, self.exchange(request, take)).await };
        let (status, body) = runtime
            .block_on(exchange)
            .map_err(|_| Unreachable("the control plane does not answer".to_owned()))??;
        if status.is_success() {
            return Ok(body);
        }
        let message = serde_json::from_slice::<Problem>(&body).map_or_else(
            |_| format!("the control plane answered {status}"),
            |p| p.message,
        );
        match status {
            StatusCode::NOT_FOUND => Err(NotFound(message).into()),
            _ => Err(anyhow!(message)),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        mut take: impl FnMut(&[u8]) -> Result<bool>,
    ) -> Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|error| self.explain(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        let mut left = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            if let Some(part) = frame.data_ref()
                && !(status.is_success() && take(part)?)
            {
                left.extend_from_slice(part);
            }
        }
        connection.abort();
        Ok((status, Bytes::from(left)))
    }

    fn explain(&self, error: &io::Error) -> Unreachable {
        let path = self.path.display();
        Unreachable(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => format!(
                "no control plane is running at {path}: start `bedside serve`, or name its socket \
                 with --admin-socket"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "{path} is not yours to use: run this as the user that runs the control plane"
            ),
            _ => format!("cannot reach the control plane at {path}: {error}"),
        })
    }
}

/// Cuts what arrives into lines.
struct Lines<F> {
    /// A line whose end has not arrived.
    begun: Vec<u8>,
    each: F,
}

impl<F> Lines<F> {
    fn take<T: DeserializeOwned>(&mut self, part: &[u8]) -> Result<bool>
    where
        F: FnMut(T) -> Result<()>,
    {
        self.begun.extend_from_slice(part);
        while let Some(end) = self.begun.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            let parsed =
                serde_json::from_slice(&line).context("the control plane is of another release")?;
            (self.each)(parsed)?;
        }
        Ok(true)
    }
}

/// Time for an answer: every operation is done in memory at once, but
/// for a revocation, which the data plane has five seconds to confirm.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a file: a bundle of 50,000 records reads about a million rows.
const FILE_TIMEOUT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        assert_eq!(
            super::path(&["rooms", "a/../b ?ü"]),
            "/rooms/a%2F..%2Fb%20%3F%C3%BC"
        );
    }
}
