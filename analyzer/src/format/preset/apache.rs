//! What Apache's packages configure besides *combined* and *common*.
//!
//! Source: Debian `apache2.conf` (`vhost_combined`, which `other_vhosts_access.log` is in).

use crate::format::builtin::Producer;
use crate::format::{Format, Options, apache_format};

const FORMATS: [(&str, &str); 1] =
    [("vhost_combined", r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#)];

/// The formats.
pub(super) fn formats(options: &Options) -> Vec<Format> {
    let by = match options.producer {
        Some(Producer::Nginx) => return Vec::new(),
        producer => producer.unwrap_or(Producer::Apache),
    };
    let compiled = FORMATS.iter().map(|(name, text)| {
        apache_format::compile_named(&format!("{}:{name}", by.name()), text, by, options)
    });
    compiled.filter_map(Result::ok).collect()
}
