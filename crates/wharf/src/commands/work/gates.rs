//! What comes next: the gates of the main flow, in their order, as a function of what is known.
//!
//! A gate that does not open ends the flow before anything behind it is touched: nobody is logged in
//! for a directory that may not be taken, and no machine is made for a terminal that is not there.
//! Nothing here asks, writes or waits; the flow does what [`next`] says and notes what came of it.

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Which session.
    pub(super) session: WhichSession,
    /// The directory is taken there.
    pub(super) sync: bool,
    /// The agent gets the terminal.
    pub(super) attach: bool,
    /// Its client runs here, and is needed.
    pub(super) client: bool,
}

/// Which session is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WhichSession {
    /// The one that runs, if somebody says yes to it; else a new one.
    Any,
    /// A new one.
    New,
    /// The newest that is there.
    Newest,
    /// That one.
    This(String),
}

/// Where this runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Here {
    /// Windows itself, as opposed to Linux inside of it.
    pub(super) windows: bool,
    /// The agent could have a terminal.
    pub(super) terminal: bool,
    /// Somebody is there to answer.
    pub(super) can_ask: bool,
}

/// What is known by now. Each is found out once, by the step of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The client of the agent was found.
    pub(super) client: bool,
    /// The directory may be taken.
    pub(super) directory: bool,
    /// Which server there is.
    pub(super) server: Option<Server>,
    /// What it says of us.
    pub(super) answer: Option<Answer>,
    /// Somebody has logged in on the way.
    pub(super) logged_in: bool,
    /// This device has a key, and the account has it.
    pub(super) key: bool,
    /// Sessions of this directory that are there, the newest first.
    pub(super) sessions: Option<Vec<Session>>,
    /// What somebody said to the newest of them.
    pub(super) offered: Option<bool>,
    /// The session, and whether its machine is reached by SSH.
    pub(super) session: Option<Reached>,
    /// The agent's configuration is there, or it was said that it is not.
    pub(super) configured: bool,
    /// The directory is there, or it was said that it is not.
    pub(super) synced: bool,
    /// The exit code of the agent.
    pub(super) ended: Option<u8>,
    /// What changed there was looked at.
    pub(super) looked_back: bool,
}

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// None was ever named, and none has run here.
    None,
    /// This machine's own.
    Here,
    /// One that was named.
    Named,
}

/// What a server says when it is asked who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It knows us.
    Known,
    /// It was reached, and does not.
    Unknown,
    /// It was not reached. What is known of the login stays as it is.
    Away,
}

/// A session of this directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// Its id.
    pub(super) id: String,
}

/// A session that was made or taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// Its machine is there.
    BySsh,
    /// The server does not say where its machine is.
    Nowhere,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// End with this.
    Refuse(Refusal),
    /// Find the agent's client.
    FindClient,
    /// See whether the directory may be taken.
    Directory,
    /// Find the server.
    FindServer,
    /// Ask whether to log in somewhere or to have it all here.
    FirstRun,
    /// Ask the server who we are.
    WhoAmI,
    /// Log in.
    LogIn,
    /// Have a key, and give it to the account.
    Key,
    /// Look which sessions of this directory there are.
    Sessions,
    /// Ask whether to go on with this one.
    Offer(String),
    /// Go on with this one.
    Resume(String),
    /// Make one.
    Create,
    /// Bring the agent's configuration there.
    Configure,
    /// Take the directory there.
    Sync,
    /// Hand over the terminal.
    Attach,
    /// See what changed there.
    LookBack,
    /// End with this code.
    End(u8),
}

/// Why it ends before the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Windows.
    Windows,
    /// An agent needs a terminal.
    NoTerminal,
    /// There is no server, and nobody to ask for one.
    NoServer,
    /// The server does not know us, and nobody is there to log in.
    NoLogin,
    /// It does not know us after a login either.
    LoginTurnedDown,
    /// It was not reached.
    Away,
    /// There is no session to go on with.
    NoSession,
    /// The session has no machine that is reached.
    NoMachine,
}

/// What comes next.
pub(super) fn next(here: Here, wish: &Wish, facts: &Facts) -> Step {
    let refuse = Step::Refuse;
    if here.windows {
        return refuse(Refusal::Windows);
    }
    if wish.attach && !here.terminal {
        return refuse(Refusal::NoTerminal);
    }
    if wish.attach && wish.client && !facts.client {
        return Step::FindClient;
    }
    if !facts.directory {
        return Step::Directory;
    }
    match (facts.server, facts.answer) {
        (None, _) => return Step::FindServer,
        (Some(Server::None), _) if here.can_ask => return Step::FirstRun,
        (Some(Server::None), _) => return refuse(Refusal::NoServer),
        (Some(_), None) => return Step::WhoAmI,
        (Some(_), Some(Answer::Away)) => return refuse(Refusal::Away),
        (Some(_), Some(Answer::Unknown)) if facts.logged_in => {
            return refuse(Refusal::LoginTurnedDown);
        }
        // This machine's own server knows its own token or is somebody else's affair.
        (Some(Server::Named), Some(Answer::Unknown)) if here.can_ask => return Step::LogIn,
        (Some(_), Some(Answer::Unknown)) => return refuse(Refusal::NoLogin),
        (Some(_), Some(Answer::Known)) => {}
    }
    if !facts.key {
        return Step::Key;
    }
    match facts.session {
        None => return which(here, wish, facts),
        Some(Reached::Nowhere) => return refuse(Refusal::NoMachine),
        Some(Reached::BySsh) => {}
    }
    if !facts.configured {
        return Step::Configure;
    }
    if wish.sync && !facts.synced {
        return Step::Sync;
    }
    if !wish.attach {
        return Step::End(0);
    }
    let Some(code) = facts.ended else {
        return Step::Attach;
    };
    if wish.sync && !facts.looked_back {
        return Step::LookBack;
    }
    Step::End(code)
}

/// Which session it is to be.
fn which(here: Here, wish: &Wish, facts: &Facts) -> Step {
    match &wish.session {
        WhichSession::New => return Step::Create,
        WhichSession::This(id) => return Step::Resume(id.clone()),
        WhichSession::Any | WhichSession::Newest => {}
    }
    let Some(sessions) = &facts.sessions else {
        return Step::Sessions;
    };
    let wants_old = wish.session == WhichSession::Newest;
    match (sessions.first(), facts.offered) {
        (None, _) if wants_old => Step::Refuse(Refusal::NoSession),
        (None, _) | (_, Some(false)) => Step::Create,
        // Nobody is asked: a second machine would cost and help nobody.
        (Some(newest), _) if wants_old || !here.can_ask => Step::Resume(newest.id.clone()),
        (Some(newest), Some(true)) => Step::Resume(newest.id.clone()),
        (Some(newest), None) => Step::Offer(newest.id.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: Here = Here {
        windows: false,
        terminal: true,
        can_ask: true,
    };
    const SCRIPT: Here = Here {
        windows: false,
        terminal: false,
        can_ask: false,
    };

    fn wish() -> Wish {
        Wish {
            session: WhichSession::Any,
            sync: true,
            attach: true,
            client: true,
        }
    }

    fn headless() -> Wish {
        Wish {
            attach: false,
            ..wish()
        }
    }

    /// What the world answers.
    #[derive(Clone)]
    struct World {
        server: Server,
        after_first_run: Server,
        answers: Vec<Answer>,
        sessions: Vec<&'static str>,
        says: bool,
        reached: Reached,
        code: u8,
    }

    impl Default for World {
        fn default() -> Self {
            Self {
                server: Server::Named,
                after_first_run: Server::Here,
                answers: vec![Answer::Known],
                sessions: vec![],
                says: true,
                reached: Reached::BySsh,
                code: 0,
            }
        }
    }

    /// All steps, until it ends.
    fn walk(here: Here, wish: &Wish, mut world: World) -> Vec<Step> {
        let mut facts = Facts::default();
        let mut steps = Vec::new();
        loop {
            let step = next(here, wish, &facts);
            steps.push(step.clone());
            assert!(steps.len() < 30, "it goes round: {steps:?}");
            match step {
                Step::Refuse(_) | Step::End(_) => return steps,
                Step::FindClient => facts.client = true,
                Step::Directory => facts.directory = true,
                Step::FindServer => facts.server = Some(world.server),
                Step::FirstRun => facts.server = Some(world.after_first_run),
                Step::WhoAmI => facts.answer = Some(world.answers.remove(0)),
                Step::LogIn => (facts.logged_in, facts.answer) = (true, None),
                Step::Key => facts.key = true,
                Step::Sessions => {
                    let ids = world.sessions.iter();
                    let ids = ids.map(|id| Session {
                        id: (*id).to_owned(),
                    });
                    facts.sessions = Some(ids.collect());
                }
                Step::Offer(_) => facts.offered = Some(world.says),
                Step::Resume(_) | Step::Create => facts.session = Some(world.reached),
                Step::Configure => facts.configured = true,
                Step::Sync => facts.synced = true,
                Step::Attach => facts.ended = Some(world.code),
                Step::LookBack => facts.looked_back = true,
            }
        }
    }

    fn last(here: Here, wish: &Wish, world: World) -> Step {
        walk(here, wish, world).pop().unwrap()
    }

    #[test]
    fn the_gates_stand_in_their_order() {
        let world = World {
            code: 3,
            ..World::default()
        };
        assert_eq!(
            walk(PERSON, &wish(), world),
            [
                Step::FindClient,
                Step::Directory,
                Step::FindServer,
                Step::WhoAmI,
                Step::Key,
                Step::Sessions,
                Step::Create,
                Step::Configure,
                Step::Sync,
                Step::Attach,
                Step::LookBack,
                Step::End(3),
            ]
        );
    }

    #[test]
    fn windows_and_a_missing_terminal_end_it_before_anything_is_touched() {
        let windows = Here {
            windows: true,
            ..PERSON
        };
        let steps = walk(windows, &wish(), World::default());
        assert_eq!(steps, [Step::Refuse(Refusal::Windows)]);
        let steps = walk(SCRIPT, &wish(), World::default());
        assert_eq!(steps, [Step::Refuse(Refusal::NoTerminal)]);
    }

    #[test]
    fn without_attaching_neither_terminal_nor_client_is_needed() {
        let steps = walk(SCRIPT, &headless(), World::default());
        assert!(!steps.contains(&Step::FindClient), "{steps:?}");
        assert_eq!(steps.last(), Some(&Step::End(0)));
        let no_client = Wish {
            client: false,
            ..wish()
        };
        let steps = walk(PERSON, &no_client, World::default());
        assert_eq!(steps.first(), Some(&Step::Directory));
    }

    #[test]
    fn a_first_run_is_asked_about_once() {
        let world = World {
            server: Server::None,
            ..World::default()
        };
        let steps = walk(PERSON, &wish(), world.clone());
        let first = steps.iter().position(|step| *step == Step::FirstRun);
        assert_eq!(steps.get(first.unwrap() + 1), Some(&Step::WhoAmI));
        let script = last(SCRIPT, &headless(), world);
        assert_eq!(script, Step::Refuse(Refusal::NoServer));
    }

    #[test]
    fn an_unknown_login_is_made_again_once_and_an_outage_changes_nothing() {
        let world = |answers: &[Answer]| World {
            answers: answers.to_vec(),
            ..World::default()
        };
        let steps = walk(PERSON, &wish(), world(&[Answer::Unknown, Answer::Known]));
        let logins = steps.iter().filter(|step| **step == Step::LogIn).count();
        assert_eq!((logins, steps.last()), (1, Some(&Step::End(0))));

        let twice = last(PERSON, &wish(), world(&[Answer::Unknown, Answer::Unknown]));
        assert_eq!(twice, Step::Refuse(Refusal::LoginTurnedDown));
        let script = last(SCRIPT, &headless(), world(&[Answer::Unknown]));
        assert_eq!(script, Step::Refuse(Refusal::NoLogin));
        let away = walk(PERSON, &wish(), world(&[Answer::Away]));
        assert_eq!(away.last(), Some(&Step::Refuse(Refusal::Away)));
        assert!(!away.contains(&Step::LogIn), "{away:?}");

        let own = World {
            server: Server::Here,
            ..world(&[Answer::Unknown])
        };
        assert_eq!(last(PERSON, &wish(), own), Step::Refuse(Refusal::NoLogin));
    }

    #[test]
    fn a_session_that_is_there_is_offered() {
        let there = World {
            sessions: vec!["gws_2", "gws_1"],
            ..World::default()
        };
        let with = |session| Wish { session, ..wish() };
        let newest = Step::Resume("gws_2".to_owned());

        let steps = walk(PERSON, &wish(), there.clone());
        assert!(steps.contains(&Step::Offer("gws_2".to_owned())) && steps.contains(&newest));
        let no = World {
            says: false,
            ..there.clone()
        };
        let steps = walk(PERSON, &wish(), no);
        assert!(
            steps.contains(&Step::Create) && !steps.contains(&newest),
            "{steps:?}"
        );
        let steps = walk(PERSON, &with(WhichSession::New), there.clone());
        assert!(steps.contains(&Step::Create) && !steps.contains(&Step::Sessions));
        let steps = walk(PERSON, &with(WhichSession::Newest), there.clone());
        assert!(steps.contains(&newest) && !steps.iter().any(|it| matches!(it, Step::Offer(_))));
        let steps = walk(SCRIPT, &headless(), there);
        assert!(
            steps.contains(&newest) && !steps.contains(&Step::Create),
            "{steps:?}"
        );

        let this = with(WhichSession::This("gws_9".to_owned()));
        let steps = walk(PERSON, &this, World::default());
        assert!(steps.contains(&Step::Resume("gws_9".to_owned())));
        let none = last(PERSON, &with(WhichSession::Newest), World::default());
        assert_eq!(none, Step::Refuse(Refusal::NoSession));
    }

    #[test]
    fn without_a_machine_nothing_is_brought_anywhere() {
        let world = World {
            reached: Reached::Nowhere,
            ..World::default()
        };
        let steps = walk(PERSON, &wish(), world);
        assert_eq!(steps.last(), Some(&Step::Refuse(Refusal::NoMachine)));
        assert!(!steps.contains(&Step::Configure), "{steps:?}");
    }

    #[test]
    fn without_sync_nothing_is_taken_and_nothing_looked_for() {
        let wish = Wish {
            sync: false,
            ..wish()
        };
        let steps = walk(PERSON, &wish, World::default());
        assert!(
            !steps.contains(&Step::Sync) && !steps.contains(&Step::LookBack),
            "{steps:?}"
        );
        assert!(steps.contains(&Step::Attach));
    }
}
