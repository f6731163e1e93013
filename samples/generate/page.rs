//! Which page exactly: the values behind the placeholders of the routes, and how they are written in a URL.

use crate::line::push_decimal;
use crate::random::{Random, Weighted};
use crate::site::State;

/// Scheme and host of the shop, as they stand in referers.
pub(crate) const ORIGIN: &str = "https://shop.example";

/// The closed set behind `{category}`: these twelve paths and no others.
pub(crate) const CATEGORIES: [&str; 12] = [
    "lamps", "tables", "chairs", "rugs", "shelves", "beds", "curtains", "mirrors", "plants", "kitchen",
    "bathroom", "garden",
];

/// Products behind `{slug}`.
pub(crate) const PRODUCTS: usize = 1_500;
/// Exponent of the popularity of products.
pub(crate) const PRODUCTS_ZIPF: f64 = 0.9;
/// Exponent of the popularity of categories.
pub(crate) const CATEGORIES_ZIPF: f64 = 0.5;

const LOOKS: [&str; 12] = [
    "round", "small", "large", "folding", "classic", "modern", "tall", "low", "narrow", "bright", "dark",
    "nordic",
];
const MATERIALS: [&str; 12] = [
    "oak", "beech", "steel", "glass", "linen", "cotton", "wool", "marble", "bamboo", "rattan", "brass",
    "ceramic",
];
const THINGS: [&str; 12] = [
    "lamp",
    "table",
    "chair",
    "rug",
    "shelf",
    "bed",
    "curtain",
    "mirror",
    "planter",
    "bowl",
    "towel-rail",
    "bench",
];

/// What people type into the search box, as a browser sends it; the last two arrive unencoded from an old app.
const TYPED: [&str; 40] = [
    "lamp",
    "desk+lamp",
    "oak",
    "small",
    "cheap",
    "table",
    "round",
    "chair",
    "chairs",
    "kids",
    "white",
    "black",
    "rug",
    "carpet",
    "200x300",
    "shelf",
    "wall",
    "kitchen",
    "sale",
    "garden",
    "outdoor",
    "bench",
    "curtian",
    "curtains",
    "mirrow",
    "mirror",
    "gift",
    "mum",
    "bathroom",
    "led",
    "e27",
    "dimmable",
    "blue",
    "gr%C3%BCn",
    "k%C3%BCche",
    "st%C3%BChle",
    "b%C3%BCro",
    "wei%C3%9F",
    "gartenmöbel",
    "läufer",
];
/// Words of one search at most.
const TYPED_WORDS: usize = 3;

/// One page: a state, and a number that says which of its pages.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) state: State,
    item: u64,
}

/// The visitor's side of a page: the numbers that follow them through the shop.
#[derive(Clone, Copy)]
pub(crate) struct Visitor {
    /// Whose account page it is.
    pub(crate) account: u64,
    /// The order last placed or looked at.
    pub(crate) order: u64,
}

/// The pages of the shop, ready to be drawn and written.
pub(crate) struct Pages {
    slugs: Vec<String>,
    products: Weighted,
    categories: Weighted,
}

impl Pages {
    /// Makes up the products.
    pub(crate) fn new() -> Self {
        Self {
            slugs: (0..PRODUCTS).map(slug).collect(),
            products: Weighted::zipf(PRODUCTS, PRODUCTS_ZIPF),
            categories: Weighted::zipf(CATEGORIES.len(), CATEGORIES_ZIPF),
        }
    }

    /// Returns a page of `state`.
    pub(crate) fn draw(&self, state: State, visitor: Visitor, random: &mut Random) -> Page {
        let item = match state {
            State::Home => u64::from(random.chance(0.08)),
            State::Category => {
                let sheet = if random.chance(0.25) { 1 + random.below(4) } else { 0 };
                (self.categories.draw(random) + sheet * CATEGORIES.len()) as u64
            }
            State::Product => self.products.draw(random) as u64,
            State::Search => draw_search(random),
            State::Order => visitor.order,
            State::Account => visitor.account,
            State::Cart | State::AddToCart | State::Checkout | State::PlaceOrder => 0,
        };
        Page { state, item }
    }

    /// Returns any product page, popular or not: crawlers do not care.
    pub(crate) fn any_product(&self, random: &mut Random) -> Page {
        Page { state: State::Product, item: random.below(PRODUCTS) as u64 }
    }

    /// Returns the probability of each category.
    pub(crate) fn category_probability(&self, index: usize) -> f64 {
        self.categories.probability(index)
    }

    /// Appends the request target of `page`.
    pub(crate) fn write_target(&self, page: Page, out: &mut Vec<u8>) {
        match page.state {
            State::Home => out.extend_from_slice(match page.item {
                0 => b"/",
                _ => b"/?utm_source=newsletter&utm_medium=email",
            }),
            State::Category => {
                out.extend_from_slice(b"/c/");
                out.extend_from_slice(CATEGORIES[category_of(page)].as_bytes());
                let sheet = page.item / CATEGORIES.len() as u64;
                if sheet > 0 {
                    out.extend_from_slice(b"?sort=price&page=");
                    push_decimal(out, sheet);
                }
            }
            State::Product => {
                out.extend_from_slice(b"/p/");
                out.extend_from_slice(self.slugs[page.item as usize].as_bytes());
            }
            State::Search => write_search(page.item, out),
            State::Cart => out.extend_from_slice(b"/cart"),
            State::AddToCart => out.extend_from_slice(b"/cart/items"),
            State::Checkout => out.extend_from_slice(b"/checkout"),
            State::PlaceOrder => out.extend_from_slice(b"/orders"),
            State::Order => {
                out.extend_from_slice(b"/orders/");
                push_decimal(out, page.item);
            }
            State::Account => {
                out.extend_from_slice(b"/account/");
                write_uuid(page.item, out);
            }
        }
    }
}

/// Returns the place in [`CATEGORIES`] of a category page.
pub(crate) fn category_of(page: Page) -> usize {
    page.item as usize % CATEGORIES.len()
}

/// Returns the name of the picture shown on `page`, a number below `pictures`.
pub(crate) fn picture_of(page: Page, pictures: u64) -> u64 {
    mixed(page.item ^ ((page.state as u64) << 56)) % pictures
}

/// Returns the slug of product `index`, distinct for each.
fn slug(index: usize) -> String {
    // 12 * 12 * 12 = 1,728 combinations; 605 is coprime to that, so the steps scatter and do not repeat.
    let combination = index * 605 % (LOOKS.len() * MATERIALS.len() * THINGS.len());
    let look = LOOKS[combination % 12];
    let material = MATERIALS[combination / 12 % 12];
    let thing = THINGS[combination / 144];
    format!("{look}-{material}-{thing}")
}

/// Returns one to three words and, for one search in six, a further sheet of results, as one number.
fn draw_search(random: &mut Random) -> u64 {
    let words = 1 + random.below(TYPED_WORDS);
    let mut item = if random.chance(1.0 / 6.0) { 2 + random.below(3) as u64 } else { 0 };
    for _ in 0..words {
        item = item * (TYPED.len() as u64 + 1) + 1 + random.below(TYPED.len()) as u64;
    }
    for _ in words..TYPED_WORDS {
        item *= TYPED.len() as u64 + 1;
    }
    item
}

/// Appends the target of the search that [`draw_search`] made.
fn write_search(item: u64, out: &mut Vec<u8>) {
    let base = TYPED.len() as u64 + 1;
    let mut scale = base.pow(TYPED_WORDS as u32);
    let sheet = item / scale;
    out.extend_from_slice(b"/search?q=");
    for place in 0..TYPED_WORDS {
        scale /= base;
        let Some(word) = (item / scale % base).checked_sub(1) else { break };
        if place > 0 {
            out.push(b'+');
        }
        out.extend_from_slice(TYPED[word as usize].as_bytes());
    }
    if sheet > 0 {
        out.extend_from_slice(b"&page=");
        push_decimal(out, sheet);
    }
}

/// Appends the version 4 UUID that belongs to `number`.
fn write_uuid(number: u64, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bits = (u128::from(mixed(number)) << 64) | u128::from(mixed(!number));
    let versioned = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    for digit in 0..32 {
        if matches!(digit, 8 | 12 | 16 | 20) {
            out.push(b'-');
        }
        out.push(HEX[(versioned >> (124 - 4 * digit)) as usize & 0xf]);
    }
}

/// Returns `number` with its bits mixed, one to one (the finaliser of SplitMix64, Steele, Lea & Flood 2014).
pub(crate) fn mixed(number: u64) -> u64 {
    let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}
