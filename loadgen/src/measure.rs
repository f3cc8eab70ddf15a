//! What is measured: latency, loss, reordering, joins, frozen time.
