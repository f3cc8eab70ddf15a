//! io_uring: one submission for everything written, receives that stay armed.

use std::io;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fixed, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use crate::buffers::ReceiveBuffers;
use crate::datagram::{CONTROL_BYTES, NAME_BYTES};
use crate::engine::provided::{BUFFER_GROUP, ProvidedRing};
use crate::engine::token::Token;
use crate::error::RingError;
use crate::flight::{Arrived, Departure, Flight};
use crate::host::Host;
use crate::limits::{
    DRAIN_ENTER_MS, DRAIN_ENTERS_MAX, FURTHER_ENTERS_MAX, FURTHER_RECEIVES_MIN, MESSAGES_MAX,
};
use crate::memory::Memory;

/// The engine that io_uring is.
pub(crate) struct Uring {
    /// First: it closes the io_uring before the memory below is given back.
    uring: IoUring,
    provided: ProvidedRing,
    /// Tells the kernel how to lay out what it receives.
    receive_header: Box<libc::msghdr>,
    /// Where the eventfd's counter is read to.
    wake_counter: Memory,
    /// By socket, whether its multishot receive is under way.
    armed: Vec<bool>,
    /// The socket to arm first: another one each time, so that none takes every buffer for ever.
    first: usize,
    /// The eventfd is being read.
    wake_armed: bool,
}

impl Uring {
    /// Makes the io_uring and checks that it knows every operation used.
    ///
    /// # Errors
    /// [`RingError::Unavailable`] and [`RingError::MissingOperation`].
    pub(crate) fn new(receive_buffers: u16) -> Result<Self, RingError> {
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
        Ok(Self {
            uring,
            provided: ProvidedRing::new(receive_buffers),
            receive_header: Box::new(receive_header()),
            wake_counter: Memory::new(8),
            armed: Vec::new(),
            first: 0,
            wake_armed: false,
        })
    }

    /// Registers the sockets and the buffers, and starts to receive.
    ///
    /// # Safety
    /// `self` must be dropped before `buffers`, unless `drain` said that the kernel let go.
    pub(crate) unsafe fn start(
        &mut self,
        flight: &mut Flight,
        buffers: &ReceiveBuffers,
    ) -> Result<(), RingError> {
        let mut files: Vec<i32> = flight.sockets.iter().map(|it| it.raw_fd()).collect();
        files.push(flight.waker.raw_fd());
        let submitter = self.uring.submitter();
        submitter
            .register_files(&files)
            .map_err(unavailable("registering the sockets"))?;
        // SAFETY: `self.uring` is declared before `self.provided`; the buffers are the caller's
        // promise, and no batch exists yet.
        unsafe { self.provided.register(&submitter, buffers) }
            .map_err(unavailable("registering the receive buffers"))?;
        self.armed = vec![false; flight.sockets.len()];
        self.arm(flight);
        Ok(())
    }

    /// A buffer that was received into may be lent again.
    pub(crate) fn give_back(&mut self, buffer: u16) {
        self.provided.give_back(buffer);
    }

    /// Queues a message, submitting those before it when the queue is full. `false` when the
    /// kernel takes none.
    ///
    /// # Safety
    /// The message and the bytes that it points to must stay where they are and unchanged: the
    /// message until `Flight::sent`, the bytes until `flight` released the slab.
    pub(crate) unsafe fn queue(&mut self, flight: &mut Flight, departure: Departure) -> bool {
        let Departure {
            message: index,
            slab,
            socket,
        } = departure;
        let message = &flight.messages[usize::from(index)];
        let file = Fixed(socket.into());
        let entry = if message.without_copy {
            opcode::SendMsgZc::new(file, message.header())
                .ioprio(SEND_ZC_REPORT_USAGE)
                .flags(SEND_FLAGS.cast_unsigned())
                .build()
        } else if message.segments == 1 {
            // Spares the kernel the copies of a msghdr and an iovec: 4 % of a short send.
            let (start, bytes) = message.bytes();
            let (name, name_bytes) = message.name();
            opcode::Send::new(file, start, bytes)
                .dest_addr(name)
                .dest_addr_len(name_bytes)
                .flags(SEND_FLAGS)
                .build()
        } else {
            opcode::SendMsg::new(file, message.header())
                .flags(SEND_FLAGS.cast_unsigned())
                .build()
        };
        let token = Token::Send {
            message: index,
            slab,
            socket,
        };
        // SAFETY: the caller's promise covers everything that the entry points to.
        unsafe { self.push(flight, &entry.user_data(token.pack())) }
    }

    /// Submits what is queued without waiting, and takes note of what completed.
    pub(crate) fn flush(&mut self, flight: &mut Flight) {
        flight.statistics.system_calls += 1;
        // A failure leaves the entries in the queue; it comes up again in `wait`, which reports it.
        drop(self.uring.submit());
        self.reap(flight);
    }

    /// Submits everything and waits for one completion that is not a send's.
    pub(crate) fn wait(
        &mut self,
        flight: &mut Flight,
        buffers: &ReceiveBuffers,
        timeout: Option<Duration>,
    ) -> Result<(), RingError> {
        // SAFETY: `start` had the promise that `buffers` lives long enough; what was given back was
        // in a batch that is gone.
        unsafe { self.provided.refill(buffers) };
        flight.statistics.receive_rearms += self.arm(flight);
        let mut arrived = flight.arrived.len();
        self.enter(flight, timeout)?;
        // One enter runs the work of some 20 receives, and there may be more. The more a batch
        // holds, the more packets each outgoing message carries.
        for _ in 0..FURTHER_ENTERS_MAX {
            if flight.arrived.len() - arrived < FURTHER_RECEIVES_MIN {
                break;
            }
            arrived = flight.arrived.len();
            self.enter(flight, Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Ends everything under way. `false` if the kernel does not let go in time: then it may still
    /// use the memory that it was given.
    pub(crate) fn drain(&mut self, flight: &mut Flight) -> bool {
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::any())
            .build()
            .user_data(Token::Cancel.pack());
        // SAFETY: the entry points to nothing.
        let mut cancelled = unsafe { self.push(flight, &cancel) };
        for _ in 0..DRAIN_ENTERS_MAX {
            let time = Duration::from_millis(DRAIN_ENTER_MS);
            if self.enter(flight, Some(time)).is_err() {
                return false;
            }
            if cancelled && self.is_quiet() && flight.slabs.messages_in_flight() == 0 {
                // The kernel closes an io_uring in the background, and its registered files with
                // it; without this the ports would stay taken for a moment. Where it fails, they do.
                drop(self.uring.submitter().unregister_files());
                return true;
            }
            // SAFETY: the entry points to nothing.
            cancelled = unsafe { self.push(flight, &cancel) };
        }
        false
    }

    /// Never gives memory back that the kernel may still use.
    pub(crate) fn leak(&mut self) {
        self.provided.leak();
        self.wake_counter.leak();
    }

    /// Whether every receive is under way.
    #[cfg(test)]
    pub(crate) fn is_armed(&self) -> bool {
        self.wake_armed && self.armed.iter().all(|armed| *armed)
    }

    fn is_quiet(&self) -> bool {
        !self.wake_armed && self.armed.iter().all(|armed| !armed)
    }

    /// Starts the receives and the wake-up read that are not under way, and says how many receives
    /// that were.
    fn arm(&mut self, flight: &mut Flight) -> u64 {
        let (mut count, sockets) = (0, self.armed.len());
        for offset in 0..sockets {
            let index = (self.first + offset) % sockets;
            if self.armed[index] {
                continue;
            }
            let socket = u8::try_from(index).expect("at most ADDRESSES_MAX");
            let header = &raw const *self.receive_header;
            let entry = opcode::RecvMsgMulti::new(Fixed(socket.into()), header, BUFFER_GROUP)
                .build()
                .user_data(Token::Receive { socket }.pack());
            // SAFETY: the header is boxed and never changes; the kernel writes only to the
            // registered buffers. Both outlive the io_uring.
            self.armed[index] = unsafe { self.push(flight, &entry) };
            count += u64::from(self.armed[index]);
        }
        if count > 0 {
            self.first = (self.first + 1) % sockets;
        }
        if !self.wake_armed {
            let file = Fixed(u32::try_from(self.armed.len()).expect("at most ADDRESSES_MAX"));
            let entry = opcode::Read::new(file, self.wake_counter.at(0), 8)
                .offset(u64::MAX)
                .build()
                .user_data(Token::Wake.pack());
            // SAFETY: the counter's memory outlives the io_uring and nothing else uses it.
            self.wake_armed = unsafe { self.push(flight, &entry) };
        }
        count
    }

    /// Queues an operation, submitting those before it when the queue is full. `false` when the
    /// kernel takes none.
    ///
    /// # Safety
    /// What the entry points to must be valid until the operation completes.
    unsafe fn push(&mut self, flight: &mut Flight, entry: &squeue::Entry) -> bool {
        // SAFETY: the caller's promise.
        if unsafe { self.uring.submission().push(entry) }.is_ok() {
            return true;
        }
        self.flush(flight);
        // SAFETY: the caller's promise.
        unsafe { self.uring.submission().push(entry) }.is_ok()
    }

    fn enter(&mut self, flight: &mut Flight, timeout: Option<Duration>) -> Result<(), RingError> {
        flight.statistics.system_calls += 1;
        // Sends complete during the submission (MSG_DONTWAIT); without counting them, each batch of
        // sends would end the wait at once.
        let want = flight.messages_awaited() + 1;
        let queued = self.uring.submission().len();
        let submitter = self.uring.submitter();
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
        self.reap(flight);
        match result.map_err(|source| (source.raw_os_error(), source)) {
            Ok(_) => Ok(()),
            // The time is up, a signal came, completions had overflowed (just reaped), or the
            // kernel had no memory for a request: the queue keeps what it holds.
            Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => Ok(()),
            Err((_, source)) => Err(RingError::Wait {
                call: "io_uring_enter",
                source,
            }),
        }
    }

    /// Takes note of every completion that is there.
    fn reap(&mut self, flight: &mut Flight) {
        for entry in self.uring.completion() {
            let (result, flags) = (entry.result(), entry.flags());
            match Token::unpack(entry.user_data()) {
                Token::Receive { socket } => {
                    if !cqueue::more(flags) {
                        self.armed[usize::from(socket)] = false;
                    }
                    match (usize::try_from(result), cqueue::buffer_select(flags)) {
                        (Ok(bytes), Some(buffer)) => {
                            self.provided.taken();
                            flight.received(Arrived {
                                buffer,
                                bytes,
                                socket,
                            });
                        }
                        _ if result == -libc::ENOBUFS => {
                            self.provided.ran_out();
                            flight.statistics.receive_buffers_exhausted += 1;
                        }
                        _ => flight.receive_failed(-result),
                    }
                }
                Token::Send { slab, socket, .. } if cqueue::notif(flags) => {
                    let copied = result.cast_unsigned() & NOTIF_USAGE_ZC_COPIED != 0;
                    flight.notified(slab, socket, copied);
                }
                Token::Send {
                    message,
                    slab,
                    socket,
                } => {
                    let departure = Departure {
                        message,
                        slab,
                        socket,
                    };
                    flight.sent(departure, result, cqueue::more(flags));
                }
                Token::Wake => {
                    self.wake_armed = false;
                    flight.woke();
                }
                Token::Cancel => {}
            }
        }
    }
}

fn unavailable(step: &'static str) -> impl FnOnce(io::Error) -> RingError {
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
pub(crate) const OPERATIONS: [(&str, u8); 6] = [
    ("IORING_OP_RECVMSG", opcode::RecvMsgMulti::CODE),
    ("IORING_OP_SEND", opcode::Send::CODE),
    ("IORING_OP_SENDMSG", opcode::SendMsg::CODE),
    ("IORING_OP_SENDMSG_ZC", opcode::SendMsgZc::CODE),
    ("IORING_OP_READ", opcode::Read::CODE),
    ("IORING_OP_ASYNC_CANCEL", opcode::AsyncCancel2::CODE),
];

/// MSG_DONTWAIT: a full send buffer is an answer (EAGAIN, counted), not a wait: late media is
/// worth nothing. It also makes the send complete during the submission.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// IORING_SEND_ZC_REPORT_USAGE (io_uring_enter(2), Linux 6.2).
const SEND_ZC_REPORT_USAGE: u16 = 1 << 3;

/// IORING_NOTIF_USAGE_ZC_COPIED (io_uring_enter(2)).
const NOTIF_USAGE_ZC_COPIED: u32 = 1 << 31;
