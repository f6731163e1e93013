//! Logs whose columns are named in the text itself: W3C extended logs (IIS, CloudFront, Blue Coat, Tomcat), Zeek, and
//! tables with names in their first line.
//!
//! IIS stamps a line when the last byte was sent, in UTC, and `time-taken` is in milliseconds; CloudFront stamps the
//! end of the response and prints seconds. Zeek stamps the request. Of a table nobody knows; its start is assumed.

mod columns;
mod layout;

use layout::Layout;

use super::number::Unit;
use super::values::{Slot, Values};
use super::{Cache, Format, Options, Reader, map};
use crate::error::Error;
use crate::reject::Reject;
use crate::request::Request;
use crate::session::identity::Identity;
use crate::source::{Framing, HeaderLines};
use shared::profile::Stamp;

/// How lines under a header are read.
#[derive(Debug, Clone)]
pub struct Headed {
    header: Header,
    options: Options,
    stamp: Stamp,
    richness: usize,
}

#[derive(Debug, Clone)]
enum Header {
    /// Lines that begin with `#`, which may come again; until the first one, the layout beside counts.
    Directives(Box<Layout>),
    /// Given once and for all: inside a wrapper, header lines are not followed from block to block.
    Fixed(Box<Layout>),
    /// The first line, and what it says.
    FirstLine(Box<[u8]>, Box<Layout>),
}

/// The header lines that a thread has passed, and what they say.
#[derive(Debug, Default)]
pub(super) struct InForce {
    lines: HeaderLines,
    layout: Described,
}

#[derive(Debug, Default)]
enum Described {
    /// There was no header yet.
    #[default]
    Nothing,
    /// The header was not compiled yet.
    Unread,
    /// The lines that follow are no requests.
    OtherRecords,
    Requests(Box<Layout>),
}

impl InForce {
    /// Starts a block, in front of which `header` is in force.
    pub(super) fn begin(&mut self, header: Option<&[u8]>) {
        self.lines = header.map(HeaderLines::from_joined).unwrap_or_default();
        self.layout = if header.is_some() { Described::Unread } else { Described::Nothing };
    }

    fn note(&mut self, line: &[u8]) {
        if self.lines.note(line) {
            self.layout = Described::Unread;
        }
    }

    /// The layout in force, taken out to be put back; `None` before the first header.
    ///
    /// # Errors
    /// [`Reject::NotARequest`] where the header describes something else.
    fn take(&mut self, options: &Options) -> Result<Option<Box<Layout>>, Reject> {
        if matches!(self.layout, Described::Unread) {
            self.layout = match Layout::of_directives(&self.lines, options) {
                Some(layout) => Described::Requests(Box::new(layout)),
                None if self.lines.value("fields").is_none() => Described::Nothing,
                None => Described::OtherRecords,
            };
        }
        match std::mem::take(&mut self.layout) {
            Described::Requests(layout) => Ok(Some(layout)),
            Described::OtherRecords => {
                self.layout = Described::OtherRecords;
                Err(Reject::NotARequest)
            }
            Described::Nothing | Described::Unread => Ok(None),
        }
    }
}

impl Headed {
    fn new(header: Header, layout: &Layout, options: &Options) -> Self {
        let (stamp, richness) = (layout.meaning.stamp, layout.richness());
        Self { header, options: options.clone(), stamp, richness }
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    pub(super) fn richness(&self) -> usize {
        self.richness
    }

    /// # Errors
    /// [`Error::MapField`] where a rule names a column that is not there.
    pub(super) fn check(&self, label: &str) -> Result<(), Error> {
        let (Header::Directives(layout) | Header::Fixed(layout) | Header::FirstLine(_, layout)) =
            &self.header;
        map::check_columns(&self.options.map, label, &layout.names)
    }

    pub(super) fn framing(&self) -> Framing {
        match self.header {
            Header::Directives(_) => Framing::Headed,
            Header::Fixed(_) | Header::FirstLine(..) => Framing::Lines,
        }
    }

    /// The same inside a wrapper.
    pub(super) fn wrapped(&mut self) {
        if let Header::Directives(layout) = &self.header {
            self.header = Header::Fixed(layout.clone());
        }
    }

    pub(super) fn parse<'a>(&self, line: &'a [u8], cache: &'a mut Cache) -> Result<Request<'a>, Reject> {
        let layout = match &self.header {
            Header::FirstLine(header, _) if *line == **header => return Err(Reject::NotARequest),
            Header::Fixed(_) if line.starts_with(b"#") => return Err(Reject::NotARequest),
            Header::FirstLine(_, layout) | Header::Fixed(layout) => layout,
            Header::Directives(_) if line.starts_with(b"#") => {
                cache.in_force.note(line);
                return Err(Reject::NotARequest);
            }
            Header::Directives(fallback) => match cache.in_force.take(&self.options)? {
                None => fallback,
                Some(layout) => {
                    let mut values = Values::NONE;
                    let numbers = layout.read(line, &mut values, cache);
                    let request = numbers
                        .map(|numbers| layout.meaning.request(&mut values, numbers, &mut cache.scratch))
                        .map_err(|reject| Reject::in_any_format(line).unwrap_or(reject));
                    cache.in_force.layout = Described::Requests(layout);
                    return request;
                }
            },
        };
        let mut values = Values::NONE;
        match layout.read(line, &mut values, cache) {
            Ok(numbers) => Ok(layout.meaning.request(&mut values, numbers, &mut cache.scratch)),
            Err(reject) => Err(Reject::in_any_format(line).unwrap_or(reject)),
        }
    }
}

/// What a field called `name` holds in most logs, in which unit, and how sure that is: less is more. Of a name with
/// dots, such as `http.request.method`, the end may be enough.
pub(super) fn known_name(name: &str) -> Option<((usize, usize), Slot, Option<Unit>)> {
    let ends = std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, end)| end));
    ends.enumerate().find_map(|(dropped, name)| {
        columns::table(name).map(|known| ((dropped, known.rank), known.slot, known.unit))
    })
}

/// The format of a text that begins with `head`, if its columns are named in it.
pub(super) fn recognise(head: &[u8], options: &Options) -> Option<Format> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
    });
    let mut directives = HeaderLines::default();
    for line in lines.clone().filter(|line| line.starts_with(b"#")) {
        if directives.note(line)
            && let Some(layout) = Layout::of_directives(&directives, options)
        {
            let headed = Headed::new(Header::Directives(Box::new(layout.clone())), &layout, options);
            return Some(Format::new(layout.label(), Reader::Headed(headed)));
        }
    }
    let first = lines.find(|line| !line.is_empty())?;
    let layout = Layout::of_table(first, options)?;
    let label = layout.label();
    let headed = Headed::new(Header::FirstLine(first.into(), Box::new(layout.clone())), &layout, options);
    Some(Format::new(label, Reader::Headed(headed)))
}

/// What logs look like that lost their header, because somebody cut their end off.
pub(super) fn without_header(options: &Options) -> Vec<Format> {
    let known = layout::IIS.into_iter().chain([layout::CLOUDFRONT]);
    known.filter_map(|fields| of_fields(fields, options)).map(|(_, format)| format).collect()
}

/// The format that a `#Fields:` line describes, given by itself.
///
/// # Errors
/// [`Error::LogFormat`] when it leaves out what no profile can be made without, or what `identity` names.
pub(super) fn given(text: &str, options: &Options) -> Result<Format, Error> {
    let identity = &options.identity;
    let wrong =
        |problem: &str, hint: &str| Error::LogFormat { problem: problem.to_owned(), hint: hint.to_owned() };
    let (layout, format) = of_fields(text, options).ok_or_else(|| {
        wrong(
            "is a header that names no time, no request or no status",
            "give the whole `#Fields:` line as it stands in the log, with `date`, `time`, `cs-uri-stem` and `sc-status`",
        )
    })?;
    match identity {
        Identity::Cookie(name) | Identity::Field(name) if !layout.has_identity() => Err(wrong(
            &format!("has no field for `{identity}`"),
            &format!("add `cs(Cookie)` or `cs({name})` to the log, or choose another --identity"),
        )),
        _ => map::check_columns(&options.map, layout.label(), &layout.names).map(|()| format),
    }
}

fn of_fields(text: &str, options: &Options) -> Option<(Layout, Format)> {
    let mut directives = HeaderLines::default();
    for line in text.lines() {
        directives.note(line.as_bytes());
    }
    let layout = Layout::of_directives(&directives, options)?;
    let headed = Headed::new(Header::Directives(Box::new(layout.clone())), &layout, options);
    let format = Format::new(layout.label(), Reader::Headed(headed));
    Some((layout, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IIS: &str = "\
#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-11-02 00:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Cookie) cs(Referer) sc-status sc-substatus sc-win32-status sc-bytes time-taken
2026-11-02 00:00:01 10.0.0.1 GET /a+b.aspx q=1&r=x+y 443 EX\\ann 192.0.2.1 Mozilla/5.0+(X11;+Linux) sid=7;+lang=de https://example.com/a+b 200 0 0 512 1234
2026-11-02 00:00:02 10.0.0.1 POST / - 443 - 2001:db8::1 - - - 500 0 64 - 15
#Software: Microsoft Internet Information Services 10.0
#Fields: time cs-method cs-uri-stem sc-status c-ip
00:00:03 GET /later 404 192.0.2.3";

    const CLOUDFRONT: &str = "\
#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end
2026-11-02\t00:00:01\tFRA2\t900\t192.0.2.1\tGET\td1.cloudfront.example\t/a%2520b\t200\t-\tMozilla/5.0%2520(X11)\tq=%25C3%25A9\ta=b;%20c=d\tHit\tid==\twww.example.com\thttps\t23\t0.125\t-\tTLSv1.3\t-\tHit\tHTTP/2.0\t-\t-\t1104\t0.100\tHit\ttext/html\t78\t-\t-
2026-11-02\t00:00:02\tFRA2\t901\t192.0.2.1\tGET\td1.cloudfront.example\t/\t000\t-\tcurl/8.5\t-\t-\tError\tid2\t-\thttp\t23\t0.001\t-\t-\t-\tError\tHTTP/1.1\t-\t-\t1104\t0.001\tError\t-\t-\t-\t-\t";

    const ZEEK: &str = "\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\thttp
#open\t2026-11-02-00-00-00
#fields\tts\tuid\tid.orig_h\tid.orig_p\tmethod\thost\turi\treferrer\tversion\tuser_agent\trequest_body_len\tresponse_body_len\tstatus_code
#types\ttime\tstring\taddr\tport\tstring\tstring\tstring\tstring\tstring\tstring\tcount\tcount\tcount
1793577600.250000\tCx\t192.0.2.1\t4711\tGET\texample.com\t/a b\\x09c\t-\t1.1\tcurl/8.5\t0\t39\t200
1793577601.000000\tCy\t192.0.2.2\t4712\t-\t-\t-\t-\t-\t-\t0\t0\t-
#close\t2026-11-02-01-00-00
#path\tdns
#fields\tts\tuid\tquery
1793577601.000000\tCy\texample.com";

    const TABLE: &str = "\
\u{feff}\"Timestamp\",method,url,Status Code,\"Response Time (ms)\",client_ip,user_agent
2026-11-02T00:00:01.5Z,GET,\"https://example.com/a,b?q=\"\"x\"\"\",200,12.5,192.0.2.1,\"curl, \"\"8.5\"\"\"
2026-11-02T00:00:02Z,GET,/,200,7,192.0.2.1,\"never closed";

    /// What each line gives: a few fields, or why none.
    #[track_caller]
    fn check(text: &str, label: &str, expected: &[&str]) {
        let format = recognise(text.as_bytes(), &Identity::Cookie("c".to_owned()).into()).unwrap();
        assert_eq!(format.label, label);
        let mut cache = Cache::default();
        let found: Vec<String> = text
            .lines()
            .filter_map(|line| match format.parse(line.as_bytes(), &mut cache) {
                Err(Reject::NotARequest) => None,
                Err(reject) => Some(reject.name().to_owned()),
                Ok(request) => Some(shown(&request)),
            })
            .collect();
        assert_eq!(found, expected);
    }

    fn shown(request: &Request<'_>) -> String {
        let text = |text: Option<&[u8]>| String::from_utf8_lossy(text.unwrap_or(b"~")).into_owned();
        let milliseconds = |ns: Option<i64>| ns.map_or("~".to_owned(), |ns| (ns as f64 / 1e6).to_string());
        [
            jiff::Timestamp::from_nanosecond(request.stamp_ns.into()).unwrap().to_string(),
            text(Some(request.client)),
            text(request.method),
            text(Some(request.target)),
            request.status.to_string(),
            milliseconds(request.duration_ns),
            milliseconds(request.first_byte_ns),
            request.bytes_out.map_or("~".to_owned(), |bytes| bytes.to_string()),
            text(request.host),
            text(request.user_agent),
            text(request.referer),
            text(request.user),
            text(request.identity),
        ]
        .join("|")
    }

    #[test]
    fn headers_say_what_the_columns_are() {
        check(
            IIS,
            "iis:w3c",
            &[
                "2026-11-02T00:00:01Z|192.0.2.1|GET|/a+b.aspx?q=1&r=x+y|200|1234|~|512|~|Mozilla/5.0 (X11; Linux)|https://example.com/a+b|EX\\ann|~",
                "2026-11-02T00:00:02Z|2001:db8::1|POST|/|500|15|~|~|~|~|~|~|~",
                "2026-11-02T00:00:03Z|192.0.2.3|GET|/later|404|~|~|~|~|~|~|~|~",
            ],
        );
        check(
            CLOUDFRONT,
            "aws:cloudfront",
            &[
                "2026-11-02T00:00:01Z|192.0.2.1|GET|/a%20b?q=%C3%A9|200|125|100|78|www.example.com|Mozilla/5.0 (X11)|~|~|d",
                "2026-11-02T00:00:02Z|192.0.2.1|GET|/|0|1|1|901|d1.cloudfront.example|curl/8.5|~|~|~",
            ],
        );
        check(
            ZEEK,
            "zeek:http",
            &[
                "2026-11-02T00:00:00.25Z|192.0.2.1|GET|/a b\tc|200|~|~|39|example.com|curl/8.5|~|~|~",
                "2026-11-02T00:00:01Z|192.0.2.2|~||0|~|~|0|~|~|~|~|~",
            ],
        );
        check(
            TABLE,
            "csv:header",
            &[
                "2026-11-02T00:00:01.5Z|192.0.2.1|GET|https://example.com/a,b?q=\"x\"|200|12.5|~|~|example.com|curl, \"8.5\"|~|~|~",
                "truncated",
            ],
        );
    }

    #[test]
    fn other_producers_of_w3c_logs() {
        // The unit of a duration is told by its point; quotes, tabs and runs of blanks are all in use.
        for (text, expected) in [
            (
                "#Software: SGOS 7\n#Fields: date time time-taken c-ip sc-status cs-method cs-uri cs(User-Agent)\n\
                 2026-11-02 00:00:01 250 192.0.2.1 200 GET http://example.com/x \"Mozilla/5.0 (X11)\"",
                "2026-11-02T00:00:01Z|192.0.2.1|GET|http://example.com/x|200|250|~|~|example.com|Mozilla/5.0 (X11)|~|~|~",
            ),
            (
                "#Fields: date time time-taken c-ip sc-status cs-method cs-uri cs(User-Agent)\n\
                 2026-11-02\t00:00:01\t0.250\t192.0.2.1\t200\tGET\t/x\tMozilla/5.0 (X11; a+b)",
                "2026-11-02T00:00:01Z|192.0.2.1|GET|/x|200|250|~|~|~|Mozilla/5.0 (X11; a+b)|~|~|~",
            ),
            (
                "#Fields: timestamp(ms) c-ip cs-method cs-uri sc-status date time\n\
                 1793577601500   192.0.2.1 GET  /x 200 2026-11-02 00:00:01",
                "2026-11-02T00:00:01.5Z|192.0.2.1|GET|/x|200|~|~|~|~|~|~|~|~",
            ),
        ] {
            check(text, "w3c:extended", &[expected]);
        }
    }

    #[test]
    fn headers_of_other_records_are_passed_over() {
        // FTP in a file of its own, and a log of local time that says so.
        for (fields, line, expected) in [
            (
                "date time c-ip cs-method cs-uri-stem sc-status x-session",
                "2026-11-02 00:00:01 192.0.2.1 USER / 331 1",
                None,
            ),
            (
                "date-local time-local c-ip cs-method cs-uri sc-status",
                "2026-11-02 00:00:01 192.0.2.1 GET / 200",
                Some(false),
            ),
            (
                "date time c-ip cs-method cs-uri sc-status",
                "2026-11-02 00:00:01 192.0.2.1 GET / 200",
                Some(true),
            ),
        ] {
            let format = recognise(format!("#Fields: {fields}\n").as_bytes(), &Identity::Ip.into());
            let zone_printed = format
                .map(|format| format.parse(line.as_bytes(), &mut Cache::default()).unwrap().zone_printed);
            assert_eq!(zone_printed, expected, "{fields}");
        }
    }

    #[test]
    fn lines_that_do_not_fit_their_header_are_refused() {
        let header = "#Software: Microsoft Internet Information Services 10.0\n\
                      #Fields: date time cs-method cs-uri-stem sc-status c-ip\n";
        for (line, expected) in [
            ("2026-11-02 00:00:01 GET /a 200", "truncated"),
            ("2026-11-02 00:00:01 GET /a b 200 192.0.2.1", "trailing_text"),
            ("2026-11-02 00:00:61 GET /a 200 192.0.2.1", "bad_time"),
            ("2026-11-02 00:00:01 GET /a OK 192.0.2.1", "bad_status"),
            ("  ", "blank"),
            ("\0\0\0", "binary"),
        ] {
            check(&format!("{header}{line}"), "iis:w3c", &[expected]);
        }
    }

    #[test]
    fn a_header_can_be_given_where_the_log_lost_it() {
        let format =
            given("#Fields: date time cs-method cs-uri-stem sc-status c-ip", &Identity::Ip.into()).unwrap();
        let mut cache = Cache::default();
        let line = b"2026-11-02 00:00:01 GET /a 200 192.0.2.1";
        assert_eq!(format.parse(line, &mut cache).unwrap().target, b"/a");
        assert_eq!(format.stamp(), Stamp::End);
        assert!(given("#Fields: date time", &Identity::Ip.into()).is_err());
        let fields = "#Fields: date time cs-method cs-uri-stem sc-status c-ip cs(X-Shop)";
        let format = given(fields, &Identity::Field("x-shop".to_owned()).into()).unwrap();
        let line = b"2026-11-02 00:00:01 GET /a 200 192.0.2.1 seven";
        assert_eq!(format.parse(line, &mut cache).unwrap().identity, Some(&b"seven"[..]));
        assert!(given(fields, &Identity::Field("other".to_owned()).into()).is_err());
    }

    #[test]
    fn logs_that_lost_their_header_are_told_apart() {
        for (line, expected) in [
            (
                "2026-11-02 00:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0 - 200 0 0 15",
                "iis:w3c Some(15000000)",
            ),
            (
                "2026-11-02 00:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0 200 0 0 15",
                "iis:w3c Some(15000000)",
            ),
            (
                "2026-11-02 00:00:01 W3SVC1 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0 200 0 0",
                "iis:w3c None",
            ),
            (
                "2026-11-02 00:00:01 W3SVC1 WEB1 10.0.0.1 GET /a - 443 - 192.0.2.1 HTTP/1.1 Mozilla/5.0 - - example.com 200 0 0 512 300 15",
                "iis:w3c Some(15000000)",
            ),
            (
                "2026-11-02 00:00:01 SHOP GET /a - 443 - 192.0.2.1 Mozilla/5.0 - - example.com 200 0 0 512 300 15",
                "iis:w3c Some(15000000)",
            ),
            (CLOUDFRONT.lines().nth(2).unwrap(), "aws:cloudfront Some(125000000)"),
        ] {
            let found = crate::format::detect::detect(line.as_bytes(), &Default::default()).remove(0).format;
            let mut cache = Cache::default();
            let request = found.parse(line.as_bytes(), &mut cache).unwrap();
            assert_eq!((request.client, request.status), (&b"192.0.2.1"[..], 200), "{line}");
            assert_eq!(format!("{} {:?}", found.label, request.duration_ns), expected, "{line}");
        }
    }

    #[test]
    fn nothing_makes_a_header_panic() {
        let options = Identity::Field("User-Agent".to_owned()).into();
        super::super::tests::mutate(&[IIS, CLOUDFRONT, ZEEK, TABLE], |text| {
            let Some(format) = recognise(text, &options) else { return };
            let mut cache = Cache::default();
            for line in text.split(|byte| *byte == b'\n') {
                let _ = format.parse(line, &mut cache);
            }
        });
    }
}
