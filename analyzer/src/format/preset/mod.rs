//! The formats that need no description: what products write out of the box, one family per file.

use super::{Format, Options};
use crate::error::Error;
use crate::session::identity::Identity;

mod apache;
mod aws;
mod envoy;
mod haproxy;
mod headless;
mod json;
mod nginx;
mod squid;
mod table;
mod traefik;

/// One family: its formats, the more specific first.
type Family = fn(&Options) -> Vec<Format>;

const FAMILIES: [Family; 9] = [
    nginx::formats,
    apache::formats,
    aws::formats,
    envoy::formats,
    haproxy::formats,
    headless::formats,
    json::formats,
    squid::formats,
    traefik::formats,
];

/// All fixed formats of lines, the more specific of a family first. Rules of `--map` are not for them.
pub fn all(options: &Options) -> Vec<Format> {
    let options = &Options { map: Vec::new(), ..options.clone() };
    FAMILIES.into_iter().flat_map(|family| family(options)).collect()
}

/// The fixed format of that name, such as `alb` or `envoy:default`.
pub(crate) fn named(name: &str, options: &Options) -> Option<Format> {
    all(options).into_iter().find(|format| format.label == name)
}

/// A format that keeps what `--identity` names; one that does not have it tells clients apart by their address.
fn with_identity(options: &Options, compile: impl Fn(&Options) -> Result<Format, Error>) -> Format {
    compile(options)
        .or_else(|_| compile(&Identity::IpAndUserAgent.into()))
        .expect("the built-in formats have a time, a request, a status and a client")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::format::wrapper::Wrapper;
    use crate::format::{Cache, detect};

    /// One line of each format, whole.
    const LINES: [(&str, &str); 11] = [
        (
            "aws:alb",
            r#"h2 2026-07-02T22:23:00.186641Z app/web/50dc6c495c0c9188 192.0.2.4:2817 10.0.0.1:80 0.010 0.001 0.009 200 200 34 366 "GET https://www.example.com:443/a b?c HTTP/2.0" "Mozilla/5.0 \x22x\x22" - - arn:aws:x:targetgroup/a/b "Root=1-58337262-36d2" "-" "-" 0 2026-07-02T22:22:59.186641Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#,
        ),
        (
            "aws:elb",
            r#"2026-07-02T22:23:00.186641Z web 192.0.2.4:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "say \"hi\"" - -"#,
        ),
        (
            "aws:s3",
            r#"79a5 logs [17/May/2015:10:05:03 +0000] 192.0.2.4 - 3E57427F3EXAMPLE REST.GET.OBJECT a.jpg "GET /logs/a.jpg HTTP/1.1" 200 - 113 - 47 9 "-" "x" - s9= SigV4 ECDHE-RSA AuthHeader logs.s3.amazonaws.com TLSv1.2 - -"#,
        ),
        (
            "envoy:default",
            r#"[2026-11-02T00:00:01.250Z] "GET /a b?c HTTP/2" 204 - 154 7 226 100 "192.0.2.4" "say "hi"" "cc21" "www.example.com" "198.51.100.1:80""#,
        ),
        (
            "istio:default",
            r#"[2026-11-02T00:00:01.250Z] "GET /a HTTP/1.1" 200 - via_upstream - "-" 0 42 12 - "-" "curl/8" "id-1" "shop:80" "10.1.1.1:80" inbound|80|| 10.1.1.2:5 10.1.1.3:80 192.0.2.4:0 - default"#,
        ),
        (
            "haproxy:httplog",
            r#"192.0.2.4:33317 [06/Feb/2009:12:14:14.655] web~ app/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {x y|} {} "GET /a#20b HTTP/1.1""#,
        ),
        (
            "haproxy:httpslog",
            r#"192.0.2.4:33317 [06/Feb/2009:12:14:14.655] web~ app/s1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1" 0/0/0/0/0 -/TLSv1.3/TLS_AES_256_GCM_SHA384"#,
        ),
        (
            "haproxy:clf",
            r#"192.0.2.4 - - [06/Feb/2009:12:14:14 +0000] "GET /a HTTP/1.1" 200 99 "" "" 38250 655 "web~" "app" "s1" 1 0 0 3 4 ---- 1 1 0 0 0 0 0 "SID=1" """#,
        ),
        (
            "squid:native",
            "1525344856.899    867 192.0.2.4 TCP_MISS/200 6256 GET http://www.example.com/a?b - HIER_DIRECT/198.51.100.4 text/html [Host:%20x] [Server:%20y]",
        ),
        (
            "squid:combined",
            r#"192.0.2.4 - - [17/May/2015:10:05:03 +0200] "GET http://www.example.com/a HTTP/1.1" 200 17 "-" "x" TCP_MISS:HIER_DIRECT [a] [b]"#,
        ),
        (
            "traefik:clf",
            r#"192.0.2.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/2.0" 200 28 - "x" 13 "web@docker" "http://10.0.0.6:80" 247ms"#,
        ),
    ];

    #[test]
    fn each_format_is_recognised_by_one_line() {
        for (label, line) in LINES {
            let found = detect::detect(line.as_bytes(), &Options::default());
            assert_eq!(found.first().map(|found| found.format.label.as_str()), Some(label), "{line}");
            let mut cache = Cache::default();
            let request = found[0].format.parse(line.as_bytes(), &mut cache).unwrap();
            assert!(request.method == Some(b"GET") && request.status >= 200 && !request.truncated, "{line}");
            assert!(request.client.starts_with(b"192.0.2.4"), "{line}");
        }
    }

    #[test]
    fn the_page_of_formats_has_them_all() {
        let page = include_str!("../../../../docs/formats.md");
        let fixed = all(&Options::default()).into_iter().map(|format| format.label);
        for label in fixed.chain(Document::all().map(|document| document.label().to_owned())) {
            assert!(page.contains(&format!("\n| `{label}` |")), "{label}");
        }
        for wrapper in Wrapper::ALL {
            assert!(page.contains(&format!("\n#### {}+", wrapper.name())), "{wrapper:?}");
        }
    }

    #[test]
    fn no_line_that_ends_early_or_holds_noise_is_too_much() {
        let formats = all(&Options::default());
        let mut cache = Cache::default();
        for (_, line) in LINES {
            for end in 0..=line.len() {
                for noise in ["", "\"", "\\", "{", "[\u{e9}", " - "] {
                    let text = [&line.as_bytes()[..end], noise.as_bytes()].concat();
                    for format in &formats {
                        format.parse(&text, &mut cache).ok();
                    }
                }
            }
        }
    }
}
