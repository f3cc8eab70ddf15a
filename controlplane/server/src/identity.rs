//! Who somebody is: people of the workforce with a session, guests with a link, servers and
//! agents with a token, operators at the host (45 CFR 164.312(a)(2)(i), (d)).

mod api;
pub(crate) mod cookie;
pub(crate) mod principal;
pub(crate) mod users;

pub(crate) use api::router;
pub(crate) use principal::{PeerUid, Principal};
