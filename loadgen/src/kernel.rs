//! What the server's processes cost, as the kernel counts it.
