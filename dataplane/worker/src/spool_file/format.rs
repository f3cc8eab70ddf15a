//! What the bytes of a file of evidence are.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use bedside_protocol::{BootId, EventFrame, Secret, SpoolDamage};
use zeroize::Zeroize as _;

use crate::limits::SPOOL_RECORD_BYTES_MAX;
use crate::random;

/// The first bytes of a file.
pub(super) struct Header {
    pub(super) boot: BootId,
    pub(super) salt: [u8; SALT_BYTES],
}

impl Header {
    pub(super) fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (name, rest) = bytes.split_at_mut(NAME.len());
        let (boot, salt) = rest.split_at_mut(8);
        name.copy_from_slice(NAME);
        boot.copy_from_slice(&self.boot.0.to_be_bytes());
        salt.copy_from_slice(&self.salt);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(NAME)?;
        let (boot, rest) = rest.split_first_chunk()?;
        Some(Self {
            boot: BootId(u64::from_be_bytes(*boot)),
            salt: *rest.first_chunk()?,
        })
    }
}

/// Seals and opens the records of one file.
pub(super) struct Cipher {
    key: LessSafeKey,
    header: [u8; HEADER_BYTES],
}

impl Cipher {
    /// `None` if the cryptographic module does not work.
    pub(super) fn new(key: &Secret<[u8; 32]>, header: &Header) -> Option<Self> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &header.salt);
        let mut of_file = [0; 32];
        salt.extract(key.expose())
            .expand(&[NAME], &AES_256_GCM)
            .and_then(|okm| okm.fill(&mut of_file))
            .ok()?;
        let unbound = UnboundKey::new(&AES_256_GCM, &of_file).ok();
        of_file.zeroize();
        Some(Self {
            key: LessSafeKey::new(unbound?),
            header: header.to_bytes(),
        })
    }

    /// Appends an event as the file's record `place`.
    pub(super) fn seal(&self, place: u64, frame: &EventFrame, out: &mut Vec<u8>) -> Result<(), ()> {
        let mut sealed = serde_json::to_vec(frame).map_err(|_| ())?;
        // Random, 40,000 at most under one key: a place may be written twice, after a failure.
        let nonce: [u8; NONCE_LEN] = random::bytes().map_err(|_| ())?;
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                self.aad(place),
                &mut sealed,
            )
            .map_err(|_| ())?;
        let bytes = NONCE_LEN + sealed.len();
        if bytes > SPOOL_RECORD_BYTES_MAX {
            return Err(());
        }
        let length = u32::try_from(bytes).map_err(|_| ())?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(())
    }

    fn open(&self, place: u64, record: &[u8]) -> Option<EventFrame> {
        let (nonce, sealed) = record.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.open_in_place(nonce, self.aad(place), &mut bytes);
        serde_json::from_slice(plain.ok()?).ok()
    }

    fn aad(&self, place: u64) -> Aad<[u8; HEADER_BYTES + 8]> {
        let mut aad = [0; HEADER_BYTES + 8];
        let (header, number) = aad.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&self.header);
        number.copy_from_slice(&place.to_be_bytes());
        Aad::from(aad)
    }
}

/// A whole file, and what is wrong with it.
pub(super) fn read(
    key: &Secret<[u8; 32]>,
    boot: BootId,
    bytes: &[u8],
) -> (Vec<EventFrame>, Option<SpoolDamage>) {
    let Some(header) = Header::parse(bytes) else {
        let damage = if bytes.len() < HEADER_BYTES {
            SpoolDamage::TornTail
        } else {
            SpoolDamage::Unreadable
        };
        return (Vec::new(), Some(damage));
    };
    match Cipher::new(key, &header) {
        Some(cipher) if header.boot == boot => read_records(&cipher, bytes),
        _ => (Vec::new(), Some(SpoolDamage::Unreadable)),
    }
}

/// The records after the header, as far as they can be read, and what is wrong there.
pub(super) fn read_records(
    cipher: &Cipher,
    bytes: &[u8],
) -> (Vec<EventFrame>, Option<SpoolDamage>) {
    let mut frames = Vec::new();
    let mut rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
    while !rest.is_empty() {
        let Some((length, after)) = rest.split_first_chunk() else {
            return (frames, Some(SpoolDamage::TornTail));
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > SPOOL_RECORD_BYTES_MAX {
            return (frames, Some(SpoolDamage::Unreadable));
        }
        let Some((sealed, after)) = after.split_at_checked(length) else {
            return (frames, Some(SpoolDamage::TornTail));
        };
        match cipher.open(frames.len() as u64, sealed) {
            Some(frame) => frames.push(frame),
            None => return (frames, Some(SpoolDamage::Unreadable)),
        }
        rest = after;
    }
    (frames, None)
}

const NAME: &[u8; 8] = b"BEDSPOL1";
const SALT_BYTES: usize = 32;
const HEADER_BYTES: usize = NAME.len() + 8 + SALT_BYTES;
