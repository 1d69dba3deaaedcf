//! Addresses that are to be listened on, and the directories of sockets.

use std::{os::unix::fs::PermissionsExt, path::Path};

use super::{Findings, directory_of};
use crate::{
    config::values::ListenAddress,
    listen::socket::{Occupant, check_length, hostname, occupant},
};

pub fn check(address: &ListenAddress, findings: &mut Findings) {
    match address {
        ListenAddress::Tcp { host, port } => {
            match std::net::TcpListener::bind((host.as_str(), *port)) {
                Ok(_) => findings.good(format_args!("{address} is free")),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    findings.warning(format_args!("{address} is in use"), "fine if Footfall is running; else stop what has the port, or choose another");
                }
                Err(error) => findings.bad(
                    format_args!("{address}: {error}"),
                    "choose an address of this machine",
                ),
            }
        }
        ListenAddress::Unix(template) => {
            if let Err(error) = check_length(template) {
                return findings.bad(
                    format_args!("{address}: {error}"),
                    "choose a directory with a shorter name",
                );
            }
            match template.fixed(&hostname()) {
                Some(path) => check_socket(Path::new(&path), findings),
                None => {
                    let example = template.expand("HOST", 0, 1);
                    check_directory(Path::new(&example), findings);
                }
            }
        }
    }
}

fn check_socket(path: &Path, findings: &mut Findings) {
    check_directory(path, findings);
    let shown = format!("unix:{}", path.display());
    match occupant(path) {
        Ok(Occupant::Nothing) => findings.good(format_args!("{shown} is free")),
        Ok(Occupant::Stale) => findings.good(format_args!(
            "{shown} is left over from a dead process and will be replaced"
        )),
        Ok(Occupant::Live) => findings.warning(
            format_args!("{shown} is in use"),
            "fine if Footfall is running; else stop what listens there",
        ),
        Ok(Occupant::Foreign) => findings.bad(
            format_args!("{shown} is no socket"),
            "it would never be touched; move it away, or choose another path",
        ),
        Err(error) => findings.bad(
            format_args!("{shown}: {error}"),
            "look at the path and its permissions",
        ),
    }
}

fn check_directory(socket: &Path, findings: &mut Findings) {
    let directory = directory_of(socket);
    let shown = directory.display();
    let mode = match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => metadata.permissions().mode(),
        Ok(_) => {
            return findings.bad(
                format_args!("{shown} is not a directory"),
                "choose another path for the socket",
            );
        }
        Err(error) => {
            return findings.bad(
                format_args!("{shown}: {error}"),
                "create the directory, writable for this user",
            );
        }
    };
    if rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_err() {
        findings.bad(
            format_args!("{shown} may not be written by this user"),
            "chown it to the user Footfall runs as",
        );
    } else if mode & 0o002 != 0 {
        findings.warning(
            format_args!(
                "{shown} is writable for everyone (mode {:o})",
                mode & 0o7777
            ),
            "anyone may put a socket in the place of yours; chmod o-w",
        );
    } else {
        findings.good(format_args!(
            "{shown} can hold sockets (mode {:o})",
            mode & 0o7777
        ));
    }
}
