//! ICE and DTLS of one participant: str0m, driven by its socket's owner.

use super::dtls::{self, Certificate, Exported};
use super::srtp::Keys;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::config::{DtlsVersion, Fingerprint};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, IceCreds, Input, Output, Rtc, RtcConfig};

/// ICE (controlling) and DTLS (client) of one participant.
#[derive(Debug)]
pub(super) struct Transport {
    rtc: Box<Rtc>,
    local: SocketAddr,
    due: Instant,
}

/// Where to connect to, and as whom.
pub(super) struct Endpoint {
    pub(super) local: SocketAddr,
    pub(super) local_credentials: IceCreds,
    pub(super) server: SocketAddr,
    pub(super) server_credentials: IceCreds,
    pub(super) server_fingerprint_sha256: [u8; 32],
}

/// What a turn of the transport led to.
pub(super) enum Progress {
    /// Nothing that concerns media.
    Going,
    /// The handshake made keys.
    Keys(Keys),
    /// It will not carry media, or no more.
    Ended(&'static str),
}

/// Time to the second connectivity check if the first is not answered: what Chromium waits while it
/// is not connected.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

impl Transport {
    /// # Errors
    /// What str0m refused, in a word.
    pub(super) fn new(
        now: Instant,
        certificate: &Certificate,
        endpoint: Endpoint,
    ) -> Result<Self, &'static str> {
        let mut config = RtcConfig::new()
            .set_crypto_provider(dtls::provider())
            .set_dtls_cert(certificate.dtls.clone())
            // What Chromium ends on with a server that prefers AEAD.
            .set_dtls_version(DtlsVersion::Dtls12)
            .set_local_ice_credentials(endpoint.local_credentials)
            .clear_codecs()
            .set_rtp_mode(true);
        config.set_initial_stun_rto(CHECK_INTERVAL);
        let mut rtc = config.build(now);
        let candidate = |address| Candidate::host(address, Protocol::Udp).map_err(|_| "candidate");
        rtc.add_local_candidate(candidate(endpoint.local)?);
        rtc.add_remote_candidate(candidate(endpoint.server)?);
        let mut api = rtc.direct_api();
        api.set_ice_controlling(true);
        api.set_remote_ice_credentials(endpoint.server_credentials);
        api.set_remote_fingerprint(Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: endpoint.server_fingerprint_sha256.to_vec(),
        });
        api.start_dtls(true).map_err(|_| "dtls")?;
        Ok(Self {
            rtc: Box::new(rtc),
            local: endpoint.local,
            due: now,
        })
    }

    /// When [`timeout`](Self::timeout) is to be called.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Takes a STUN or DTLS datagram.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        source: SocketAddr,
        datagram: &[u8],
        send: impl FnMut(&[u8]),
    ) -> Progress {
        match Receive::new(Protocol::Udp, source, self.local, datagram) {
            Ok(receive) => self.turn(Input::Receive(now, receive), now, send),
            // Not for str0m: dropped, as from anybody.
            Err(_) => Progress::Going,
        }
    }

    /// Time has passed.
    pub(super) fn timeout(&mut self, now: Instant, send: impl FnMut(&[u8])) -> Progress {
        self.turn(Input::Timeout(now), now, send)
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Instant, send: impl FnMut(&[u8])) {
        if self.rtc.close().is_ok() {
            self.turn(Input::Timeout(now), now, send);
        }
    }

    fn turn(&mut self, input: Input<'_>, now: Instant, mut send: impl FnMut(&[u8])) -> Progress {
        let is_receive = matches!(input, Input::Receive(..));
        if self.rtc.handle_input(input).is_err() || !self.drain(&mut send) {
            return Progress::Ended("transport");
        }
        // str0m acts on what it received when time next comes in.
        if is_receive
            && (self.rtc.handle_input(Input::Timeout(now)).is_err() || !self.drain(&mut send))
        {
            return Progress::Ended("transport");
        }
        match dtls::take_exported() {
            Some(Exported::Keys(keys)) => Progress::Keys(keys),
            Some(Exported::Unusable) => Progress::Ended("srtp profile"),
            None if self.rtc.is_alive() => Progress::Going,
            None => Progress::Ended("closed"),
        }
    }

    /// `false` if the transport failed.
    fn drain(&mut self, send: &mut impl FnMut(&[u8])) -> bool {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(due)) => {
                    self.due = due;
                    return true;
                }
                Ok(Output::Transmit(transmit)) => send(&transmit.contents),
                Ok(Output::Event(_)) => {}
                Err(_) => return false,
            }
        }
    }
}
