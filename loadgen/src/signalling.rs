//! Signalling clients: LiveKit's protocol, WHIP and WHEP.
