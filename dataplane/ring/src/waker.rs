//! Waking a ring from another thread.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

use crate::error::RingError;

/// Ends the wait of one ring from any thread. Cheap to clone; a wake-up that is already on its way
/// costs no system call.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    eventfd: OwnedFd,
    /// A wake-up was written and the ring has not seen it.
    pending: AtomicBool,
}

impl Waker {
    pub(crate) fn new() -> Result<Self, RingError> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC).map_err(|errno| RingError::Eventfd {
            source: errno.into(),
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                eventfd,
                pending: AtomicBool::new(false),
            }),
        })
    }

    /// Makes the ring's current wait, or else its next, return with `woken` set. First publish what
    /// the ring's thread should find, then wake.
    pub fn wake(&self) {
        // AcqRel: what was published before the call is visible to the thread that clears the flag.
        if self.shared.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        // The counter cannot overflow: at most one write is pending. A ring that is gone leaves an
        // eventfd that nobody reads, and writing to it once is harmless.
        let written = rustix::io::write(self.shared.eventfd.as_fd(), &1_u64.to_ne_bytes());
        debug_assert_eq!(written, Ok(8), "an eventfd takes eight bytes");
    }

    /// The ring has seen the wake-up. To be called before looking at what was published.
    pub(crate) fn seen(&self) {
        self.shared.pending.swap(false, Ordering::AcqRel);
    }

    /// Whether a wake-up is on its way that the ring has not seen.
    pub(crate) fn is_pending(&self) -> bool {
        self.shared.pending.load(Ordering::Acquire)
    }

    /// Takes what is in the eventfd, which must be readable.
    pub(crate) fn read(&self) -> bool {
        rustix::io::read(self.fd(), &mut [0_u8; 8]).is_ok()
    }

    /// The file descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.shared.eventfd.as_fd()
    }

    /// The file descriptor's number.
    pub(crate) fn raw_fd(&self) -> i32 {
        self.shared.eventfd.as_raw_fd()
    }
}
