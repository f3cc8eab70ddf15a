//! The admin socket: what the `bedside` command talks to.
//!
//! HTTP/1.1 with JSON bodies over a Unix socket that only its owner and root may use. Whoever may
//! connect may do everything: the file's mode and the peer's credentials are the access control.

mod api_keys;
mod audit;
mod routes;
mod standing;
mod types;

pub use crate::revocation::{AccountKind, RevocationStep};
pub use audit::KeyReport;
pub use bedside_rooms::{Connection, Received, Reception};
pub use types::{
    AccountReport, AgreementsReport, ApiKeyMade, ApiKeyReport, AuditReport, CertificateReport,
    DataplaneReport, EmergencyReport, EndingReport, Finding, LinkReport, LinkRequest, MuteRequest,
    ParticipantReport, Problem, ReviewRequest, Role, RoomReport, RotateRequest, StatusReport,
    TokenReport, TokenRequest, TokenRole, TrackReport,
};

use crate::app::App;
use crate::identity::PeerUid;
use crate::keys::KeyFile;
use crate::limits::ADMIN_CONNECTIONS_MAX;
use crate::records::Records;
use crate::tls::Certificate;
use crate::{Config, Error};
use axum::Extension;
use axum::extract::FromRef;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep};

/// Every route, with its action.
#[cfg(test)]
pub(crate) use routes::routes;

/// Binds the socket. One that a dead server left behind is replaced.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn bind(path: &Path) -> Result<UnixListener, Error> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(Error::file(path, "another server answers there"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(Error::file(path, "is in the way: it is not a socket"));
        }
        Ok(_) => std::fs::remove_file(path).map_err(|error| Error::file(path, error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::file(path, error)),
    }
    let listener = UnixListener::bind(path).map_err(|error| Error::file(path, error))?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
        .map_err(|error| Error::file(path, error))?;
    Ok(listener)
}

/// What the routes know beside the app.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) app: App,
    /// The API-key file.
    pub(crate) api_keys: Arc<KeyFile>,
    pub(crate) config: Arc<Config>,
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) tls: Arc<rustls::ServerConfig>,
    /// Where the server listens, with the ports that the kernel chose.
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) started: Instant,
    pub(crate) records: Arc<Records>,
}

impl FromRef<Admin> for App {
    fn from_ref(admin: &Admin) -> Self {
        admin.app.clone()
    }
}

impl Admin {
    /// Where browsers find the page.
    pub(crate) fn url(&self) -> String {
        page_url(self.config.public_url.as_deref(), &self.listen)
    }
}

/// Where browsers find the page: as configured, or for a development server what is likely.
pub(crate) fn page_url(public_url: Option<&str>, listen: &[SocketAddr]) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let address = listen
        .first()
        .expect("a configuration without an address is refused");
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        return format!("https://localhost:{}", address.port());
    }
    format!("https://{address}")
}

/// Serves until told to stop.
pub(crate) async fn run(listener: UnixListener, admin: Admin, mut stop: watch::Receiver<bool>) {
    let router = routes::router(admin);
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: they come back as connections end.
            sleep(ACCEPT_RETRY).await;
            continue;
        };
        let Some(uid) = trusted_uid(&stream) else {
            tracing::warn!("a process of another user was turned away from the admin socket");
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(uid)));
        tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "an admin connection broke");
            }
            drop(place);
        });
    }
}

/// The same user's or root's (`SO_PEERCRED`, unix(7)).
fn trusted_uid(stream: &UnixStream) -> Option<PeerUid> {
    let uid = stream.peer_cred().ok()?.uid();
    (uid == 0 || uid == rustix::process::getuid().as_raw()).then_some(PeerUid(uid))
}

const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Time for a request's header section; the command sends it at once.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
