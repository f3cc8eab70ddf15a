//! What a completion is the completion of, packed into io_uring's 64 bits of user data.

/// An operation in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The multishot receive of a socket.
    Receive {
        /// The socket's index.
        socket: u8,
    },
    /// The read of the eventfd.
    Wake,
    /// A message. Its slab and socket are named here as well as in the message, because with
    /// zero-copy the notification comes when the message has long been used again.
    Send {
        /// The message's index.
        message: u16,
        /// The slab its bytes are in.
        slab: u16,
        /// The socket's index.
        socket: u8,
    },
    /// The cancellation of everything, when the ring is dropped.
    Cancel,
}

impl Token {
    pub(crate) fn pack(self) -> u64 {
        match self {
            Self::Receive { socket } => RECEIVE | u64::from(socket) << 8,
            Self::Wake => WAKE,
            Self::Send {
                message,
                slab,
                socket,
            } => SEND | u64::from(socket) << 8 | u64::from(slab) << 16 | u64::from(message) << 32,
            Self::Cancel => CANCEL,
        }
    }

    pub(crate) fn unpack(user_data: u64) -> Self {
        let bytes = user_data.to_le_bytes();
        let socket = bytes[1];
        match u64::from(bytes[0]) {
            RECEIVE => Self::Receive { socket },
            WAKE => Self::Wake,
            SEND => Self::Send {
                message: u16::from_le_bytes([bytes[4], bytes[5]]),
                slab: u16::from_le_bytes([bytes[2], bytes[3]]),
                socket,
            },
            CANCEL => Self::Cancel,
            other => unreachable!("every operation carries a token, not {other}"),
        }
    }
}

const RECEIVE: u64 = 1;
const WAKE: u64 = 2;
const SEND: u64 = 3;
const CANCEL: u64 = 4;

#[cfg(test)]
mod tests;
