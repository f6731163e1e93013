//! The static files a page needs: stylesheet, script, icon and a picture.

use crate::line::push_decimal;
use crate::page::{Page, mixed, picture_of};
use crate::random::{LogNormal, Random};

/// Time a file takes, in seconds.
pub(crate) const SERVICE_TIME_S: LogNormal = LogNormal { median: 0.012, sigma: 1.0 };
/// A file is asked for this long after its page has come, in seconds: from, to.
pub(crate) const DELAY_S: (f64, f64) = (0.05, 0.4);
/// Share of files a browser asks about and already has, from its second page on.
pub(crate) const UNCHANGED_SHARE: f64 = 0.35;

/// Files that belong to every page, and their sizes.
const COMMON: [(&str, u64); 3] =
    [("/static/app.4f2a9c1e.css", 38_211), ("/static/app.4f2a9c1e.js", 112_904), ("/favicon.ico", 1_150)];
/// Pictures of the shop.
const PICTURES: u64 = 600;
/// Files of one page: the common ones and its picture.
const PER_PAGE: usize = COMMON.len() + 1;

/// Returns one to three of the numbers below four: which files a browser asks for with one page.
pub(crate) fn wanted(random: &mut Random) -> impl Iterator<Item = usize> + use<> {
    let count = *random.pick(&[1, 1, 1, 2, 2, 3]);
    let begin = random.below(PER_PAGE);
    (begin..begin + count).map(|number| number % PER_PAGE)
}

/// Appends the target of file `number` of `page`, and returns its size.
pub(crate) fn write_target(page: Page, number: usize, out: &mut Vec<u8>) -> u64 {
    if let Some((path, size_bytes)) = COMMON.get(number) {
        out.extend_from_slice(path.as_bytes());
        return *size_bytes;
    }
    let picture = picture_of(page, PICTURES);
    out.extend_from_slice(b"/img/");
    push_decimal(out, picture);
    out.extend_from_slice(b"-480.jpg");
    8_000 + mixed(picture) % 50_000
}
