//! The control socket: where it is, who may use it.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use bedside_ring::Engine;
use tokio::net::UnixListener;

use crate::error::WorkerError;
use crate::stream::ControlStream;

/// A listening Unix socket that only this user and root can use. Its file is removed when it is
/// dropped.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    engine: Engine,
}

impl ControlSocket {
    /// Listens on `path`, with mode 0600. A file that a dead process left there is replaced.
    /// Connections go through `engine`.
    ///
    /// # Errors
    /// [`WorkerError::InUse`] and [`WorkerError::Listen`].
    pub(crate) fn listen(path: &Path, engine: Engine) -> Result<Self, WorkerError> {
        let error = |source| WorkerError::Listen {
            path: path.to_owned(),
            source,
        };
        match StdStream::connect(path) {
            Ok(_) => {
                return Err(WorkerError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(error)?;
            }
            // Not there, or not a socket: binding says so.
            Err(_) => {}
        }
        // The file has its mode from the start: no moment at which others could connect.
        let mask = rustix::process::umask(OTHERS);
        let listener = UnixListener::bind(path);
        rustix::process::umask(mask);
        Ok(Self {
            listener: listener.map_err(error)?,
            path: path.to_owned(),
            engine,
        })
    }

    /// The next connection of a permitted user; others are closed.
    pub(crate) async fn accept(&self) -> ControlStream {
        loop {
            match self.accept_any().await {
                Ok(Some(stream)) => return stream,
                Ok(None) => tracing::warn!("closed a connection of another user"),
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                    // Out of file descriptors, most likely: waiting is all that helps.
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    async fn accept_any(&self) -> io::Result<Option<ControlStream>> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?.uid();
        if !may_connect(peer, rustix::process::geteuid().as_raw()) {
            return Ok(None);
        }
        ControlStream::new(stream, self.engine).map(Some)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Gone already, or replaced by the administrator: either way not ours to mend.
        drop(std::fs::remove_file(&self.path));
    }
}

/// The same user, or root.
fn may_connect(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// Every permission of group and others, and execution.
const OTHERS: rustix::fs::Mode = rustix::fs::Mode::from_raw_mode(0o177);

const ACCEPT_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);

#[cfg(test)]
mod tests;
