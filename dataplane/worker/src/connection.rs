//! One control plane's connection, after it was welcomed: commands in, events out.

use std::cell::Cell;
use std::rc::Rc;

use bedside_protocol::frame::{self, Decoder};
use bedside_protocol::{EventFrame, FromControl, FromDataplane, Generation};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::fleet::Fleet;
use crate::limits::{EVENTS_PER_WRITE_MAX, GREETING_MAX, LAST_EVENTS_MAX, READ_BYTES};
use crate::stream::ControlStream;

/// A connection with its two tasks.
pub(crate) struct Connection {
    stream: Rc<ControlStream>,
    state: Rc<State>,
    fleet: Rc<Fleet>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// Told when the connection is to end or to finish.
    changed: Notify,
    /// Nothing more is written.
    closed: Cell<bool>,
    /// The writer ends once nothing waits.
    finishing: Cell<bool>,
}

/// Reads frames of one direction from a stream.
pub(crate) struct FrameReader {
    stream: Rc<ControlStream>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

/// Why no frame was read.
#[derive(Debug)]
pub(crate) enum ReadEnd {
    /// The other side closed, or the connection broke.
    Closed,
    /// What came is not a frame.
    Frame(frame::Error),
}

impl FrameReader {
    pub(crate) fn new(stream: Rc<ControlStream>) -> Self {
        Self {
            stream,
            decoder: Decoder::new(),
            buffer: Vec::with_capacity(READ_BYTES),
        }
    }

    /// The next frame.
    ///
    /// # Errors
    /// [`ReadEnd`]; nothing can be read any more.
    pub(crate) async fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, ReadEnd> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(ReadEnd::Frame)? {
                return Ok(frame);
            }
            match self.stream.read(&mut self.buffer).await {
                Ok(1..) => self.decoder.extend(&self.buffer),
                Ok(0) | Err(_) => return Err(ReadEnd::Closed),
            }
        }
    }
}

/// Writes one frame. `false` if the connection broke or takes too long.
pub(crate) async fn write(stream: &ControlStream, message: &FromDataplane) -> bool {
    write_all(stream, std::iter::once(message.clone()), &mut Vec::new()).await
}

/// Writes several frames. `false` if the connection broke or takes too long.
pub(crate) async fn write_all(
    stream: &ControlStream,
    messages: impl Iterator<Item = FromDataplane>,
    bytes: &mut Vec<u8>,
) -> bool {
    bytes.clear();
    for message in messages {
        if let Err(error) = frame::encode(&message, bytes) {
            tracing::error!("a frame cannot be written: {error}");
            return false;
        }
    }
    let written = timeout(GREETING_MAX, stream.write_all(bytes)).await;
    written.is_ok_and(|result| result.is_ok())
}

impl Connection {
    /// Serves a control plane that has been welcomed.
    pub(crate) fn start(
        stream: Rc<ControlStream>,
        reader: FrameReader,
        generation: Generation,
        fleet: &Rc<Fleet>,
        backlog: Vec<EventFrame>,
    ) -> Self {
        let state = Rc::new(State::default());
        let reading = read(
            reader,
            Rc::clone(&stream),
            Rc::clone(&state),
            Rc::clone(fleet),
        );
        let (stream_of, state_of) = (Rc::clone(&stream), Rc::clone(&state));
        let writing = write_events(stream_of, state_of, Rc::clone(fleet), backlog);
        let fleet_of = Rc::clone(fleet);
        let reader = tokio::task::spawn_local(async move {
            reading.await;
            tracing::info!(generation = generation.0, "the control plane is gone");
            fleet_of.changed.notify_waiters();
        });
        Self {
            stream,
            state,
            fleet: Rc::clone(fleet),
            reader,
            writer: tokio::task::spawn_local(writing),
        }
    }

    /// Whether nothing can be said to the control plane any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.closed.get()
    }

    /// Ends the connection and waits until its tasks have, so that no event is taken twice.
    pub(crate) async fn close(self) {
        self.state.close(&self.stream);
        // It may be waiting for a worker that is behind; the command is dropped with it.
        self.reader.abort();
        // A task that panicked has been reported by the hook.
        drop(self.reader.await);
        drop(self.writer.await);
    }

    /// Writes what waits, for a while at most, then closes.
    pub(crate) async fn finish(mut self) {
        self.state.finishing.set(true);
        self.state.changed.notify_one();
        if timeout(LAST_EVENTS_MAX, &mut self.writer).await.is_err() {
            tracing::warn!("the control plane did not take the last events");
            return self.close().await;
        }
        let acknowledged = async {
            while !self.fleet.is_acknowledged() && !self.state.closed.get() {
                self.fleet.changed.notified().await;
            }
        };
        if timeout(LAST_EVENTS_MAX, acknowledged).await.is_err() {
            tracing::warn!("the control plane did not acknowledge the last events");
        }
        self.state.close(&self.stream);
    }
}

impl State {
    fn close(&self, stream: &ControlStream) {
        self.closed.set(true);
        self.changed.notify_one();
        // Ends a read and a write that are under way.
        stream.close();
    }
}

async fn read(
    mut reader: FrameReader,
    stream: Rc<ControlStream>,
    state: Rc<State>,
    fleet: Rc<Fleet>,
) {
    loop {
        match reader.next().await {
            Ok(FromControl::Command(frame)) => fleet.command(frame).await,
            Ok(FromControl::Acknowledge(acknowledged)) => fleet.acknowledge(acknowledged),
            Ok(FromControl::Hello(_)) => {
                tracing::warn!("a second hello on one connection; closing it");
                break;
            }
            Err(ReadEnd::Closed) => break,
            Err(ReadEnd::Frame(error)) => {
                tracing::warn!("closing the connection: {error}");
                break;
            }
        }
    }
    state.close(&stream);
}

/// Writes events until the connection ends: first those of `backlog`, which stand in a file.
async fn write_events(
    stream: Rc<ControlStream>,
    state: Rc<State>,
    fleet: Rc<Fleet>,
    backlog: Vec<EventFrame>,
) {
    let mut frames: Vec<EventFrame> = Vec::new();
    let mut bytes = Vec::new();
    for part in backlog.chunks(EVENTS_PER_WRITE_MAX) {
        let messages = part.iter().cloned().map(FromDataplane::Event);
        if !write_all(&stream, messages, &mut bytes).await {
            return state.close(&stream);
        }
    }
    while !state.closed.get() {
        let mut wrote = false;
        for spool in fleet.spools() {
            let (worker, dropped) = (spool.worker().0, spool.take_dropped());
            if dropped > 0 {
                tracing::warn!(worker, dropped, "events were lost: nobody took them");
            }
            spool.take(EVENTS_PER_WRITE_MAX, &mut frames);
            let Some(last) = frames.last().map(|frame| frame.sequence) else {
                continue;
            };
            let messages: Vec<FromDataplane> = frames.drain(..).map(FromDataplane::Event).collect();
            bytes.clear();
            for message in &messages {
                if let Err(error) = frame::encode(message, &mut bytes) {
                    tracing::error!(worker, "an event cannot be written: {error}");
                }
            }
            if stream.write_all(&mut bytes).await.is_err() {
                spool.restore(messages.into_iter().filter_map(|message| match message {
                    FromDataplane::Event(frame) => Some(frame),
                    _ => None,
                }));
                state.close(&stream);
                return;
            }
            spool.delivered(last);
            fleet.write_surplus(spool);
            wrote = true;
        }
        if wrote {
            continue;
        }
        if state.finishing.get() {
            return;
        }
        tokio::select! {
            () = fleet.news.notified() => {}
            () = state.changed.notified() => {}
        }
    }
}
