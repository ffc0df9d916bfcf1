//! What sandboxes are like, for `wharf serve`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wharf_gateway::Plan;
use wharf_sandbox::{Destination, Egress, Image, docker};

use super::layers::Settings;
use super::options::{Refused, list, number, text, time};

/// For the sandboxes of `wharf serve`.
#[derive(Debug)]
pub(crate) struct SandboxOptions {
    pub(crate) maker: Maker,
    pub(crate) lifetime: Duration,
    pub(crate) lifetime_max: Duration,
    /// Never where there is none.
    pub(crate) idle: Option<Duration>,
    pub(crate) max: u32,
    /// No bound where there is none.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) egress: Egress,
    /// What accounts may use; none: as much as they like.
    pub(crate) plans: Option<Plans>,
}

/// Who makes them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// This machine.
    Local,
    /// The Docker engine at a socket, of an image.
    Docker(PathBuf, Image),
    /// Nobody.
    Nobody,
}

/// What accounts may use.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plans {
    pub(crate) all: BTreeMap<String, Plan>,
    /// That of an account of which nobody says another.
    pub(crate) default: String,
}

/// What stands for no bound.
const ANY: &str = "*";

/// Hosts by one name: what an agent needs to think, and what most builds fetch from.
const SETS: [(&str, &[&str]); 2] = [
    (
        "models",
        &[
            "api.anthropic.com",
            "console.anthropic.com",
            "claude.ai",
            "api.openai.com",
            "auth.openai.com",
            "chatgpt.com",
            "generativelanguage.googleapis.com",
            "openrouter.ai",
            "api.mistral.ai",
            "api.deepseek.com",
            "api.groq.com",
            "api.x.ai",
            "api.githubcopilot.com",
            "models.dev",
            "opencode.ai",
        ],
    ),
    (
        "packages",
        &[
            "registry.npmjs.org",
            "pypi.org",
            "files.pythonhosted.org",
            "crates.io",
            "index.crates.io",
            "static.crates.io",
            "proxy.golang.org",
            "sum.golang.org",
            "rubygems.org",
            "repo.maven.apache.org",
            "deb.debian.org",
            "security.debian.org",
        ],
    ),
];

impl SandboxOptions {
    /// # Errors
    /// When a host, a plan or a time is none, or they do not go together.
    pub(crate) fn resolve(settings: &Settings) -> Result<Self, Refused> {
        let span = |name| time(settings, name).unwrap_or_default();
        let (lifetime, lifetime_max) = (span("sandbox.lifetime"), span("sandbox.lifetime_max"));
        if lifetime > lifetime_max {
            return Err(Refused::Lifetime);
        }
        Ok(Self {
            maker: maker(settings)?,
            lifetime,
            lifetime_max,
            idle: Some(span("sandbox.idle")).filter(|idle| !idle.is_zero()),
            max: u32::try_from(number(settings, "sandbox.max")).unwrap_or(u32::MAX),
            memory_bytes: Some(number(settings, "sandbox.memory_bytes")).filter(|it| *it > 0),
            egress: egress(&list(settings, "sandbox.egress"))?,
            plans: plans(
                &list(settings, "sandbox.plans"),
                text(settings, "sandbox.plan").filter(|plan| !plan.is_empty()),
            )?,
        })
    }
}

/// What an engine is and starts from means nothing where it makes none: a variable for other
/// programs, which `DOCKER_HOST` may be, must not keep a server from starting.
fn maker(settings: &Settings) -> Result<Maker, Refused> {
    match text(settings, "sandbox.provider").as_deref() {
        Some("local") => Ok(Maker::Local),
        Some("docker") => {
            let given = |name| text(settings, name).filter(|text| !text.is_empty());
            let socket = match given("sandbox.docker_host") {
                Some(host) => docker::socket(&host).map_err(Refused::DockerHost)?,
                None => docker::DEFAULT_SOCKET.into(),
            };
            let image = given("sandbox.docker_image").unwrap_or_default();
            let image = Image::parse(&image).map_err(Refused::DockerImage)?;
            Ok(Maker::Docker(socket, image))
        }
        _ => Ok(Maker::Nobody),
    }
}

fn egress(hosts: &[String]) -> Result<Egress, Refused> {
    if hosts.is_empty() {
        return Ok(Egress::Off);
    }
    if hosts.iter().any(|host| host == ANY) {
        return Ok(Egress::On);
    }
    let mut all = Vec::new();
    for host in hosts {
        match host.strip_prefix('@') {
            Some(set) => {
                let (_, hosts) = SETS.iter().find(|(name, _)| *name == set).ok_or_else(|| {
                    let sets = SETS.map(|(name, _)| format!("@{name}")).join(" and ");
                    Refused::Egress(format!("`{host}` is no set of hosts; there are {sets}"))
                })?;
                all.extend_from_slice(hosts);
            }
            None => all.push(host),
        }
    }
    let hosts = all.into_iter().map(Destination::parse);
    let hosts: Result<_, _> = hosts.collect();
    hosts.map(Egress::Only).map_err(Refused::Egress)
}

fn plans(texts: &[String], default: Option<String>) -> Result<Option<Plans>, Refused> {
    let Some(first) = texts.first() else {
        return match default {
            Some(named) => Err(Refused::NoPlan(named)),
            None => Ok(None),
        };
    };
    let mut all = BTreeMap::new();
    for text in texts {
        let (name, plan) = plan(text).ok_or_else(|| Refused::Plan(text.clone()))?;
        all.insert(name, plan);
    }
    let first = first.split('=').next().unwrap_or_default().to_owned();
    let default = default.unwrap_or(first);
    if all.contains_key(&default) {
        Ok(Some(Plans { all, default }))
    } else {
        Err(Refused::NoPlan(default))
    }
}

/// `NAME=SECONDS/AT_ONCE`, either of which may be a star.
fn plan(text: &str) -> Option<(String, Plan)> {
    let (name, terms) = text.split_once('=')?;
    let (seconds, at_once) = terms.split_once('/')?;
    let plan = Plan {
        time: match seconds {
            ANY => None,
            seconds => Some(Duration::from_secs(seconds.parse().ok()?)),
        },
        concurrent: match at_once {
            ANY => None,
            at_once => Some(at_once.parse().ok()?),
        },
    };
    (!name.is_empty()).then(|| (name.to_owned(), plan))
}

#[cfg(test)]
mod tests {
    use super::super::layers::Origin;
    use super::*;

    fn resolve(toml: &str) -> Result<SandboxOptions, Refused> {
        let mut settings = Settings::defaults().unwrap();
        let text = format!("[sandbox]\n{toml}\n");
        let file = Origin::User("x".into());
        settings.add_file(&file, &text).unwrap();
        SandboxOptions::resolve(&settings)
    }

    #[test]
    fn by_default_this_machine_makes_them_and_they_reach_models() {
        let options = resolve("").unwrap();
        assert_eq!(options.maker, Maker::Local);
        assert!(options.plans.is_none());
        let Egress::Only(hosts) = &options.egress else {
            unreachable!("{:?}", options.egress)
        };
        let reached = |host: &str| hosts.iter().any(|it| it.covers(host, 443));
        assert!(reached("api.anthropic.com") && !reached("registry.npmjs.org"));
        assert_eq!(options.idle, Some(Duration::from_secs(1_800)));
        assert_eq!(options.lifetime, wharf_gateway::limits::LIFETIME);
        assert_eq!(options.lifetime_max, wharf_gateway::limits::LIFETIME_MAX);
        assert_eq!(resolve("idle = '0s'").unwrap().idle, None);
        assert_eq!(resolve("provider = 'none'").unwrap().maker, Maker::Nobody);
        let long = resolve("lifetime = '48h'").unwrap_err();
        assert_eq!(long, Refused::Lifetime);
    }

    #[test]
    fn an_engine_has_a_socket_and_an_image() {
        let of = |more: &str| resolve(&format!("provider = 'docker'\n{more}")).map(|it| it.maker);
        let default = Maker::Docker("/var/run/docker.sock".into(), Image::Own);
        assert_eq!(of("").unwrap(), default);
        let named = of("docker_host = 'unix:///run/x.sock'\ndocker_image = '/srv/root.tar'");
        let root = Image::Root("/srv/root.tar".into());
        assert_eq!(named.unwrap(), Maker::Docker("/run/x.sock".into(), root));
        let far = of("docker_host = 'tcp://10.0.0.1:2375'").unwrap_err();
        assert!(matches!(far, Refused::DockerHost(_)), "{far}");
        let odd = of("docker_image = 'a b'").unwrap_err();
        assert!(matches!(odd, Refused::DockerImage(_)), "{odd}");
        // It is nobody's here.
        let unused = resolve("docker_host = 'tcp://10.0.0.1:2375'").unwrap();
        assert_eq!(unused.maker, Maker::Local);
    }

    #[test]
    fn what_may_be_reached_is_nothing_some_hosts_or_all() {
        let of = |list: &str| resolve(&format!("egress = [{list}]")).map(|it| it.egress);
        assert_eq!(of("'*'").unwrap(), Egress::On);
        assert_eq!(of("").unwrap(), Egress::Off);
        assert!(matches!(of("'@packages', 'x.org'"), Ok(Egress::Only(it)) if it.len() == 13));
        let refused = of("'@everything'").unwrap_err().to_string();
        assert!(
            refused.contains("there are @models and @packages"),
            "{refused}"
        );
        assert!(
            matches!(of("'*.npmjs.org', 'github.com:22'"), Ok(Egress::Only(it)) if it.len() == 2)
        );
        assert!(matches!(of("'https://x'"), Err(Refused::Egress(_))));
    }

    #[test]
    fn plans_have_names_seconds_and_numbers() {
        let of = |text: &str| resolve(text).map(|it| it.plans);
        let plans = of("plans = ['small=3600/2', 'large=*/*']")
            .unwrap()
            .unwrap();
        assert_eq!(plans.default, "small");
        let small = Plan {
            time: Some(Duration::from_secs(3_600)),
            concurrent: Some(2),
        };
        assert_eq!(plans.all.get("small"), Some(&small));
        assert_eq!(plans.all.get("large"), Some(&Plan::default()));
        let named = of("plans = ['a=0/0', 'b=1/1']\nplan = 'b'")
            .unwrap()
            .unwrap();
        assert_eq!(named.default, "b");
        for wrong in ["small", "small=1", "=1/1", "a=x/1", "a=1/x", "a=1/-1"] {
            let refused = of(&format!("plans = ['{wrong}']")).unwrap_err();
            assert_eq!(refused, Refused::Plan(wrong.to_owned()));
        }
        assert_eq!(of("plan = 'c'").unwrap_err(), Refused::NoPlan("c".into()));
        let other = of("plans = ['a=1/1']\nplan = 'c'").unwrap_err();
        assert_eq!(other, Refused::NoPlan("c".into()));
    }
}
