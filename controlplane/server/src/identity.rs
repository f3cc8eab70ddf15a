//! Who somebody is: people of the workforce with a session, guests with a link, servers and
//! agents with a token, operators at the host (45 CFR 164.312(a)(2)(i), (d)).

mod consults;
pub(crate) mod cookie;
pub(crate) mod events;
mod logins;
mod pages;
pub(crate) mod principal;
mod provider;
mod routes;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod users;

pub(crate) use principal::{PeerUid, Principal};

use crate::Error;
use crate::authorize::Routes;
use crate::config::IdentityConfig;
use logins::Logins;
use provider::Provider;

/// Every route of people's own.
pub(crate) fn routes() -> Routes {
    routes::routes().merge(consults::routes())
}

/// How the workforce logs in, as the configuration says.
#[derive(Debug)]
pub(crate) struct Identity {
    config: IdentityConfig,
    provider: Option<Provider>,
    logins: Logins,
    url: String,
}

impl Identity {
    /// `url` is where browsers find this server.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::File`] with what to do.
    pub(crate) fn new(config: &IdentityConfig, url: &str) -> Result<Self, Error> {
        Ok(Self {
            provider: Provider::new(config, url)?,
            config: config.clone(),
            logins: Logins::default(),
            url: url.to_owned(),
        })
    }

    pub(crate) fn config(&self) -> &IdentityConfig {
        &self.config
    }

    /// Where browsers find this server.
    fn url(&self) -> &str {
        &self.url
    }

    fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref()
    }

    fn logins(&self) -> &Logins {
        &self.logins
    }

    /// As if the provider had been asked long ago.
    #[cfg(test)]
    async fn forget_provider(&self) {
        if let Some(provider) = &self.provider {
            provider.forget().await;
        }
    }

    /// Only a trial may do without: the `hipaa` profile refuses a configuration that names no
    /// proof of a second factor.
    fn asks_for_mfa(&self) -> bool {
        !(self.config.mfa_acr.is_empty() && self.config.mfa_amr.is_empty())
    }
}

#[cfg(test)]
mod tests;
