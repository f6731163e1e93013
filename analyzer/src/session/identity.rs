//! What one client is recognised by.

use std::fmt;
use std::str::FromStr;

/// What one client is recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Address.
    Ip,
    /// Address and user agent.
    IpAndUserAgent,
    /// A cookie; the address and user agent where it is missing.
    Cookie(String),
    /// A field of the log; the address and user agent where it is missing.
    Field(String),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::IpAndUserAgent => f.write_str("ip+ua"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Field(name) => write!(f, "field:{name}"),
        }
    }
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "ip" => Ok(Self::Ip),
            None if text == "ip+ua" => Ok(Self::IpAndUserAgent),
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.to_owned())),
            Some(("field", name)) if !name.is_empty() => Ok(Self::Field(name.to_owned())),
            _ => Err(format!("found `{text}`, expected `ip`, `ip+ua`, `cookie:NAME` or `field:NAME`")),
        }
    }
}
