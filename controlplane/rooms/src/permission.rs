//! What a participant may do.

use crate::input::VideoGrant;
use livekit_protocol as proto;
use proto::TrackSource;
use serde::{Deserialize, Serialize};

/// What a participant may do: from its token, later from an administrator.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a right of its own in LiveKit's contract"
)]
pub(crate) struct Permission {
    pub(crate) subscribe: bool,
    pub(crate) publish: bool,
    pub(crate) publish_data: bool,
    /// When not empty, only these.
    pub(crate) sources: Vec<i32>,
    pub(crate) update_own_metadata: bool,
    pub(crate) hidden: bool,
    pub(crate) recorder: bool,
    pub(crate) agent: bool,
}

impl Permission {
    pub(crate) fn from_grant(grant: &VideoGrant) -> Self {
        Self {
            subscribe: grant.can_subscribe.unwrap_or(true),
            publish: grant.can_publish.unwrap_or(true),
            publish_data: grant.can_publish_data.unwrap_or(true),
            sources: grant
                .can_publish_sources
                .iter()
                .map(|name| source_from_name(name))
                .collect(),
            update_own_metadata: grant.can_update_own_metadata.unwrap_or(false),
            hidden: grant.hidden,
            recorder: grant.recorder,
            agent: grant.agent,
        }
    }

    /// An administrator's change. Who hides, records or is an agent was settled by the token.
    pub(crate) fn update(&mut self, wanted: &proto::ParticipantPermission) {
        self.subscribe = wanted.can_subscribe;
        self.publish = wanted.can_publish;
        self.publish_data = wanted.can_publish_data;
        self.sources.clone_from(&wanted.can_publish_sources);
        self.update_own_metadata = wanted.can_update_metadata;
    }

    /// The grant with these rights, for a refreshed token.
    pub(crate) fn apply_to(&self, grant: &mut VideoGrant) {
        grant.can_subscribe = Some(self.subscribe);
        grant.can_publish = Some(self.publish);
        grant.can_publish_data = Some(self.publish_data);
        grant.can_update_own_metadata = Some(self.update_own_metadata);
        grant.can_publish_sources = self
            .sources
            .iter()
            .filter_map(|&source| source_name(source))
            .map(str::to_owned)
            .collect();
    }

    pub(crate) fn may_publish_source(&self, source: i32) -> bool {
        self.publish && (self.sources.is_empty() || self.sources.contains(&source))
    }

    #[expect(
        deprecated,
        reason = "clients before protocol 14 read `recorder` and `agent`"
    )]
    pub(crate) fn to_proto(&self) -> proto::ParticipantPermission {
        proto::ParticipantPermission {
            can_subscribe: self.subscribe,
            can_publish: self.publish,
            can_publish_data: self.publish_data,
            can_publish_sources: self.sources.clone(),
            hidden: self.hidden,
            recorder: self.recorder,
            can_update_metadata: self.update_own_metadata,
            agent: self.agent,
            can_subscribe_metrics: false,
            can_manage_agent_session: false,
        }
    }
}

/// The token's name of a source; one that nobody knows allows nothing.
fn source_from_name(name: &str) -> i32 {
    let source = match name {
        "camera" => TrackSource::Camera,
        "microphone" => TrackSource::Microphone,
        "screen_share" => TrackSource::ScreenShare,
        "screen_share_audio" => TrackSource::ScreenShareAudio,
        _ => return NO_SOURCE,
    };
    source as i32
}

fn source_name(source: i32) -> Option<&'static str> {
    match TrackSource::try_from(source).ok()? {
        TrackSource::Camera => Some("camera"),
        TrackSource::Microphone => Some("microphone"),
        TrackSource::ScreenShare => Some("screen_share"),
        TrackSource::ScreenShareAudio => Some("screen_share_audio"),
        TrackSource::Unknown => None,
    }
}

/// Matches no track's source: a list of unknown names must not become an empty list, which
/// allows everything.
const NO_SOURCE: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_grants_mean_livekits_defaults() {
        let permission = Permission::from_grant(&VideoGrant::default());
        assert!(permission.subscribe && permission.publish && permission.publish_data);
        assert!(!permission.update_own_metadata && !permission.hidden);
        assert!(permission.may_publish_source(TrackSource::Camera as i32));
    }

    #[test]
    fn a_source_list_allows_only_what_it_names_even_if_it_names_nothing_known() {
        let grant = |names: &[&str]| VideoGrant {
            can_publish_sources: names.iter().map(|&name| name.to_owned()).collect(),
            ..VideoGrant::default()
        };
        let microphone = Permission::from_grant(&grant(&["microphone"]));
        assert!(microphone.may_publish_source(TrackSource::Microphone as i32));
        assert!(!microphone.may_publish_source(TrackSource::Camera as i32));
        let unknown = Permission::from_grant(&grant(&["hologram"]));
        for source in 0..5 {
            assert!(!unknown.may_publish_source(source));
        }
    }

    #[test]
    fn a_refreshed_token_carries_the_changed_rights() {
        let mut permission = Permission::from_grant(&VideoGrant::default());
        permission.update(&proto::ParticipantPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_sources: vec![TrackSource::Microphone as i32],
            ..proto::ParticipantPermission::default()
        });
        let mut grant = VideoGrant::default();
        permission.apply_to(&mut grant);
        assert_eq!(grant.can_publish_data, Some(false));
        assert_eq!(grant.can_publish_sources, ["microphone"]);
        assert!(Permission::from_grant(&grant) == permission);
    }
}
