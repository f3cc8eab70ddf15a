//! Where real clients run: a network namespace that the run makes for itself, so that nothing touches
//! a network that is not ours.

use crate::run::{command, is_root};
use std::process::Command;

/// A command whose arguments are run in a namespace of their own: loopback, and 10.77.0.1 on one
/// virtual pair, because LiveKit's native SDKs do not use loopback addresses.
pub(crate) fn namespace() -> Command {
    // No IPv6 addresses on the pair: they come up seconds later, and Chromium drops every request
    // that is under way when a network changes.
    let script = "ip link set lo up && ip link add bedside0 type veth peer name bedside1 && \
                  ip link set bedside0 addrgenmode none && ip link set bedside1 addrgenmode none && \
                  ip address add 10.77.0.1/24 dev bedside0 && ip link set bedside0 up && \
                  ip link set bedside1 up && ip route add default dev bedside0 && exec \"$@\"";
    let user: &[&str] = if is_root() {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let mut unshare = command("unshare", user);
    unshare.args(["--net", "--", "sh", "-c", script, "sh"]);
    unshare
}
