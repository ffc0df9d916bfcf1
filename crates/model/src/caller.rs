//! Who asks, and what they were given: role, scopes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::{Quotas, SessionId};

/// Who asks. What is one caller's is invisible to every other.
///
/// Two callers are the same when their names are. The name is also who owns a session or a run:
/// `local` for the holder of this machine's own token, `ORGANIZATION/EMAIL` for a person,
/// `ORGANIZATION/EMAIL/AGENT` for an agent that acts for one.
#[derive(Clone, Debug)]
pub struct Caller {
    name: Arc<str>,
    grants: Arc<Grants>,
}

/// What a caller is beside a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The person who asks, or whom the agent acts for. None for the holder of the local token.
    pub person: Option<Person>,
    /// The agent that acts, by its name.
    pub agent: Option<Arc<str>>,
    /// The organization that this is for.
    pub organization: Option<Organization>,
    /// Whether that is the server's own organization.
    pub home: bool,
    /// The name of the token or login, as its owner sees it in lists; never the token.
    pub credential: Option<Arc<str>>,
    /// The id of the token or login.
    pub credential_id: Option<Arc<str>>,
    /// What the person, or the agent, may do in the organization.
    pub role: Role,
    /// What of that the token is for.
    pub scopes: Scopes,
    /// Whether the server itself is theirs to look after: hosts, policy, accounts.
    pub administrator: bool,
    /// How much the person, the organization and the agent may use.
    pub limits: Quotas,
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account's id.
    pub id: Arc<str>,
    /// The address they log in with.
    pub email: Arc<str>,
}

/// An organization, as far as a caller belongs to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: Arc<str>,
    /// Its short name, of letters, digits and dashes.
    pub slug: Arc<str>,
}

/// What somebody may do in an organization; each may what those after it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// All of it, and giving it away.
    Owner,
    /// People, agents, keys, limits.
    Admin,
    /// Running commands and what belongs to that.
    #[default]
    Member,
    /// The same for a program that acts for a person; it cannot say yes to its own questions.
    Agent,
    /// Looking.
    Viewer,
}

impl Role {
    /// All, the mightiest first.
    pub const ALL: [Self; 5] = [
        Self::Owner,
        Self::Admin,
        Self::Member,
        Self::Agent,
        Self::Viewer,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Agent => "agent",
            Self::Viewer => "viewer",
        }
    }

    /// Reads one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether commands may be run with it at all.
    #[must_use]
    pub const fn may_run(self) -> bool {
        !matches!(self, Self::Viewer)
    }

    /// Whether people, agents, keys and limits of the organization are theirs to look after.
    #[must_use]
    pub const fn may_administer(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Running what is judged to have a low risk: `run:low`.
    RunLow,
    /// Running commands, sessions, files: `run`.
    Run,
    /// The same in one session only: `session:ID`.
    Session(SessionId),
    /// Agent configuration: `sync`.
    Sync,
    /// Looking after accounts, keys, hosts, policy, as far as the role allows: `admin`.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunLow => f.write_str("run:low"),
            Self::Run => f.write_str("run"),
            Self::Session(id) => write!(f, "session:{id}"),
            Self::Sync => f.write_str("sync"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

/// A text that is no scope.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no scope {0:?}; there are run:low, run, session:ID, sync and admin")]
pub struct InvalidScope(String);

/// What a token is for; nothing that is not named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Default for Scopes {
    /// Everything that the role allows.
    fn default() -> Self {
        Self::all()
    }
}

impl Scopes {
    /// Most that one token may name.
    pub const MAX: usize = 16;

    /// Everything that the role allows.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Scope::Run, Scope::Sync, Scope::Admin])
    }

    /// Reads scopes with white space between them, as OAuth writes them. Nothing is no scope.
    ///
    /// # Errors
    /// For a word that is none, and for more than [`Scopes::MAX`].
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let mut scopes = Vec::new();
        for word in text.split_ascii_whitespace() {
            let invalid = || InvalidScope(word.chars().take(80).collect());
            let scope = match word {
                "run:low" => Scope::RunLow,
                "run" => Scope::Run,
                "sync" => Scope::Sync,
                "admin" => Scope::Admin,
                word => {
                    let id = word.strip_prefix("session:").ok_or_else(invalid)?;
                    Scope::Session(SessionId::parse(id).map_err(|_| invalid())?)
                }
            };
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
            if scopes.len() > Self::MAX {
                return Err(invalid());
            }
        }
        Ok(Self(scopes))
    }

    /// Each of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }

    /// Whether one of them is `scope`.
    #[must_use]
    pub fn has(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether a token with these may make one with `other`: nobody gives more than they have.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| self.covers(wanted))
    }

    /// The same for one of them.
    #[must_use]
    pub fn covers(&self, wanted: &Scope) -> bool {
        self.has(wanted)
            || match wanted {
                Scope::RunLow | Scope::Session(_) => self.has(&Scope::Run),
                Scope::Run | Scope::Sync | Scope::Admin => false,
            }
    }

    /// Those of them that `keep` says.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Scope) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope)).cloned().collect())
    }

    /// Whether it may be used in sessions that it names and nowhere else.
    #[must_use]
    pub fn confine(&self) -> bool {
        let anywhere = |scope: &Scope| matches!(scope, Scope::Run | Scope::RunLow);
        let bound = |scope: &Scope| matches!(scope, Scope::Session(_));
        self.0.iter().any(bound) && !self.0.iter().any(anywhere)
    }

    /// Whether what is in this session, or in none, is within its reach.
    #[must_use]
    pub fn reach(&self, session: Option<&SessionId>) -> bool {
        !self.confine() || session.is_some_and(|session| self.names(session))
    }

    /// Whether it names this session.
    #[must_use]
    pub fn names(&self, session: &SessionId) -> bool {
        let named = |scope: &Scope| matches!(scope, Scope::Session(id) if id == session);
        self.0.iter().any(named)
    }

    /// The sessions that it is bound to; none where it may run anywhere, or nowhere.
    #[must_use]
    pub fn bound_to(&self) -> Vec<&SessionId> {
        if !self.confine() {
            return Vec::new();
        }
        let sessions = self.0.iter().filter_map(|scope| match scope {
            Scope::Session(id) => Some(id),
            _ => None,
        });
        sessions.collect()
    }
}

/// With a space between them, as OAuth writes them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

impl Caller {
    /// The caller called `name`, a member who may run commands.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with(name, Grants::default())
    }

    /// The caller called `name`, with what they were given.
    #[must_use]
    pub fn with(name: &str, grants: Grants) -> Self {
        Self {
            name: Arc::from(name),
            grants: Arc::new(grants),
        }
    }

    /// The caller that a stored name stands for: it says whose something is, and gives nothing.
    #[must_use]
    pub fn stored(name: &str) -> Self {
        let grants = Grants {
            role: Role::Viewer,
            scopes: Scopes(Vec::new()),
            ..Grants::default()
        };
        Self::with(name, grants)
    }

    /// The holder of this machine's own token: the server is theirs.
    #[must_use]
    pub fn local() -> Self {
        let grants = Grants {
            role: Role::Owner,
            administrator: true,
            ..Grants::default()
        };
        Self::with("local", grants)
    }

    /// The caller with an account: their name is made of what was given.
    #[must_use]
    pub fn of_account(grants: Grants) -> Self {
        let organization = grants.organization.as_ref().map(|it| it.slug.as_ref());
        let person = grants.person.as_ref().map(|it| it.email.as_ref());
        let parts = [organization, person, grants.agent.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        Self::with(&parts.join("/"), grants)
    }

    /// The name that is recorded.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they were given.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The person: the account's address, or the caller's name where there is no account.
    #[must_use]
    pub fn person(&self) -> &str {
        match &self.grants.person {
            Some(person) => &person.email,
            None => &self.name,
        }
    }

    /// Whether a person asks, and no agent for one.
    #[must_use]
    pub fn is_a_person(&self) -> bool {
        self.grants.agent.is_none() && self.grants.role != Role::Agent
    }

    /// Whether what is in this session, or in none, is within the token's reach.
    #[must_use]
    pub fn reaches(&self, session: Option<&SessionId>) -> bool {
        self.grants.scopes.reach(session)
    }

    /// Whether the server itself is theirs to look after, and this token is for that.
    #[must_use]
    pub fn administers(&self) -> bool {
        self.grants.administrator && self.grants.scopes.has(&Scope::Admin)
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Grants {
        Grants {
            person: Some(Person {
                id: "usr_1".into(),
                email: "ada@example.com".into(),
            }),
            organization: Some(Organization {
                id: "org_1".into(),
                slug: "acme".into(),
            }),
            ..Grants::default()
        }
    }

    #[test]
    fn an_agent_is_named_after_whom_it_acts_for() {
        let ada = Caller::of_account(person());
        assert_eq!(ada.name(), "acme/ada@example.com");
        let agent = Caller::of_account(Grants {
            agent: Some("claude".into()),
            ..person()
        });
        assert_eq!(agent.name(), "acme/ada@example.com/claude");
        assert_eq!(agent.person(), "ada@example.com");
        assert_ne!(ada, agent);
    }

    #[test]
    fn scopes_are_read_and_written() {
        let scopes = Scopes::parse("run:low  session:ses_1 sync run:low").unwrap();
        assert_eq!(scopes.to_string(), "run:low session:ses_1 sync");
        for wrong in ["runs", "session:", "session:../x", "RUN", "run,sync"] {
            assert!(Scopes::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Scopes::parse("").unwrap().as_slice(), []);
        let many: String = (0..=Scopes::MAX)
            .map(|n| format!("session:s{n} "))
            .collect();
        assert!(Scopes::parse(&many).is_err());
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        let of = |text| Scopes::parse(text).unwrap();
        assert!(of("run").cover(&of("run:low session:a")));
        assert!(!of("run:low").cover(&of("run")));
        assert!(!of("session:a").cover(&of("session:b")));
        assert!(!of("run sync").cover(&of("admin")));
        assert!(Scopes::all().cover(&of("run sync admin")));
        let (asked, own) = (of("run:low session:a admin"), of("run session:b"));
        let given = asked.only(|scope| own.covers(scope));
        assert_eq!(given, of("run:low session:a"));
        assert_eq!(asked.only(|_| false), of(""));
    }

    #[test]
    fn a_token_for_a_session_is_bound_to_it() {
        let of = |text| Scopes::parse(text).unwrap();
        assert_eq!(of("session:a").bound_to().len(), 1);
        assert!(of("session:a run").bound_to().is_empty());
    }

    #[test]
    fn a_confined_token_reaches_its_session_and_nothing_else() {
        let of = |text| Scopes::parse(text).unwrap();
        let session = |id| SessionId::parse(id).unwrap();
        let confined = of("session:a sync");
        assert!(confined.confine() && confined.reach(Some(&session("a"))));
        assert!(!confined.reach(Some(&session("b"))) && !confined.reach(None));
        for free in ["run", "run:low session:a", "sync", ""] {
            assert!(
                of(free).reach(Some(&session("b"))) && of(free).reach(None),
                "{free}"
            );
        }
    }

    #[test]
    fn a_stored_name_gives_nothing() {
        let stored = Caller::stored("local");
        assert_eq!(stored, Caller::local());
        assert!(!stored.administers() && !stored.grants().role.may_run());
        assert_eq!(stored.grants().scopes.as_slice(), []);
    }

    #[test]
    fn the_local_token_administers_and_a_plain_caller_does_not() {
        assert!(Caller::local().administers());
        assert!(!Caller::new("a").administers());
        let narrow = Grants {
            administrator: true,
            scopes: Scopes::parse("run").unwrap(),
            ..person()
        };
        assert!(!Caller::of_account(narrow).administers());
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
    }
}
