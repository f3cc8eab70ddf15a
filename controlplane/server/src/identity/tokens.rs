//! Access tokens that count once.

use crate::app::App;
use crate::clock::since_epoch;
use crate::evidence::access::Door;
use crate::limits::TOKEN_LEEWAY_S;
use crate::links::hash;
use bedside_audit::Outcome;
use bedside_rooms::{Claims, Refusal};

/// Uses up the token of somebody who joins anew, where the configuration says that tokens count
/// once; whoever is turned away is recorded at the `door`. Not for whoever comes back to their
/// place in a room, who has used theirs already.
///
/// # Errors
/// 401 for a token that was used, or has no id to remember (`jti`, RFC 7519 §4.1.7); 503 while the
/// database cannot be read.
pub(crate) async fn use_once(app: &App, door: &Door, claims: &Claims) -> Result<(), Refusal> {
    if !app.identity.config().single_use_tokens {
        return Ok(());
    }
    let refuse = |status, outcome, code, words: &str| {
        door.turn_away_for(&app.ledger, outcome, code);
        Err(Refusal {
            status,
            reason: words.to_owned(),
        })
    };
    if claims.jti.is_empty() {
        let words = "token has no id (jti), and counts only once with one";
        return refuse(401, Outcome::Denied, "token_without_id", words);
    }
    let id = hash(&format!("{}\n{}", claims.iss, claims.jti));
    let expires_s = claims.exp.unwrap_or_else(|| since_epoch().as_secs());
    let until_s = i64::try_from(expires_s.saturating_add(TOKEN_LEEWAY_S)).unwrap_or(i64::MAX);
    match app.store.use_token(&id, until_s).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let words = "token was used already";
            refuse(401, Outcome::Denied, "token_used", words)
        }
        Err(error) => {
            tracing::error!(%error, "a token could not be looked up");
            let words = "the database cannot be read; try again in a moment";
            refuse(503, Outcome::Failed, "unavailable", words)
        }
    }
}
