//! JSON documents that hold many records: an array of them, `{"records":[…]}` as Azure sends it to event hubs, a batch
//! per line as Kong posts it, or records printed over several lines. Each record is then read like a line of its own.

use super::detect::Detection;
use super::{Format, Reader};

/// The keys under which producers put an array of records.
const HOLDERS: [&[u8]; 5] = [b"records", b"Records", b"logs", b"entries", b"events"];

/// The format of the records in `head`, as `detect` finds it in lines; nothing where `head` is no such document.
pub(super) fn recognise(head: &[u8], detect: &dyn Fn(&[u8]) -> Vec<Detection>) -> Vec<Detection> {
    if !matches!(head.trim_ascii_start(), [b'{' | b'[', ..]) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    // The head may end inside a record.
    let _cut = each(head, |_, record| {
        lines.extend(record.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        lines.push(b'\n');
    });
    let is_line = |found: &Detection| matches!(found.format.reader, Reader::Json(_));
    let within = detect(&lines).into_iter().filter(is_line);
    within
        .map(|found| {
            let label = found.format.label.clone();
            Detection { format: Format::new(&label, Reader::Records(Box::new(found.format))), ..found }
        })
        .collect()
}

/// Gives every record of `bytes` to `visit`, with the offset of its first byte.
///
/// # Errors
/// That the document ends inside a record.
pub(crate) fn each<'a>(bytes: &'a [u8], mut visit: impl FnMut(usize, &'a [u8])) -> Result<(), String> {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = after_string(bytes, at).ok_or(ENDS_INSIDE)?,
            b'{' => match inside_holder(&bytes[at..]) {
                Some(length) => at += length,
                None => {
                    let end = after_object(bytes, at).ok_or(ENDS_INSIDE)?;
                    visit(at, &bytes[at..end]);
                    at = end;
                }
            },
            _ => at += 1,
        }
    }
    Ok(())
}

const ENDS_INSIDE: &str = "ends inside a record";

/// The bytes of `{"records":[` at the start of `text`.
fn inside_holder(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    let rest = HOLDERS.iter().find_map(|holder| rest.strip_prefix(*holder)?.strip_prefix(b"\""))?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"[")?;
    Some(text.len() - rest.len())
}

fn after_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn after_object(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        at += memchr::memchr3(b'"', b'{', b'}', bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => {
                at = after_string(bytes, at)?;
                continue;
            }
            b'{' => depth += 1,
            _ => depth -= 1,
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, expected: &[&str], whole: bool) {
        let mut found = Vec::new();
        let read = each(document.as_bytes(), |at, record| {
            assert!(document.as_bytes()[at..].starts_with(record));
            found.push(std::str::from_utf8(record).unwrap());
        });
        assert_eq!((found.as_slice(), read.is_ok()), (expected, whole), "{document}");
    }

    #[test]
    fn records_come_out_of_what_holds_them() {
        check(r#"[{"a":1},{"b":"}]"}]"#, &[r#"{"a":1}"#, r#"{"b":"}]"}"#], true);
        check("[]", &[], true);
        check(
            "{ \"records\" : [ {\"a\":{\"b\":[{}]}} ], \"next\": \"{\" }\n{\"records\":[{}]}",
            &[r#"{"a":{"b":[{}]}}"#, "{}"],
            true,
        );
        check("{\n \"a\": 1\n}\n{\n \"a\": 2\n}\n", &["{\n \"a\": 1\n}", "{\n \"a\": 2\n}"], true);
        check(r#"[{"a":1},{"a"#, &[r#"{"a":1}"#], false);
        check(r#"[{"a":"\"#, &[], false);
    }
}
