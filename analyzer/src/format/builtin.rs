//! *combined* and *common*: nginx and Apache write the same text, but stamp different moments.

use serde::{Deserialize, Serialize};
use shared::profile::Stamp;

use super::program::Tail;
use super::{Format, Program, Reader, nginx_format};
use crate::error::Error;
use crate::request::Request;
use crate::session::identity::Identity;

/// nginx's built-in format, which is also Apache's.
pub const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// The format of the first web servers.
pub const COMMON: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;

/// What wrote a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Producer {
    /// nginx, and what is built on it.
    Nginx,
    /// Apache HTTP Server.
    Apache,
    /// `varnishncsa`.
    Varnish,
    /// Fastly.
    Fastly,
    /// LiteSpeed and OpenLiteSpeed.
    LiteSpeed,
    /// Tomcat's access log valve.
    Tomcat,
}

impl Producer {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nginx, Self::Apache, Self::Varnish, Self::Fastly, Self::LiteSpeed, Self::Tomcat];

    /// The prefix of format labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Varnish => "varnish",
            Self::Fastly => "fastly",
            Self::LiteSpeed => "litespeed",
            Self::Tomcat => "tomcat",
        }
    }

    /// The producer of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|producer| producer.name() == name)
    }

    /// The moment that the producer stamps.
    pub fn stamp(self) -> Stamp {
        match self {
            Self::Nginx | Self::Tomcat => Stamp::End,
            Self::Apache | Self::Varnish | Self::Fastly | Self::LiteSpeed => Stamp::Start,
        }
    }
}

/// Which of the two shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// With referer and user agent.
    Combined,
    /// Without.
    Common,
}

impl Builtin {
    /// The shape of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Combined, Self::Common].into_iter().find(|shape| shape.name() == name)
    }

    /// The format for somebody who asked for it by name, and so expects the field that `identity` names to be in it.
    ///
    /// # Errors
    /// [`Error::LogFormat`] when it is not.
    pub(crate) fn checked(self, producer: Option<Producer>, identity: &Identity) -> Result<Format, Error> {
        nginx_format::compile_named("", self.text(), &identity.clone().into())
            .map(|_| self.format(producer, identity))
    }

    /// The format's own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Common => "common",
        }
    }

    /// The format, as `producer` writes it.
    ///
    /// When the producer is not known, the more usual one is assumed until the text says otherwise ([`Evidence`]):
    /// nginx for *combined*, Apache for *common*. Neither has durations, so only the label and the meaning of
    /// the stamp depend on it. *Combined* may have more fields at the end, as many servers add some.
    pub fn format(self, producer: Option<Producer>, identity: &Identity) -> Format {
        let assumed = match self {
            Self::Combined => Producer::Nginx,
            Self::Common => Producer::Apache,
        };
        let by = producer.unwrap_or(assumed);
        // Neither shape has a field that could serve as identity beyond address and user agent.
        let plain = match identity {
            Identity::Ip | Identity::IpAndUserAgent => identity.clone(),
            Identity::Cookie(_) | Identity::Field(_) => Identity::IpAndUserAgent,
        };
        let mut format = nginx_format::compile_named(&self.label(by), self.text(), &plain.into())
            .expect("the built-in formats have a time, a request and a status");
        format.producer_unknown = producer.is_none();
        if let Reader::Text(mut program) = format.reader {
            program.meaning.stamp = by.stamp();
            format.reader = match self {
                Self::Combined => Reader::Combined(Program { tail: Tail::Anything, ..program }),
                Self::Common => Reader::Text(program),
            };
        }
        format
    }

    fn text(self) -> &'static str {
        match self {
            Self::Combined => COMBINED,
            Self::Common => COMMON,
        }
    }

    /// `nginx:combined` and the like.
    pub fn label(self, producer: Producer) -> String {
        format!("{}:{}", producer.name(), self.name())
    }
}

/// What the text of lines says about who wrote them: counts, which add up over any split of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Empty bodies printed as `0`: nginx, or Apache with `%B` or `%O`.
    pub zero_bytes: u64,
    /// Empty bodies printed as `-`: Apache `%b`.
    pub dash_bytes: u64,
    /// Quotes printed as `\"`: Apache.
    pub escaped_quotes: u64,
    /// Bytes printed as `\x22` or `\xC3`, upper-case: nginx.
    pub nginx_escapes: u64,
}

impl Evidence {
    /// Adds what one line says that was understood as `request`; `backslash` is where its first one is.
    pub(crate) fn add(&mut self, line: &[u8], backslash: Option<usize>, request: &Request<'_>) {
        if request.bytes_out == Some(0) {
            if request.bytes_out_is_dash { self.dash_bytes += 1 } else { self.zero_bytes += 1 }
        }
        if let Some(at) = backslash {
            match line.get(at + 1) {
                Some(b'"') => self.escaped_quotes += 1,
                Some(b'x') => {
                    let digits = line.get(at + 2..at + 4).unwrap_or_default();
                    let upper = digits == b"22" || digits.iter().any(u8::is_ascii_uppercase);
                    self.nginx_escapes += u64::from(upper);
                }
                _ => {}
            }
        }
    }

    /// Adds the evidence of another part of the log.
    pub fn merge(&mut self, other: Self) {
        self.zero_bytes += other.zero_bytes;
        self.dash_bytes += other.dash_bytes;
        self.escaped_quotes += other.escaped_quotes;
        self.nginx_escapes += other.nginx_escapes;
    }

    /// Who wrote it, where the text says.
    pub fn producer(self) -> Option<Producer> {
        let apache = self.dash_bytes + self.escaped_quotes;
        let nginx = self.zero_bytes + self.nginx_escapes;
        match (apache > 10 * nginx, nginx > 10 * apache) {
            (true, _) => Some(Producer::Apache),
            (_, true) => Some(Producer::Nginx),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Cache;

    fn line(format: Builtin, text: &str, check: impl Fn(crate::request::Request<'_>)) {
        let format = format.format(None, &Identity::Ip);
        check(format.parse(text.as_bytes(), &mut Cache::default()).unwrap());
    }

    #[test]
    fn combined_lines_of_both_servers() {
        let text = r#"host.example - frank [10/Oct/2000:13:55:36 -0700] "GET /a b?q=\"x\" HTTP/1.0" 200 - "-" "Say \"hi\"" "-""#;
        line(Builtin::Combined, text, |request| {
            assert_eq!(request.client, b"host.example");
            assert_eq!(request.user, Some(&b"frank"[..]));
            assert_eq!(request.path(), b"/a b");
            assert_eq!(request.user_agent, Some(&br#"Say "hi""#[..]));
            assert_eq!((request.referer, request.bytes_out), (None, Some(0)));
        });
    }

    #[test]
    fn a_line_cut_in_its_last_field_is_kept() {
        let text = r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 5 "-" "Mozilla/5.0 (X1"#;
        line(Builtin::Combined, text, |request| assert!(request.truncated));
    }

    #[test]
    fn the_text_tells_the_producer_where_it_can() {
        for (size, expected) in [("0", Some(Producer::Nginx)), ("-", Some(Producer::Apache)), ("17", None)] {
            let text = format!(r#"h - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 304 {size} "-" "a""#);
            let mut evidence = Evidence::default();
            let format = Builtin::Combined.format(None, &Identity::Ip);
            evidence.add(
                text.as_bytes(),
                None,
                &format.parse(text.as_bytes(), &mut Cache::default()).unwrap(),
            );
            assert_eq!(evidence.producer(), expected);
        }
    }
}
