//! How fast each stage from text to counts is, on one thread, so that a regression is found where it arises.

use std::hint::black_box;
use std::io::Write as _;

use analyzer::format::{Cache, Format, Options, builtin::Builtin, detect, nginx_format};
use analyzer::privacy::pseudonym::{ClientResolver, Key};
use analyzer::session::identity::Identity;
use analyzer::settings::ReadSettings;
use analyzer::{Settings, stages};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const LINES: u32 = 10_000;
const TIMED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#;

/// Lines like those of browsers on a shop: what most logs mostly hold. Every client has four lines or, when there
/// are many, one.
fn text(with_duration: bool, many_clients: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..LINES {
        let client = if many_clients { i.wrapping_mul(0x9e37_79b1) >> 8 } else { i / 4 };
        let line = format!(
            "10.{}.{}.{} - - [02/Nov/2026:{:02}:{:02}:{:02} +0100] \"GET /products/item-{}?page={} HTTP/1.1\" 200 {} \
             \"https://shop.example/c/lamps\" \"Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0\"{}\n",
            client >> 16 & 255,
            client >> 8 & 255,
            client & 255,
            i / 3600 % 24,
            i / 60 % 60,
            i % 60,
            i % 997,
            i % 7,
            1000 + i * 37 % 50_000,
            120 + i % 10,
            120 + i % 10,
            if with_duration { format!(" 0.{:03}", i % 1000) } else { String::new() }
        );
        text.extend_from_slice(line.as_bytes());
    }
    text
}

/// Lines of Caddy, whose headers come in another order each time, and of an nginx that writes JSON.
fn json_text(caddy: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..LINES {
        let agent = format!(
            "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0",
            120 + i % 10,
            120 + i % 10
        );
        let client = format!("10.{}.{}.{}", i >> 16 & 255, i >> 8 & 255, i & 255);
        let (product, page, size, took) = (i % 997, i % 7, 1000 + i * 37 % 50_000, i % 1000);
        let headers = [
            r#""Accept":["text/html,application/xhtml+xml"]"#.to_owned(),
            r#""Accept-Encoding":["gzip, deflate, br"]"#.to_owned(),
            format!(r#""User-Agent":["{agent}"]"#),
        ];
        let turn = i as usize % 3;
        let headers = [&headers[turn..], &headers[..turn]].concat().join(",");
        let line = match caddy {
            true => format!(
                r#"{{"level":"info","ts":{}.{took:03},"logger":"http.log.access","msg":"handled request","request":{{"remote_ip":"{client}","remote_port":"41342","client_ip":"{client}","proto":"HTTP/2.0","method":"GET","host":"shop.example","uri":"/products/item-{product}?page={page}","headers":{{{headers}}}}},"bytes_read":0,"user_id":"","duration":0.{took:03},"size":{size},"status":200,"resp_headers":{{"Server":["Caddy"],"Content-Type":["text/html; charset=utf-8"]}}}}"#,
                1_793_577_600 + i
            ),
            false => format!(
                r#"{{"time_iso8601":"2026-11-02T{:02}:{:02}:{:02}+01:00","remote_addr":"{client}","request":"GET /products/item-{product}?page={page} HTTP/1.1","status":200,"body_bytes_sent":{size},"request_time":0.{took:03},"http_referer":"https://shop.example/c/lamps","http_user_agent":"{agent}"}}"#,
                i / 3600 % 24,
                i / 60 % 60,
                i % 60
            ),
        };
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn parse(format: &Format, text: &[u8]) -> u64 {
    let mut cache = Cache::default();
    lines(text)
        .map(|line| format.parse(line, &mut cache).map_or(0, |request| u64::from(request.status)))
        .sum()
}

fn fields(criterion: &mut Criterion) {
    let combined = Builtin::Combined.format(None, &Identity::Ip);
    let timed = nginx_format::compile(TIMED, &Identity::Ip.into())
        .expect("the format has a time, a request and a status");
    let mut group = criterion.benchmark_group("parse");
    let plain = text(false, false);
    group.throughput(Throughput::Bytes(plain.len() as u64));
    group.bench_function("lines", |bencher| bencher.iter(|| stages::lines(black_box(&plain))));
    let json = [("caddy_json", json_text(true)), ("nginx_json", json_text(false))].map(|(name, text)| {
        let found = detect::detect(&text[..1 << 16], &Options::default());
        (name, found.into_iter().next().expect("the lines are of a known format").format, text)
    });
    let text = [("combined", combined, plain), ("log_format", timed, text(true, false))];
    for (name, format, text) in text.into_iter().chain(json) {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(&format), black_box(&text))));
    }
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    let format = Builtin::Combined.format(None, &Identity::IpAndUserAgent);
    let key = Key::ephemeral().expect("the system has random bytes");
    let mut group = criterion.benchmark_group("request");
    group.throughput(Throughput::Elements(u64::from(LINES)));
    for (name, text) in [("client", text(false, false)), ("client, all new", text(false, true))] {
        let mut clients = ClientResolver::new(&key, &Identity::IpAndUserAgent, None);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut cache = Cache::default();
                let of = |line| {
                    format.parse(line, &mut cache).map_or(0, |request| clients.client(&request).client)
                };
                lines(black_box(&text)).map(of).fold(0, |all, client| all ^ client)
            })
        });
    }
    let (text, mut resources) = (text(false, false), stages::Resources::default());
    group.bench_function("resource", |bencher| {
        bencher.iter(|| {
            let mut cache = Cache::default();
            let of = |line| format.parse(line, &mut cache).map_or(0, |request| resources.number(&request));
            lines(black_box(&text)).map(of).fold(0, |all, resource| all ^ resource)
        })
    });
    group.throughput(Throughput::Elements(1));
    for path in
        ["/products/item-17", "/orders/0b6a3c1e-5d2f-4d1c-9a3b-2f1e0d9c8b7a", "/static/app.4f2a9c1e.css"]
    {
        let mut shape = Vec::new();
        group.bench_function(format!("shape of {path}"), |bencher| {
            bencher.iter(|| {
                shape.clear();
                stages::shape(black_box(path.as_bytes()), &mut shape);
                shape.len()
            })
        });
    }
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("events");
    group.throughput(Throughput::Elements(u64::from(LINES)));
    for (name, many_clients) in [("", false), (", all new", true)] {
        let mut log = tempfile::NamedTempFile::new().expect("there is room for a log");
        log.write_all(&text(false, many_clients)).expect("there is room for a log");
        let inputs = vec![log.path().to_owned()];
        let settings =
            Settings { read: ReadSettings { inputs, ..ReadSettings::default() }, ..Settings::default() };
        let key = Key::ephemeral().expect("the system has random bytes");
        let read = || analyzer::read::read(&settings.read, &key, &|_| {}).expect("the log can be read");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be had");
        group.bench_function(format!("read{name}"), |bencher| {
            bencher.iter_with_large_drop(|| pool.install(read));
        });
        let reading = pool.install(read);
        group.bench_function(format!("sort{name}"), |bencher| bencher.iter(|| stages::sort(&reading)));
        group.bench_function(format!("tally{name}"), |bencher| {
            bencher.iter(|| pool.install(|| stages::tally(&reading, &settings)));
        });
    }
    group.finish();
}

fn rates(criterion: &mut Criterion) {
    let counts: Vec<f64> = (0..2016).map(|bin| f64::from(bin * 37 % 91)).collect();
    criterion
        .bench_function("rates of a week", |bencher| bencher.iter(|| stages::rates(black_box(&counts), 336)));
}

criterion_group!(benches, fields, requests, events, rates);
criterion_main!(benches);
