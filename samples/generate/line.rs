//! One request as nginx writes it.

use jiff::ToSpan;

use crate::Format;

/// Microseconds of one second.
pub(crate) const SECOND_US: u64 = 1_000_000;
/// The first day of every log, a Monday; all instants count from its midnight in Berlin.
const FIRST_DAY: jiff::civil::Date = jiff::civil::date(2026, 11, 2);
/// That midnight, in seconds since 1970 UTC.
const FIRST_SECOND: u64 = 1_793_574_000;

/// What nginx knows about a request when it has ended; absent values become `-`.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) address: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) started_us: u64,
    pub(crate) ended_us: u64,
    /// The request line, unescaped; may hold any bytes.
    pub(crate) request: &'a [u8],
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    pub(crate) referer: &'a [u8],
    pub(crate) agent: &'a [u8],
}

/// Writes lines; keeps the date of the day it wrote last.
pub(crate) struct Writer {
    format: Format,
    day: u64,
    date: String,
}

impl Writer {
    /// Returns a writer of one format.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, day: 0, date: date_of(0) }
    }

    /// Appends `line` and a newline.
    pub(crate) fn write(&mut self, line: &Line, out: &mut Vec<u8>) {
        match self.format {
            Format::Combined => self.write_combined(line, out),
            Format::Shop => {
                self.write_combined(line, out);
                out.push(b' ');
                push_request_time(out, line.started_us, line.ended_us);
            }
            Format::Json => write_json(line, out),
            Format::Custom => self.write_custom(line, out),
        }
        out.push(b'\n');
    }

    fn write_combined(&mut self, line: &Line, out: &mut Vec<u8>) {
        out.extend_from_slice(line.address.as_bytes());
        out.extend_from_slice(b" - ");
        push_escaped(out, line.user.unwrap_or("").as_bytes());
        out.extend_from_slice(b" [");
        self.push_time(line.ended_us, out);
        out.extend_from_slice(b"] \"");
        push_escaped(out, line.request);
        out.extend_from_slice(b"\" ");
        push_decimal(out, u64::from(line.status));
        out.push(b' ');
        push_decimal(out, line.body_bytes);
        out.extend_from_slice(b" \"");
        push_escaped(out, line.referer);
        out.extend_from_slice(b"\" \"");
        push_escaped(out, line.agent);
        out.push(b'"');
    }

    fn write_custom(&mut self, line: &Line, out: &mut Vec<u8>) {
        let [method, uri, protocol] = parts(line.request);
        let second = line.ended_us / SECOND_US;
        let day = date(second / 86_400);
        out.extend_from_slice(day.strftime("%Y-%m-%d").to_string().as_bytes());
        out.push(b'T');
        push_time_of_day(second, out);
        out.extend_from_slice(b"+01:00 ");
        out.extend_from_slice(line.address.as_bytes());
        out.push(b' ');
        out.extend_from_slice(method);
        out.extend_from_slice(b" \"");
        push_escaped(out, uri);
        out.extend_from_slice(b"\" ");
        out.extend_from_slice(protocol);
        out.push(b' ');
        push_decimal(out, u64::from(line.status));
        out.push(b' ');
        push_decimal(out, line.body_bytes);
        out.push(b' ');
        push_request_time(out, line.started_us, line.ended_us);
        out.extend_from_slice(b" \"");
        push_escaped(out, line.referer);
        out.extend_from_slice(b"\" \"");
        push_escaped(out, line.agent);
        out.push(b'"');
    }

    /// Appends `$time_local`: nginx cuts the fraction of the second off.
    fn push_time(&mut self, at_us: u64, out: &mut Vec<u8>) {
        let second = at_us / SECOND_US;
        let day = second / 86_400;
        if day != self.day {
            (self.day, self.date) = (day, date_of(day));
        }
        out.extend_from_slice(self.date.as_bytes());
        out.push(b':');
        push_time_of_day(second, out);
        out.extend_from_slice(b" +0100");
    }
}

fn write_json(line: &Line, out: &mut Vec<u8>) {
    let [method, uri, _] = parts(line.request);
    let ended_ms = line.ended_us / 1_000;
    out.extend_from_slice(b"{\"msec\":\"");
    push_decimal(out, FIRST_SECOND + ended_ms / 1_000);
    push_thousandths(out, ended_ms % 1_000);
    for (name, value) in [
        ("\",\"remote_addr\":\"", line.address.as_bytes()),
        ("\",\"method\":\"", method),
        ("\",\"uri\":\"", uri),
    ] {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value);
    }
    out.extend_from_slice(b"\",\"status\":\"");
    push_decimal(out, u64::from(line.status));
    out.extend_from_slice(b"\",\"bytes\":\"");
    push_decimal(out, line.body_bytes);
    out.extend_from_slice(b"\",\"referer\":\"");
    out.extend_from_slice(line.referer);
    out.extend_from_slice(b"\",\"agent\":\"");
    out.extend_from_slice(line.agent);
    out.extend_from_slice(b"\",\"request_time\":\"");
    push_request_time(out, line.started_us, line.ended_us);
    out.extend_from_slice(b"\"}");
}

/// Method, target and protocol of a request line as browsers send it.
fn parts(request: &[u8]) -> [&[u8]; 3] {
    let mut parts = request.splitn(3, |byte| *byte == b' ');
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

fn date(day: u64) -> jiff::civil::Date {
    let days = i64::try_from(day).expect("the instant lies within a few months of the first day");
    FIRST_DAY + days.days()
}

fn date_of(day: u64) -> String {
    date(day).strftime("%d/%b/%Y").to_string()
}

fn push_time_of_day(second: u64, out: &mut Vec<u8>) {
    for (part, end) in [(second / 3_600 % 24, &b":"[..]), (second / 60 % 60, b":"), (second % 60, b"")] {
        out.extend_from_slice(&[b'0' + (part / 10) as u8, b'0' + (part % 10) as u8]);
        out.extend_from_slice(end);
    }
}

/// Appends `$request_time`: nginx takes the difference of two clock readings that are whole milliseconds.
fn push_request_time(out: &mut Vec<u8>, started_us: u64, ended_us: u64) {
    let duration_ms = ended_us / 1_000 - started_us / 1_000;
    push_decimal(out, duration_ms / 1_000);
    push_thousandths(out, duration_ms % 1_000);
}

fn push_thousandths(out: &mut Vec<u8>, ms: u64) {
    out.extend_from_slice(&[
        b'.',
        b'0' + (ms / 100) as u8,
        b'0' + (ms / 10 % 10) as u8,
        b'0' + (ms % 10) as u8,
    ]);
}

/// Appends `value` with nginx's default escaping; an absent value becomes `-`.
fn push_escaped(out: &mut Vec<u8>, value: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if value.is_empty() {
        out.push(b'-');
    } else if value.iter().all(|&byte| is_plain(byte)) {
        out.extend_from_slice(value);
    } else {
        for &byte in value {
            if is_plain(byte) {
                out.push(byte);
            } else {
                out.extend_from_slice(&[
                    b'\\',
                    b'x',
                    HEX[usize::from(byte >> 4)],
                    HEX[usize::from(byte & 0xf)],
                ]);
            }
        }
    }
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Appends `number` in decimal.
pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    let mut left = number;
    loop {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}
