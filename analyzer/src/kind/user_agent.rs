//! What a user agent alone says: words that programs put there, known from the field.
//!
//! All words are found in one pass over the text, and only once for each text that is new.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Kind;

/// Programs that probe whether a service is alive, by the start of their user agent.
const PROBES: [&str; 12] = [
    "kube-probe/",
    "elb-healthchecker/",
    "googlehc/",
    "amazon-route53-health-check",
    "pingdom",
    "uptimerobot",
    "consul health check",
    "blackbox exporter",
    "haproxy",
    "envoy/hc",
    "cloudflare-healthchecks",
    "load balancer agent",
];

/// Programs and libraries that call an interface, by the start of their user agent.
const API_CLIENTS: [&str; 61] = [
    "curl/",
    "wget/",
    "python-requests/",
    "python-urllib",
    "python-httpx/",
    "python/",
    "aiohttp/",
    "go-http-client/",
    "okhttp/",
    "java/",
    "java-http-client/",
    "apache-httpclient/",
    "jakarta commons-httpclient",
    "reactornetty/",
    "axios/",
    "node-fetch",
    "node",
    "undici",
    "got (",
    "got/",
    "guzzlehttp/",
    "php/",
    "symfony httpclient",
    "postmanruntime/",
    "insomnia/",
    "httpie/",
    "libwww-perl/",
    "lwp::",
    "lwp-",
    "ruby",
    "faraday",
    "rest-client/",
    "restsharp/",
    "dart/",
    "dio/",
    "grpc-",
    "apachebench/",
    "apache-jmeter",
    "k6/",
    "hey/",
    "vegeta",
    "wrk/",
    "loadprint/",
    "debian apt-http",
    "apt-http",
    "urlgrabber/",
    "yum/",
    "libdnf",
    "dnf/",
    "zypp",
    "pacman/",
    "pip/",
    "npm/",
    "yarn/",
    "apache-maven/",
    "gradle/",
    "composer/",
    "docker/",
    "git/",
    "chef ",
    "ansible-httpget",
];

/// Words of crawlers, scanners, previews of links, and monitors.
const BOT_WORDS: [&str; 106] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "archiver",
    "scrapy",
    "nutch",
    "heritrix",
    "larbin",
    "htdig",
    "httrack",
    "webcopier",
    "webzip",
    "teleport pro",
    "offline explorer",
    "mediapartners",
    "facebookexternalhit",
    "facebookcatalog",
    "meta-externalagent",
    "meta-externalfetcher",
    "bingpreview",
    "whatsapp/",
    "skypeuripreview",
    "slack-imgproxy",
    "googleimageproxy",
    "google favicon",
    "google-read-aloud",
    "google-inspectiontool",
    "google web preview",
    "google-site-verification",
    "googleother",
    "google-safety",
    "apis-google",
    "embedly",
    "flipboardproxy",
    "vkshare",
    "outbrain",
    "chatgpt-user",
    "perplexity-user",
    "claude-web",
    "claude-user",
    "anthropic-ai",
    "cohere-ai",
    "omgili",
    "yeti/",
    "daumoa",
    "teoma",
    "ask jeeves",
    "findlinks",
    "twiceler",
    "yandeximages",
    "yandexmedia",
    "sogou",
    "coccoc",
    "seokicks",
    "sistrix",
    "serpstat",
    "screaming frog",
    "sitebulb",
    "xenu link",
    "linkcheck",
    "linkwalker",
    "link checker",
    "w3c_validator",
    "w3c-checklink",
    "validator.nu",
    "feedfetcher",
    "feedburner",
    "feedparser",
    "feedly",
    "inoreader",
    "newsblur",
    "netvibes",
    "tiny tiny rss",
    "simplepie",
    "magpierss",
    "universalfeedparser",
    "monitor",
    "statuscake",
    "pingdom",
    "newrelicpinger",
    "site24x7",
    "gomezagent",
    "catchpoint",
    "datadogsynthetics",
    "ptst/",
    "webpagetest",
    "gtmetrix",
    "lighthouse",
    "pagespeed",
    "headlesschrome",
    "phantomjs",
    "slimerjs",
    "selenium",
    "zgrab",
    "masscan",
    "nikto",
    "sqlmap",
    "nmap",
    "nessus",
    "wpscan",
    "dirbuster",
    "gobuster",
    "feroxbuster",
    "nuclei",
    "scanner",
];

/// More scanners, and surveys of the whole net.
const SCANNERS: [&str; 22] = [
    "openvas",
    "acunetix",
    "netsparker",
    "qualys",
    "arachni",
    "wfuzz",
    "fuzz faster",
    "w3af",
    "havij",
    "fimap",
    "jorgee",
    "morfeus",
    "zmeu",
    "l9explore",
    "leakix",
    "shodan",
    "censysinspect",
    "expanse",
    "netcraft",
    "internet-measurement",
    "netsystemsresearch",
    "ia_archiver",
];

/// Makes of phones whose names hold one of the words.
const NOT_BOTS: [&str; 1] = ["cubot"];

/// The words of [`AGENTS`], with what each says. The first list wins where two have a word.
fn words() -> impl Iterator<Item = (&'static str, Says)> {
    let of = |says| move |word: &&'static str| (*word, says);
    let probes = PROBES.iter().map(of(Says::AtStart(Kind::HealthCheck)));
    let clients = API_CLIENTS.iter().map(of(Says::AtStart(Kind::ApiClient)));
    let bots = BOT_WORDS.iter().chain(&SCANNERS).map(of(Says::Anywhere));
    probes.chain(clients).chain(bots).chain(NOT_BOTS.iter().map(of(Says::Nothing)))
}

/// What a word says of the program that has it in its user agent.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// Its kind, where the text begins with the word.
    AtStart(Kind),
    /// A bot, wherever the word stands.
    Anywhere,
    /// Nothing: it only looks like another word.
    Nothing,
}

static AGENTS: LazyLock<AhoCorasick> = LazyLock::new(|| automaton(words().map(|(word, _)| word)));
static SAYS: LazyLock<Vec<Says>> = LazyLock::new(|| words().map(|(_, says)| says).collect());

/// What finds `words` in a text, upper case or lower, the longer of two that begin together.
pub(super) fn automaton(words: impl Iterator<Item = impl AsRef<[u8]>>) -> AhoCorasick {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(words)
        .expect("a few short words make a small automaton")
}

/// What a user agent alone says. A text without a known word is of a person's browser, for all that it says.
pub fn of_user_agent(text: &[u8]) -> Kind {
    let mut found = Kind::Page;
    for word in AGENTS.find_iter(text) {
        match SAYS[word.pattern().as_usize()] {
            Says::AtStart(Kind::HealthCheck) if word.start() == 0 => return Kind::HealthCheck,
            Says::AtStart(kind) if word.start() == 0 => found = kind,
            Says::Anywhere => return Kind::Bot,
            Says::AtStart(_) | Says::Nothing => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents() {
        for (text, expected) in [
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Kind::Bot),
            ("Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/120.0", Kind::Page),
            ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0 Safari/537.36", Kind::Bot),
            ("Pingdom.com_bot_version_1.4", Kind::HealthCheck),
            ("kube-probe/1.31", Kind::HealthCheck),
            ("curl/8.5.0", Kind::ApiClient),
            ("Go-http-client/2.0", Kind::ApiClient),
            ("python-requests/2.32.4 (mybot)", Kind::Bot),
            ("okhttp/4.12.0", Kind::ApiClient),
            ("Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.16", Kind::Page),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/154.0.0.0 Safari/537.36",
                Kind::Page,
            ),
            ("-", Kind::Page),
            ("", Kind::Page),
        ] {
            assert_eq!(of_user_agent(text.as_bytes()), expected, "{text}");
        }
    }

    /// A word that begins inside another one is not found: none may hide one that says more.
    #[test]
    fn every_word_says_what_its_list_says() {
        for (word, says) in words() {
            let expected = match says {
                Says::AtStart(kind) => kind,
                Says::Anywhere => Kind::Bot,
                Says::Nothing => Kind::Page,
            };
            let found = of_user_agent(word.as_bytes());
            assert!(found == expected || word == "pingdom", "{word}: {found:?}");
        }
    }
}
