//! The secret of a run, and the keys that follow from it: one for every kind of identifier, so that the same text in
//! two fields cannot be joined.
//!
//! The secret is 32 bytes, random and made for one run unless a file gives them; it is never written, and wiped from
//! memory at the end. HKDF-SHA256 (RFC 5869, without salt) derives the keys from it. The hash itself is SipHash-2-4
//! (Aumasson & Bernstein 2012), a pseudorandom function with keys of 128 bits made for short inputs: without the key
//! its values cannot be told from chance, which is all that is asked of a pseudonym. Where a log has millions of
//! clients nearly every line needs one, and HMAC would cost as much as everything else that is done to a line.

use std::io::Read as _;
use std::path::Path;

use hkdf::Hkdf;
use sha2::Sha256;
use siphasher::sip::SipHasher24;
use zeroize::Zeroizing;

use super::pseudonym::Pseudonym;
use crate::error::Error;

/// The kind of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Domain {
    Address,
    UserAgent,
    Identity,
    User,
    Referer,
    Host,
    /// A client that is named where others have an address.
    ClientName,
    /// The id that a request carries from log to log.
    Request,
    /// The key itself.
    Key,
}

/// The secret of one run, or of several that share a file: a key for each [`Domain`].
#[derive(Clone)]
pub struct Key {
    keys: Zeroizing<[[u64; 2]; TAGS.len()]>,
}

/// What tells the domains apart, in their order.
const TAGS: [&[u8]; 9] = [
    b"address",
    b"user_agent",
    b"identity",
    b"user",
    b"referer",
    b"host",
    b"client_name",
    b"request",
    b"key",
];
/// What tells these keys from any other use of the same secret, and from those of later versions.
const PURPOSE: &[u8] = b"loadprint|pseudonym|v3|";
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A fresh random key, good for one run.
    ///
    /// # Errors
    /// [`Error::Random`] when the system gives no random bytes.
    pub fn ephemeral() -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0_u8; SECRET_BYTES]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| Error::Random)?;
        Ok(Self::derived_from(&secret))
    }

    /// The key whose secret `path` holds, as 32 bytes or as 64 hexadecimal digits: machines that share the file give
    /// the same client the same pseudonym.
    ///
    /// # Errors
    /// [`Error::Read`] when the file cannot be read, [`Error::KeyFile`] when it holds something else.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_FILE));
        fs_err::File::open(path)
            .and_then(|file| file.take(LONGEST_FILE as u64).read_to_end(&mut bytes))
            .map_err(|source| Error::Read { input: path.display().to_string(), source })?;
        let secret = secret_of(&bytes).ok_or_else(|| Error::KeyFile { path: path.to_owned() })?;
        Ok(Self::derived_from(&secret))
    }

    /// A key per domain, derived from `secret` and the domain's tag.
    pub(super) fn derived_from(secret: &[u8; SECRET_BYTES]) -> Self {
        let derive = Hkdf::<Sha256>::new(None, secret);
        let mut keys = Zeroizing::new([[0; 2]; TAGS.len()]);
        for (key, tag) in keys.iter_mut().zip(TAGS) {
            let mut derived = Zeroizing::new([0_u8; 16]);
            derive
                .expand_multi_info(&[PURPOSE, tag], derived.as_mut_slice())
                .expect("HKDF-SHA256 gives up to 8160 bytes");
            for (word, bytes) in key.iter_mut().zip(derived.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        }
        Self { keys }
    }

    /// Tells this key from others, and nothing else of it.
    pub(crate) fn fingerprint(&self) -> Pseudonym {
        self.pseudonym(Domain::Key, b"")
    }

    /// The pseudonym of `value`, which need not be text.
    #[inline]
    pub fn pseudonym(&self, domain: Domain, value: &[u8]) -> Pseudonym {
        let [one, other] = self.keys[domain as usize];
        SipHasher24::new_with_keys(one, other).hash(value)
    }
}

/// Whether anybody but the owner of `path` may read it. A key file that others can read protects nobody from them.
///
/// `false` where files have no such mode, or none can be asked.
pub fn others_can_read(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Room for the digits and a line end; what is longer is no key.
const LONGEST_FILE: usize = 2 * SECRET_BYTES + 8;

/// The secret in a key file.
fn secret_of(bytes: &[u8]) -> Option<Zeroizing<[u8; SECRET_BYTES]>> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    if bytes.len() == SECRET_BYTES {
        secret.copy_from_slice(bytes);
        return Some(secret);
    }
    let digits = bytes.trim_ascii();
    if digits.len() != 2 * SECRET_BYTES {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    for (byte, [high, low]) in secret.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = (value(*high)? << 4 | value(*low)?) as u8;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_pseudonym_per_key_and_domain() {
        let (a, b) = (Key::derived_from(&[1; 32]), Key::derived_from(&[2; 32]));
        let of = |key: &Key, domain| key.pseudonym(domain, b"192.0.2.1");
        assert_eq!(of(&a, Domain::Address), of(&a, Domain::Address));
        assert_ne!(of(&a, Domain::Address), of(&b, Domain::Address));
        assert_ne!(of(&a, Domain::Address), of(&a, Domain::User));
    }

    /// HMAC-SHA256 written out by Python's `hmac`: PRK = HMAC(zeros, secret), key = HMAC(PRK, info || 1)[..16].
    #[test]
    fn keys_are_those_of_hkdf() {
        let key = Key::derived_from(&std::array::from_fn(|i| i as u8));
        assert_eq!(key.keys[Domain::Address as usize], [0x594d_4b2e_b8f1_6553, 0x3b98_4f9e_5d46_72c0]);
        assert_eq!(key.keys[Domain::Request as usize], [0x948e_b974_4af5_d0bd, 0x860c_97d4_2cfe_1fdb]);
    }

    #[test]
    fn a_file_gives_the_key_as_bytes_or_digits_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let secret: [u8; 32] = std::array::from_fn(|i| 7 * i as u8);
        let digits: String = secret.iter().map(|byte| format!("{byte:02X}")).collect();
        let expected = Key::derived_from(&secret);
        for content in [&secret[..], digits.as_bytes(), format!("{digits}\n").as_bytes()] {
            fs_err::write(&path, content).unwrap();
            assert_eq!(Key::from_file(&path).unwrap().keys, expected.keys);
        }
        let wrong = [&b""[..], &secret[..31], &digits.as_bytes()[..63], &[b'g'; 64], &[7; 33], &[b'1'; 500]];
        for content in wrong {
            fs_err::write(&path, content).unwrap();
            let error = Key::from_file(&path).unwrap_err();
            assert!(matches!(error, Error::KeyFile { .. }), "{content:?}: {error}");
        }
        assert!(matches!(Key::from_file(&directory.path().join("none")).unwrap_err(), Error::Read { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs_err::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(others_can_read(file.path()), open, "{mode:o}");
        }
    }

    #[test]
    fn a_key_shows_nothing_when_printed() {
        assert_eq!(format!("{:?}", Key::derived_from(&[7; 32])), "Key(..)");
    }
}
