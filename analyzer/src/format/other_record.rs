//! Records of another kind that producers write into their access logs: no requests, and no broken lines either.

/// Whose records they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherRecords {
    /// The producer writes only requests.
    None,
    /// HAProxy: connections without HTTP (`option tcplog`, failed handshakes), states of servers.
    HaProxy,
    /// Envoy: connections through its TCP proxy, whose request is printed as `- - -`.
    Envoy,
    /// Classic load balancers of AWS: TCP listeners, whose request is printed as `- - - `.
    Elb,
    /// S3: jobs of its own, and the reading half of a copy.
    S3,
    /// Squid: questions of other caches, connections that closed before they asked for anything.
    Squid,
}

impl OtherRecords {
    /// Whether `line`, which is no readable request, is such a record.
    pub(crate) fn holds(self, line: &[u8]) -> bool {
        let has = |text: &[u8]| memchr::memmem::find(line, text).is_some();
        match self {
            Self::None => false,
            Self::HaProxy => is_haproxy(line),
            Self::Envoy => has(b"] \"- - -\" "),
            Self::Elb => has(b" \"- - - \" "),
            Self::S3 => line.split(|byte| *byte == b' ').nth(9) == Some(b"-"),
            Self::Squid => {
                has(b" ICP_QUERY ") || has(b" HTCP_") || has(b" error:transaction-end-before-headers ")
            }
        }
    }
}

/// `[time] frontend backend/server Tw/Tc/Tt …` of `option tcplog`, `[time] frontend/1: SSL handshake failure`, or a
/// sentence about a server or a proxy.
fn is_haproxy(line: &[u8]) -> bool {
    const SENTENCES: [&[u8]; 6] =
        [b"Server ", b"Proxy ", b"backend ", b"Connect from ", b"Health check for ", b"Backup Server "];
    if SENTENCES.iter().any(|sentence| line.starts_with(sentence)) {
        return true;
    }
    let Some(at) = memchr::memmem::find(line, b"] ") else { return false };
    let mut words = line[at + 2..].split(|byte| *byte == b' ');
    let slashes = |word: &[u8]| word.iter().filter(|byte| **byte == b'/').count();
    match (words.next(), words.next(), words.next()) {
        (Some(frontend), ..) if frontend.ends_with(b":") => true,
        (Some(_), Some(server), Some(timers)) => slashes(server) == 1 && slashes(timers) == 2,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_other_kinds_are_known() {
        for (producer, line, expected) in [
            (
                OtherRecords::HaProxy,
                "192.0.2.1:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0",
                true,
            ),
            (
                OtherRecords::HaProxy,
                "192.0.2.1:50033 [28/Feb/2025:02:43:10.123] www/1: SSL handshake failure",
                true,
            ),
            (OtherRecords::HaProxy, "Server app/one is DOWN, reason: Layer4 timeout", true),
            (
                OtherRecords::HaProxy,
                r#"192.0.2.1:1 [06/Feb/2009:12:14:14.655] in app/s1 1/0/3/6/10 200 27 - - ---- 1/1/1/1/0 0/0 "<BADREQ>""#,
                false,
            ),
            (
                OtherRecords::Envoy,
                r#"[2024-03-01T10:00:00.000Z] "- - -" 0 - 12 34 5 - "-" "-" "-" "-" "-""#,
                true,
            ),
            (OtherRecords::Envoy, r#"[2024-03-01T10:00:00.000Z] "- - HTTP/1.1" 400 DPE 0 11 0 - "-""#, false),
            (
                OtherRecords::Elb,
                r#"2024-03-01T10:00:00.0Z lb 192.0.2.1:1 - 1 1 1 - - 8 3 "- - - " "-" - -"#,
                true,
            ),
            (OtherRecords::None, "", false),
        ] {
            assert_eq!(producer.holds(line.as_bytes()), expected, "{line}");
        }
    }
}
