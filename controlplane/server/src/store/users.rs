//! People of the workforce and their sessions.
//!
//! A session's cookie is 256 bits of randomness that leave the server once; the database has its
//! SHA-256 only (45 CFR 164.312(d)).

use super::links::Digest;
use super::{Store, now_s};
use crate::Error;
use crate::limits::SESSIONS_PER_USER_MAX;
use bedside_audit::Role;
use bedside_protocol::Phi;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// Somebody of the workforce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct User {
    /// Opaque: `U_` and 22 characters. It stands in records and on the command line.
    pub(crate) id: String,
    /// The provider that vouches for them.
    pub(crate) issuer: String,
    /// Their name there (OIDC Core §2, `sub`).
    pub(crate) subject: Phi<String>,
    /// What others see.
    pub(crate) display_name: Phi<String>,
    /// As the provider said at the last login.
    pub(crate) roles: Vec<Role>,
    /// First login, Unix seconds.
    pub(crate) created_s: i64,
    /// Last login or activity, Unix seconds.
    pub(crate) last_seen_s: i64,
    /// Since when every login is refused, Unix seconds.
    pub(crate) revoked_s: Option<i64>,
}

/// Somebody's session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    /// SHA-256 of the cookie.
    pub(crate) digest: Digest,
    /// Whose.
    pub(crate) user: String,
    /// Roles that it carries.
    pub(crate) roles: Vec<Role>,
    /// The provider's session (OIDC Back-Channel Logout §2.1, `sid`).
    pub(crate) provider_sid: Option<String>,
    /// Authentication context class.
    pub(crate) acr: Option<String>,
    /// Authentication methods (RFC 8176).
    pub(crate) amr: Vec<String>,
    /// Whether those were more than one factor, as the configuration reads them.
    pub(crate) multi_factor: bool,
    /// When the person authenticated at the provider, Unix seconds.
    pub(crate) authenticated_s: i64,
    /// Login, Unix seconds.
    pub(crate) created_s: i64,
    /// Last activity, Unix seconds.
    pub(crate) last_used_s: i64,
    /// Absolute end, Unix seconds.
    pub(crate) expires_s: i64,
    /// Since when it opens nothing until its user logs in again, Unix seconds.
    pub(crate) locked_s: Option<i64>,
}

impl Store {
    /// The user whom `issuer` calls `user.subject`, brought to what is known now; a new one gets
    /// `user.id`. Returns it as it was before, or `None` for a new one, and as it is.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn see_user(&self, user: &User) -> Result<(Option<User>, User), Error> {
        let mut transaction = self.pool.begin().await?;
        let before = sqlx::query("SELECT * FROM workforce_user WHERE issuer = ? AND subject = ?")
            .bind(&user.issuer)
            .bind(user.subject.expose())
            .fetch_optional(&mut *transaction)
            .await?;
        let now = sqlx::query(
            "INSERT INTO workforce_user (id, issuer, subject, display_name, roles, created_s,
                last_seen_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
             ON CONFLICT (issuer, subject) DO UPDATE SET display_name = excluded.display_name,
                roles = excluded.roles, last_seen_s = excluded.last_seen_s
             RETURNING *",
        )
        .bind(&user.id)
        .bind(&user.issuer)
        .bind(user.subject.expose())
        .bind(user.display_name.expose())
        .bind(role_names(&user.roles))
        .bind(now_s())
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((before.as_ref().map(user_of).transpose()?, user_of(&now)?))
    }

    /// Everybody who ever logged in, the last first; at most `count`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn users(&self, count: u32) -> Result<Vec<User>, Error> {
        sqlx::query("SELECT * FROM workforce_user ORDER BY last_seen_s DESC, id LIMIT ?")
            .bind(count)
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(user_of)
            .collect()
    }

    /// The user of that id.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn user(&self, id: &str) -> Result<Option<User>, Error> {
        sqlx::query("SELECT * FROM workforce_user WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(user_of)
            .transpose()
    }

    /// Refuses every login of a user from now on, or no more; whether there is such a user.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn set_user_revoked(&self, id: &str, revoked: bool) -> Result<bool, Error> {
        let changed = sqlx::query(
            "UPDATE workforce_user
             SET revoked_s = CASE WHEN ?1 THEN coalesce(revoked_s, ?2) END WHERE id = ?3",
        )
        .bind(revoked)
        .bind(now_s())
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Keeps a session, in place of the one that the browser had.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn create_session(
        &self,
        session: &Session,
        replaced: Option<&Digest>,
    ) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        if let Some(replaced) = replaced {
            sqlx::query("DELETE FROM workforce_session WHERE token_sha256 = ?")
                .bind(replaced.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(
            "INSERT INTO workforce_session (token_sha256, user_id, roles, provider_sid, acr, amr,
                multi_factor, authenticated_s, created_s, last_used_s, expires_s, locked_s)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(session.digest.as_slice())
        .bind(&session.user)
        .bind(role_names(&session.roles))
        .bind(&session.provider_sid)
        .bind(&session.acr)
        .bind(session.amr.join(" "))
        .bind(session.multi_factor)
        .bind(session.authenticated_s)
        .bind(session.created_s)
        .bind(session.last_used_s)
        .bind(session.expires_s)
        .bind(session.locked_s)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM workforce_session WHERE user_id = ?1 AND token_sha256 NOT IN
                (SELECT token_sha256 FROM workforce_session WHERE user_id = ?1
                 ORDER BY created_s DESC, expires_s DESC LIMIT ?2)",
        )
        .bind(&session.user)
        .bind(SESSIONS_PER_USER_MAX)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The session of a cookie, with its user; whether it is over or locked is the caller's to
    /// see.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn session(&self, digest: &Digest) -> Result<Option<(Session, User)>, Error> {
        sqlx::query(
            "SELECT s.*, s.roles AS session_roles, s.created_s AS session_created_s, u.*
             FROM workforce_session s JOIN workforce_user u ON u.id = s.user_id
             WHERE s.token_sha256 = ?",
        )
        .bind(digest.as_slice())
        .fetch_optional(&self.pool)
        .await?
        .as_ref()
        .map(|row| Ok((session_of(row)?, user_of(row)?)))
        .transpose()
    }

    /// Every session, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn sessions(&self) -> Result<Vec<Session>, Error> {
        sqlx::query(
            "SELECT *, roles AS session_roles, created_s AS session_created_s
             FROM workforce_session ORDER BY created_s",
        )
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(session_of)
        .collect()
    }

    /// Notes activity: of a session, and of its user.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn touch_session(&self, digest: &Digest, user: &str) -> Result<(), Error> {
        sqlx::query(
            "UPDATE workforce_session SET last_used_s = ?1
             WHERE token_sha256 = ?2 AND locked_s IS NULL",
        )
        .bind(now_s())
        .bind(digest.as_slice())
        .execute(&self.pool)
        .await?;
        sqlx::query("UPDATE workforce_user SET last_seen_s = ? WHERE id = ?")
            .bind(now_s())
            .bind(user)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Locks a session; whether it was there and open.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn lock_session(&self, digest: &Digest) -> Result<bool, Error> {
        let changed = sqlx::query(
            "UPDATE workforce_session SET locked_s = ? WHERE token_sha256 = ? AND locked_s IS NULL",
        )
        .bind(now_s())
        .bind(digest.as_slice())
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Ends a session; whether it was there.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn end_session(&self, digest: &Digest) -> Result<bool, Error> {
        let changed = sqlx::query("DELETE FROM workforce_session WHERE token_sha256 = ?")
            .bind(digest.as_slice())
            .execute(&self.pool)
            .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Ends the sessions that belong to one at the provider, or to all of a person's there.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn end_sessions_at_provider(
        &self,
        issuer: &str,
        subject: Option<&str>,
        sid: Option<&str>,
    ) -> Result<Vec<Session>, Error> {
        sqlx::query(
            "DELETE FROM workforce_session
             WHERE user_id IN (SELECT id FROM workforce_user
                    WHERE issuer = ?1 AND (?2 IS NULL OR subject = ?2))
                AND (?3 IS NULL OR provider_sid = ?3)
             RETURNING *, roles AS session_roles, created_s AS session_created_s",
        )
        .bind(issuer)
        .bind(subject)
        .bind(sid)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(session_of)
        .collect()
    }

    /// Uses up a token that counts once; whether this was the first time. It is remembered until
    /// `expires_s`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn use_token(&self, id: &Digest, expires_s: i64) -> Result<bool, Error> {
        let added = sqlx::query(
            "INSERT INTO used_token (id_sha256, expires_s) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(id.as_slice())
        .bind(expires_s)
        .execute(&self.pool)
        .await?;
        Ok(added.rows_affected() > 0)
    }

    /// Forgets used tokens that have expired.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn forget_used_tokens(&self) -> Result<(), Error> {
        sqlx::query("DELETE FROM used_token WHERE expires_s < ?")
            .bind(now_s())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends every session of a user; how many.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn end_sessions_of_user(&self, user: &str) -> Result<u64, Error> {
        let changed = sqlx::query("DELETE FROM workforce_session WHERE user_id = ?")
            .bind(user)
            .execute(&self.pool)
            .await?;
        Ok(changed.rows_affected())
    }
}

fn user_of(row: &SqliteRow) -> Result<User, Error> {
    Ok(User {
        id: row.try_get("id")?,
        issuer: row.try_get("issuer")?,
        subject: Phi::new(row.try_get("subject")?),
        display_name: Phi::new(row.try_get("display_name")?),
        roles: roles_of(row.try_get("roles")?),
        created_s: row.try_get("created_s")?,
        last_seen_s: row.try_get("last_seen_s")?,
        revoked_s: row.try_get("revoked_s")?,
    })
}

fn session_of(row: &SqliteRow) -> Result<Session, Error> {
    let digest: &[u8] = row.try_get("token_sha256")?;
    let amr: &str = row.try_get("amr")?;
    Ok(Session {
        digest: digest
            .try_into()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        user: row.try_get("user_id")?,
        roles: roles_of(row.try_get("session_roles")?),
        provider_sid: row.try_get("provider_sid")?,
        acr: row.try_get("acr")?,
        amr: amr.split_whitespace().map(str::to_owned).collect(),
        multi_factor: row.try_get("multi_factor")?,
        authenticated_s: row.try_get("authenticated_s")?,
        created_s: row.try_get("session_created_s")?,
        last_used_s: row.try_get("last_used_s")?,
        expires_s: row.try_get("expires_s")?,
        locked_s: row.try_get("locked_s")?,
    })
}

fn role_names(roles: &[Role]) -> String {
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    names.join(" ")
}

/// A name that this release does not know grants nothing.
fn roles_of(names: &str) -> Vec<Role> {
    names.split_whitespace().filter_map(Role::named).collect()
}

#[cfg(test)]
mod tests;
