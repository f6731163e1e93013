//! The same log gives the same bytes: over threads, blocks, files, orders, compression, keys and names of clients.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use analyzer::Settings;
use analyzer::settings::ReadSettings;

use crate::support::{
    RawLine, analyze, corpus, gzip, log_text, run, run_with, sample, sample_conf, sample_gz, sample_settings,
};

fn yaml(settings: &Settings) -> String {
    shared::io::to_yaml(&analyze(settings))
}

/// Parts are compared by hand, because a failed `assert_eq` would print megabytes.
#[track_caller]
fn check(expected: &str, found: &str, what: &str) {
    if let Some((one, other)) = expected.lines().zip(found.lines()).find(|(one, other)| one != other) {
        let cut = |line: &str| line.chars().take(300).collect::<String>();
        panic!("{what}:\n- {}\n+ {}", cut(one), cut(other));
    }
    assert!(expected.len() == found.len(), "{what}: {} bytes, then {}", expected.len(), found.len());
}

fn write(directory: &tempfile::TempDir, name: &str, text: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    fs_err::write(&path, text).unwrap();
    path
}

/// `text` cut into `count` parts of about one size, at line ends.
fn split(text: &[u8], count: usize) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    for left in (1..=count).rev() {
        let near = rest.len() / left;
        let end = match left {
            1 => rest.len(),
            _ => near + rest[near..].iter().position(|byte| *byte == b'\n').unwrap() + 1,
        };
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let with_last = |at: usize| {
        shorter.iter().map(move |order| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        })
    };
    (0..count).flat_map(with_last).collect()
}

#[test]
fn the_binary_gives_the_same_bytes_for_any_threads_file_stream_and_run() {
    let directory = tempfile::tempdir().unwrap();
    let text = sample();
    let plain = write(&directory, "shop.log", &text);
    let plain = plain.to_str().unwrap();
    let (gz, conf) = (sample_gz(), sample_conf());
    let from = ["--from", conf.to_str().unwrap(), "--quiet"];
    let profile = |arguments: &[&str]| {
        let run = run(&[&["profile"], arguments, &from[..]].concat()).ok();
        String::from_utf8(run.stdout).unwrap()
    };
    let expected = profile(&[plain, "--threads", "1"]);
    assert!(expected.contains("get_p_slug"));
    for threads in ["1", "2", "7"] {
        check(&expected, &profile(&[plain, "--threads", threads]), &format!("{threads} threads"));
    }
    for (memory, threads) in [("0", "1"), ("300k", "2"), ("3M", "2")] {
        let found = profile(&[plain, "--threads", threads, "--memory", memory]);
        check(&expected, &found, &format!("{memory} of memory"));
    }
    check(&expected, &profile(&[gz.to_str().unwrap(), "--threads", "2"]), "gzip");
    for (what, input) in [("stdin", text.clone()), ("gzip on stdin", fs_err::read(&gz).unwrap())] {
        let run = run_with(&[&["profile", "-"], &from[..]].concat(), &input).ok();
        check(&expected, std::str::from_utf8(&run.stdout).unwrap(), what);
    }
    // Through a file, and from a directory.
    let out = directory.path().join("profile.yaml");
    run(&[&["profile", plain, "-o", out.to_str().unwrap()], &from[..]].concat()).ok();
    check(&expected, &fs_err::read_to_string(&out).unwrap(), "a file");
    let logs = tempfile::tempdir().unwrap();
    for (i, part) in split(&text, 3).into_iter().enumerate() {
        write(&logs, &format!("access.log.{i}"), part);
    }
    check(&expected, &profile(&[logs.path().to_str().unwrap()]), "a directory");
}

#[test]
fn block_sizes_do_not_show() {
    let directory = tempfile::tempdir().unwrap();
    let text = sample();
    let mut settings = sample_settings(vec![write(&directory, "shop.log", &text)]);
    let expected = yaml(&settings);
    for block_bytes in [1000, 64 << 10, 100 << 20] {
        settings.read.block_bytes = block_bytes;
        check(&expected, &yaml(&settings), &format!("blocks of {block_bytes}"));
    }
    settings.read.inputs = vec![sample_gz()];
    settings.read.block_bytes = 64 << 10;
    check(&expected, &yaml(&settings), "a stream in blocks of 64 KiB");
}

/// `log` in `parts` files, in each of `orders`, gives what the one file gives.
fn check_split(log: &[u8], mut settings: Settings, parts: usize, orders: &[Vec<usize>]) {
    let directory = tempfile::tempdir().unwrap();
    settings.read.inputs = vec![write(&directory, "whole.log", log)];
    let expected = yaml(&settings);
    let parts: Vec<PathBuf> = split(log, parts)
        .into_iter()
        .enumerate()
        .map(|(i, part)| match i % 4 {
            // Rotated logs are compressed, all but the last ones.
            0 => write(&directory, &format!("part{i}.log.gz"), &gzip(part)),
            2 => write(&directory, &format!("part{i}.log.zst"), &zstd::encode_all(part, 1).unwrap()),
            _ => write(&directory, &format!("part{i}.log"), part),
        })
        .collect();
    for (at, order) in orders.iter().enumerate() {
        settings.read.inputs = order.iter().map(|at| parts[*at].clone()).collect();
        // Every other time most events go through a file.
        settings.read.event_bytes = if at % 2 == 0 { u64::MAX } else { 100_000 };
        check(&expected, &yaml(&settings), &format!("order {order:?}"));
    }
}

#[test]
fn the_sample_may_come_in_parts_and_in_any_order() {
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]].map(Vec::from);
    check_split(&sample(), sample_settings(Vec::new()), 4, &orders);
}

#[test]
fn one_day_may_come_in_parts_and_in_all_orders() {
    let text = sample();
    let one_day = split(&text, 8)[3];
    check_split(one_day, sample_settings(Vec::new()), 4, &permutations(4));
}

/// Real logs, whose stamps go back by up to 1,131 s (mountaintel): a part is put in its place by its first stamp, which
/// is right as long as no part lies within a step back as a whole.
#[test]
fn real_logs_may_come_in_parts_and_in_any_order() {
    for name in ["mountaintel-2005-2018.log.gz", "elastic-apache_logs.log", "lab11-2009.log"] {
        let Some(log) = corpus(&format!("access_logs/{name}")) else { return };
        let text = log_text(&log);
        let orders = match text.len() {
            0..=5_000_000 => permutations(4),
            _ => [[3, 2, 1, 0], [1, 3, 0, 2]].map(Vec::from).to_vec(),
        };
        let settings = Settings {
            model: analyzer::settings::ModelSettings { k: 2, ..Default::default() },
            ..Settings::default()
        };
        check_split(&text, settings, 4, &orders);
    }
}

#[test]
fn real_logs_do_not_depend_on_threads_and_blocks() {
    for name in ["mountaintel-2005-2018.log.gz", "elastic-apache_logs.log", "lab11-2009.log"] {
        let Some(log) = corpus(&format!("access_logs/{name}")) else { return };
        let directory = tempfile::tempdir().unwrap();
        let inputs = vec![write(&directory, "access.log", &log_text(&log))];
        let mut settings = Settings {
            read: ReadSettings { inputs, threads: 1, ..ReadSettings::default() },
            ..Settings::default()
        };
        let expected = yaml(&settings);
        for (threads, block_bytes) in [(2, 2 << 20), (7, 64 << 10), (3, 1000)] {
            (settings.read.threads, settings.read.block_bytes) = (threads, block_bytes);
            check(
                &expected,
                &yaml(&settings),
                &format!("{name}, {threads} threads, blocks of {block_bytes}"),
            );
        }
    }
}

/// Another address for each address, one for one, in either family.
fn other_address(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(v4)) => IpAddr::V4((u32::from(v4) ^ 0x0503_5a99).into()).to_string(),
        Ok(IpAddr::V6(v6)) => IpAddr::V6((u128::from(v6) ^ 0x1234_5678_9abc_def1).into()).to_string(),
        Err(_) => panic!("a client of the sample is no address"),
    }
}

/// `log` with each line's fields put through `change`, where it has fields.
fn rewritten(log: &[u8], mut change: impl FnMut(&str, &RawLine<'_>) -> String) -> Vec<u8> {
    let mut out = Vec::with_capacity(log.len());
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        match std::str::from_utf8(line).ok().and_then(|text| Some((text, RawLine::new(text)?))) {
            Some((text, raw)) => out.extend_from_slice(change(text, &raw).as_bytes()),
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// What a log says of who it was does not reach the profile: renaming all clients changes not one byte.
#[test]
fn clients_may_be_renamed() {
    let directory = tempfile::tempdir().unwrap();
    let mut names: HashMap<String, String> = HashMap::new();
    let text = rewritten(&sample(), |line, raw| {
        let name = names.entry(raw.client.to_owned()).or_insert_with_key(|address| other_address(address));
        format!("{name}{}", &line[raw.client.len()..])
    });
    assert!(names.len() > 10_000 && names.iter().all(|(one, other)| one != other));
    let expected = yaml(&sample_settings(vec![sample_gz()]));
    let found = yaml(&sample_settings(vec![write(&directory, "renamed.log", &text)]));
    check(&expected, &found, "clients renamed");
}

/// Nor does what people typed: queries, referers and user names are nowhere in it, not even as a count.
#[test]
fn queries_referers_and_users_may_be_anything() {
    let directory = tempfile::tempdir().unwrap();
    let mut changed = 0;
    let text = rewritten(&sample(), |line, raw| {
        changed += 1;
        let target = match raw.query() {
            Some(query) => raw.target.replace(query, "q=0"),
            None => format!("{}?q=0", raw.target),
        };
        let head = line.split_once(" [").unwrap().1.split_once("] \"").unwrap().0;
        let numbers =
            line.split_once(" HTTP/").unwrap_or(("", "1.0\" 0 0")).1.split('"').nth(1).unwrap_or_default();
        format!(
            "{} - somebody [{head}] \"{} {target} HTTP/1.1\"{numbers}\"https://other.example/\" \"{}\"{}",
            raw.client, raw.method, raw.user_agent, raw.rest
        )
    });
    assert!(changed > 240_000);
    // The names of queries are part of a profile; everything else must not depend on them.
    let without_queries = |log: PathBuf| {
        let mut profile = analyze(&sample_settings(vec![log]));
        profile.endpoints.iter_mut().for_each(|endpoint| endpoint.query.clear());
        shared::io::to_yaml(&profile)
    };
    let expected = without_queries(sample_gz());
    let found = without_queries(write(&directory, "typed.log", &text));
    check(&expected, &found, "queries, referers and users changed");
}

/// A profile holds no path of the machine and no moment of the run.
#[test]
fn where_and_when_a_log_was_read_does_not_show() {
    let settings = |path: &Path| sample_settings(vec![path.to_owned()]);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = sample();
    let part = split(&text, 10)[5];
    let expected = yaml(&settings(&write(&one, "a.log", part)));
    check(&expected, &yaml(&settings(&write(&other, "somewhere-else.log.1", part))), "another place");
    assert!(!expected.contains(one.path().to_str().unwrap()));
}
