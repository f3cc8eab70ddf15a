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

use bedside_srtp::{Error, MasterKey, Opener, Profile, Sealer};

thread_local! {
    static CALL_COUNT: Cell<u64> = const { Cell::new(0) };
}

fn counted() {
    CALL_COUNT.set(CALL_COUNT.get() + 1);
}

fn calls_during(work: impl FnOnce()) -> u64 {
    let before = CALL_COUNT.get();
    work();
    CALL_COUNT.get() - before
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    counted();
    // SAFETY: glibc's own malloc, with the caller's argument.
    unsafe { __libc_malloc(size) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    counted();
    // SAFETY: glibc's own calloc, with the caller's arguments.
    unsafe { __libc_calloc(count, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
    counted();
    // SAFETY: glibc's own realloc; the caller vouches for `old`, which glibc handed out.
    unsafe { __libc_realloc(old, size) }
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    counted();
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
    counted();
    // SAFETY: glibc's own memalign with the caller's arguments, and the caller vouches that
    // `result` may be written to.
    unsafe {
        *result = __libc_memalign(alignment, size);
        if (*result).is_null() { ENOMEM } else { 0 }
    }
}

const PAYLOAD: [u8; 1_200] = [0x42; 1_200];
const SSRCS: u32 = 40;

fn seal(sealer: &mut Sealer, packet: &mut [u8], ssrc: u32, index: u64) -> usize {
    packet[..12].copy_from_slice(&[0xA0, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    packet[2..4].copy_from_slice(&index.to_be_bytes()[6..]);
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    sealer
        .seal_rtp_into(packet, 12, &PAYLOAD, index, ssrc, 8)
        .unwrap()
}

/// Everything that happens to packets, good and bad, on more sources than there are windows.
fn exchange(sealer: &mut Sealer, opener: &mut Opener, packet: &mut [u8], again: &mut [u8]) {
    for index in 0xFFF0..0x1_0010 {
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
fn no_packet_allocates() {
    for profile in [
        Profile::AeadAes256Gcm,
        Profile::AeadAes128Gcm,
        Profile::AesCm128HmacSha1_80,
    ] {
        let material = vec![0x33; profile.keying_material_bytes()];
        let (key, _) = MasterKey::from_keying_material(profile, &material).unwrap();
        let mut packet = vec![0; 1_500];
        let mut again = vec![0; 1_500];

        let construction = calls_during(|| {
            // aws-lc keeps one queue of errors for each thread, made on the first error.
            let mut opener = Opener::new(profile, &key).unwrap();
            let forged = opener.open_rtp(&mut packet[..100], 12, 0, 0);
            assert_eq!(forged, Err(Error::NotAuthentic));
        });
        assert!(construction > 0, "the count works");

        let mut sealer = Sealer::new(profile, &key).unwrap();
        let mut opener = Opener::new(profile, &key).unwrap();
        let calls = calls_during(|| exchange(&mut sealer, &mut opener, &mut packet, &mut again));
        assert_eq!(calls, 0, "{profile:?}");
    }
}
