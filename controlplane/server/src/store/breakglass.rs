//! Emergency entries.

use super::Store;
use crate::Error;
use crate::clock::now_s;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// An emergency entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// `BG_...`.
    pub(crate) id: String,
    /// Who entered: user id.
    pub(crate) user: String,
    /// Which consult.
    pub(crate) room: String,
    /// Code of the reason.
    pub(crate) reason: String,
    /// Unix seconds.
    pub(crate) started_s: i64,
    /// When it runs out, Unix seconds.
    pub(crate) ends_s: i64,
    /// When it ended, Unix seconds.
    pub(crate) ended_s: Option<i64>,
    /// When it was reviewed, Unix seconds.
    pub(crate) reviewed_s: Option<i64>,
    /// What the review found: `justified` or `not_justified`.
    pub(crate) finding: Option<String>,
}

impl Store {
    /// Keeps a new entry.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn break_glass(&self, entry: &Entry) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO break_glass (id, user_id, room, reason, started_s, ends_s)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&entry.id)
        .bind(&entry.user)
        .bind(&entry.room)
        .bind(&entry.reason)
        .bind(entry.started_s)
        .bind(entry.ends_s)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Entries, the last first; at most `count`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn emergency_entries(&self, count: u32) -> Result<Vec<Entry>, Error> {
        sqlx::query("SELECT * FROM break_glass ORDER BY started_s DESC, id LIMIT ?")
            .bind(count)
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(entry_of)
            .collect()
    }

    /// How many entries nobody has reviewed.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn unreviewed_entries(&self) -> Result<u64, Error> {
        let row = sqlx::query("SELECT count(*) AS n FROM break_glass WHERE reviewed_s IS NULL")
            .fetch_one(&self.pool)
            .await?;
        let count: i64 = row.try_get("n")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The entry of that id.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn emergency_entry(&self, id: &str) -> Result<Option<Entry>, Error> {
        sqlx::query("SELECT * FROM break_glass WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(entry_of)
            .transpose()
    }

    /// The entry by which a user may be in a room now.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn open_entry(&self, user: &str, room: &str) -> Result<Option<Entry>, Error> {
        sqlx::query(
            "SELECT * FROM break_glass
             WHERE user_id = ? AND room = ? AND ends_s > ? AND ended_s IS NULL
             ORDER BY ends_s DESC LIMIT 1",
        )
        .bind(user)
        .bind(room)
        .bind(now_s())
        .fetch_optional(&self.pool)
        .await?
        .as_ref()
        .map(entry_of)
        .transpose()
    }

    /// The entry that runs out next, of those that have not ended.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn next_entry_to_end(&self) -> Result<Option<Entry>, Error> {
        sqlx::query("SELECT * FROM break_glass WHERE ended_s IS NULL ORDER BY ends_s LIMIT 1")
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(entry_of)
            .transpose()
    }

    /// Entries that ended after `since_s`, for those whose tokens may still be about.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn entries_ended_since(&self, since_s: i64) -> Result<Vec<Entry>, Error> {
        sqlx::query("SELECT * FROM break_glass WHERE ended_s > ?")
            .bind(since_s)
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(entry_of)
            .collect()
    }

    /// Ends an entry.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn end_entry(&self, id: &str) -> Result<(), Error> {
        sqlx::query("UPDATE break_glass SET ended_s = ? WHERE id = ? AND ended_s IS NULL")
            .bind(now_s())
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes a review; whether there was an entry that had none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn review_entry(
        &self,
        id: &str,
        reviewer: &str,
        finding: &str,
    ) -> Result<bool, Error> {
        let changed = sqlx::query(
            "UPDATE break_glass SET reviewed_s = ?, reviewer = ?, finding = ?
             WHERE id = ? AND reviewed_s IS NULL",
        )
        .bind(now_s())
        .bind(reviewer)
        .bind(finding)
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() > 0)
    }
}

fn entry_of(row: &SqliteRow) -> Result<Entry, Error> {
    Ok(Entry {
        id: row.try_get("id")?,
        user: row.try_get("user_id")?,
        room: row.try_get("room")?,
        reason: row.try_get("reason")?,
        started_s: row.try_get("started_s")?,
        ends_s: row.try_get("ends_s")?,
        ended_s: row.try_get("ended_s")?,
        reviewed_s: row.try_get("reviewed_s")?,
        finding: row.try_get("finding")?,
    })
}
