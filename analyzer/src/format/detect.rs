//! Which format an unknown input is in, and how sure that is.

use super::builtin::{Builtin, Evidence};
use super::extended::{self, Look, Mark};
use super::{Cache, Format, Options, Reader, preset};
use crate::document::Document;

/// A format, and how sure it is.
#[derive(Debug, Clone)]
pub struct Detection {
    /// The format.
    pub format: Format,
    /// Share of sampled lines understood, 0..=1; less when the text leaves open who wrote it.
    pub confidence: f64,
}

/// Lines looked at.
const SAMPLE_LINES: usize = 1000;
/// Below this share of lines, nothing is recognised.
const LEAST_SHARE: f64 = 0.5;
/// How sure one can be of a format whose producer the text leaves open.
const PRODUCER_OPEN: f64 = 0.9;

/// The formats that `head`, the first bytes of an input, can be in, the best first; empty when none understands
/// half of its lines.
///
/// Ties go to the format with more fields, then to the one listed first.
pub fn detect(head: &[u8], options: &Options) -> Vec<Detection> {
    let documents = Document::ALL.into_iter().map(|document| {
        let format = Format::new(document.label(), Reader::Document(document));
        Detection { format, confidence: document.recognise(head) }
    });
    let any_line: Look = |_| Mark::Shown;
    let extended = extended::all(options).into_iter().map(|extended| (extended.format, extended.mark));
    let presets = preset::all(options).into_iter().map(|format| (format, any_line));
    let builtin = [Builtin::Combined, Builtin::Common]
        .map(|shape| (shape.format(options.producer, &options.identity), any_line));
    let lines = extended.chain(presets).chain(builtin).map(|(format, mark)| {
        let (share, evidence) = understood(&format, head, mark);
        let settled = !format.producer_unknown || evidence.producer().is_some();
        (share, Detection { format, confidence: if settled { share } else { share * PRODUCER_OPEN } })
    });
    let mut found: Vec<(f64, Detection)> = documents
        .map(|document| (document.confidence, document))
        .chain(lines)
        .filter(|(share, _)| *share >= LEAST_SHARE)
        .collect();
    found.sort_by(|(one_share, one), (other_share, other)| {
        other_share.total_cmp(one_share).then_with(|| other.format.richness().cmp(&one.format.richness()))
    });
    found.into_iter().map(|(_, detection)| detection).collect()
}

/// The share of the lines of `head` that `format` understands; none when no line shows its mark. A cut last line does
/// not count.
fn understood(format: &Format, head: &[u8], mark: Look) -> (f64, Evidence) {
    let (mut lines, mut good, mut marked) = (0_u32, 0_u32, false);
    let mut evidence = Evidence::default();
    let mut cache = Cache::default();
    for line in head.split_inclusive(|byte| *byte == b'\n').take(SAMPLE_LINES) {
        let cut = !line.ends_with(b"\n") && lines > 0;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if cut || line.is_empty() {
            continue;
        }
        lines += 1;
        match mark(line) {
            Mark::Shown => marked = true,
            Mark::Missing => {}
            Mark::Other => continue,
        }
        if let Ok(request) = format.parse(line, &mut cache) {
            good += u32::from(!request.truncated);
            evidence.add(line, &request);
        }
    }
    (if !marked { 0.0 } else { f64::from(good) / f64::from(lines) }, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expected: Option<&str>) {
        let found = detect(head.as_bytes(), &Options::default());
        assert_eq!(found.first().map(|found| found.format.label.as_str()), expected, "{found:?}");
    }

    const COMMON: &str =
        r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#;

    #[test]
    fn formats_are_told_apart_by_content() {
        check(COMMON, Some("apache:common"));
        check(&format!(r#"{COMMON} "-" "Mozilla""#), Some("nginx:combined"));
        check(&format!(r#"{COMMON} "-" "Mozilla" "-""#), Some("nginx:combined"));
        check(&format!(r#"{COMMON} "-" "Mozilla" 0.012"#), Some("nginx:combined+request_time"));
        check(&format!(r#"{COMMON} "-" "Mozilla" 51200"#), Some("nginx:combined"));
        check(
            &format!(r#"{COMMON} "-" "Mozilla" "203.0.113.9, 10.0.0.1""#),
            Some("nginx:combined+forwarded"),
        );
        check(&format!(r#"{COMMON} "-" "Mozilla" "shop.example""#), Some("nginx:combined"));
        check(
            &format!(r#"{COMMON} "-" "Mozilla" "203.0.113.9" 0.012"#),
            Some("nginx:combined+forwarded+request_time"),
        );
        check(&format!(r#"{COMMON} "-" "Mozilla" 310 2790"#), Some("apache:combinedio"));
        check(&format!(r#"{COMMON} "-" "Mozilla" 310 20"#), Some("nginx:combined"));
        check(&format!("{COMMON} 15"), Some("apache:common+number"));
        check(&format!("{COMMON} 0.015"), Some("nginx:common+request_time"));
        check(&format!("{COMMON} "), Some("apache:common"));
        check(&format!(r#"www.example.com:443 {COMMON} "-" "Mozilla""#), Some("apache:vhost_combined"));
        check(&format!(r#"www.example.com {COMMON} "-" "Mozilla""#), Some("nginx:host+combined"));
        check(&format!(r#"www.example.com {COMMON} "-" "Mozilla" "-""#), Some("nginx:host+combined"));
        check(
            &format!(r#""203.0.113.9, 10.0.0.1" {COMMON} "-" "Mozilla""#),
            Some("nginx:forwarded+addr+combined"),
        );
        let chain = COMMON.replace("127.0.0.1", "203.0.113.9, 10.0.0.1");
        check(&format!(r#"{chain} "-" "Mozilla""#), Some("nginx:forwarded+combined"));
        let absolute = COMMON.replace("GET /", "GET http://www.example.com/");
        check(&format!(r#"{absolute} "-" "Mozilla""#), Some("varnish:combined"));
        check("2026/11/02 00:00:01 [error] 7#7: *1 open() failed\n", None);
        check("", None);
        check("\n\n", None);
        let ingress = format!(
            r#"{COMMON} "-" "curl" 89 0.001 [shop-web-80] [] 10.0.0.5:80, 10.0.0.6:80 0, 59 1.000, 0.000 502, 200 0c9d"#
        );
        check(&ingress, Some("ingress-nginx:upstreaminfo"));
        let old = r#"203.0.113.9, 10.0.0.1 - [203.0.113.9] - - [10/Oct/2018:13:55:36 +0000] "GET / HTTP/1.1" 200 59 "-" "curl" 89 0.001 [shop-web-80] 10.0.0.5:80 59 0.000 200"#;
        check(old, Some("ingress-nginx:upstreaminfo"));
        let stamp = "[10/Feb/2024:21:25:00 +0100]";
        check(
            &format!(
                r#"{stamp} - 200 200 - GET https www.example.com "/a" [Client 192.0.2.1] [Length 20] [Gzip 1.2] [Sent-to 10.0.0.5] "curl" "-""#
            ),
            Some("nginx-proxy-manager:proxy"),
        );
        check(
            &format!(r#"{stamp} www.example.com 192.0.2.1 0.227 "GET / HTTP/2.0" 207 125 440 - curl/8 (x)"#),
            Some("npmplus:log"),
        );
    }
}
