//! User agents of browsers, newest first. Their shapes are those of real browsers, the version numbers are made up.

/// Browsers per version: the length of [`of_version`]'s answer.
const BROWSERS: usize = 12;

/// Returns `versions` times twelve distinct user agents, for up to 60 versions; twelve of one age stand together.
pub(crate) fn browsers(versions: u32) -> Vec<String> {
    let mut agents = Vec::with_capacity(versions as usize * BROWSERS);
    agents.extend((0..versions).flat_map(of_version));
    agents
}

/// Returns the twelve browsers that are `age` releases old.
fn of_version(age: u32) -> [String; BROWSERS] {
    let chrome = 154 - age;
    let firefox = 152 - age;
    let (safari, point) = (26 - age / 6, 5 - age % 6);
    let samsung = 32 - age / 2;
    let blink = "AppleWebKit/537.36 (KHTML, like Gecko)";
    let webkit = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
    let windows = "Windows NT 10.0; Win64; x64";
    let mac = "Macintosh; Intel Mac OS X 10_15_7";
    [
        format!("Mozilla/5.0 ({windows}) {blink} Chrome/{chrome}.0.0.0 Safari/537.36"),
        format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {safari}_{point} like Mac OS X) {webkit} Version/{safari}.{point} Mobile/15E148 Safari/604.1"
        ),
        format!("Mozilla/5.0 (Linux; Android 10; K) {blink} Chrome/{chrome}.0.0.0 Mobile Safari/537.36"),
        format!("Mozilla/5.0 ({windows}; rv:{firefox}.0) Gecko/20100101 Firefox/{firefox}.0"),
        format!("Mozilla/5.0 ({mac}) {webkit} Version/{safari}.{point} Safari/605.1.15"),
        format!("Mozilla/5.0 ({windows}) {blink} Chrome/{chrome}.0.0.0 Safari/537.36 Edg/{chrome}.0.0.0"),
        format!("Mozilla/5.0 ({mac}) {blink} Chrome/{chrome}.0.0.0 Safari/537.36"),
        format!(
            "Mozilla/5.0 (Linux; Android 10; K) {blink} SamsungBrowser/{samsung}.0 Chrome/{chrome}.0.0.0 Mobile Safari/537.36"
        ),
        format!(
            "Mozilla/5.0 (iPad; CPU OS {safari}_{point} like Mac OS X) {webkit} Version/{safari}.{point} Mobile/15E148 Safari/604.1"
        ),
        format!("Mozilla/5.0 (X11; Linux x86_64; rv:{firefox}.0) Gecko/20100101 Firefox/{firefox}.0"),
        format!("Mozilla/5.0 (X11; Linux x86_64) {blink} Chrome/{chrome}.0.0.0 Safari/537.36"),
        format!("Mozilla/5.0 (Android 14; Mobile; rv:{firefox}.0) Gecko/{firefox}.0 Firefox/{firefox}.0"),
    ]
}
