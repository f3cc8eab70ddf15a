//! Looks after files that change under a running server: certificate, key, API keys.
//!
//! They are looked at, not subscribed to: certificate tools replace files in many ways (rename,
//! link, rewrite), and a few seconds' delay is of no consequence.

use crate::changes;
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::ApiKeys;
use crate::limits::FILE_CHECK_INTERVAL;
use crate::store::Store;
use crate::tls::{self, Certificate};
use crate::token::Tokens;
use bedside_ledger::Ledger;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::{MissedTickBehavior, interval};

/// What is looked after.
pub(crate) struct Watch {
    pub(crate) tls_files: tls::Files,
    pub(crate) certificate: Arc<Certificate>,
    /// In development mode, where the certificate is kept and whom it names.
    pub(crate) development: Option<(PathBuf, Vec<IpAddr>)>,
    pub(crate) api_keys_file: PathBuf,
    pub(crate) tokens: Tokens,
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
}

impl Watch {
    /// Looks every [`FILE_CHECK_INTERVAL`], for ever.
    pub(crate) async fn run(self) {
        let mut ticks = interval(FILE_CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let tls = |watch: &Self| {
            [
                mark(&watch.tls_files.certificate),
                mark(&watch.tls_files.key),
            ]
        };
        let mut tls_marks = tls(&self);
        let mut keys_mark = mark(&self.api_keys_file);
        let baa_file = self.config.baa_file();
        let mut baa_mark = mark(&baa_file);
        loop {
            ticks.tick().await;
            self.renew();
            let marks = tls(&self);
            if marks != tls_marks {
                tls_marks = marks;
                self.reload_certificate();
            }
            let keys_now = mark(&self.api_keys_file);
            if keys_now != keys_mark {
                keys_mark = keys_now;
                self.reload_keys().await;
            }
            let baa_now = mark(&baa_file);
            if baa_now != baa_mark {
                baa_mark = baa_now;
                self.record_agreements().await;
            }
            if let Err(error) = self.store.note_api_key_use(self.tokens.take_used()).await {
                tracing::error!(%error, "the last use of API keys was not stored");
            }
        }
    }

    fn renew(&self) {
        if let Some((directory, addresses)) = &self.development
            && let Err(error) = tls::ensure_development_certificate(directory, addresses)
        {
            tracing::error!(%error, "the development certificate was not renewed");
        }
    }

    fn reload_certificate(&self) {
        let reloaded = self.certificate.reload(&self.tls_files);
        let refused = reloaded.is_err();
        match reloaded {
            Ok(()) => tracing::info!("the TLS certificate was read again"),
            Err(error) => {
                tracing::error!(%error, "the changed TLS certificate is not used; the old one stays");
            }
        }
        changes::note_certificate(&self.ledger, &self.certificate, refused, self.clock.now());
    }

    async fn record_agreements(&self) {
        let (ledger, store, config) = (&self.ledger, &self.store, &self.config);
        let recorded = changes::record_agreements(ledger, store, config, self.clock.now()).await;
        if let Err(error) = recorded {
            tracing::error!(%error, "the changed register of agreements cannot be used");
        }
    }

    async fn reload_keys(&self) {
        match ApiKeys::read(&self.api_keys_file) {
            Ok(keys) => {
                let noted = self.store.note_api_keys(keys.names()).await;
                self.tokens.replace(keys);
                tracing::info!("the API keys were read again");
                if let Err(error) = noted {
                    tracing::error!(%error, "the API keys were not noted in the database");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the changed API keys are not used; the old ones stay");
            }
        }
    }
}

/// Something that changes when the file does: device, inode, size, modification time.
fn mark(path: &Path) -> Option<(u64, u64, u64, i64, i64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    ))
}
