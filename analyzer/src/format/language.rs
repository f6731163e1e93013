//! Format strings given verbatim: which product's language they are written in.

use super::builtin::{Builtin, Producer};
use super::{
    Format, Options, apache_format, envoy_format, haproxy_format, headed, nginx_format, preset, squid_format,
};
use crate::error::Error;

/// A language of format strings.
struct Language {
    /// What the prefix of a format string (`apache:%h …`) and `--producer` call it.
    name: &'static str,
    /// The text is in this language, and in none that stands before it in the list.
    recognise: fn(&str) -> bool,
    compile: fn(&str, &Options) -> Result<Format, Error>,
}

/// All languages, those with the more striking marks first.
const LANGUAGES: &[Language] = &[
    Language {
        name: "w3c",
        recognise: |text| text.trim_start().starts_with('#'),
        compile: |text, options| headed::given(text, options),
    },
    Language {
        name: "nginx",
        recognise: nginx_format::recognise,
        compile: |text, options| nginx_format::compile(text, options),
    },
    Language {
        name: "envoy",
        recognise: envoy_format::recognise,
        compile: |text, options| envoy_format::compile(text, options),
    },
    Language {
        name: "squid",
        recognise: squid_format::recognise,
        compile: |text, options| squid_format::compile(text, options),
    },
    Language {
        name: "haproxy",
        recognise: haproxy_format::recognise,
        compile: |text, options| haproxy_format::compile(text, options),
    },
    Language {
        name: "apache",
        recognise: apache_format::recognise,
        compile: |text, options| apache_format::compile(text, Producer::Apache, options),
    },
    // The rest speak Apache's language: nothing but a name tells them apart.
    Language {
        name: "varnish",
        recognise: |_| false,
        compile: |text, options| apache_format::compile(text, Producer::Varnish, options),
    },
    Language {
        name: "fastly",
        recognise: apache_format::recognise_fastly,
        compile: |text, options| apache_format::compile(text, Producer::Fastly, options),
    },
    Language {
        name: "litespeed",
        recognise: |_| false,
        compile: |text, options| apache_format::compile(text, Producer::LiteSpeed, options),
    },
    Language {
        name: "tomcat",
        recognise: |_| false,
        compile: |text, options| apache_format::compile(text, Producer::Tomcat, options),
    },
];

/// Compiles what people put after `--log-format`: a format string in the language of its product, or the name of
/// a fixed format.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub fn compile(text: &str, options: &Options) -> Result<Format, Error> {
    // A fixed format has fields by their place alone.
    let fixed = |format: Format| match options.map.is_empty() {
        true => Ok(format),
        false => Err(Error::MapFixed { format: format.label }),
    };
    if let Some(format) = preset::named(text, options) {
        return fixed(format);
    }
    let named = |name: &str| LANGUAGES.iter().find(|language| language.name == name);
    let (said, text) = match text.split_once(':').and_then(|(name, rest)| Some((named(name)?, rest))) {
        Some((language, rest)) => (Some(language), rest.trim_start()),
        None => (options.producer.and_then(|producer| named(producer.name())), text),
    };
    if let Some(shape) = Builtin::named(text) {
        let producer = said.and_then(|language| Producer::named(language.name));
        return shape.checked(producer, &options.identity).and_then(fixed);
    }
    let language = said.or_else(|| LANGUAGES.iter().find(|language| (language.recognise)(text)));
    match language {
        Some(language) => (language.compile)(text, options),
        // In no language: the errors of the one that it looks most like say what is missing.
        None if text.contains('%') => apache_format::compile(text, Producer::Apache, options),
        None => nginx_format::compile(text, options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, producer: Option<Producer>, expected: &str) {
        let found = compile(text, &Options { producer, ..Options::default() }).unwrap();
        assert_eq!(found.label, expected, "{text}");
    }

    #[test]
    fn the_language_is_told_by_prefix_producer_and_content() {
        let apache = r#"%h %l %u %t "%r" %>s %b"#;
        let nginx = r#"$remote_addr [$time_local] "$request" $status"#;
        check(apache, None, "apache:LogFormat");
        check(nginx, None, "nginx:log_format");
        check(apache, Some(Producer::Varnish), "varnish:LogFormat");
        check(&format!("tomcat:{apache}"), Some(Producer::Varnish), "tomcat:LogFormat");
        check(&format!("LogFormat \"{}\" mine", apache.replace('"', "\\\"")), None, "apache:mine");
        check(&format!("log_format mine '{nginx}';"), None, "nginx:mine");
        check(
            r#"%{client.ip}V %{begin:%F %T %z}t %{req.method}V %{req.url}V %{resp.status}V"#,
            None,
            "fastly:LogFormat",
        );
        for (text, expected) in [
            (envoy_format::ISTIO, "envoy:format"),
            (
                "{\"t\":\"%START_TIME%\",\"p\":\"%REQ(:PATH)%\",\"c\":%RESPONSE_CODE%,\"a\":\"%DOWNSTREAM_REMOTE_ADDRESS%\"}",
                "envoy:format",
            ),
            (squid_format::NATIVE, "squid:logformat"),
            (squid_format::COMMON, "squid:logformat"),
            ("logformat mine %>a %tl %rm %ru %>Hs", "squid:mine"),
            (haproxy_format::HTTPLOG, "haproxy:log-format"),
            (haproxy_format::CLF, "haproxy:log-format"),
            ("log-format \"%ci [%tr] %r %ST\"", "haproxy:log-format"),
            ("haproxy:httplog", "haproxy:httplog"),
        ] {
            check(text, None, expected);
        }
        check("combined", None, "nginx:combined");
        check("combined", Some(Producer::Apache), "apache:combined");
        check("litespeed:common", None, "litespeed:common");
    }

    #[test]
    fn what_is_in_no_language_is_said_to_lack_something() {
        for (text, expected) in
            [("%Y", "a time (`%t`"), ("hello", "a time (`$time_local`"), ("apache:$status", "%t")]
        {
            let message = compile(text, &Options::default()).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
