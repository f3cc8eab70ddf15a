//! What others do with people of the workforce: end their sessions, refuse their logins.

use crate::Error;
use crate::app::App;
pub(crate) use crate::store::users::{Session, User};

/// Refuses every login of a user from now on and ends their sessions; how many there were, or
/// `None` if there is no such user. What they are connected to is the rooms' business.
///
/// # Errors
/// [`Error::Database`].
pub(crate) async fn revoke(app: &App, id: &str) -> Result<Option<u64>, Error> {
    // First the way back in, then what is open.
    if !app.store.set_user_revoked(id, true).await? {
        return Ok(None);
    }
    app.store.end_sessions_of_user(id).await.map(Some)
}
