//! Which directories are synced: that of Claude Code, which is the source, and those of the other
//! agents, which are made of it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use wharf_sync::apply::MemberPlace;
use wharf_sync::profile::{Manifest, ProfilePath};
use wharf_sync::select::belongs;
use wharf_sync::targets::Target;

use crate::config::value::Value;
use crate::context::Context;
use crate::error::CommandError;

/// The path of the profile that is one member of Claude Code's own file.
pub(super) const SERVERS: &str = "mcp.json";
/// That member.
const SERVERS_MEMBER: &str = "mcpServers";

/// An agent whose configuration is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Agent {
    /// Claude Code
    Claude,
    /// `OpenCode`
    Opencode,
    /// Codex
    Codex,
    /// `AGENTS.md` alone
    AgentsMd,
}

impl Agent {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Claude, Self::Opencode, Self::Codex, Self::AgentsMd];

    /// Its name on the command line and in settings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Opencode => "opencode",
            Self::Codex => "codex",
            Self::AgentsMd => "agents-md",
        }
    }

    pub(super) const fn target(self) -> Target {
        match self {
            Self::Claude => Target::Claude,
            Self::Opencode => Target::OpenCode,
            Self::Codex => Target::Codex,
            Self::AgentsMd => Target::AgentsMd,
        }
    }

    /// The file that holds more than what is made of the profile.
    pub(super) const fn config(self) -> Option<&'static str> {
        match self {
            Self::Opencode => Some("opencode.json"),
            Self::Codex => Some("config.toml"),
            Self::Claude | Self::AgentsMd => None,
        }
    }

    /// A file of the same kind that the agent reads as well, and that is the person's alone.
    pub(super) const fn beside(self) -> Option<&'static str> {
        match self {
            Self::Opencode => Some("opencode.jsonc"),
            Self::Claude | Self::Codex | Self::AgentsMd => None,
        }
    }
}

/// One directory that is synced.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) agent: Agent,
    /// The directory, as it was named.
    pub(super) root: PathBuf,
    /// The same behind all links, by which it is told from others.
    pub(super) real: PathBuf,
    /// As people write it.
    pub(super) shown: String,
    /// Directories that links in it may lead into.
    pub(super) within: Vec<PathBuf>,
    /// What of it is kept elsewhere.
    pub(super) members: Vec<MemberPlace>,
}

impl Site {
    fn new(
        agent: Agent,
        root: PathBuf,
        home: Option<&Path>,
        members: Vec<MemberPlace>,
    ) -> Result<Self, CommandError> {
        let real = real(&root).ok_or_else(|| {
            CommandError::failed(format!("{} cannot be looked at", root.display()))
                .hint("is it a link to nothing, or in a circle?")
        })?;
        if real.exists() && !real.is_dir() {
            let text = format!("{} is no directory", root.display());
            return Err(CommandError::failed(text).hint("move it away, and try again"));
        }
        Ok(Self {
            agent,
            shown: tilde(home, &root),
            within: home.map(Path::to_owned).into_iter().collect(),
            root,
            real,
            members,
        })
    }

    /// The file that a path of the profile is in.
    pub(super) fn file(&self, path: &ProfilePath) -> PathBuf {
        let place = self.members.iter().find(|place| place.path == *path);
        match place {
            Some(place) => place.file.clone(),
            None => self.root.join(path.as_str()),
        }
    }
}

/// The directory of Claude Code, with the file that holds its MCP servers.
pub(super) fn claude(cx: &Context) -> Result<Site, CommandError> {
    let home = cx.world.home();
    let usual = home.as_ref().map(|home| home.join(".claude"));
    let root = match named(cx, "sync.claude_dir")? {
        Some(root) => root,
        None => usual.clone().ok_or_else(no_home)?,
    };
    // Claude Code looks for it in the directory that it was given, also where that is the usual one,
    // and beside the one that it was not given.
    let given = cx.world.variable("CLAUDE_CONFIG_DIR");
    let is_given = given.is_some_and(|dir| lexical(Path::new(&dir)) == root);
    let json = match &home {
        Some(home) if usual.as_deref() == Some(&root) && !is_given => home.join(".claude.json"),
        _ => root.join(".claude.json"),
    };
    let members = vec![MemberPlace {
        path: parsed(SERVERS)?,
        file: json,
        member: SERVERS_MEMBER.to_owned(),
    }];
    Site::new(Agent::Claude, root, home.as_deref(), members)
}

/// The directories of those agents, that of Claude Code first. Without any, those of the settings.
pub(super) fn chosen(cx: &Context, flags: &[Agent]) -> Result<Vec<Site>, CommandError> {
    let agents = agents(cx, flags)?;
    let sites = agents.into_iter().map(|agent| site(cx, agent));
    let sites: Vec<Site> = sites.collect::<Result<_, _>>()?;
    for (at, site) in sites.iter().enumerate() {
        let same = sites.iter().take(at).find(|it| it.real == site.real);
        if let Some(other) = same {
            let (one, two) = (other.agent.name(), site.agent.name());
            let text = format!(
                "{one} and {two} are to be written to one directory, {}",
                site.shown
            );
            return Err(CommandError::usage(text).hint(
                "give each a directory of its own, or take one of them out of sync.targets",
            ));
        }
    }
    Ok(sites)
}

/// Those agents, each once, in their order.
pub(super) fn agents(cx: &Context, flags: &[Agent]) -> Result<Vec<Agent>, CommandError> {
    let mut agents = flags.to_vec();
    if agents.is_empty() {
        agents = set(cx)?;
    }
    agents.sort_unstable();
    agents.dedup();
    Ok(agents)
}

/// The agents of the settings.
fn set(cx: &Context) -> Result<Vec<Agent>, CommandError> {
    let Some(Value::List(names)) = cx.settings.get("sync.targets") else {
        return Ok(vec![Agent::Claude]);
    };
    let agents = names.iter().map(|name| {
        let found = Agent::ALL.into_iter().find(|agent| agent.name() == name);
        found.ok_or_else(|| {
            CommandError::usage(format!("sync.targets: there is no target {name}"))
                .hint("there are claude, opencode, codex and agents-md")
        })
    });
    agents.collect()
}

/// Whether `OpenCode` finds the skills of this profile in the directory of Claude Code: it looks into
/// the usual one alone, and they are there when that was synced, now or before.
pub(super) fn claude_too(
    cx: &Context,
    flags: &[Agent],
    profile: &Manifest,
) -> Result<bool, CommandError> {
    let Some(usual) = cx.world.home().map(|home| home.join(".claude")) else {
        return Ok(false);
    };
    if named(cx, "sync.claude_dir")?.is_some_and(|root| root != usual) {
        return Ok(false);
    }
    let mut skills = profile.iter().filter(|(path, _)| path.is_under("skills"));
    Ok(agents(cx, flags)?.contains(&Agent::Claude)
        || skills.all(|(path, _)| usual.join(path.as_str()).is_file()))
}

/// The directory of one agent.
pub(super) fn site(cx: &Context, agent: Agent) -> Result<Site, CommandError> {
    let home = cx.world.home();
    let at_home = |name: &str| {
        let home = home.as_ref();
        home.map(|home| home.join(name)).ok_or_else(no_home)
    };
    let variable = |name: &str| {
        let dir = cx.world.variable(name).map(PathBuf::from);
        dir.filter(|dir| dir.is_absolute())
    };
    let config = || match variable("XDG_CONFIG_HOME") {
        Some(dir) => Ok(dir),
        None => at_home(".config"),
    };
    let root = match agent {
        Agent::Claude => return claude(cx),
        Agent::Opencode => match variable("OPENCODE_CONFIG_DIR") {
            Some(dir) => dir,
            None => config()?.join("opencode"),
        },
        Agent::Codex => match variable("CODEX_HOME") {
            Some(dir) => dir,
            None => at_home(".codex")?,
        },
        Agent::AgentsMd => match named(cx, "sync.agents_md_dir")? {
            Some(dir) => dir,
            None => config()?,
        },
    };
    Site::new(agent, root, home.as_deref(), Vec::new())
}

/// The path in the profile that somebody means: by its name there, or by a file's on this machine.
pub(super) fn meant(cx: &Context, site: &Site, text: &str) -> Result<ProfilePath, CommandError> {
    if let Ok(path) = ProfilePath::parse(text)
        && belongs(&path)
    {
        return Ok(path);
    }
    let no = || {
        CommandError::usage(format!("{text} is no file of the profile"))
            .hint("name it as wharf sync status does, such as commands/ship.md")
    };
    let file = match text.strip_prefix("~/") {
        Some(rest) => cx.world.home().ok_or_else(no_home)?.join(rest),
        None => cx.world.cwd().unwrap_or(Path::new("/")).join(text),
    };
    let file = lexical(&file);
    if let Some(place) = site.members.iter().find(|place| place.file == file) {
        return Ok(place.path.clone());
    }
    let below = file
        .strip_prefix(&site.root)
        .or_else(|_| file.strip_prefix(&site.real));
    let below = below.ok().and_then(Path::to_str).ok_or_else(no)?;
    let path = ProfilePath::parse(below).map_err(|_| no())?;
    belongs(&path).then_some(path).ok_or_else(no)
}

/// Whether it is a file of the profile, or a directory of it.
pub(super) fn is_part(path: &ProfilePath) -> bool {
    let below = ProfilePath::parse(&format!("{path}/x"));
    belongs(path) || below.is_ok_and(|below| belongs(&below))
}

pub(super) fn parsed(path: &str) -> Result<ProfilePath, CommandError> {
    ProfilePath::parse(path).map_err(|error| CommandError::usage(error.to_string()))
}

/// A directory as people write it.
pub(super) fn tilde(home: Option<&Path>, dir: &Path) -> String {
    match home.and_then(|home| dir.strip_prefix(home).ok()) {
        Some(below) if below.as_os_str().is_empty() => "~".to_owned(),
        Some(below) => format!("~/{}", below.display()),
        None => dir.display().to_string(),
    }
}

fn no_home() -> CommandError {
    CommandError::usage("no home directory is known")
        .hint("set HOME, or name the directory: wharf config set sync.claude_dir /absolute/path")
}

/// A directory of the settings.
fn named(cx: &Context, key: &str) -> Result<Option<PathBuf>, CommandError> {
    let Some(Value::Text(text)) = cx.settings.get(key) else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(None);
    }
    let dir = match text.strip_prefix("~/") {
        Some(rest) => cx.world.home().ok_or_else(no_home)?.join(rest),
        None => PathBuf::from(text),
    };
    if dir.is_relative() {
        let text = format!("{key} has to be an absolute path, not {text}");
        return Err(CommandError::usage(text));
    }
    Ok(Some(lexical(&dir)))
}

/// Without `.` and a slash at the end.
fn lexical(path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.collect()
}

/// Behind all links, as far as it is there.
fn real(path: &Path) -> Option<PathBuf> {
    match fs::canonicalize(path) {
        Ok(real) => Some(real),
        Err(_) if fs::symlink_metadata(path).is_ok() => None,
        Err(_) => Some(real(path.parent()?)?.join(path.file_name()?)),
    }
}
