//! Traefik's common log format: *combined*, the number of the request, router, server and the time it took.
//!
//! Source: Traefik `pkg/middlewares/accesslog/logger_formatters.go`. The stamp is the START, in UTC. Values are quoted
//! but not escaped, and a missing one is a dash with quotes or without. The router is no route: it may take many.

use super::table::{Column, column, format};
use crate::format::meaning::Meaning;
use crate::format::number::Unit;
use crate::format::program::{Extent, Tail};
use crate::format::values::Slot;
use crate::format::{Format, Options};

const COLUMNS: [Column; 12] = [
    column("ClientHost", Some(Slot::Client), Extent::Text, " - "),
    column("ClientUsername", Some(Slot::User), Extent::Text, " ["),
    column("StartUTC", Some(Slot::Time), Extent::Token, "] "),
    column("RequestLine", Some(Slot::RequestLine), Extent::Wrapped, " "),
    column("DownstreamStatus", Some(Slot::Status), Extent::Token, " "),
    column("DownstreamContentSize", Some(Slot::BytesOut), Extent::Token, " "),
    column("request_Referer", Some(Slot::Referer), Extent::Wrapped, " "),
    column("request_User-Agent", Some(Slot::UserAgent), Extent::Wrapped, " "),
    column("RequestCount", None, Extent::Token, " "),
    column("RouterName", None, Extent::Wrapped, " "),
    column("ServiceURL", None, Extent::Wrapped, " "),
    column("Duration", Some(Slot::Duration), Extent::Number, "ms"),
];

pub(super) fn formats(options: &Options) -> Vec<Format> {
    let meaning = Meaning { duration: Unit::Milliseconds, ..Meaning::default() };
    vec![format("traefik:clf", &COLUMNS, Tail::Nothing, meaning, options)]
}

#[cfg(test)]
mod tests {
    use crate::format::{Cache, Options};

    #[test]
    fn dashes_with_and_without_quotes() {
        let format = &super::formats(&Options::default())[0];
        for (referer, agent, router) in [
            (r#""http://x.example/""#, r#""Mozilla/5.0 (X11)""#, r#""web@docker""#),
            ("-", r#""say "hi"""#, r#""-""#),
            (r#""-""#, r#""-""#, "-"),
        ] {
            let line = format!(
                r#"192.0.2.4 - jane [17/May/2015:10:05:03 +0000] "GET /a b?c HTTP/2.0" 200 2814 {referer} {agent} 13 {router} "http://10.0.0.6:80" 247ms"#
            );
            let mut cache = Cache::default();
            let request = format.parse(line.as_bytes(), &mut cache).unwrap();
            let text =
                |quoted: &str| Some(quoted.trim_matches('-').to_owned()).filter(|text| !text.is_empty());
            let unquoted =
                |quoted: &str| match quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    Some(inner) => text(inner),
                    None => text(quoted),
                };
            let found = |value: Option<&[u8]>| value.map(|value| String::from_utf8(value.to_vec()).unwrap());
            assert_eq!(found(request.referer), unquoted(referer));
            assert_eq!(found(request.user_agent), unquoted(agent));
            assert_eq!((request.path(), request.user), (&b"/a b"[..], Some(&b"jane"[..])));
            assert_eq!((request.duration_ns, request.route), (Some(247_000_000), None));
        }
        let combined =
            br#"192.0.2.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x" 13 "-" "-" 247"#;
        assert!(format.parse(combined, &mut Cache::default()).is_err());
    }
}
