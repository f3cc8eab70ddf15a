//! Looking things up in the `a=` lines of one section.

use rtc_sdp::description::common::Attribute;

/// The `a=` lines of a section or of the session level.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a [Attribute]);

impl<'a> Attributes<'a> {
    /// Keys with their values; flags have an empty value.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().map(|attribute| {
            let value = attribute.value.as_deref().unwrap_or_default();
            (attribute.key.as_str(), value)
        })
    }

    /// The values of every line with this key.
    pub(super) fn all(self, key: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(name, _)| *name == key)
            .map(|(_, value)| value.trim())
    }

    /// The value of the first line with this key.
    pub(super) fn first(self, key: &str) -> Option<&'a str> {
        self.all(key).next()
    }

    /// Whether there is a line with this key.
    pub(super) fn has(self, key: &str) -> bool {
        self.first(key).is_some()
    }
}

/// Whether the text can stand in an SDP line as one word: visible ASCII, not empty, not longer
/// than `bytes_max`.
pub(super) fn is_token(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
