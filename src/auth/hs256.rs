//! HS256 (HMAC-SHA-256, RFC 7518, section 3.2), the one algorithm of our tokens.
//!
//! The providers that come with `jsonwebtoken` know all algorithms of the standard, and with them
//! RSA and elliptic curves, which nothing here signs with.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Signer, Verifier},
};
use sha2::Sha256;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes this what `jsonwebtoken` signs and verifies with, in the whole process.
pub fn install() {
    // An error says that it is installed already.
    let _ = PROVIDER.install_default();
}

/// HMAC-SHA-256 under one key.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> Result<Box<Self>> {
        if (algorithm, family) != (Algorithm::HS256, AlgorithmFamily::Hmac) {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        let hmac = Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Box::new(Self(hmac)))
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Ok(Hs256::new(*algorithm, key.family(), key.as_bytes())?)
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    Ok(Hs256::new(
        *algorithm,
        key.family(),
        key.try_get_as_bytes()?,
    )?)
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        let hmac = self.0.clone().chain_update(message);
        Ok(hmac.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// Takes the same time for every wrong signature of the right length.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let hmac = self.0.clone().chain_update(message);
        hmac.verify_slice(signature).map_err(|_| Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: [Algorithm; 11] = [
        Algorithm::HS384,
        Algorithm::HS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::EdDSA,
    ];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn signature(key: &[u8], message: &[u8]) -> Vec<u8> {
        let signer = signer(&Algorithm::HS256, &EncodingKey::from_secret(key)).unwrap();
        signer.try_sign(message).unwrap()
    }

    fn accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let verifier = verifier(&Algorithm::HS256, &DecodingKey::from_secret(key)).unwrap();
        verifier.verify(message, &signature.to_vec()).is_ok()
    }

    /// RFC 4231, sections 4.2 to 4.8; case 5 is about truncation, which JWS does not know.
    #[test]
    fn the_vectors_of_rfc_4231() {
        let long_key = [0xaa; 131];
        let counting: Vec<u8> = (1..=25).collect();
        let cases: [(&[u8], &[u8], &str); 6] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &counting,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                &long_key,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &long_key,
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (number, (key, message, expected)) in cases.into_iter().enumerate() {
            let signature = signature(key, message);
            assert_eq!(hex(&signature), expected, "case {number}");
            assert!(accepts(key, message, &signature), "case {number}");
        }
    }

    /// RFC 7515, appendix A.1: the standard's own token, through `jsonwebtoken` as a whole.
    #[test]
    fn the_token_of_rfc_7515() {
        const KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
        const MESSAGE: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        install();
        let key = EncodingKey::from_urlsafe_base64_secret(KEY).unwrap();
        let signed = jsonwebtoken::crypto::sign(MESSAGE.as_bytes(), &key, Algorithm::HS256);
        assert_eq!(signed.unwrap(), SIGNATURE);
        let key = DecodingKey::from_secret(key.as_bytes());
        let verify = |signature: &str| {
            let message = MESSAGE.as_bytes();
            jsonwebtoken::crypto::verify(signature, message, &key, Algorithm::HS256).unwrap()
        };
        assert!(verify(SIGNATURE));
        assert!(!verify(&SIGNATURE.replace('d', "e")));
    }

    #[test]
    fn only_the_whole_signature_is_right() {
        let (key, message) = (b"a key", b"a message");
        let right = signature(key, message);
        for length in 0..right.len() {
            assert!(!accepts(key, message, &right[..length]), "{length} bytes");
        }
        assert!(!accepts(key, message, &[&right[..], &[0]].concat()));
        for bit in 0..right.len() * 8 {
            let mut wrong = right.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepts(key, message, &wrong), "bit {bit}");
        }
        assert!(!accepts(key, b"another message", &right));
        assert!(!accepts(b"another key", message, &right));
        assert!(accepts(key, message, &right));
    }

    #[test]
    fn no_other_algorithm_is_known() {
        let (signing, verifying) = (
            EncodingKey::from_secret(b"a key"),
            DecodingKey::from_secret(b"a key"),
        );
        for algorithm in OTHERS {
            assert!(signer(&algorithm, &signing).is_err(), "{algorithm:?}");
            assert!(verifier(&algorithm, &verifying).is_err(), "{algorithm:?}");
        }
        // Under a public key as the secret, everyone could sign.
        let public = DecodingKey::from_rsa_der(b"a public key");
        assert!(verifier(&Algorithm::HS256, &public).is_err());
    }
}
