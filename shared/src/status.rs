//! How an answer says that it went: by a status code of HTTP, or by one of gRPC.

use std::fmt;
use std::str::FromStr;

/// The status of an answer. What was asked by gRPC is answered in its codes, whatever the HTTP below them says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// A status code of HTTP, of at most three digits.
    Http(u16),
    /// A status code of gRPC.
    Grpc(GrpcCode),
}

/// The status codes of gRPC, by their numbers on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the documentation that gRPC gives them")]
pub enum GrpcCode {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// Each code of gRPC in the order of the numbers, its name, and the status of HTTP that means the same
/// (google/rpc/code.proto, "HTTP Mapping").
const GRPC: [(GrpcCode, &str, u16); 17] = [
    (GrpcCode::Ok, "OK", 200),
    (GrpcCode::Cancelled, "CANCELLED", 499),
    (GrpcCode::Unknown, "UNKNOWN", 500),
    (GrpcCode::InvalidArgument, "INVALID_ARGUMENT", 400),
    (GrpcCode::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
    (GrpcCode::NotFound, "NOT_FOUND", 404),
    (GrpcCode::AlreadyExists, "ALREADY_EXISTS", 409),
    (GrpcCode::PermissionDenied, "PERMISSION_DENIED", 403),
    (GrpcCode::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
    (GrpcCode::FailedPrecondition, "FAILED_PRECONDITION", 400),
    (GrpcCode::Aborted, "ABORTED", 409),
    (GrpcCode::OutOfRange, "OUT_OF_RANGE", 400),
    (GrpcCode::Unimplemented, "UNIMPLEMENTED", 501),
    (GrpcCode::Internal, "INTERNAL", 500),
    (GrpcCode::Unavailable, "UNAVAILABLE", 503),
    (GrpcCode::DataLoss, "DATA_LOSS", 500),
    (GrpcCode::Unauthenticated, "UNAUTHENTICATED", 401),
];

impl GrpcCode {
    /// The code with this number; none beyond the last.
    pub fn from_number(number: u64) -> Option<Self> {
        GRPC.get(usize::try_from(number).ok()?).map(|(code, ..)| *code)
    }
}

impl Status {
    /// The status of HTTP that means the same: itself, or for a code of gRPC the one that Google's services answer with
    /// where they are asked by HTTP.
    pub fn as_http(self) -> u16 {
        match self {
            Self::Http(code) => code,
            Self::Grpc(code) => GRPC[code as usize].2,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(code) => code.fmt(f),
            Self::Grpc(code) => f.write_str(GRPC[*code as usize].1),
        }
    }
}

/// What names a status, in words.
pub const EXPECTED: &str = "a status code from 100 to 999, or one of gRPC such as `NOT_FOUND`";

/// A text that names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}")]
pub struct NoStatus;

impl FromStr for Status {
    type Err = NoStatus;

    fn from_str(text: &str) -> Result<Self, NoStatus> {
        if let Some((code, ..)) = GRPC.iter().find(|(_, name, _)| *name == text) {
            return Ok(Self::Grpc(*code));
        }
        let code = text.parse::<u16>().ok().filter(|code| (100..1000).contains(code));
        code.map(Self::Http).ok_or(NoStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_as_they_are_printed() {
        for (number, (code, name, as_http)) in GRPC.into_iter().enumerate() {
            assert_eq!((code as usize, GrpcCode::from_number(number as u64)), (number, Some(code)));
            let status = Status::Grpc(code);
            assert_eq!((status.to_string(), name.parse()), (name.to_owned(), Ok(status)));
            assert_eq!(status.as_http() >= 400, code != GrpcCode::Ok, "{as_http}");
        }
        assert_eq!("404".parse(), Ok(Status::Http(404)));
        assert_eq!(Status::Http(404).to_string(), "404");
        for text in ["", "99", "1000", "not_found", "17", "-404"] {
            assert_eq!(text.parse::<Status>(), Err(NoStatus), "{text}");
        }
        assert_eq!(GrpcCode::from_number(17), None);
    }
}
