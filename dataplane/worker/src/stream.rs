//! A connection on the control socket, shared between the task that reads and the one that writes.

use std::io;
use std::mem::take;

use bedside_ring::Engine;
use rustix::net::{Shutdown, shutdown};

/// A stream of bytes to and from one control plane, through the engine that the workers use: this
/// thread too has to run where io_uring is denied.
pub(crate) enum ControlStream {
    Uring(tokio_uring::net::UnixStream),
    Epoll(tokio::net::UnixStream),
}

impl ControlStream {
    /// # Errors
    /// The descriptor cannot be handed over.
    pub(crate) fn new(stream: tokio::net::UnixStream, engine: Engine) -> io::Result<Self> {
        if engine != Engine::IoUring {
            return Ok(Self::Epoll(stream));
        }
        let stream = stream.into_std()?;
        // io_uring waits for a blocking socket and answers EAGAIN for a non-blocking one.
        stream.set_nonblocking(false)?;
        Ok(Self::Uring(tokio_uring::net::UnixStream::from_std(stream)))
    }

    /// Puts what comes next into `buffer`, at most what it has room for. 0 bytes: the other side
    /// has closed.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        buffer.clear();
        match self {
            Self::Uring(stream) => {
                let (result, returned) = stream.read(take(buffer)).await;
                *buffer = returned;
                result
            }
            Self::Epoll(stream) => loop {
                stream.readable().await?;
                match stream.try_read_buf(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            },
        }
    }

    /// Writes all of `bytes`, which are in the kernel's hands meanwhile and empty again afterwards.
    ///
    /// # Errors
    /// The connection broke; some of it may have been written.
    pub(crate) async fn write_all(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let result = match self {
            Self::Uring(stream) => {
                let (result, returned) = stream.write_all(take(bytes)).await;
                *bytes = returned;
                result
            }
            Self::Epoll(stream) => write_all(stream, bytes).await,
        };
        bytes.clear();
        result
    }

    /// Closes both directions, with whatever is under way on them.
    pub(crate) fn close(&self) {
        // Either fails only if the other side has closed.
        match self {
            Self::Uring(stream) => stream
                .shutdown(std::net::Shutdown::Both)
                .unwrap_or_default(),
            Self::Epoll(stream) => shutdown(stream, Shutdown::Both).unwrap_or_default(),
        }
    }
}

async fn write_all(stream: &tokio::net::UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = bytes.split_at(count).1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
