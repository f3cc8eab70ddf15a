//! Evidence on disk: what no control plane has acknowledged, encrypted, beside the control socket.
//!
//! One file a boot, `<socket>.spool.<boot>`. It begins with a header: eight bytes of name and
//! version, the boot, a random salt. Records follow, each a big-endian length and that many bytes:
//! a random nonce, then AES-256-GCM over the event's JSON. The file's key comes from the control
//! plane's by HKDF with the salt (RFC 5869); a record's additional data is the header and its place
//! in the file, so that none can be taken out, moved or brought in from another file. A file that
//! ends within a record was being written when the process died.

mod format;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bedside_protocol::{BootId, EventFrame, Secret, SpoolDamage, Spooled, WorkerId};

use crate::limits::{SPOOL_FILE_BYTES_MAX, SPOOL_FILES_MAX};
use crate::random;
use format::{Cipher, Header};

/// What this process and those before it left for a control plane.
pub(crate) struct SpoolFiles {
    socket: PathBuf,
    boot: BootId,
    key: Secret<[u8; 32]>,
    /// Of this boot, while there is something in it.
    own: Option<OpenFile>,
    /// Of earlier boots, as far as they were offered and not acknowledged.
    earlier: BTreeMap<BootId, Offered>,
}

/// A file that is written.
struct OpenFile {
    path: PathBuf,
    file: File,
    cipher: Cipher,
    bytes: u64,
    records: u64,
    /// The last record of each worker.
    last: BTreeMap<WorkerId, u64>,
    /// The last one of each worker that was acknowledged.
    acknowledged: BTreeMap<WorkerId, u64>,
}

struct Offered {
    path: PathBuf,
    last: BTreeMap<WorkerId, u64>,
    damage: Option<SpoolDamage>,
}

/// Why evidence was not written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// The file is as large as it may be: it is lost, and its numbers will show it.
    Full,
    /// The disk, or what stands before it; later it may work.
    Io(io::Error),
}

impl SpoolFiles {
    pub(crate) fn new(socket: &Path, boot: BootId, key: Secret<[u8; 32]>) -> Self {
        Self {
            socket: socket.to_owned(),
            boot,
            key,
            own: None,
            earlier: BTreeMap::new(),
        }
    }

    pub(crate) fn boot(&self) -> BootId {
        self.boot
    }

    /// The key of the control plane that is in charge now. A file that is being written keeps its
    /// own.
    pub(crate) fn rekey(&mut self, key: Secret<[u8; 32]>) {
        self.key = key;
    }

    /// Writes evidence to this boot's file and waits until it is on the disk.
    ///
    /// # Errors
    /// [`Unwritten`]; the file is as before.
    pub(crate) fn append(&mut self, frames: &[EventFrame]) -> Result<(), Unwritten> {
        if frames.is_empty() {
            return Ok(());
        }
        let file = match &mut self.own {
            Some(file) => file,
            none => {
                let path = path_of(&self.socket, self.boot);
                if files(&self.socket).len() >= SPOOL_FILES_MAX {
                    return Err(Unwritten::Full);
                }
                none.insert(OpenFile::create(path, self.boot, &self.key).map_err(Unwritten::Io)?)
            }
        };
        file.append(frames)
    }

    /// What stands in this boot's file and is not acknowledged.
    pub(crate) fn own_evidence(&self) -> Vec<EventFrame> {
        let Some(file) = &self.own else {
            return Vec::new();
        };
        let is_due =
            |frame: &EventFrame| frame.record > file.acknowledged.get(&frame.worker).copied();
        match std::fs::read(&file.path) {
            Ok(bytes) => {
                let mut frames = format::read_records(&file.cipher, &bytes).0;
                frames.retain(is_due);
                frames
            }
            Err(error) => {
                tracing::error!(kind = ?error.kind(), "this boot's evidence cannot be read");
                Vec::new()
            }
        }
    }

    /// What stands in the files of earlier boots.
    pub(crate) fn earlier_evidence(&mut self) -> Vec<(Spooled, Vec<EventFrame>)> {
        let mut found = Vec::new();
        self.earlier.clear();
        for (boot, path) in files(&self.socket) {
            if boot == self.boot {
                continue;
            }
            let (frames, damage) = match std::fs::read(&path) {
                Ok(bytes) => format::read(&self.key, boot, &bytes),
                Err(_) => (Vec::new(), Some(SpoolDamage::Unreadable)),
            };
            let mut last = BTreeMap::new();
            for frame in &frames {
                last.insert(frame.worker, frame.record.unwrap_or_default());
            }
            let spooled = Spooled {
                boot,
                records: frames.len() as u64,
                damage,
            };
            let offered = Offered { path, last, damage };
            if offered.last.is_empty() {
                // Nothing in it can be acknowledged.
                offered.discard();
            } else {
                self.earlier.insert(boot, offered);
            }
            found.push((spooled, frames));
        }
        found
    }

    /// The records of a worker's evidence are durable, up to this number.
    pub(crate) fn acknowledge(&mut self, boot: BootId, worker: WorkerId, record: u64) {
        if boot == self.boot {
            let Some(file) = &mut self.own else {
                return;
            };
            file.acknowledged.insert(worker, record);
            if is_over(&mut file.last, worker, record) {
                remove(&file.path);
                self.own = None;
            }
        } else if let Some(offered) = self.earlier.get_mut(&boot)
            && is_over(&mut offered.last, worker, record)
            && let Some(offered) = self.earlier.remove(&boot)
        {
            offered.discard();
        }
    }
}

/// Strikes off what is acknowledged; whether that is all.
fn is_over(last: &mut BTreeMap<WorkerId, u64>, worker: WorkerId, record: u64) -> bool {
    last.retain(|of, last| *of != worker || *last > record);
    last.is_empty()
}

impl Offered {
    /// A file that could be read to its end is removed, another one is kept for whoever has to find
    /// out why.
    fn discard(self) {
        if self.damage == Some(SpoolDamage::Unreadable) {
            let mut kept = self.path.clone().into_os_string();
            kept.push(".damaged");
            if let Err(error) = std::fs::rename(&self.path, kept) {
                tracing::error!(kind = ?error.kind(), "a damaged file of evidence cannot be renamed");
            }
        } else {
            remove(&self.path);
        }
    }
}

impl OpenFile {
    fn create(path: PathBuf, boot: BootId, key: &Secret<[u8; 32]>) -> io::Result<Self> {
        let salt = random::bytes().map_err(|_| io::Error::other("no random bytes"))?;
        let header = Header { boot, salt };
        let cipher = Cipher::new(key, &header).ok_or_else(|| io::Error::other("no cipher"))?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let header = header.to_bytes();
        if let Err(error) = file.write_all(&header) {
            remove(&path);
            return Err(error);
        }
        Ok(Self {
            path,
            file,
            cipher,
            bytes: header.len() as u64,
            records: 0,
            last: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
        })
    }

    fn append(&mut self, frames: &[EventFrame]) -> Result<(), Unwritten> {
        let mut bytes = Vec::new();
        let mut records = self.records;
        for frame in frames {
            self.cipher
                .seal(records, frame, &mut bytes)
                .map_err(|()| Unwritten::Io(io::Error::other("an event cannot be sealed")))?;
            records += 1;
        }
        let length = self.bytes + bytes.len() as u64;
        if length > SPOOL_FILE_BYTES_MAX {
            return Err(Unwritten::Full);
        }
        let written = self
            .file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.rewind();
            return Err(Unwritten::Io(error));
        }
        (self.bytes, self.records) = (length, records);
        for frame in frames {
            self.last
                .insert(frame.worker, frame.record.unwrap_or_default());
        }
        Ok(())
    }

    fn rewind(&mut self) {
        use std::io::Seek as _;
        let rewound = self
            .file
            .set_len(self.bytes)
            .and_then(|()| self.file.seek(io::SeekFrom::Start(self.bytes)));
        if let Err(error) = rewound {
            tracing::error!(kind = ?error.kind(), "this boot's evidence cannot be mended");
        }
    }
}

fn path_of(socket: &Path, boot: BootId) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(format!(".spool.{:016x}", boot.0));
    path.into()
}

/// The files that there are, by boot.
fn files(socket: &Path) -> BTreeMap<BootId, PathBuf> {
    let directory = match socket.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (Some(name), Ok(entries)) = (socket.file_name(), std::fs::read_dir(directory)) else {
        return BTreeMap::new();
    };
    let prefix = format!("{}.spool.", name.to_string_lossy());
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let boot = name.to_str()?.strip_prefix(&prefix)?;
            let boot = (boot.len() == 16).then(|| u64::from_str_radix(boot, 16).ok())??;
            Some((BootId(boot), entry.path()))
        })
        .collect()
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::error!(kind = ?error.kind(), "a file of evidence cannot be removed");
    }
}

#[cfg(test)]
mod tests;
