//! `/rtc`: parameters in the query string.

use super::bad_request;
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bedside_rooms::{JoinParameters, Refusal};
use livekit_protocol::client_info::{Capability, Sdk};
use livekit_protocol::{ClientInfo, ReconnectReason};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Reads the query of `/rtc`. Unknown parameters and values are ignored, as LiveKit does: newer
/// clients know more than we do.
///
/// # Errors
/// 400: `attributes` is not base64 of a JSON object of strings.
pub(super) fn parse(query: &str) -> Result<JoinParameters, Refusal> {
    let pairs: BTreeMap<Cow<'_, str>, Cow<'_, str>> =
        form_urlencoded::parse(query.as_bytes()).collect();
    let text = |name: &str| pairs.get(name).map(AsRef::as_ref).unwrap_or_default();
    let resume = is_true(text("reconnect")).then(|| text("sid").to_owned());
    Ok(JoinParameters {
        single_connection: false,
        client: client(&text),
        // Absent means yes here, and no in a join request.
        auto_subscribe: text("auto_subscribe").is_empty() || is_true(text("auto_subscribe")),
        adaptive_stream: is_true(text("adaptive_stream")),
        resume,
        reconnect_reason: number::<i32>(text("reconnect_reason"))
            .filter(|reason| ReconnectReason::try_from(*reason).is_ok())
            .unwrap_or_default(),
        attributes: attributes(text("attributes"))?,
        ..JoinParameters::default()
    })
}

fn client<'a>(text: &impl Fn(&str) -> &'a str) -> ClientInfo {
    let owned = |name: &str| text(name).to_owned();
    ClientInfo {
        sdk: sdk(text("sdk")).into(),
        version: owned("version"),
        protocol: number(text("protocol")).unwrap_or_default(),
        client_protocol: number(text("client_protocol")).unwrap_or_default(),
        os: owned("os"),
        os_version: owned("os_version"),
        device_model: owned("device_model"),
        browser: owned("browser"),
        browser_version: owned("browser_version"),
        network: owned("network"),
        capabilities: text("capabilities")
            .split(',')
            .filter_map(|name| Capability::from_str_name(name.trim()))
            .map(i32::from)
            .collect(),
        ..ClientInfo::default()
    }
}

fn sdk(name: &str) -> Sdk {
    match name.to_ascii_lowercase().as_str() {
        "js" => Sdk::Js,
        "ios" | "swift" => Sdk::Swift,
        "android" => Sdk::Android,
        "flutter" => Sdk::Flutter,
        "go" => Sdk::Go,
        "unity" => Sdk::Unity,
        "reactnative" => Sdk::ReactNative,
        "rust" => Sdk::Rust,
        "python" => Sdk::Python,
        "cpp" => Sdk::Cpp,
        "unityweb" => Sdk::UnityWeb,
        "node" => Sdk::Node,
        "unreal" => Sdk::Unreal,
        "esp32" => Sdk::Esp32,
        _ => Sdk::Unknown,
    }
}

fn attributes(text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let bytes = decode_base64(text).ok_or_else(|| bad_request("attributes are not base64"))?;
    serde_json::from_slice(&bytes)
        .map_err(|_| bad_request("attributes are not a JSON object of strings"))
}

/// base64 in either alphabet, padded or not. Form decoding has made a space of each `+`.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let url_safe: String = text
        .chars()
        .map(|c| match c {
            '+' | ' ' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    LENIENT.decode(url_safe.as_bytes()).ok()
}

fn is_true(text: &str) -> bool {
    text == "1" || text == "true"
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests;
