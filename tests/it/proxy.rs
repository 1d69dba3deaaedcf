//! The shipped configuration of nginx, in a real nginx.

mod accounts;
mod audiences;
mod clients;
mod collecting;
mod console;
mod deaths;
mod limits;
mod live;
mod pages;
mod patience;
mod prefix;
mod problems;
mod swarm;
mod timeouts;
mod tls;
mod visits;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::support::{
    process::free_port,
    proxy::{CONFIG, Prepared},
};

#[track_caller]
fn assert_accepted(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        !said.contains("[warn]") && !said.contains("[emerg]"),
        "{said}"
    );
}

#[test]
fn nginx_accepts_each_variant() {
    for server in ["http.conf", "tls.conf", "swarm.conf"] {
        assert_accepted(&Prepared::new(server).check());
    }
}

/// What the main files of nginx' packages say at the level of `http`: those of
/// Debian 12 and 13, and nginx' own.
const OF_PACKAGES: &str = "
    sendfile on; tcp_nopush on; types_hash_max_size 2048; server_tokens build; keepalive_timeout 65;
    default_type application/octet-stream; ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    gzip on;";

/// Copies a text with all paths and ports leading into this folder.
fn install(text: &str, folder: &Path, name: &str) {
    let root = folder.display();
    let text = text
        .replace("/etc/footfall/nginx/", &format!("{root}/"))
        .replace("/etc/nginx/footfall/", &format!("{root}/"))
        .replace("/var/log/nginx/", &format!("{root}/"))
        .replace("/run/secrets/", &format!("{root}/tls/"))
        .replace(
            "/etc/letsencrypt/live/footfall.example/",
            &format!("{root}/tls/"),
        )
        .replace("fullchain.pem", "tls.crt")
        .replace("privkey.pem", "tls.key")
        .replace("listen 80 ", &format!("listen 127.0.0.1:{} ", free_port()))
        .replace("listen [::]:80 ", &format!("listen unix:{root}/80 "))
        .replace("listen 443 ", &format!("listen 127.0.0.1:{} ", free_port()))
        .replace("listen [::]:443 ", &format!("listen unix:{root}/443 "));
    fs::write(folder.join(name), text).unwrap();
}

fn shipped(name: &str) -> String {
    fs::read_to_string(format!("{CONFIG}/{name}")).unwrap()
}

/// nginx' opinion of a site in the main file of a package.
fn check_site(site: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let root = folder.display();
    for name in ["footfall.conf", "routes.conf"] {
        install(&shipped(&format!("nginx/{name}")), folder, name);
    }
    install(site, folder, "site.conf");
    let certificate = Command::new(format!("{CONFIG}/tls/self-signed.sh"))
        .arg(folder.join("tls"))
        .output();
    assert!(certificate.unwrap().status.success());
    let main = format!(
        "pid {root}/pid; events {{}}
         http {{ {OF_PACKAGES} access_log {root}/other.log; include {root}/site.conf; }}"
    );
    fs::write(folder.join("nginx.conf"), main).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.args(["-t", "-e", "stderr", "-c"]);
    nginx.arg(folder.join("nginx.conf")).output().unwrap()
}

#[test]
fn the_site_fits_into_the_main_files_of_packages() {
    assert_accepted(&check_site(&shipped("systemd/nginx-site.conf")));
}

#[test]
fn nginx_accepts_what_the_document_about_tls_shows() {
    let document = fs::read_to_string(format!("{CONFIG}/../docs/tls.md")).unwrap();
    let blocks = document.split("```nginx\n").skip(1);
    let blocks: Vec<_> = blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let [of_a_swarm, challenge, outside_docker] = blocks[..] else {
        panic!("{blocks:?}")
    };
    let declared = "include /etc/footfall/nginx/footfall.conf;";

    let swarm = shipped("nginx/swarm.conf");
    let place = "    listen 80 default_server;\n";
    assert!(swarm.contains(place));
    let swarm = swarm.replace(place, &format!("{place}{of_a_swarm}"));
    assert_accepted(&check_site(&format!("{declared} {swarm}")));

    let site = shipped("systemd/nginx-site.conf");
    let site = site.replace("server {", &format!("server {{ {challenge}"));
    assert_accepted(&check_site(&site));
    assert_accepted(&check_site(&format!("{declared} {outside_docker}")));
}
