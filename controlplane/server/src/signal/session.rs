//! One signalling connection, from the accepted upgrade to its end.

use super::format::{self, Format, Malformed};
use super::queue::{self, Outgoing, Receiver};
use crate::limits::{PING_INTERVAL, SEND_TIMEOUT, SILENCE_MAX};
use crate::rooms::RoomsHandle;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bedside_rooms::{Claims, CloseHow, Join, JoinParameters, SessionId};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// Joins, carries messages both ways, and tells the rooms of the end, whichever side it came
/// from.
pub(super) async fn run(
    rooms: RoomsHandle,
    socket: WebSocket,
    claims: Claims,
    parameters: JoinParameters,
) {
    let (sender, receiver) = queue::queue();
    let session = rooms.next_session();
    let join = Box::new(Join {
        session,
        claims,
        parameters,
    });
    if rooms.join(join, sender).await.is_err() {
        return;
    }
    let end = carry(&rooms, session, socket, receiver).await;
    tracing::debug!(?session, ?end, "signalling connection ended");
    // On an error the server is stopping, and the rooms with it.
    rooms.session_closed(session).await.unwrap_or_default();
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The client closed it, or it broke.
    Client,
    /// The client sent what is no message.
    Malformed,
    /// Nothing came for [`SILENCE_MAX`].
    Silent,
    /// The client took nothing for [`SEND_TIMEOUT`], or too much waited for it.
    Slow,
    /// The rooms ended it.
    Rooms(CloseHow),
    /// The server is stopping.
    Stopping,
}

async fn carry(
    rooms: &RoomsHandle,
    session: SessionId,
    socket: WebSocket,
    receiver: Receiver,
) -> End {
    let (mut sink, mut stream) = socket.split();
    let json = AtomicBool::new(false);
    let overflow = receiver.overflow();
    let end = tokio::select! {
        end = read(rooms, session, &mut stream, &json) => end,
        end = write(&mut sink, receiver, &json) => end,
        () = overflow => End::Slow,
    };
    // Everything else drops TCP: LiveKit's clients resume at once on that (code 1006), and only
    // after their ping time-out on a polite close.
    let code = match end {
        End::Rooms(CloseHow::Normal) => close_code::NORMAL,
        End::Malformed => close_code::INVALID,
        _ => return end,
    };
    let frame = CloseFrame {
        code,
        reason: "".into(),
    };
    let farewell = async {
        if sink.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = stream.next().await {}
        }
    };
    if timeout(SEND_TIMEOUT, farewell).await.is_err() {
        return End::Slow;
    }
    end
}

async fn read(
    rooms: &RoomsHandle,
    session: SessionId,
    stream: &mut SplitStream<WebSocket>,
    json: &AtomicBool,
) -> End {
    loop {
        let message = match timeout(SILENCE_MAX, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(_)) | None) => return End::Client,
            Err(_) => return End::Silent,
        };
        let decoded = match &message {
            Message::Binary(bytes) => format::decode_protobuf(bytes),
            Message::Text(text) => format::decode_json(text),
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return End::Client,
        };
        json.store(matches!(message, Message::Text(_)), Ordering::Relaxed);
        let request = match decoded {
            Ok(request) => request,
            Err(Malformed) => return End::Malformed,
        };
        if rooms.signal(session, Box::new(request)).await.is_err() {
            return End::Stopping;
        }
    }
}

async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    mut receiver: Receiver,
    json: &AtomicBool,
) -> End {
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            outgoing = receiver.recv() => match outgoing {
                Some(Outgoing::Response(response)) => {
                    let format = if json.load(Ordering::Relaxed) {
                        Format::Json
                    } else {
                        Format::Protobuf
                    };
                    format.encode(&response)
                }
                Some(Outgoing::Close(how)) => return End::Rooms(how),
                None => return End::Stopping,
            },
            _ = pings.tick() => Message::Ping(axum::body::Bytes::new()),
        };
        match timeout(SEND_TIMEOUT, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Client,
            Err(_) => return End::Slow,
        }
    }
}
