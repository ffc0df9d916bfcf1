//! What roles and tokens leave of what the policy says, through the engine.

use std::path::PathBuf;
use std::time::Duration;

use crate::record::record;
use crate::support::{command, me, run, stdout, within};
use serde_json::json;
use wharf_engine::approvals::Answer;
use wharf_engine::files::FileRequest;
use wharf_engine::request::Access;
use wharf_engine::{Engine, Error, NewSession, ProcessSelector, RunRequest};
use wharf_model::{Caller, Grants, Organization, Person, Role, RunId, Scopes, SessionId, Target};
use wharf_policy::File;
use wharf_policy::approval::{Scope, State};
use wharf_testkit::{Setup, in_directory, with_engine};

/// It asks, and does no harm.
const RISKY: &str = "rm -rf .git";

fn grants(email: &str, role: Role, scopes: &str) -> Grants {
    Grants {
        person: Some(Person {
            id: "usr_1".into(),
            email: email.into(),
        }),
        organization: Some(Organization {
            id: "org_1".into(),
            slug: "acme".into(),
        }),
        credential: Some("laptop".into()),
        credential_id: Some("key_1".into()),
        role,
        scopes: Scopes::parse(scopes).unwrap(),
        ..Grants::default()
    }
}

/// A person of acme with a whole token.
fn person(email: &str, role: Role) -> Caller {
    Caller::of_account(grants(email, role, "run sync admin"))
}

fn scoped(email: &str, scopes: &str) -> Caller {
    Caller::of_account(grants(email, Role::Member, scopes))
}

fn agent_of(email: &str) -> Caller {
    Caller::of_account(Grants {
        agent: Some("bot".into()),
        ..grants(email, Role::Agent, "run")
    })
}

/// The same in the server's own organization.
fn at_home(caller: &Caller) -> Caller {
    Caller::of_account(Grants {
        home: true,
        ..caller.grants().clone()
    })
}

async fn new_session(engine: &Engine, caller: &Caller, name: &str) -> SessionId {
    let new = NewSession {
        id: Some(SessionId::parse(name).unwrap()),
        ..NewSession::default()
    };
    engine.create_session(caller, new).await.unwrap().0
}

/// The rule under which it was refused for good.
async fn denied(engine: &Engine, caller: &Caller, request: RunRequest) -> String {
    match engine.run(caller, request).await {
        Err(Error::Denied { decision }) => decision.reasons.first().unwrap().rule.clone(),
        other => panic!("it must be denied: {other:?}"),
    }
}

async fn asked(engine: &Engine, caller: &Caller, text: &str) -> (Option<String>, String) {
    match engine.run(caller, command(text)).await {
        Err(Error::NeedsConfirmation {
            token, approval, ..
        }) => (token, approval),
        other => panic!("it must ask: {other:?}"),
    }
}

#[test]
fn a_token_for_low_risks_runs_those_and_leaves_the_rest_to_nobody() {
    let setup = Setup {
        allow_dangerous: true,
        ..Setup::default()
    };
    with_engine(setup, |test| async move {
        let low = scoped("ada@x", "run:low");
        let done = test.engine.run(&low, command("echo hello")).await.unwrap();
        assert_eq!(stdout(&done), "hello\n");
        for above in ["touch x", RISKY, "rm -rf /", "eval \"$X\""] {
            assert_eq!(denied(&test.engine, &low, command(above)).await, "scope");
        }
        // Their whole token may; it is the token that is small, not the person.
        let whole = scoped("ada@x", "run");
        assert!(test.engine.run(&whole, command("touch x")).await.is_ok());
        // A standing yes of the person's widens the small token no further.
        let id = new_session(&test.engine, &whole, "s").await;
        let Err(Error::NeedsConfirmation { approval, .. }) =
            test.engine.run(&whole, within(RISKY, &id)).await
        else {
            panic!("it must ask");
        };
        let yes = Answer::Approve(Scope::Session);
        test.engine.answer(&whole, &approval, yes).await.unwrap();
        assert!(test.engine.run(&whole, within(RISKY, &id)).await.is_ok());
        assert_eq!(
            denied(&test.engine, &low, within(RISKY, &id)).await,
            "scope"
        );
    });
}

#[test]
fn viewers_and_tokens_for_something_else_run_nothing() {
    with_engine(Setup::default(), |test| async move {
        let viewer = person("vic@x", Role::Viewer);
        assert_eq!(denied(&test.engine, &viewer, command("true")).await, "role");
        for scopes in ["", "sync", "admin"] {
            let caller = scoped("ada@x", scopes);
            assert_eq!(
                denied(&test.engine, &caller, command("true")).await,
                "scope"
            );
        }
        let lines = record(&test.engine).await;
        let refused = lines.iter().filter(|line| line["kind"] == "run.refused");
        assert_eq!(refused.count(), 4, "what is refused is on record");
    });
}

#[test]
fn a_token_for_a_session_is_good_for_nothing_else() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let whole = scoped("ada@x", "run");
        let bound = scoped("ada@x", "session:build");
        let build = new_session(engine, &whole, "build").await;
        let other = new_session(engine, &whole, "other").await;

        let here = engine.run(&bound, within("touch x; echo in", &build)).await;
        let here = here.unwrap();
        assert_eq!(stdout(&here), "in\n");
        assert_eq!(denied(engine, &bound, command("true")).await, "scope");
        let there = engine.run(&bound, within("true", &other)).await;
        assert!(matches!(there, Err(Error::NotFound { .. })), "{there:?}");

        // It does not follow a command to a host either, which would make another of it.
        new_session(engine, &whole, "unused").await;
        let narrow = scoped("ada@x", "session:unused");
        let unused = SessionId::parse("unused").unwrap();
        let led = RunRequest {
            target: Target::parse("ssh://127.0.0.1:1").unwrap(),
            ..within("true", &unused)
        };
        let led = engine.run(&narrow, led).await;
        assert!(matches!(led, Err(Error::Scope { needs: "run" })), "{led:?}");
        let still = engine.run(&narrow, within("echo in", &unused)).await;
        assert_eq!(stdout(&still.unwrap()), "in\n");
        engine.delete_session(&whole, &unused).await.unwrap();

        let made = engine.create_session(&bound, NewSession::default()).await;
        assert!(
            matches!(made, Err(Error::Scope { needs: "run" })),
            "{made:?}"
        );
        let again = new_session(engine, &bound, "build").await;
        assert_eq!(again, build, "the one that is there is found");
        let seen: Vec<_> = engine.sessions(&bound).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert!(engine.session(&bound, &other).await.is_err());
        assert!(engine.delete_session(&bound, &other).await.is_err());
        assert!(engine.history(&bound, &other, 10, None).await.is_err());
        engine.delete_session(&whole, &other).await.unwrap();
        assert!(engine.history(&bound, &other, 10, None).await.is_err());

        // Runs: its session's, and not the others of the same person.
        let free = run_as(engine, &whole, command("echo secret")).await;
        assert!(engine.view(&bound, &here.run).await.is_ok());
        let unseen = engine.view(&bound, &free).await;
        assert!(matches!(unseen, Err(Error::NotFound { .. })));
        assert!(engine.cancel(&bound, &free).await.is_err());

        // Questions.
        let (_, outside) = asked(engine, &whole, RISKY).await;
        let Err(Error::NeedsConfirmation {
            token, approval, ..
        }) = engine.run(&bound, within(RISKY, &build)).await
        else {
            panic!("it must ask");
        };
        assert_eq!(token, None);
        let seen = engine.approvals(&bound, 10).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen.first().unwrap().id, approval);
        let other = engine.approval(&bound, &outside, Duration::ZERO).await;
        assert!(matches!(other, Err(Error::NotFound { .. })));
        let listed = engine.recent(&bound, 10).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(|run| run.run).collect();
        assert!(
            listed.contains(&here.run) && !listed.contains(&free),
            "{listed:?}"
        );

        // Processes.
        let background = RunRequest {
            background: true,
            ..command("sleep 600")
        };
        let free = run_as(engine, &whole, background).await;
        assert_eq!(engine.processes(&whole, None).await.unwrap().len(), 1);
        assert!(engine.processes(&bound, None).await.unwrap().is_empty());
        let which = ProcessSelector::Run(free.clone());
        assert!(engine.process(&bound, &which).await.is_err());
        assert!(engine.signal(&bound, &which, 9).await.is_err());
        engine.cancel(&whole, &free).await.unwrap();

        // Files.
        let file = |session: Option<&SessionId>| FileRequest {
            session: session.cloned(),
            target: Target::Local,
            access: Access::default(),
            path: PathBuf::from("x"),
            confirmation: None,
        };
        let inside = engine.look_at_file(&bound, file(Some(&build)), false).await;
        assert!(inside.is_ok(), "{inside:?}");
        let outside = engine.look_at_file(&bound, file(None), false).await;
        assert!(matches!(outside, Err(Error::Denied { .. })), "{outside:?}");
    });
}

async fn run_as(engine: &Engine, caller: &Caller, request: RunRequest) -> RunId {
    engine.run(caller, request).await.unwrap().run
}

#[test]
fn an_agent_says_yes_to_nothing_and_its_person_may() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let (ada, bot) = (person("ada@x", Role::Member), agent_of("ada@x"));
        let (token, id) = asked(engine, &bot, RISKY).await;
        assert_eq!(token, None, "an agent is given no yes of its own");
        let yes = Answer::Approve(Scope::Once);
        let own = engine.answer(&bot, &id, yes.clone()).await;
        assert!(matches!(own, Err(Error::Conflict(_))), "{own:?}");
        let sister = Caller::of_account(Grants {
            agent: Some("sister".into()),
            ..grants("ada@x", Role::Agent, "run")
        });
        let unseen = engine.answer(&sister, &id, yes.clone()).await;
        assert!(matches!(unseen, Err(Error::NotFound { .. })), "{unseen:?}");
        // A question of the person's is none of their agents'.
        let (token, theirs) = asked(engine, &ada, RISKY).await;
        assert!(token.is_some());
        let by_agent = engine.answer(&bot, &theirs, yes.clone()).await;
        assert!(matches!(by_agent, Err(Error::NotFound { .. })));
        // A token for less than running says yes to nothing either, and is given none.
        let low = scoped("ada@x", "run:low");
        let small = engine.answer(&low, &id, yes.clone()).await;
        assert!(matches!(small, Err(Error::Scope { .. })), "{small:?}");

        engine.answer(&ada, &id, yes).await.unwrap();
        let done = engine.run(&bot, command(RISKY)).await.unwrap();
        assert_eq!(done.exit_code, Some(0));
        let now = engine.approval(&ada, &id, Duration::ZERO).await.unwrap();
        assert!(matches!(now.state, State::Used { by, .. } if by == "ada@x"));
        assert_eq!(now.requester, "ada@x");
    });
}

#[test]
fn where_the_policy_wants_somebody_else_an_agents_person_is_not_somebody_else() {
    let setup = Setup {
        policy: vec![File {
            name: "policy.toml".to_owned(),
            text: "[approvals]\nrequester_may_approve = false\n".to_owned(),
        }],
        ..Setup::default()
    };
    with_engine(setup, |test| async move {
        let engine = &test.engine;
        let (_, id) = asked(engine, &agent_of("ada@x"), RISKY).await;
        let yes = Answer::Approve(Scope::Once);
        let own = engine
            .answer(&person("ada@x", Role::Admin), &id, yes.clone())
            .await;
        assert!(matches!(own, Err(Error::Conflict(_))), "{own:?}");
        let admin = person("bob@x", Role::Admin);
        assert!(engine.answer(&admin, &id, yes).await.is_ok());
    });
}

#[test]
fn questions_and_yeses_are_seen_by_those_whom_they_concern() {
    with_engine(Setup::default(), |test| async move {
        let engine = &test.engine;
        let (ada, bot) = (person("ada@x", Role::Member), agent_of("ada@x"));
        let id = new_session(engine, &bot, "s").await;
        let Err(Error::NeedsConfirmation { approval, .. }) =
            engine.run(&bot, within(RISKY, &id)).await
        else {
            panic!("it must ask");
        };
        let (_, own) = asked(engine, &me(), RISKY).await;
        let foreign = Caller::of_account(Grants {
            organization: Some(Organization {
                id: "org_2".into(),
                slug: "zoo".into(),
            }),
            ..grants("ada@x", Role::Owner, "run sync admin")
        });
        let seen = async |caller: &Caller| -> Vec<String> {
            let listed = engine.approvals(caller, 10).await.unwrap();
            listed.into_iter().map(|approval| approval.id).collect()
        };
        let admin = person("bob@x", Role::Admin);
        for caller in [&ada, &bot, &admin] {
            let own = std::slice::from_ref(&approval);
            assert_eq!(seen(caller).await, own, "{}", caller.name());
        }
        let both = seen(&me()).await;
        assert!(both.contains(&approval) && both.contains(&own));
        let eve = person("eve@x", Role::Member);
        for caller in [&foreign, &eve] {
            assert!(seen(caller).await.is_empty(), "{}", caller.name());
            let one = engine.approval(caller, &approval, Duration::ZERO).await;
            assert!(matches!(one, Err(Error::NotFound { .. })));
            let yes = engine
                .answer(caller, &approval, Answer::Approve(Scope::Once))
                .await;
            assert!(matches!(yes, Err(Error::NotFound { .. })));
        }
        let yes = Answer::Approve(Scope::Session);
        engine.answer(&admin, &approval, yes).await.unwrap();
        assert_eq!(engine.grants(&ada).len(), 1);
        assert!(engine.grants(&eve).is_empty() && engine.grants(&foreign).is_empty());
        assert!(engine.revoke_grant(&eve, &approval).await.is_err());
        engine.revoke_grant(&ada, &approval).await.unwrap();
    });
}

#[test]
fn a_policy_names_roles_in_an_organization_people_and_agents() {
    let cedar = r#"
@id("agents-of-ada-do-not-touch")
@reason("not hers")
forbid (principal in Role::"agent", action in Action::"run", resource)
when { principal.user == "ada@x" && context.effects.contains(Effect::"write") };
@id("admins-ask-nobody")
@reason("members ask")
forbid (principal, action == Action::"run_unasked", resource)
when { context.effects.contains(Effect::"delete") }
unless { principal in Role::"admin" || principal in Role::"owner" };
"#;
    let setup = Setup {
        policy: vec![File {
            name: "own.cedar".to_owned(),
            text: cedar.to_owned(),
        }],
        ..Setup::default()
    };
    with_engine(setup, |test| async move {
        let engine = &test.engine;
        let touch = || command("touch there");
        let rule = denied(engine, &at_home(&agent_of("ada@x")), touch()).await;
        assert_eq!(rule, "agents-of-ada-do-not-touch");
        let other = at_home(&agent_of("bob@x"));
        assert!(engine.run(&other, touch()).await.is_ok());
        let ada = at_home(&person("ada@x", Role::Member));
        assert!(engine.run(&ada, touch()).await.is_ok());
        asked(engine, &ada, "rm there").await;
        // Whoever has an organization of their own is its admin, and nothing here.
        let admin = person("bob@x", Role::Admin);
        asked(engine, &admin, "rm there").await;
        let admin = at_home(&admin);
        assert!(engine.run(&admin, command("rm there")).await.is_ok());
    });
}

#[test]
fn the_record_names_person_agent_organization_and_token() {
    with_engine(Setup::default(), |test| async move {
        let bot = agent_of("ada@x");
        test.engine.run(&bot, command("true")).await.unwrap();
        denied(&test.engine, &bot, command("rm -rf /")).await;
        run(&test.engine, "true").await;
        let lines = record(&test.engine).await;
        let who = json!({
            "person": "ada@x", "agent": "bot", "organization": "acme",
            "credential": "laptop", "credential_id": "key_1",
        });
        for kind in ["run.opened", "run.refused"] {
            let line = lines.iter().find(|line| line["kind"] == kind).unwrap();
            assert_eq!(line["caller"], "acme/ada@x/bot");
            assert_eq!(line["extra"]["who"], who);
        }
        let own = lines
            .iter()
            .rfind(|line| line["kind"] == "run.opened")
            .unwrap();
        assert_eq!(
            (&own["caller"], &own["extra"]["who"]),
            (&json!("local"), &json!(null))
        );
    });
}

#[test]
fn what_is_restored_is_its_owners_and_gives_nobody_more() {
    let directory = tempfile::tempdir().unwrap();
    let ada = scoped("ada@x", "run");
    let owner = ada.clone();
    in_directory(directory.path(), Setup::default(), |test| async move {
        let id = new_session(&test.engine, &owner, "mine").await;
        test.engine
            .run(&owner, within("cd /usr", &id))
            .await
            .unwrap();
    });
    in_directory(directory.path(), Setup::default(), |test| async move {
        let id = SessionId::parse("mine").unwrap();
        let viewer = person("ada@x", Role::Viewer);
        assert_eq!(
            denied(&test.engine, &viewer, within("pwd", &id)).await,
            "role"
        );
        for other in [person("eve@x", Role::Owner), agent_of("ada@x"), me()] {
            let run = test.engine.run(&other, within("pwd", &id)).await;
            assert!(
                matches!(run, Err(Error::NotFound { .. })),
                "{}",
                other.name()
            );
        }
        let done = test.engine.run(&ada, within("pwd", &id)).await.unwrap();
        assert_eq!(stdout(&done), "/usr\n");
    });
}
