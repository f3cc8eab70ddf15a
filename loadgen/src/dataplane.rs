//! A data plane driven directly over its Unix socket, as a control plane would.
