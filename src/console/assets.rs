//! Styles and scripts: in the binary, under names that change with what is in them, so that browsers
//! never ask for them again.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// The files, each before those that import it.
const SOURCES: &[(&str, &str)] = &[
    ("console.css", include_str!("assets/console.css")),
    ("builder.css", include_str!("assets/builder.css")),
    ("console.js", include_str!("assets/console.js")),
    ("live.js", include_str!("assets/live.js")),
    ("range.js", include_str!("assets/range.js")),
    ("audiences.js", include_str!("assets/audiences.js")),
    ("icon.svg", include_str!("assets/icon.svg")),
];

/// A file.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    /// Its name in its address.
    pub hashed: String,
    /// What it is.
    pub media_type: &'static str,
    /// What is in it.
    pub text: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets = Vec::<Asset>::new();
    for (name, source) in SOURCES {
        let mut text = (*source).to_owned();
        for other in &assets {
            let import = |name: &str| format!("\"./{name}\"");
            text = text.replace(&import(other.name), &import(&other.hashed));
        }
        let digest = Sha256::digest(&text);
        let hash: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        assets.push(Asset {
            name,
            hashed: format!("{stem}-{hash}.{ending}"),
            media_type: match ending {
                "css" => "text/css; charset=utf-8",
                "js" => "text/javascript; charset=utf-8",
                _ => "image/svg+xml",
            },
            text,
        });
    }
    assets
});

/// The name of a file in its address.
///
/// # Panics
///
/// If there is no such file, which each page would show in any test.
pub fn hashed(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    let Some(asset) = found else {
        panic!("there is no file {name} among those of the console");
    };
    &asset.hashed
}

/// A file, by its name in its address.
pub fn find(hashed: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.hashed == hashed)
}
