//! People of the workforce, for others: who they are, what sessions they have.

pub(crate) use crate::store::users::{Session, User};
