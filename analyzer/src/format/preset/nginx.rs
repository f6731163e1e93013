//! What products built on nginx write: ingress-nginx, nginx-proxy-manager, NPMplus.
//!
//! Source: ingress-nginx `docs/user-guide/nginx-configuration/log-format.md` and the `log-format-upstream` default of
//! its releases since 0.9; nginx-proxy-manager `conf.d/include/log*.conf`; NPMplus `nginx.conf`.

use crate::format::builtin::Producer;
use crate::format::{Format, Options, nginx_format};

const NPM_PROXY: &str = concat!(
    r#"[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme $host "$request_uri" "#,
    r#"[Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] "$http_user_agent" "#,
    r#""$http_referer""#
);

const NPM_STANDARD: &str = concat!(
    r#"[$time_local] $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] "#,
    r#"[Length $body_bytes_sent] [Gzip $gzip_ratio] "$http_user_agent" "$http_referer""#
);

const NPMPLUS: &str = concat!(
    r#"[$time_local] $host $remote_addr $request_time "$request" $status $body_bytes_sent $bytes_sent "#,
    r#"$http_referer $http_user_agent"#
);

/// The formats, the more specific first.
pub(super) fn formats(options: &Options) -> Vec<Format> {
    if options.producer.is_some_and(|producer| producer != Producer::Nginx) {
        return Vec::new();
    }
    let ingress = ingress().into_iter().map(|text| ("ingress-nginx:upstreaminfo", text));
    let others = [
        ("nginx-proxy-manager:proxy", NPM_PROXY),
        ("nginx-proxy-manager:standard", NPM_STANDARD),
        ("npmplus:log", NPMPLUS),
    ];
    ingress
        .chain(others.map(|(label, text)| (label, text.to_owned())))
        .filter_map(|(label, text)| nginx_format::compile_named(label, &text, options).ok())
        .collect()
}

/// Of all releases, the newest first: the alternative upstream and the id came in between, and before 0.26 an address
/// or a chain of them stood in front of the client.
fn ingress() -> Vec<String> {
    let fronts =
        ["$remote_addr - $remote_user", "$proxy_add_x_forwarded_for - [$the_real_ip] - $remote_user"];
    let names = ["[$proxy_upstream_name] [$proxy_alternative_upstream_name]", "[$proxy_upstream_name]"];
    let ends = [" $req_id", ""];
    let mut formats = Vec::new();
    for front in fronts {
        for name in names {
            for end in ends {
                formats.push(format!(
                    concat!(
                        r#"{} [$time_local] "$request" $status $body_bytes_sent "$http_referer" "#,
                        r#""$http_user_agent" $request_length $request_time {} $upstream_addr "#,
                        "$upstream_response_length $upstream_response_time $upstream_status{}"
                    ),
                    front, name, end
                ));
            }
        }
    }
    formats
}
