//! Parts counted apart give the profile of a single run, byte for byte; and what is no part is refused.

use std::path::{Path, PathBuf};

use crate::support::{corpus, log_text, run, sample, sample_conf};

/// Files of one test: a key, and parts.
struct Parts {
    directory: tempfile::TempDir,
    from: Vec<String>,
}

impl Parts {
    fn new(from: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("key"), "0123456789abcdef".repeat(4)).unwrap();
        Self { directory, from: from.iter().map(|flag| (*flag).to_owned()).collect() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs_err::write(&path, text).unwrap();
        path
    }

    fn tally_under(&self, key: &str, inputs: &[PathBuf], shard: &str, name: &str) -> PathBuf {
        let (key, output) = (self.path(key), self.path(name));
        let inputs = inputs.iter().map(|input| input.to_str().unwrap());
        let flags = [
            "--quiet",
            "--shard",
            shard,
            "--key-file",
            key.to_str().unwrap(),
            "-o",
            output.to_str().unwrap(),
        ];
        let from = self.from.iter().map(String::as_str);
        let arguments: Vec<&str> = ["tally"].into_iter().chain(inputs).chain(flags).chain(from).collect();
        run(&arguments).ok();
        output
    }

    fn tally(&self, inputs: &[PathBuf], shard: &str, name: &str) -> PathBuf {
        self.tally_under("key", inputs, shard, name)
    }

    fn profile(&self, input: &Path) -> String {
        let from = self.from.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["profile", "--quiet", input.to_str().unwrap()].into_iter().chain(from).collect();
        String::from_utf8(run(&arguments).ok().stdout).unwrap()
    }
}

fn merged(parts: &[PathBuf], flags: &[&str]) -> String {
    let parts = parts.iter().map(|part| part.to_str().unwrap());
    let arguments: Vec<&str> =
        ["merge", "--quiet"].into_iter().chain(parts).chain(flags.iter().copied()).collect();
    String::from_utf8(run(&arguments).ok().stdout).unwrap()
}

#[track_caller]
fn check(expected: &str, found: &str, what: &str) {
    let different = expected.lines().zip(found.lines()).find(|(one, other)| one != other);
    assert!(different.is_none() && expected.len() == found.len(), "{what}: {different:?}");
}

/// `text` in `count` pieces of about one size, cut at line ends: sessions go on from one to the next.
fn slices(text: &[u8], count: usize) -> Vec<Vec<u8>> {
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    lines.chunks(lines.len().div_ceil(count)).map(<[&[u8]]>::concat).collect()
}

fn shop() -> Parts {
    Parts::new(&["--from", sample_conf().to_str().unwrap()])
}

#[test]
fn shards_of_clients_give_the_profile_of_a_single_run() {
    let parts = shop();
    let log = parts.file("shop.log", &sample());
    let expected = parts.profile(&log);
    for of in [1, 2, 7, 64] {
        let mut tallies: Vec<PathBuf> = (1..=of)
            .map(|number| {
                parts.tally(
                    std::slice::from_ref(&log),
                    &format!("{number}/{of}"),
                    &format!("{of}.{number}.tally"),
                )
            })
            .collect();
        tallies.reverse();
        check(&expected, &merged(&tallies, &[]), &format!("{of} shards"));
    }
    let tallies = [parts.path("2.1.tally"), parts.path("2.2.tally")];
    check(&expected, &merged(&tallies, &["--memory", "300k", "--threads", "2"]), "little memory");
}

#[test]
fn slices_of_time_give_the_profile_of_a_single_run() {
    let parts = shop();
    let text = sample();
    let log = parts.file("shop.log", &text);
    let expected = parts.profile(&log);
    for (count, order) in [(2, vec![1, 0]), (5, vec![3, 0, 4, 2, 1])] {
        let logs: Vec<PathBuf> = slices(&text, count)
            .iter()
            .enumerate()
            .map(|(at, slice)| parts.file(&format!("{count}.{at}.log"), slice))
            .collect();
        let each: Vec<PathBuf> = order
            .iter()
            .map(|at| parts.tally(&[logs[*at].clone()], "1/1", &format!("{count}.{at}.tally")))
            .collect();
        check(&expected, &merged(&each, &[]), &format!("{count} slices"));
        // Slices of time, each cut into shards of clients.
        let both: Vec<PathBuf> = order
            .iter()
            .flat_map(|at| [(*at, 2), (*at, 1)])
            .map(|(at, number)| {
                parts.tally(
                    &[logs[at].clone()],
                    &format!("{number}/2"),
                    &format!("{count}.{at}.{number}.tally"),
                )
            })
            .collect();
        check(&expected, &merged(&both, &[]), &format!("{count} slices in shards"));
    }
}

#[test]
fn real_logs_give_the_profile_of_a_single_run() {
    for name in ["elastic-nginx_logs.log.gz", "lab11-2009.log"] {
        let Some(log) = corpus(&format!("access_logs/{name}")) else { return };
        // As a part of a log knows as little as the whole who wrote it.
        let parts = Parts::new(&["--producer", "nginx", "--k", "2"]);
        let expected = parts.profile(&log);
        let tallies: Vec<PathBuf> = (1..=3)
            .map(|number| {
                parts.tally(std::slice::from_ref(&log), &format!("{number}/3"), &format!("{number}.tally"))
            })
            .collect();
        check(&expected, &merged(&tallies, &["--k", "2"]), name);
        let slices: Vec<PathBuf> = slices(&log_text(&log), 3)
            .iter()
            .enumerate()
            .map(|(at, slice)| {
                let log = parts.file(&format!("{at}.log"), slice);
                parts.tally(&[log], "1/1", &format!("slice.{at}.tally"))
            })
            .collect();
        check(&expected, &merged(&slices, &["--k", "2"]), name);
    }
}

#[test]
fn what_is_no_part_or_does_not_belong_is_refused() {
    let parts = shop();
    let text = sample();
    let text: Vec<u8> = text.split_inclusive(|byte| *byte == b'\n').take(3000).flatten().copied().collect();
    let log = parts.file("shop.log", &text);
    let part = parts.tally(std::slice::from_ref(&log), "1/1", "part.tally");
    let bytes = fs_err::read(&part).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs_err::metadata(&part).unwrap().permissions().mode() & 0o777, 0o600);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let (key, output) = (parts.path("key"), parts.path("warned.tally"));
        for (mode, warns) in [(0o644, true), (0o600, false)] {
            fs_err::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
            let files = [&log, &key, &output].map(|path| path.to_str().unwrap());
            let run = run(&["tally", files[0], "--key-file", files[1], "-o", files[2]]).ok();
            assert_eq!(run.stderr.contains("others can read the key"), warns, "{mode:o}: {}", run.stderr);
        }
    }
    let refused = |files: &[PathBuf], expected: &str| {
        let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        let run = run(&[&["merge"], &files[..]].concat());
        assert_eq!(run.code, 2, "{expected}");
        assert!(run.stderr.contains(expected) && run.stderr.contains("hint:"), "{}", run.stderr);
    };
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        parts.file(name, &bytes)
    };
    refused(std::slice::from_ref(&log), "found: another kind of file");
    refused(&[changed("cut", &|bytes| bytes.truncate(bytes.len() / 2))], "cannot use");
    refused(&[changed("short", &|bytes| bytes.truncate(10))], "found: a file that is not whole");
    refused(
        &[changed("sum", &|bytes| *bytes.last_mut().unwrap() ^= 1)],
        "found: a file whose checksum is wrong",
    );
    refused(&[changed("version", &|bytes| bytes[8] = 99)], "found: version 99 of the format");
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        let file = changed("bit", &|bytes| bytes[at] ^= 4);
        assert_eq!(run(&["merge", file.to_str().unwrap()]).code, 2, "a wrong bit in byte {at}");
    }
    parts.file("other-key", "f".repeat(64).as_bytes());
    let other = parts.tally_under("other-key", std::slice::from_ref(&log), "1/1", "other.tally");
    refused(&[part.clone(), other], "found: clients under another key");
    let half = parts.tally(std::slice::from_ref(&log), "1/2", "half.tally");
    refused(std::slice::from_ref(&half), "of 2 shards, number 2 is there 0 times");
    refused(&[part, half], "found: shard 1/2");
}

/// A log of Debian's `vhost_combined`: 40 clients of a shop under two names, and one who types a host of their own.
fn log_with_hosts() -> Vec<u8> {
    let mut text = String::new();
    for minute in 0..50 {
        for client in 0..40 {
            // Not by the clock, as programs are.
            let dice = (minute * 7919 + client * 104_729 + minute * minute * 31 * (client + 3)) % 101;
            if dice >= 12 {
                continue;
            }
            let second = (dice * 7 + client) % 60;
            let host = if client % 4 == 0 { "Shop.Example:443" } else { "api.shop.example:443" };
            let host = if client == 7 { "typed-by-hand.example:80" } else { host };
            let path = ["/", "/cart", "/items/4711", "/search"][dice % 4];
            text.push_str(&format!(
                "{host} 192.0.2.{client} - - [02/Nov/2026:10:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\"\n"
            ));
        }
    }
    text.into_bytes()
}

#[test]
fn the_hosts_of_a_log_become_fingerprints_that_do_not_depend_on_how_it_was_cut() {
    let parts = Parts::new(&[]);
    let text = log_with_hosts();
    let expected = parts.profile(&parts.file("all.log", &text));
    let profile = shared::io::from_yaml(&expected).unwrap();
    let hosts = profile.source.hosts.unwrap();
    let knows = |host: &str| hosts.contain(shared::hosts::HostDigest::of(host).unwrap());
    assert!(knows("shop.example") && knows("api.shop.example") && !knows("typed-by-hand.example"));
    assert_eq!(hosts.hashes.len(), 2);
    assert!(!expected.to_lowercase().contains("shop.example"), "{expected}");
    let mut tallies = Vec::new();
    for (number, slice) in slices(&text, 3).iter().enumerate() {
        let file = parts.file(&format!("{number}.log"), slice);
        for shard in ["1/2", "2/2"] {
            let name = format!("{number}.{}.tally", &shard[..1]);
            tallies.push(parts.tally(std::slice::from_ref(&file), shard, &name));
        }
    }
    check(&expected, &merged(&tallies, &[]), "parts");
    tallies.reverse();
    check(&expected, &merged(&tallies, &[]), "parts in another order");
}
