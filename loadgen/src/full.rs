//! Full participants: str0m behind real signalling.
