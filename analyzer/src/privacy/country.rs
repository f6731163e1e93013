//! The country of an address, from a database that the user brings along: all that stays of where a client is.
//!
//! The format is MaxMind's (<https://maxmind.github.io/MaxMind-DB/>), which others write as well; what is read of a record
//! is `country.iso_code`.

use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use maxminddb::{PathElement, Reader};

use crate::error::Error;

/// A country as a number of eight bits. Zero is none: nobody looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Country(u8);

/// Countries and territories by their codes (ISO 3166-1 alpha-2, and Kosovo as databases have it), in order.
const CODES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Letters from one code to the next.
const CODE_WIDTH: usize = 3;

impl Country {
    /// An address that the database does not know.
    const UNKNOWN: Self = Self(1);
    /// The number of the first code.
    const FIRST: u8 = 2;
    /// One more than the largest number.
    pub(crate) const COUNT: usize = Self::FIRST as usize + CODES.len().div_ceil(CODE_WIDTH);

    /// The country with this code; one that no list has is as unknown as none.
    fn named(code: &str) -> Self {
        let at = CODES.split(' ').position(|known| known == code);
        at.and_then(|at| u8::try_from(at).ok()).map_or(Self::UNKNOWN, |at| Self(Self::FIRST + at))
    }

    /// The country with these bits.
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// Its code, or `unknown`; `None` where nobody looked.
    pub fn name(self) -> Option<&'static str> {
        let at = usize::from(self.0.checked_sub(1)?);
        let code = at.checked_sub(1).and_then(|at| CODES.get(CODE_WIDTH * at..CODE_WIDTH * at + 2));
        Some(code.unwrap_or(shared::clients::UNKNOWN))
    }
}

/// A database of the countries of addresses.
#[derive(Debug)]
pub struct Countries {
    path: PathBuf,
    reader: Reader<Vec<u8>>,
    /// Tells one database from another.
    fingerprint: u64,
    /// What was wrong with it when an address was looked up.
    damage: OnceLock<String>,
}

/// Records that are looked at to find out whether a database has countries.
const TRIED: usize = 10_000;

impl Countries {
    /// The database at `path`.
    ///
    /// # Errors
    /// [`Error::Countries`] for a file that cannot be read, is damaged, or has no countries, as one of networks has none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |found: String| Error::Countries { path: path.to_owned(), found };
        let bytes =
            fs_err::read(path).map_err(|source| Error::Read { input: path.display().to_string(), source })?;
        let fingerprint = FixedState::default().hash_one(&bytes);
        let reader = Reader::from_source(bytes).map_err(|error| failed(error.to_string()))?;
        let mut has_countries = false;
        for network in
            reader.networks(Default::default()).map_err(|error| failed(error.to_string()))?.take(TRIED)
        {
            let record = network.map_err(|error| failed(error.to_string()))?;
            // A record of another shape says that this is a database of something else.
            has_countries = record.decode_path::<&str>(&CODE).is_ok_and(|code| code.is_some());
            if has_countries {
                break;
            }
        }
        match has_countries {
            true => Ok(Self { path: path.to_owned(), reader, fingerprint, damage: OnceLock::new() }),
            false => {
                let is = &reader.metadata().database_type;
                Err(failed(format!("a database of the type `{}`, without countries", is.escape_debug())))
            }
        }
    }

    /// The country of a client at `address`; unknown of one whose log has a name in that place.
    pub(crate) fn of(&self, address: Option<IpAddr>) -> Country {
        const VERSION_4: u16 = 4;
        let is_held = |address: &IpAddr| address.is_ipv4() || self.reader.metadata().ip_version != VERSION_4;
        let Some(address) = address.filter(is_held) else { return Country::UNKNOWN };
        match self.reader.lookup(address).and_then(|found| found.decode_path::<&str>(&CODE)) {
            Ok(code) => code.map_or(Country::UNKNOWN, Country::named),
            Err(error) => {
                self.damage.get_or_init(|| error.to_string());
                Country::UNKNOWN
            }
        }
    }

    /// Tells one database from another.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// That nothing was wrong with it so far.
    ///
    /// # Errors
    /// [`Error::Countries`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.damage.get() {
            None => Ok(()),
            Some(found) => Err(Error::Countries { path: self.path.clone(), found: found.clone() }),
        }
    }
}

/// Where a record has the code of the country.
const CODE: [PathElement<'static>; 2] = [PathElement::Key("country"), PathElement::Key("iso_code")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_country_and_nothing_else_is() {
        let codes: Vec<&str> = CODES.split(' ').collect();
        assert_eq!((codes.len(), Country::COUNT), (250, 252));
        assert!(codes.is_sorted_by(|one, next| one < next));
        for code in codes {
            assert!(shared::clients::is_country(code));
            let country = Country::named(code);
            assert_eq!(country.name(), Some(code));
            assert_eq!(Country::from_bits(country.bits()), country);
        }
        for code in ["", "de", "EU", "DEU", "A D"] {
            assert_eq!(Country::named(code).name(), Some("unknown"), "{code}");
        }
        assert_eq!(Country::default().name(), None);
        assert_eq!(Country::from_bits(255).name(), Some("unknown"));
    }
}
