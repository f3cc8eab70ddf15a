//! From events to entries.

use crate::{
    AuditError, DetailKey, DetailScope, Entry, EntryId, Event, Fact, Pseudonym, PseudonymKey,
    PseudonymKind, Timestamp,
    base64_text::Base64,
    entry::{
        EntryActor, EntryAuthentication, EntryObject, EntryPatient, EntryPolicy, Version, network,
    },
    event::Actor,
    limits::{
        DETAIL_BYTES_MAX, DETAIL_TOTAL_BYTES_MAX, ENTRY_BYTES_MAX, LIST_LENGTH_MAX,
        LIST_TEXT_BYTES_MAX, TEXT_BYTES_MAX,
    },
};
use bedside_protocol::Phi;
use std::collections::BTreeMap;

/// Turns events into entries: names into pseudonyms, detail into cipher text.
#[derive(Debug)]
pub struct Sealer {
    pseudonyms: PseudonymKey,
}

/// The random bytes of one entry, used up by sealing it.
#[derive(Clone, Copy, Debug)]
pub struct SealingRandom([u8; Self::BYTES]);

impl SealingRandom {
    /// 74 bits of the id, 128 of the salt, 96 of the nonce.
    pub const BYTES: usize = 10 + 16 + 12;

    /// From random bytes that nothing else uses.
    #[must_use]
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    fn parts(self) -> ([u8; 10], [u8; 16], [u8; 12]) {
        let (mut id, mut salt, mut nonce) = ([0; 10], [0; 16], [0; 12]);
        id.copy_from_slice(&self.0[..10]);
        salt.copy_from_slice(&self.0[10..26]);
        nonce.copy_from_slice(&self.0[26..]);
        (id, salt, nonce)
    }
}

impl Sealer {
    /// A sealer whose pseudonyms are made with `pseudonyms`.
    #[must_use]
    pub const fn new(pseudonyms: PseudonymKey) -> Self {
        Self { pseudonyms }
    }

    /// Pseudonyms of names, for searching.
    #[must_use]
    pub const fn pseudonyms(&self) -> &PseudonymKey {
        &self.pseudonyms
    }

    /// Whose key seals the detail of `event`; `None` if it has none. The caller looks the key up,
    /// or makes one with [`DetailKey::new`], and hands it to [`seal`](Self::seal).
    #[must_use]
    pub fn detail_scope(&self, event: &Event) -> Option<DetailScope> {
        let (kind, name) = match (&event.patient, &event.actor.id, &event.room) {
            (Some(patient), ..) => (PseudonymKind::Person, patient),
            (None, Some(actor), _) => (PseudonymKind::Person, actor),
            (None, None, Some(room)) => (PseudonymKind::Room, room),
            (None, None, None) if event.detail.is_empty() && event.actor.address.is_none() => {
                return None;
            }
            // An address or a text of somebody who is not known.
            (None, None, None) => (PseudonymKind::Person, &UNKNOWN),
        };
        Some(DetailScope {
            subject: self.pseudonyms.pseudonym(kind, name),
            year: Timestamp::from_micros(event.at_us).year(),
        })
    }

    /// Seals an event that is recorded at `recorded_us` (microseconds since the Unix epoch).
    ///
    /// # Errors
    /// [`AuditError::DetailKeyMissing`] or [`AuditError::DetailKeyWrong`] if `key` is not that of
    /// [`detail_scope`](Self::detail_scope); [`AuditError::EntryTooLarge`].
    pub fn seal(
        &self,
        event: &Event,
        key: Option<&DetailKey>,
        recorded_us: u64,
        random: SealingRandom,
    ) -> Result<Entry, AuditError> {
        let (id, salt, nonce) = random.parts();
        let id = EntryId::new(Timestamp::from_micros(recorded_us), id);
        let detail_enc = match (self.detail_scope(event), key) {
            (None, _) => None,
            (Some(_), None) => return Err(AuditError::DetailKeyMissing),
            (Some(scope), Some(key)) if *key.id().scope() != scope => {
                return Err(AuditError::DetailKeyWrong);
            }
            (Some(_), Some(key)) => Some(seal_detail(event, key, id, nonce)?),
        };
        let entry = Entry {
            action: event.action,
            actor: self.actor(&event.actor),
            detail_enc,
            encounter: event.encounter.as_deref().map(bounded),
            facts: event
                .facts
                .iter()
                .map(|(name, fact)| ((*name).to_owned(), exact(fact)))
                .collect(),
            id,
            object: event.object.as_ref().map(|object| EntryObject {
                id: bounded(&object.id),
                kind: object.kind.to_owned(),
            }),
            outcome: event.outcome,
            patient: event.patient.as_ref().map(|patient| EntryPatient {
                pid: self.person(patient),
            }),
            policy: event.policy.as_ref().map(|policy| EntryPolicy {
                hash: bounded(&policy.hash),
                ids: bounded_list(&policy.policies),
            }),
            purpose: event.purpose,
            reason: event.reason.map(str::to_owned),
            room: event
                .room
                .as_ref()
                .map(|room| self.pseudonyms.pseudonym(PseudonymKind::Room, room)),
            salt: Base64(salt),
            ts: Timestamp::from_micros(event.at_us),
            v: Version,
        };
        let bytes = entry.to_bytes().len();
        if bytes > ENTRY_BYTES_MAX {
            return Err(AuditError::EntryTooLarge { bytes });
        }
        Ok(entry)
    }

    fn person(&self, name: &Phi<String>) -> Pseudonym {
        self.pseudonyms.pseudonym(PseudonymKind::Person, name)
    }

    fn actor(&self, actor: &Actor) -> EntryActor {
        EntryActor {
            authn: actor
                .authentication
                .as_ref()
                .map(|authentication| EntryAuthentication {
                    acr: authentication.acr.as_deref().map(bounded),
                    amr: bounded_list(&authentication.amr),
                    credential: authentication.credential.as_deref().map(bounded),
                    method: bounded(&authentication.method),
                    provider: authentication.provider.as_deref().map(bounded),
                }),
            kind: actor.kind,
            network: actor.address.map(network),
            pid: actor.id.as_ref().map(|id| self.person(id)),
            role: actor.role,
        }
    }
}

fn seal_detail(
    event: &Event,
    key: &DetailKey,
    id: EntryId,
    nonce: [u8; 12],
) -> Result<crate::SealedDetail, AuditError> {
    let address = event
        .actor
        .address
        .map(|address| Phi::new(address.to_canonical().to_string()));
    let known = [
        ("actor", event.actor.id.as_ref()),
        ("address", address.as_ref()),
        ("patient", event.patient.as_ref()),
        ("room", event.room.as_ref()),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    // What the event says itself comes second: it cannot put another name in the actor's place.
    let own = event.detail.iter().map(|(name, value)| (*name, value));
    let (mut detail, mut left) = (BTreeMap::new(), DETAIL_TOTAL_BYTES_MAX);
    for (name, value) in known.chain(own) {
        detail.entry(name).or_insert_with(|| {
            let text = cut(value.expose(), DETAIL_BYTES_MAX.min(left));
            left -= text.len();
            text
        });
    }
    key.seal(id, &detail, nonce)
}

/// The longest beginning of `text` with at most `bytes_max` bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

fn bounded(text: &str) -> String {
    cut(text, TEXT_BYTES_MAX).to_owned()
}

fn bounded_list(texts: &[String]) -> Vec<String> {
    let texts = texts.iter().take(LIST_LENGTH_MAX);
    texts
        .map(|text| cut(text, LIST_TEXT_BYTES_MAX).to_owned())
        .collect()
}

/// A fact as JSON can say it: a number that an IEEE double cannot hold becomes a text (RFC 8785
/// §3.2.2.3).
fn exact(fact: &Fact) -> Fact {
    match fact {
        Fact::Number(number) if *number > NUMBER_MAX => Fact::Text(number.to_string()),
        Fact::Text(text) => Fact::Text(bounded(text)),
        Fact::Number(_) | Fact::Flag(_) => fact.clone(),
    }
}

/// 2^53 - 1.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Under this name is kept what is somebody's and of whom nothing is known.
static UNKNOWN: Phi<String> = Phi::new(String::new());

#[cfg(test)]
pub(crate) mod tests;
