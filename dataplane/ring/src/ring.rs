//! The ring itself: making it, waiting on it, taking it down.

use std::net::SocketAddr;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fixed, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, opcode};

use crate::batch::{Batch, Train};
use crate::datagram::{self, CONTROL_BYTES, NAME_BYTES, Unusable};
use crate::error::RingError;
use crate::flight::Flight;
use crate::host::Host;
use crate::limits::{
    ADDRESSES_MAX, DRAIN_ENTER_MS, DRAIN_ENTERS_MAX, MESSAGES_MAX, RECEIVE_BUFFERS_MAX,
    RECEIVE_BUFFERS_MIN, RECEIVE_FAILURES_MAX, SEND_SLABS_MAX,
};
use crate::memory::Memory;
use crate::outgoing::{Outgoing, Sender};
use crate::provided::{BUFFER_GROUP, ProvidedBuffers};
use crate::socket::{SocketBuffers, bind_all};
use crate::statistics::Statistics;
use crate::token::Token;
use crate::waker::Waker;

/// How to make a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Local addresses to listen on, 1 to [`ADDRESSES_MAX`]. Those with port 0 all get one port,
    /// which the kernel chooses for the first of them.
    pub addresses: Vec<SocketAddr>,
    /// Receive buffers of 64 KiB, rounded up to a power of two; the memory of one is touched only
    /// as far as datagrams are long. [`RECEIVE_BUFFERS_MIN`] to [`RECEIVE_BUFFERS_MAX`].
    pub receive_buffers: u16,
    /// Slabs of 256 KiB for outgoing packets, 1 to [`SEND_SLABS_MAX`]. One is enough where the
    /// kernel copies; each further one lets zero-copy sends be under way.
    pub send_slabs: u16,
    /// Wanted size of each socket's receive and send buffer, in bytes. What the kernel granted is
    /// in [`Ring::socket_buffers`].
    pub socket_buffer_bytes: usize,
    /// Whether long messages may be sent without a copy where the kernel reports that it pays.
    pub zero_copy: bool,
}

impl Config {
    /// Sizes that suit a worker which forwards media for a few hundred peers: 256 receive buffers,
    /// 16 slabs, 4 MiB of socket buffer, adaptive zero-copy.
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            addresses,
            receive_buffers: 256,
            send_slabs: 16,
            socket_buffer_bytes: 4 << 20,
            zero_copy: true,
        }
    }

    fn check(&self) -> Result<(), RingError> {
        match self.addresses.len() {
            0 => return Err(RingError::NoAddress),
            count if count > ADDRESSES_MAX => return Err(RingError::TooManyAddresses { count }),
            _ => {}
        }
        let range = |field, value: u16, min: u16, max: u16| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            let (value, min, max) = (value.into(), min.into(), max.into());
            Err(RingError::OutOfRange {
                field,
                value,
                min,
                max,
            })
        };
        let (least, most) = (RECEIVE_BUFFERS_MIN, RECEIVE_BUFFERS_MAX);
        range("receive_buffers", self.receive_buffers, least, most)?;
        range("send_slabs", self.send_slabs, 1, SEND_SLABS_MAX)
    }
}

/// What ended a wait. Nothing of either: the time was up, or a signal came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wakeup {
    /// Datagrams in [`Ring::batch`].
    pub datagrams: usize,
    /// [`Waker::wake`] was called since the wait before.
    pub woken: bool,
}

/// An io_uring with its UDP sockets and packet memory, to be made and used on one thread.
pub struct Ring {
    /// First: it closes the io_uring before the buffers below are given back.
    sender: Sender,
    buffers: ProvidedBuffers,
    /// What the last wait brought.
    trains: Vec<Train>,
    locals: Box<[SocketAddr]>,
    /// Tells the kernel how to lay out what it receives.
    receive_header: Box<libc::msghdr>,
    /// Where the eventfd's counter is read to.
    wake_counter: Memory,
}

impl Ring {
    /// Binds the sockets and starts receiving. The calling thread is the only one that may use the
    /// ring.
    ///
    /// # Errors
    /// [`RingError::Unavailable`] and [`RingError::MissingOperation`] where the host denies io_uring or is
    /// too old, with what to do about it; [`RingError::Bind`] where an address cannot be had.
    pub fn new(config: &Config) -> Result<Self, RingError> {
        config.check()?;
        let receive_buffers = config.receive_buffers.next_power_of_two();
        let uring = set_up(receive_buffers)?;
        let sockets = bind_all(
            &config.addresses,
            config.socket_buffer_bytes,
            config.zero_copy,
        )?;
        let waker = Waker::new()?;
        let mut files: Vec<i32> = sockets.iter().map(|socket| socket.raw_fd()).collect();
        files.push(waker.raw_fd());
        uring
            .submitter()
            .register_files(&files)
            .map_err(unavailable("registering the sockets"))?;
        let locals = sockets.iter().map(|socket| socket.local).collect();
        let flight = Flight::new(sockets, receive_buffers, config.send_slabs, waker);
        let mut ring = Self {
            sender: Sender::new(uring, flight, config.send_slabs),
            buffers: ProvidedBuffers::new(receive_buffers),
            trains: Vec::with_capacity(usize::from(receive_buffers)),
            locals,
            receive_header: Box::new(receive_header()),
            wake_counter: Memory::new(8),
        };
        // SAFETY: `sender`, and the io_uring in it, is declared and so dropped before `buffers`.
        unsafe { ring.buffers.register(&ring.sender.uring.submitter()) }
            .map_err(unavailable("registering the receive buffers"))?;
        ring.arm();
        Ok(ring)
    }

    /// The bound addresses, in the configuration's order, with the ports in use.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.locals
    }

    /// The buffer sizes that the kernel granted each socket, in the same order.
    pub fn socket_buffers(&self) -> impl Iterator<Item = SocketBuffers> {
        self.sender
            .flight
            .sockets
            .iter()
            .map(|socket| socket.buffers)
    }

    /// A handle to end this ring's waits from other threads.
    pub fn waker(&self) -> Waker {
        self.sender.flight.waker.clone()
    }

    /// The counters.
    pub fn statistics(&self) -> Statistics {
        self.sender.flight.statistics
    }

    /// Datagrams that the kernel dropped because a socket's buffer was full, over all sockets. One
    /// system call a socket; 0 from a socket that does not say.
    pub fn kernel_drops(&self) -> u64 {
        let sockets = self.sender.flight.sockets.iter();
        sockets
            .map(|socket| socket.kernel_drops().unwrap_or(0))
            .sum()
    }

    /// Sends everything committed, then waits until a datagram comes, [`Waker::wake`] is called or
    /// `timeout` is over (`None`: for ever; zero: not at all). The batch before is gone: its
    /// buffers go back to the kernel first.
    ///
    /// # Errors
    /// [`RingError::Enter`] and [`RingError::Receive`]: the ring is of no further use.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Wakeup, RingError> {
        for train in self.trains.drain(..) {
            self.buffers.give_back(train.buffer);
        }
        self.buffers.publish();
        self.sender.close_run();
        self.arm();
        let ready = !self.sender.flight.arrived.is_empty() || self.sender.flight.woken;
        self.enter(if ready { Some(Duration::ZERO) } else { timeout })?;
        self.sender.flight.slabs.rewind();
        let datagrams = self.take_arrived();
        let flight = &mut self.sender.flight;
        if flight.receive_failures >= RECEIVE_FAILURES_MAX {
            let (count, source) = (flight.receive_failures, flight.receive_error());
            return Err(RingError::Receive { count, source });
        }
        Ok(Wakeup {
            datagrams,
            woken: std::mem::take(&mut flight.woken),
        })
    }

    /// The datagrams that the last wait brought, each with its payload in the ring's own memory.
    pub fn batch(&mut self) -> Batch<'_> {
        self.split().0
    }

    /// Where to write packets.
    pub fn outgoing(&mut self) -> Outgoing<'_> {
        self.split().1
    }

    /// Both at once, to write packets while going through those received.
    pub fn split(&mut self) -> (Batch<'_>, Outgoing<'_>) {
        let batch = Batch::new(&self.trains, &mut self.buffers, &self.locals);
        (
            batch,
            Outgoing {
                sender: &mut self.sender,
            },
        )
    }

    /// Starts the receives and the wake-up read that are not under way.
    fn arm(&mut self) {
        let first = self.sender.flight.statistics.enters == 0;
        for index in 0..self.locals.len() {
            if self.sender.flight.sockets[index].armed {
                continue;
            }
            let socket = u8::try_from(index).expect("at most ADDRESSES_MAX");
            let header = &raw const *self.receive_header;
            let entry = opcode::RecvMsgMulti::new(Fixed(socket.into()), header, BUFFER_GROUP)
                .build()
                .user_data(Token::Receive { socket }.pack());
            // SAFETY: the header is boxed and never changes; the kernel writes only to the
            // registered buffers. Both outlive the io_uring.
            let queued = unsafe { self.sender.push(&entry) };
            self.sender.flight.sockets[index].armed = queued;
            self.sender.flight.statistics.receive_rearms += u64::from(queued && !first);
        }
        if !self.sender.flight.wake_armed {
            let file = Fixed(u32::try_from(self.locals.len()).expect("at most ADDRESSES_MAX"));
            let entry = opcode::Read::new(file, self.wake_counter.at(0), 8)
                .offset(u64::MAX)
                .build()
                .user_data(Token::Wake.pack());
            // SAFETY: the counter's memory outlives the io_uring and nothing else uses it.
            self.sender.flight.wake_armed = unsafe { self.sender.push(&entry) };
        }
    }

    /// Submits and waits for one completion that is not a send's.
    fn enter(&mut self, timeout: Option<Duration>) -> Result<(), RingError> {
        self.sender.flight.statistics.enters += 1;
        // Sends complete during the submission (MSG_DONTWAIT); without counting them, each batch of
        // sends would end the wait at once.
        let want = self.sender.flight.messages_awaited() + 1;
        let queued = self.sender.uring.submission().len();
        let submitter = self.sender.uring.submitter();
        let result = match timeout {
            // A wait with a time-out of zero still goes to sleep and programs a timer: measured
            // 18 us of CPU in a virtual machine, against 0.3 us for not waiting (2026-11).
            Some(Duration::ZERO) => {
                let queued = u32::try_from(queued).expect("at most MESSAGES_MAX");
                // SAFETY: `queued` entries are in the queue, each valid as `push` demands, and
                // there is no argument.
                unsafe { submitter.enter::<()>(queued, 0, EnterFlags::GETEVENTS.bits(), None) }
            }
            Some(timeout) => {
                let time = Timespec::from(timeout);
                submitter.submit_with_args(want, &SubmitArgs::new().timespec(&time))
            }
            None => submitter.submit_and_wait(want),
        };
        self.sender.reap();
        match result.map_err(|source| (source.raw_os_error(), source)) {
            Ok(_) => Ok(()),
            // The time is up, a signal came, completions had overflowed (just reaped), or the
            // kernel had no memory for a request: the queue keeps what it holds.
            Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => Ok(()),
            Err((_, source)) => Err(RingError::Enter { source }),
        }
    }

    /// Makes the batch of what arrived and returns its number of datagrams.
    fn take_arrived(&mut self) -> usize {
        let flight = &mut self.sender.flight;
        let mut datagrams = 0;
        for arrived in flight.arrived.drain(..) {
            self.buffers.take(arrived.buffer);
            match datagram::parse(self.buffers.bytes(arrived.buffer, arrived.bytes)) {
                Ok(arrival) => {
                    let count = arrival.datagram_count();
                    datagrams += count;
                    flight.statistics.gro_trains += u64::from(count > 1);
                    flight.statistics.bytes_received += arrival.payload_bytes as u64;
                    let (buffer, socket) = (arrived.buffer, arrived.socket);
                    self.trains.push(Train {
                        buffer,
                        socket,
                        arrival,
                    });
                }
                Err(unusable) => {
                    let drops = &mut flight.statistics.receive_drops;
                    match unusable {
                        Unusable::Truncated => drops.truncated += 1,
                        Unusable::Malformed => drops.malformed += 1,
                    }
                    self.buffers.give_back(arrived.buffer);
                }
            }
        }
        flight.statistics.datagrams_received += datagrams;
        usize::try_from(datagrams).expect("bounded by the receive buffers")
    }

    /// Ends everything under way. `false` if the kernel does not let go in time.
    fn drain(&mut self) -> bool {
        self.sender.close_run();
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::any())
            .build()
            .user_data(Token::Cancel.pack());
        // SAFETY: the entry points to nothing.
        let mut cancelled = unsafe { self.sender.push(&cancel) };
        for _ in 0..DRAIN_ENTERS_MAX {
            if self
                .enter(Some(Duration::from_millis(DRAIN_ENTER_MS)))
                .is_err()
            {
                return false;
            }
            if cancelled && self.sender.flight.is_quiet() {
                // The kernel closes an io_uring in the background, and its registered files with
                // it; without this the ports would stay taken for a moment. Where it fails, they do.
                drop(self.sender.uring.submitter().unregister_files());
                return true;
            }
            // SAFETY: the entry points to nothing.
            cancelled = unsafe { self.sender.push(&cancel) };
        }
        false
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if !self.drain() {
            // The kernel may still write to this memory: better lost than reused.
            self.buffers.leak();
            self.wake_counter.leak();
            self.sender.memory.leak();
        }
    }
}

/// Makes the io_uring and checks that it knows every operation used.
pub(crate) fn set_up(receive_buffers: u16) -> Result<IoUring, RingError> {
    let entries = u32::from(MESSAGES_MAX);
    // One completion for each receive, and two for each message with zero-copy.
    let completions = (u32::from(receive_buffers) + 2 * entries).next_power_of_two() * 2;
    let uring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_submit_all()
        .setup_cqsize(completions)
        .build(entries)
        .map_err(unavailable("io_uring_setup"))?;
    let mut probe = io_uring::Probe::new();
    uring
        .submitter()
        .register_probe(&mut probe)
        .map_err(unavailable("asking for operations"))?;
    for (operation, code) in OPERATIONS {
        if !probe.is_supported(code) {
            let obstacle = Host::read().explain_missing();
            return Err(RingError::MissingOperation {
                operation,
                obstacle,
            });
        }
    }
    Ok(uring)
}

fn unavailable(step: &'static str) -> impl FnOnce(std::io::Error) -> RingError {
    move |source| {
        let obstacle = Host::read().explain(source.raw_os_error().unwrap_or(0));
        RingError::Unavailable {
            step,
            obstacle,
            source,
        }
    }
}

fn receive_header() -> libc::msghdr {
    // SAFETY: a msghdr of null pointers and zero lengths is a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_namelen =
        libc::socklen_t::try_from(NAME_BYTES).expect("fits, as a sockaddr_in6 does");
    header.msg_controllen = CONTROL_BYTES;
    header
}

/// The operations used, by the names that io_uring_enter(2) gives them.
pub(crate) const OPERATIONS: [(&str, u8); 5] = [
    ("IORING_OP_RECVMSG", opcode::RecvMsgMulti::CODE),
    ("IORING_OP_SENDMSG", opcode::SendMsg::CODE),
    ("IORING_OP_SENDMSG_ZC", opcode::SendMsgZc::CODE),
    ("IORING_OP_READ", opcode::Read::CODE),
    ("IORING_OP_ASYNC_CANCEL", opcode::AsyncCancel2::CODE),
];

#[cfg(test)]
mod tests;
