//! How messages leave and datagrams arrive: through io_uring, or through epoll where a host denies
//! io_uring. Everything else of a ring is the same with both.

mod epoll;
mod provided;
mod token;
mod uring;

use std::fmt;
use std::time::Duration;

use crate::buffers::ReceiveBuffers;
use crate::engine::epoll::Epoll;
use crate::engine::uring::Uring;
use crate::error::RingError;
use crate::flight::{Departure, Flight};

pub(crate) use crate::engine::uring::OPERATIONS;

/// What moves datagrams between the kernel and a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// io_uring: one system call for everything that a turn sends and receives.
    #[default]
    IoUring,
    /// epoll, `recvmmsg` and `sendmmsg`: for hosts that deny io_uring.
    Epoll,
}

impl Engine {
    /// Every engine, the preferred one first.
    pub const ALL: [Self; 2] = [Self::IoUring, Self::Epoll];
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        })
    }
}

/// An engine at work in a ring.
#[expect(
    clippy::large_enum_variant,
    reason = "one a ring; a box would be one more step for each message"
)]
pub(crate) enum Running {
    IoUring(Uring),
    Epoll(Epoll),
}

impl Running {
    /// Makes the engine; it does nothing until started.
    ///
    /// # Errors
    /// [`RingError::Unavailable`], [`RingError::MissingOperation`] and [`RingError::Epoll`].
    pub(crate) fn new(engine: Engine, receive_buffers: u16) -> Result<Self, RingError> {
        Ok(match engine {
            Engine::IoUring => Self::IoUring(Uring::new(receive_buffers)?),
            Engine::Epoll => Self::Epoll(Epoll::new()?),
        })
    }

    /// Begins to receive on the flight's sockets, into the buffers.
    ///
    /// # Safety
    /// `self` must be dropped before `buffers`, or after `drain` answered `true`.
    pub(crate) unsafe fn start(
        &mut self,
        flight: &mut Flight,
        buffers: &ReceiveBuffers,
    ) -> Result<(), RingError> {
        match self {
            // SAFETY: the caller's promise.
            Self::IoUring(engine) => unsafe { engine.start(flight, buffers) },
            // SAFETY: the caller's promise.
            Self::Epoll(engine) => unsafe { engine.start(flight, buffers) },
        }
    }

    /// A buffer that was received into may be used again.
    pub(crate) fn give_back(&mut self, buffer: u16) {
        match self {
            Self::IoUring(engine) => engine.give_back(buffer),
            // It begins with the first buffer in each wait.
            Self::Epoll(_) => {}
        }
    }

    /// Puts a prepared message behind those that leave at the next flush or wait. `false` when the
    /// kernel takes none.
    ///
    /// # Safety
    /// The message and the bytes that it points to must stay where they are and unchanged: the
    /// message until it is among the flight's free ones, the bytes until their slab is released.
    pub(crate) unsafe fn queue(&mut self, flight: &mut Flight, departure: Departure) -> bool {
        match self {
            // SAFETY: the caller's promise.
            Self::IoUring(engine) => unsafe { engine.queue(flight, departure) },
            Self::Epoll(engine) => {
                // SAFETY: the caller's promise.
                unsafe { engine.queue(flight, departure) };
                true
            }
        }
    }

    /// Hands over what is queued, without waiting.
    pub(crate) fn flush(&mut self, flight: &mut Flight) {
        match self {
            Self::IoUring(engine) => engine.flush(flight),
            Self::Epoll(engine) => engine.flush(flight),
        }
    }

    /// Hands over what is queued, then waits until a datagram came, the waker was called or the
    /// time is up. The batch before must be gone.
    pub(crate) fn wait(
        &mut self,
        flight: &mut Flight,
        buffers: &ReceiveBuffers,
        timeout: Option<Duration>,
    ) -> Result<(), RingError> {
        match self {
            Self::IoUring(engine) => engine.wait(flight, buffers, timeout),
            Self::Epoll(engine) => engine.wait(flight, buffers, timeout),
        }
    }

    /// Hands over what is queued and ends everything. `false` if the kernel may still use memory
    /// of the ring.
    pub(crate) fn drain(&mut self, flight: &mut Flight) -> bool {
        match self {
            Self::IoUring(engine) => engine.drain(flight),
            Self::Epoll(engine) => {
                engine.flush(flight);
                true
            }
        }
    }

    /// Never gives the engine's own memory back: for when the kernel may still use it.
    pub(crate) fn leak(&mut self) {
        match self {
            Self::IoUring(engine) => engine.leak(),
            Self::Epoll(_) => {}
        }
    }

    /// Whether it waits for datagrams and has nothing to send.
    #[cfg(test)]
    pub(crate) fn is_resting(&self) -> bool {
        match self {
            Self::IoUring(engine) => engine.is_armed(),
            Self::Epoll(engine) => engine.is_empty(),
        }
    }
}
