//! Logs come compressed, cut off, padded, packed, scattered and twice: what is in them is the same.

use std::path::PathBuf;

use analyzer::Reading;
use analyzer::privacy::pseudonym::Key;
use analyzer::read::Why;
use analyzer::settings::ReadSettings;

use crate::support::{COMPRESSIONS, gzip, run, run_with};

/// A log of `requests` lines, in combined format.
fn log(requests: usize) -> Vec<u8> {
    let line = |i: usize| {
        format!(
            "192.0.2.{} - - [02/Nov/2026:{:02}:{:02}:{:02} +0100] \"GET /items/{i} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0\"\n",
            i % 200,
            i / 3600 % 24,
            i / 60 % 60,
            i % 60,
            i * 7919 % 50_000,
        )
    };
    (0..requests).map(line).collect::<String>().into_bytes()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }
}

fn settings(inputs: &[PathBuf]) -> ReadSettings {
    ReadSettings { inputs: inputs.to_vec(), threads: 2, block_bytes: 10_000, ..ReadSettings::default() }
}

fn try_read(settings: &ReadSettings) -> Result<Reading, analyzer::Error> {
    let key = Key::ephemeral().unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(settings.threads).build().unwrap();
    pool.install(|| analyzer::read::read(settings, &key, &|_| {}))
}

#[track_caller]
fn read(inputs: &[PathBuf]) -> Reading {
    try_read(&settings(inputs)).unwrap_or_else(|error| panic!("{error}"))
}

/// What was read is `expected`, whole; what the container is called, and what was odd about it.
#[track_caller]
fn check_whole(place: &Place, container: &[u8], text: &[u8], what: &str) -> (Option<String>, Option<String>) {
    // A wrong name, or none that says anything: the content decides.
    let reading = read(&[place.file("access.log.bz2", container)]);
    let expected = read(&[place.file("plain.log", text)]);
    assert_eq!(format!("{:?}", reading.counts), format!("{:?}", expected.counts), "{what}");
    let [input] = &reading.inputs[..] else { panic!("{what}: {} inputs", reading.inputs.len()) };
    assert_eq!(input.lines, expected.inputs[0].lines, "{what}");
    assert_eq!(input.broken, None, "{what}");
    (input.compressed.clone(), input.odd.clone())
}

#[test]
fn compressed_logs_are_the_same_logs() {
    let place = Place::new();
    let text = log(3000);
    check_whole(&place, &text, &text, "plain text named as compressed");
    for (name, compress) in COMPRESSIONS {
        let whole = compress(&text);
        let members = |count: usize| text.chunks(text.len() / count).flat_map(compress).collect::<Vec<u8>>();
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0][..], b"12345"].concat();
        let mut cases = vec![
            ("whole", whole.clone()),
            ("two members, cut inside a line", members(2)),
            ("many members", members(50)),
            ("empty members", [compress(b""), whole.clone(), compress(b"")].concat()),
        ];
        if name == "zstd" || name == "lz4" {
            cases.push(("a skippable frame between", [&whole[..], &skippable].concat()));
        }
        if name == "zstd" {
            cases.push(("a skippable frame in front", [&skippable[..], &whole].concat()));
        }
        if name == "xz" {
            cases.push(("stream padding", [&whole[..], &[0; 8]].concat()));
        }
        for (what, container) in cases {
            let found = check_whole(&place, &container, &text, &format!("{name}: {what}"));
            assert_eq!(found, (Some(name.to_owned()), None), "{what}");
        }
        let twice = check_whole(&place, &gzip(&whole), &text, &format!("{name} in gzip"));
        assert_eq!(twice.0, Some(format!("{name} in gzip")));
        for (what, behind) in [("zeros", vec![0; 512 + 1]), ("text", b"and so on\n".repeat(40_000))] {
            let (_, odd) =
                check_whole(&place, &[&whole[..], &behind].concat(), &text, &format!("{name}, {what}"));
            let odd = odd.unwrap_or_else(|| panic!("{name}: {what} behind is not reported"));
            let count = if name == "xz" && what == "zeros" { 1 } else { behind.len() };
            assert!(odd.starts_with(&format!("{count} bytes after the end of the {name} stream")), "{odd}");
        }
        let run = run_with(&["inspect", "-", "--format", "json"], &whole).ok().json();
        assert_eq!(
            (&run["inputs"][0]["lines"], &run["inputs"][0]["compressed"]),
            (&3000.into(), &name.into())
        );
    }
}

/// Cut anywhere, a stream gives what is before the cut, and is reported.
#[test]
fn what_is_before_a_cut_is_used() {
    let place = Place::new();
    let text = log(6000);
    for (name, compress) in COMPRESSIONS {
        // Members of one, two and three parts of six.
        let border = text.len() / 6;
        let members = [&text[..border], &text[border..3 * border], &text[3 * border..]].map(compress);
        let whole = members.concat();
        let borders = [members[0].len(), members[0].len() + members[1].len()];
        let mut last = 0;
        let cuts = (0..40).map(|i| 1 + i * (whole.len() - 1) / 40);
        let near = borders.iter().flat_map(|border| border - 1..border + 8);
        let mut cuts: Vec<usize> = cuts.chain(near).chain([whole.len() - 1]).collect();
        cuts.sort_unstable();
        for cut in cuts {
            let file = place.file("cut.log", &whole[..cut]);
            let what = format!("{name} cut at {cut} of {}", whole.len());
            // Before the first line is out there is nothing to tell a format by.
            let Ok(reading) = try_read(&settings(&[file])) else {
                assert_eq!(last, 0, "{what}");
                continue;
            };
            let input = &reading.inputs[0];
            assert_eq!(input.broken.is_none(), borders.contains(&cut), "{what}: {:?}", input.broken);
            assert!(input.requests + 1 >= last && input.requests <= 6000, "{what}: {}", input.requests);
            if cut >= borders[0] {
                assert!(input.requests >= 999, "{what}: {}", input.requests);
            }
            last = input.requests;
        }
        assert!(last >= 2999, "{name}: {last}");
    }
}

/// Bytes turned over inside a stream: what is before is used, and nothing panics or hangs.
#[test]
fn corrupt_data_is_reported() {
    let place = Place::new();
    let text = log(6000);
    for (name, compress) in COMPRESSIONS {
        let whole = [compress(&text[..text.len() / 2]), compress(&text[text.len() / 2..])].concat();
        let mut reported = 0;
        for part in 1..20 {
            let mut bytes = whole.clone();
            bytes[whole.len() * part / 20] ^= 0x55;
            let file = place.file("corrupt.log", &bytes);
            match try_read(&settings(&[file])) {
                Ok(reading) => reported += u32::from(reading.inputs[0].broken.is_some()),
                Err(_) => reported += 1,
            }
        }
        assert_eq!(reported, 19, "{name}");
    }
}

#[test]
fn bombs_end_early() {
    let place = Place::new();
    let line = &log(1)[..];
    let text: Vec<u8> = line.iter().copied().cycle().take(line.len() * 1_000_000).collect();
    let bomb = zstd::encode_all(&text[..], 1).unwrap();
    assert!(text.len() > 100 * bomb.len() && text.len() > 80 << 20, "{} of {}", bomb.len(), text.len());
    let file = place.file("bomb.zst", &bomb);
    let read = |ratio_limit| {
        let settings =
            ReadSettings { ratio_limit, block_bytes: 2 << 20, ..settings(std::slice::from_ref(&file)) };
        let input = try_read(&settings).unwrap().inputs.remove(0);
        (input.lines, input.broken)
    };
    let (lines, broken) = read(100);
    assert!(lines * line.len() as u64 >= (64 << 20) - (64 << 10) && lines < 1_000_000, "{lines}");
    assert!(broken.is_some_and(|why| why.contains("more than 100 times") && why.contains("--max-ratio")));
    assert_eq!(read(1_000_000), (1_000_000, None));
}

/// A directory as servers have them: everything in it counts once.
#[test]
fn a_directory_of_everything_is_one_log() {
    let place = Place::new();
    let text = log(6000);
    let parts: Vec<&[u8]> = {
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let sizes = lines.chunks(1000).map(|part| part.iter().map(|line| line.len()).sum::<usize>());
        let mut rest = &text[..];
        sizes.map(|size| rest.split_off(..size).unwrap()).collect()
    };
    for (i, (name, compress)) in COMPRESSIONS.into_iter().enumerate() {
        place.file(&format!("logs/deep/{i}/access.log.{name}"), &compress(parts[i]));
    }
    let last = place.file("logs/access.log", parts[5]);
    place.file("logs/new.log", b"");
    place.file("logs/quiet.log.gz", &gzip(b""));
    place.file("logs/.hidden.log", parts[5]);
    place.file("logs/.git/access.log", parts[5]);
    place.file("logs/notes.txt", b"buy milk\n");
    place.file("logs/old.zip", b"PK\x03\x04 and so on");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let at = |name: &str| place.0.path().join(name);
        symlink(at("logs"), at("logs/deep/up")).unwrap();
        symlink("itself", at("logs/itself")).unwrap();
        symlink("nowhere", at("logs/nowhere")).unwrap();
        symlink(&last, at("logs/current.log")).unwrap();
        fs_err::hard_link(&last, at("logs/linked.log")).unwrap();
    }
    let expected = read(&[place.file("whole.log", &text)]);
    let directory = place.0.path().join("logs");
    for inputs in [
        vec![directory.clone()],
        vec![directory.clone(), last.clone(), directory.join("deep")],
        vec![directory.join("deep/**/*"), directory.join("a*.log")],
        vec![directory.join("*")],
    ] {
        let reading = read(&inputs);
        assert_eq!(format!("{:?}", reading.counts), format!("{:?}", expected.counts), "{inputs:?}");
        assert_eq!(reading.inputs.len(), 6);
    }
    let passed_over = read(&[directory.clone(), last]).passed_over;
    let count = |why: &Why| passed_over.iter().filter(|file| file.why == *why).count();
    assert_eq!((count(&Why::Empty), count(&Why::NoLog)), (2, 2), "{passed_over:?}");
    assert_eq!(count(&Why::Repeated), if cfg!(unix) { 3 } else { 1 }, "{passed_over:?}");
    let run = run(&["profile", directory.to_str().unwrap(), "--k", "1"]).ok();
    for part in ["new.log` and 1 more passed over: empty", "passed over: no log", "read once"] {
        assert!(run.stderr.contains(part), "no `{part}` in {}", run.stderr);
    }
}

#[test]
fn inputs_that_cannot_be_used_say_what_to_do() {
    let place = Place::new();
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    let names = |path: PathBuf| path.to_str().unwrap().to_owned();
    let cases = [
        (names(place.file("logs.tar.gz", &gzip(&tar))), &["a tar archive", "tar -xOf"][..]),
        (names(place.file("logs.zip", b"PK\x03\x04....")), &["a zip archive", "unzip -p"]),
        (names(place.file("cut.gz", &gzip(b"x")[..10])), &["the gzip stream is cut off"]),
        (names(place.0.path().join("none*.log")), &["no file matches it", "expected: "]),
        (names(place.0.path().join("a**b")), &["cannot use the pattern", "expected: "]),
        (
            "s3://bucket/logs/".to_owned(),
            if cfg!(feature = "object-store") { &["hint: "] } else { &["object-store", "hint: "] },
        ),
    ];
    for (input, parts) in cases {
        if input.starts_with("s3:") && cfg!(feature = "object-store") {
            continue;
        }
        let run = run(&["profile", &input]);
        assert_eq!(run.code, 2, "{input}: {}", run.stderr);
        for part in parts.iter().chain([&input.as_str()]) {
            assert!(run.stderr.contains(part), "no `{part}` in {}", run.stderr);
        }
    }
}

/// A file that is cut while it is read, at any moment, does no harm; one that grows is read as it was.
#[test]
fn files_may_shrink_and_grow_meanwhile() {
    let place = Place::new();
    let text = log(20_000);
    let path = place.file("access.log", &text);
    let change = |length: u64| {
        let path = path.clone();
        let changed = std::sync::Once::new();
        let key = Key::ephemeral().unwrap();
        let settings = ReadSettings { threads: 1, ..settings(std::slice::from_ref(&path)) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let on_bytes = |_| {
            changed.call_once(|| {
                let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(length).unwrap();
            });
        };
        let reading = pool.install(|| analyzer::read::read(&settings, &key, &on_bytes)).unwrap();
        let input = reading.inputs.into_iter().next().unwrap();
        fs_err::write(&path, &text).unwrap();
        input
    };
    let grown = change(text.len() as u64 + 100_000);
    assert_eq!((grown.requests, grown.broken), (20_000, None));
    for length in [0, 50, 100_000, text.len() as u64 - 1_000] {
        let shrunk = change(length);
        assert!((1..20_000).contains(&shrunk.requests), "{length}: {}", shrunk.requests);
        assert!(shrunk.broken.is_some_and(|why| why.contains("shrank")), "{length}");
    }
}

/// Each of thousands of files is opened when its turn has come, and is then the one that was looked at.
#[test]
#[cfg(target_os = "linux")]
fn many_files_need_few_descriptors() {
    let place = Place::new();
    for i in 0..300 {
        place.file(&format!("logs/{i}.log"), &log(3));
    }
    let directory = place.0.path().join("logs");
    let program = env!("CARGO_BIN_EXE_analyzer");
    let script = format!("ulimit -n 64 && exec '{program}' inspect '{}' --format json", directory.display());
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let inspected: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(inspected["inputs"].as_array().unwrap().len(), 300);
}

#[test]
fn a_file_that_another_took_the_place_of_is_not_misread() {
    let place = Place::new();
    let first = place.file("1.log", &log(2000));
    let second = place.file("2.log", &log(1000));
    let changed = std::sync::Once::new();
    let key = Key::ephemeral().unwrap();
    let on_bytes = |_| changed.call_once(|| fs_err::write(&second, b"something else\n".repeat(99)).unwrap());
    let settings = ReadSettings { threads: 1, ..settings(&[first, second.clone()]) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let reading = pool.install(|| analyzer::read::read(&settings, &key, &on_bytes)).unwrap();
    assert_eq!((reading.inputs[0].lines, reading.inputs[1].lines), (2000, 0));
    assert!(reading.inputs[1].broken.as_ref().is_some_and(|why| why.contains("took its place")));
}

#[test]
fn two_copies_of_one_log_are_told() {
    let place = Place::new();
    let (plain, packed) =
        (place.file("access.log.1", &log(50)), place.file("access.log.1.gz", &gzip(&log(50))));
    let reading = read(&[plain, place.file("access.log", &log(60)), packed]);
    assert_eq!(reading.counts.requests, 160);
    let odd: Vec<bool> = reading
        .inputs
        .iter()
        .map(|input| input.odd.as_ref().is_some_and(|odd| odd.contains("the same lines as")))
        .collect();
    assert_eq!(odd, [false, false, true]);
}

/// What Firehose writes for CloudWatch Logs: documents without anything between, compressed one by one, and once
/// more as a file.
#[test]
fn envelopes_are_taken_off_under_their_compression() {
    let place = Place::new();
    let text = log(400);
    let lines: Vec<&str> = std::str::from_utf8(&text).unwrap().lines().collect();
    let document = |lines: &[&str]| {
        let events: Vec<_> = lines
            .iter()
            .map(|line| serde_json::json!({"id": "1", "timestamp": 1, "message": line}))
            .collect();
        let kind = if lines.is_empty() { "CONTROL_MESSAGE" } else { "DATA_MESSAGE" };
        serde_json::json!({"logEvents": events, "logGroup": "web", "messageType": kind}).to_string()
    };
    let documents = [&lines[..0], &lines[..100], &lines[100..]].map(document);
    let members: Vec<u8> = documents.iter().flat_map(|document| gzip(document.as_bytes())).collect();
    for (what, container) in [
        ("plain", documents.concat().into_bytes()),
        ("members", members.clone()),
        ("members in gzip", gzip(&members)),
        ("documents on lines", documents.join("\n").into_bytes()),
    ] {
        check_whole(&place, &container, &text, what);
        let reading = read(&[place.file("stream", &container)]);
        assert_eq!(reading.inputs[0].envelope, Some("cloudwatch"), "{what}");
        // The same on standard input, which cannot be read twice.
        let inspected = run_with(&["inspect", "-", "--format", "json"], &container).ok().json();
        assert_eq!(inspected["inputs"][0]["requests"], 400, "{what}");
    }
}

/// Pipes with names are read as streams, several of them in turn.
#[test]
#[cfg(unix)]
fn pipes_are_streams() {
    let place = Place::new();
    let packed = place.file("access.log.gz", &gzip(&log(3000)));
    let program = env!("CARGO_BIN_EXE_analyzer");
    let script = format!(
        "cd '{}' && mkfifo one other && {{ cat '{file}' > one & cat '{file}' > other & }} && '{program}' inspect one other /dev/stdin --format json < '{file}'",
        place.0.path().display(),
        file = packed.display(),
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let inspected: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for input in inspected["inputs"].as_array().unwrap() {
        assert_eq!((&input["requests"], &input["compressed"]), (&3000.into(), &"gzip".into()));
    }
    assert_eq!(inspected["inputs"].as_array().unwrap().len(), 3);
}
