//! A tar archive (POSIX.1-1988 ustar) that has one form only: files in order, no owner, no time. So
//! any byte that is not what it must be is found, wherever it stands.

use crate::limits::{ARCHIVE_BYTES_MAX, FILES_MAX};

/// Why bytes are not an archive of this form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotOurs {
    /// Offset of the first byte that is not what it must be.
    pub(crate) offset: usize,
    /// What stands there.
    pub(crate) what: String,
}

/// The archive of `files`.
pub(crate) fn write<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, bytes) in files {
        archive.extend_from_slice(&header(path, bytes.len()));
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + END, 0);
    archive
}

/// The files of `archive`.
pub(crate) fn read(archive: &[u8]) -> Result<Vec<(&str, &[u8])>, NotOurs> {
    let wrong = |offset: usize, what: &str| NotOurs {
        offset,
        what: what.to_owned(),
    };
    if archive.len() > ARCHIVE_BYTES_MAX {
        return Err(wrong(ARCHIVE_BYTES_MAX, "the archive is too large"));
    }
    let mut files = Vec::new();
    let mut at = 0;
    loop {
        let Some(block) = archive.get(at..at + BLOCK) else {
            return Err(wrong(archive.len(), "the archive ends before its end mark"));
        };
        if block.iter().all(|&byte| byte == 0) {
            break;
        }
        if files.len() == FILES_MAX {
            return Err(wrong(at, "there are more files than a bundle has"));
        }
        let (path, size) = parse(block)
            .ok_or_else(|| wrong(at, "this is not the header of a file of a bundle"))?;
        let expected = header(path, size);
        if let Some(index) = block.iter().zip(&expected).position(|(a, b)| a != b) {
            let what = format!("a byte of the header of {path} was changed");
            return Err(NotOurs {
                offset: at + index,
                what,
            });
        }
        let start = at + BLOCK;
        let Some(bytes) = archive.get(start..start + size) else {
            return Err(NotOurs {
                offset: archive.len(),
                what: format!("{path} is cut off"),
            });
        };
        let end = start + size;
        at = end.next_multiple_of(BLOCK);
        zeros(archive, end, at, || {
            format!("a byte after the end of {path} was changed")
        })?;
        files.push((path, bytes));
    }
    zeros(archive, at, at + END, || {
        "a byte of the end mark was changed".to_owned()
    })?;
    if archive.len() > at + END {
        return Err(wrong(at + END, "something was appended to the archive"));
    }
    Ok(files)
}

fn zeros(
    archive: &[u8],
    from: usize,
    to: usize,
    what: impl FnOnce() -> String,
) -> Result<(), NotOurs> {
    let Some(bytes) = archive.get(from..to) else {
        let what = "the archive ends before its end mark".to_owned();
        return Err(NotOurs {
            offset: archive.len(),
            what,
        });
    };
    match bytes.iter().position(|&byte| byte != 0) {
        Some(index) => Err(NotOurs {
            offset: from + index,
            what: what(),
        }),
        None => Ok(()),
    }
}

/// Path and size that a header names.
fn parse(header: &[u8]) -> Option<(&str, usize)> {
    let name = header.get(..NAME)?;
    let length = name.iter().position(|&byte| byte == 0)?;
    let path = std::str::from_utf8(&name[..length])
        .ok()
        .filter(|path| !path.is_empty())?;
    let size = std::str::from_utf8(header.get(SIZE_AT..SIZE_AT + 11)?).ok()?;
    Some((path, usize::from_str_radix(size, 8).ok()?))
}

/// The header of a file that anybody may read and nobody owns, of 1970-01-01.
fn header(path: &str, size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, path.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(SIZE_AT, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(CHECKSUM_AT, b"        ");
    put(156, b"0");
    put(257, b"ustar\0");
    put(263, b"00");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    for (to, from) in header
        .iter_mut()
        .skip(CHECKSUM_AT)
        .zip(format!("{sum:06o}\0 ").bytes())
    {
        *to = from;
    }
    header
}

const BLOCK: usize = 512;
const END: usize = 2 * BLOCK;
const NAME: usize = 100;
const SIZE_AT: usize = 124;
const CHECKSUM_AT: usize = 148;

#[cfg(test)]
mod tests;
