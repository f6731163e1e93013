//! What request headers hold that a language of format strings names.

use super::values::Slot;
use crate::session::identity::Identity;

/// What the request header `name` holds.
pub(super) fn slot(name: &str) -> Option<Slot> {
    Some(match name.to_ascii_lowercase().as_str() {
        "host" | ":authority" => Slot::Host,
        "user-agent" => Slot::UserAgent,
        "referer" => Slot::Referer,
        "cookie" => Slot::Cookies,
        "x-forwarded-for" => Slot::ForwardedFor,
        "x-request-id" => Slot::RequestId,
        _ => return None,
    })
}

/// Whether `--identity` names the request header `header`, as people write it: `X-Session-Id` or `x_session_id`.
pub(super) fn is_identity(identity: &Identity, header: &str) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    matches!(identity, Identity::Field(name) if plain(name.trim_start_matches('%')) == plain(header))
}
