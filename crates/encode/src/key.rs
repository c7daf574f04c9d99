use std::fmt;

use corridor_core::Digest;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What the two offices share: a secret of one and 32 random bytes of each, so that neither alone fixes
/// the keys made from it.
///
/// Wiped on drop. No `Debug`, `Display`, `Clone` or `Serialize`:
///
/// ```compile_fail
/// fn needs_debug<T: std::fmt::Debug>() {}
/// needs_debug::<corridor_encode::ProjectSecret>();
/// ```
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct ProjectSecret(Zeroizing<[u8; 96]>);

impl ProjectSecret {
    /// From the secret of the office that offered, its random bytes, and those of the office that accepted.
    pub fn new(secret: &[u8; 32], offer_random: &[u8; 32], accept_random: &[u8; 32]) -> Self {
        let mut bytes = Zeroizing::new([0; 96]);
        bytes[..32].copy_from_slice(secret);
        bytes[32..64].copy_from_slice(offer_random);
        bytes[64..].copy_from_slice(accept_random);
        Self(bytes)
    }

    pub(crate) const fn from_bytes(bytes: Zeroizing<[u8; 96]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 96] {
        &self.0
    }

    /// The linkage key of one agreement: HKDF-Extract (RFC 5869) with the agreement's digest as salt.
    pub fn to_linkage_key(&self, agreement: &Digest) -> LinkageKey {
        let (prk, _) = Hkdf::<Sha256>::extract(Some(agreement.as_bytes()), self.0.as_slice());
        LinkageKey(Zeroizing::new(prk.into()))
    }
}

/// The key under which one agreement's records are encoded. Wiped on drop.
///
/// ```compile_fail
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<corridor_encode::LinkageKey>();
/// ```
pub struct LinkageKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for LinkageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkageKey(..)")
    }
}

/// What a derived key is for; keys of different use are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    Block,
    Check,
    Encode,
    Person,
}

impl LinkageKey {
    /// HKDF-Expand of `corridor/v1|use|field|salt`.
    pub(crate) fn derive(&self, key_use: KeyUse, field: &str, salt: &str) -> Zeroizing<[u8; 32]> {
        let key_use = match key_use {
            KeyUse::Block => "block",
            KeyUse::Check => "check",
            KeyUse::Encode => "encode",
            KeyUse::Person => "person",
        };
        let hkdf = Hkdf::<Sha256>::from_prk(self.0.as_slice()).expect("a key is 32 bytes");
        let mut key = Zeroizing::new([0; 32]);
        hkdf.expand(
            format!("corridor/v1|{key_use}|{field}|{salt}").as_bytes(),
            key.as_mut_slice(),
        )
        .expect("32 bytes is a length HKDF-SHA256 gives");
        key
    }

    /// The key check: HMAC(K_check, agreement digest ‖ schema digest). Two offices compare it, through the
    /// service, to know that they hold the same key; it tells nothing else.
    pub fn check(&self, agreement: &Digest, schema: &Digest) -> Digest {
        let key = self.derive(KeyUse::Check, "", "");
        let tag = hmac_sha256(&key, &[agreement.as_bytes(), schema.as_bytes()]);
        Digest::from_bytes(*tag)
    }
}

/// HMAC-SHA256 under one key, prepared once for many messages.
pub(crate) struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    pub(crate) fn tag(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

/// HMAC-SHA256 (RFC 2104) of the concatenated parts.
pub(crate) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_secret_and_the_agreement_change_the_key() {
        let agreement = Digest::of(b"agreement");
        let key = |secret, r_offer, r_accept, agreement: &Digest| {
            let project = ProjectSecret::new(&[secret; 32], &[r_offer; 32], &[r_accept; 32]);
            *project.to_linkage_key(agreement).0
        };
        let base = key(1, 2, 3, &agreement);
        assert_eq!(base, key(1, 2, 3, &agreement));
        for other in [
            key(9, 2, 3, &agreement),
            key(1, 9, 3, &agreement),
            key(1, 2, 9, &agreement),
            key(1, 2, 3, &Digest::of(b"other")),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn keys_of_different_use_or_field_differ() {
        let key = ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&Digest::of(b"a"));
        let encode = key.derive(KeyUse::Encode, "names", "");
        assert_ne!(*encode, *key.derive(KeyUse::Check, "names", ""));
        assert_ne!(*encode, *key.derive(KeyUse::Encode, "sex", ""));
        assert_ne!(*encode, *key.derive(KeyUse::Encode, "names", "1989"));
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        let key = ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&Digest::of(b"a"));
        assert_eq!(format!("{key:?}"), "LinkageKey(..)");
    }
}
