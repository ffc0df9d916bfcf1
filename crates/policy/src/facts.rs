//! What is true of one question, in the words of policies, and where in the command it stands.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::LazyLock;

use wharf_shell::{
    Analysis, Effect, EffectKind, MAX_EFFECTS, MAX_FINDINGS, Program, Risk, Span,
    env_needs_approval,
};

use crate::attribute::Attribute;
use crate::glob::{Depth, PathGlob};
use crate::header::{Class, Header};
use crate::pattern::Pattern;
use crate::question::Question;
use crate::vocabulary::{self, PLACES, effect_name, risk_name};

/// The facts of one question; computed when asked for.
pub(crate) struct Facts<'q> {
    pub(crate) header: &'q Header,
    pub(crate) question: &'q Question<'q>,
    /// Nothing of the command will run, so that nothing can be said of it.
    void: bool,
    /// Comparisons of paths that are left.
    work: Cell<usize>,
}

/// Steps that comparing paths may take for one question; what is left over could be anything.
/// A tenth of a second on a slow machine.
pub(crate) const MAX_WORK: usize = 50_000_000;

/// Something that is true, and the part of the command that makes it so.
#[derive(Clone, Debug)]
pub(crate) struct Item<'q> {
    pub(crate) name: Cow<'q, str>,
    pub(crate) span: Span,
    /// What a rule of the analysis says about it.
    pub(crate) said: Option<Said<'q>>,
}

/// The words of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Said<'q> {
    pub(crate) rule: &'q str,
    pub(crate) message: Cow<'q, str>,
    pub(crate) alternative: Option<&'q str>,
}

/// The rule under which variables that run code are reported.
pub(crate) const ENVIRONMENT_RULE: &str = "environment.code";

impl<'q> Facts<'q> {
    pub(crate) const fn new(header: &'q Header, question: &'q Question<'q>) -> Self {
        Self {
            header,
            question,
            void: question.runs_nothing,
            work: Cell::new(MAX_WORK),
        }
    }

    fn analysis(&self) -> Option<&'q Analysis> {
        (!self.void).then_some(self.question.analysis)
    }

    fn effects(&self) -> &'q [Effect] {
        self.analysis().map_or(&[], |analysis| &analysis.effects)
    }

    fn programs(&self) -> &'q [Program] {
        self.analysis().map_or(&[], |analysis| &analysis.programs)
    }

    /// Whether more happens than the analysis lists, so that a policy would look at a part.
    pub(crate) fn is_cut(&self) -> bool {
        self.analysis().is_some_and(|analysis| {
            analysis.effects.len() >= MAX_EFFECTS || analysis.findings.len() >= MAX_FINDINGS
        })
    }

    pub(crate) fn risk(&self) -> Risk {
        self.analysis().map_or(Risk::Low, |analysis| analysis.risk)
    }

    /// Whether an attribute that is true or false is true.
    pub(crate) fn truth(&self, attribute: Attribute) -> bool {
        let question = self.question;
        match attribute {
            Attribute::Privileged => self.analysis().is_some_and(|analysis| analysis.privileged),
            Attribute::Interactive => self.analysis().is_some_and(|analysis| analysis.interactive),
            Attribute::Background => {
                let leaves = |analysis: &Analysis| analysis.shell_use.backgrounds;
                question.background || self.analysis().is_some_and(leaves)
            }
            Attribute::InSession => question.session.is_some(),
            Attribute::EnvRunsCode => question.env_runs_code(),
            Attribute::OnlyLooks => self.only_looks(),
            Attribute::HostsKnown => self.unnamed_hosts().next().is_none(),
            _ => false,
        }
    }

    /// Reads, and changes nothing: low risk, no effect but reading, fetching and waiting for a
    /// person, no rights of others, nothing left behind, no code that the text does not show.
    fn only_looks(&self) -> bool {
        self.risk() == Risk::Low
            && !self.truth(Attribute::Privileged)
            && !self.truth(Attribute::Background)
            && !self.truth(Attribute::EnvRunsCode)
            && self.beyond_looking().next().is_none()
    }

    /// What does more than look.
    fn beyond_looking(&self) -> impl Iterator<Item = Item<'q>> {
        let effects = self
            .effects()
            .iter()
            .filter(|effect| {
                !matches!(
                    effect.kind,
                    EffectKind::Read | EffectKind::NetworkOut | EffectKind::Interactive
                )
            })
            .map(|effect| Item::at(effect_name(effect.kind), effect.span));
        let programs = self
            .programs()
            .iter()
            .filter(|program| {
                RUNS_OTHERS.contains(&program.name.as_str())
                    || CHANGES.iter().any(|pattern| pattern.could_be(program))
            })
            .map(|program| Item::at(&program.name, program.span));
        effects.chain(programs)
    }

    /// What makes an attribute what it is. The names are its value where it is a set.
    pub(crate) fn items(&self, attribute: Attribute) -> Vec<Item<'q>> {
        let question = self.question;
        match attribute {
            Attribute::Risk => self.findings(risk_name(self.risk())),
            Attribute::Rules => self
                .analysis()
                .into_iter()
                .flat_map(|analysis| &analysis.findings)
                .map(|finding| Item::found(Cow::Borrowed(&finding.rule), finding))
                .collect(),
            Attribute::Programs => self
                .programs()
                .iter()
                .map(|program| Item::at(&program.name, program.span))
                .collect(),
            Attribute::Via => self
                .programs()
                .iter()
                .filter_map(|program| Some(Item::at(program.via.as_deref()?, program.span)))
                .collect(),
            Attribute::Effects => self
                .effects()
                .iter()
                .map(|effect| Item::at(effect_name(effect.kind), effect.span))
                .collect(),
            Attribute::Reads => self.places(EffectKind::Read),
            Attribute::Writes => self.places(EffectKind::Write),
            Attribute::Deletes => self.places(EffectKind::Delete),
            Attribute::Modes => self.places(EffectKind::Metadata),
            Attribute::Classes => self.classes(),
            Attribute::OnlyClasses => self.only_classes(),
            Attribute::Hosts => self.hosts(),
            Attribute::HostsKnown => self.unnamed_hosts().collect(),
            Attribute::Privileged => self
                .effects()
                .iter()
                .filter(|effect| effect.kind == EffectKind::Privilege)
                .map(|effect| Item::at("privilege", effect.span))
                .collect(),
            Attribute::OnlyLooks => self.beyond_looking().collect(),
            Attribute::Env => question.env.iter().map(|name| Item::whole(name)).collect(),
            Attribute::EnvRunsCode => self.code_variables(),
            Attribute::Cwd => self.working_directory(),
            Attribute::During => {
                let hold = |at| self.header.hours.iter().filter(move |hours| hours.hold(at));
                let hours = question.at.into_iter().flat_map(hold);
                hours.map(|hours| Item::whole(&hours.name)).collect()
            }
            Attribute::Interactive | Attribute::Background | Attribute::InSession => Vec::new(),
        }
    }

    /// The findings that stand behind the risk.
    fn findings(&self, risk: &'static str) -> Vec<Item<'q>> {
        let Some(analysis) = self.analysis() else {
            return Vec::new();
        };
        let least = analysis.risk.min(Risk::High);
        analysis
            .findings
            .iter()
            .filter(|finding| finding.risk >= least)
            .map(|finding| Item::found(Cow::Borrowed(risk), finding))
            .collect()
    }

    fn code_variables(&self) -> Vec<Item<'q>> {
        let variables = self.question.env.iter();
        variables
            .filter_map(|name| {
                let why = env_needs_approval(name)?;
                let mut item = Item::whole(name);
                item.said = Some(Said {
                    rule: ENVIRONMENT_RULE,
                    message: Cow::Owned(format!("{name}: {why}")),
                    alternative: None,
                });
                Some(item)
            })
            .collect()
    }

    /// Where files are touched in one way.
    fn places(&self, kind: EffectKind) -> Vec<Item<'q>> {
        let mut items = Vec::new();
        let deepest = self.programs().iter().map(|program| depth(program, kind));
        let deepest = deepest.max().unwrap_or(Depth::This);
        for effect in self.effects().iter().filter(|effect| effect.kind == kind) {
            let reach = effect.reach.as_ref();
            let bits = reach.map_or(vocabulary::UNKNOWN, |reach| vocabulary::places(reach.class));
            for (index, name) in PLACES.iter().enumerate() {
                if bits >> index & 1 == 1 {
                    items.push(Item::at(name, effect.span));
                }
            }
            let path = reach.map_or("\0", |reach| reach.path.as_str());
            let below = reach.is_some_and(|reach| reach.below);
            let depth = if below { Depth::Below } else { deepest };
            for name in self.named_paths(path, depth) {
                items.push(Item::at(name, effect.span));
            }
        }
        items
    }

    fn named_paths(&self, path: &'q str, depth: Depth) -> impl Iterator<Item = &'q str> {
        let home = self.question.home.unwrap_or("/home/~");
        let tree = self.question.workspace_root.or(self.question.cwd);
        let tree = tree.unwrap_or("/~/~/~/~/~/~/tree");
        self.header
            .paths
            .iter()
            .filter(move |named| {
                let globs = &mut named.globs.iter();
                globs.any(|glob| self.could_be(glob, path, depth, home, tree))
            })
            .map(|named| named.name.as_str())
    }

    fn could_be(&self, glob: &PathGlob, path: &str, depth: Depth, home: &str, tree: &str) -> bool {
        let cost = glob.cost(path, home, tree);
        match self.work.get().checked_sub(cost) {
            Some(left) => {
                self.work.set(left);
                glob.could_be(path, depth, home, tree)
            }
            None => true,
        }
    }

    fn working_directory(&self) -> Vec<Item<'q>> {
        let cwd = self.question.cwd.unwrap_or("\0");
        self.named_paths(cwd, Depth::This)
            .map(Item::whole)
            .collect()
    }

    /// Classes that some part may belong to.
    fn classes(&self) -> Vec<Item<'q>> {
        let mut items = Vec::new();
        for class in &self.header.classes {
            for program in self.programs() {
                if class
                    .programs
                    .iter()
                    .any(|pattern| pattern.could_be(program))
                {
                    items.push(Item::at(&class.name, program.span));
                }
            }
            for effect in self.effects() {
                if class.effects.contains(&effect.kind) {
                    items.push(Item::at(&class.name, effect.span));
                }
            }
        }
        items
    }

    /// Classes that everything certainly belongs to.
    fn only_classes(&self) -> Vec<Item<'q>> {
        let certain = self.risk() != Risk::Unknown && !self.programs().is_empty();
        let classes = self.header.classes.iter();
        classes
            .filter(|class| certain && self.is_wholly(class))
            .map(|class| Item::whole(&class.name))
            .collect()
    }

    fn is_wholly(&self, class: &Class) -> bool {
        let hides = |kind| matches!(kind, EffectKind::HiddenCode | EffectKind::RemoteCode);
        let programs = class.programs.is_empty()
            || self
                .programs()
                .iter()
                .all(|program| class.programs.iter().any(|pattern| pattern.is(program)));
        let effects = class.effects.is_empty()
            || self
                .effects()
                .iter()
                .all(|effect| class.effects.contains(&effect.kind));
        programs && effects && !self.effects().iter().any(|effect| hides(effect.kind))
    }

    fn hosts(&self) -> Vec<Item<'q>> {
        self.programs()
            .iter()
            .flat_map(|program| {
                let hosts = hosts_of(program);
                hosts.map(|host| Item::at(host, program.span))
            })
            .collect()
    }

    /// Programs that talk to a machine that they do not name.
    fn unnamed_hosts(&self) -> impl Iterator<Item = Item<'q>> {
        let effects = self.effects().iter();
        effects
            .filter(|effect| effect.kind == EffectKind::NetworkOut)
            .filter(|effect| {
                let named = |program: &&Program| {
                    program.span == effect.span && hosts_of(program).next().is_some()
                };
                !self.programs().iter().any(|program| named(&program))
            })
            .map(|effect| Item::at("network_out", effect.span))
    }
}

impl<'q> Item<'q> {
    fn at(name: &'q str, span: Span) -> Self {
        Self {
            name: Cow::Borrowed(name),
            span,
            said: None,
        }
    }

    /// About the question as a whole.
    fn whole(name: &'q str) -> Self {
        Self::at(name, Span::default())
    }

    fn found(name: Cow<'q, str>, finding: &'q wharf_shell::Finding) -> Self {
        Self {
            name,
            span: finding.span,
            said: Some(Said {
                rule: &finding.rule,
                message: Cow::Borrowed(&finding.message),
                alternative: finding.alternative.as_deref(),
            }),
        }
    }
}

/// Programs that run code of others: what they do cannot be read from their name.
const RUNS_OTHERS: [&str; 11] = [
    "bash", "sh", "zsh", "dash", "ksh", "fish", "source", ".", "eval", "exec", "script",
];

/// What is harmless, and changes something all the same: references, lists, a file for the plan.
static CHANGES: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let patterns = [
        "git fetch",
        "apt update",
        "apt-get update",
        "apk update",
        "brew update",
        "dnf makecache",
        "yum makecache",
        "terraform plan -out",
        "strace -o",
    ];
    patterns
        .iter()
        .filter_map(|text| Pattern::parse(text).ok())
        .collect()
});

/// Whether a program that is given a directory reads, writes or takes what is in it.
fn depth(program: &Program, kind: EffectKind) -> Depth {
    let Some(args) = &program.argv else {
        return Depth::Below;
    };
    let recurses = || {
        args.iter().skip(1).any(|arg| {
            let short = arg.starts_with('-') && !arg.starts_with("--");
            (short && arg.contains(['r', 'R', 'a']))
                || matches!(
                    arg.as_str(),
                    "--recursive" | "--archive" | "--dereference-recursive"
                )
        })
    };
    let acts = |arg: &String| {
        matches!(
            arg.as_str(),
            "-exec" | "-execdir" | "-ok" | "-okdir" | "-delete"
        )
    };
    match program.name.as_str() {
        "tar" | "unzip" | "zip" | "7z" | "7za" | "rsync" | "rclone" | "cpio" | "restic"
        | "borg" | "rg" | "ag" | "ack" => Depth::Below,
        "cp" | "scp" | "sftp" | "grep" | "egrep" | "fgrep" if recurses() => Depth::Below,
        "find" if args.iter().any(acts) => Depth::Below,
        "mv" if kind != EffectKind::Write => Depth::Below,
        "cp" | "mv" | "scp" | "sftp" | "ln" | "install" if kind == EffectKind::Write => {
            Depth::Inside
        }
        _ => Depth::This,
    }
}

/// The machines that a program's arguments name: in addresses, and where `ssh` takes one.
fn hosts_of(program: &Program) -> impl Iterator<Item = &str> {
    let args = program.argv.iter().flatten().skip(1);
    let remote = matches!(program.name.as_str(), "ssh" | "scp" | "sftp" | "rsync");
    args.filter_map(move |arg| match arg.split_once("://") {
        Some((_, rest)) => Some(host_of_authority(rest)),
        None if remote && !arg.starts_with('-') => {
            let host = arg.split_once(':').map_or(arg.as_str(), |(host, _)| host);
            let named = arg.contains(':') || program.name == "ssh" || program.name == "sftp";
            named.then(|| host.rsplit_once('@').map_or(host, |(_, host)| host))
        }
        None => None,
    })
    .filter(|host| !host.is_empty())
}

fn host_of_authority(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}
