//! The ring itself: making it, waiting on it, taking it down.

use std::net::SocketAddr;
use std::time::Duration;

use crate::batch::{Batch, Train};
use crate::buffers::ReceiveBuffers;
use crate::datagram::{self, Unusable};
use crate::engine::{Engine, Running};
use crate::error::RingError;
use crate::flight::Flight;
use crate::limits::{
    ADDRESSES_MAX, RECEIVE_BUFFERS_MAX, RECEIVE_BUFFERS_MIN, RECEIVE_FAILURES_MAX, SEND_SLABS_MAX,
};
use crate::outgoing::{Outgoing, Sender};
use crate::socket::{SocketBuffers, bind_all};
use crate::statistics::Statistics;
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
    /// Whether long messages may be sent without a copy where the kernel reports that it pays. The
    /// epoll engine always copies.
    pub zero_copy: bool,
    /// What moves the datagrams; [`crate::probe`] finds out what works.
    pub engine: Engine,
}

impl Config {
    /// Sizes that suit a worker which forwards media for a few hundred peers: 256 receive buffers,
    /// 16 slabs, 4 MiB of socket buffer, adaptive zero-copy, io_uring.
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            addresses,
            receive_buffers: 256,
            send_slabs: 16,
            socket_buffer_bytes: 4 << 20,
            zero_copy: true,
            engine: Engine::IoUring,
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

/// UDP sockets with their packet memory, to be made and used on one thread.
pub struct Ring {
    /// First: it closes the io_uring before the buffers below are given back.
    sender: Sender,
    buffers: ReceiveBuffers,
    /// What the last wait brought.
    trains: Vec<Train>,
    locals: Box<[SocketAddr]>,
}

impl Ring {
    /// Binds the sockets and starts receiving. The calling thread is the only one that may use the
    /// ring.
    ///
    /// # Errors
    /// [`RingError::Unavailable`] and [`RingError::MissingOperation`] where io_uring was asked for
    /// and the host denies it or is too old, with what to do about it; [`RingError::Bind`] where an
    /// address cannot be had.
    pub fn new(config: &Config) -> Result<Self, RingError> {
        config.check()?;
        let receive_buffers = config.receive_buffers.next_power_of_two();
        let engine = Running::new(config.engine, receive_buffers)?;
        let sockets = bind_all(
            &config.addresses,
            config.socket_buffer_bytes,
            config.zero_copy && config.engine == Engine::IoUring,
        )?;
        let locals = sockets.iter().map(|socket| socket.local).collect();
        let flight = Flight::new(sockets, receive_buffers, config.send_slabs, Waker::new()?);
        let mut ring = Self {
            sender: Sender::new(engine, flight, config.send_slabs),
            buffers: ReceiveBuffers::new(receive_buffers),
            trains: Vec::with_capacity(usize::from(receive_buffers)),
            locals,
        };
        let Sender { engine, flight, .. } = &mut ring.sender;
        // SAFETY: `sender`, and the engine in it, is declared and so dropped before `buffers`.
        unsafe { engine.start(flight, &ring.buffers)? };
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
    /// [`RingError::Wait`] and [`RingError::Receive`]: the ring is of no further use.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Wakeup, RingError> {
        for train in self.trains.drain(..) {
            self.buffers.give_back(train.buffer);
            self.sender.engine.give_back(train.buffer);
        }
        self.sender.close_run();
        let Sender { engine, flight, .. } = &mut self.sender;
        let ready = !flight.arrived.is_empty() || flight.woken;
        let timeout = if ready { Some(Duration::ZERO) } else { timeout };
        engine.wait(flight, &self.buffers, timeout)?;
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

    /// Makes the batch of what arrived and returns its number of datagrams.
    fn take_arrived(&mut self) -> usize {
        let Sender { engine, flight, .. } = &mut self.sender;
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
                    engine.give_back(arrived.buffer);
                }
            }
        }
        flight.statistics.datagrams_received += datagrams;
        usize::try_from(datagrams).expect("bounded by the receive buffers")
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.sender.close_run();
        let Sender { engine, flight, .. } = &mut self.sender;
        if !engine.drain(flight) {
            // The kernel may still write to this memory: better lost than reused.
            self.buffers.leak();
            self.sender.engine.leak();
            self.sender.memory.leak();
        }
    }
}

#[cfg(test)]
mod tests;
