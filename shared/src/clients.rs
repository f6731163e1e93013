//! Which programs the clients of the model are, on what they run, and where they are: as shares, in a vocabulary of
//! this file.
//!
//! What a client is decides how it loads a service: compression and HTTP version, how many connections it opens,
//! which variant a CDN keeps for it. A user agent is a claim and nearly names its owner, so no text and no version of
//! one is in a profile, only these names.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow;

/// What fewer than k clients have, and what the vocabulary has no name for.
pub const OTHER: &str = "other";
/// The country of an address that the database does not know, such as a private one.
pub const UNKNOWN: &str = "unknown";

/// Shares of the clients in the model, by what they are. The shares of each map add up to 1; what fewer than k clients
/// have is in `other`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// By program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::rows")]
    #[schemars(extend("propertyNames" = one_of(&Browser::ALL)))]
    pub browsers: BTreeMap<Browser, ClientShare>,
    /// By kind of device.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::rows")]
    #[schemars(extend("propertyNames" = one_of(&Device::ALL)))]
    pub devices: BTreeMap<Device, ClientShare>,
    /// By operating system.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::rows")]
    #[schemars(extend("propertyNames" = one_of(&System::ALL)))]
    pub systems: BTreeMap<System, ClientShare>,
    /// By country: codes of two letters (ISO 3166-1), `unknown` or `other`. Only where a database of addresses was
    /// given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", serialize_with = "flow::rows")]
    #[schemars(extend("propertyNames" = serde_json::json!({ "pattern": COUNTRY })))]
    pub countries: BTreeMap<String, ClientShare>,
}

impl Clients {
    /// Whether nothing is known of them.
    pub fn is_empty(&self) -> bool {
        let Self { browsers, devices, systems, countries } = self;
        browsers.is_empty() && devices.is_empty() && systems.is_empty() && countries.is_empty()
    }
}

/// What some of the clients do of all that is done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientShare {
    /// Share of the sessions that begin with such a client, 0..=1.
    pub sessions: f64,
    /// Share of the requests that somebody decided on, 0..=1.
    pub requests: f64,
}

/// A program, as its user agent says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Browser {
    /// Chrome, Chromium, and what says nothing else.
    Chrome,
    /// Safari.
    Safari,
    /// Firefox.
    Firefox,
    /// Edge, on any engine.
    Edge,
    /// Opera.
    Opera,
    /// Samsung's browser.
    Samsung,
    /// Internet Explorer.
    InternetExplorer,
    /// A page inside an application: a web view.
    InApp,
    /// An application that calls by itself, on a phone or elsewhere.
    App,
    /// A library or a command: curl, requests.
    HttpLibrary,
    /// Any other program, and those of fewer than k clients.
    Other,
    /// Not said.
    Unknown,
}

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// A desktop or a laptop, and tablets that say they are one, as iPads do.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet.
    Tablet,
    /// A television, a console; and those of fewer than k clients.
    Other,
    /// Not said.
    Unknown,
}

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// Windows of desktops.
    Windows,
    /// macOS, and Mac OS before.
    Macos,
    /// Linux, but for Android and ChromeOS.
    Linux,
    /// ChromeOS.
    Chromeos,
    /// Android.
    Android,
    /// iOS, and iPadOS where it says so.
    Ios,
    /// Any other system, and those of fewer than k clients.
    Other,
    /// Not said.
    Unknown,
}

impl Browser {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Chrome,
        Self::Safari,
        Self::Firefox,
        Self::Edge,
        Self::Opera,
        Self::Samsung,
        Self::InternetExplorer,
        Self::InApp,
        Self::App,
        Self::HttpLibrary,
        Self::Other,
        Self::Unknown,
    ];

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Safari => "safari",
            Self::Firefox => "firefox",
            Self::Edge => "edge",
            Self::Opera => "opera",
            Self::Samsung => "samsung",
            Self::InternetExplorer => "internet_explorer",
            Self::InApp => "in_app",
            Self::App => "app",
            Self::HttpLibrary => "http_library",
            Self::Other => OTHER,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl Device {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Desktop, Self::Mobile, Self::Tablet, Self::Other, Self::Unknown];

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Other => OTHER,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl System {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Windows,
        Self::Macos,
        Self::Linux,
        Self::Chromeos,
        Self::Android,
        Self::Ios,
        Self::Other,
        Self::Unknown,
    ];

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Macos => "macos",
            Self::Linux => "linux",
            Self::Chromeos => "chromeos",
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Other => OTHER,
            Self::Unknown => UNKNOWN,
        }
    }
}

/// What a JSON Schema says of keys that are some of `names`.
fn one_of<N: Serialize>(names: &[N]) -> serde_json::Value {
    serde_json::json!({ "enum": names })
}

/// What [`is_country`] says, for a JSON Schema.
const COUNTRY: &str = "^([A-Z]{2}|unknown|other)$";

/// Whether a text may stand for a country.
pub fn is_country(text: &str) -> bool {
    text == OTHER || text == UNKNOWN || text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files_and_numbers_are_places() {
        let written = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for (number, browser) in Browser::ALL.into_iter().enumerate() {
            assert_eq!(written(serde_json::to_value(browser).unwrap()), browser.name());
            assert_eq!(browser as usize, number);
        }
        for (number, device) in Device::ALL.into_iter().enumerate() {
            assert_eq!(written(serde_json::to_value(device).unwrap()), device.name());
            assert_eq!(device as usize, number);
        }
        for (number, system) in System::ALL.into_iter().enumerate() {
            assert_eq!(written(serde_json::to_value(system).unwrap()), system.name());
            assert_eq!(system as usize, number);
        }
    }

    #[test]
    fn countries_are_two_capital_letters() {
        assert!(["DE", "NO", OTHER, UNKNOWN].into_iter().all(is_country));
        assert!(["de", "DEU", "", "D", "Ä", "12"].into_iter().all(|text| !is_country(text)));
    }
}
