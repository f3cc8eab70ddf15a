//! What is done between two batches: keys destroyed, the signing key rotated.

use super::{Order, Waiting, Writer};
use crate::{Error, Unwritable};
use bedside_audit::{Event, Keyring, Object};
use std::sync::atomic::Ordering;

impl Writer {
    pub(super) async fn execute(&mut self, order: Order) {
        match order {
            Order::DestroyDetailKeys {
                subject,
                year,
                reply,
            } => {
                let subject = subject.as_deref();
                let done = self.storage.destroy_detail_keys(subject, year).await;
                self.sealing.forget();
                let answer = done.map_err(|error| Unwritable::from(&error));
                // A caller that has gone away needs no answer.
                reply.send(answer).unwrap_or_default();
            }
            Order::RotateKey { event, reply } => {
                let answer = self.rotate(event).await;
                reply.send(answer).unwrap_or_default();
            }
            Order::Close => {}
        }
    }

    /// New key to its file, then a checkpoint that both sign, then the new one in the old one's
    /// place. A crash in between leaves a file that the next start judges by the last checkpoint.
    async fn rotate(&mut self, mut event: Box<Event>) -> Result<String, Unwritable> {
        if let Some(outage) = &self.outage {
            return Err(outage.problem.clone());
        }
        let refused = |error: Error| Unwritable::from(&error);
        let next = self
            .files
            .make_next_signing(&self.origin)
            .map_err(refused)?;
        // The entry that announces it, as `Keyring` reads it.
        let vkey = next.verifying_key().to_string();
        event.object = Some(Object {
            kind: Keyring::LOG_KEY,
            id: vkey.clone(),
        });
        event.facts.insert("vkey", vkey.clone().into());
        self.counters.notes_waiting.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_front(Waiting {
            event,
            caller: None,
        });
        self.commit_signed_by(Some(&next)).await;
        if let Some(outage) = &self.outage {
            // Whether the hand-over was written is found out at the next start, if not before.
            return Err(outage.problem.clone());
        }
        self.files.rotate().map_err(refused)?;
        self.key = next;
        Ok(vkey)
    }
}
