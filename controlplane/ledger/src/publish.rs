//! The last checkpoint, told to whoever keeps it: the file beside the keys, mirrors.

use crate::keys::KeyFiles;
use crate::limits::HEAD_INTERVAL;
use crate::storage::Storage;
use crate::{Error, Health, mirror};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

/// Writes the last checkpoint to files for as long as the log is open.
pub(crate) struct Publisher {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) files: KeyFiles,
    pub(crate) mirrors: Vec<PathBuf>,
    pub(crate) interval: Duration,
    pub(crate) health: watch::Receiver<Health>,
}

impl Publisher {
    /// Runs until the writer ends, then once more.
    pub(crate) async fn run(mut self) {
        let mut noted = 0;
        let mut mirrored = 0;
        let mut due = Instant::now();
        let mut failing = false;
        loop {
            let open = tokio::select! {
                changed = self.health.wait_for(|health| health.size > noted) => changed.is_ok(),
                () = sleep_until(due), if mirrored < noted => true,
            };
            let mirror = !open || due <= Instant::now();
            if mirror {
                due = Instant::now() + self.interval;
            }
            match self.publish(mirror).await {
                Ok(size) => {
                    failing = false;
                    noted = size;
                    if mirror {
                        mirrored = size;
                    }
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the last checkpoint could not be published");
                }
                Err(_) => {}
            }
            if !open {
                return;
            }
            // Until the next is due, or the writer has ended.
            let ended = self.health.wait_for(|_| false);
            timeout(HEAD_INTERVAL, ended)
                .await
                .map(drop)
                .unwrap_or_default();
        }
    }

    /// The size that was published.
    async fn publish(&self, mirror: bool) -> Result<u64, Error> {
        let Some(last) = self.storage.last_checkpoint().await? else {
            return Ok(0);
        };
        let files = self.files.clone();
        let mirrors = if mirror {
            self.mirrors.clone()
        } else {
            Vec::new()
        };
        let written = spawn_blocking(move || {
            // One that is away keeps no other from it.
            let noted = files.write_head(&last.note);
            let mut failed = None;
            for path in &mirrors {
                failed = mirror::append(path, &last.note).err().or(failed);
            }
            noted?;
            failed.map_or(Ok(last.size), Err)
        });
        written
            .await
            .unwrap_or_else(|_| Err(Error::Away("a thread ended".to_owned())))
    }
}
