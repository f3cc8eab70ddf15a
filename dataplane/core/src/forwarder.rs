//! RTP and RTCP between publishers and subscribers.
