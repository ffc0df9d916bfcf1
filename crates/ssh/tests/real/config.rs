//! The configuration against `ssh -G`, and what is ours alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wharf_ssh::settings::{FirstUse, Method, Proxy};
use wharf_ssh::{Config, Destination, Settings, World};

use crate::sshd::world;

/// How many configurations are made up.
const CASES: u64 = 120;

/// Where the system says that the home directory is: `ssh` does not ask the environment.
fn real_home() -> (String, PathBuf) {
    let user = crate::sshd::run("id", &["-un"]).trim().to_owned();
    let entry = crate::sshd::run("getent", &["passwd", &user]);
    let home = entry.split(':').nth(5).unwrap().to_owned();
    (user, PathBuf::from(home))
}

fn person() -> World {
    let (user, home) = real_home();
    World {
        user,
        ..world(&home)
    }
}

/// A generator that gives the same numbers each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const HOSTS: &[&str] = &["web", "db1", "db2", "web.example.com", "Hub", "10.0.0.7"];

fn option(dice: &mut Dice) -> String {
    let value = dice.one(&[
        "HostName %h.example.com",
        "HostName real-host",
        "HostName=10.1.2.3",
        "User alice",
        "User \"bob\"",
        "User = carol",
        "Port 2222",
        "Port=8022",
        "IdentityFile ~/.ssh/id_a",
        "IdentityFile \"/keys/with space\"",
        "IdentityFile /keys/%h_%r_%n",
        "IdentityFile none",
        "IdentitiesOnly yes",
        "IdentitiesOnly no",
        "IdentityAgent ~/agent",
        "IdentityAgent none",
        "IdentityAgent /run/agent-%r",
        "CertificateFile ~/.ssh/a-cert.pub",
        "CertificateFile /keys/b-cert.pub",
        "ProxyJump gate",
        "ProxyJump me@gate:2222,[::1]:23",
        "ProxyCommand nc %h %p",
        "ProxyCommand none",
        "UserKnownHostsFile ~/.ssh/kh",
        "UserKnownHostsFile /a /b/%h",
        "UserKnownHostsFile none",
        "GlobalKnownHostsFile /c /d",
        "StrictHostKeyChecking yes",
        "StrictHostKeyChecking accept-new",
        "StrictHostKeyChecking ask",
        "HostKeyAlias other",
        "ServerAliveInterval 30",
        "ServerAliveInterval 1m30s",
        "ServerAliveCountMax 7",
        "ConnectTimeout 12",
        "ConnectTimeout 1h",
        "HashKnownHosts yes",
        "ForwardAgent yes",
        "ForwardAgent no",
        "PreferredAuthentications publickey,password",
        "PreferredAuthentications keyboard-interactive",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "AddressFamily inet",
        "AddressFamily inet6",
        "KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256",
        "HostKeyAlgorithms ssh-ed25519,rsa-sha2-512",
        "Ciphers aes256-ctr",
        "MACs hmac-sha2-256",
        "SendEnv LANG LC_*",
        "Compression yes",
        "# a comment",
        "",
        "LogLevel ERROR # not of interest",
    ]);
    let lead = dice.one(&["  ", "\t", ""]);
    let case = dice.below(4);
    match (case, value.split_once(' ')) {
        (0, Some((keyword, rest))) => format!("{lead}{} {rest}", keyword.to_uppercase()),
        _ => format!("{lead}{value}"),
    }
}

fn block(dice: &mut Dice) -> String {
    dice.one(&[
        "Host *",
        "Host web",
        "Host web*",
        "Host db? !db2",
        "Host *.example.com web",
        "Host !web *",
        "Host 10.*",
        "Host Hub",
        "Match all",
        "Match host web.example.com",
        "Match host \"*.example.com\" user alice",
        "Match originalhost web,db*",
        "Match user bob",
        "Match !user alice",
        "Match host real-host",
        "Match localuser nobody",
        "Match final all",
        "Match final host *.example.com",
        "Match !final all",
        "Match !host web originalhost *",
        "Match canonical all",
    ])
    .to_owned()
}

fn text(dice: &mut Dice, included: &[PathBuf]) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(4) {
        writeln!(text, "{}", option(dice)).unwrap();
    }
    for _ in 0..1 + dice.below(5) {
        writeln!(text, "{}", block(dice)).unwrap();
        for _ in 0..dice.below(6) {
            writeln!(text, "{}", option(dice)).unwrap();
        }
        if !included.is_empty() && dice.below(3) == 0 {
            let path = &included[dice.below(included.len())];
            writeln!(text, "  Include {}", path.display()).unwrap();
        }
    }
    text
}

/// What `ssh` says, in the form of [`ours`]. It prints some paths with `~` and tokens in them.
fn theirs(
    file: &Path,
    home: &Path,
    host: &str,
    user: Option<&str>,
) -> BTreeMap<String, Vec<String>> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-G").arg("-F").arg(file);
    if let Some(user) = user {
        ssh.args(["-l", user]);
    }
    let output = ssh.arg(host).stdin(Stdio::null()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        all.entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    let first = |all: &BTreeMap<String, Vec<String>>, key: &str| {
        all.get(key)
            .and_then(|values| values.first())
            .cloned()
            .unwrap_or_default()
    };
    let (name, remote) = (first(&all, "hostname"), first(&all, "user"));
    let expand = |text: &str| {
        let text = match text.strip_prefix("~/") {
            Some(rest) => home.join(rest).display().to_string(),
            None => text.to_owned(),
        };
        text.replace("%h", &name)
            .replace("%r", &remote)
            .replace("%n", host)
    };
    for key in ["identityfile", "certificatefile"] {
        if let Some(values) = all.get_mut(key) {
            *values = values.iter().map(|value| expand(value)).collect();
        }
    }
    all
}

fn ours(settings: &Settings) -> BTreeMap<&'static str, Vec<String>> {
    let shown = |paths: &[PathBuf]| -> String {
        let paths: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        paths.join(" ")
    };
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let span = |span: Duration| span.as_secs().to_string();
    let mut all = BTreeMap::from([
        ("user", vec![settings.user.clone()]),
        ("hostname", vec![settings.host.clone()]),
        ("port", vec![settings.port.to_string()]),
        ("identitiesonly", vec![yes(settings.identities_only)]),
        ("hashknownhosts", vec![yes(settings.hash_known_hosts)]),
        ("forwardagent", vec![yes(settings.forward_agent)]),
        (
            "serveralivecountmax",
            vec![settings.alive_count.to_string()],
        ),
        (
            "globalknownhostsfile",
            vec![shown(&settings.global_known_hosts)],
        ),
        (
            "userknownhostsfile",
            vec![shown(&settings.user_known_hosts)],
        ),
        (
            "addressfamily",
            vec![format!("{:?}", settings.family).to_lowercase()],
        ),
    ]);
    let identities = settings.identities.iter();
    all.insert(
        "identityfile",
        identities
            .map(|one| one.path.display().to_string())
            .collect(),
    );
    if !settings.certificates.is_empty() {
        let certificates = settings.certificates.iter();
        all.insert(
            "certificatefile",
            certificates
                .map(|path| path.display().to_string())
                .collect(),
        );
    }
    if let Some(alias) = &settings.host_key_alias {
        all.insert("hostkeyalias", vec![alias.clone()]);
    }
    if settings.connect_timeout != wharf_ssh::settings::CONNECT_TIMEOUT {
        all.insert("connecttimeout", vec![span(settings.connect_timeout)]);
    }
    if settings.alive_interval != Some(wharf_ssh::settings::ALIVE_INTERVAL) {
        let interval = settings.alive_interval.unwrap_or_default();
        all.insert("serveraliveinterval", vec![span(interval)]);
    }
    if let Some(methods) = &settings.methods {
        let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
        all.insert("preferredauthentications", vec![names.join(",")]);
    }
    for (key, method) in [
        ("passwordauthentication", Method::Password),
        ("kbdinteractiveauthentication", Method::KeyboardInteractive),
    ] {
        all.insert(key, vec![yes(!settings.disabled.contains(&method))]);
    }
    for (key, names) in [
        ("kexalgorithms", &settings.algorithms.kex),
        ("hostkeyalgorithms", &settings.algorithms.host_key),
        ("ciphers", &settings.algorithms.cipher),
        ("macs", &settings.algorithms.mac),
    ] {
        if let Some(names) = names {
            all.insert(key, vec![names.join(",")]);
        }
    }
    match &settings.proxy {
        Proxy::None => {}
        Proxy::Command(command) => {
            all.insert("proxycommand", vec![command.clone()]);
        }
        Proxy::Jump(hops) => {
            let hops = hops.iter().map(|hop| {
                let user = hop.user.as_ref().map(|user| format!("{user}@"));
                let host = if hop.host.contains(':') {
                    format!("[{}]", hop.host)
                } else {
                    hop.host.clone()
                };
                let port = hop.port.map(|port| format!(":{port}"));
                format!(
                    "{}{host}{}",
                    user.unwrap_or_default(),
                    port.unwrap_or_default()
                )
            });
            let hops: Vec<String> = hops.collect();
            all.insert("proxyjump", vec![hops.join(",")]);
        }
    }
    all
}

/// What is the same said in other words.
fn normal(key: &str, values: &[String], settings: &Settings) -> Vec<String> {
    let none_is_nothing = |text: &String| text != "none" && !text.ends_with("/none");
    match key {
        "identityfile" | "certificatefile" => values
            .iter()
            .filter(|text| none_is_nothing(text))
            .cloned()
            .collect(),
        "userknownhostsfile" => values.iter().map(|text| text.replace("none", "")).collect(),
        "stricthostkeychecking" => vec![match settings.first_use {
            FirstUse::Record => "accept-new".to_owned(),
            FirstUse::Refuse => values[0].clone(),
        }],
        // The command is expanded when it is run.
        "proxycommand" => {
            let port = settings.port.to_string();
            values
                .iter()
                .map(|text| text.replace("%h", &settings.host).replace("%p", &port))
                .collect()
        }
        _ => values.to_vec(),
    }
}

#[test]
fn what_a_configuration_says_is_what_openssh_reads_in_it() {
    let world = person();
    let dir = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for seed in 0..CASES {
        let mut dice = Dice(seed);
        let included: Vec<PathBuf> = (0..2)
            .map(|n| dir.path().join(format!("part{seed}_{n}")))
            .collect();
        for path in &included {
            fs::write(path, text(&mut dice, &[])).unwrap();
        }
        let file = dir.path().join(format!("config{seed}"));
        let content = text(&mut dice, &included);
        fs::write(&file, &content).unwrap();
        let config = Config {
            user: Some(file.clone()),
            system: None,
        };
        let host = HOSTS[dice.below(HOSTS.len())];
        let user = (dice.below(4) == 0).then_some("alice");
        let destination = Destination {
            user: user.map(str::to_owned),
            ..Destination::host(host)
        };
        let settings = config.resolve(&world, &destination).unwrap();
        let theirs = theirs(&file, &world.home, host, user);
        let parts: Vec<String> = included
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        let shown = format!("seed {seed}, host {host}, user {user:?}\n{content}\n--- {parts:#?}");
        for (key, ours) in ours(&settings) {
            let said = theirs.get(key).cloned().unwrap_or_default();
            assert_eq!(
                ours.iter()
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>(),
                normal(key, &said, &settings)
                    .iter()
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>(),
                "{key}: {shown}"
            );
            compared += 1;
        }
        // What they have and we have not.
        for key in [
            "proxyjump",
            "proxycommand",
            "hostkeyalias",
            "certificatefile",
            "preferredauthentications",
        ] {
            let said = theirs.get(key).cloned().unwrap_or_default();
            let said = normal(key, &said, &settings);
            let is_none = said.is_empty() || said.iter().all(|text| text == "none");
            assert!(
                is_none || ours(&settings).contains_key(key),
                "{key} {said:?}: {shown}"
            );
        }
        let agent = theirs.get("identityagent").map(|values| values[0].clone());
        let agent = agent.filter(|text| text != "none");
        assert_eq!(
            settings.agent.map(|path| path.display().to_string()),
            agent,
            "{shown}"
        );
        let strict = &theirs["stricthostkeychecking"][0];
        let records = strict == "accept-new";
        assert_eq!(settings.first_use == FirstUse::Record, records, "{shown}");
    }
    assert!(compared > 1000, "{compared}");
}

fn resolve(text: &str, host: &str) -> Result<Settings, wharf_ssh::Error> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    fs::write(&file, text).unwrap();
    let config = Config {
        user: Some(file),
        system: None,
    };
    config.resolve(&world(dir.path()), &Destination::host(host))
}

#[test]
fn a_mistake_is_named_with_its_line() {
    for (text, line, what) in [
        ("Host *\nPort x\n", ":2: ", "not a port"),
        ("\n\nUser \"x\n", ":3: ", "quote"),
        ("Port\n", ":1: ", "needs a value"),
        ("Match nothing x\n", ":1: ", "not known"),
        ("ServerAliveInterval soon\n", ":1: ", "span of time"),
        ("IdentityFile %q\n", ":1: ", "%q"),
        ("IdentityFile ${NOT_SET}/x\n", ":1: ", "NOT_SET"),
        ("StrictHostKeyChecking maybe\n", ":1: ", "accept-new"),
        ("RevokedHostKeys /x\n", ":1: ", "@revoked"),
        ("ProxyJump a b\n", ":1: ", "list"),
    ] {
        let error = resolve(text, "web")
            .map(|settings| format!("{settings:?}"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(line) && error.contains(what),
            "{text}: {error}"
        );
    }
    // A mistake in a block for others is theirs.
    resolve("Host other\nPort x\n", "web").unwrap();
}

#[test]
fn a_program_is_not_run_while_a_configuration_is_read() {
    let settings = resolve(
        "Match exec \"touch /x\"\nUser a\nMatch !exec false\nUser b\n",
        "web",
    )
    .unwrap();
    assert_eq!(settings.user, "tester");
    assert_eq!(settings.notes.len(), 2);
    assert!(
        settings.notes[0].contains(":1: `Match exec`"),
        "{:?}",
        settings.notes
    );
}

#[test]
fn a_name_is_no_command_for_the_shell_of_a_proxy() {
    let text = "ProxyCommand nc %h %p\n";
    for host in ["a;id", "$(id)", "a b", "-oProxyCommand=x", "a|b", "`id`"] {
        assert!(resolve(text, host).is_err(), "{host}");
    }
    let settings = resolve(text, "web-1.example.com").unwrap();
    assert_eq!(
        settings.proxy,
        Proxy::Command("nc web-1.example.com 22".to_owned())
    );
}

#[test]
fn the_first_of_the_proxies_counts_and_none_is_one() {
    // Not among the comparisons: OpenSSH forgets a `ProxyJump none` before its final pass.
    let proxy = |text: &str| resolve(text, "web").unwrap().proxy;
    assert_eq!(
        proxy("ProxyJump none\nProxyCommand nc %h %p\n"),
        Proxy::None
    );
    assert_eq!(proxy("ProxyCommand none\nProxyJump gate\n"), Proxy::None);
    assert!(matches!(
        proxy("ProxyJump gate\nProxyCommand x\n"),
        Proxy::Jump(_)
    ));
}

#[test]
fn files_that_include_themselves_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    fs::write(&file, format!("Include {0}\nInclude {0}\n", file.display())).unwrap();
    let config = Config {
        user: Some(file.clone()),
        system: None,
    };
    let error = config
        .resolve(&world(dir.path()), &Destination::host("web"))
        .unwrap_err();
    assert!(error.to_string().contains("include each other"), "{error}");
    fs::write(
        &file,
        format!("Include {}/conf.d/*\n", dir.path().display()),
    )
    .unwrap();
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    for (name, user) in [("b", "second"), ("a", "first"), (".c", "hidden")] {
        fs::write(
            dir.path().join("conf.d").join(name),
            format!("User {user}\n"),
        )
        .unwrap();
    }
    let settings = config
        .resolve(&world(dir.path()), &Destination::host("web"))
        .unwrap();
    assert_eq!(settings.user, "first");
}
