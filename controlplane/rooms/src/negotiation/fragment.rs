//! Trickled candidates and ICE restarts outside of offers: LiveKit's `trickle` and the SDP
//! fragments of RFC 8840 that WHIP and WHEP send by PATCH (RFC 9725 §4.3).
//!
//! An ICE-lite agent never checks the client's candidates; they are read only to refuse what is
//! none.

use super::attributes::is_token;
use super::connection::{Connection, IceChange, Role};
use super::description::Content;
use super::error::SdpError;
use super::limits::{CANDIDATE_BYTES_MAX, FRAGMENT_BYTES_MAX};
use super::section::Section;
use super::transport::credentials;
use super::writer::candidates;
use bedside_protocol::IceCredentials;

/// What a fragment says.
#[derive(Clone, PartialEq, Debug)]
pub struct Fragment {
    /// The client's ICE credentials; other ones than before restart ICE.
    pub ice: Option<IceCredentials>,
    /// How many candidates it names.
    pub candidates: usize,
    /// There will be no more.
    pub end_of_candidates: bool,
}

/// Reads a body of `application/trickle-ice-sdpfrag`.
///
/// # Errors
/// [`SdpError::TooLarge`], [`SdpError::Malformed`] or [`SdpError::IceCredentials`].
pub fn parse_fragment(fragment: &str) -> Result<Fragment, SdpError> {
    if fragment.len() > FRAGMENT_BYTES_MAX {
        return Err(SdpError::TooLarge("bytes"));
    }
    let (mut ufrag, mut password) = (None, None);
    let mut parsed = Fragment {
        ice: None,
        candidates: 0,
        end_of_candidates: false,
    };
    for line in fragment.lines().filter(|line| !line.is_empty()) {
        let Some((kind, value)) = line.split_once('=').filter(|(kind, _)| kind.len() == 1) else {
            return Err(SdpError::Malformed("a line does not follow the grammar"));
        };
        if kind != "a" {
            continue;
        }
        match value.split_once(':').unwrap_or((value, "")) {
            ("ice-ufrag", value) => ufrag = ufrag.or(Some(value)),
            ("ice-pwd", value) => password = password.or(Some(value)),
            ("candidate", _) => {
                check_candidate(value)?;
                parsed.candidates += 1;
            }
            ("end-of-candidates", _) => parsed.end_of_candidates = true,
            _ => {}
        }
    }
    parsed.ice = match (ufrag, password) {
        (Some(ufrag), Some(password)) => Some(credentials(ufrag, password)?),
        _ => None,
    };
    Ok(parsed)
}

/// Checks a trickled candidate: `candidate:` and what follows (RFC 8839 §5.1). An empty one ends
/// the list.
///
/// # Errors
/// [`SdpError::TooLarge`] or [`SdpError::Malformed`].
pub fn check_candidate(candidate: &str) -> Result<(), SdpError> {
    if candidate.len() > CANDIDATE_BYTES_MAX {
        return Err(SdpError::TooLarge("characters in a candidate"));
    }
    let candidate = candidate.strip_prefix("a=").unwrap_or(candidate).trim();
    if candidate.is_empty() {
        return Ok(());
    }
    let well_formed = || {
        let mut words = candidate
            .strip_prefix("candidate:")?
            .split_ascii_whitespace();
        let foundation = words.next()?;
        let component: u16 = words.next()?.parse().ok()?;
        let transport = words.next()?;
        let _priority: u32 = words.next()?.parse().ok()?;
        let address = words.next()?;
        let _port: u16 = words.next()?.parse().ok()?;
        let tokens = is_token(foundation, 32) && is_token(transport, 32) && is_token(address, 255);
        let typed = words.next()? == "typ" && words.next().is_some_and(|kind| is_token(kind, 32));
        (tokens && typed && (1..=256).contains(&component)).then_some(())
    };
    well_formed().ok_or(SdpError::Malformed("candidate"))
}

impl Connection {
    /// Restarts ICE if the fragment has other credentials than before: `fresh` become ours and
    /// the text is the fragment to reply with. `None` if there is nothing to restart.
    ///
    /// # Errors
    /// [`SdpError::NoOffer`] before an offer was accepted, [`SdpError::WrongRole`] where we offer.
    pub fn restart_by_fragment(
        &mut self,
        fragment: &Fragment,
        fresh: IceCredentials,
    ) -> Result<Option<String>, SdpError> {
        if self.role == Role::Subscriber {
            return Err(SdpError::WrongRole);
        }
        let remote = self.remote.as_ref().ok_or(SdpError::NoOffer)?;
        let Some(ice) = fragment.ice.clone() else {
            return Ok(None);
        };
        let mut restarted = remote.clone();
        restarted.ice = ice;
        if self.check_remote(Some(&restarted))? != IceChange::Restarted {
            return Ok(None);
        }
        self.remote = Some(restarted);
        self.local = fresh;
        Ok(Some(self.write_fragment()))
    }

    /// Our credentials and candidates, in the first accepted section (RFC 8840 §4.4).
    fn write_fragment(&self) -> String {
        let accepted = || self.sections.iter().filter(|section| section.is_accepted());
        let mut lines = vec!["a=ice-lite".to_owned()];
        let mids: Vec<String> = accepted()
            .filter_map(Section::mid)
            .map(|mid| mid.as_str().to_owned())
            .collect();
        lines.push(format!("a=group:BUNDLE {}", mids.join(" ")));
        let first = accepted().next().map(|section| &section.described);
        if let Some((described, mid)) = first.and_then(|line| Some((line, line.content.mid()?))) {
            let name = described.name.as_str();
            let format = match &described.content {
                Content::Data(_) => "webrtc-datachannel".to_owned(),
                Content::Rejected(rejected) => rejected.format.clone(),
                Content::Media(media) => media.formats.list.first().map_or_else(
                    || "0".to_owned(),
                    |format| format.payload_types.media.to_string(),
                ),
            };
            lines.push(format!("m={name} 9 {} {format}", described.protocol));
            lines.push(format!("a=mid:{}", mid.as_str()));
        }
        lines.push(format!("a=ice-ufrag:{}", self.local.ufrag));
        lines.push(format!("a=ice-pwd:{}", self.local.password.expose()));
        lines.extend(candidates(&self.host).map(|candidate| format!("a={candidate}")));
        lines.push("a=end-of-candidates\r\n".to_owned());
        lines.join("\r\n")
    }
}
