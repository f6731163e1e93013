//! No input makes the analyzer panic: mutated lines, any bytes, any text for a format. Seeded, hence repeatable.

use std::path::Path;

use analyzer::format::builtin::Builtin;
use analyzer::format::{Cache, Format, nginx_conf, nginx_format};
use analyzer::privacy::pseudonym::Key;
use analyzer::record::Record;
use analyzer::session::identity::Identity;
use analyzer::settings::{ModelSettings, ReadSettings};
use analyzer::{Hint, Settings};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::support::{run, run_with};

/// Lines of all kinds to start from.
const LINES: [&str; 8] = [
    r#"192.0.2.1 - - [02/Nov/2026:00:00:07 +0100] "GET /a/17?b=c&d=%20 HTTP/1.1" 200 612 "https://shop.example/x?y=z" "Mozilla/5.0 (X11)" 0.002"#,
    r#"2001:db8::1 - frank [29/Feb/2024:23:59:60 -0930] "POST /p/blue-mug-17;v=1 HTTP/2.0" 302 - "-" "-" 12.345"#,
    r#"host.example - - [31/Dec/1999:23:59:59 +0000] "GET http://other.example/a//b/ HTTP/1.0" 404 0 "-" "say \"hi\" \\ \x22""#,
    r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#,
    r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 150 "-" "-""#,
    r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "" 400 0 "-" "-" 60.000"#,
    r#"2022-08-24T18:05:41+00:00 "GET / HTTP/2.0" 502 [::7]:5000, [::8]:5000 : 10.0.0.1:80 1.000, 2.000 : - 552"#,
    r#"[02/Nov/2026:00:00:01 +0100] 1793574001.250 "GET /a?b=c" 200 sid=1; a=b"#,
];

/// What is put in: what parsers stumble over.
const PIECES: [&[u8]; 26] = [
    b"\0",
    b"\"",
    b"\\",
    b"\\x",
    b"\\\"",
    b"[",
    b"]",
    b" ",
    b"  ",
    b"\t",
    b"\r",
    b"-",
    b"%",
    b"%%",
    b"%zz",
    b"?",
    b"#",
    b"{int}",
    b"{",
    b"}",
    b"99999999999999999999999",
    b"-1",
    b"1e308",
    b"\xff\xfe",
    b"\xf0\x9f\x98\x80",
    b" : , ",
];

struct Random(ChaCha8Rng);

impl Random {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn mutated(&mut self, line: &[u8]) -> Vec<u8> {
        let mut line = line.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(line.len() + 1);
            match self.below(7) {
                0 if !line.is_empty() => {
                    let at = at.min(line.len() - 1);
                    line[at] ^= 1 << self.below(8);
                }
                1 => line.truncate(at),
                2 => drop(line.drain(..at)),
                3 => {
                    let end = (at + self.below(20)).min(line.len());
                    line.drain(at..end);
                }
                4 => {
                    let run = self.below(300);
                    let byte = self.0.next_u32() as u8;
                    line.splice(at..at, std::iter::repeat_n(byte, run));
                }
                5 => {
                    let (from, size) = (self.below(line.len() + 1), self.below(40));
                    let part = line[from..(from + size).min(line.len())].to_vec();
                    line.splice(at..at, part);
                }
                _ => {
                    let piece = self.pick(&PIECES);
                    line.splice(at..at, piece.iter().copied());
                }
            }
        }
        line
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.0.next_u32() as u8).collect()
    }
}

fn formats() -> Vec<Format> {
    let cookie = Identity::Cookie("sid".to_owned());
    let given = [
        (
            r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#,
            Identity::Ip,
        ),
        (
            r#"$remote_addr $time_iso8601 "$request" $status $upstream_addr $upstream_response_time $body_bytes_sent"#,
            Identity::Ip,
        ),
        (
            r#"$http_x_real_ip [$time_local] ${msec} "$request_method $request_uri" $status $http_cookie"#,
            cookie,
        ),
        (
            r#"$http_x_forwarded_for|$status|$request|$msec|$args|$request_length|$host|$scheme|$server_protocol|$uri"#,
            Identity::IpAndUserAgent,
        ),
        (
            r#"{"c":"$remote_addr","t":"$time_iso8601","m":"$request_method","u":"$request_uri","s":"$status"}"#,
            Identity::Ip,
        ),
    ];
    let mut formats: Vec<Format> = given
        .iter()
        .map(|(text, identity)| nginx_format::compile(text, &identity.clone().into()).unwrap())
        .collect();
    formats.extend([Builtin::Combined, Builtin::Common].map(|builtin| builtin.format(None, &Identity::Ip)));
    formats
}

#[test]
fn no_line_makes_a_parser_panic() {
    let formats = formats();
    let mut random = Random::new(1);
    let mut cache = Cache::default();
    let (mut understood, mut refused) = (0, 0);
    for _ in 0..60_000 {
        let line = random.pick(&LINES).as_bytes();
        let line = random.mutated(line);
        for format in &formats {
            match format.parse(&line, &mut cache) {
                Ok(request) => {
                    understood += 1;
                    // All that is done with a request, down to its text.
                    let record = Record::raw(&request, 1);
                    assert!(record.path.is_some() || request.method.is_none());
                    assert!(request.status < 1000);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(understood > 10_000 && refused > 100_000, "{understood} {refused}");
}

/// The whole way, from any lines to a profile, by each format.
#[test]
fn no_log_makes_the_analyzer_panic() {
    let mut random = Random::new(2);
    let directory = tempfile::tempdir().unwrap();
    for (number, format) in formats().into_iter().enumerate() {
        let mut text = Vec::new();
        for _ in 0..4000 {
            let line = random.pick(&LINES).as_bytes();
            text.extend(random.mutated(line));
            text.push(b'\n');
        }
        let log = directory.path().join(format!("{number}.log"));
        fs_err::write(&log, &text).unwrap();
        for templates in [true, false] {
            let read = ReadSettings {
                inputs: vec![log.clone()],
                format: Some(format.clone()),
                templates,
                line_limit: 400,
                block_bytes: 1000,
                records: 100,
                raw: templates,
                ..ReadSettings::default()
            };
            let settings = Settings { read, model: ModelSettings { k: 1, ..ModelSettings::default() } };
            if let Ok(analysis) = analyzer::analyze(&settings, &|_| {}) {
                let input = &analysis.reading.inputs[0];
                assert_eq!(input.requests + input.rejects.total(), input.lines);
                // Whatever was read, what is written can be read again.
                let yaml = shared::io::to_yaml(&analysis.profile);
                let problem = shared::io::from_yaml(&yaml).err().map(|error| error.to_string());
                assert_eq!(problem, None, "format {number}");
            }
        }
        check_binary(&log, b"");
    }
}

/// Every command ends with an exit code of its own; a panic has another, and says so.
#[track_caller]
fn check_binary(log: &Path, input: &[u8]) {
    let log = log.to_str().unwrap();
    for arguments in [
        &["profile", log, "--k", "1", "-q"][..],
        &["inspect", log, "--records", "9999", "--stats", "--raw", "--format", "json", "-q"],
        &["events", log, "-q"],
    ] {
        let run = run_with(arguments, input);
        assert!(
            (0..=2).contains(&run.code) && !run.stderr.contains("panicked"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn no_bytes_make_the_binary_panic() {
    let mut random = Random::new(3);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("any.log");
    for size in [1, 2, 10, 18, 300, 70_000, 400_000] {
        let mut bytes = random.bytes(size);
        fs_err::write(&log, &bytes).unwrap();
        check_binary(&log, b"");
        // The same as what claims to be gzip, and as what begins like a log.
        bytes.splice(..0, [0x1f, 0x8b, 8, 0]);
        fs_err::write(&log, &bytes).unwrap();
        check_binary(&log, b"");
        bytes.splice(..4, LINES[3].bytes().chain([b'\n']).cycle().take(5000));
        check_binary(Path::new("-"), &bytes);
    }
}

#[test]
fn no_format_string_makes_the_compiler_panic() {
    const WORDS: [&str; 24] = [
        "$remote_addr",
        "$remote_user",
        "[$time_local]",
        "$time_iso8601",
        "$msec",
        "\"$request\"",
        "$request_method",
        "$request_uri",
        "$status",
        "$body_bytes_sent",
        "\"$http_referer\"",
        "${request_time}",
        "$upstream_addr",
        "$http_cookie",
        "$",
        "${",
        "}",
        "$$",
        "'",
        "\"",
        "\\",
        "log_format x ",
        ";",
        "\u{e9}",
    ];
    let mut random = Random::new(4);
    let (mut compiled, mut refused) = (0, 0);
    let mut cache = Cache::default();
    let identities =
        [Identity::Ip, Identity::Cookie("sid".to_owned()), Identity::Field("remote_user".to_owned())];
    for round in 0..30_000 {
        let mut text = String::new();
        for _ in 0..random.below(14) {
            text.push_str(random.pick(&WORDS));
            if random.below(4) > 0 {
                text.push_str(random.pick(&[" ", "|", "  ", "] ", "\t"]));
            }
        }
        // A format that has what it must, with anything around it.
        if round % 3 == 0 {
            text = format!("{text}[$time_local] \"$request\" $status {text}");
        }
        let identity = random.below(identities.len());
        match nginx_format::compile(&text, &identities[identity].clone().into()) {
            Ok(format) => {
                compiled += 1;
                for line in LINES {
                    let _ = format.parse(line.as_bytes(), &mut cache);
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("hint:"), "{text}: {error}");
            }
        }
        drop(nginx_conf::find(&text, None));
        drop(text.parse::<Hint>());
        drop(text.parse::<Identity>());
    }
    assert!(compiled > 500 && refused > 5_000, "{compiled} {refused}");
    for text in ["$", "${", "\"", "\u{0}", "$a$b", "%h %l %u %t \"%r\" %>s %b"] {
        if !text.contains('\0') {
            let run = run(&["inspect", "-", "--log-format", text]);
            assert_eq!(run.code, 2, "{text}: {}", run.stderr);
        }
    }
}

/// Stamps at the ends of what can be written: they are read or refused, and never wrap.
#[test]
fn odd_stamps_do_no_harm() {
    let key = Key::ephemeral().unwrap();
    for (stamp, duration) in [
        ("01/Jan/1970:00:00:00 +0000", "99999999999.999"),
        ("01/Jan/0000:00:00:00 +0000", "0.000"),
        ("31/Dec/9999:23:59:59 -2359", "9223372036.854"),
        ("31/Dec/9999:23:59:59 +2359", "0.000"),
        ("00/Jan/2026:00:00:00 +0000", "0.000"),
        ("32/Foo/2026:25:61:61 +9999", "0.000"),
        ("29/Feb/2023:00:00:00 +0000", "0.000"),
        ("30/Jun/2015:23:59:60 +0000", "0.000"),
        ("01/Jan/1969:00:00:00 +0000", "1.000"),
    ] {
        let line = format!(r#"192.0.2.1 - - [{stamp}] "GET / HTTP/1.1" 200 1 "-" "-" {duration}"#);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, format!("{line}\n").repeat(30).as_bytes()).unwrap();
        let read = ReadSettings {
            inputs: vec![file.path().to_owned()],
            format: formats().into_iter().next(),
            ..ReadSettings::default()
        };
        let reading = analyzer::read::read(&read, &key, &|_| {}).unwrap();
        assert_eq!(reading.counts.requests + reading.inputs[0].rejects.total(), 30, "{stamp}");
        let settings = Settings { read, model: ModelSettings { k: 1, ..ModelSettings::default() } };
        if let Ok(analysis) = analyzer::analyze(&settings, &|_| {}) {
            let yaml = shared::io::to_yaml(&analysis.profile);
            shared::io::from_yaml(&yaml).unwrap();
        }
    }
}
