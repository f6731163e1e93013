//! Which format an unknown input is in, and how sure that is.

use rayon::prelude::*;

use super::builtin::{Builtin, Evidence};
use super::extended::{self, Look, Mark};
use super::wrapper::Wrapper;
use super::{Cache, Format, Options, Reader, guess, headed, map, preset, records};
use crate::apm::Export;
use crate::document::Document;
use crate::reject::Reject;

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
/// Wrappers inside one another: syslog in what a container printed.
const WRAPPERS_DEEP: usize = 2;

/// The formats that `head`, the first bytes of an input, can be in, the best first; empty when none understands
/// half of its lines.
///
/// Ties go to the format with more requests, then to the one with more fields, then to the one listed first.
pub fn detect(head: &[u8], options: &Options) -> Vec<Detection> {
    let unwrapped = |text: &[u8]| unwrapped(text, options);
    let mut found = unwrapped(head);
    if found.is_empty() {
        found = wrapped(head, WRAPPERS_DEEP, &unwrapped);
    }
    if found.is_empty() { records::recognise(head, &unwrapped) } else { found }
}

/// `format` with what is around the lines of `head`, where they cannot be read as they are.
pub(crate) fn with_wrappers(format: &Format, head: &[u8]) -> Detection {
    let detection = |confidence| Detection { format: format.clone(), confidence };
    let share = |text: &[u8]| understood(format, &sampled(text), |_| Mark::Shown).share;
    if matches!(format.reader, Reader::Document(_)) || share(head) >= LEAST_SHARE {
        return detection(1.0);
    }
    let inside = |text: &[u8]| {
        Some(share(text)).filter(|share| *share >= LEAST_SHARE).map(detection).into_iter().collect()
    };
    wrapped(head, WRAPPERS_DEEP, &inside)
        .into_iter()
        .next()
        .map_or_else(|| detection(1.0), |found| Detection { confidence: 1.0, ..found })
}

/// What `detect` finds inside the wrappers that most lines of `head` wear, the best first.
fn wrapped(head: &[u8], deep: usize, detect: &dyn Fn(&[u8]) -> Vec<Detection>) -> Vec<Detection> {
    let mut found = Vec::new();
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for wrapper in Wrapper::ALL {
        let (share, inside) = peeled(wrapper, head);
        if share < LEAST_SHARE || seen.contains(&inside) {
            continue;
        }
        let mut within = detect(&inside);
        if within.is_empty() && deep > 1 {
            within = wrapped(&inside, deep - 1, detect);
        }
        seen.push(inside);
        let is_lines = |format: &Format| !matches!(format.reader, Reader::Table(_) | Reader::Document(_));
        let lines = within.into_iter().filter(|within| is_lines(&within.format));
        found.extend(lines.map(|within| Detection {
            format: within.format.wrapped_in(wrapper),
            confidence: within.confidence * share,
        }));
    }
    found.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    found
}

/// The share of the lines of `head` that wear `wrapper`, and what is inside them.
fn peeled(wrapper: Wrapper, head: &[u8]) -> (f64, Vec<u8>) {
    let (mut lines, mut worn) = (0_u32, 0_u32);
    let (mut scratch, mut inside) = (Vec::new(), Vec::new());
    for line in sampled(head) {
        lines += 1;
        match wrapper.peel(line, &mut scratch) {
            Ok(text) => {
                worn += 1;
                inside.extend_from_slice(text);
                inside.push(b'\n');
            }
            Err(Reject::Partial) => worn += 1,
            Err(_) => {}
        }
    }
    (if lines == 0 { 0.0 } else { f64::from(worn) / f64::from(lines) }, inside)
}

fn unwrapped(head: &[u8], options: &Options) -> Vec<Detection> {
    let documents = Document::all().map(|document| {
        let reader = match (document, map::columns(&options.map)) {
            (Document::Apm(Export::Parquet), Some(columns)) => Reader::Table(columns),
            _ => Reader::Document(document),
        };
        let format = Format::new(document.label(), reader);
        Detection { format, confidence: document.recognise(head) }
    });
    let any_line: Look = |_| Mark::Shown;
    let extended = extended::all(options).into_iter().map(|extended| (extended.format, extended.mark));
    let headed = headed::recognise(head, options);
    let presets = preset::all(options)
        .into_iter()
        .filter(|format| headed.is_none() || !matches!(format.reader, Reader::Headed(_)))
        .map(|format| (format, any_line));
    let builtin = [Builtin::Combined, Builtin::Common]
        .map(|shape| (shape.format(options.producer, &options.identity), any_line));
    let guessed = guess::formats(head, options).into_iter().map(|format| (format, any_line));
    // Who says what the fields mean does not want a fixed format.
    let fixed = extended.chain(presets).chain(builtin).filter(|_| options.map.is_empty());
    let headed = headed.clone().into_iter().map(|format| (format, any_line));
    let sample = sampled(head);
    let lines: Vec<(Format, Look)> = headed.chain(fixed).chain(guessed).collect();
    // Some hundred formats read a thousand lines each, which is long where the log itself is read by several threads.
    let lines = lines.into_par_iter().map(|(format, mark)| {
        let understood = understood(&format, &sample, mark);
        let settled = !format.producer_unknown || understood.evidence.producer().is_some();
        let share = understood.share * format.certainty();
        let confidence = if settled { share } else { share * PRODUCER_OPEN };
        (share, understood.requests, Detection { format, confidence })
    });
    let mut found: Vec<(f64, u32, Detection)> = documents
        .map(|document| (document.confidence, u32::MAX, document))
        .chain(lines.collect::<Vec<_>>())
        .filter(|(share, ..)| *share >= LEAST_SHARE)
        .collect();
    found.sort_by(|(one_share, one_requests, one), (other_share, other_requests, other)| {
        let by_share = other_share.total_cmp(one_share);
        let by_requests = || other_requests.cmp(one_requests);
        by_share.then_with(by_requests).then_with(|| other.format.richness().cmp(&one.format.richness()))
    });
    found.into_iter().map(|(_, _, detection)| detection).collect()
}

/// The lines of `head` that are looked at, without their ends. A cut last line is none of them, unless it is the
/// only one.
fn sampled(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = head;
    for at in 0..SAMPLE_LINES {
        let (line, after) = match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None if at == 0 => (rest, &[][..]),
            None => break,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            lines.push(line);
        }
        rest = after;
    }
    lines
}

/// What a format understands of a sample.
struct Understood {
    /// The share of the lines; records of another kind do not count. None when no line shows the format's mark.
    share: f64,
    requests: u32,
    evidence: Evidence,
}

/// What `format` understands of the lines of a sample.
fn understood(format: &Format, sample: &[&[u8]], mark: Look) -> Understood {
    let (mut lines, mut good, mut marked) = (0_u32, 0_u32, false);
    let mut evidence = Evidence::default();
    let mut cache = Cache::default();
    for (number, &line) in sample.iter().enumerate() {
        // Even if it understood all that are left, it would not be recognised.
        let left = (sample.len() - number) as u32;
        if f64::from(good + left) < LEAST_SHARE * f64::from(lines + left) {
            break;
        }
        lines += 1;
        match mark(line) {
            Mark::Shown => marked = true,
            Mark::Missing => {}
            Mark::Other => continue,
        }
        match format.parse(line, &mut cache) {
            Ok(request) => {
                good += u32::from(!request.truncated);
                evidence.add(line, memchr::memchr(b'\\', line), &request);
            }
            Err(Reject::NotARequest) => lines -= 1,
            Err(_) => {}
        }
    }
    let share = if !marked || lines == 0 { 0.0 } else { f64::from(good) / f64::from(lines) };
    Understood { share, requests: good, evidence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expected: Option<&str>) {
        let found = detect(head.as_bytes(), &Options::default());
        assert_eq!(found.first().map(|found| found.format.label.as_str()), expected, "{found:?}");
    }

    #[test]
    fn a_sample_has_whole_lines_or_the_only_one() {
        let check = |head: &str, expected: &[&str]| {
            let lines = sampled(head.as_bytes());
            assert_eq!(lines, expected.iter().map(|line| line.as_bytes()).collect::<Vec<_>>(), "{head:?}");
        };
        check("a\r\nb\ncut", &["a", "b"]);
        check("cut", &["cut"]);
        check("\n\na\n", &["a"]);
        check("\ncut", &[]);
        check("", &[]);
        assert_eq!(sampled("a\n".repeat(SAMPLE_LINES + 1).as_bytes()).len(), SAMPLE_LINES);
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
