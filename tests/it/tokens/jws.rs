//! What a token must be as a JWS (RFC 7515), and what is to be thought of with JWTs (RFC 8725): each kind
//! of case that Project Wycheproof has for HMAC, made with our key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Hmac;
use serde_json::json;
use sha2::Sha256;

use super::{authorize, claims, kid_of, mac};
use crate::support::{Client, TestApp, footfall::SECRET_KEY};

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token of these two parts as they are, under our key.
fn signed(header: &str, payload: &str) -> String {
    let message = format!("{header}.{payload}");
    let signature = mac::<Hmac<Sha256>>(SECRET_KEY, &message);
    format!("{message}.{}", encoded(signature))
}

/// The three parts of a good token of ours.
struct Good {
    header: String,
    payload: String,
    signature: String,
    kid: String,
}

impl Good {
    fn new(kid: String) -> Self {
        let header = encoded(json!({ "alg": "HS256", "kid": kid }).to_string());
        // Its length in base64 leaves bits unused, so that these can be others.
        let mut payload = claims().to_string();
        while payload.len() % 3 != 1 {
            payload.push(' ');
        }
        let payload = encoded(payload);
        let token = signed(&header, &payload);
        let signature = token.rsplit('.').next().unwrap().to_owned();
        Self {
            header,
            payload,
            signature,
            kid,
        }
    }

    /// With these members in its header.
    fn with_header(&self, members: &str) -> String {
        let header = format!(r#"{{"alg":"HS256","kid":"{}"{members}}}"#, self.kid);
        signed(&encoded(header), &self.payload)
    }

    fn wycheproof(&self) -> Vec<(&'static str, String)> {
        let Self {
            header,
            payload,
            signature,
            ..
        } = self;
        let none = encoded(json!({ "alg": "none", "kid": self.kid }).to_string());
        let other = |text: &str| match text.strip_prefix('A') {
            Some(rest) => format!("B{rest}"),
            None => format!("A{}", &text[1..]),
        };
        let json = json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] });
        vec![
            (
                "a modified signature",
                format!("{header}.{payload}.{}", other(signature)),
            ),
            ("no signature", format!("{header}.{payload}.")),
            ("no signature and no dot", format!("{header}.{payload}")),
            (
                "a modified payload",
                format!("{header}.{}.{signature}", other(payload)),
            ),
            ("no payload", format!("{header}..{signature}")),
            ("no payload, signed", signed(header, "")),
            ("no payload and no dot", format!("{header}.{signature}")),
            (
                "a modified header",
                format!("{}.{payload}.{signature}", other(header)),
            ),
            ("no header", format!(".{payload}.{signature}")),
            ("no header, signed", signed("", payload)),
            ("no header and no dot", format!("{payload}.{signature}")),
            ("nothing but a payload", format!(".{payload}.")),
            ("nothing but a payload, without dots", payload.clone()),
            ("dots", "..".to_owned()),
            (
                "one empty part more",
                format!("{header}.{payload}.{signature}."),
            ),
            (
                "one part more",
                format!("{header}.{payload}.{signature}.{signature}"),
            ),
            ("alg none without a signature", format!("{none}.{payload}.")),
            ("alg none with our signature", signed(&none, payload)),
            ("the JSON serialization", json.to_string()),
            (
                "blanks in the signature",
                format!("{header}.{payload}.    {signature}"),
            ),
            (
                "a character before the signature",
                format!("{header}.{payload}.?{signature}"),
            ),
            (
                "a character in the signature",
                format!("{header}.{payload}.{}?{}", &signature[..9], &signature[9..]),
            ),
            (
                "a character of the signature",
                format!("{header}.{payload}.?{}", &signature[1..]),
            ),
            (
                "blanks in the header",
                signed(&format!("{header}    "), payload),
            ),
            (
                "characters in the header",
                signed(&format!("{header}####"), payload),
            ),
            (
                "a character in the header",
                format!("{}?{}.{payload}.{signature}", &header[..9], &header[9..]),
            ),
            (
                "padding of the signature",
                format!("{header}.{payload}.{signature}="),
            ),
            (
                "blanks in the payload",
                signed(header, &format!("    {payload}")),
            ),
            (
                "characters in the payload",
                signed(header, &format!("####{payload}")),
            ),
            (
                "a character in the payload",
                signed(header, &format!("?{payload}")),
            ),
            (
                "a character after the payload",
                format!("{header}.{payload}?.{signature}"),
            ),
            (
                "padding of the payload",
                signed(header, &format!("{payload}==")),
            ),
            (
                "unused bits of the payload",
                signed(header, &with_unused_bits(payload)),
            ),
            (
                "unused bits of the signature",
                format!("{header}.{payload}.{}", with_unused_bits(signature)),
            ),
            (
                "base64 of another alphabet",
                signed(header, &format!("{}+/", &payload[..payload.len() - 2])),
            ),
        ]
    }

    fn rfc_8725(&self) -> Vec<(&'static str, String)> {
        let jwk = format!(r#"{{"kty":"oct","k":"{}"}}"#, encoded("another-key"));
        let by_jwk = |members: &str| {
            let header = format!(r#"{{"alg":"HS256","kid":"{}"{members}}}"#, self.kid);
            let message = format!("{}.{}", encoded(header), self.payload);
            let signature = mac::<Hmac<Sha256>>("another-key", &message);
            format!("{message}.{}", encoded(signature))
        };
        let with = |payload: &[u8]| signed(&self.header, &encoded(payload));
        let claims = claims().to_string();
        let twice = |member: &str| format!(r#"{{{member},{}"#, &claims[1..]);
        vec![
            // 3.6
            ("a compressed payload", self.with_header(r#","zip":"DEF""#)),
            ("an encrypted one", self.with_header(r#","enc":"A128GCM""#)),
            // 3.7
            ("no UTF-8", with(b"{\"iss\":\"footfall\",\"sub\":\"\xff\"}")),
            (
                "UTF-16",
                with(
                    &claims
                        .encode_utf16()
                        .flat_map(u16::to_be_bytes)
                        .collect::<Vec<_>>(),
                ),
            ),
            ("no object", with(b"[]")),
            ("null", with(b"null")),
            (
                "more than an object",
                with(format!("{claims}{{}}").as_bytes()),
            ),
            (
                "two subjects",
                with(twice(r#""sub":"somebody""#).as_bytes()),
            ),
            ("two ends", with(twice(r#""exp":99999999999"#).as_bytes())),
            (
                "no header of JSON",
                signed(&encoded("rubbish"), &self.payload),
            ),
            ("two algorithms", self.with_header(r#","alg":"none""#)),
            // 3.9: ours are for nobody else, and so name nobody.
            (
                "for somebody else",
                with(twice(r#""aud":"another service""#).as_bytes()),
            ),
            // 3.10
            ("a key in the header", by_jwk(&format!(r#","jwk":{jwk}"#))),
            (
                "the address of a key",
                by_jwk(r#","jku":"http://127.0.0.1:1/keys""#),
            ),
            (
                "the address of a certificate",
                by_jwk(r#","x5u":"http://127.0.0.1:1/certificate""#),
            ),
            // RFC 7515, 4.1.11
            (
                "an extension that must be understood",
                self.with_header(r#","crit":["exp"],"exp":1"#),
            ),
            (
                "a payload that is no base64",
                self.with_header(r#","crit":["b64"],"b64":false"#),
            ),
            (
                "no extension that must be understood",
                self.with_header(r#","crit":[]"#),
            ),
        ]
    }
}

/// The same text in base64, but for bits that mean nothing.
fn with_unused_bits(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = ALPHABET.find(text.chars().next_back().unwrap()).unwrap();
    format!(
        "{}{}",
        &text[..text.len() - 1],
        &ALPHABET[last + 1..last + 2]
    )
}

async fn refused(client: &mut Client, cases: &[(&str, String)]) {
    for (what, token) in cases {
        let reply = authorize(client, &format!("Bearer {token}")).await;
        let refusal = (reply.status.as_u16(), reply.problem());
        assert_eq!(refusal, (401, "invalid_token".to_owned()), "{what}");
    }
}

#[tokio::test]
async fn only_one_way_to_write_a_token_is_one() {
    let app = TestApp::start().await;
    let mut client = app.client();
    let good = Good::new(kid_of(&client.token().await));
    refused(&mut client, &good.wycheproof()).await;
    refused(&mut client, &good.rfc_8725()).await;
    let spaced = format!("{{ \"alg\" : \"HS256\",\n\t\"kid\" : \"{}\" }}", good.kid);
    for (what, token) in [
        ("as it is", signed(&good.header, &good.payload)),
        (
            "blanks in the JSON of the header",
            signed(&encoded(spaced), &good.payload),
        ),
        (
            "members that mean nothing",
            good.with_header(r#","typ":"JWT","x":1"#),
        ),
    ] {
        let reply = authorize(&mut client, &format!("Bearer {token}")).await;
        assert_eq!(reply.status, 200, "{what}");
    }
}

/// What was made for one purpose is worth nothing for another (RFC 8725, 3.12).
#[tokio::test]
async fn nothing_else_of_ours_is_a_token() {
    let app = TestApp::start().await;
    let mut client = app.client().with("sec-fetch-site", "same-origin");
    let body = json!({ "username": "admin", "password": "password" }).to_string();
    let bearer = client.post_json("/auth/login", &body).await;
    let cookies = client.post_json("/auth/login?mode=cookie", &body).await;
    let (bearer, cookies) = (
        bearer.json()["refresh_token"].as_str().unwrap().to_owned(),
        cookies.headers,
    );
    let values = cookies.get_all("set-cookie").iter().map(|cookie| {
        let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    let values: Vec<_> = values.collect();
    assert_eq!(values.len(), 4, "access, refresh, csrf and device");
    for (name, value) in values
        .iter()
        .chain([&("a refresh token".to_owned(), bearer)])
    {
        let is_access = name == "footfall-access";
        let reply = authorize(&mut client, &format!("Bearer {value}")).await;
        assert_eq!(reply.status == 200, is_access, "{name} as an access token");
        let as_cookie = [("cookie", format!("footfall-access={value}"))];
        let as_cookie = as_cookie
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let reply = client
            .send(hyper::Method::HEAD, "/api/count", &as_cookie, "")
            .await;
        assert_eq!(
            reply.status == 200,
            is_access,
            "{name} in the cookie of one"
        );
        let body = json!({ "refresh_token": value }).to_string();
        let reply = client.post_json("/auth/refresh", &body).await;
        assert_eq!(
            reply.status == 200,
            name == "a refresh token",
            "{name} as a refresh token"
        );
        for path in ["/auth/confirm", "/auth/password/reset"] {
            let body =
                json!({ "token": value, "password": "a password that is long enough" }).to_string();
            let status = client.post_json(path, &body).await.status;
            assert!(status == 410 || status == 404, "{name} as a link: {status}");
        }
    }
}
