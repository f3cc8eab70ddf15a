//! A connection on the control socket, shared between the task that reads and the one that writes.

use std::io;

use rustix::net::{Shutdown, shutdown};
use tokio::net::UnixStream;

/// A stream of bytes to and from one control plane.
#[derive(Debug)]
pub(crate) struct ControlStream(UnixStream);

impl ControlStream {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Appends what comes next to `buffer`, at most what it has room for. 0 bytes: the other side
    /// has closed.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            self.0.readable().await?;
            match self.0.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The connection broke; some of it may have been written.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(bytes) {
                Ok(count) => bytes = bytes.split_at(count).1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes both directions, with whatever is under way on them.
    pub(crate) fn close(&self) {
        // Fails only if the other side has closed.
        shutdown(&self.0, Shutdown::Both).unwrap_or_default();
    }
}
