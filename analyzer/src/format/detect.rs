//! Which format an unknown input is in, and how sure that is.

use super::builtin::{Builtin, Evidence, Producer};
use super::{Cache, Format, Options, Reader, nginx_format, preset};
use crate::document::Document;

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

/// The formats that `head`, the first bytes of an input, can be in, the best first; empty when none understands
/// half of its lines.
///
/// Ties go to the format with more fields, then to the one listed first.
pub fn detect(head: &[u8], options: &Options) -> Vec<Detection> {
    let documents = Document::all().map(|document| {
        let format = Format::new(document.label(), Reader::Document(document));
        Detection { format, confidence: document.recognise(head) }
    });
    let timed = nginx_format::compile_named("nginx:combined+request_time", COMBINED_TIMED, &options.identity);
    let timed =
        timed.ok().filter(|_| options.producer != Some(Producer::Apache)).map(|format| (format, true));
    let presets = preset::all(options).into_iter().map(|format| (format, false));
    let builtin = [Builtin::Combined, Builtin::Common]
        .map(|shape| (shape.format(options.producer, &options.identity), false));
    let lines = timed.into_iter().chain(presets).chain(builtin).map(|(format, has_request_time)| {
        let (share, evidence) = understood(&format, head, has_request_time);
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

/// The share of the lines of `head` that `format` understands. A cut last line does not count.
fn understood(format: &Format, head: &[u8], has_request_time: bool) -> (f64, Evidence) {
    let (mut lines, mut good) = (0_u32, 0_u32);
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
        if has_request_time && !ends_in_request_time(line) {
            continue;
        }
        if let Ok(request) = format.parse(line, &mut cache) {
            good += u32::from(!request.truncated);
            evidence.add(line, &request);
        }
    }
    (if lines == 0 { 0.0 } else { f64::from(good) / f64::from(lines) }, evidence)
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
