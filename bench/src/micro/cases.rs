//! What is measured.

use super::load::{LoadedWorker, Media, start};
use super::{Case, Work};
use bedside_core::CoreStatistics;
use bedside_protocol::RoomId;
use bedside_srtp::{MasterKey, Opener, Profile, Sealer};
use std::time::Duration;

/// All micro-benchmarks. There is no estimator of bandwidth yet; what it will be fed with is
/// `feedback`.
pub const CASES: [Case; 19] = [
    Case {
        name: "seal",
        operation: "packet of 1,200 bytes sealed (AES-256-GCM)",
        make: || Box::new(Cryptography::new(Direction::Seal)),
        counted: true,
    },
    Case {
        name: "open",
        operation: "packet of 1,200 bytes opened (AES-256-GCM)",
        make: || Box::new(Cryptography::new(Direction::Open)),
        counted: true,
    },
    Case {
        name: "rewrite",
        operation: "packet of 100 bytes forwarded, 1 to 10: the header more than the payload",
        make: || Box::new(Loaded::new(1, one_to(10, Media::Audio))),
        counted: true,
    },
    Case {
        name: "batch-1-to-1",
        operation: "packet forwarded, 8 a wake-up",
        make: || Box::new(Loaded::new(8, one_to(1, VIDEO_8))),
        counted: true,
    },
    Case {
        name: "batch-1-to-10",
        operation: "packet forwarded, 8 a wake-up",
        make: || Box::new(Loaded::new(8, one_to(10, VIDEO_8))),
        counted: true,
    },
    Case {
        name: "batch-1-to-50",
        operation: "packet forwarded, 8 a wake-up",
        make: || Box::new(Loaded::new(8, one_to(50, VIDEO_8))),
        counted: false,
    },
    Case {
        name: "batch-1-to-100",
        operation: "packet forwarded, 8 a wake-up",
        make: || Box::new(Loaded::new(8, one_to(100, VIDEO_8))),
        counted: false,
    },
    Case {
        name: "single-1-to-10",
        operation: "packet forwarded, 1 a wake-up",
        make: || Box::new(Loaded::new(1, one_to(10, VIDEO_8))),
        counted: true,
    },
    Case {
        name: "consults-5",
        operation: "packet forwarded in 5 two-way consults, 4 datagrams a wake-up, all reports",
        make: || Box::new(Loaded::new(4, consults(5))),
        counted: true,
    },
    Case {
        name: "consults-5-regressed",
        operation: "packet forwarded, where every datagram is looked at twice",
        make: || {
            Box::new(Loaded {
                twice: true,
                ..Loaded::new(4, consults(5))
            })
        },
        counted: false,
    },
    Case {
        name: "consults-200",
        operation: "packet forwarded in 200 two-way consults, 32 datagrams a wake-up",
        make: || Box::new(Loaded::new(32, consults(200))),
        counted: false,
    },
    Case {
        name: "consults-1000",
        operation: "packet forwarded in 1,000 two-way consults, 32 datagrams a wake-up",
        make: || Box::new(Loaded::new(32, consults(1_000))),
        counted: false,
    },
    Case {
        name: "tracks-1",
        operation: "packet forwarded, 25 publishers with 10 subscribers each",
        make: || Box::new(Loaded::new(8, tracks(1))),
        counted: false,
    },
    Case {
        name: "tracks-25",
        operation: "packet forwarded, 25 publishers with the same 10 subscribers",
        make: || Box::new(Loaded::new(8, tracks(25))),
        counted: false,
    },
    Case {
        name: "idle-5000",
        operation: "packet forwarded in 200 two-way consults beside 5,000 idle participants",
        make: || {
            let mut worker = consults(200);
            for number in 0..5_000 {
                worker.join(RoomId(number));
            }
            Box::new(Loaded::new(32, worker))
        },
        counted: false,
    },
    Case {
        name: "retransmit",
        operation: "packet sent again on request",
        make: || Box::new(Repairs::new()),
        counted: true,
    },
    Case {
        name: "feedback",
        operation: "compound of reports or transport-wide feedback taken in",
        make: || {
            Box::new(Said {
                worker: consults(5),
                prepare: |worker| worker.prepare_feedback(10),
                done: |done| done.forwarder.received_rtcp,
            })
        },
        counted: true,
    },
    Case {
        name: "check",
        operation: "connectivity check answered",
        make: || {
            Box::new(Said {
                worker: consults(5),
                prepare: |worker| worker.prepare_checks(10),
                done: |done| done.transport.checks_answered,
            })
        },
        counted: true,
    },
    Case {
        name: "path",
        operation: "path looked up, header read, and the packet refused as a replay",
        make: || {
            let mut worker = consults(5);
            worker.prepare(SLICE, 32);
            worker.run();
            worker.drain_events();
            Box::new(Said {
                worker,
                prepare: LoadedWorker::prepare_replays,
                done: |done| done.forwarder.dropped_unauthentic,
            })
        },
        counted: true,
    },
];

fn worker() -> LoadedWorker {
    LoadedWorker::new(start())
}

fn consults(count: u64) -> LoadedWorker {
    let mut worker = worker();
    worker.consults(count);
    worker
}

fn one_to(subscribers: usize, media: Media) -> LoadedWorker {
    let mut worker = worker();
    room(&mut worker, 1, 1, subscribers, media);
    worker
}

/// 25 publishers, and subscriptions of 10 each: of the same subscribers, or of others each time.
fn tracks(per_subscriber: usize) -> LoadedWorker {
    let mut worker = worker();
    let media = Media::Video {
        packets: 2,
        bytes: 1_200,
    };
    let rooms = 25 / per_subscriber;
    for number in 0..rooms {
        let id = u64::try_from(number).unwrap_or_default();
        room(&mut worker, id, per_subscriber, 10, media);
    }
    worker
}

fn room(worker: &mut LoadedWorker, id: u64, publishers: usize, subscribers: usize, media: Media) {
    let published: Vec<_> = (0..publishers)
        .map(|_| {
            let publisher = worker.join(RoomId(id));
            worker.publish(publisher, media)
        })
        .collect();
    for _ in 0..subscribers {
        let subscriber = worker.join(RoomId(id));
        for of in &published {
            worker.subscribe(subscriber, *of);
        }
    }
}

/// Eight seconds of traffic, in which caches take their size and estimates find what paths take. How
/// many datagrams came in the last slice.
fn settle(worker: &mut LoadedWorker, per_wakeup: usize) -> usize {
    let mut datagrams = 0;
    for _ in 0..160 {
        datagrams = worker.prepare(SLICE, per_wakeup);
        worker.run();
        worker.drain_events();
    }
    datagrams
}

/// Traffic at its rate, with everything that clients say beside it.
struct Loaded {
    worker: LoadedWorker,
    per_wakeup: usize,
    slice: Duration,
    /// Every datagram comes a second time.
    twice: bool,
}

impl Loaded {
    fn new(per_wakeup: usize, mut worker: LoadedWorker) -> Self {
        let datagrams = settle(&mut worker, per_wakeup);
        let datagrams = u32::try_from(datagrams.max(1)).unwrap_or(u32::MAX);
        Self {
            // Clients can feed back only what was sent in slices before.
            slice: (SLICE * DATAGRAMS_PER_ROUND / datagrams).clamp(SLICE_MIN, FEEDBACK_SLICE_MAX),
            worker,
            per_wakeup,
            twice: false,
        }
    }
}

impl Work for Loaded {
    fn prepare(&mut self) {
        self.worker.prepare(self.slice, self.per_wakeup);
        if self.twice {
            self.worker.repeat_prepared();
        }
    }

    fn run(&mut self) -> u64 {
        let before = self.worker.forwarded();
        self.worker.run();
        self.worker.forwarded() - before
    }

    fn settle(&mut self) {
        self.worker.drain_events();
    }
}

/// One kind of datagram after the other, at once.
struct Said {
    worker: LoadedWorker,
    prepare: fn(&mut LoadedWorker),
    done: fn(&CoreStatistics) -> u64,
}

impl Work for Said {
    fn prepare(&mut self) {
        (self.prepare)(&mut self.worker);
    }

    fn run(&mut self) -> u64 {
        let before = (self.done)(&self.worker.core.statistics());
        self.worker.run();
        (self.done)(&self.worker.core.statistics()) - before
    }

    fn settle(&mut self) {
        self.worker.drain_events();
    }
}

/// Subscribers that ask for the newest packets again.
struct Repairs {
    worker: LoadedWorker,
}

impl Repairs {
    fn new() -> Self {
        let mut worker = consults(2);
        settle(&mut worker, 4);
        Self { worker }
    }
}

impl Work for Repairs {
    fn prepare(&mut self) {
        self.worker.prepare(SLICE, 4);
        self.worker.sink.kept = Some(Vec::new());
        self.worker.run();
        self.worker.drain_events();
        self.worker.prepare_nacks(4, 5);
    }

    fn run(&mut self) -> u64 {
        let before = self.worker.core.statistics().forwarder.retransmitted;
        self.worker.run();
        self.worker.core.statistics().forwarder.retransmitted - before
    }

    fn settle(&mut self) {
        self.worker.drain_events();
    }
}

enum Direction {
    Seal,
    Open,
}

/// A sealer and an opener of one key, and packets between them.
struct Cryptography {
    direction: Direction,
    sealer: Sealer,
    opener: Opener,
    next: u64,
    packets: Vec<Vec<u8>>,
}

impl Cryptography {
    fn new(direction: Direction) -> Self {
        let key = || MasterKey::new(PROFILE, &[7; 32], &[9; 12]).expect("its lengths");
        Self {
            direction,
            sealer: Sealer::new(PROFILE, &key()).expect("a key of the profile"),
            opener: Opener::new(PROFILE, &key()).expect("a key of the profile"),
            next: 1_000,
            packets: vec![vec![0; PACKET_BYTES]; PACKETS],
        }
    }

    fn seal(&mut self) -> u64 {
        let payload = [0x5a; PACKET_BYTES - HEADER_BYTES - TAG_BYTES];
        for packet in &mut self.packets {
            let [.., s0, s1] = self.next.to_be_bytes();
            packet[..4].copy_from_slice(&[0x80, 96, s0, s1]);
            packet[8..12].copy_from_slice(&SSRC.to_be_bytes());
            self.sealer
                .seal_rtp_into(packet, HEADER_BYTES, &payload, self.next, SSRC, 0)
                .expect("sealable");
            self.next += 1;
        }
        self.packets.len() as u64
    }
}

impl Work for Cryptography {
    fn prepare(&mut self) {
        if let Direction::Open = self.direction {
            self.seal();
        }
    }

    fn run(&mut self) -> u64 {
        match self.direction {
            Direction::Seal => self.seal(),
            Direction::Open => {
                for packet in &mut self.packets {
                    let sequence = u16::from_be_bytes([packet[2], packet[3]]);
                    self.opener
                        .open_rtp(packet, HEADER_BYTES, SSRC, sequence)
                        .expect("authentic");
                }
                self.packets.len() as u64
            }
        }
    }
}

const VIDEO_8: Media = Media::Video {
    packets: 8,
    bytes: 1_200,
};

/// Virtual time of a round until its datagrams are known.
const SLICE: Duration = Duration::from_millis(50);
const FEEDBACK_SLICE_MAX: Duration = Duration::from_millis(100);

const SLICE_MIN: Duration = Duration::from_millis(2);

/// Few enough for what is prepared not to push the worker's own memory out of the caches.
const DATAGRAMS_PER_ROUND: u32 = 500;

const PROFILE: Profile = Profile::AeadAes256Gcm;
const PACKET_BYTES: usize = 1_200;
const HEADER_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const PACKETS: usize = 200;
const SSRC: u32 = 7;
