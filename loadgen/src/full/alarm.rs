//! Waking tasks of one thread when packets are due.
//!
//! tokio's own timers go by the millisecond, which would show in every latency; a timer of the
//! kernel's goes by the microsecond. All tasks of a thread share one.

use crate::pacing::Clock;
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The timer of one thread.
#[derive(Clone)]
pub(super) struct Alarm {
    timer: Rc<AsyncFd<OwnedFd>>,
    sleepers: Rc<RefCell<Sleepers>>,
}

#[derive(Default)]
struct Sleepers {
    /// When, and which sleeper; stale entries are told by the sleeper's own time.
    waiting: BinaryHeap<Reverse<(u64, usize)>>,
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// What the timer is set to.
    armed_ns: Option<u64>,
}

#[derive(Default)]
struct Slot {
    at_ns: Option<u64>,
    waker: Option<Waker>,
}

/// One task's place in the alarm.
pub(super) struct Sleeper {
    alarm: Alarm,
    slot: usize,
}

impl Alarm {
    /// Within the runtime of the thread.
    #[expect(
        deprecated,
        reason = "sound for an OwnedFd, which keeps its descriptor; its successor is unsafe to call"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            timer: Rc::new(AsyncFd::with_interest(timer, Interest::READABLE)?),
            sleepers: Rc::default(),
        })
    }

    /// A place for a task.
    pub(super) fn sleeper(&self) -> Sleeper {
        let mut sleepers = self.sleepers.borrow_mut();
        let slot = sleepers.free.pop().unwrap_or_else(|| {
            sleepers.slots.push(Slot::default());
            sleepers.slots.len() - 1
        });
        Sleeper {
            alarm: self.clone(),
            slot,
        }
    }

    /// Wakes whoever is to be woken; never ends.
    pub(super) async fn run(&self) -> io::Error {
        loop {
            let mut guard = match self.timer.readable().await {
                Ok(guard) => guard,
                Err(error) => return error,
            };
            let read = guard.try_io(|timer| {
                let mut count = [0; 8];
                rustix::io::read(timer.get_ref(), &mut count).map_err(io::Error::from)
            });
            if let Ok(Err(error)) = read {
                return error;
            }
            let mut sleepers = self.sleepers.borrow_mut();
            sleepers.armed_ns = None;
            sleepers.wake(Clock::now_ns());
            if let Err(error) = sleepers.arm(&self.timer) {
                return error;
            }
        }
    }
}

impl Sleepers {
    fn wake(&mut self, now_ns: u64) {
        while let Some(&Reverse((at_ns, slot))) = self.waiting.peek()
            && at_ns <= now_ns
        {
            self.waiting.pop();
            let slot = &mut self.slots[slot];
            if slot.at_ns == Some(at_ns)
                && let Some(waker) = slot.waker.take()
            {
                waker.wake();
            }
        }
    }

    /// Sets the timer to the next time at which somebody waits.
    fn arm(&mut self, timer: &AsyncFd<OwnedFd>) -> io::Result<()> {
        while let Some(&Reverse((at_ns, slot))) = self.waiting.peek() {
            if self.slots[slot].at_ns != Some(at_ns) {
                self.waiting.pop();
                continue;
            }
            if self.armed_ns.is_none_or(|armed_ns| at_ns < armed_ns) {
                let at = Itimerspec {
                    it_interval: timespec(0),
                    // Zero would disarm it.
                    it_value: timespec(at_ns.max(1)),
                };
                timerfd_settime(timer.get_ref(), TimerfdTimerFlags::ABSTIME, &at)?;
                self.armed_ns = Some(at_ns);
            }
            break;
        }
        Ok(())
    }
}

impl Sleeper {
    /// Sleeps until `at_ns` of the monotonic clock. Sleeping anew replaces the time before.
    pub(super) async fn until(&self, at_ns: u64) -> io::Result<()> {
        poll_fn(|context| {
            let mut sleepers = self.alarm.sleepers.borrow_mut();
            if Clock::now_ns() >= at_ns {
                sleepers.slots[self.slot].at_ns = None;
                return Poll::Ready(Ok(()));
            }
            let slot = &mut sleepers.slots[self.slot];
            slot.waker = Some(context.waker().clone());
            if slot.at_ns == Some(at_ns) {
                return Poll::Pending;
            }
            slot.at_ns = Some(at_ns);
            sleepers.waiting.push(Reverse((at_ns, self.slot)));
            match sleepers.arm(&self.alarm.timer) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut sleepers = self.alarm.sleepers.borrow_mut();
        sleepers.slots[self.slot] = Slot::default();
        sleepers.free.push(self.slot);
    }
}

fn timespec(at_ns: u64) -> Timespec {
    const SECOND_NS: u64 = 1_000_000_000;
    Timespec {
        tv_sec: (at_ns / SECOND_NS).cast_signed(),
        tv_nsec: (at_ns % SECOND_NS).cast_signed(),
    }
}
