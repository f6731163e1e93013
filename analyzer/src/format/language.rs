//! Format strings given verbatim: which product's language they are written in.

use super::{Format, Options, envoy_format, haproxy_format, headed, nginx_format, preset, squid_format};
use crate::error::Error;

/// A language of format strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// `$remote_addr`.
    Nginx,
    /// `#Fields: date time …`.
    W3c,
    /// `%START_TIME%`.
    Envoy,
    /// `%>a`.
    Squid,
    /// `%ci`.
    HaProxy,
}

/// Compiles what people put after `--log-format`: a format string in the language of its product, or the name of
/// a fixed format.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub fn compile(text: &str, options: &Options) -> Result<Format, Error> {
    if let Some(format) = preset::named(text, options) {
        return Ok(format);
    }
    match language(text, options) {
        Language::Nginx => nginx_format::compile(text, &options.identity),
        Language::W3c => headed::given(text, &options.identity),
        Language::Envoy => envoy_format::compile(text, &options.identity),
        Language::Squid => squid_format::compile(text, &options.identity),
        Language::HaProxy => haproxy_format::compile(text, &options.identity),
    }
}

fn language(text: &str, _options: &Options) -> Language {
    match text {
        _ if text.trim_start().starts_with('#') => Language::W3c,
        _ if envoy_format::speaks(text) => Language::Envoy,
        _ if squid_format::speaks(text) => Language::Squid,
        _ if haproxy_format::speaks(text) => Language::HaProxy,
        _ => Language::Nginx,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        for (text, expected) in [
            ("$remote_addr [$time_local] \"$request\" $status", Language::Nginx),
            ("#Fields: date time cs-uri-stem", Language::W3c),
            (envoy_format::ISTIO, Language::Envoy),
            ("{\"a\":\"%REQ(:PATH)%\"}", Language::Envoy),
            (squid_format::NATIVE, Language::Squid),
            (squid_format::COMMON, Language::Squid),
            ("logformat mine %>a %tl", Language::Squid),
            (haproxy_format::HTTPLOG, Language::HaProxy),
            (haproxy_format::CLF, Language::HaProxy),
            ("log-format \"%ci [%tr] %r\"", Language::HaProxy),
        ] {
            assert_eq!(language(text, &Options::default()), expected, "{text}");
        }
    }
}
