//! What pages show of the settings.

use crate::{
    config::{PublicUrl, Settings, Shown, catalog::SETTINGS, values::Environment},
    edge::Address,
};

/// The settings, as far as pages show them.
#[derive(Debug, Clone)]
pub struct InForce {
    /// All of them in the order of `footfall config`, secrets redacted.
    pub shown: Vec<Shown>,
    public_url: Option<PublicUrl>,
    is_production: bool,
}

impl InForce {
    /// What these settings say.
    pub fn new(settings: &Settings) -> Self {
        let mut shown = settings.shown.clone();
        shown.sort_by_key(|line| {
            let mut all = SETTINGS.iter();
            all.position(|setting| setting.key == line.setting.key)
        });
        Self {
            shown,
            public_url: settings.mail.public_url.clone(),
            is_production: settings.environment == Environment::Production,
        }
    }

    /// The address of the service in lines to copy, without a slash at its end: that of
    /// `FOOTFALL_PUBLIC_URL`, which has the prefix as well; in development the one that was asked.
    pub fn address(&self, asked: &Address) -> String {
        match &self.public_url {
            Some(url) if self.is_production => url.to_string(),
            _ => asked.0.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_to_copy_have_the_public_url_in_production() {
        let asked = Address("http://asked.example".to_owned());
        let of =
            |variables: &[(&str, &str)]| InForce::new(&Settings::of(variables)).address(&asked);
        let url = ("FOOTFALL_PUBLIC_URL", "https://count.example/footfall/");
        assert_eq!(of(&[]), "http://asked.example");
        assert_eq!(of(&[url]), "http://asked.example");
        let production = [
            url,
            ("FOOTFALL_ENV", "production"),
            ("SECRET_KEY", "a key of at least thirty-two characters"),
            ("FOOTFALL_ADMIN_PASSWORD", "stapling nine damp envelopes"),
            ("FOOTFALL_REGISTRATION", "closed"),
        ];
        assert_eq!(of(&production), "https://count.example/footfall");
    }
}
