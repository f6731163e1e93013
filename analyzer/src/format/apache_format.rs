//! The grammar of Apache `LogFormat`, which others speak as well: Varnish, Fastly, LiteSpeed, Tomcat.
//!
//! Source: Apache `mod_log_config` and `mod_logio`; `varnishncsa(1)`; Fastly, "Custom log formats"; Tomcat
//! `AccessLogValve`. Stamps are of the START of the request unless the format asks for its end; Tomcat's are of the
//! end unless the format asks for its start.

use std::sync::Arc;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while_m_n, take_while1};
use nom::combinator::{map, opt, recognize, verify};
use nom::multi::many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser as _};
use shared::profile::Stamp;

use super::assemble::{self, Item, Piece, Quotes, Words};
use super::builtin::Producer;
use super::escape::Escape;
use super::meaning::Meaning;
use super::number::Unit;
use super::program::Extent;
use super::time::TimeFormat;
use super::time_pattern::TimePattern;
use super::values::Slot;
use super::{Format, Options, Reader, httpd_conf, map as rules};
use crate::error::Error;
use crate::session::identity::Identity;

/// The layout of `%t`, brackets included.
const DEFAULT_TIME: &str = "[%d/%b/%Y:%H:%M:%S %z]";

const WORDS: Words = Words {
    time: "`%t` or `%{…}t`",
    request: "`%r`, or `%m` and `%U%q`",
    status: "`%>s`",
    client: "`%h`, `%a` or `%{X-Forwarded-For}i`",
    identity: |name| format!("`%{{{name}}}C` or `%{{{name}}}i`"),
};

/// Compiles a format given verbatim: the string alone, or a whole `LogFormat` or `CustomLog` directive.
///
/// # Errors
/// [`Error::LogFormat`] when it is no format, or leaves out what no profile can be made without.
pub(crate) fn compile(text: &str, producer: Producer, options: &Options) -> Result<Format, Error> {
    match httpd_conf::log_format_directive(text) {
        Some((name, format)) => {
            let name = name.as_deref().unwrap_or("LogFormat");
            compile_named(&format!("{}:{name}", producer.name()), &format, producer, options)
        }
        // As it stands between the quotes of the configuration.
        None => {
            let label = format!("{}:LogFormat", producer.name());
            compile_named(&label, &text.trim().replace("\\\"", "\""), producer, options)
        }
    }
}

/// Compiles the format string of a directive under the name that people know it by.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_named(
    label: &str,
    format: &str,
    producer: Producer,
    options: &Options,
) -> Result<Format, Error> {
    let identity = &options.identity;
    let wrong = |problem: String, hint: &str| Error::LogFormat { problem, hint: hint.to_owned() };
    let (rest, tokens) =
        tokens(format).map_err(|_| wrong("cannot be read".to_owned(), "check its quotes"))?;
    if !rest.is_empty() {
        let at = format.len() - rest.len();
        return Err(wrong(
            format!("at byte {at}: found `%` without a directive, expected one such as `%>s`"),
            "write the format as it stands in the configuration of the server; `%%` is a percent sign",
        ));
    }
    let language = Language { producer, identity };
    let stamped = language.with_stamps(&joined(tokens)).map_err(|problem| {
        wrong(problem, "see strftime(3) for what `%{…}t` takes, and `sec`, `msec_frac` and the like")
    })?;
    let (mut pieces, mut meaning) = language.pieces(stamped);
    rules::claim(&options.map, label, &mut pieces, &mut meaning)?;
    let program = assemble::program(pieces, Quotes::Escaped, meaning).map_err(|problem| {
        wrong(problem, "put the character that separates them in the log into the format")
    })?;
    assemble::check(&program, &WORDS, identity)?;
    Ok(Format::new(label, Reader::Text(program)))
}

/// The text is a format in this language rather than in another that has percent signs: it has a request and a time
/// as Apache spells them.
pub(crate) fn recognise(text: &str) -> bool {
    if httpd_conf::log_format_directive(text).is_some() {
        return true;
    }
    let Ok(("", tokens)) = tokens(text) else { return false };
    let follows = tokens.iter().skip(1).map(Some).chain([None]);
    let mut directives = tokens.iter().zip(follows).filter_map(|(token, next)| match (token, next) {
        (Token::Directive(_), Some(Token::Text(text))) if text.starts_with(char::is_alphanumeric) => None,
        (Token::Directive(directive), _) => Some((directive.letter.as_str(), directive.argument.as_deref())),
        (Token::Text(_), _) => None,
    });
    directives.clone().any(|found| matches!(found, ("r" | "U" | "m", None)))
        && directives.any(|(letter, _)| letter == "t")
        && !recognise_fastly(text)
}

/// The text has expressions that only Fastly has.
pub(crate) fn recognise_fastly(text: &str) -> bool {
    let Ok(("", tokens)) = tokens(text) else { return false };
    tokens.iter().any(|token| matches!(token, Token::Directive(Directive { argument: Some(_), letter, .. }) if letter == "V"))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Directive(Directive),
}

/// `%>s`, `%!200,304{Referer}i`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Directive {
    /// Statuses, `!`, `<` and `>`.
    modifiers: String,
    argument: Option<String>,
    /// One letter, or three where the first is `^`.
    letter: String,
}

impl Directive {
    /// Printed for some statuses only, as `-` for the others.
    fn is_conditioned(&self) -> bool {
        self.modifiers.contains(|c: char| c.is_ascii_digit())
    }

    fn is(&self, letter: &str) -> bool {
        self.letter == letter && self.argument.is_none() && !self.is_conditioned()
    }

    fn name(&self) -> String {
        let argument = self.argument.as_ref().map_or_else(String::new, |argument| format!("{{{argument}}}"));
        format!("%{}{argument}{}", self.modifiers, self.letter)
    }
}

fn tokens(format: &str) -> IResult<&str, Vec<Token>> {
    let modifiers = || take_while(|c: char| c.is_ascii_digit() || ",!<>".contains(c));
    let letter = |c: char| c.is_ascii_alphabetic();
    let letters = alt((recognize((tag("^"), take_while_m_n(2, 2, letter))), take_while_m_n(1, 1, letter)));
    let directive = (tag("%"), modifiers(), opt(argument), modifiers(), letters).map(
        |(_, before, argument, after, letter): (_, &str, Option<&str>, &str, &str)| {
            Token::Directive(Directive {
                modifiers: format!("{before}{after}"),
                argument: argument.map(str::to_owned),
                letter: letter.to_owned(),
            })
        },
    );
    many0(alt((
        map(tag("%%"), |_| Token::Text("%".to_owned())),
        directive,
        map(preceded(tag("\\"), alt((tag("n"), tag("r"), tag("t"), tag("\\")))), |escaped| {
            let text = match escaped {
                "n" => "\n",
                "r" => "\r",
                "t" => "\t",
                other => other,
            };
            Token::Text(text.to_owned())
        }),
        map(tag("\\"), |_| Token::Text("\\".to_owned())),
        map(take_while1(|c| c != '%' && c != '\\'), |text: &str| Token::Text(text.to_owned())),
    )))
    .parse(format)
}

/// What stands in braces; braces inside, which Fastly's strings have, come in pairs.
fn argument(text: &str) -> IResult<&str, &str> {
    let inside = recognize(many0(alt((
        recognize(delimited(tag("{"), recognize(opt(nested)), tag("}"))),
        take_while1(|c| c != '{' && c != '}'),
    ))));
    delimited(tag("{"), inside, tag("}")).parse(text)
}

fn nested(text: &str) -> IResult<&str, &str> {
    verify(recognize(many0(alt((argument, take_while1(|c| c != '{' && c != '}'))))), |text: &str| {
        !text.is_empty()
    })
    .parse(text)
}

/// Directives that are one text together become one: they could not always be told apart, and need not be.
fn joined(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::new();
    for token in tokens {
        match (joined.last_mut(), &token) {
            (Some(Token::Text(text)), Token::Text(more)) => text.push_str(more),
            (Some(Token::Directive(path)), Token::Directive(query)) if path.is("U") && query.is("q") => {
                path.letter = TARGET.to_owned();
            }
            _ => joined.push(token),
        }
    }
    let mut at = 0;
    while at + 7 <= joined.len() {
        if let [
            Token::Text(before),
            Token::Directive(method),
            Token::Text(one),
            Token::Directive(target),
            Token::Text(other),
            Token::Directive(protocol),
            Token::Text(after),
        ] = &joined[at..at + 7]
            && before.ends_with('"')
            && method.is("m")
            && one == " "
            && target.is(TARGET)
            && other == " "
            && protocol.is("H")
            && after.starts_with('"')
        {
            let line = Directive { letter: "r".to_owned(), ..method.clone() };
            joined.splice(at + 1..at + 6, [Token::Directive(line)]);
        }
        at += 1;
    }
    joined
}

/// What `%U%q` becomes.
const TARGET: &str = "U%q";

/// A token, or what several of them say of one moment.
#[derive(Debug, Clone)]
enum Stamped {
    Text(String),
    Directive(Directive),
    Time(Time),
}

/// The layout of one moment.
#[derive(Debug, Clone)]
struct Time {
    name: String,
    layout: TimePattern,
    end: bool,
    /// `%t` and nothing else.
    plain: bool,
}

struct Language<'a> {
    producer: Producer,
    identity: &'a Identity,
}

impl Language<'_> {
    /// Time directives with only text between them are one stamp, as long as each adds what the others leave out:
    /// `%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t`.
    fn with_stamps(&self, tokens: &[Token]) -> Result<Vec<Stamped>, String> {
        let mut out: Vec<Stamped> = Vec::new();
        for token in tokens {
            let next = match token {
                Token::Text(text) => Stamped::Text(text.clone()),
                Token::Directive(directive) => match self.time(directive)? {
                    None => Stamped::Directive(directive.clone()),
                    Some(time) => Stamped::Time(time),
                },
            };
            let fits = |before: &Time, time: &Time| {
                before.end == time.end && !before.layout.says().overlaps(time.layout.says())
            };
            match (out.as_mut_slice(), &next) {
                ([.., Stamped::Time(before), Stamped::Text(text)], Stamped::Time(time))
                    if fits(before, time) =>
                {
                    before.layout = std::mem::take(&mut before.layout).joined(text.as_bytes(), &time.layout);
                    before.plain = false;
                    out.pop();
                }
                ([.., Stamped::Time(before)], Stamped::Time(time)) if fits(before, time) => {
                    before.layout = std::mem::take(&mut before.layout).joined(b"", &time.layout);
                    before.plain = false;
                }
                _ => out.push(next),
            }
        }
        Ok(out)
    }

    /// The layout that a directive prints a time in, where it prints one always.
    fn time(&self, directive: &Directive) -> Result<Option<Time>, String> {
        if directive.is_conditioned() {
            return Ok(None);
        }
        let ends = self.producer.stamp() == Stamp::End;
        let (layout, end) =
            match (directive.letter.as_str(), directive.argument.as_deref().unwrap_or_default()) {
                ("t", text) => match (text.strip_prefix("begin:"), text.strip_prefix("end:")) {
                    (Some(text), _) => (text, false),
                    (_, Some(text)) => (text, true),
                    (None, None) if text == "begin" || text == "end" => ("", text == "end"),
                    (None, None) => (text, ends),
                },
                ("V", text) if self.producer == Producer::Fastly => match fastly_time(text) {
                    Some(found) => found,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            };
        let name = directive.name();
        let plain = layout.is_empty();
        let layout = match TimePattern::token(layout) {
            Some(token) => token,
            None if self.producer == Producer::Tomcat && !plain => {
                return Err(format!("holds `{name}`, whose layout is of Java; found no way to read it"));
            }
            None => TimePattern::strftime(if plain { DEFAULT_TIME } else { layout })
                .map_err(|problem| format!("holds `{name}`, whose layout {problem}"))?,
        };
        Ok(Some(Time { name, layout, end, plain }))
    }

    /// The pieces, and what the fields among them mean.
    fn pieces(&self, stamped: Vec<Stamped>) -> (Vec<Piece>, Meaning) {
        let mut meaning = Meaning { escape: Escape::Backslash, ..Meaning::default() };
        let times: Vec<&Time> = stamped
            .iter()
            .filter_map(|stamped| match stamped {
                Stamped::Time(time) => Some(time),
                _ => None,
            })
            .collect();
        let chosen = choose(&times);
        meaning.stamp = if chosen.end { Stamp::End } else { Stamp::Start };
        let format = |at: usize| match times[at].plain {
            true => TimeFormat::Clf,
            false => TimeFormat::Pattern(Arc::new(times[at].layout.clone())),
        };
        let slots: Vec<Option<Slot>> = (0..times.len()).map(|at| chosen.slot(at)).collect();
        match (chosen.date, chosen.time) {
            (Some(date), Some(time)) => {
                let layout = times[date].layout.clone().joined(b" ", &times[time].layout);
                meaning.time = TimeFormat::Pattern(Arc::new(layout));
            }
            (_, Some(time)) => meaning.time = format(time),
            (_, None) => {}
        }
        if let Some(coarse) = chosen.coarse {
            meaning.coarse_time = format(coarse);
        }
        if let Some(other) = chosen.other {
            meaning.other_time = format(other);
        }
        let split = chosen.date.is_some();
        let mut slots = slots.into_iter();
        let mut pieces = Vec::new();
        let mut durations = Vec::new();
        for stamped in stamped {
            match stamped {
                Stamped::Text(text) => pieces.push(Piece::Text(text.into_bytes())),
                Stamped::Time(time) => {
                    let slot = slots.next().flatten();
                    let extent = match slot {
                        _ if time.plain => Extent::Token,
                        Some(_) if !split => Extent::Stamp,
                        _ => Extent::Text,
                    };
                    let claim = slot.map(|slot| (slot, 0));
                    let item = Item { name: time.name, claim, extent, is_identity: false };
                    if time.plain {
                        pieces.push(Piece::Text(b"[".to_vec()));
                        pieces.push(Piece::Item(item));
                        pieces.push(Piece::Text(b"]".to_vec()));
                    } else {
                        pieces.push(Piece::Item(item));
                    }
                }
                Stamped::Directive(directive) => {
                    let field = self.field(&directive);
                    if let Some((Slot::Duration, rank)) = field.claim {
                        durations.push((rank, field.unit));
                    }
                    if let Some((Slot::FirstByte, _)) = field.claim {
                        meaning.first_byte = field.unit;
                    }
                    if field.json {
                        meaning.escape = Escape::Json;
                    }
                    if let Identity::Cookie(name) = self.identity
                        && matches!(field.claim, Some((Slot::Cookies, _)))
                    {
                        meaning.cookie = Some(name.as_bytes().into());
                    }
                    pieces.push(Piece::Item(Item {
                        name: directive.name(),
                        claim: field.claim.filter(|_| !directive.is_conditioned()),
                        extent: field.extent,
                        is_identity: self.names_identity(&directive),
                    }));
                }
            }
        }
        if let Some((_, unit)) = durations.iter().min_by_key(|(rank, _)| rank) {
            meaning.duration = *unit;
        }
        (pieces, meaning)
    }

    fn names_identity(&self, directive: &Directive) -> bool {
        let argument = directive.argument.as_deref().unwrap_or_default();
        match self.identity {
            Identity::Cookie(name) => {
                let letter = if self.producer == Producer::Tomcat { "c" } else { "C" };
                directive.letter == letter && argument == name
                    || argument.strip_prefix("req.http.Cookie:") == Some(name)
            }
            Identity::Field(name) => {
                let name = name.trim_start_matches('%');
                let header = argument.strip_prefix("req.http.").unwrap_or(argument);
                header.eq_ignore_ascii_case(name)
                    || directive.argument.is_none() && directive.letter == name
                    || directive.name().trim_start_matches('%') == name
            }
            Identity::Ip | Identity::IpAndUserAgent => false,
        }
    }

    fn field(&self, directive: &Directive) -> MeantField {
        let field = |slot, rank, extent| MeantField {
            claim: Some((slot, rank)),
            extent,
            unit: Unit::Seconds,
            json: false,
        };
        let opaque = |extent| MeantField { claim: None, extent, unit: Unit::Seconds, json: false };
        let text = |slot, rank| field(slot, rank, Extent::Text);
        let number = |slot, rank| field(slot, rank, Extent::Number);
        let taken = |rank, unit| MeantField { unit, ..number(Slot::Duration, rank) };
        let tomcat = self.producer == Producer::Tomcat;
        match (directive.letter.as_str(), directive.argument.as_deref()) {
            ("a", None) => field(Slot::Client, 0, Extent::Token),
            ("h", None) => field(Slot::Client, 1, Extent::Token),
            // The peer itself, where the module that puts the client in its place is at work.
            ("a" | "h", Some(_)) => field(Slot::Client, 6, Extent::Token),
            ("A", _) => opaque(Extent::Token),
            ("u", _) => text(Slot::User, 0),
            ("r", None) => text(Slot::RequestLine, 0),
            ("m", _) => text(Slot::Method, 0),
            ("U", _) => text(Slot::Path, 0),
            (TARGET, _) => text(Slot::Target, 0),
            ("q", _) => text(Slot::Query, 0),
            ("H", _) => text(Slot::Protocol, 0),
            ("V", None) => text(Slot::Host, 1),
            ("v", _) => text(Slot::Host, 2),
            ("s", None) => {
                // Without a modifier, of the request before internal redirects; `>` is what the client got.
                let rank = if directive.modifiers.contains('>') { 0 } else { 1 };
                number(Slot::Status, rank)
            }
            ("b" | "B", _) => number(Slot::BytesOut, 0),
            ("D", None) if tomcat => taken(0, Unit::Milliseconds),
            ("D", None) => taken(0, Unit::Microseconds),
            ("T", Some("us")) => taken(0, Unit::Microseconds),
            ("T", Some("ms")) => taken(1, Unit::Milliseconds),
            ("T", None | Some("s")) => taken(2, Unit::Seconds),
            ("I", None) if tomcat => opaque(Extent::Text),
            ("F", None) if tomcat => MeantField { unit: Unit::Milliseconds, ..number(Slot::FirstByte, 0) },
            ("S", None) if tomcat => text(Slot::Session, 0),
            ("I", None) => number(Slot::BytesIn, 0),
            ("O", None) => number(Slot::BytesOut, 1),
            ("^FB", None) => MeantField { unit: Unit::Microseconds, ..number(Slot::FirstByte, 0) },
            ("S" | "k" | "p", _) => opaque(Extent::Number),
            ("P", None | Some("pid" | "tid")) => opaque(Extent::Number),
            ("L", None) => text(Slot::RequestId, 2),
            ("i", Some(header)) => header_slot(header).map_or(opaque(Extent::Text), |(slot, rank)| {
                // A chain is joined by comma and space.
                let extent = if slot == Slot::ForwardedFor { Extent::List } else { Extent::Text };
                field(slot, rank, extent)
            }),
            ("o", Some(header)) if header.eq_ignore_ascii_case("x-request-id") => text(Slot::RequestId, 1),
            ("e", Some("UNIQUE_ID")) => text(Slot::RequestId, 0),
            ("x", Some("Varnish:time_firstbyte")) => number(Slot::FirstByte, 0),
            ("V", Some(expression)) => fastly_field(expression),
            _ => opaque(Extent::Text),
        }
    }
}

/// What a directive prints.
struct MeantField {
    claim: Option<(Slot, u8)>,
    extent: Extent,
    unit: Unit,
    /// Escaped as JSON wants it.
    json: bool,
}

/// Which of the times in a format are the stamp.
#[derive(Debug, Default)]
struct Chosen {
    time: Option<usize>,
    date: Option<usize>,
    coarse: Option<usize>,
    other: Option<usize>,
    end: bool,
}

impl Chosen {
    fn slot(&self, at: usize) -> Option<Slot> {
        let at = Some(at);
        [
            (self.time, Slot::Time),
            (self.date, Slot::Date),
            (self.coarse, Slot::CoarseTime),
            (self.other, Slot::OtherTime),
        ]
        .into_iter()
        .find_map(|(place, slot)| (place == at).then_some(slot))
    }
}

/// The start where there is one, the finest where there are several; a second one of the same moment for its zone,
/// and one of the other end, where it is fine enough to tell how long the request took.
fn choose(times: &[&Time]) -> Chosen {
    let says: Vec<_> = times.iter().map(|time| time.layout.says()).collect();
    let finest = |end: bool| {
        let complete = (0..times.len()).filter(|at| says[*at].is_complete() && times[*at].end == end);
        complete.max_by_key(|at| (says[*at].fraction, says[*at].zone, std::cmp::Reverse(*at)))
    };
    let (start, end) = (finest(false), finest(true));
    let Some(time) = start.or(end) else {
        // Date and time of day, with something else between them.
        let date = (0..times.len()).find(|at| says[*at].date);
        let time = (0..times.len()).find(|at| says[*at].time && Some(*at) != date);
        return match (date, time) {
            (Some(date), Some(time)) => {
                Chosen { date: Some(date), time: Some(time), end: times[time].end, ..Chosen::default() }
            }
            _ => Chosen::default(),
        };
    };
    let coarse = (0..times.len()).find(|at| {
        *at != time && says[*at].is_complete() && times[*at].end == times[time].end && says[*at].zone
    });
    let other = end.filter(|end| start.is_some() && says[*end].fraction && says[time].fraction);
    Chosen { time: Some(time), date: None, coarse, other, end: start.is_none() }
}

/// What request headers mean.
fn header_slot(header: &str) -> Option<(Slot, u8)> {
    Some(match header.to_ascii_lowercase().as_str() {
        "user-agent" => (Slot::UserAgent, 0),
        "referer" => (Slot::Referer, 0),
        "cookie" => (Slot::Cookies, 0),
        "host" => (Slot::Host, 0),
        "x-forwarded-for" => (Slot::ForwardedFor, 0),
        "fastly-client-ip" => (Slot::Client, 2),
        "x-real-ip" => (Slot::Client, 3),
        "cf-connecting-ip" | "true-client-ip" => (Slot::Client, 4),
        "x-request-id" => (Slot::RequestId, 1),
        _ => return None,
    })
}

/// What Fastly's variables mean; `json.escape(…)` and the like are looked through.
fn fastly_field(expression: &str) -> MeantField {
    let (name, json) = unwrapped(expression);
    let (claim, unit) = match name {
        "client.ip" => (Some((Slot::Client, 0)), Unit::Seconds),
        "req.method" | "req.request" => (Some((Slot::Method, 0)), Unit::Seconds),
        "req.url" => (Some((Slot::Target, 0)), Unit::Seconds),
        "req.url.path" => (Some((Slot::Path, 0)), Unit::Seconds),
        "req.url.qs" => (Some((Slot::Query, 0)), Unit::Seconds),
        "req.proto" | "req.protocol" => (Some((Slot::Protocol, 0)), Unit::Seconds),
        "resp.status" => (Some((Slot::Status, 0)), Unit::Seconds),
        "resp.body_bytes_written" => (Some((Slot::BytesOut, 0)), Unit::Seconds),
        "resp.bytes_written" => (Some((Slot::BytesOut, 1)), Unit::Seconds),
        "req.bytes_read" => (Some((Slot::BytesIn, 0)), Unit::Seconds),
        "req.body_bytes_read" => (Some((Slot::BytesIn, 1)), Unit::Seconds),
        "time.elapsed.usec" => (Some((Slot::Duration, 0)), Unit::Microseconds),
        "time.elapsed" => (Some((Slot::Duration, 1)), Unit::Seconds),
        "time.elapsed.msec" => (Some((Slot::Duration, 2)), Unit::Milliseconds),
        "time.elapsed.sec" => (Some((Slot::Duration, 3)), Unit::Seconds),
        "time.to_first_byte" => (Some((Slot::FirstByte, 0)), Unit::Seconds),
        header => (header.strip_prefix("req.http.").and_then(header_slot), Unit::Seconds),
    };
    let claim = match claim {
        // Behind Fastly, whatever else is logged as the client may be another of its caches.
        Some((Slot::Client, _)) if name != "client.ip" => Some((Slot::Client, 0)),
        claim => claim,
    };
    let extent = match claim {
        Some((Slot::Status | Slot::BytesOut | Slot::BytesIn | Slot::Duration | Slot::FirstByte, _)) => {
            Extent::Number
        }
        Some((Slot::ForwardedFor, _)) => Extent::List,
        _ => Extent::Text,
    };
    MeantField { claim, extent, unit, json }
}

/// The layout of a time that Fastly's variables print, and whether it is of the end.
fn fastly_time(expression: &str) -> Option<(&str, bool)> {
    let (name, _) = unwrapped(expression);
    if let Some(call) = name.strip_prefix("strftime({\"") {
        let (layout, moment) = call.split_once("\"}")?;
        return Some((layout, moment.contains("time.end")));
    }
    let (moment, unit) = name.strip_prefix("time.")?.split_once('.')?;
    matches!(moment, "start" | "end").then_some(())?;
    matches!(unit, "sec" | "msec" | "usec" | "msec_frac" | "usec_frac").then_some((unit, moment == "end"))
}

/// The expression inside the functions that escape it, and whether one does it for JSON.
fn unwrapped(expression: &str) -> (&str, bool) {
    let inside = |function| expression.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')');
    match (inside("json.escape"), inside("cstr_escape")) {
        (Some(inside), _) => (inside.trim(), true),
        (_, Some(inside)) => (inside.trim(), false),
        (None, None) => (expression.trim(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Cache;
    use crate::request::Request;

    #[track_caller]
    fn read(producer: Producer, format: &str, line: &str, check: impl Fn(Request<'_>)) {
        let format = compile(format, producer, &Identity::Cookie("sid".to_owned()).into())
            .or_else(|_| compile(format, producer, &Identity::Ip.into()))
            .unwrap();
        let mut cache = Cache::default();
        let request =
            format.parse(line.as_bytes(), &mut cache).unwrap_or_else(|reject| panic!("{line}: {reject:?}"));
        check(request);
    }

    /// Fields of a line, as one text.
    #[track_caller]
    fn check(format: &str, line: &str, expected: &str) {
        read(Producer::Apache, format, line, |request| assert_eq!(shown(&request), expected, "{format}"));
    }

    fn shown(request: &Request<'_>) -> String {
        let stamp = jiff::Timestamp::from_nanosecond(i128::from(request.stamp_ns)).unwrap();
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let mut shown = format!("{stamp} {} {}", text(request.client), text(request.target));
        for (name, value) in [
            ("method", request.method),
            ("host", request.host),
            ("user", request.user),
            ("referer", request.referer),
            ("agent", request.user_agent),
            ("identity", request.identity),
            ("id", request.request_id),
        ] {
            if let Some(value) = value {
                shown += &format!(" {name}={}", text(value));
            }
        }
        for (name, value) in [
            ("status", Some(u64::from(request.status))),
            ("out", request.bytes_out),
            ("in", request.bytes_in),
            ("ns", request.duration_ns.map(|ns| ns as u64)),
            ("first", request.first_byte_ns.map(|ns| ns as u64)),
        ] {
            if let Some(value) = value {
                shown += &format!(" {name}={value}");
            }
        }
        shown
    }

    const STAMP: &str = "[02/Nov/2026:10:05:03 +0100]";

    #[test]
    fn directives_fill_their_slots() {
        check(
            r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#,
            &format!(
                r#"www.example.com:443 192.0.2.1 - jo ann {STAMP} "GET /a?b HTTP/1.1" 200 - "-" "say \"hi\"""#
            ),
            r#"2026-11-02T09:05:03Z 192.0.2.1 /a?b method=GET host=www.example.com user=jo ann agent=say "hi" status=200 out=0"#,
        );
        check(
            "%a:%{remote}p %{c}a %t %m %U%q %H %>s %s %B %I %{UNIQUE_ID}e %L %Dus",
            &format!(
                "2001:db8::1:4711 10.0.0.1 {STAMP} POST /a b?c=d HTTP/2.0 404 200 17 300 abc xyz 1500us"
            ),
            "2026-11-02T09:05:03Z 2001:db8::1 /a b?c=d method=POST id=abc status=404 out=17 in=300 ns=1500000",
        );
        check(
            r#"%400,501{User-agent}i %!200,304{Referer}i %h %t "%r" %>s %b %{ms}T%U"#,
            &format!(r#"- http://example.com/ 192.0.2.1 {STAMP} "GET / HTTP/1.1" 500 - 12/"#),
            "2026-11-02T09:05:03Z 192.0.2.1 / method=GET status=500 out=0 ns=12000000",
        );
        check(
            r#"%h %t "%r" %>s %k%X 100%% %T %{ms}T %^FB sid=%{sid}C; "%{X-Request-Id}o""#,
            &format!(r#"192.0.2.1 {STAMP} "GET / HTTP/1.1" 200 0- 100% 1 1250 900 sid=s 1; "r-1""#),
            "2026-11-02T09:05:03Z 192.0.2.1 / method=GET identity=s 1 id=r-1 status=200 ns=1250000000 first=900000",
        );
        check(
            r#"%{X-Forwarded-For}i %l %u %t "%r" %>s %b"#,
            &format!(r#"203.0.113.9, 10.0.0.1 - - {STAMP} "-" 408 -"#),
            "2026-11-02T09:05:03Z 203.0.113.9  status=408 out=0",
        );
        check(
            r#"%h "%u" %t "%r" %>s %b"#,
            &format!(r#"192.0.2.1 "" {STAMP} "GET /\xc3\xa9\tx HTTP/1.1" 200 5"#),
            "2026-11-02T09:05:03Z 192.0.2.1 /é\tx method=GET status=200 out=5",
        );
    }

    #[test]
    fn stamps_in_every_form() {
        for (format, text, expected, stamp, grain_ns, offset_s) in [
            ("%t", STAMP, "2026-11-02T09:05:03Z", Stamp::Start, 1_000_000_000, 3600),
            (
                "%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t",
                "02/Nov/2026 10:05:03.250 +0100",
                "2026-11-02T09:05:03.25Z",
                Stamp::Start,
                1_000_000,
                3600,
            ),
            (
                "%t %{usec}t",
                &format!("{STAMP} 1793610303250001"),
                "2026-11-02T09:05:03.250001Z",
                Stamp::Start,
                1_000,
                3600,
            ),
            (
                "%{sec}t.%{usec_frac}t",
                "1793610303.250001",
                "2026-11-02T09:05:03.250001Z",
                Stamp::Start,
                1_000,
                0,
            ),
            ("%{begin:msec}t", "1793610303250", "2026-11-02T09:05:03.25Z", Stamp::Start, 1_000_000, 0),
            (
                "%{end:%F %T}t%{end:%z}t",
                "2026-11-02 10:05:03+0100",
                "2026-11-02T09:05:03Z",
                Stamp::End,
                1_000_000_000,
                3600,
            ),
            (
                "%{%A, %d-%b-%y %r %Z}t",
                "Monday, 02-Nov-26 10:05:03 AM EST",
                "2026-11-02T15:05:03Z",
                Stamp::Start,
                1_000_000_000,
                -18_000,
            ),
            (
                "%{%F}t and %P %{%T}t",
                "2026-11-02 and 17 10:05:03",
                "2026-11-02T10:05:03Z",
                Stamp::Start,
                1_000_000_000,
                0,
            ),
        ] {
            let format = format!(r#"%h {format} "%r" %>s"#);
            let line = format!(r#"192.0.2.1 {text} "GET / HTTP/1.1" 200"#);
            read(Producer::Apache, &format, &line, |request| {
                let found = jiff::Timestamp::from_nanosecond(i128::from(request.stamp_ns)).unwrap();
                assert_eq!(found.to_string(), expected, "{format}");
                assert_eq!(
                    (request.stamp, request.resolution_ns, request.offset_s),
                    (stamp, grain_ns, offset_s),
                    "{format}"
                );
            });
        }
    }

    #[test]
    fn start_and_end_make_a_duration_where_they_are_fine_enough() {
        let format = r#"%h %{begin:msec}t %{end:msec}t "%r" %>s"#;
        read(
            Producer::Apache,
            format,
            r#"192.0.2.1 1793610303250 1793610303750 "GET / HTTP/1.1" 200"#,
            |request| {
                assert_eq!((request.stamp, request.duration_ns), (Stamp::Start, Some(500_000_000)));
            },
        );
        let format = r#"%h %t %{end:%T}t "%r" %>s"#;
        read(
            Producer::Apache,
            format,
            &format!(r#"192.0.2.1 {STAMP} 10:05:04 "GET / HTTP/1.1" 200"#),
            |request| {
                assert_eq!((request.stamp, request.duration_ns), (Stamp::Start, None));
            },
        );
    }

    #[test]
    fn those_who_speak_the_language_have_words_of_their_own() {
        let line = format!(r#"192.0.2.1 - - {STAMP} "GET http://www.example.com/a HTTP/1.1" 200 5 "-" "x""#);
        read(
            Producer::Varnish,
            r#"%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i""#,
            &line,
            |request| {
                assert_eq!((request.path(), request.host), (&b"/a"[..], Some(&b"www.example.com"[..])));
                assert_eq!((request.status, request.stamp), (200, Stamp::Start));
            },
        );
        let line = format!(r#"{STAMP} 192.0.2.1 "GET / HTTP/1.1" 200 12 AB12"#);
        read(Producer::Tomcat, r#"%t %a "%r" %s %D %S"#, &line, |request| {
            assert_eq!((request.duration_ns, request.session), (Some(12_000_000), Some(&b"AB12"[..])));
            assert_eq!(request.stamp, Stamp::End);
        });
        let format = r#"{"t":"%{begin:%Y-%m-%dT%H:%M:%S%z}t","us":%{time.elapsed.usec}V,"ip":"%{req.http.Fastly-Client-IP}V","m":"%{json.escape(req.method)}V","u":"%{json.escape(req.url)}V","s":%{resp.status}V,"a":"%{json.escape(req.http.User-Agent)}V"}"#;
        let line = r#"{"t":"2026-11-02T09:05:03+0000","us":1500,"ip":"192.0.2.1","m":"GET","u":"/a\"\u000a","s":200,"a":"x"}"#;
        read(Producer::Fastly, format, line, |request| {
            assert_eq!((request.target, request.client), (&b"/a\"\n"[..], &b"192.0.2.1"[..]));
            assert_eq!((request.duration_ns, request.status), (Some(1_500_000), 200));
        });
        let format = r#"%{client.ip}V %{strftime({"%F %T"}, time.start)}V.%{time.start.usec_frac}V "%{req.method}V %{req.url}V" %>s"#;
        read(Producer::Fastly, format, r#"192.0.2.1 2026-11-02 09:05:03.250001 "GET /a" 200"#, |request| {
            assert_eq!((request.stamp_ns % 1_000_000_000, request.target), (250_001_000, &b"/a"[..]));
        });
    }

    #[test]
    fn what_cannot_be_a_format_is_an_error_with_a_hint() {
        for (format, expected) in [
            ("%", "found `%` without a directive"),
            ("%{open", "found `%` without a directive"),
            ("%h%u %t %r %s", "`%h` and `%u` touch"),
            ("%h %t %s", "no field for the request"),
            (r#"%h "%r" %s"#, "no field for a time"),
            (r#"%h %{%F}t "%r" %s"#, "no field for a time"),
            (r#"%h %{%Q}t "%r" %s"#, "layout holds `%Q`"),
            (r#"%t "%r" %s"#, "no field for the client"),
            (r#"%h %t "%r" %400s"#, "no field for the status"),
        ] {
            let message = compile(format, Producer::Apache, &Identity::Ip.into()).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("hint:"), "{format}: {message}");
        }
        let java =
            compile(r#"%h %{dd/MMM/yyyy}t "%r" %s"#, Producer::Tomcat, &Identity::Ip.into()).unwrap_err();
        assert!(java.to_string().contains("layout is of Java"));
        let cookie =
            compile(r#"%h %t "%r" %s"#, Producer::Apache, &Identity::Cookie("sid".to_owned()).into())
                .unwrap_err();
        assert!(cookie.to_string().contains("add `%{sid}C`"));
    }

    #[test]
    fn the_language_is_recognised_by_its_request_and_time() {
        for (format, expected) in [
            (r#"%h %l %u %t "%r" %>s %b"#, true),
            ("%a %{%F %T}t %m %U%q %>s", true),
            (r#"LogFormat "%t" x"#, true),
            ("%ci:%cp [%tr] %ft %b/%s %ST %B %{+Q}r", false),
            ("%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru", false),
            ("[%START_TIME%] %RESPONSE_CODE%", false),
        ] {
            assert_eq!(recognise(format), expected, "{format}");
        }
    }
}
