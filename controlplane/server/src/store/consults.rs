//! Consults that people of the workforce opened on the clinic page.

use super::{Store, now_s};
use crate::Error;
use bedside_protocol::Phi;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// A consult that somebody opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Consult {
    /// Name of the room; opaque.
    pub(crate) room: String,
    /// What its clinician calls it.
    pub(crate) label: Phi<String>,
    /// Unix seconds.
    pub(crate) opened_s: i64,
}

impl Store {
    /// Keeps a consult of `user`'s.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn open_consult(&self, consult: &Consult, user: &str) -> Result<(), Error> {
        sqlx::query("INSERT INTO consult (room, label, opened_by, opened_s) VALUES (?, ?, ?, ?)")
            .bind(&consult.room)
            .bind(consult.label.expose())
            .bind(user)
            .bind(consult.opened_s)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The consults that `user` opened and nobody has ended, the last first; at most `count`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn consults_of(&self, user: &str, count: u32) -> Result<Vec<Consult>, Error> {
        sqlx::query(
            "SELECT * FROM consult WHERE opened_by = ? AND ended_s IS NULL
             ORDER BY opened_s DESC, room LIMIT ?",
        )
        .bind(user)
        .bind(count)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(consult_of)
        .collect()
    }

    /// A consult that has not ended, if `user` opened it.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn consult_of(
        &self,
        room: &str,
        user: &str,
    ) -> Result<Option<Consult>, Error> {
        sqlx::query("SELECT * FROM consult WHERE room = ? AND opened_by = ? AND ended_s IS NULL")
            .bind(room)
            .bind(user)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(consult_of)
            .transpose()
    }

    /// Ends a consult and every link to it. Its label is forgotten.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn end_consult(&self, room: &str) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE consult SET ended_s = coalesce(ended_s, ?), label = '' WHERE room = ?")
            .bind(now_s())
            .bind(room)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE link SET expires_s = ?1 WHERE room = ?2 AND expires_s > ?1")
            .bind(now_s())
            .bind(room)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn consult_of(row: &SqliteRow) -> Result<Consult, Error> {
    Ok(Consult {
        room: row.try_get("room")?,
        label: Phi::new(row.try_get("label")?),
        opened_s: row.try_get("opened_s")?,
    })
}
