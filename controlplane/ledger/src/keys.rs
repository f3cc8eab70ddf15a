//! The log's keys: files in `keys/` of the data directory that nobody else may read.
//!
//! | file | what it is |
//! |---|---|
//! | `audit-signing.key` | Ed25519, signs checkpoints; a signed-note private key |
//! | `audit-signing.next` | the same while a rotation is under way |
//! | `audit-signing.pub` | verifier keys, one a line, the oldest first: for auditors and witnesses |
//! | `audit-pseudonym.key` | HMAC-SHA-256, makes pseudonyms |
//! | `audit-detail.key` | AES-256, wraps the keys of details |
//! | `audit-head` | the last checkpoint, so that a database that was put back is noticed |

use crate::Error;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedside_audit::{LogKey, MasterKey, PseudonymKey, VerifyingKey};
use bedside_protocol::Secret;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The directory of keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyFiles {
    directory: PathBuf,
}

impl KeyFiles {
    /// Makes the directory with mode 0700, or checks that nobody else may enter it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        match fs::metadata(directory) {
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                let path = directory.display();
                let cause = format!("others can enter it; type: chmod 700 {path}");
                return Err(Error::file(directory, cause));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(|error| Error::file(directory, error))?,
            Err(error) => return Err(Error::file(directory, error)),
        }
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// The key that signs, if there is one.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn signing(&self) -> Result<Option<LogKey>, Error> {
        self.log_key(SIGNING)
    }

    /// The key that a rotation was about to take into use.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn next_signing(&self) -> Result<Option<LogKey>, Error> {
        self.log_key(NEXT_SIGNING)
    }

    /// Makes the key that signs for the log `origin`.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Random`], [`Error::Config`] for a name that no log can have.
    pub(crate) fn make_signing(&self, origin: &str) -> Result<LogKey, Error> {
        let key = new_log_key(origin)?;
        self.write(SIGNING, key.to_text().expose())?;
        self.add_verifying(&key.verifying_key())?;
        Ok(key)
    }

    /// Makes the key that a rotation takes into use once its hand-over is durable.
    ///
    /// # Errors
    /// As [`make_signing`](Self::make_signing).
    pub(crate) fn make_next_signing(&self, origin: &str) -> Result<LogKey, Error> {
        let key = new_log_key(origin)?;
        self.write(NEXT_SIGNING, key.to_text().expose())?;
        // Before the hand-over: whatever it signs can be checked.
        self.add_verifying(&key.verifying_key())?;
        Ok(key)
    }

    /// Takes the next key into use; the old one's file is replaced.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn rotate(&self) -> Result<(), Error> {
        let path = self.path(SIGNING);
        fs::rename(self.path(NEXT_SIGNING), &path).map_err(|error| Error::file(&path, error))?;
        self.sync()
    }

    /// Forgets a next key that was never taken into use.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn forget_next(&self) -> Result<(), Error> {
        let path = self.path(NEXT_SIGNING);
        fs::remove_file(&path).map_err(|error| Error::file(&path, error))
    }

    /// All keys that ever signed, the oldest first.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn verifying(&self) -> Result<Vec<VerifyingKey>, Error> {
        let path = self.path(VERIFYING);
        let Some(text) = read(&path)? else {
            return Ok(Vec::new());
        };
        text.expose()
            .lines()
            .map(|line| line.parse().map_err(|error| Error::file(&path, error)))
            .collect()
    }

    /// The key of pseudonyms, made at the first start.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Random`].
    pub(crate) fn pseudonyms(&self) -> Result<PseudonymKey, Error> {
        Ok(PseudonymKey::new(1, &self.secret(PSEUDONYM)?))
    }

    /// The key that wraps keys of details, made at the first start.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Random`].
    pub(crate) fn master(&self) -> Result<MasterKey, Error> {
        Ok(MasterKey::new(self.secret(DETAIL)?))
    }

    /// The checkpoint that was written last, as far as it was noted.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn head(&self) -> Result<Option<String>, Error> {
        Ok(read(&self.path(HEAD))?.map(|text| text.expose().clone()))
    }

    /// Where the last checkpoint is noted.
    pub(crate) fn head_path(&self) -> PathBuf {
        self.path(HEAD)
    }

    /// Notes the last checkpoint.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn write_head(&self, note: &str) -> Result<(), Error> {
        self.write(HEAD, note)
    }

    /// Puts the files of a log that is given up beside the new one's.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn set_aside(&self, epoch: u64) -> Result<(), Error> {
        for name in [SIGNING, VERIFYING, HEAD] {
            let path = self.path(name);
            let aside = self.path(&format!("{name}.epoch-{epoch}"));
            match fs::rename(&path, aside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::file(&path, error));
                }
                _ => {}
            }
        }
        self.sync()
    }

    fn log_key(&self, name: &str) -> Result<Option<LogKey>, Error> {
        let path = self.path(name);
        let text = read(&path)?;
        text.map(|text| LogKey::from_text(&text).map_err(|error| Error::file(&path, error)))
            .transpose()
    }

    fn add_verifying(&self, key: &VerifyingKey) -> Result<(), Error> {
        let mut text =
            read(&self.path(VERIFYING))?.map_or_else(String::new, |text| text.expose().clone());
        text.push_str(&format!("{key}\n"));
        self.write(VERIFYING, &text)
    }

    /// 32 bytes in base64, made where there are none.
    fn secret(&self, name: &str) -> Result<Secret<[u8; 32]>, Error> {
        let path = self.path(name);
        let Some(text) = read(&path)? else {
            let secret = Secret::new(random::<32>()?);
            let text = Secret::new(STANDARD.encode(secret.expose()));
            self.write(name, text.expose())?;
            return Ok(secret);
        };
        let bytes = STANDARD.decode(text.expose().trim()).map(Secret::new);
        bytes
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes.expose().as_slice()).ok())
            .map(Secret::new)
            .ok_or_else(|| {
                let cause = "is not a key of 32 bytes in base64: restore it from a backup; without \
                             it, details that are sealed cannot be read";
                Error::file(&path, cause)
            })
    }

    /// Writes a file with mode 0600, whole or not at all, durable when it returns.
    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        write_whole(&self.path(name), text)
    }

    fn sync(&self) -> Result<(), Error> {
        sync_directory(&self.directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Writes a file with mode 0600, whole or not at all, durable when it returns.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = Path::new(&name);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(temporary, path)
    })();
    written.map_err(|error| Error::file(path, format!("cannot be written: {error}")))?;
    sync_directory(path.parent().unwrap_or_else(|| Path::new("/")))
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    fs::File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::file(path, error))
}

/// Reads a file that nobody else may read; none if there is none.
fn read(path: &Path) -> Result<Option<Secret<String>>, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(path, error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let cause = format!(
            "holds a secret that others can read or change; type: chmod 600 {}",
            path.display()
        );
        return Err(Error::file(path, cause));
    }
    fs::read_to_string(path)
        .map(|text| Some(Secret::new(text)))
        .map_err(|error| Error::file(path, error))
}

fn new_log_key(origin: &str) -> Result<LogKey, Error> {
    LogKey::new(origin, Secret::new(random()?))
        .map_err(|error| Error::Config(format!("`audit.origin`: {error}")))
}

/// Random bytes of the kernel's.
///
/// # Errors
/// [`Error::Random`].
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}

const SIGNING: &str = "audit-signing.key";
const NEXT_SIGNING: &str = "audit-signing.next";
const VERIFYING: &str = "audit-signing.pub";
const PSEUDONYM: &str = "audit-pseudonym.key";
const DETAIL: &str = "audit-detail.key";
const HEAD: &str = "audit-head";
