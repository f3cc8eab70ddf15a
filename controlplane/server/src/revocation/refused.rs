//! Whose tokens are refused.

use crate::clock::now_s;
use crate::store::revocations::Revocation;
use bedside_rooms::Claims;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Whose tokens are refused, by identity and by API key: asked for each token. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    accounts: Arc<RwLock<HashMap<String, Since>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Since {
    /// Tokens that are not younger are refused, Unix seconds.
    revoked_s: i64,
    /// Younger ones are not.
    restored: bool,
}

impl Refusals {
    /// What the database knows, at start.
    pub(crate) fn load(&self, revocations: Vec<Revocation>) {
        let known = revocations.into_iter().map(|revocation| {
            let since = Since {
                revoked_s: revocation.revoked_s,
                restored: revocation.restored_s.is_some(),
            };
            (revocation.account, since)
        });
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        accounts.extend(known);
    }

    pub(crate) fn revoke(&self, account: &str) {
        let since = Since {
            revoked_s: now_s(),
            restored: false,
        };
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        accounts.insert(account.to_owned(), since);
    }

    pub(crate) fn restore(&self, account: &str) {
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = accounts.get_mut(account) {
            since.restored = true;
        }
    }

    /// Refuses what an emergency entry gave: tokens of this identity for this room that exist now.
    pub(crate) fn end_in_room(&self, identity: &str, room: &str) {
        let since = Since {
            revoked_s: now_s(),
            restored: true,
        };
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        accounts.insert(in_room(identity, room), since);
    }

    /// Whether whoever shows these claims has lost their access. A token without `nbf` cannot show
    /// that it is younger than a revocation.
    pub(crate) fn refuse(&self, claims: &Claims) -> bool {
        let made_s = claims.nbf.and_then(|s| i64::try_from(s).ok()).unwrap_or(0);
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if accounts.is_empty() {
            return false;
        }
        let room = claims.video.as_ref().map_or("", |grant| &grant.room);
        [
            claims.subject(),
            claims.iss.as_str(),
            &in_room(claims.subject(), room),
        ]
        .into_iter()
        .filter_map(|account| accounts.get(account))
        .any(|since| !since.restored || made_s <= since.revoked_s)
    }

    /// Whether an API key signs nothing any more.
    pub(crate) fn refuse_key(&self, key: &str) -> bool {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(key).is_some_and(|since| !since.restored)
    }
}

/// No account has a zero byte in it.
fn in_room(identity: &str, room: &str) -> String {
    format!("{identity}\0{room}")
}

#[cfg(test)]
mod tests;
