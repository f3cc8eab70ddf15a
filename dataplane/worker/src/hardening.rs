//! What the process gives up before it holds a key.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;

use crate::error::WorkerError;

/// Keys and media stay in this process (45 CFR 164.312(a)(1)): no core dump holds them, no other
/// process of the same user may read its memory or attach to it, and nothing it might ever start
/// has more rights than it. Threads inherit all of it, so it comes before the first one.
///
/// # Errors
/// [`WorkerError::Hardening`]; the process must then not go on.
pub(crate) fn give_up() -> Result<(), WorkerError> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .and_then(|()| set_no_new_privs(true))
        .map_err(|errno| WorkerError::Hardening {
            source: errno.into(),
        })
}
