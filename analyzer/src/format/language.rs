//! Format strings given verbatim: which product's language they are written in.

use super::{Format, Options, headed, nginx_format, preset};
use crate::error::Error;

/// A language of format strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// `$remote_addr`.
    Nginx,
    /// `#Fields: date time …`.
    W3c,
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
    }
}

fn language(text: &str, _options: &Options) -> Language {
    match text.trim_start().starts_with('#') {
        true => Language::W3c,
        false => Language::Nginx,
    }
}
