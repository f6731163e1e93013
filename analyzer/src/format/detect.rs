//! Which format an unknown input is in, and how sure that is.

use super::builtin::{Builtin, Evidence, Producer};
use super::wrapper::Wrapper;
use super::{Cache, Format, Options, Reader, guess, headed, nginx_format, preset, records};
use crate::document::Document;
use crate::reject::Reject;

/// *Combined* with the time nginx took at the end: the extension that most people make first.
const COMBINED_TIMED: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "#,
    r#""$http_referer" "$http_user_agent" $request_time"#
);

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
    let share = |text: &[u8]| understood(format, text, false).share;
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
        let lines = within.into_iter().filter(|within| !matches!(within.format.reader, Reader::Document(_)));
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
    let documents = Document::ALL.into_iter().map(|document| {
        let format = Format::new(document.label(), Reader::Document(document));
        Detection { format, confidence: document.recognise(head) }
    });
    let timed = nginx_format::compile_named("nginx:combined+request_time", COMBINED_TIMED, &options.identity);
    let timed =
        timed.ok().filter(|_| options.producer != Some(Producer::Apache)).map(|format| (format, true));
    let headed = headed::recognise(head, &options.identity);
    let presets = preset::all(options)
        .into_iter()
        .filter(|format| headed.is_none() || !matches!(format.reader, Reader::Headed(_)))
        .chain(headed.clone())
        .map(|format| (format, false));
    let builtin = [Builtin::Combined, Builtin::Common]
        .map(|shape| (shape.format(options.producer, &options.identity), false));
    let guessed = guess::formats(head, options).into_iter().map(|format| (format, false));
    let fixed = timed.into_iter().chain(presets).chain(builtin);
    // Who says what the fields mean does not want a fixed format.
    let fixed =
        fixed.filter(|(format, _)| options.map.is_empty() || matches!(format.reader, Reader::Headed(_)));
    let lines = fixed.chain(guessed).map(|(format, has_request_time)| {
        let understood = understood(&format, head, has_request_time);
        let settled = !format.producer_unknown || understood.evidence.producer().is_some();
        let share = understood.share * format.certainty();
        let confidence = if settled { share } else { share * PRODUCER_OPEN };
        (share, understood.requests, Detection { format, confidence })
    });
    let mut found: Vec<(f64, u32, Detection)> = documents
        .map(|document| (document.confidence, u32::MAX, document))
        .chain(lines)
        .filter(|(share, ..)| *share >= LEAST_SHARE)
        .collect();
    found.sort_by(|(one_share, one_requests, one), (other_share, other_requests, other)| {
        let by_share = other_share.total_cmp(one_share);
        let by_requests = || other_requests.cmp(one_requests);
        by_share.then_with(by_requests).then_with(|| other.format.richness().cmp(&one.format.richness()))
    });
    found.into_iter().map(|(_, _, detection)| detection).collect()
}

/// The lines of `head` that are looked at, without their ends. A cut last line is none of them.
fn sampled(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = head.split_inclusive(|byte| *byte == b'\n').take(SAMPLE_LINES).enumerate();
    lines.filter_map(|(at, line)| {
        let cut = !line.ends_with(b"\n") && at > 0;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (!cut && !line.is_empty()).then_some(line)
    })
}

/// What a format understands of a sample.
struct Understood {
    /// The share of the lines; records of another kind do not count.
    share: f64,
    requests: u32,
    evidence: Evidence,
}

/// What `format` understands of the lines of `head`.
fn understood(format: &Format, head: &[u8], has_request_time: bool) -> Understood {
    let (mut lines, mut good) = (0_u32, 0_u32);
    let mut evidence = Evidence::default();
    let mut cache = Cache::default();
    for line in sampled(head) {
        lines += 1;
        if has_request_time && !ends_in_request_time(line) {
            continue;
        }
        match format.parse(line, &mut cache) {
            Ok(request) => {
                good += u32::from(!request.truncated);
                evidence.add(line, &request);
            }
            Err(Reject::NotARequest) => lines -= 1,
            Err(_) => {}
        }
    }
    let share = if lines == 0 { 0.0 } else { f64::from(good) / f64::from(lines) };
    Understood { share, requests: good, evidence }
}

/// nginx prints `$request_time` with exactly three decimals. Any other number at the end of a line is something
/// else: microseconds of Apache's `%D`, a port, a length.
fn ends_in_request_time(line: &[u8]) -> bool {
    let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let point = last.len().saturating_sub(4);
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    last == b"-" || digits(&last[..point]) && last.get(point) == Some(&b'.') && digits(&last[point + 1..])
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
        check("2026/11/02 00:00:01 [error] 7#7: *1 open() failed\n", None);
        check("", None);
        check("\n\n", None);
    }
}
