//! Mails as files, on a laptop.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{super::metrics::Reason, Failure};

/// A folder that only who runs the service can read: each mail in it may open an account.
pub struct Folder(PathBuf);

impl Folder {
    /// It is made with the first mail.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Writes a message as `ID.eml`, and says its link in the log.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, id: Uuid, message: &[u8], link: Option<&str>) -> Result<(), Failure> {
        let path = self.0.join(format!("{id}.eml"));
        self.write_file(&path, message).map_err(|error| {
            let what = format!("{} cannot be written: {error}", path.display());
            Failure::later(Reason::Folder, what)
        })?;
        let file = path.display();
        match link {
            Some(link) => {
                tracing::info!(%file, link, "a mail was written to a file, since FOOTFALL_SMTP_URL is not set")
            }
            None => {
                tracing::info!(%file, "a mail was written to a file, since FOOTFALL_SMTP_URL is not set")
            }
        }
        Ok(())
    }

    /// Whole, or not at all: who looks for mails sees none that is half written.
    fn write_file(&self, path: &Path, message: &[u8]) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)?;
        let unfinished = path.with_extension("new");
        let mut file = new_file(&unfinished)?;
        file.write_all(message)?;
        fs::rename(unfinished, path)
    }
}

/// A new file, and not one that is there with another mode.
fn new_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
