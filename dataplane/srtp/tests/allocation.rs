//! Sealing and opening allocate nothing: not in Rust, and not inside aws-lc either, which a
//! `GlobalAlloc` would not see. So the C allocator itself is counted, for this binary.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(
    unsafe_code,
    reason = "the allocator's functions are replaced to count their calls"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test's own packets and keys are right or it fails"
)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ops::Range;

use bedside_srtp::{Error, MasterKey, Opener, Profile, Sealer};

/// What this thread asked of the allocator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Asked {
    call_count: usize,
    bytes: usize,
}

thread_local! {
    static ASKED: Cell<Asked> = const { Cell::new(Asked { call_count: 0, bytes: 0 }) };
}

fn count(bytes: usize) {
    let asked = ASKED.get();
    ASKED.set(Asked {
        call_count: asked.call_count + 1,
        bytes: asked.bytes + bytes,
    });
}

fn asked_during<Made>(work: impl FnOnce() -> Made) -> (Asked, Made) {
    let before = ASKED.get();
    let made = work();
    let after = ASKED.get();
    let asked = Asked {
        call_count: after.call_count - before.call_count,
        bytes: after.bytes - before.bytes,
    };
    (asked, made)
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(members: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    count(size);
    // SAFETY: glibc's own malloc, with the caller's argument.
    unsafe { __libc_malloc(size) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(members: usize, size: usize) -> *mut c_void {
    count(members * size);
    // SAFETY: glibc's own calloc, with the caller's arguments.
    unsafe { __libc_calloc(members, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
    count(size);
    // SAFETY: glibc's own realloc; the caller vouches for `old`, which glibc handed out.
    unsafe { __libc_realloc(old, size) }
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    count(size);
    // SAFETY: glibc's own memalign, with the caller's arguments.
    unsafe { __libc_memalign(alignment, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(
    result: *mut *mut c_void,
    alignment: usize,
    size: usize,
) -> c_int {
    const ENOMEM: c_int = 12;
    count(size);
    // SAFETY: glibc's own memalign with the caller's arguments, and the caller vouches that
    // `result` may be written to.
    unsafe {
        *result = __libc_memalign(alignment, size);
        if (*result).is_null() { ENOMEM } else { 0 }
    }
}

const PAYLOAD: [u8; 1_200] = [0x42; 1_200];
const SSRCS: u32 = 40;
const PROFILES: [Profile; 3] = [
    Profile::AeadAes256Gcm,
    Profile::AeadAes128Gcm,
    Profile::AesCm128HmacSha1_80,
];

fn ends(profile: Profile) -> (Sealer, Opener) {
    let material = vec![0x33; profile.keying_material_bytes()];
    let (key, _) = MasterKey::from_keying_material(profile, &material).unwrap();
    (
        Sealer::new(profile, &key).unwrap(),
        Opener::new(profile, &key).unwrap(),
    )
}

fn seal(sealer: &mut Sealer, packet: &mut [u8], ssrc: u32, index: u64) -> usize {
    packet[..12].copy_from_slice(&[0xA0, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    packet[2..4].copy_from_slice(&index.to_be_bytes()[6..]);
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    sealer
        .seal_rtp_into(packet, 12, &PAYLOAD, index, ssrc, 8)
        .unwrap()
}

/// Everything that happens to packets, good and bad, on more sources than there are windows.
fn exchange(
    sealer: &mut Sealer,
    opener: &mut Opener,
    packet: &mut [u8],
    again: &mut [u8],
    indices: Range<u64>,
) {
    for index in indices {
        for ssrc in 0..SSRCS {
            let total_bytes = seal(sealer, packet, ssrc, index);
            again[..total_bytes].copy_from_slice(&packet[..total_bytes]);
            let sequence = u16::from_be_bytes([packet[2], packet[3]]);
            opener
                .open_rtp(&mut packet[..total_bytes], 12, ssrc, sequence)
                .unwrap();
            let replayed = opener.open_rtp(&mut again[..total_bytes], 12, ssrc, sequence);
            assert_eq!(replayed, Err(Error::Replayed));
            again[11] += 0x80;
            let forged = opener.open_rtp(&mut again[..total_bytes], 12, ssrc + 0x80, sequence);
            assert_eq!(forged, Err(Error::NotAuthentic));
            let total_bytes = sealer.seal_rtcp(packet, 60).unwrap();
            opener.open_rtcp(&mut packet[..total_bytes]).unwrap();
        }
    }
}

#[test]
fn packets_of_known_sources_take_no_memory() {
    let mut packet = vec![0; 1_500];
    let mut again = vec![0; 1_500];
    // aws-lc keeps a queue of errors for each thread, made with the first error.
    let mut opener = ends(Profile::AeadAes128Gcm).1;
    assert_eq!(
        opener.open_rtp(&mut packet[..100], 12, 0, 0),
        Err(Error::NotAuthentic)
    );

    for profile in PROFILES {
        // What is only used to derive keys is in it, too.
        let (construction, (mut sealer, mut opener)) = asked_during(|| ends(profile));
        assert!(
            construction.bytes > 2 * 1_024,
            "the count works: {construction:?}"
        );
        let bound_bytes = if profile.is_aead() { 4 } else { 8 } * 1_024;
        assert!(
            construction.bytes < bound_bytes,
            "{profile:?}: {construction:?}"
        );

        let (joining, ()) = asked_during(|| {
            exchange(
                &mut sealer,
                &mut opener,
                &mut packet,
                &mut again,
                0xFFEF..0xFFF0,
            );
        });
        // What each source is remembered by.
        let bound_bytes = usize::try_from(SSRCS).unwrap() * 512;
        assert!(joining.bytes < bound_bytes, "{profile:?}: {joining:?}");

        let (packets, ()) = asked_during(|| {
            let many = 0xFFF0..0x1_0010;
            exchange(&mut sealer, &mut opener, &mut packet, &mut again, many);
        });
        assert_eq!(
            packets,
            Asked {
                call_count: 0,
                bytes: 0
            },
            "{profile:?}"
        );
    }
}
