//! Amazon Web Services: application load balancers, classic load balancers, S3.
//!
//! Source: the "access logs" chapters of the user guides of Elastic Load Balancing and of S3.
//! - Application: `time` is when the response was complete, the END; `request_creation_time` is the START. New columns
//!   come at the end, and the first years had fewer. Quotes of clients are printed as `\x22`.
//! - Classic: `timestamp` is the START. Quotes of clients are printed as `\"`.
//! - S3: `Time` is the START. Columns come at the end here too. A copy logs a second record for its reading half, and
//!   S3 logs what it does by itself: neither has a request.

use shared::profile::Stamp;

use super::table::{Column, column, format};
use crate::format::escape::Escape;
use crate::format::meaning::Meaning;
use crate::format::number::Unit;
use crate::format::other_record::OtherRecords;
use crate::format::program::{Extent, Tail};
use crate::format::time::TimeFormat;
use crate::format::values::Slot;
use crate::format::{Format, Options};

use Extent::{Host, Number, Quoted, Token, Wrapped};

const ALB: [Column; 24] = [
    column("type", None, Token, " "),
    column("time", Some(Slot::Time), Token, " "),
    column("elb", None, Token, " "),
    column("client", Some(Slot::Client), Host, ":"),
    column("client_port", None, Number, " "),
    column("target:port", None, Token, " "),
    column("request_processing_time", Some(Slot::Duration), Token, " "),
    column("target_processing_time", Some(Slot::Duration2), Token, " "),
    column("response_processing_time", Some(Slot::Duration3), Token, " "),
    column("elb_status_code", Some(Slot::Status), Token, " "),
    column("target_status_code", None, Token, " "),
    column("received_bytes", Some(Slot::BytesIn), Token, " "),
    column("sent_bytes", Some(Slot::BytesOut), Token, " \""),
    column("request", Some(Slot::RequestLine), Quoted, "\" \""),
    column("user_agent", Some(Slot::UserAgent), Quoted, "\""),
    column("", None, Token, " "),
    column("ssl_cipher", None, Token, " "),
    column("ssl_protocol", None, Token, " "),
    column("target_group_arn", None, Token, " \""),
    column("trace_id", Some(Slot::RequestId), Quoted, "\" \""),
    column("domain_name", None, Quoted, "\" \""),
    column("chosen_cert_arn", None, Quoted, "\" "),
    column("matched_rule_priority", None, Token, " "),
    column("request_creation_time", Some(Slot::OtherTime), Token, " "),
];

/// The first column that old records of an application load balancer lack.
const ALB_OPTIONAL: usize = 15;

const ELB: [Column; 15] = [
    column("timestamp", Some(Slot::Time), Token, " "),
    column("elb", None, Token, " "),
    column("client", Some(Slot::Client), Host, ":"),
    column("client_port", None, Number, " "),
    column("backend:port", None, Token, " "),
    column("request_processing_time", Some(Slot::Duration), Token, " "),
    column("backend_processing_time", Some(Slot::Duration2), Token, " "),
    column("response_processing_time", Some(Slot::Duration3), Token, " "),
    column("elb_status_code", Some(Slot::Status), Token, " "),
    column("backend_status_code", None, Token, " "),
    column("received_bytes", Some(Slot::BytesIn), Token, " "),
    column("sent_bytes", Some(Slot::BytesOut), Token, " \""),
    column("request", Some(Slot::RequestLine), Quoted, "\" \""),
    column("user_agent", Some(Slot::UserAgent), Quoted, "\" "),
    column("ssl_cipher", None, Token, " "),
];

/// The first column that is not read.
const ELB_OPTIONAL: usize = 14;

const S3: [Column; 24] = [
    column("bucket_owner", None, Token, " "),
    column("bucket", None, Token, " ["),
    column("time", Some(Slot::Time), Token, "] "),
    column("remote_ip", Some(Slot::Client), Token, " "),
    column("requester", Some(Slot::User), Token, " "),
    column("request_id", Some(Slot::RequestId), Token, " "),
    column("operation", None, Token, " "),
    column("key", None, Token, " "),
    column("request_uri", Some(Slot::RequestLine), Wrapped, " "),
    column("http_status", Some(Slot::Status), Token, " "),
    column("error_code", None, Token, " "),
    column("bytes_sent", Some(Slot::BytesOut), Token, " "),
    column("object_size", None, Token, " "),
    column("total_time", Some(Slot::Duration), Token, " "),
    column("turn_around_time", None, Token, " "),
    column("referer", Some(Slot::Referer), Wrapped, " "),
    column("user_agent", Some(Slot::UserAgent), Wrapped, " "),
    column("version_id", None, Token, " "),
    column("host_id", None, Token, " "),
    column("signature_version", None, Token, " "),
    column("cipher_suite", None, Token, " "),
    column("authentication_type", None, Token, " "),
    column("host_header", Some(Slot::Host), Token, " "),
    column("tls_version", None, Token, " "),
];

/// The first column that old records of S3 lack.
const S3_OPTIONAL: usize = 17;

pub(super) fn formats(options: &Options) -> Vec<Format> {
    let balancer = || Meaning {
        time: TimeFormat::Iso8601Utc,
        other_time: TimeFormat::Iso8601Utc,
        duration: Unit::Seconds,
        escape: Escape::Backslash,
        // An IPv6 address stands in brackets.
        client_port: true,
        ..Meaning::default()
    };
    let alb = Meaning { stamp: Stamp::End, ..balancer() };
    let elb = Meaning { stamp: Stamp::Start, others: OtherRecords::Elb, ..balancer() };
    let s3 = Meaning {
        stamp: Stamp::Start,
        duration: Unit::Milliseconds,
        others: OtherRecords::S3,
        ..Meaning::default()
    };
    vec![
        format("aws:alb", &ALB, Tail::AnythingFrom(ALB_OPTIONAL), alb, options),
        format("aws:elb", &ELB, Tail::AnythingFrom(ELB_OPTIONAL), elb, options),
        format("aws:s3", &S3, Tail::AnythingFrom(S3_OPTIONAL), s3, options),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Cache;
    use crate::reject::Reject;
    use crate::request::Request;

    const MS: i64 = 1_000_000;

    fn preset(label: &str) -> Format {
        formats(&Options::default()).into_iter().find(|format| format.label == label).unwrap()
    }

    #[track_caller]
    fn parse(label: &str, line: &str, check: impl Fn(Request<'_>)) {
        check(preset(label).parse(line.as_bytes(), &mut Cache::default()).unwrap());
    }

    #[track_caller]
    fn refuse(label: &str, line: &str, expected: Reject) {
        assert_eq!(preset(label).parse(line.as_bytes(), &mut Cache::default()).unwrap_err(), expected);
    }

    /// A line of an application load balancer with other values in the places that vary.
    fn alb(kind: &str, client: &str, times: &str, status: &str, request: &str, tail: &str) -> String {
        format!(
            r#"{kind} 2026-07-02T22:23:00.186641Z app/web/50dc6c495c0c9188 {client} 10.0.0.1:80 {times} {status} 34 366 "{request}" "Mozilla/5.0 \x22x\x22"{tail}"#
        )
    }

    const TAIL: &str = r#" - - arn:aws:elasticloadbalancing:x:1:targetgroup/a/b "Root=1-58337262-36d2" "-" "-" 0 2026-07-02T22:22:59.186641Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#;

    #[test]
    fn application_load_balancers() {
        for kind in ["http", "https", "h2", "grpcs", "ws", "wss"] {
            let line = alb(
                kind,
                "192.0.2.4:2817",
                "0.010 0.001 0.009",
                "200 200",
                "GET https://www.example.com:443/a b?c HTTP/1.1",
                TAIL,
            );
            parse("aws:alb", &line, |request| {
                assert_eq!((request.client, request.status), (&b"192.0.2.4"[..], 200));
                assert_eq!((request.stamp, request.duration_ns), (Stamp::End, Some(20 * MS)));
                assert_eq!((request.path(), request.query()), (&b"/a b"[..], Some(&b"c"[..])));
                assert_eq!(
                    (request.scheme, request.host),
                    (Some(&b"https"[..]), Some(&b"www.example.com"[..]))
                );
                assert_eq!((request.bytes_in, request.bytes_out), (Some(34), Some(366)));
                assert_eq!(request.user_agent, Some(&br#"Mozilla/5.0 "x""#[..]));
                assert_eq!(request.request_id, Some(&b"Root=1-58337262-36d2"[..]));
                assert!(!request.truncated);
            });
        }
    }

    #[test]
    fn application_load_balancers_that_no_target_answered() {
        let none =
            alb("http", "[2001:db8::4]:2817", "-1 -1 -1", "460 -", "- http://www.example.com:80- ", TAIL);
        parse("aws:alb", &none, |request| {
            assert_eq!((request.client, request.method), (&b"2001:db8::4"[..], None));
            assert_eq!(request.duration_ns, Some(1000 * MS));
        });
        let newer = format!(r#"{TAIL} TID_0123456789abcdef "-" "-" "-" what comes next"#);
        let unbracketed =
            alb("h2", "2001:db8::4:2817", "0 0 0", "- -", "GET https://x.example:443/ HTTP/2.0", &newer);
        parse("aws:alb", &unbracketed, |request| {
            assert_eq!((request.client, request.status), (&b"2001:db8::4"[..], 0));
            assert!(!request.truncated);
        });
        for older in ["", " - -", r#" - - arn:aws:x "Root=1-a""#, r#" - - arn:aws:x "Root=1-a" "-" "-" 0"#] {
            let line =
                alb("http", "192.0.2.4:1", "-1 -1 -1", "503 -", "GET http://x.example:80/ HTTP/1.1", older);
            parse("aws:alb", &line, |request| {
                assert_eq!((request.duration_ns, request.truncated), (None, false))
            });
        }
        refuse(
            "aws:alb",
            "http 2026-07-02T22:23:00.186641Z app/web/50dc 192.0.2.4:1 - -1",
            Reject::OtherFormat,
        );
    }

    #[test]
    fn classic_load_balancers() {
        let line = r#"2026-07-02T22:23:00.186641Z web 192.0.2.4:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "say \"hi\"" - -"#;
        parse("aws:elb", line, |request| {
            assert_eq!((request.stamp, request.duration_ns), (Stamp::Start, Some(1_178_000)));
            assert_eq!(request.user_agent, Some(&br#"say "hi""#[..]));
        });
        let listener = r#"2026-07-02T22:23:00.186641Z web 192.0.2.4:2817 10.0.0.1:80 0.001 0.0 0.0 - - 82 305 "- - - " "-" - -"#;
        refuse("aws:elb", listener, Reject::NotARequest);
    }

    #[test]
    fn s3_records() {
        let line = |operation: &str, request: &str, agent: &str, tail: &str| {
            format!(
                r#"79a5 logs [17/May/2015:10:05:03 +0000] 192.0.2.4 arn:aws:iam::1:user/jane 3E57427F3EXAMPLE {operation} photos/a%2520b.jpg {request} 200 - 113 - 47 9 "-" "{agent}" -{tail}"#
            )
        };
        let tail = " s9lzHYr= SigV4 ECDHE-RSA AuthHeader logs.s3.amazonaws.com TLSv1.2 - Yes more";
        for (tail, host) in [(tail, Some("logs.s3.amazonaws.com")), ("", None), (" s9lzHYr=", None)] {
            let get =
                line("REST.GET.OBJECT", r#""GET /logs/photos/a%20b.jpg?x HTTP/1.1""#, r#"say "hi""#, tail);
            parse("aws:s3", &get, |request| {
                assert_eq!((request.stamp, request.duration_ns), (Stamp::Start, Some(47 * MS)));
                assert_eq!((request.bytes_out, request.status), (Some(113), 200));
                assert_eq!(
                    (request.path(), request.query()),
                    (&b"/logs/photos/a%20b.jpg"[..], Some(&b"x"[..]))
                );
                assert_eq!(request.user, Some(&b"arn:aws:iam::1:user/jane"[..]));
                assert_eq!(request.user_agent, Some(&br#"say "hi""#[..]));
                assert_eq!(request.host, host.map(str::as_bytes));
                assert!(!request.truncated);
            });
        }
        refuse("aws:s3", &line("REST.COPY.OBJECT_GET", "-", "-", tail), Reject::NotARequest);
        refuse("aws:s3", &line("S3.EXPIRE.OBJECT", "-", "-", tail), Reject::NotARequest);
    }
}
