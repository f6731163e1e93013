//! What program a user agent says it is, and on what it runs: a class in eight bits, of the vocabulary of
//! [`shared::clients`].
//!
//! Every browser claims to be others as well, so the words that are found decide in an order: a name that only one has
//! before those that all have. Words are looked for once in each text that is new.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use shared::clients::{Browser, Device, System};

use super::Kind;

/// What a user agent says, without its text: four bits of the browser, four of the platform. Zero says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentClass(u8);

/// Systems and the devices that they run on.
const PLATFORMS: [(System, Device); 13] = [
    (System::Unknown, Device::Unknown),
    (System::Windows, Device::Desktop),
    (System::Macos, Device::Desktop),
    (System::Linux, Device::Desktop),
    (System::Chromeos, Device::Desktop),
    (System::Android, Device::Mobile),
    (System::Android, Device::Tablet),
    (System::Android, Device::Other),
    (System::Ios, Device::Mobile),
    (System::Ios, Device::Tablet),
    (System::Other, Device::Desktop),
    (System::Other, Device::Mobile),
    (System::Other, Device::Other),
];

impl AgentClass {
    fn new(browser: Browser, platform: (System, Device)) -> Self {
        let browser = Browser::ALL.len() - 1 - browser as usize;
        let platform = PLATFORMS.iter().position(|known| *known == platform).unwrap_or_default();
        Self((browser << 4 | platform) as u8)
    }

    /// The class of a user agent whose kind is known; an empty one says nothing.
    pub fn of(text: &[u8], kind: Kind) -> Self {
        // Servers whose fields end at a blank write another sign for it.
        let spaced: Vec<u8> = match text.contains(&b'+') && !text.contains(&b' ') {
            true => text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
            false => Vec::new(),
        };
        let said = Said::of(if spaced.is_empty() { text } else { &spaced });
        let platform = said.platform();
        Self::new(said.browser(kind, platform.0), platform)
    }

    /// The class with these bits.
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// The program.
    pub fn browser(self) -> Browser {
        let last = Browser::ALL.len() - 1;
        Browser::ALL[last.saturating_sub(usize::from(self.0 >> 4))]
    }

    /// The system it runs on.
    pub fn system(self) -> System {
        self.platform().0
    }

    /// The kind of device.
    pub fn device(self) -> Device {
        self.platform().1
    }

    fn platform(self) -> (System, Device) {
        PLATFORMS.get(usize::from(self.0 & 15)).copied().unwrap_or(PLATFORMS[0])
    }
}

/// What a word says. The order is that of the bits in [`Said`], and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Word {
    Edge,
    Opera,
    /// Opera on phones, which does not always say so.
    OperaMobile,
    Samsung,
    OtherBrowser,
    InApp,
    App,
    InternetExplorer,
    Firefox,
    Chrome,
    Safari,
    WebKit,
    /// Behind it browsers write their own version, and web views the number 4.
    Version4,
    Television,
    Console,
    WindowsPhone,
    OtherMobile,
    Ipad,
    Iphone,
    Android,
    Chromeos,
    Windows,
    Macos,
    OtherDesktop,
    Linux,
    Mobile,
    Tablet,
}

/// Words in small letters, each with what it says. Words may overlap: all are found.
const WORDS: [(&str, Word); 154] = [
    ("edg/", Word::Edge),
    ("edga/", Word::Edge),
    ("edgios/", Word::Edge),
    ("edge/", Word::Edge),
    ("opera/", Word::Opera),
    ("opera ", Word::Opera),
    (" opr/", Word::Opera),
    ("opios/", Word::Opera),
    (" opt/", Word::Opera),
    (" opx/", Word::Opera),
    ("opera mini", Word::OperaMobile),
    ("opera mobi", Word::OperaMobile),
    ("samsungbrowser/", Word::Samsung),
    ("ucbrowser", Word::OtherBrowser),
    ("ucweb", Word::OtherBrowser),
    ("yabrowser/", Word::OtherBrowser),
    ("vivaldi/", Word::OtherBrowser),
    ("duckduckgo/", Word::OtherBrowser),
    ("ddg/", Word::OtherBrowser),
    ("miuibrowser/", Word::OtherBrowser),
    ("huaweibrowser/", Word::OtherBrowser),
    ("heytapbrowser/", Word::OtherBrowser),
    ("vivobrowser/", Word::OtherBrowser),
    ("qqbrowser", Word::OtherBrowser),
    ("silk/", Word::OtherBrowser),
    ("whale/", Word::OtherBrowser),
    ("coc_coc_browser", Word::OtherBrowser),
    ("puffin/", Word::OtherBrowser),
    ("maxthon", Word::OtherBrowser),
    ("sogou", Word::OtherBrowser),
    ("baidubrowser", Word::OtherBrowser),
    ("bidubrowser", Word::OtherBrowser),
    ("lbbrowser", Word::OtherBrowser),
    ("360se", Word::OtherBrowser),
    ("qihu", Word::OtherBrowser),
    ("konqueror", Word::OtherBrowser),
    ("epiphany", Word::OtherBrowser),
    ("midori", Word::OtherBrowser),
    ("qupzilla", Word::OtherBrowser),
    ("falkon", Word::OtherBrowser),
    ("seamonkey", Word::OtherBrowser),
    ("palemoon", Word::OtherBrowser),
    ("k-meleon", Word::OtherBrowser),
    ("camino", Word::OtherBrowser),
    ("galeon", Word::OtherBrowser),
    ("thunderbird", Word::OtherBrowser),
    ("netscape", Word::OtherBrowser),
    ("omniweb", Word::OtherBrowser),
    ("icab/", Word::OtherBrowser),
    ("lynx/", Word::OtherBrowser),
    ("links (", Word::OtherBrowser),
    ("w3m/", Word::OtherBrowser),
    ("netfront", Word::OtherBrowser),
    ("electron/", Word::OtherBrowser),
    (" iron/", Word::OtherBrowser),
    ("fban/", Word::InApp),
    ("fbav/", Word::InApp),
    ("fb_iab/", Word::InApp),
    ("instagram", Word::InApp),
    ("micromessenger/", Word::InApp),
    (" line/", Word::InApp),
    ("snapchat", Word::InApp),
    ("pinterest/", Word::InApp),
    ("twitter for", Word::InApp),
    ("musical_ly", Word::InApp),
    ("bytedancewebview", Word::InApp),
    ("linkedinapp", Word::InApp),
    ("gsa/", Word::InApp),
    ("kakaotalk", Word::InApp),
    ("baiduboxapp", Word::InApp),
    ("alipayclient", Word::InApp),
    ("; wv)", Word::InApp),
    ("cfnetwork/", Word::App),
    ("dalvik/", Word::App),
    ("okhttp/", Word::App),
    ("dart/", Word::App),
    ("alamofire/", Word::App),
    ("; scale/", Word::App),
    ("msie ", Word::InternetExplorer),
    ("trident/", Word::InternetExplorer),
    ("iemobile", Word::InternetExplorer),
    ("firefox", Word::Firefox),
    ("fxios/", Word::Firefox),
    ("focus/", Word::Firefox),
    ("klar/", Word::Firefox),
    ("iceweasel", Word::Firefox),
    ("minefield", Word::Firefox),
    ("chrome/", Word::Chrome),
    ("crios/", Word::Chrome),
    ("chromium/", Word::Chrome),
    ("crmo/", Word::Chrome),
    ("safari/", Word::Safari),
    ("applewebkit/", Word::WebKit),
    ("version/4.0 ", Word::Version4),
    ("smart-tv", Word::Television),
    ("smarttv", Word::Television),
    ("smart tv", Word::Television),
    ("googletv", Word::Television),
    ("google tv", Word::Television),
    ("android tv", Word::Television),
    ("appletv", Word::Television),
    ("apple tv", Word::Television),
    ("hbbtv", Word::Television),
    ("netcast", Word::Television),
    ("web0s", Word::Television),
    ("bravia", Word::Television),
    ("crkey", Word::Television),
    ("roku", Word::Television),
    ("; aft", Word::Television),
    ("xbox", Word::Console),
    ("playstation", Word::Console),
    ("nintendo", Word::Console),
    ("windows phone", Word::WindowsPhone),
    ("windows ce", Word::OtherMobile),
    ("blackberry", Word::OtherMobile),
    ("bb10", Word::OtherMobile),
    ("playbook", Word::OtherMobile),
    ("symbian", Word::OtherMobile),
    ("series60", Word::OtherMobile),
    ("series 60", Word::OtherMobile),
    ("nokia", Word::OtherMobile),
    ("kaios/", Word::OtherMobile),
    ("j2me", Word::OtherMobile),
    ("midp", Word::OtherMobile),
    ("webos/", Word::OtherMobile),
    ("palmos", Word::OtherMobile),
    ("tizen", Word::OtherMobile),
    ("bada/", Word::OtherMobile),
    ("meego", Word::OtherMobile),
    ("maemo", Word::OtherMobile),
    ("openharmony", Word::OtherMobile),
    ("ipad", Word::Ipad),
    ("iphone", Word::Iphone),
    ("ipod", Word::Iphone),
    ("; ios ", Word::Iphone),
    ("android", Word::Android),
    ("; adr ", Word::Android),
    ("cros ", Word::Chromeos),
    ("windows", Word::Windows),
    ("win98", Word::Windows),
    ("win95", Word::Windows),
    ("winnt", Word::Windows),
    ("macintosh", Word::Macos),
    ("mac os x", Word::Macos),
    ("mac_powerpc", Word::Macos),
    ("freebsd", Word::OtherDesktop),
    ("openbsd", Word::OtherDesktop),
    ("netbsd", Word::OtherDesktop),
    ("sunos", Word::OtherDesktop),
    ("haiku", Word::OtherDesktop),
    ("linux", Word::Linux),
    ("x11;", Word::Linux),
    ("mobile", Word::Mobile),
    ("tablet", Word::Tablet),
];

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = WORDS.iter().map(|(word, _)| word);
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(words)
        .expect("a few short words make a small automaton")
});

/// The words that a user agent has, a bit for each, and whether it says anything.
#[derive(Debug, Clone, Copy)]
struct Said {
    words: u32,
    /// Nothing at all, or a sign that stands for it.
    nothing: bool,
    /// It begins as those of browsers do.
    as_browsers_do: bool,
}

impl Said {
    fn of(text: &[u8]) -> Self {
        let found = FINDER.find_overlapping_iter(text);
        let words = found.fold(0, |words, word| words | 1 << WORDS[word.pattern().as_usize()].1 as u32);
        let as_browsers_do = text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"mozilla/"));
        Self { words, nothing: text.is_empty() || text == b"-", as_browsers_do }
    }

    fn has(self, word: Word) -> bool {
        self.words >> word as u32 & 1 == 1
    }

    fn platform(self) -> (System, Device) {
        let rules = [
            (Word::Television, (System::Other, Device::Other)),
            (Word::Console, (System::Other, Device::Other)),
            // Phones of Microsoft say that they are all others.
            (Word::WindowsPhone, (System::Other, Device::Mobile)),
            (Word::Ipad, (System::Ios, Device::Tablet)),
            (Word::Iphone, (System::Ios, Device::Mobile)),
            (Word::Android, (System::Android, Device::Tablet)),
            (Word::OtherMobile, (System::Other, Device::Mobile)),
            (Word::Chromeos, (System::Chromeos, Device::Desktop)),
            (Word::Windows, (System::Windows, Device::Desktop)),
            (Word::Macos, (System::Macos, Device::Desktop)),
            (Word::OtherDesktop, (System::Other, Device::Desktop)),
            (Word::Linux, (System::Linux, Device::Desktop)),
            (Word::OperaMobile, (System::Other, Device::Mobile)),
            (Word::Mobile, (System::Other, Device::Mobile)),
        ];
        let platform = rules.into_iter().find(|(word, _)| self.has(*word)).map(|(_, platform)| platform);
        // Browsers on phones say that they are mobile, those on tablets do not; programs say neither.
        let on_phone = self.has(Word::Mobile) || self.has(Word::OperaMobile) || !self.as_browsers_do;
        match platform {
            Some((System::Android, _)) if on_phone && !self.has(Word::Tablet) => {
                (System::Android, Device::Mobile)
            }
            Some((System::Other, Device::Other)) if self.has(Word::Android) => {
                (System::Android, Device::Other)
            }
            Some(platform) => platform,
            None => PLATFORMS[0],
        }
    }

    fn browser(self, kind: Kind, system: System) -> Browser {
        let on_phone_system = matches!(system, System::Android | System::Ios);
        let web_view = self.has(Word::WebKit)
            && match system {
                // The pages of an application have no name of a browser behind the engine's.
                System::Ios | System::Macos => !self.has(Word::Safari),
                System::Android => self.has(Word::Version4) && self.has(Word::Chrome),
                _ => false,
            };
        let as_safari =
            self.has(Word::Safari) && matches!(system, System::Ios | System::Macos | System::Windows);
        let rules = [
            (self.nothing, Browser::Unknown),
            (self.has(Word::App), Browser::App),
            (kind == Kind::ApiClient, Browser::HttpLibrary),
            (self.has(Word::InApp), Browser::InApp),
            (self.has(Word::Edge), Browser::Edge),
            (self.has(Word::Opera), Browser::Opera),
            (self.has(Word::Samsung), Browser::Samsung),
            (self.has(Word::OtherBrowser), Browser::Other),
            (self.has(Word::InternetExplorer), Browser::InternetExplorer),
            (self.has(Word::Firefox), Browser::Firefox),
            (web_view, Browser::InApp),
            (self.has(Word::Chrome), Browser::Chrome),
            (as_safari, Browser::Safari),
            (on_phone_system && !self.as_browsers_do, Browser::App),
        ];
        rules.into_iter().find(|(holds, _)| *holds).map_or(Browser::Other, |(_, browser)| browser)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::of_user_agent;

    #[test]
    fn user_agents_are_what_they_say() {
        use Browser::{
            App, Chrome, Edge, Firefox, HttpLibrary, InApp, InternetExplorer, Opera, Safari, Samsung,
        };
        use Device::{Desktop, Mobile, Tablet};
        use System::{Android, Chromeos, Ios, Linux, Macos, Windows};
        for (text, browser, system, device) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36",
                Chrome,
                Windows,
                Desktop,
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Mobile Safari/537.36",
                Chrome,
                Android,
                Mobile,
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36",
                Chrome,
                Android,
                Tablet,
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36",
                Chrome,
                Chromeos,
                Desktop,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1",
                Chrome,
                Ios,
                Mobile,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 26_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.5 Mobile/15E148 Safari/604.1",
                Safari,
                Ios,
                Mobile,
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 12_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1",
                Safari,
                Ios,
                Tablet,
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.5 Safari/605.1.15",
                Safari,
                Macos,
                Desktop,
            ),
            (
                "Mozilla/5.0 (Macintosh; U; PPC Mac OS X; en) AppleWebKit/125.2 (KHTML, like Gecko) Safari/125.8",
                Safari,
                Macos,
                Desktop,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
                InApp,
                Ios,
                Mobile,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/470.0]",
                InApp,
                Ios,
                Mobile,
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-S911B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile Safari/537.36",
                InApp,
                Android,
                Mobile,
            ),
            (
                "Mozilla/5.0 (Linux; U; Android 4.0.3; de-de) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
                Browser::Other,
                Android,
                Mobile,
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
                Samsung,
                Android,
                Mobile,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36 Edg/154.0.0.0",
                Edge,
                Windows,
                Desktop,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/46.0.2486.0 Safari/537.36 Edge/13.10586",
                Edge,
                Windows,
                Desktop,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0",
                Opera,
                Windows,
                Desktop,
            ),
            ("Opera/9.80 (Windows NT 6.1; U; de) Presto/2.12.388 Version/12.16", Opera, Windows, Desktop),
            (
                "Opera/9.80 (Android; Opera Mini/36.2/119.132; U; id) Presto/2.12.423 Version/12.16",
                Opera,
                Android,
                Mobile,
            ),
            (
                "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10",
                Opera,
                System::Other,
                Mobile,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:152.0) Gecko/20100101 Firefox/152.0",
                Firefox,
                Windows,
                Desktop,
            ),
            (
                "Mozilla/5.0 (Android 14; Mobile; rv:152.0) Gecko/152.0 Firefox/152.0",
                Firefox,
                Android,
                Mobile,
            ),
            (
                "Mozilla/5.0 (Android 14; Tablet; rv:152.0) Gecko/152.0 Firefox/152.0",
                Firefox,
                Android,
                Tablet,
            ),
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:152.0) Gecko/20100101 Firefox/152.0",
                Firefox,
                Linux,
                Desktop,
            ),
            (
                "Mozilla/5.0 (X11; FreeBSD amd64; rv:152.0) Gecko/20100101 Firefox/152.0",
                Firefox,
                System::Other,
                Desktop,
            ),
            (
                "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
                InternetExplorer,
                Windows,
                Desktop,
            ),
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", InternetExplorer, Windows, Desktop),
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; en) Opera 8.50", Opera, Windows, Desktop),
            (
                "Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; ARM; Trident/7.0; IEMobile/11.0; NOKIA; Lumia 520) like iPhone OS 7_0_3 Mac OS X AppleWebKit/537 (KHTML, like Gecko) Mobile Safari/537",
                InternetExplorer,
                System::Other,
                Mobile,
            ),
            (
                "Mozilla/5.0 (SMART-TV; Linux; Tizen 2.4.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/2.4.0 TV Safari/538.1",
                Browser::Other,
                System::Other,
                Device::Other,
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/37.0 Chrome/37.0 Safari/537.36",
                Chrome,
                Linux,
                Desktop,
            ),
            ("Shop/4.2 CFNetwork/1490.0.4 Darwin/23.2.0", App, System::Unknown, Device::Unknown),
            ("Shop/4.2 (iPhone; iOS 17.2; Scale/3.00)", App, Ios, Mobile),
            ("Shop/4.2 (Android 14; Pixel 8)", App, Android, Mobile),
            ("Dalvik/2.1.0 (Linux; U; Android 13; SM-A536B Build/TP1A)", App, Android, Mobile),
            ("okhttp/4.12.0", App, System::Unknown, Device::Unknown),
            ("Mozilla/4.0+(compatible;+MSIE+6.0;+Windows+NT+5.1)", InternetExplorer, Windows, Desktop),
            ("curl/8.5.0", HttpLibrary, System::Unknown, Device::Unknown),
            ("Wget/1.21 (linux-gnu)", HttpLibrary, Linux, Desktop),
            ("python-requests/2.32.4", HttpLibrary, System::Unknown, Device::Unknown),
            ("Something else", Browser::Other, System::Unknown, Device::Unknown),
            ("-", Browser::Unknown, System::Unknown, Device::Unknown),
            ("", Browser::Unknown, System::Unknown, Device::Unknown),
        ] {
            let class = AgentClass::of(text.as_bytes(), of_user_agent(text.as_bytes()));
            assert_eq!(
                (class.browser(), class.system(), class.device()),
                (browser, system, device),
                "{text}"
            );
        }
    }

    #[test]
    fn a_class_is_its_bits_and_any_bits_are_a_class() {
        assert_eq!(AgentClass::default(), AgentClass::of(b"", Kind::Page));
        for browser in Browser::ALL {
            for platform in PLATFORMS {
                let class = AgentClass::new(browser, platform);
                assert_eq!((class.browser(), class.platform()), (browser, platform));
                assert_eq!(AgentClass::from_bits(class.bits()), class);
            }
        }
        (0..=255).for_each(|bits| {
            let class = AgentClass::from_bits(bits);
            let _ = (class.browser(), class.platform());
        });
    }

    #[test]
    fn words_are_in_small_letters() {
        assert!(WORDS.iter().all(|(word, _)| *word == word.to_ascii_lowercase()));
        assert!((Word::Tablet as u32) < u32::BITS);
    }
}
