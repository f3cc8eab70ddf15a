//! Checkpoints in a file, best on another machine's mount: whoever puts the database back to an
//! earlier state would have to put that back too.

use crate::Error;
use crate::limits::MIRROR_TAIL_BYTES;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Appends a checkpoint, durable when it returns.
///
/// # Errors
/// [`Error::File`].
pub fn append(path: &Path, note: &str) -> Result<(), Error> {
    let written = (|| {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        // A line that was cut by a crash ends here.
        file.write_all(format!("\n{note}").as_bytes())?;
        file.sync_all()
    })();
    written.map_err(|error| Error::file(path, format!("the mirror cannot be written: {error}")))
}

/// The last whole checkpoint of the log `origin` in the file; none where there is none.
///
/// # Errors
/// [`Error::File`] where it cannot be read.
pub(crate) fn last(path: &Path, origin: &str) -> Result<Option<String>, Error> {
    let text = match tail(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let cause = format!(
                "the mirror cannot be read: {error}; mount it, or take it out of `audit.mirrors`"
            );
            return Err(Error::file(path, cause));
        }
    };
    let mut found = None;
    let start = format!("\n{origin}\n");
    for (at, _) in text.match_indices(&start) {
        let note = &text[at + 1..];
        // Three lines, a blank one, then signatures.
        let Some(blank) = note.find("\n\n") else {
            continue;
        };
        let signatures: String = note[blank + 2..]
            .split_inclusive('\n')
            .take_while(|line| line.starts_with('\u{2014}') && line.ends_with('\n'))
            .collect();
        if !signatures.is_empty() {
            found = Some(format!("{}{signatures}", &note[..blank + 2]));
        }
    }
    Ok(found)
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(MIRROR_TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(MIRROR_TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(String::from_utf8_lossy(&tail).into_owned())
}

#[cfg(test)]
mod tests;
