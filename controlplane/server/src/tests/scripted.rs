//! A data plane that says what a test tells it to.

use super::within;
use bedside_protocol::frame::{Decoder, encode};
use bedside_protocol::{
    BootId, Command, CommandFrame, Event, EventFrame, FromControl, FromDataplane, Hello,
    PROTOCOL_VERSION, Refusal, RoomId, Welcome, WorkerId, WorkerInfo,
};
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

pub(super) struct ScriptedDataplane {
    listener: UnixListener,
    connection: Option<(UnixStream, Decoder)>,
    sequence: u64,
    /// Number of the last evidence.
    record: u64,
    /// The last one that was acknowledged.
    pub(super) acknowledged: u64,
}

impl ScriptedDataplane {
    pub(super) fn listen(socket: &Path) -> Self {
        if socket.exists() {
            std::fs::remove_file(socket).expect("ours");
        }
        Self {
            listener: UnixListener::bind(socket).expect("a free path"),
            connection: None,
            sequence: 0,
            record: 0,
            acknowledged: 0,
        }
    }

    /// Takes a connection, hears its hello and welcomes it.
    pub(super) async fn accept(&mut self) -> Hello {
        let hello = self.hear_hello().await;
        self.say(&FromDataplane::Welcome(Welcome {
            version: PROTOCOL_VERSION,
            boot: BootId(7),
            fingerprint_sha256: [9; 32],
            engine: "scripted".to_owned(),
            workers: vec![WorkerInfo {
                worker: WorkerId(0),
                addresses: vec!["127.0.0.1:4000".parse().expect("an address")],
                rooms: Vec::new(),
                sequence: self.sequence,
                acknowledged: self.acknowledged,
            }],
            spooled: Vec::new(),
        }))
        .await;
        hello
    }

    pub(super) async fn refuse(&mut self, refusal: Refusal) {
        self.hear_hello().await;
        self.say(&FromDataplane::Refusal(refusal)).await;
        self.hang_up();
    }

    pub(super) fn hang_up(&mut self) {
        self.connection = None;
    }

    pub(super) async fn event(&mut self, room: RoomId, event: Event) {
        self.sequence += 1;
        let frame = EventFrame {
            worker: WorkerId(0),
            sequence: self.sequence,
            record: event.is_evidence().then(|| {
                self.record += 1;
                self.record
            }),
            at_us: 0,
            room,
            event,
        };
        self.say(&FromDataplane::Event(frame)).await;
    }

    pub(super) async fn say_bytes(&mut self, bytes: &[u8]) {
        let (stream, _) = self.connection.as_mut().expect("connected");
        stream.write_all(bytes).await.expect("the server reads");
    }

    async fn say(&mut self, message: &FromDataplane) {
        let mut bytes = Vec::new();
        encode(message, &mut bytes).expect("within bounds");
        self.say_bytes(&bytes).await;
    }

    async fn hear_hello(&mut self) -> Hello {
        let accepted = within(self.listener.accept(), "the server connects").await;
        let (stream, _) = accepted.expect("accepts");
        self.connection = Some((stream, Decoder::new()));
        match self.hear().await {
            FromControl::Hello(hello) => hello,
            other => panic!("no hello: {other:?}"),
        }
    }

    /// The next command that `wanted` picks; those before it are dropped.
    pub(super) async fn command<T>(&mut self, wanted: impl Fn(&CommandFrame) -> Option<T>) -> T {
        loop {
            let frame = match self.hear().await {
                FromControl::Command(frame) => frame,
                FromControl::Acknowledge(acknowledge) => {
                    self.acknowledged = acknowledge.record;
                    continue;
                }
                FromControl::Hello(_) => panic!("a second hello"),
            };
            if let Some(found) = wanted(&frame) {
                return found;
            }
        }
    }

    /// Says once more what it had said before.
    pub(super) async fn event_again(&mut self, record: u64, room: RoomId, event: Event) {
        let frame = EventFrame {
            worker: WorkerId(0),
            sequence: self.sequence,
            record: Some(record),
            at_us: 0,
            room,
            event,
        };
        self.say(&FromDataplane::Event(frame)).await;
    }

    /// Waits until evidence is acknowledged up to this number.
    pub(super) async fn acknowledged(&mut self, record: u64) {
        while self.acknowledged < record {
            if let FromControl::Acknowledge(acknowledge) = self.hear().await {
                self.acknowledged = acknowledge.record;
            }
        }
    }

    /// The room of the next `EnsureRoom`.
    pub(super) async fn room(&mut self) -> RoomId {
        self.command(|frame| (frame.command == Command::EnsureRoom).then_some(frame.room))
            .await
    }

    async fn hear(&mut self) -> FromControl {
        let (stream, decoder) = self.connection.as_mut().expect("connected");
        let next = async {
            let mut buffer = [0; 4096];
            loop {
                if let Some(message) = decoder.next().expect("well-formed") {
                    return message;
                }
                let read = stream.read(&mut buffer).await.expect("the server writes");
                assert_ne!(read, 0, "the server hung up");
                decoder.extend(&buffer[..read]);
            }
        };
        within(next, "the server says something").await
    }
}
