//! The pages of who is not signed in, and those that mails lead to: forms that work without scripts.

use fantoccini::Locator;
use hyper::Method;

use crate::support::{
    Footfall, Reply,
    browser::Browser,
    eventually,
    people::{PASSWORD, Place, both, sqlite},
    reader::{ACCEPT, assert_is_page},
    until,
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn submit(place: &Place, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    place
        .client()
        .send(
            Method::POST,
            path,
            &[FORM, ("accept", ACCEPT)],
            body.finish(),
        )
        .await
}

#[tokio::test]
async fn one_registers_confirms_and_resets_by_pages_alone() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        assert_is_page(&place.client().get("/console/register").await, 200);
        let fields = [
            ("company", "Acme"),
            ("email", email),
            ("username", "anna"),
            ("password", PASSWORD),
        ];
        assert_is_page(&submit(&place, "/console/register", &fields).await, 202);
        let letter = place.letter(email, "Confirm your e-mail address").await;
        let path = letter.link().split_once("/console/").unwrap().1;
        let path = format!("/console/{path}");
        // To look at it does nothing, however often.
        for method in [Method::GET, Method::HEAD, Method::GET] {
            let page = place.client().send(method, &path, &[], "").await;
            assert_eq!(page.status, 200);
        }
        let page = place.client().get(&path).await;
        assert_is_page(&page, 200);
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert!(page.text().contains(letter.token()));
        assert!(
            !page.text().contains(&format!("action=\"{path}")),
            "the token is in no address"
        );
        let fields = [("token", letter.token()), ("password", "wrong")];
        let page = submit(&place, "/console/confirm", &fields).await;
        assert_is_page(&page, 401);
        assert!(page.text().contains("The password is wrong."));
        assert!(page.text().contains("aria-invalid"));
        let fields = [("token", letter.token()), ("password", PASSWORD)];
        assert_is_page(&submit(&place, "/console/confirm", &fields).await, 200);
        assert_is_page(&submit(&place, "/console/confirm", &fields).await, 410);
        assert_is_page(
            &submit(&place, "/console/forgot", &[("email", email)]).await,
            202,
        );
        let letter = place.letter(email, "Reset your password").await;
        for (password, status) in [("short", 422), ("seven quiet otters juggling", 200)] {
            let fields = [("token", letter.token()), ("password", password)];
            assert_is_page(&submit(&place, "/console/reset", &fields).await, status);
        }
    }
}

/// What was typed is kept, but for passwords, and is text.
#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let place = sqlite(&[]).await;
    let attack = "\"><script>alert(1)</script>";
    let fields = [
        ("company", attack),
        ("email", "no address"),
        ("username", "a'b<c>"),
        ("password", PASSWORD),
    ];
    let page = submit(&place, "/console/register", &fields).await;
    assert_is_page(&page, 422);
    let text = page.text();
    assert!(
        text.contains("id=\"company-error\"") && text.contains("value=\"no address\""),
        "{text}"
    );
    assert!(!text.contains(PASSWORD));
    for (path, query) in [
        ("confirm", ""),
        ("reset", "?token="),
        ("email", "?token=%00%ff"),
        ("invitation", "?token=a&token=b"),
    ] {
        assert_is_page(
            &place.client().get(&format!("/console/{path}{query}")).await,
            410,
        );
        assert_is_page(
            &submit(&place, &format!("/console/{path}"), &[("token", attack)]).await,
            410,
        );
    }
    // Errors of the edge are pages as well.
    let page = place
        .client()
        .send(Method::PUT, "/console/confirm", &[("accept", ACCEPT)], "")
        .await;
    assert_is_page(&page, 405);
    let json = [("content-type", "application/json"), ("accept", ACCEPT)];
    let page = place
        .client()
        .send(Method::POST, "/console/register", &json, "{}")
        .await;
    assert_is_page(&page, 415);
    let page = place
        .client()
        .send(
            Method::POST,
            "/console/register",
            &[FORM, ("accept", ACCEPT)],
            "a".repeat(65 * 1024),
        )
        .await;
    assert_is_page(&page, 413);
}

/// The log has the routes, and nothing of a query.
#[tokio::test]
async fn the_access_log_has_no_token() {
    let footfall = Footfall::builder()
        .env("FOOTFALL_LOG", "debug,sqlx=debug")
        .start();
    let token = "A".repeat(64);
    for page in ["confirm", "reset", "invitation", "email"] {
        let path = format!("/console/{page}?token={token}");
        assert_eq!(footfall.client().get(&path).await.status, 410);
        let is_logged = || {
            let log = footfall.log();
            log.iter()
                .any(|line| line.contains(&format!("/console/{page}")))
                .then_some(())
        };
        eventually("the request is in the log", is_logged);
    }
    assert!(!footfall.log().iter().any(|line| line.contains(&token)));
}

/// Passwords are hidden as they are typed, and password managers are told which is which.
#[tokio::test]
async fn password_fields_are_such() {
    let (place, email) = (sqlite(&[]).await, "anna@a.example");
    place.register(email).await;
    let letter = place.letter(email, "Confirm your e-mail address").await;
    let confirm = format!("/console/confirm?token={}", letter.token());
    place.founder("bo@a.example").await;
    submit(&place, "/console/forgot", &[("email", "bo@a.example")]).await;
    let letter = place.letter("bo@a.example", "Reset your password").await;
    let reset = format!("/console/reset?token={}", letter.token());
    for (path, autocomplete) in [
        ("/console/register", "new-password"),
        (confirm.as_str(), "current-password"),
        (reset.as_str(), "new-password"),
    ] {
        let text = place.client().get(path).await.text();
        let (_, field) = text.split_once("name=\"password\"").expect(path);
        let field = field.split('>').next().unwrap();
        for said in [
            "type=\"password\"",
            &format!("autocomplete=\"{autocomplete}\""),
        ] {
            assert!(field.contains(said), "{path}: {field}");
        }
        assert!(!text.contains("onpaste"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let footfall = Footfall::builder()
        .env("FOOTFALL_DATA_DIR", folder.path().display())
        .start();
    let origin = format!("http://{}/", footfall.public());
    let browser = Browser::start().await;
    let open = async |path: &str| browser.page.goto(&format!("{origin}{path}")).await.unwrap();
    let fill = async |name: &str, text: &str| {
        let field = browser.page.find(Locator::Id(name)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    };
    let press = async || {
        let button = browser
            .page
            .find(Locator::Css("main button"))
            .await
            .unwrap();
        button.click().await.unwrap();
    };
    // The button's page may still be on its way.
    let shows = async |text: &str| {
        let shown = async || {
            let source = browser.page.source().await.ok()?;
            source.contains(text).then_some(())
        };
        until(text, shown).await;
    };
    for (width, height) in [(360, 740), (1280, 900)] {
        for scheme in ["light", "dark"] {
            browser.screen(width, height).await;
            browser.color_scheme(scheme).await;
            open("console/register").await;
            let name = |page: &str| format!("{page}-{width}-{scheme}.png");
            browser.screenshot(&name("register")).await;
            fill("company", "Acme").await;
            fill("email", "anna@a.example").await;
            fill("username", "anna").await;
            fill("password", "anna@a.example").await;
            press().await;
            let error = browser
                .page
                .wait()
                .for_element(Locator::Id("password-error"))
                .await
                .unwrap();
            assert!(error.text().await.unwrap().contains("at least 15"));
            assert_eq!(
                browser.script("return document.activeElement.id").await,
                "password"
            );
            assert_eq!(
                browser
                    .script("return document.getElementById('company').value")
                    .await,
                "Acme"
            );
            browser.screenshot(&name("register-refused")).await;
            let overflow = "return document.documentElement.scrollWidth - window.innerWidth";
            assert!(browser.script(overflow).await.as_i64().unwrap() <= 0);
            // Without its style the page is in a serif font.
            let font = "return getComputedStyle(document.body).fontFamily";
            assert!(
                browser
                    .script(font)
                    .await
                    .as_str()
                    .unwrap()
                    .contains("system-ui")
            );
        }
    }
    fill("password", PASSWORD).await;
    press().await;
    shows("Look into your mail").await;
    browser.screenshot("sent-1280-dark.png").await;
    let link = until("the mail is there", async || {
        let folder = std::fs::read_dir(folder.path().join("mail")).ok()?;
        let mail = { folder }.find_map(|file| {
            let path = file.unwrap().path();
            path.extension()
                .is_some_and(|end| end == "eml")
                .then_some(path)
        })?;
        let text = std::fs::read_to_string(mail).unwrap();
        let text = text.replace("=\r\n", "").replace("=3D", "=");
        let (_, token) = text.split_once("/console/confirm?token=")?;
        Some(format!("console/confirm?token={}", &token[..64]))
    })
    .await;
    open(&link).await;
    browser.screenshot("confirm-1280-dark.png").await;
    fill("password", PASSWORD).await;
    press().await;
    shows("Your address is confirmed").await;
    let url = browser.page.current_url().await.unwrap();
    assert_eq!((url.path(), url.query()), ("/console/confirm", None));
    open(&link).await;
    press().await;
    browser.close().await;
}
