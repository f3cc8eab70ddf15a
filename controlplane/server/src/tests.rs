//! A whole server on the loopback, real TLS clients, a scripted data plane.
