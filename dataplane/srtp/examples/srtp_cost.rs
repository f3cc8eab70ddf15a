//! Prints what sealing and opening cost, in nanoseconds of one core for each packet:
//! `cargo run --release -p bedside-srtp --example srtp_cost`.
//!
//! Each figure is the best of many rounds, because the machine's other work can only add. A round
//! works through a batch as large as one segmentation-offload message, so code and keys are warm
//! and the packets come from the second-level cache.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bedside_srtp::{MasterKey, Opener, Profile, Sealer};

const PROFILES: [Profile; 3] = [
    Profile::AeadAes256Gcm,
    Profile::AeadAes128Gcm,
    Profile::AesCm128HmacSha1_80,
];
const ROUNDS: u64 = 2_000;
const BATCH: usize = 52;
const SSRC: u32 = 0x0102_0304;
const ROOM_BYTES: usize = 12 + 1_200 + 16;

fn main() {
    println!(
        "{:<24}{:>12}{:>12}{:>12}{:>12}",
        "ns a packet", "seal 160", "open 160", "seal 1200", "open 1200"
    );
    let rows = PROFILES.map(|profile| [160, 1_200].map(|bytes| seal_and_open(profile, bytes)));
    let base = rows[0].as_flattened();
    for (profile, row) in PROFILES.iter().zip(&rows) {
        print!("{:<24}", format!("{profile:?}"));
        for cost in row.as_flattened() {
            print!("{cost:>12.0}");
        }
        print!("\n{:<24}", "  of AeadAes256Gcm");
        for (cost, base) in row.as_flattened().iter().zip(base) {
            print!("{:>12.2}", cost / base);
        }
        println!();
    }

    println!(
        "\n{:<24}{:>12}{:>24}",
        "bare AES-256-GCM", "seal 160", "seal 1200"
    );
    println!(
        "{:<24}{:>12.0}{:>24.0}",
        "one pass",
        one_pass(160),
        one_pass(1_200)
    );
    println!(
        "{:<24}{:>12.0}{:>24.0}",
        "copy, then in place",
        copy_then_in_place(160),
        copy_then_in_place(1_200)
    );

    println!(
        "\n{:<24}{:>12}{:>12}",
        "seal 1200 for 500", "runs of 1", "runs of 4"
    );
    for profile in PROFILES {
        print!("{:<24}", format!("{profile:?}"));
        for run in [1, 4] {
            print!("{:>12.0}", fan_out(profile, run));
        }
        println!();
    }

    println!("\n{:<24}{:>12}", "forged, 1200 bytes", "open");
    for profile in PROFILES {
        println!("{:<24}{:>12.0}", format!("{profile:?}"), forged(profile));
    }
}

fn pair(profile: Profile) -> (Sealer, Opener) {
    let material = vec![0x5C; profile.keying_material_bytes()];
    let (key, _) = MasterKey::from_keying_material(profile, &material).expect("right length");
    let sealer = Sealer::new(profile, &key).expect("a key of this profile");
    (
        sealer,
        Opener::new(profile, &key).expect("a key of this profile"),
    )
}

fn header(packet: &mut [u8], index: u64) {
    packet[..12].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    packet[2..4].copy_from_slice(&index.to_be_bytes()[6..]);
}

/// The indices of one batch after the other.
fn indices_of(round: u64) -> std::ops::Range<u64> {
    let batch = BATCH as u64;
    round * batch..(round + 1) * batch
}

fn sequence(index: u64) -> u16 {
    let [.., high, low] = index.to_be_bytes();
    u16::from_be_bytes([high, low])
}

fn seal_and_open(profile: Profile, payload_bytes: usize) -> [f64; 2] {
    let (mut sealer, mut opener) = pair(profile);
    let payload = vec![0x42; payload_bytes];
    let mut packets = vec![[0; ROOM_BYTES]; BATCH];
    let total_bytes = 12 + payload_bytes + profile.rtp_overhead_bytes();
    let (mut seal, mut open) = (Duration::MAX, Duration::MAX);
    for round in 0..ROUNDS {
        let indices = indices_of(round);
        for (packet, index) in packets.iter_mut().zip(indices.clone()) {
            header(packet, index);
        }
        seal = seal.min(time(|| {
            for (packet, index) in packets.iter_mut().zip(indices.clone()) {
                let sealed = sealer.seal_rtp_into(packet, 12, &payload, index, SSRC, 0);
                assert_eq!(black_box(sealed), Ok(total_bytes));
            }
        }));
        open = open.min(time(|| {
            for (packet, index) in packets.iter_mut().zip(indices.clone()) {
                let packet = &mut packet[..total_bytes];
                assert!(black_box(opener.open_rtp(packet, 12, SSRC, sequence(index))).is_ok());
            }
        }));
    }
    [each(seal), each(open)]
}

/// Sealing for many subscribers in turn, `run` packets for each: keys, tables and outgoing buffers
/// are cold, the more so the shorter the runs.
fn fan_out(profile: Profile, run: u64) -> f64 {
    const SUBSCRIBERS: usize = 500;
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| (pair(profile).0, vec![[0; ROOM_BYTES]; 4]))
        .collect();
    let payload = vec![0x42; 1_200];
    let mut best = Duration::MAX;
    for round in 0..ROUNDS / 40 {
        best = best.min(time(|| {
            for (sealer, packets) in &mut subscribers {
                for (packet, index) in packets.iter_mut().zip(round * run..(round + 1) * run) {
                    header(packet, index);
                    let sealed = sealer.seal_rtp_into(packet, 12, &payload, index, SSRC, 0);
                    assert!(black_box(sealed).is_ok());
                }
            }
        }));
    }
    best.as_secs_f64() * 1e9 / (SUBSCRIBERS as u64 * run) as f64
}

fn forged(profile: Profile) -> f64 {
    let (_, mut opener) = pair(profile);
    let mut packets = vec![[0; ROOM_BYTES]; BATCH];
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        best = best.min(time(|| {
            for (packet, index) in packets.iter_mut().zip(0..) {
                header(packet, index);
                assert!(black_box(opener.open_rtp(packet, 12, SSRC, sequence(index))).is_err());
            }
        }));
    }
    each(best)
}

fn one_pass(payload_bytes: usize) -> f64 {
    bare(
        payload_bytes,
        |key, nonce, header, payload, ciphertext, tag| {
            key.seal_out_of_place_scatter(nonce, Aad::from(header), payload, ciphertext, &[], tag)
                .expect("lengths fit");
        },
    )
}

fn copy_then_in_place(payload_bytes: usize) -> f64 {
    bare(
        payload_bytes,
        |key, nonce, header, payload, ciphertext, tag| {
            ciphertext.copy_from_slice(payload);
            let sealed = key
                .seal_in_place_separate_tag(nonce, Aad::from(header), ciphertext)
                .expect("lengths fit");
            tag.copy_from_slice(sealed.as_ref());
        },
    )
}

fn bare(
    payload_bytes: usize,
    seal: impl Fn(&LessSafeKey, Nonce, &[u8], &[u8], &mut [u8], &mut [u8]),
) -> f64 {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("right length"));
    let payload = vec![0x42; payload_bytes];
    let mut packets = vec![[0; ROOM_BYTES]; BATCH];
    let mut best = Duration::MAX;
    for round in 0..ROUNDS {
        best = best.min(time(|| {
            for (packet, index) in packets.iter_mut().zip(indices_of(round)) {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&index.to_be_bytes());
                let (header, body) = packet.split_at_mut(12);
                let (ciphertext, rest) = body.split_at_mut(payload_bytes);
                let nonce = Nonce::assume_unique_for_key(nonce);
                seal(&key, nonce, header, &payload, ciphertext, &mut rest[..16]);
            }
            black_box(&mut packets);
        }));
    }
    each(best)
}

fn each(batch: Duration) -> f64 {
    batch.as_secs_f64() * 1e9 / BATCH as f64
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program that measures time reads a clock"
)]
fn time(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}
