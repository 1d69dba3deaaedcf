//! Which devices have logged in before: a cookie says so.
//!
//! A stranger who tries passwords locks a name for everyone, but not for devices that have logged
//! this user in before: their failures are counted by themselves
//! ([`Guess::Login`](super::throttle::Guess)). The cookie opens nothing else. Scripts cannot read it,
//! and a user's id, which is in it, is no secret.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use uuid::Uuid;

use super::keys::{self, Keys, Purpose};

/// The cookie's name. By its prefix browsers take it over TLS alone, and from no other host (RFC
/// 6265bis, 4.1.3.2).
const NAME: &str = "__Host-footfall-device";

/// Its name on plain HTTP, in development: browsers refuse the other one there.
const PLAIN_NAME: &str = "footfall-device";

/// How long a device is known after its last login, in seconds: a year.
const LIFETIME: u64 = 365 * 24 * 60 * 60;

/// Users that are remembered of one device: those who logged in last.
const MAX_USERS: usize = 8;

/// What is signed begins with this, so that another content is another version.
const VERSION: u8 = 1;

const ID_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + ID_BYTES + size_of::<u64>();

/// A device, and who has logged in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    id: Uuid,
    /// The last first.
    users: Vec<Uuid>,
}

impl Device {
    /// The device that sent these header fields: a new one, if it does not show that it is known.
    /// `now` in seconds of Unix time.
    pub fn of(headers: &HeaderMap, keys: &Keys, now: u64) -> Self {
        let known = cookie(headers).and_then(|value| Self::read(value, keys, now));
        known.unwrap_or_else(|| Self {
            id: Uuid::now_v7(),
            users: Vec::new(),
        })
    }

    /// Whether anybody has logged in there before.
    pub fn is_known(&self) -> bool {
        !self.users.is_empty()
    }

    /// Its id, if it has logged in this user before.
    pub fn known_to(&self, user: Uuid) -> Option<Uuid> {
        self.users.contains(&user).then_some(self.id)
    }

    /// `Set-Cookie` for a device that this user has just logged in on. `secure`: whether there is
    /// TLS, which production always says.
    pub fn logged_in(mut self, user: Uuid, keys: &Keys, now: u64, secure: bool) -> HeaderValue {
        self.users.retain(|other| *other != user);
        self.users.insert(0, user);
        self.users.truncate(MAX_USERS);
        let value = self.write(keys, now);
        let (name, secure) = match secure {
            true => (NAME, "; Secure"),
            false => (PLAIN_NAME, ""),
        };
        let cookie = format!(
            "{name}={value}; Path=/; Max-Age={LIFETIME}; HttpOnly{secure}; SameSite=Strict"
        );
        HeaderValue::try_from(cookie).expect("base64url is visible ASCII")
    }

    fn write(&self, keys: &Keys, now: u64) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.id.as_bytes());
        bytes.extend(now.to_be_bytes());
        for user in &self.users {
            bytes.extend(user.as_bytes());
        }
        let signature = keys.sign(Purpose::Device, &bytes);
        bytes.extend(signature);
        BASE64.encode(bytes)
    }

    fn read(value: &str, keys: &Keys, now: u64) -> Option<Self> {
        const LONGEST: usize = HEAD_BYTES + MAX_USERS * ID_BYTES + keys::BYTES;
        if value.len() > LONGEST.div_ceil(3) * 4 {
            return None;
        }
        let bytes = BASE64.decode(value).ok()?;
        let (content, signature) = bytes.split_at_checked(bytes.len().checked_sub(keys::BYTES)?)?;
        if !keys.verify(Purpose::Device, content, signature) {
            return None;
        }
        let (&VERSION, rest) = content.split_first()? else {
            return None;
        };
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (users, []) = rest.as_chunks::<ID_BYTES>() else {
            return None;
        };
        let is_of_lately = now.saturating_sub(u64::from_be_bytes(*at)) < LIFETIME;
        is_of_lately.then(|| Self {
            id: Uuid::from_bytes(*id),
            users: users.iter().copied().map(Uuid::from_bytes).collect(),
        })
    }
}

/// The value of the cookie. The name without prefix can be set by neighbours, but they
/// cannot sign; sent twice, none is believed.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).iter();
    let pairs = values.filter_map(|value| value.to_str().ok());
    let mut found = pairs
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| [NAME, PLAIN_NAME].contains(name));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    const NOW: u64 = 1_800_000_000;

    fn keys(options: &[(&str, &str)]) -> Keys {
        Keys::new(&Settings::of(options).auth)
    }

    fn sent(lines: &[&str]) -> HeaderMap {
        let lines = lines.iter();
        let lines = lines.map(|line| (header::COOKIE, line.parse().unwrap()));
        lines.collect()
    }

    fn nobody() -> Device {
        Device::of(&HeaderMap::new(), &keys(&[]), NOW)
    }

    /// What a browser would send back.
    fn pair(set: &HeaderValue) -> String {
        set.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_device_is_known_to_those_who_logged_in_there() {
        let keys = keys(&[]);
        let (ada, ida) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = nobody();
        assert_eq!(first.known_to(ada), None);
        let id = first.id;
        let headers = sent(&[&pair(&first.logged_in(ada, &keys, NOW, true))]);
        let second = Device::of(&headers, &keys, NOW + LIFETIME - 1);
        assert_eq!(
            (second.known_to(ada), second.known_to(ida)),
            (Some(id), None)
        );
        let headers = sent(&[
            "a=b; c",
            &pair(&second.logged_in(ida, &keys, NOW, false)),
            "d",
        ]);
        let third = Device::of(&headers, &keys, NOW);
        assert_eq!(third.users, [ida, ada]);
        assert_eq!(third.known_to(ida), Some(id));
    }

    #[test]
    fn those_who_logged_in_last_are_remembered() {
        let keys = keys(&[]);
        let mut device = nobody();
        let users: Vec<_> = (1..=20).map(Uuid::from_u128).collect();
        for user in users.iter().chain([&users[15], &users[15]]) {
            let headers = sent(&[&pair(&device.logged_in(*user, &keys, NOW, true))]);
            device = Device::of(&headers, &keys, NOW);
        }
        let expected = [16, 20, 19, 18, 17, 15, 14, 13].map(Uuid::from_u128);
        assert_eq!(device.users, expected);
    }

    #[test]
    fn what_is_not_ours_or_too_old_is_a_new_device() {
        let keys = keys(&[]);
        let user = Uuid::from_u128(1);
        let good = pair(&nobody().logged_in(user, &keys, NOW, true));
        let is_known = |lines: &[&str], now| {
            let device = Device::of(&sent(lines), &keys, now);
            device.known_to(user).is_some()
        };
        assert!(is_known(&[&good], NOW));
        assert!(is_known(&[&good], NOW - 1000), "clocks differ");
        assert!(!is_known(&[&good], NOW + LIFETIME));
        // Twice, on one line or two, even the same.
        assert!(!is_known(&[&good, &good], NOW));
        assert!(!is_known(&[&format!("{good}; {PLAIN_NAME}=x")], NOW));
        let (name, value) = good.split_once('=').unwrap();
        for index in 0..value.len() {
            // The lowest bits of the last one may mean nothing.
            let other = if &value[index..=index] == "_" {
                "A"
            } else {
                "_"
            };
            let mut forged = value.to_owned();
            forged.replace_range(index..=index, other);
            assert!(!is_known(&[&format!("{name}={forged}")], NOW), "{index}");
            let cut = &value[..index];
            assert!(!is_known(&[&format!("{name}={cut}")], NOW), "{index}");
        }
        for forged in ["", "=", "AAAA", &value.repeat(2), &"A".repeat(10_000), "ü"] {
            assert!(!is_known(&[&format!("{name}={forged}")], NOW), "{forged}");
        }
        assert!(!is_known(&[&format!("other={value}")], NOW));
    }

    #[test]
    fn it_is_signed_for_this_and_survives_one_rotation() {
        let user = Uuid::from_u128(1);
        let old = keys(&[("SECRET_KEY", "old")]);
        let rotated = [
            ("SECRET_KEY", "new"),
            ("FOOTFALL_SECRET_KEY_PREVIOUS", "old"),
        ];
        let headers = sent(&[&pair(&nobody().logged_in(user, &old, NOW, true))]);
        let known = |keys: &Keys| Device::of(&headers, keys, NOW).known_to(user).is_some();
        assert!(known(&old) && known(&keys(&rotated)));
        assert!(!known(&keys(&rotated[..1])));
        // What is signed for another purpose is no device.
        let mut bytes = vec![VERSION];
        bytes.extend([0; HEAD_BYTES - 1]);
        bytes.extend(user.as_bytes());
        let signature = old.sign(Purpose::Csrf, &bytes);
        bytes.extend(signature);
        assert_eq!(Device::read(&BASE64.encode(bytes), &old, 1), None);
    }

    #[test]
    fn browsers_keep_it_to_themselves() {
        let set = |secure| {
            let set = nobody().logged_in(Uuid::nil(), &keys(&[]), NOW, secure);
            let (pair, attributes) = set.to_str().unwrap().split_once("; ").unwrap();
            let name = pair.split_once('=').unwrap().0;
            (name.to_owned(), attributes.to_owned())
        };
        let (name, attributes) = set(true);
        assert_eq!(name, "__Host-footfall-device");
        let expected = "Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Strict";
        assert_eq!(attributes, expected);
        let (name, attributes) = set(false);
        assert_eq!(name, "footfall-device");
        assert_eq!(
            attributes,
            "Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict"
        );
    }
}
