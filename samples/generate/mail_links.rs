//! Visits that consist of one click in an e-mail: their paths hold what must not be read by others.

use crate::clients::Clients;
use crate::line::{Line, SECOND_US};
use crate::log::{Class, Log};
use crate::random::{LogNormal, Random, Stream};
use crate::secrets::Secrets;

/// Time one page takes, in seconds.
const SERVICE_TIME_S: LogNormal = LogNormal { median: 0.015, sigma: 0.5 };
/// Size of one page.
const RESPONSE_BYTES: LogNormal = LogNormal { median: 5_100.0, sigma: 0.2 };

/// One kind of link: its route, and how many clients follow one.
pub(crate) struct MailLink {
    pub(crate) route: &'static str,
    pub(crate) visits: u64,
}

/// A token each, an address each, and one token that many share and that no count of clients makes public.
pub(crate) const MAIL_LINKS: [MailLink; 3] = [
    MailLink { route: "/reset/{token}", visits: 30 },
    MailLink { route: "/unsubscribe/{email}", visits: 20 },
    MailLink { route: "/invite/{token}", visits: 60 },
];

/// Logs all clicks, each by a client that is not seen otherwise, evenly over `span_us`.
pub(crate) fn follow(seed: u64, span_us: u64, clients: &mut Clients, secrets: &mut Secrets, log: &mut Log) {
    let mut random = Random::new(seed, Stream::MailLinks);
    let shared = secrets.token("token in a path, shared by many clients");
    let [reset, unsubscribe, invite] = MAIL_LINKS;
    let mut targets = Vec::new();
    for _ in 0..reset.visits {
        targets.push(format!("/reset/{}", secrets.token("token in a path")));
    }
    for _ in 0..unsubscribe.visits {
        let encoded = secrets.email("e-mail in a path").replace('@', "%40");
        targets.push(format!("/unsubscribe/{}", secrets.keep("e-mail in a path", encoded)));
    }
    for _ in 0..invite.visits {
        targets.push(format!("/invite/{shared}"));
    }
    for target in targets {
        let id = clients.add();
        let client = clients.get(id);
        let request = format!("GET {target} HTTP/2.0");
        let started_us = (random.uniform() * span_us as f64) as u64;
        let line = Line {
            address: &client.address,
            user: None,
            started_us,
            ended_us: started_us + (random.log_normal(SERVICE_TIME_S) * SECOND_US as f64) as u64,
            request: request.as_bytes(),
            status: 200,
            body_bytes: random.log_normal(RESPONSE_BYTES) as u64,
            referer: b"",
            agent: client.agent.as_bytes(),
        };
        log.push(Class::MailLink, &line);
    }
}
