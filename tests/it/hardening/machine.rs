//! A machine for one test: namespaces of its own in which root may change
//! `/etc`, `/var`, `/usr/local`, the firewall and the network, and nothing of it
//! is left. A second machine is joined to it by a cable.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use super::{ROOT, block};
use crate::support::process::Process;

/// What systemd and apt would do for the commands of the page. Packages are
/// there; `./test.sh` installs them.
const STAND_INS: &str = r#"
cat > /usr/local/bin/systemctl <<'END'
#!/bin/bash
stopped() { # PIDFILE SIGNAL
    [ -e "$1" ] || return 0
    pid=$(cat "$1")
    kill "-$2" "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}
case "$*" in
    "enable nftables") ;;
    "restart nftables") nft -f /etc/nftables.conf ;;
    "restart nginx") stopped /run/nginx.pid QUIT && nginx ;;
    "restart rsyslog") stopped /run/rsyslogd.pid TERM && rsyslogd ;;
    "restart fail2ban")
        mkdir -p /run/fail2ban
        fail2ban-client ping >/dev/null 2>&1 && fail2ban-client stop
        fail2ban-client -x start ;;
    "restart redis-server")
        install -d -o redis -g redis /var/lib/redis
        setpriv --reuid redis --regid redis --clear-groups \
            redis-server /etc/redis/redis.conf --daemonize yes --dir /var/lib/redis
        for ((i = 0; i < 100; i++)); do redis-cli ping >/dev/null 2>&1 && exit; sleep 0.1; done
        exit 1 ;;
    "restart docker")
        dockerd --config-file /etc/docker/daemon.json >/var/log/dockerd.log 2>&1 </dev/null &
        for ((i = 0; i < 300; i++)); do docker version >/dev/null 2>&1 && exit; sleep 0.1; done
        cat /var/log/dockerd.log
        exit 1 ;;
    *) echo "systemctl $*: the test does not know it"; exit 1 ;;
esac
END
cat > /usr/local/bin/apt-get <<'END'
#!/bin/bash
[ "$1 $2" = "install -y" ] && dpkg -s "${@:3}" >/dev/null
END
chmod +x /usr/local/bin/systemctl /usr/local/bin/apt-get
"#;

/// `$1` is a folder, `$2` the binary of Footfall.
const SETUP: &str = r#"
mount -t tmpfs tmpfs "$1"
for folder in etc var usr/local; do
    mkdir -p "$1/$folder.new" "$1/$folder.work"
    mount -t overlay -o "lowerdir=/$folder,upperdir=$1/$folder.new,workdir=$1/$folder.work" overlay "/$folder"
done
mkdir "$1/dev"
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/fd /dev/std* "$1/dev"
mkdir "$1/dev/shm"
mount --bind "$1/dev" /dev
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
rm -f /usr/local/bin/footfall
touch /usr/local/bin/footfall
mount --bind "$2" /usr/local/bin/footfall
echo '192.0.2.1 footfall.example' >> /etc/hosts
ip link set lo up
ip netns add other
ip link add eth0 type veth peer name eth0 netns other
ip -n other link set lo up
ip -n other link set eth0 up
ip link set eth0 up
ip address add 192.0.2.1/24 dev eth0
ip address add 2001:db8::1/64 dev eth0 nodad
ip route add 198.51.100.0/24 dev eth0
ip route add 203.0.113.0/24 dev eth0
for address in 192.0.2.2/24 192.0.2.3/24 198.51.100.7/32 203.0.113.5/32; do
    ip -n other address add "$address" dev eth0
done
ip -n other address add 2001:db8::2/64 dev eth0 nodad
"#;

/// A stranger on the other machine.
pub const STRANGER: &str = "192.0.2.2";

pub struct Machine {
    init: Process,
    _folder: tempfile::TempDir,
}

impl Machine {
    pub fn start() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "a machine of its own needs root: sudo ./test.sh"
        );
        let folder = tempfile::tempdir().unwrap();
        // The first process of a machine buries those that have ended, which sleep alone would not.
        let script = format!("set -e\n{SETUP}\n{STAND_INS}\necho ready\nsleep infinity & wait");
        let mut init = Process::spawn(
            // It ends with the tests, even where these are killed.
            Command::new("setpriv")
                .args([
                    "--pdeathsig",
                    "KILL",
                    "unshare",
                    "--mount",
                    "--net",
                    "--pid",
                ])
                .args(["--fork", "--kill-child", "--mount-proc"])
                .args(["bash", "-c", &script, "machine"])
                .arg(folder.path())
                .arg(env!("CARGO_BIN_EXE_footfall"))
                .stdin(Stdio::null())
                .stdout(Stdio::piped()),
        );
        let mut said = String::new();
        let mut stdout = BufReader::new(init.0.stdout.take().unwrap());
        stdout.read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "above it says why not");
        Self {
            init,
            _folder: folder,
        }
    }

    /// Runs a script of bash in the source tree, as root of this machine.
    pub fn output(&self, script: &str) -> Output {
        let namespaces = format!("/proc/{}/ns", self.init.0.id());
        let script = format!("cd '{ROOT}'\n{script}");
        Command::new("nsenter")
            .arg(format!("--mount={namespaces}/mnt"))
            .arg(format!("--net={namespaces}/net"))
            .arg(format!("--pid={namespaces}/pid_for_children"))
            .args(["bash", "-euo", "pipefail", "-c", &script])
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What a script says that must succeed.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        let output = self.output(script);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{said}\n{errors}");
        said
    }

    /// Runs a block of the page as it stands.
    #[track_caller]
    pub fn run_block(&self, mark: &str) -> String {
        self.run(&block(mark))
    }

    /// Runs a script on the other machine.
    pub fn on_other(&self, script: &str) -> Output {
        self.output(&format!(
            "ip netns exec other bash -c '{}'",
            script.replace('\'', r"'\''")
        ))
    }

    /// nginx and a replica as docs/systemd.md installs them, but for the units.
    pub fn install(&self) {
        self.run(
            r#"
            install -d -m 0755 /etc/footfall /etc/footfall/nginx
            install -m 0644 config/nginx/footfall.conf config/nginx/routes.conf /etc/footfall/nginx/
            rm -f /etc/nginx/sites-enabled/default
            install -m 0644 config/systemd/nginx-site.conf /etc/nginx/conf.d/footfall.conf
            getent passwd footfall >/dev/null ||
                useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin footfall
            usermod -aG footfall www-data
            install -d -o footfall -g footfall -m 0750 /run/footfall
            install -d -o footfall -g footfall -m 0700 /var/lib/footfall
            install -d /var/log/nginx
            rm -f /var/log/nginx/*
            nginx -t && systemctl restart nginx
            "#,
        );
    }

    /// A replica behind nginx; its log goes through this command.
    pub fn start_replica(&self, log: &str) {
        self.run(&format!(
            r#"
            export FOOTFALL_ENV=testing FOOTFALL_DATA_DIR=/var/lib/footfall FOOTFALL_LOG_FORMAT=json
            export FOOTFALL_LISTEN='unix:/run/footfall/{{slot}}.sock' FOOTFALL_OPS_LISTEN=tcp:127.0.0.1:1901
            cd /var/lib/footfall
            setpriv --reuid footfall --regid footfall --init-groups footfall serve \
                </dev/null 2>&1 | {log} >/dev/null 2>&1 &
            for ((i = 0; i < 300; i++)); do
                ! curl -sf http://footfall.example/api/ping >/dev/null || exit 0
                sleep 0.1
            done
            exit 1
            "#,
        ));
    }
}
