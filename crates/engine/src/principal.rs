//! Who asks, in the words of policies, and what their role and their token leave of what the
//! policy says.
//!
//! A role or a token can only take away: what the policy refuses stays refused, and neither a yes
//! nor the server's option for dangerous commands gives back what is refused here.

use wharf_model::{Caller, Scope};
use wharf_policy::Who;
use wharf_shell::{Reason, Risk, Span};

use crate::request::RunRequest;

/// The rule under which a command is refused that the token is not for.
const SCOPE_RULE: &str = "scope";
/// The rule under which a command is refused that the role does not allow.
const ROLE_RULE: &str = "role";

/// The caller as policies and approvals know them: the person, and the agent that acts for them.
///
/// People name their agents and tokens as they like, so that such a name counts only together with
/// whose it is: an agent goes by `ORGANIZATION/EMAIL/AGENT`.
pub(crate) fn who(caller: &Caller) -> Who<'_> {
    let grants = caller.grants();
    let agent = grants.agent.as_deref().unwrap_or_default();
    let is_owned = !agent.is_empty() && grants.person.is_some();
    Who {
        user: caller.person(),
        agent: if is_owned { caller.name() } else { agent },
        token: "",
        token_id: grants.credential_id.as_deref().unwrap_or_default(),
    }
}

/// What policies know of a caller beside [`who`].
pub(crate) struct Standing {
    /// The token by `ORGANIZATION/EMAIL/NAME`, or by its bare name where it is nobody's.
    pub(crate) token: String,
    /// What they are in the organization: `admin` in the server's own, `ORGANIZATION/admin` in
    /// another, so that nobody becomes more by having an organization of their own.
    pub(crate) role: String,
    pub(crate) organization: String,
    pub(crate) scopes: Vec<String>,
}

impl Standing {
    pub(crate) fn of(caller: &Caller) -> Self {
        let grants = caller.grants();
        let organization = grants.organization.as_ref().map(|it| it.slug.as_ref());
        let person = grants.person.as_ref().map(|it| it.email.as_ref());
        let credential = grants.credential.as_deref();
        let token = credential.map(|name| {
            let parts = [organization, person, Some(name)];
            let parts: Vec<&str> = parts.into_iter().flatten().collect();
            parts.join("/")
        });
        let role = grants.role.as_str();
        Self {
            token: token.unwrap_or_default(),
            role: match organization {
                Some(slug) if !grants.home => format!("{slug}/{role}"),
                _ => role.to_owned(),
            },
            organization: organization.unwrap_or_default().to_owned(),
            scopes: (grants.scopes.as_slice().iter())
                .map(ToString::to_string)
                .collect(),
        }
    }
}

/// Why role or token do not allow this; none where they do.
pub(crate) fn refusal(caller: &Caller, request: &RunRequest, risk: Risk) -> Option<Reason> {
    let grants = caller.grants();
    if !grants.role.may_run() {
        let message = "the role viewer looks and runs nothing".to_owned();
        return Some(reason(ROLE_RULE, message));
    }
    let scopes = &grants.scopes;
    let session = request.session.as_ref();
    if scopes.has(&Scope::Run) || session.is_some_and(|session| scopes.names(session)) {
        return None;
    }
    if scopes.has(&Scope::RunLow) {
        return (risk != Risk::Low).then(|| {
            let risk = crate::record::word(&risk);
            let message =
                format!("this token is for commands of low risk (run:low), and the risk is {risk}");
            reason(SCOPE_RULE, message)
        });
    }
    let message = if scopes.confine() {
        "this token is for one session alone; name that session".to_owned()
    } else {
        "this token is not for running commands; it would need the scope run".to_owned()
    };
    Some(reason(SCOPE_RULE, message))
}

/// Whether the caller may say yes to what they ask themselves, as far as they are who they are:
/// an agent may not, and neither may a token that is for less than running.
pub(crate) fn may_confirm(caller: &Caller) -> bool {
    caller.is_a_person() && caller.grants().scopes.has(&Scope::Run)
}

/// Whether a question or a standing yes of the caller called `owner` is to be seen: by themselves,
/// by the person whom an agent acts for, by those who look after the organization, and by those
/// who look after the server.
pub(crate) fn sees(caller: &Caller, owner: &str) -> bool {
    if caller.name() == owner || caller.administers() {
        return true;
    }
    let grants = caller.grants();
    let Some(organization) = &grants.organization else {
        return false;
    };
    let inside = owner
        .strip_prefix(organization.slug.as_ref())
        .and_then(|rest| rest.strip_prefix('/'));
    let Some(inside) = inside.filter(|_| caller.is_a_person()) else {
        return false;
    };
    let theirs = inside
        .strip_prefix(caller.person())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    theirs || (grants.role.may_administer() && grants.scopes.has(&Scope::Admin))
}

fn reason(rule: &str, message: String) -> Reason {
    Reason {
        rule: rule.to_owned(),
        span: Span { start: 0, end: 0 },
        message,
    }
}

#[cfg(test)]
mod tests {
    use wharf_model::{CommandText, Grants, Organization, Person, Role, Scopes, SessionId};

    use super::*;

    fn grants(slug: &str, email: &str, role: Role, scopes: &str) -> Grants {
        Grants {
            person: Some(Person {
                id: "usr_1".into(),
                email: email.into(),
            }),
            organization: Some(Organization {
                id: "org_1".into(),
                slug: slug.into(),
            }),
            credential: Some("laptop".into()),
            role,
            scopes: Scopes::parse(scopes).unwrap(),
            ..Grants::default()
        }
    }

    fn member(email: &str, role: Role) -> Caller {
        Caller::of_account(grants("acme", email, role, "run sync admin"))
    }

    fn agent(email: &str, name: &str) -> Caller {
        Caller::of_account(Grants {
            agent: Some(name.into()),
            ..grants("acme", email, Role::Agent, "run")
        })
    }

    #[test]
    fn a_caller_is_a_person_an_agent_and_a_token() {
        let who_is = |caller: &Caller| {
            let who = who(caller);
            [who.user, who.agent, &Standing::of(caller).token].map(str::to_owned)
        };
        assert_eq!(who_is(&Caller::local()), ["local", "", ""]);
        let ada = member("ada@x", Role::Member);
        assert_eq!(who_is(&ada), ["ada@x", "", "acme/ada@x/laptop"]);
        let bot = ["ada@x", "acme/ada@x/bot", "acme/ada@x/laptop"];
        assert_eq!(who_is(&agent("ada@x", "bot")), bot);
    }

    #[test]
    fn a_role_of_another_organization_is_another_role() {
        let role = |caller: &Caller| Standing::of(caller).role;
        assert_eq!(role(&Caller::local()), "owner");
        assert_eq!(role(&member("ada@x", Role::Admin)), "acme/admin");
        let home = Grants {
            home: true,
            ..grants("main", "ada@x", Role::Admin, "run")
        };
        assert_eq!(role(&Caller::of_account(home)), "admin");
    }

    #[test]
    fn a_token_leaves_what_it_is_for() {
        let session = SessionId::parse("build").unwrap();
        let request = |session: Option<&SessionId>| RunRequest {
            session: session.cloned(),
            ..RunRequest::new(CommandText::parse("x").unwrap())
        };
        let rule = |scopes: &str, session: Option<&SessionId>, risk: Risk| {
            let caller = Caller::of_account(grants("acme", "ada@x", Role::Member, scopes));
            refusal(&caller, &request(session), risk).map(|reason| reason.rule)
        };
        let refused = Some("scope".to_owned());
        for risk in [
            Risk::Low,
            Risk::Medium,
            Risk::High,
            Risk::Unknown,
            Risk::Critical,
        ] {
            assert_eq!(rule("run", None, risk), None);
            let above = (risk != Risk::Low).then(|| "scope".to_owned());
            assert_eq!(rule("run:low", None, risk), above, "{risk:?}");
            assert_eq!(rule("run:low", Some(&session), risk), above, "{risk:?}");
            assert_eq!(rule("session:build", Some(&session), risk), None);
            assert_eq!(rule("run:low session:build", Some(&session), risk), None);
            assert_eq!(rule("session:build", None, risk), refused);
            assert_eq!(rule("session:other", Some(&session), risk), refused);
            assert_eq!(rule("sync admin", None, risk), refused);
        }
        let viewer = member("ada@x", Role::Viewer);
        let refused = refusal(&viewer, &request(None), Risk::Low).unwrap();
        assert_eq!(refused.rule, "role");
    }

    #[test]
    fn a_question_is_seen_by_those_whom_it_concerns() {
        let (ada, bob) = (member("ada@x", Role::Member), member("bob@x", Role::Admin));
        let bot = agent("ada@x", "bot");
        let other = Caller::of_account(grants("acm", "ada@x", Role::Owner, "run admin"));
        for owner in ["acme/ada@x", "acme/ada@x/bot"] {
            assert!(sees(&ada, owner) && sees(&bob, owner) && sees(&Caller::local(), owner));
            assert!(!sees(&other, owner) && !sees(&member("eve@x", Role::Member), owner));
            assert!(
                !sees(&member("ada@", Role::Member), owner),
                "a part of an address"
            );
        }
        assert!(sees(&bot, "acme/ada@x/bot") && !sees(&bot, "acme/ada@x"));
        assert!(!sees(&bot, "acme/ada@x/other"));
        for owner in ["local", "acme", "acme2/bob@x", "other/ada@x"] {
            assert!(!sees(&ada, owner) && !sees(&bob, owner), "{owner}");
        }
        let narrow = Caller::of_account(grants("acme", "bob@x", Role::Admin, "run"));
        assert!(
            !sees(&narrow, "acme/ada@x"),
            "the token is not for administration"
        );
    }

    #[test]
    fn nobody_but_a_person_with_a_whole_token_confirms() {
        assert!(may_confirm(&Caller::local()) && may_confirm(&member("ada@x", Role::Member)));
        assert!(!may_confirm(&agent("ada@x", "bot")));
        let low = Caller::of_account(grants("acme", "ada@x", Role::Member, "run:low"));
        assert!(!may_confirm(&low));
    }
}
