use std::fmt;
use std::path::Path;

use corridor_core::{Agreement, Digest, Entropy, Office, OfficeId, Signature, SigningPurpose};
use data_encoding::BASE64;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::identity::{ExchangeKem, Identity, PublicIdentity};
use crate::key::ProjectSecret;
use crate::sealed::{self, KeyFileError, SealedKind};

/// A sealed and signed message of the key exchange, safe to send by any way: only the office it is for can
/// open it, and only the office it is from can have made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeMessage {
    format: String,
    /// Offer or reply.
    pub step: ExchangeStep,
    /// The office it is from.
    pub from: OfficeId,
    /// The office it is for.
    pub to: OfficeId,
    encapsulated: String,
    ciphertext: String,
    signature: Signature,
}

/// The two messages of a key exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeStep {
    /// One office's secret and random bytes.
    Offer,
    /// The other office's random bytes.
    Reply,
}

const FORMAT: &str = "corridor-exchange/1";

/// Why a key exchange cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The message is for somebody else.
    #[error("the message is for office {found}, and this identity is {expected}")]
    Addressee {
        /// Whom it is for.
        found: OfficeId,
        /// Whose identity this is.
        expected: OfficeId,
    },
    /// The message is not in the format.
    #[error("{file} is no key exchange message: {problem}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The reply answers another offer.
    #[error("the reply answers another offer than the one waiting here")]
    OtherOffer,
    /// The message is from somebody else than the identity given.
    #[error("the message is from office {found}, and the identity given is {expected}")]
    Sender {
        /// Whom it is from.
        found: OfficeId,
        /// Whose public identity was given.
        expected: OfficeId,
    },
    /// The signature does not fit.
    #[error("the message was altered on its way, or was not made with the other office's key")]
    Signature,
    /// The message does not open.
    #[error("the message does not open with this identity")]
    Unopenable,
    /// The wrong message for this step.
    #[error("expected {expected} message")]
    WrongStep {
        /// What was expected, with its article.
        expected: &'static str,
    },
}

impl ExchangeMessage {
    /// Reads a message; `file` names it in errors. Its signature is checked where it is used.
    ///
    /// # Errors
    /// When it is not in the format.
    pub fn from_json(text: &str, file: &str) -> Result<Self, ExchangeError> {
        let format_error = |problem: String| ExchangeError::Format {
            file: file.to_owned(),
            problem,
        };
        let message: Self = serde_json::from_str(text).map_err(|error| format_error(error.to_string()))?;
        if message.format != FORMAT {
            return Err(format_error("unknown format version".to_owned()));
        }
        Ok(message)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("every field has a JSON form") + "\n"
    }

    fn digest(&self) -> Digest {
        Digest::of_parts(&[
            self.context().as_bytes(),
            self.encapsulated.as_bytes(),
            self.ciphertext.as_bytes(),
        ])
    }

    /// Step and parties, which the ciphertext is bound to.
    fn context(&self) -> String {
        let step = match self.step {
            ExchangeStep::Offer => "offer",
            ExchangeStep::Reply => "reply",
        };
        format!("corridor/v1|exchange|{step}|{}|{}", self.from, self.to)
    }

    fn seal(
        step: ExchangeStep,
        from: &Identity,
        to: &PublicIdentity,
        secret: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Self {
        let mut message = Self {
            format: FORMAT.to_owned(),
            step,
            from: from.office().clone(),
            to: to.office.clone(),
            encapsulated: String::new(),
            ciphertext: String::new(),
            signature: Signature::from_bytes([0; 64]),
        };
        let recipient = to.to_exchange_key().expect("checked when the identity was read");
        let (encapsulated, ciphertext) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, ExchangeKem>(
                &OpModeS::Base,
                &recipient,
                message.context().as_bytes(),
                secret,
                b"",
                &mut DynEntropy(entropy),
            )
            .expect("a short message can be sealed to a valid key");
        message.encapsulated = BASE64.encode(&encapsulated.to_bytes());
        message.ciphertext = BASE64.encode(&ciphertext);
        message.signature = from.sign(SigningPurpose::KeyExchange, message.digest().as_bytes());
        message
    }

    fn open(
        &self,
        expected: ExchangeStep,
        to: &Identity,
        from: &PublicIdentity,
    ) -> Result<Zeroizing<Vec<u8>>, ExchangeError> {
        if self.step != expected {
            return Err(ExchangeError::WrongStep {
                expected: match expected {
                    ExchangeStep::Offer => "an offer",
                    ExchangeStep::Reply => "a reply",
                },
            });
        }
        if self.to != *to.office() {
            return Err(ExchangeError::Addressee {
                found: self.to.clone(),
                expected: to.office().clone(),
            });
        }
        if self.from != from.office {
            return Err(ExchangeError::Sender {
                found: self.from.clone(),
                expected: from.office.clone(),
            });
        }
        from.signing_key
            .verify(
                SigningPurpose::KeyExchange,
                self.digest().as_bytes(),
                &self.signature,
            )
            .map_err(|_| ExchangeError::Signature)?;
        let decode = |text: &str| {
            BASE64
                .decode(text.as_bytes())
                .map_err(|_| ExchangeError::Unopenable)
        };
        let encapsulated = <ExchangeKem as Kem>::EncappedKey::from_bytes(&decode(&self.encapsulated)?)
            .map_err(|_| ExchangeError::Unopenable)?;
        let (private, _) = to.exchange_keys();
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, ExchangeKem>(
            &OpModeR::Base,
            &private,
            &encapsulated,
            self.context().as_bytes(),
            &decode(&self.ciphertext)?,
            b"",
        )
        .map(Zeroizing::new)
        .map_err(|_| ExchangeError::Unopenable)
    }
}

/// Makes a sized generator of a borrowed one.
struct DynEntropy<'a>(&'a mut dyn Entropy);

impl rand_core::TryRng for DynEntropy<'_> {
    type Error = rand_core::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.try_fill_bytes(bytes)
    }
}

impl rand_core::TryCryptoRng for DynEntropy<'_> {}

/// An offer that waits for its reply: what the offering office must keep. Wiped on drop.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct PendingExchange {
    secret_and_random: Zeroizing<[u8; 64]>,
    offer: Digest,
}

impl PendingExchange {
    /// First step, at one office: a secret and random bytes, sealed for the other.
    pub fn offer(
        identity: &Identity,
        peer: &PublicIdentity,
        entropy: &mut dyn Entropy,
    ) -> (Self, ExchangeMessage) {
        let mut secret_and_random = Zeroizing::new([0; 64]);
        entropy.fill_bytes(secret_and_random.as_mut_slice());
        let message = ExchangeMessage::seal(
            ExchangeStep::Offer,
            identity,
            peer,
            secret_and_random.as_slice(),
            entropy,
        );
        let pending = Self {
            secret_and_random,
            offer: message.digest(),
        };
        (pending, message)
    }

    /// Third step, at the first office: opens the reply. Both offices hold the same secret then.
    ///
    /// # Errors
    /// When the reply is not of this peer, not for this identity, or answers another offer.
    pub fn finish(
        &self,
        identity: &Identity,
        peer: &PublicIdentity,
        reply: &ExchangeMessage,
    ) -> Result<ProjectSecret, ExchangeError> {
        let content = reply.open(ExchangeStep::Reply, identity, peer)?;
        let (random, offer) = content.split_at_checked(32).ok_or(ExchangeError::Unopenable)?;
        if offer != self.offer.as_bytes() {
            return Err(ExchangeError::OtherOffer);
        }
        Ok(combine(&self.secret_and_random, random))
    }

    /// Writes what must be kept to a new file, sealed with `passphrase`.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<(), KeyFileError> {
        let mut bytes = Zeroizing::new(self.secret_and_random.to_vec());
        bytes.extend_from_slice(self.offer.as_bytes());
        sealed::write(path, SealedKind::PendingExchange, &bytes, passphrase, entropy)
    }

    /// Opens a file written by [`PendingExchange::save`].
    ///
    /// # Errors
    /// When it does not open with `passphrase`.
    pub fn load(path: &Path, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let bytes = sealed::read(path, SealedKind::PendingExchange, passphrase)?;
        let parse = || {
            let (secret, offer) = bytes.split_at_checked(64)?;
            Some(Self {
                secret_and_random: Zeroizing::new(secret.try_into().ok()?),
                offer: Digest::try_from(offer).ok()?,
            })
        };
        parse().ok_or_else(|| cut_off(path))
    }
}

/// Second step, at the other office: opens an offer and answers with random bytes of its own.
///
/// # Errors
/// When the offer is not of this peer or not for this identity.
pub fn accept_offer(
    identity: &Identity,
    peer: &PublicIdentity,
    offer: &ExchangeMessage,
    entropy: &mut dyn Entropy,
) -> Result<(ProjectSecret, ExchangeMessage), ExchangeError> {
    let secret_and_random: Zeroizing<[u8; 64]> = Zeroizing::new(
        offer
            .open(ExchangeStep::Offer, identity, peer)?
            .as_slice()
            .try_into()
            .map_err(|_| ExchangeError::Unopenable)?,
    );
    let mut random = Zeroizing::new([0; 32]);
    entropy.fill_bytes(random.as_mut_slice());
    let mut content = Zeroizing::new(random.to_vec());
    content.extend_from_slice(offer.digest().as_bytes());
    let reply = ExchangeMessage::seal(ExchangeStep::Reply, identity, peer, &content, entropy);
    Ok((combine(&secret_and_random, random.as_slice()), reply))
}

fn combine(secret_and_random: &[u8; 64], other_random: &[u8]) -> ProjectSecret {
    let mut bytes = Zeroizing::new([0; 96]);
    bytes[..64].copy_from_slice(secret_and_random);
    bytes[64..].copy_from_slice(other_random);
    ProjectSecret::from_bytes(bytes)
}

fn cut_off(path: &Path) -> KeyFileError {
    KeyFileError::Format {
        file: path.display().to_string(),
        problem: "its content is cut off".to_owned(),
    }
}

/// What an office keeps of a key exchange: the secret, and with whom it was made. A service or a partner could otherwise
/// have the office encode under an agreement of others' making. Wiped on drop.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct ProjectKey {
    secret: ProjectSecret,
    own: Office,
    peer: Office,
}

/// An agreement that is not between the two offices that exchanged the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the agreement is not between the two offices that exchanged this project key: {office} has another signing key in it, or is no party"
)]
pub struct PartyError {
    /// The office of the key exchange.
    pub office: OfficeId,
}

impl ProjectKey {
    /// The secret of an exchange between `own` and `peer`.
    pub fn new(secret: ProjectSecret, own: &PublicIdentity, peer: &PublicIdentity) -> Self {
        let office = |identity: &PublicIdentity| Office {
            id: identity.office.clone(),
            signing_key: identity.signing_key,
        };
        Self {
            secret,
            own: office(own),
            peer: office(peer),
        }
    }

    /// The secret.
    pub const fn secret(&self) -> &ProjectSecret {
        &self.secret
    }

    /// This office.
    pub const fn own(&self) -> &Office {
        &self.own
    }

    /// Checks that an agreement is between the two offices of the exchange, with the keys they had then.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, agreement: &Agreement) -> Result<(), PartyError> {
        for office in [&self.own, &self.peer] {
            let side = agreement.side_of(&office.id);
            if side.is_none_or(|side| agreement.office(side) != office) {
                return Err(PartyError {
                    office: office.id.clone(),
                });
            }
        }
        Ok(())
    }

    /// Writes the key to a new file, sealed with `passphrase`.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<(), KeyFileError> {
        let parties = serde_json::to_vec(&[&self.own, &self.peer]).expect("every field has a JSON form");
        let mut bytes = Zeroizing::new(Vec::with_capacity(96 + parties.len()));
        bytes.extend_from_slice(self.secret.as_bytes());
        bytes.extend_from_slice(&parties);
        sealed::write(path, SealedKind::Project, &bytes, passphrase, entropy)
    }

    /// Opens a file written by [`ProjectKey::save`].
    ///
    /// # Errors
    /// When it does not open with `passphrase`.
    pub fn load(path: &Path, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let bytes = sealed::read(path, SealedKind::Project, passphrase)?;
        let parse = || {
            let (secret, parties) = bytes.split_at_checked(96)?;
            let [own, peer]: [Office; 2] = serde_json::from_slice(parties).ok()?;
            let secret: [u8; 96] = secret.try_into().ok()?;
            Some(Self {
                secret: ProjectSecret::from_bytes(Zeroizing::new(secret)),
                own,
                peer,
            })
        };
        parse().ok_or_else(|| cut_off(path))
    }
}

impl fmt::Display for ExchangeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offer => "offer",
            Self::Reply => "reply",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    fn identity(office: &str, seed: u64) -> Identity {
        Identity::generate(office.parse().unwrap(), &mut SeededEntropy::new(seed, "identity"))
    }

    #[test]
    fn both_offices_end_with_the_same_key() {
        let (a, b) = (identity("AA", 1), identity("BB", 2));
        let mut entropy = SeededEntropy::new(3, "exchange");
        let (pending, offer) = PendingExchange::offer(&a, &b.to_public(), &mut entropy);
        let offer = ExchangeMessage::from_json(&offer.to_json(), "f").unwrap();
        let (b_secret, reply) = accept_offer(&b, &a.to_public(), &offer, &mut entropy).unwrap();
        let a_secret = pending.finish(&a, &b.to_public(), &reply).unwrap();
        assert_eq!(a_secret.as_bytes(), b_secret.as_bytes());
    }

    #[test]
    fn a_saved_project_key_opens_with_its_parties() {
        let (a, b) = (identity("AA", 1), identity("BB", 2));
        let secret = ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("project.key");
        let key = ProjectKey::new(secret, &a.to_public(), &b.to_public());
        key.save(&path, b"pass", &mut SeededEntropy::new(1, "salt"))
            .unwrap();
        let loaded = ProjectKey::load(&path, b"pass").unwrap();
        assert_eq!(loaded.secret.as_bytes(), key.secret.as_bytes());
        assert_eq!((&loaded.own, &loaded.peer), (&key.own, &key.peer));
    }

    #[test]
    fn what_is_altered_replaced_or_misdirected_is_refused() {
        let (a, b, eve) = (identity("AA", 1), identity("BB", 2), identity("AA", 66));
        let mut entropy = SeededEntropy::new(3, "exchange");
        let (pending, offer) = PendingExchange::offer(&a, &b.to_public(), &mut entropy);
        let (_, forged) = PendingExchange::offer(&eve, &b.to_public(), &mut entropy);
        let accept = |identity: &Identity, offer: &ExchangeMessage| {
            accept_offer(identity, &a.to_public(), offer, &mut SeededEntropy::new(4, "r")).map(drop)
        };
        assert!(matches!(accept(&b, &forged), Err(ExchangeError::Signature)));
        assert!(matches!(
            accept(&identity("CC", 5), &offer),
            Err(ExchangeError::Addressee { .. })
        ));
        let mut altered = offer.clone();
        altered.ciphertext = forged.ciphertext.clone();
        assert!(matches!(accept(&b, &altered), Err(ExchangeError::Signature)));

        let (other_pending, _) = PendingExchange::offer(&a, &b.to_public(), &mut entropy);
        let (_, reply) = accept_offer(&b, &a.to_public(), &offer, &mut entropy).unwrap();
        assert!(matches!(
            other_pending.finish(&a, &b.to_public(), &reply).map(drop),
            Err(ExchangeError::OtherOffer)
        ));
        assert!(matches!(
            pending.finish(&a, &b.to_public(), &offer).map(drop),
            Err(ExchangeError::WrongStep { .. })
        ));
    }
}
