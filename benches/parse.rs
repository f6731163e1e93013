//! How fast lines become events: bytes per second of one thread, by format.

use std::hint::black_box;

use analyzer::format::{Cache, Format, Options, builtin::Builtin, detect, nginx_format};
use analyzer::session::identity::Identity;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Lines like those of a browser on a shop: what most logs mostly hold.
fn lines(with_duration: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..10_000_u32 {
        let line = format!(
            "10.{}.{}.{} - - [02/Nov/2026:{:02}:{:02}:{:02} +0100] \"GET /products/item-{}?page={} HTTP/1.1\" 200 {} \
             \"https://shop.example/c/lamps\" \"Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0\"{}\n",
            i >> 16 & 255,
            i >> 8 & 255,
            i & 255,
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
fn json_lines(caddy: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..10_000_u32 {
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

fn parse(format: &Format, text: &[u8]) -> u64 {
    let mut cache = Cache::default();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| format.parse(line, &mut cache).map_or(0, |request| u64::from(request.status))).sum()
}

fn bench(criterion: &mut Criterion) {
    let combined = Builtin::Combined.format(None, &Identity::Ip);
    let timed = nginx_format::compile(
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#,
        &Identity::Ip,
    )
    .expect("the format has a time, a request and a status");
    let mut group = criterion.benchmark_group("parse");
    let json = [("caddy_json", json_lines(true)), ("nginx_json", json_lines(false))].map(|(name, text)| {
        let found = detect::detect(&text[..1 << 16], &Options::default());
        (name, found.into_iter().next().expect("the lines are of a known format").format, text)
    });
    let text = [("combined", combined, lines(false)), ("log_format", timed, lines(true))];
    for (name, format, text) in text.into_iter().chain(json) {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(&format), black_box(&text))));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
