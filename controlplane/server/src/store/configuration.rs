//! What the server was configured with when it last ran.

use super::Store;
use crate::Error;
use crate::baa::Agreement;
use sqlx::Row as _;
use std::collections::BTreeMap;

/// Settings by name, with the SHA-256 of their values.
pub(crate) type Settings = BTreeMap<String, Vec<u8>>;

impl Store {
    /// The settings of the last start; none before the first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn settings(&self) -> Result<Settings, Error> {
        let rows = sqlx::query("SELECT name, digest FROM setting")
            .fetch_all(&self.pool)
            .await?;
        let mut settings = Settings::new();
        for row in rows {
            settings.insert(row.try_get("name")?, row.try_get("digest")?);
        }
        Ok(settings)
    }

    /// Keeps `settings` in the place of those that were there.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn keep_settings(&self, settings: &Settings) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM setting")
            .execute(&mut *transaction)
            .await?;
        for (name, digest) in settings {
            sqlx::query("INSERT INTO setting (name, digest) VALUES (?, ?)")
                .bind(name)
                .bind(digest)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The agreements that were known last.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn agreements(&self) -> Result<Vec<Agreement>, Error> {
        let rows = sqlx::query("SELECT agreement, entity, expires, hosts FROM agreement")
            .fetch_all(&self.pool)
            .await?;
        let mut agreements = Vec::with_capacity(rows.len());
        for row in rows {
            let expires: String = row.try_get("expires")?;
            let hosts: String = row.try_get("hosts")?;
            // A row that cannot be read counts as an agreement that has gone.
            if let (Ok(expires), Ok(hosts)) = (expires.parse(), serde_json::from_str(&hosts)) {
                agreements.push(Agreement {
                    entity: row.try_get("entity")?,
                    agreement: row.try_get("agreement")?,
                    expires,
                    hosts,
                });
            }
        }
        Ok(agreements)
    }

    /// Keeps `agreements` in the place of those that were there.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn keep_agreements(&self, agreements: &[Agreement]) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM agreement")
            .execute(&mut *transaction)
            .await?;
        for agreement in agreements {
            let hosts = serde_json::to_string(&agreement.hosts).unwrap_or_default();
            sqlx::query(
                "INSERT INTO agreement (agreement, entity, expires, hosts) VALUES (?, ?, ?, ?)",
            )
            .bind(&agreement.agreement)
            .bind(&agreement.entity)
            .bind(agreement.expires.to_string())
            .bind(hosts)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }
}
