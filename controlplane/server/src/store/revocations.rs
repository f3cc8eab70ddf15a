//! Access that was taken away.

use super::Store;
use crate::Error;
use crate::clock::now_s;
use sqlx::Row as _;

/// What was taken from an account, and whether it was given back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Revocation {
    /// User id, participant identity or API key name.
    pub(crate) account: String,
    /// `user`, `identity` or `api_key`.
    pub(crate) kind: String,
    /// Unix seconds.
    pub(crate) revoked_s: i64,
    /// Unix seconds.
    pub(crate) restored_s: Option<i64>,
}

impl Store {
    /// Every account that ever had its access taken away.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn revocations(&self) -> Result<Vec<Revocation>, Error> {
        sqlx::query("SELECT * FROM revocation ORDER BY revoked_s DESC, account")
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(|row| {
                Ok(Revocation {
                    account: row.try_get("account")?,
                    kind: row.try_get("kind")?,
                    revoked_s: row.try_get("revoked_s")?,
                    restored_s: row.try_get("restored_s")?,
                })
            })
            .collect()
    }

    /// Notes that an account's access is taken away now.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn revoke(&self, account: &str, kind: &str) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO revocation (account, kind, revoked_s) VALUES (?, ?, ?)
             ON CONFLICT (account) DO UPDATE
             SET kind = excluded.kind, revoked_s = excluded.revoked_s, restored_s = NULL",
        )
        .bind(account)
        .bind(kind)
        .bind(now_s())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that it is given back; whether it had been taken.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn restore(&self, account: &str) -> Result<bool, Error> {
        let changed = sqlx::query(
            "UPDATE revocation SET restored_s = ? WHERE account = ? AND restored_s IS NULL",
        )
        .bind(now_s())
        .bind(account)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Ends every link of an identity, in whatever room, and its place in the waiting room; how
    /// many links that were good.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn end_every_link_of(&self, identity: &str) -> Result<u64, Error> {
        let mut transaction = self.pool.begin().await?;
        let ended =
            sqlx::query("UPDATE link SET expires_s = ?1 WHERE identity = ?2 AND expires_s > ?1")
                .bind(now_s())
                .bind(identity)
                .execute(&mut *transaction)
                .await?;
        sqlx::query("UPDATE admission SET state = 'turned_away' WHERE identity = ?")
            .bind(identity)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM consult_member WHERE user_id = ?")
            .bind(identity)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE break_glass SET ended_s = ?1 WHERE user_id = ?2 AND ended_s IS NULL")
            .bind(now_s())
            .bind(identity)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(ended.rows_affected())
    }

    /// Whether a link was ever made for an identity.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn knows_identity(&self, identity: &str) -> Result<bool, Error> {
        let found = sqlx::query("SELECT 1 FROM link WHERE identity = ? LIMIT 1")
            .bind(identity)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }
}
