//! Whose a consult is, and who was let into it.

use super::Store;
use crate::Error;
use crate::clock::now_s;
use sqlx::Row as _;

/// How it stands with a guest who has to be let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// Nobody has decided yet.
    Waiting,
    /// They may come in, for as long as their link holds.
    Admitted,
    /// They may not.
    TurnedAway,
}

impl Admission {
    /// As it stands in the database and in answers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Admitted => "admitted",
            Self::TurnedAway => "turned_away",
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "admitted" => Self::Admitted,
            "turned_away" => Self::TurnedAway,
            _ => Self::Waiting,
        }
    }
}

/// Somebody who waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct WaitingGuest {
    pub(crate) identity: String,
    pub(crate) display_name: String,
    /// Unix seconds.
    pub(crate) since_s: i64,
}

impl Store {
    /// The hash of the policies that the last start noted.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn policies_in_force(&self) -> Result<Option<String>, Error> {
        let row = sqlx::query("SELECT hash FROM policy_in_force")
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get("hash")).transpose()?)
    }

    /// Notes the hash of the policies in force.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn set_policies_in_force(&self, hash: &str) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO policy_in_force (id, hash) VALUES (1, ?)
             ON CONFLICT (id) DO UPDATE SET hash = excluded.hash",
        )
        .bind(hash)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Whether a user opened a consult, was invited to it, or is in it by an emergency entry that
    /// has not run out.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn is_member_of_consult(&self, room: &str, user: &str) -> Result<bool, Error> {
        let found = sqlx::query(
            "SELECT 1 FROM consult_member WHERE room = ?1 AND user_id = ?2
             UNION ALL
             SELECT 1 FROM consult WHERE room = ?1 AND opened_by = ?2 AND ended_s IS NULL
             UNION ALL
             SELECT 1 FROM break_glass
             WHERE room = ?1 AND user_id = ?2 AND ends_s > ?3 AND ended_s IS NULL
             LIMIT 1",
        )
        .bind(room)
        .bind(user)
        .bind(now_s())
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }

    /// Makes a consult a user's.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn join_consult(&self, room: &str, user: &str) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO consult_member (room, user_id, since_s) VALUES (?, ?, ?)
             ON CONFLICT (room, user_id) DO NOTHING",
        )
        .bind(room)
        .bind(user)
        .bind(now_s())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How it stands with a guest; `None` for one who has not asked yet.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn admission(&self, identity: &str) -> Result<Option<Admission>, Error> {
        let row = sqlx::query("SELECT state FROM admission WHERE identity = ?")
            .bind(identity)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| Ok(Admission::named(row.try_get("state")?)))
            .transpose()
    }

    /// A guest asks to be let in; whether they had not asked before. Those whose links are gone
    /// are forgotten.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn ask_for_admission(
        &self,
        identity: &str,
        room: &str,
        display_name: &str,
    ) -> Result<bool, Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM admission WHERE identity NOT IN (SELECT identity FROM link)")
            .execute(&mut *transaction)
            .await?;
        let added = sqlx::query(
            "INSERT INTO admission (identity, room, display_name, since_s, state)
             VALUES (?, ?, ?, ?, 'waiting') ON CONFLICT (identity) DO NOTHING",
        )
        .bind(identity)
        .bind(room)
        .bind(display_name)
        .bind(now_s())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(added.rows_affected() > 0)
    }

    /// Who waits for a room, the first first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn waiting_for(&self, room: &str) -> Result<Vec<WaitingGuest>, Error> {
        sqlx::query(
            "SELECT identity, display_name, since_s FROM admission
             WHERE room = ? AND state = 'waiting' ORDER BY since_s, identity",
        )
        .bind(room)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(WaitingGuest {
                identity: row.try_get("identity")?,
                display_name: row.try_get("display_name")?,
                since_s: row.try_get("since_s")?,
            })
        })
        .collect()
    }

    /// Whether a guest waits for this room.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn waits_for(&self, room: &str, identity: &str) -> Result<bool, Error> {
        let row = sqlx::query(
            "SELECT 1 FROM admission WHERE room = ? AND identity = ? AND state = 'waiting'",
        )
        .bind(room)
        .bind(identity)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.is_some())
    }

    /// Decides about a guest.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn set_admission(
        &self,
        room: &str,
        identity: &str,
        state: Admission,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE admission SET state = ? WHERE room = ? AND identity = ?")
            .bind(state.name())
            .bind(room)
            .bind(identity)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
