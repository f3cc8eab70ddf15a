//! ICE-lite (RFC 8445 §2.5): answers connectivity checks and follows the client's nomination.
//!
//! A lite agent sends no checks, so all of it is: authenticate a Binding request, answer it,
//! remember the path that it came on, and send where the client last nominated. str0m's own agent
//! does it too, but it holds one set of credentials, so that an ICE restart cuts off the old ones
//! before the new ones work, and among nominated pairs it keeps to the one of highest priority
//! until that falls silent, so that a client which moved from Wi-Fi to mobile is sent to its old
//! address for seconds.

use super::limits::PATHS_PER_PEER_MAX;
use crate::Path;
use bedside_protocol::IceCredentials;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::ice::StunMessage;
use str0m_proto::Sha1HmacProvider;

/// A connectivity check that is well formed; nothing about it is proven yet.
pub(super) struct Check<'a> {
    message: StunMessage<'a>,
}

/// Why a STUN datagram is not a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotACheck {
    /// Not STUN, or a request without what a check must have (RFC 8445 §7.1).
    Malformed,
    /// An indication or a response: harmless, and nothing here waits for one.
    NotARequest,
}

impl<'a> Check<'a> {
    pub(super) fn parse(datagram: &'a [u8]) -> Result<Self, NotACheck> {
        // Refused before the parser makes an error text of it: this is where floods end.
        if datagram.get(4..8) != Some(&MAGIC_COOKIE) {
            return Err(NotACheck::Malformed);
        }
        let message = StunMessage::parse(datagram).map_err(|_| NotACheck::Malformed)?;
        if !message.is_binding_request() {
            return Err(NotACheck::NotARequest);
        }
        if message.split_username().is_none() {
            return Err(NotACheck::Malformed);
        }
        Ok(Self { message })
    }

    /// The user name fragment that names one of our transports.
    pub(super) fn local_ufrag(&self) -> &str {
        self.message.split_username().map_or("", |(local, _)| local)
    }

    /// The client's own user name fragment.
    pub(super) fn remote_ufrag(&self) -> &str {
        self.message
            .split_username()
            .map_or("", |(_, remote)| remote)
    }

    /// Whether the client asks us to send on this path (RFC 8445 §7.2.5.3.4).
    pub(super) fn nominates(&self) -> bool {
        self.message.use_candidate()
    }

    /// Whether the client knows that it is the controlling side, as it is towards a lite agent
    /// (RFC 8445 §6.1.1).
    pub(super) fn is_controlling(&self) -> bool {
        self.message.ice_controlled().is_none()
    }

    /// Writes the answer (RFC 8445 §7.3.1), and gives its length. A client that takes itself for
    /// the controlled side is told otherwise.
    pub(super) fn answer(
        &self,
        local: &IceCredentials,
        remote: SocketAddr,
        hmac: &dyn Sha1HmacProvider,
        out: &mut [u8],
    ) -> Option<usize> {
        let transaction = self.message.trans_id();
        let reply = if self.is_controlling() {
            StunMessage::binding_reply(transaction, remote)
        } else {
            StunMessage::binding_role_conflict_reply(transaction)
        };
        let password = local.password.expose().as_bytes();
        reply
            .to_bytes(Some(password), out, |key, parts| hmac.sha1_hmac(key, parts))
            .ok()
    }

    /// Whether it was made with credentials that we gave out. The client's user name fragment
    /// proves nothing, and is already the next one while a client restarts ICE (seen: Chromium
    /// 156, which goes on checking its old path under the new name).
    fn is_from(&self, local: &IceCredentials, hmac: &dyn Sha1HmacProvider) -> bool {
        self.local_ufrag() == local.ufrag
            && self
                .message
                .verify(local.password.expose().as_bytes(), |key, parts| {
                    hmac.sha1_hmac(key, parts)
                })
    }
}

/// Checks one side's credentials (RFC 8445 §5.3, RFC 8839 §5.4).
///
/// # Errors
/// What is not allowed about them, in words for the operator.
pub(super) fn check_credentials(side: &IceCredentials) -> Result<(), &'static str> {
    if !(4..=256).contains(&side.ufrag.len()) {
        return Err("an ICE user name fragment has 4 to 256 characters");
    }
    if !(22..=256).contains(&side.password.expose().len()) {
        return Err("an ICE password has 22 to 256 characters");
    }
    Ok(())
}

/// One transport's ICE state.
#[derive(Debug)]
pub(super) struct Agent {
    /// Our credentials.
    current: IceCredentials,
    /// From before an ICE restart; answered until the new session nominates (RFC 8445 §9).
    previous: Option<IceCredentials>,
    /// Paths with an authenticated check, at most [`PATHS_PER_PEER_MAX`].
    open: Vec<OpenPath>,
    nominated: Option<Path>,
    last_check: Instant,
}

#[derive(Debug)]
struct OpenPath {
    path: Path,
    last_check: Instant,
}

/// What an authenticated check changed.
#[derive(PartialEq, Debug, Default)]
pub(super) struct Changes {
    /// The check's path is new.
    pub(super) opened: bool,
    /// This path made room for it.
    pub(super) closed: Option<Path>,
    /// The check's path is now the one to send on.
    pub(super) nominated: bool,
    /// The credentials from before an ICE restart, which no longer count.
    pub(super) retired: Option<IceCredentials>,
}

impl Agent {
    pub(super) fn new(local: IceCredentials, now: Instant) -> Self {
        Self {
            current: local,
            previous: None,
            open: Vec::new(),
            nominated: None,
            last_check: now,
        }
    }

    pub(super) fn current(&self) -> &IceCredentials {
        &self.current
    }

    /// The user name fragments of ours that are answered.
    pub(super) fn local_ufrags(&self) -> impl Iterator<Item = &str> {
        let previous = self.previous.as_ref();
        std::iter::once(&self.current)
            .chain(previous)
            .map(|credentials| credentials.ufrag.as_str())
    }

    /// Where to send.
    pub(super) fn nominated(&self) -> Option<Path> {
        self.nominated
    }

    /// The paths that datagrams are accepted on.
    pub(super) fn open_paths(&self) -> impl Iterator<Item = Path> {
        self.open.iter().map(|open| open.path)
    }

    /// When the client last proved that it wants to be sent to.
    pub(super) fn last_check(&self) -> Instant {
        self.last_check
    }

    /// Begins an ICE restart. Gives the credentials that are no longer answered, if any: of two
    /// restarts in a row, the first one's.
    pub(super) fn restart(
        &mut self,
        local: IceCredentials,
        now: Instant,
    ) -> Option<IceCredentials> {
        let replaced = std::mem::replace(&mut self.current, local);
        self.last_check = now;
        if self.previous.is_some() || self.nominated.is_none() {
            Some(replaced)
        } else {
            self.previous = Some(replaced);
            None
        }
    }

    /// The credentials that the check was made with, if it was made with any that count, and
    /// whether they are the current ones.
    pub(super) fn authenticate(
        &self,
        check: &Check<'_>,
        hmac: &dyn Sha1HmacProvider,
    ) -> Option<(&IceCredentials, bool)> {
        if check.is_from(&self.current, hmac) {
            return Some((&self.current, true));
        }
        let previous = self.previous.as_ref()?;
        check.is_from(previous, hmac).then_some((previous, false))
    }

    /// Takes account of an authenticated check.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        path: Path,
        nominates: bool,
        with_current: bool,
    ) -> Changes {
        let mut changes = Changes::default();
        self.last_check = now;
        if let Some(open) = self.open.iter_mut().find(|open| open.path == path) {
            open.last_check = now;
        } else {
            if self.open.len() >= PATHS_PER_PEER_MAX {
                changes.closed = self.close_most_silent();
            }
            self.open.push(OpenPath {
                path,
                last_check: now,
            });
            changes.opened = true;
        }
        // Once the new session has nominated, a late check of the old one must not move us back.
        if nominates && (with_current || self.previous.is_some()) {
            changes.nominated = self.nominated != Some(path);
            self.nominated = Some(path);
            if with_current {
                changes.retired = self.previous.take();
            }
        }
        changes
    }

    /// Closes the paths without a check for `silence`, except where we send.
    pub(super) fn close_silent(&mut self, now: Instant, silence: Duration) -> Vec<Path> {
        let nominated = self.nominated;
        self.open
            .extract_if(.., |open| {
                Some(open.path) != nominated
                    && now.saturating_duration_since(open.last_check) >= silence
            })
            .map(|open| open.path)
            .collect()
    }

    /// Forgets a path that belongs to another transport now.
    pub(super) fn forget(&mut self, path: &Path) {
        self.open.retain(|open| open.path != *path);
        if self.nominated == Some(*path) {
            self.nominated = None;
        }
    }

    fn close_most_silent(&mut self) -> Option<Path> {
        let nominated = self.nominated;
        let (index, _) = self
            .open
            .iter()
            .enumerate()
            .filter(|(_, open)| Some(open.path) != nominated)
            .min_by_key(|(_, open)| open.last_check)?;
        Some(self.open.swap_remove(index).path)
    }
}

/// RFC 8489 §5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Room for an answer: header, XOR-MAPPED-ADDRESS of IPv6 or an error with its text,
/// MESSAGE-INTEGRITY and FINGERPRINT, rounded up.
pub(super) const ANSWER_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests;
