//! Scenarios: who joins, what they send, how bad their networks are.
