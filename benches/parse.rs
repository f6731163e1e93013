//! How fast lines become events: bytes per second of one thread, by format.

use std::hint::black_box;

use analyzer::format::{Cache, Format, builtin::Builtin, nginx_format};
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
    for (name, format, text) in [("combined", combined, lines(false)), ("log_format", timed, lines(true))] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(&format), black_box(&text))));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
