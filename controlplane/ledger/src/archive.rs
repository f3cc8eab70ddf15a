//! The log, to be read: by the server beside the writer, and by the command line where no server
//! runs.

use crate::Error;
use crate::config::{Database, LedgerConfig};
use crate::keys::KeyFiles;
use crate::sealing::unwrap;
use crate::storage::postgres::PostgresStorage;
use crate::storage::sqlite::SqliteStorage;
use crate::storage::{Search, Storage, StoredCheckpoint, StoredCosignature, StoredEntry};
use crate::tiles::{Hashes, Partial};
use crate::verify::{self, Verified, VerifyOptions};
use bedside_audit::{
    ConsistencyProof, DetailKey, Entry, InclusionProof, MasterKey, PseudonymKey, VerifyingKey,
};
use std::sync::Arc;

/// The log, to be read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archive {
    storage: Arc<dyn Storage>,
    origin: Arc<str>,
    files: KeyFiles,
    secrets: Arc<Secrets>,
    partial: Arc<Partial>,
}

/// What turns names into pseudonyms and opens details.
#[derive(Debug)]
struct Secrets {
    pseudonyms: PseudonymKey,
    master: MasterKey,
}

impl Archive {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        origin: &str,
        files: KeyFiles,
    ) -> Result<Self, Error> {
        let secrets = Secrets {
            pseudonyms: files.pseudonyms()?,
            master: files.master()?,
        };
        Ok(Self {
            storage,
            origin: origin.into(),
            files,
            secrets: Arc::new(secrets),
            partial: Arc::default(),
        })
    }

    /// Opens a log to read it only, beside whoever writes it.
    ///
    /// # Errors
    /// [`Error::Config`] where there is no log yet; as [`Error`] of a database or a file.
    pub async fn open(config: &LedgerConfig) -> Result<Self, Error> {
        let storage: Arc<dyn Storage> = match &config.database {
            Database::Sqlite(path) => {
                if !path.exists() {
                    return Err(Error::file(path, "there is no audit log"));
                }
                Arc::new(SqliteStorage::open_to_read(path).await?)
            }
            Database::Postgres(url) => Arc::new(PostgresStorage::open_to_read(url.expose())?),
        };
        let log = storage.log().await?;
        let log = log.ok_or_else(|| Error::Config("the audit log was never begun".to_owned()))?;
        let files = KeyFiles::open(&config.keys_directory)?;
        Self::new(storage, &log.origin, files)
    }

    /// The log's name: first line of its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// All keys that ever signed its checkpoints, the oldest first.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn verifying_keys(&self) -> Result<Vec<VerifyingKey>, Error> {
        self.files.verifying()
    }

    /// The key of its pseudonyms, to search for a name that is known.
    #[must_use]
    pub fn pseudonyms(&self) -> &PseudonymKey {
        &self.secrets.pseudonyms
    }

    /// Up to `count` entries from sequence `from`, in order.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn entries(&self, from: u64, count: u32) -> Result<Vec<StoredEntry>, Error> {
        self.storage.entries(from, count).await
    }

    /// The entry of that sequence.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn entry(&self, sequence: u64) -> Result<Option<StoredEntry>, Error> {
        let found = self.storage.entries(sequence, 1).await?;
        Ok(found.into_iter().find(|entry| entry.sequence == sequence))
    }

    /// Up to `count` entries that match, the last first.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn search(&self, search: &Search, count: u32) -> Result<Vec<StoredEntry>, Error> {
        self.storage.search(search, count).await
    }

    /// The key that opens an entry's detail; none if it has none or if the key was destroyed.
    ///
    /// # Errors
    /// As [`Error`] of a database; [`Error::Corrupt`] where the key cannot be used.
    pub async fn detail_key(&self, entry: &Entry) -> Result<Option<DetailKey>, Error> {
        let Some(sealed) = &entry.detail_enc else {
            return Ok(None);
        };
        let id = sealed.key_id();
        let subjects = [id.scope().subject.to_string()];
        let keys = self.storage.detail_keys(&subjects).await?;
        let wanted = id.to_string();
        let found = keys.iter().find(|key| key.id == wanted);
        found
            .map(|key| unwrap(&self.secrets.master, key))
            .transpose()
    }

    /// The last checkpoint; none while the log is empty.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn last_checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        self.storage.last_checkpoint().await
    }

    /// Up to `count` checkpoints that cover at least `size` entries, in order.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn checkpoints(&self, size: u64, count: u32) -> Result<Vec<StoredCheckpoint>, Error> {
        self.storage.checkpoints(size, count).await
    }

    /// What witnesses signed of the checkpoint of that size.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn cosignatures(&self, size: u64) -> Result<Vec<StoredCosignature>, Error> {
        self.storage.cosignatures(size).await
    }

    /// That entry `index` is in the tree of `size` entries.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it cannot be proven; as [`Error`] of a database.
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<InclusionProof, Error> {
        let needed = InclusionProof::needs(index, size);
        let hashes = Hashes::new(&*self.storage, &self.partial)
            .stored(&needed)
            .await?;
        InclusionProof::new(index, size, &hashes).map_err(unprovable)
    }

    /// That the tree of `size` entries begins with that of `old`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it cannot be proven; as [`Error`] of a database.
    pub async fn consistency(&self, old: u64, size: u64) -> Result<ConsistencyProof, Error> {
        let needed = ConsistencyProof::needs(old, size);
        let hashes = Hashes::new(&*self.storage, &self.partial)
            .stored(&needed)
            .await?;
        ConsistencyProof::new(old, size, &hashes).map_err(unprovable)
    }

    /// Hashes the whole log again and compares it with everything that is known of it.
    ///
    /// # Errors
    /// As [`Error`] of a database that cannot be read at all; [`Error::File`].
    pub async fn verify(&self, options: &VerifyOptions) -> Result<Verified, Error> {
        verify::verify(self, &self.storage, options).await
    }

    /// Keeps what a witness signed.
    pub(crate) async fn put_cosignature(
        &self,
        cosignature: &StoredCosignature,
    ) -> Result<(), Error> {
        self.storage.put_cosignature(cosignature).await
    }

    /// The last checkpoint that each witness signed.
    ///
    /// # Errors
    /// As [`Error`] of a database.
    pub async fn last_cosignatures(&self) -> Result<Vec<StoredCosignature>, Error> {
        self.storage.last_cosignatures().await
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.storage.close().await;
    }
}

fn unprovable(error: bedside_audit::AuditError) -> Error {
    Error::Corrupt(format!("a proof cannot be made: {error}"))
}
