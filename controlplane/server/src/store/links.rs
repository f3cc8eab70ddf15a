//! One-time join links: who may exchange a link for a token, and once.
//!
//! Tokens and sessions are 256 bits of randomness that leave the server once; the database has
//! their SHA-256 only, so that nobody who reads it can join (45 CFR 164.312(d)).

use super::{Store, now_s};
use crate::Error;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::fmt;

/// SHA-256 of a link's token or of a browser's session.
pub(crate) type Digest = [u8; 32];

/// A link as it was made.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The room that it opens.
    pub(crate) room: String,
    /// `patient` or `clinician`.
    pub(crate) role: String,
    /// The identity in the room; opaque.
    pub(crate) identity: String,
    /// What the others see; the browser may replace it.
    pub(crate) display_name: Option<String>,
    /// What the page calls the room.
    pub(crate) room_label: Option<String>,
    /// Unix seconds; afterwards neither the link nor its session opens anything.
    pub(crate) expires_s: i64,
}

/// Whom it is for, where and under which name is nobody's business.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(..)")
    }
}

/// What a link or session is worth now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LinkState {
    /// No such link: never made, or long over.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was exchanged; the browser that did so has a session.
    Used,
    /// Good.
    Open(Link),
}

impl Store {
    /// Keeps a link, and forgets those that ended more than a day ago.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn create_link(&self, token: &Digest, link: &Link) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM link WHERE expires_s < ?")
            .bind(now_s() - KEPT_AFTER_EXPIRY_S)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO link (token_sha256, room, role, identity, display_name, room_label, created_s,
                expires_s)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(token.as_slice())
        .bind(&link.room)
        .bind(&link.role)
        .bind(&link.identity)
        .bind(&link.display_name)
        .bind(&link.room_label)
        .bind(now_s())
        .bind(link.expires_s)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Looks at a link without using it.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn look_up_link(&self, token: &Digest) -> Result<LinkState, Error> {
        let row = sqlx::query("SELECT * FROM link WHERE token_sha256 = ?")
            .bind(token.as_slice())
            .fetch_optional(&self.pool)
            .await?;
        row.map_or(Ok(LinkState::Unknown), |row| {
            state(&row, row.try_get("used_s")?)
        })
    }

    /// Uses a link: of any number of tries at once exactly one gets [`LinkState::Open`], and its
    /// browser is known by `session` from then on.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn use_link(
        &self,
        token: &Digest,
        session: &Digest,
    ) -> Result<LinkState, Error> {
        let row = sqlx::query(
            "UPDATE link SET used_s = ?1, session_sha256 = ?2
             WHERE token_sha256 = ?3 AND used_s IS NULL AND expires_s > ?1
             RETURNING *",
        )
        .bind(now_s())
        .bind(session.as_slice())
        .bind(token.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => state(&row, None),
            None => self.look_up_link(token).await,
        }
    }

    /// Ends every link of a participant, used or not: the browser's session opens nothing any more.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn end_links_of(&self, room: &str, identity: &str) -> Result<(), Error> {
        sqlx::query("UPDATE link SET expires_s = ?1 WHERE room = ?2 AND identity = ?3")
            .bind(now_s())
            .bind(room)
            .bind(identity)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What the browser that used a link may come back to.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn link_of_session(&self, session: &Digest) -> Result<LinkState, Error> {
        let row = sqlx::query("SELECT * FROM link WHERE session_sha256 = ?")
            .bind(session.as_slice())
            .fetch_optional(&self.pool)
            .await?;
        row.map_or(Ok(LinkState::Unknown), |row| state(&row, None))
    }
}

fn state(row: &SqliteRow, used_s: Option<i64>) -> Result<LinkState, Error> {
    let expires_s: i64 = row.try_get("expires_s")?;
    if used_s.is_some() {
        return Ok(LinkState::Used);
    }
    if expires_s <= now_s() {
        return Ok(LinkState::Expired);
    }
    Ok(LinkState::Open(Link {
        room: row.try_get("room")?,
        role: row.try_get("role")?,
        identity: row.try_get("identity")?,
        display_name: row.try_get("display_name")?,
        room_label: row.try_get("room_label")?,
        expires_s,
    }))
}

/// Until then a browser is told that its link has expired, afterwards that there is no such link.
const KEPT_AFTER_EXPIRY_S: i64 = 86_400;

#[cfg(test)]
mod tests;
