//! Every bound of this crate, each with its reason.

/// Local addresses one ring serves. A host has a handful (a private and a public network, IPv4 and
/// IPv6); sending looks them up one after another.
pub const ADDRESSES_MAX: usize = 16;

/// Ports tried when the kernel chooses one and another local address already has it taken.
pub const PORT_ATTEMPTS_MAX: usize = 16;

/// Fewest receive buffers: below this a burst ends the multishot receive on nearly every wake-up.
pub const RECEIVE_BUFFERS_MIN: u16 = 8;

/// Most receive buffers: 4,096 of them span 256 MiB of address space; past that the socket's own
/// buffer is the better place to queue.
pub const RECEIVE_BUFFERS_MAX: u16 = 4_096;

/// Fewest receive buffers that io_uring has at a time, if there are so many: what one wake-up of a
/// busy worker brings. It fills those 64 first lines and payloads in turn, which stay in the
/// second-level cache.
pub const RECEIVE_WINDOW_MIN: u16 = 64;

/// Bytes from one receive buffer to the next. It holds what the kernel puts in front
/// (`RECEIVE_HEADER_BYTES`) and the longest UDP payload there is, 65,527 bytes over IPv6, so that a
/// coalesced train is never cut. 257 x 256: not a multiple of the page size, so that the
/// first lines of the buffers spread over the cache's sets instead of fighting for one.
pub const RECEIVE_BUFFER_BYTES: usize = 65_792;

/// Most outgoing slabs (256 MiB). Only zero-copy sends hold more than one.
pub const SEND_SLABS_MAX: u16 = 1_024;

/// Bytes of one outgoing slab. When it is full its messages are submitted, so this is also how
/// much one submission carries: enough to make the system call cheap (200 packets), little enough
/// that the kernel finds the bytes still in the second-level cache. Measured with 16 packets to
/// each of 50 sockets, ns of CPU a packet: 567 with 64 KiB, 530 with 256 KiB, 556 with 1 MiB
/// (2026-11, two-core virtual machine).
pub const SEND_SLAB_BYTES: usize = 256 * 1_024;

/// Longest datagram and longest run of segments in one message: 65,535 less the IPv4 and the UDP
/// header. One byte more is EMSGSIZE.
pub const RUN_BYTES_MAX: usize = 65_507;

/// Segments in one message: UDP_MAX_SEGMENTS of every kernel since 4.18 (newer ones take 128).
pub const RUN_SEGMENTS_MAX: u16 = 64;

/// Messages prepared and not yet accepted by the kernel; also the size of the submission queue.
/// Small single packets fill it before they fill a slab.
pub const MESSAGES_MAX: u16 = 512;

/// Datagrams or trains in one wait from which on the epoll engine takes the next ones without asking
/// first whether there are any.
pub const BUSY_RECEIVES_MIN: usize = 2;

/// Receives that one `io_uring_enter` brought from which on the next one, which does not wait, may
/// bring more: the kernel stops after 20 (IO_LOCAL_TW_DEFAULT_MAX, Linux 6.13).
pub const FURTHER_RECEIVES_MIN: usize = 16;

/// Such further enters in one wait, so that the first datagram of a flood is not kept waiting: some
/// 200 datagrams, 0.1 ms.
pub const FURTHER_ENTERS_MAX: usize = 8;

/// Receive failures in a row, with nothing received between, after which the ring gives up: a
/// socket that only fails would otherwise spin.
pub const RECEIVE_FAILURES_MAX: u32 = 1_000;

/// Shortest message worth sending without a copy: below it, pinning the pages and the second
/// completion cost more than the copy (liburing's own measurements put the break-even near 10 KB).
pub const ZERO_COPY_BYTES_MIN: usize = 16 * 1_024;

/// Eligible messages before the first trial of zero-copy on a socket.
pub const ZERO_COPY_TRIAL_FIRST: u32 = 1_024;

/// Eligible messages between trials at most; each trial that the kernel copied doubles the wait.
pub const ZERO_COPY_TRIAL_MAX: u32 = 1 << 20;

/// Uncopied trials in a row that turn zero-copy on.
pub const ZERO_COPY_TRIALS_TO_TURN_ON: u8 = 8;

/// Enters allowed for the kernel to give everything back when a ring is dropped, of
/// `DRAIN_ENTER_MS` each.
pub const DRAIN_ENTERS_MAX: u32 = 50;

/// Longest single wait while draining, in milliseconds.
pub const DRAIN_ENTER_MS: u64 = 20;
