//! Keys that a machine was not made with.

use std::sync::{Arc, Mutex};

use wharf_gateway::views::Machine;
use wharf_gateway::{Doors, Error, State};
use wharf_model::{Caller, Role};
use wharf_sandbox::BoxFuture;

use crate::{KEY, REGISTERED, World, ada, options, person, words};

/// A key of a device that is new.
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj";

/// What was let in, by session.
#[derive(Default)]
struct Opened {
    keys: Mutex<Vec<(String, Vec<String>)>>,
    answer: Mutex<Option<Result<bool, String>>>,
}

impl Doors for Opened {
    fn admit<'a>(
        &'a self,
        session: &'a str,
        machine: &'a Machine,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            assert_eq!(machine.users.first().unwrap(), "root");
            let admitted = (session.to_owned(), keys.to_vec());
            self.keys.lock().unwrap().push(admitted);
            self.answer.lock().unwrap().take().unwrap_or(Ok(true))
        })
    }
}

#[tokio::test]
async fn a_new_key_is_let_in_and_one_that_was_is_not_asked_about() {
    let opened = Arc::<Opened>::default();
    let doors = Arc::clone(&opened);
    let world = World::with(options(), |parts| parts.doors = Some(doors)).await;
    let id = world.running(&ada()).await.session;
    let admit = async |caller: &Caller, keys: &[&str]| {
        let keys: Vec<_> = keys.iter().map(|key| format!("{key} ada@laptop")).collect();
        world.gateway.admit(caller, &id, &keys).await
    };
    admit(&ada(), &[KEY, REGISTERED]).await.unwrap();
    assert_eq!(opened.keys.lock().unwrap().len(), 0);
    // A machine that is paused goes on for it.
    world.gateway.pause(&ada(), &id).await.unwrap();
    let view = admit(&ada(), &[KEY, OTHER]).await.unwrap();
    assert_eq!(view.state, State::Running);
    let expected = (id.clone(), vec![OTHER.to_owned()]);
    assert_eq!(*opened.keys.lock().unwrap(), [expected]);
    assert_eq!(world.entries("sandbox.key"), 1);

    let answer = |it| *opened.answer.lock().unwrap() = Some(it);
    answer(Ok(false));
    let refused = admit(&ada(), &[OTHER]).await;
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    answer(Err("it is full".to_owned()));
    let said = words(admit(&ada(), &[OTHER]).await);
    assert_eq!(said, "the sandbox does not answer: it is full");
    let said = words(admit(&ada(), &["ssh-rsa x"]).await);
    assert!(
        said.starts_with("public_keys must be public keys"),
        "{said}"
    );

    // Nobody else lets anybody in, whoever looks after it.
    let admin = admit(&person("eve", "acme", Role::Owner), &[OTHER]).await;
    assert!(matches!(admin, Err(Error::Forbidden(_))), "{admin:?}");
    let stranger = admit(&person("bob", "acme", Role::Member), &[OTHER]).await;
    assert!(
        matches!(stranger, Err(Error::NotFound("session"))),
        "{stranger:?}"
    );
    assert_eq!(opened.keys.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn where_nobody_opens_doors_it_is_said() {
    let world = World::new().await;
    let id = world.running(&ada()).await.session;
    let admit = async |key: &str| world.gateway.admit(&ada(), &id, &[key.to_owned()]).await;
    admit(KEY).await.unwrap();
    let said = words(admit(OTHER).await);
    assert!(said.contains("cannot let another key in; end it"), "{said}");
}
