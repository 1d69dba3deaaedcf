//! What is stored of who came.

use std::{
    iter,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{
    Carried, Salts, Seen, Stored, VisitorMode,
    salts::{SALT_BYTES, Salt},
};
use crate::{
    auth::keys::{Keys, Purpose, Signer},
    company::Company,
};

/// Bytes of a hash that are kept: 128 bits keep accidental collisions out of reach.
const HASH_BYTES: usize = 16;

/// Makes what is stored of visitors out of what clients say. A visitor of two companies is two in
/// either hash.
#[derive(Clone)]
pub struct Visitors {
    keys: Keys,
    salts: Salts,
    /// For the company whose visitor was hashed last: visits come in batches of one company.
    hashing: Arc<Mutex<Option<(Company, Signer)>>>,
}

impl Visitors {
    /// With the keys of `SECRET_KEY`, and the salts of days.
    pub fn new(keys: Keys, salts: Salts) -> Self {
        Self {
            keys,
            salts,
            hashing: Arc::default(),
        }
    }

    /// What is stored of a visit. Where the salt of the day is not known it says of nobody who it was:
    /// whatever else it said would be good for longer than a day.
    pub fn stored(&self, company: Company, mode: VisitorMode, carried: &Carried) -> Stored {
        Stored {
            visitor: self.visitor(company, mode, carried),
            attributes: carried.rest.attributes(),
        }
    }

    /// The same as the JSON in which it is kept.
    pub fn written(&self, company: Company, mode: VisitorMode, carried: &Carried) -> String {
        let visitor = self.visitor(company, mode, carried);
        carried.rest.with(visitor.as_deref())
    }

    fn visitor(&self, company: Company, mode: VisitorMode, carried: &Carried) -> Option<Box<str>> {
        match (&carried.visitor, &carried.seen) {
            (Some(raw), _) => self.key_on(Salts::today, company, mode, raw),
            (None, Some(seen)) => self.seen_on(Salts::today(), company, seen),
            (None, None) => None,
        }
    }

    /// The day is asked for only where it matters: a clock is slow beside the rest of this.
    fn key_on(
        &self,
        day: impl FnOnce() -> i64,
        company: Company,
        mode: VisitorMode,
        raw: &str,
    ) -> Option<Box<str>> {
        match mode {
            VisitorMode::Hashed => Some(hashed(&self.signer(company).sign(raw.as_bytes()))),
            VisitorMode::Daily => Some(daily(&self.salts.of(day())?, company, raw)),
            VisitorMode::Given => Some(given(raw)),
        }
    }

    fn signer(&self, company: Company) -> Signer {
        let mut hashing = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
        match &*hashing {
            Some((of, signer)) if *of == company => signer.clone(),
            _ => {
                let whom = company.id();
                let signer = self.keys.signer_for(Purpose::Visitor, whom.as_bytes());
                *hashing = Some((company, signer.clone()));
                signer
            }
        }
    }

    fn seen_on(&self, day: i64, company: Company, seen: &Seen) -> Option<Box<str>> {
        let address = match seen.address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        // No name begins with a NUL: whoever is called like this is another.
        let raw = [&[0], &address.octets()[..], seen.agent.as_bytes()].concat();
        Some(daily(&self.salts.of(day)?, company, raw))
    }

    /// All that may be stored of a visitor, whatever the mode of a counter was: hashed with the current
    /// and the previous `SECRET_KEY`, hashed with the salt of each day that is known, and as sent.
    pub fn all_keys(&self, company: Company, raw: &str) -> Vec<Box<str>> {
        let whom = company.id();
        let signed = self
            .keys
            .sign_for_by_all(Purpose::Visitor, whom.as_bytes(), raw.as_bytes());
        let salts = self.salts.all();
        let of_days = salts.iter().map(|salt| daily(salt, company, raw));
        signed
            .map(|signed| hashed(&signed))
            .chain(of_days)
            .chain(iter::once(given(raw)))
            .collect()
    }
}

fn hashed(signed: &[u8]) -> Box<str> {
    marked('#', signed)
}

fn given(raw: &str) -> Box<str> {
    format!("={raw}").into()
}

fn daily(salt: &Salt, company: Company, raw: impl AsRef<[u8]>) -> Box<str> {
    const _: () = assert!(
        SALT_BYTES >= HASH_BYTES,
        "a salt is no easier to guess than a hash"
    );
    let mac = Hmac::<Sha256>::new_from_slice(salt).expect("a key of any length will do");
    // An id is of one length, so what follows it is the name.
    let mac = mac.chain_update(company.id().as_bytes()).chain_update(raw);
    marked('~', &mac.finalize().into_bytes())
}

/// The first letter tells apart how it was made, so that nothing that is given can pass for a hash.
fn marked(mark: char, hash: &[u8]) -> Box<str> {
    let mut key = String::with_capacity(23);
    key.push(mark);
    URL_SAFE_NO_PAD.encode_string(&hash[..HASH_BYTES], &mut key);
    key.into()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::config::{Settings, Sources};

    fn keys(options: &[(&str, &str)]) -> Keys {
        let variables = options.iter();
        let variables = variables.map(|(name, value)| ((*name).into(), (*value).into()));
        let sources = Sources {
            environment: variables.collect(),
            ..Sources::default()
        };
        Keys::new(&Settings::load(&sources).unwrap().auth)
    }

    fn salts(days: &[(i64, u8)]) -> Salts {
        let salts = Salts::default();
        salts.set(days.iter().map(|(day, byte)| (*day, [*byte; 32])).collect());
        salts
    }

    const OTHER: Company = Company::Id(uuid::Uuid::from_u128(7));

    #[test]
    fn a_visitor_is_known_again_where_it_should_be_and_nowhere_else() {
        let visitors = Visitors::new(
            keys(&[("SECRET_KEY", "one")]),
            salts(&[(20_000, 1), (20_001, 2)]),
        );
        let other_key = Visitors::new(keys(&[("SECRET_KEY", "two")]), Salts::default());
        let key = |visitors: &Visitors, day, company, mode, raw| {
            visitors.key_on(|| day, company, mode, raw).unwrap()
        };
        let (hashed, daily) = (VisitorMode::Hashed, VisitorMode::Daily);
        let default = Company::Default;
        let all = [
            key(&visitors, 20_000, default, hashed, "ann"),
            key(&visitors, 20_000, default, hashed, "bob"),
            key(&visitors, 20_000, OTHER, hashed, "ann"),
            key(&other_key, 20_000, default, hashed, "ann"),
            key(&visitors, 20_000, default, daily, "ann"),
            key(&visitors, 20_000, default, daily, "bob"),
            key(&visitors, 20_000, OTHER, daily, "ann"),
            key(&visitors, 20_001, default, daily, "ann"),
        ];
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        for (key, mark) in all.iter().zip("####~~~~".chars()) {
            assert_eq!((key.chars().next(), key.len()), (Some(mark), 23), "{key}");
            assert!(!key.contains("ann") && !key.contains("bob"));
        }
        // On another day it is the same hash, and another one of the day.
        assert_eq!(all[0], key(&visitors, 20_001, default, hashed, "ann"));
        assert_eq!(
            &*key(&visitors, 1, OTHER, VisitorMode::Given, "#ann"),
            "=#ann"
        );
    }

    /// Whatever the mode, since neither is to be kept for longer.
    #[test]
    fn whoever_has_no_name_is_told_apart_for_a_day() {
        let visitors = Visitors::new(keys(&[]), salts(&[(20_000, 1), (20_001, 2)]));
        let seen = |address: &str, agent: &str| Seen {
            address: address.parse().unwrap(),
            agent: agent.into(),
        };
        let one = seen("192.0.2.1", "Firefox");
        let all = [
            (20_000, OTHER, one.clone()),
            (20_001, OTHER, one.clone()),
            (20_000, Company::Default, one.clone()),
            (20_000, OTHER, seen("192.0.2.2", "Firefox")),
            (20_000, OTHER, seen("2001:db8::1", "Firefox")),
            (20_000, OTHER, seen("192.0.2.1", "Chrome")),
            (20_000, OTHER, seen("192.0.2.1", "")),
        ]
        .map(|(day, company, seen)| visitors.seen_on(day, company, &seen).unwrap());
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(
            all.iter()
                .all(|key| key.starts_with('~') && key.len() == 23)
        );
        let mapped = seen("::ffff:192.0.2.1", "Firefox");
        assert_eq!(visitors.seen_on(20_000, OTHER, &mapped).unwrap(), all[0]);
        assert_eq!(visitors.seen_on(1, OTHER, &one), None);

        visitors.salts.set(BTreeMap::from([
            (Salts::today(), [1; 32]),
            (Salts::today() + 1, [1; 32]),
        ]));
        let stored = |mode, visitor: Option<&str>| {
            let carried = Carried {
                visitor: visitor.map(Into::into),
                seen: Some(one.clone()),
                ..Carried::default()
            };
            visitors.stored(OTHER, mode, &carried).visitor.unwrap()
        };
        for mode in [VisitorMode::Hashed, VisitorMode::Daily, VisitorMode::Given] {
            assert_eq!(stored(mode, None), all[0], "{mode:?}");
        }
        assert_eq!(&*stored(VisitorMode::Given, Some("ann")), "=ann");
    }

    /// As any other HKDF and HMAC make them. They must not change: every visitor would be a new one.
    #[test]
    fn hashes_are_as_they_were() {
        let visitors = Visitors::new(keys(&[("SECRET_KEY", "one")]), salts(&[(20_000, 1)]));
        let key = |company, mode| visitors.key_on(|| 20_000, company, mode, "ann").unwrap();
        assert_eq!(
            [
                key(Company::Default, VisitorMode::Hashed),
                key(OTHER, VisitorMode::Hashed),
                key(Company::Default, VisitorMode::Daily),
            ]
            .map(String::from),
            [
                "#_CMEfjgDgK1l3ii6zCPhpw",
                "#hZSWBkIFabZbHN5pnVAJAw",
                "~SP4WVZV2dA2lTTwGBTPTrg"
            ]
        );
    }

    #[test]
    fn without_the_salt_of_the_day_nobody_is_told_apart() {
        let carried = Carried {
            visitor: Some("ann".into()),
            ..Carried::default()
        };
        let salts = salts(&[(20_000, 1)]);
        let visitors = Visitors::new(keys(&[]), salts.clone());
        let stored = || visitors.stored(Company::Default, VisitorMode::Daily, &carried);
        assert_eq!(stored().visitor, None);
        let today = Salts::today();
        // Midnight may come in between.
        salts.set(BTreeMap::from([(today, [1; 32]), (today + 1, [2; 32])]));
        assert!(stored().visitor.is_some());
        assert_eq!(salts.of(20_000), None, "all others are forgotten");
        salts.set(BTreeMap::new());
        assert_eq!(stored().visitor, None);
        assert_eq!(format!("{:?}", self::salts(&[(3, 171)])), "{3}");
    }

    #[test]
    fn everything_that_may_be_stored_is_found() {
        let salts = salts(&[(20_000, 1), (20_001, 2)]);
        let before = Visitors::new(keys(&[("SECRET_KEY", "old")]), salts.clone());
        let rotated = keys(&[
            ("SECRET_KEY", "new"),
            ("FOOTFALL_SECRET_KEY_PREVIOUS", "old"),
        ]);
        let after = Visitors::new(rotated, salts);
        let all = after.all_keys(OTHER, "ann");
        for visitors in [&before, &after] {
            for mode in [VisitorMode::Hashed, VisitorMode::Daily, VisitorMode::Given] {
                for day in [20_000, 20_001] {
                    let key = visitors.key_on(|| day, OTHER, mode, "ann").unwrap();
                    assert!(all.contains(&key), "{mode:?} {day}");
                }
            }
        }
        assert_eq!(all.len(), 5);
    }
}
