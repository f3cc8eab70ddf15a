//! Files that hold secrets: who may read them is checked before they are used.

use crate::Error;
use bedside_protocol::Secret;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

/// Makes the data directory with mode 0700, or checks that the one that is there is ours and that
/// nobody else may enter it.
///
/// # Errors
/// [`Error::File`] with what to do.
pub(crate) fn data_directory(path: &Path) -> Result<(), Error> {
    if !path.exists() {
        return DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| Error::file(path, format!("cannot be made: {error}")));
    }
    let metadata = fs::metadata(path).map_err(|error| Error::file(path, error))?;
    if !metadata.is_dir() {
        return Err(Error::file(path, "is not a directory"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::file(
            path,
            "belongs to another user; run this as that user, or name another directory",
        ));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        let path_text = path.display();
        return Err(Error::file(
            path,
            format!("others can enter it; type: chmod 700 {path_text}"),
        ));
    }
    Ok(())
}

/// What a secret's file must not allow: writing by its group, anything by others.
pub(crate) const OTHERS: u32 = 0o037;

/// A file's permissions.
///
/// # Errors
/// What the kernel said.
pub(crate) fn mode(path: &Path) -> std::io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// Reads a file that nobody but its owner and group may read.
///
/// # Errors
/// [`Error::File`] with what to do.
pub(crate) fn read_secret(path: &Path) -> Result<Secret<String>, Error> {
    let mode = mode(path).map_err(|error| Error::file(path, error))?;
    if mode & OTHERS != 0 {
        let path_text = path.display();
        return Err(Error::file(
            path,
            format!("holds a secret that others can read or change; type: chmod 600 {path_text}"),
        ));
    }
    fs::read_to_string(path)
        .map(Secret::new)
        .map_err(|error| Error::file(path, error))
}

/// Writes a file with mode 0600, whole or not at all.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), Error> {
    write(path, text, 0o600)
}

/// Writes a file that anybody may read, whole or not at all.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn write_public(path: &Path, text: &str) -> Result<(), Error> {
    write(path, text, 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = Path::new(&name);
    let written = (|| {
        if temporary.exists() {
            fs::remove_file(temporary)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(temporary, path)
    })();
    written.map_err(|error| Error::file(path, format!("cannot be written: {error}")))
}

#[cfg(test)]
mod tests;
