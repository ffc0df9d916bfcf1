//! Which upstream a profile has, kept beside its repository.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use wharf_model::{Entropy, Secret};
use wharf_profiles::limits::{
    KNOWN_HOSTS_MAX, UPSTREAM_DETAIL_MAX, UPSTREAM_TOKEN_MAX, UPSTREAM_USER_MAX,
};
use wharf_profiles::upstream::{
    Access, Address, Branch, Draft, Opens, Outcome, Protocols, Settings, UpstreamError,
};
use wharf_profiles::{Condition, Error, Owner};

use crate::support::{Place, ada, author};

/// Of each kind another byte, and never the same twice.
struct Counted(AtomicU8);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

static ENTROPY: Counted = Counted(AtomicU8::new(1));

const HOSTS: &str = "example.com ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIBx5cvKXjwF7TQ7PvJJBnUiO3aCBvRzXr0VzB5KcvJ3T\n";

fn draft(url: &str) -> Draft {
    Draft {
        address: Address::parse(url, Protocols { file: true }).unwrap(),
        branch: Branch::parse("main").unwrap(),
        user: None,
        token: None,
        known_hosts: None,
        push: false,
    }
}

fn with_token(url: &str, token: &str) -> Draft {
    Draft {
        token: Some(Secret::new(token.to_owned())),
        ..draft(url)
    }
}

fn with_hosts(url: &str, known_hosts: &str) -> Draft {
    Draft {
        known_hosts: Some(known_hosts.to_owned()),
        ..draft(url)
    }
}

async fn try_set(place: &Place, draft: Draft) -> Result<Settings, Error> {
    let set = place.profiles.set_upstream(ada(), draft, &ENTROPY).await;
    set.map(|set| set.settings)
}

async fn set(place: &Place, draft: Draft) -> Settings {
    let made = try_set(place, draft).await.unwrap();
    let read = place.again().upstream(ada()).await.unwrap().unwrap();
    assert_eq!(format!("{made:?}"), format!("{read:?}"));
    made
}

/// The files beside the repository and its lock.
fn beside(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.root().join("user")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("upstream")).collect();
    names.sort();
    names
}

fn token_of(settings: &Settings) -> Option<(&str, &str)> {
    match &settings.opens {
        Opens::Token { user, token } => Some((user, token.expose())),
        _ => None,
    }
}

#[tokio::test]
async fn settings_are_kept_and_taken_away() {
    let place = Place::new();
    assert!(place.profiles.upstream(ada()).await.unwrap().is_none());
    assert!(!place.profiles.remove_upstream(ada()).await.unwrap());
    let first = Draft {
        push: true,
        branch: Branch::parse("team/claude").unwrap(),
        ..with_token("https://example.com/ada.git", "s3cret")
    };
    let first = set(&place, first).await;
    assert_eq!(token_of(&first), Some(("git", "s3cret")));
    assert_eq!((first.opens.as_str(), first.push), ("token", true));
    assert_eq!(first.branch.as_str(), "team/claude");
    assert!(!format!("{first:?}").contains("s3cret"));
    let upstream = first.upstream();
    assert!(matches!(upstream.access, Access::Token { user, .. } if user == "git"));

    let second = set(&place, draft("file:///srv/ada.git")).await;
    assert_eq!(second.opens.as_str(), "open");
    assert_ne!(second.webhook_id, first.webhook_id);
    assert!(first.webhook_secret.expose().len() >= 64);

    assert!(place.profiles.remove_upstream(ada()).await.unwrap());
    assert_eq!(beside(&place), [""; 0]);
    assert!(place.again().upstream(ada()).await.unwrap().is_none());
    let again = set(&place, draft("https://example.com/x")).await;
    assert_ne!(again.webhook_id, first.webhook_id);
    // The profile is as it was.
    assert_eq!(place.profiles.version(ada()).await.unwrap(), "");
    let put = place
        .profiles
        .put(ada(), "text", "", author(), Condition::Any);
    put.await.unwrap();
    place.fsck(ada());
}

#[tokio::test]
async fn a_token_stays_at_its_address_and_goes_nowhere_else() {
    let place = Place::new();
    let first = Draft {
        user: Some("ada".to_owned()),
        ..with_token("https://example.com/a.git", "s3cret")
    };
    set(&place, first).await;
    let other_branch = Draft {
        branch: Branch::parse("other").unwrap(),
        push: true,
        ..draft("https://example.com/a.git")
    };
    let same = set(&place, other_branch).await;
    assert_eq!(token_of(&same), Some(("ada", "s3cret")));
    for elsewhere in [
        "https://example.com/b.git",
        "https://example.com/a.git/",
        "https://EXAMPLE.com/a.git",
        "https://example.org/a.git",
        "https://example.com:8443/a.git",
        "https://example.com.evil/a.git",
    ] {
        let other = Place::new();
        set(&other, with_token("https://example.com/a.git", "s3cret")).await;
        let moved = set(&other, draft(elsewhere)).await;
        assert_eq!(moved.opens.as_str(), "open", "{elsewhere}");
        let file = other.root().join("user").join(&beside(&other)[0]);
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("s3cret"), "{elsewhere}");
    }
}

#[tokio::test]
async fn a_key_is_made_here_and_stays_at_its_address() {
    let place = Place::new();
    let first = set(&place, with_hosts("ssh://git@example.com/a.git", HOSTS)).await;
    let Opens::Key {
        public,
        key,
        known_hosts,
    } = &first.opens
    else {
        panic!("{first:?}");
    };
    for file in beside(&place) {
        let path = place.root().join("user").join(&file);
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(std::fs::read_to_string(known_hosts).unwrap(), HOSTS);
    let told = Command::new("ssh-keygen")
        .arg("-yf")
        .arg(key)
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.trim(), public);
    assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(&format!(" wharf {}", *ada())));
    let upstream = first.upstream();
    assert!(matches!(upstream.access, Access::Key { key: used, .. } if used == *key));

    // Known hosts that are left out stay, and so does the key; both are other files now.
    let again = set(&place, draft("ssh://git@example.com/a.git")).await;
    let Opens::Key {
        public: same,
        key: new,
        known_hosts,
    } = &again.opens
    else {
        panic!("{again:?}");
    };
    assert_eq!(same, public);
    assert_eq!(std::fs::read_to_string(known_hosts).unwrap(), HOSTS);
    assert!(new.exists() && !key.exists());
    assert_eq!(beside(&place).len(), 3);

    let mut known = vec![public.clone()];
    for elsewhere in ["ssh://git@example.com/b.git", "ssh://git@example.org/a.git"] {
        let refused = try_set(&place, draft(elsewhere)).await;
        assert!(
            matches!(refused, Err(Error::Upstream(UpstreamError::Access { field, .. }))
            if field == "known_hosts")
        );
        let other = set(&place, with_hosts(elsewhere, HOSTS)).await;
        let Opens::Key { public, .. } = other.opens else {
            panic!("{elsewhere}");
        };
        assert!(!known.contains(&public), "{elsewhere}");
        known.push(public);
    }
    let open = set(&place, draft("https://example.org/a.git")).await;
    assert_eq!(open.opens.as_str(), "open");
    assert_eq!(beside(&place), [format!("{}.upstream.json", ada().id())]);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_changes_nothing() {
    let place = Place::new();
    let before = set(&place, draft("https://example.com/a.git")).await;
    let (https, ssh) = ("https://example.com/a.git", "ssh://git@example.com/a.git");
    let user = |user: &str| Draft {
        user: Some(user.to_owned()),
        ..with_token(https, "t")
    };
    let comment = |length: usize| format!("{HOSTS}#{}\n", "x".repeat(length - HOSTS.len() - 2));
    for good in [
        user(&"u".repeat(UPSTREAM_USER_MAX)),
        with_token(https, &"t".repeat(UPSTREAM_TOKEN_MAX)),
        with_hosts(ssh, &comment(KNOWN_HOSTS_MAX)),
        with_hosts(
            ssh,
            &format!(
                "# from ssh-keyscan\n\n@revoked {HOSTS}|1|a=|b= {}",
                &HOSTS[12..]
            ),
        ),
    ] {
        try_set(&Place::new(), good).await.unwrap();
    }
    let named = |url: &str| Draft {
        user: Some("ada".to_owned()),
        ..draft(url)
    };
    let hosts = |hosts: &str| ("known_hosts", with_hosts(ssh, hosts));
    for (wrong, bad) in [
        ("user", user("")),
        ("user", user("a:b")),
        ("user", user("a\nb")),
        ("user", user(&"u".repeat(UPSTREAM_USER_MAX + 1))),
        ("user", named(https)),
        ("user", named(ssh)),
        ("user", named("file:///x")),
        ("token", with_token(https, "")),
        ("token", with_token(https, "a b")),
        ("token", with_token(https, "a\r\nX-Header: b")),
        (
            "token",
            with_token(https, &"t".repeat(UPSTREAM_TOKEN_MAX + 1)),
        ),
        ("token", with_token(ssh, "t")),
        ("token", with_token("file:///x", "t")),
        ("known_hosts", with_hosts(https, HOSTS)),
        ("known_hosts", with_hosts("file:///x", HOSTS)),
        ("known_hosts", draft(ssh)),
        hosts(""),
        hosts("# nothing\n"),
        hosts("example.com"),
        hosts("example.com ssh-ed25519 AAAA"),
        hosts(&HOSTS.replace("ssh-ed25519", "ssh-rsa")),
        hosts(&format!("{HOSTS}nonsense\n")),
        hosts(&HOSTS.replace("com ", "com \u{1b}")),
        hosts(&comment(KNOWN_HOSTS_MAX + 1)),
    ] {
        let shown = format!("{bad:?}");
        let refused = try_set(&place, bad).await;
        assert!(
            matches!(refused, Err(Error::Upstream(UpstreamError::Access { field, .. }))
            if field == wrong),
            "{shown}: {refused:?}"
        );
        let now = place.profiles.upstream(ada()).await.unwrap().unwrap();
        assert_eq!(format!("{now:?}"), format!("{before:?}"), "{shown}");
    }
}

#[tokio::test]
async fn a_webhook_is_one_addresss_and_its_secret_told_when_it_is_made() {
    let place = Place::new();
    let set = async |url: &str, branch: &str| {
        let draft = Draft {
            branch: Branch::parse(branch).unwrap(),
            ..draft(url)
        };
        let set = place.profiles.set_upstream(ada(), draft, &ENTROPY).await;
        let set = set.unwrap();
        let secret = set.settings.webhook_secret.expose().to_owned();
        (set.settings.webhook_id, secret, set.webhook_is_new)
    };
    let (id, secret, is_new) = set("https://example.com/a.git", "main").await;
    assert!(is_new);
    for branch in ["main", "other"] {
        let again = set("https://example.com/a.git", branch).await;
        assert_eq!(again, (id.clone(), secret.clone(), false));
    }
    let other = set("https://example.com/b.git", "main").await;
    assert!(other.2 && other.0 != id && other.1 != secret);
    let back = set("https://example.com/a.git", "main").await;
    assert!(back.2 && back.0 != id && back.1 != secret);
}

#[tokio::test]
async fn a_webhook_finds_its_profile() {
    let place = Place::new();
    let settings = set(&place, draft("https://example.com/a.git")).await;
    let team = Owner::team("t").unwrap();
    let draft = draft("https://example.com/b.git");
    let other = place.profiles.set_upstream(&team, draft, &ENTROPY).await;
    let other = other.unwrap().settings;
    let find = |id: String| {
        let profiles = place.profiles.clone();
        async move {
            let found = profiles.upstream_of_webhook(&id).await.unwrap();
            found.map(|settings| settings.owner)
        }
    };
    assert_eq!(
        find(settings.webhook_id.clone()).await.as_ref(),
        Some(ada())
    );
    assert_eq!(find(other.webhook_id.clone()).await, Some(team));
    for unknown in [
        String::new(),
        settings.webhook_id.replace("user.", "team."),
        settings.webhook_id[..settings.webhook_id.len() - 1].to_owned(),
        format!("{}0", settings.webhook_id),
        format!("user.{}.", ada().id()),
        "user.nobody.00".to_owned(),
        "user.../../x.00".to_owned(),
    ] {
        assert_eq!(find(unknown.clone()).await, None, "{unknown}");
    }
    place.profiles.remove_upstream(ada()).await.unwrap();
    assert_eq!(find(settings.webhook_id).await, None);
}

#[tokio::test]
async fn how_the_last_conversation_ended_is_kept() {
    let place = Place::new();
    let settings = set(&place, draft("https://example.com/a.git")).await;
    assert!(settings.last.is_none());
    let put = place
        .profiles
        .put(ada(), "text", "", author(), Condition::Any);
    let commit = put.await.unwrap().commit_sha;
    for (outcome, detail) in [
        (Outcome::Unchanged, None),
        (Outcome::Pulled, None),
        (Outcome::Pushed, None),
        (Outcome::Diverged, Some("CLAUDE.md")),
        (Outcome::Failed, Some("no route to host")),
    ] {
        let last = place.profiles.note_upstream(&settings, outcome, detail);
        let last = last.await.unwrap();
        assert_eq!((last.outcome, &last.commit), (outcome, &commit));
        let read = place.again().upstream(ada()).await.unwrap().unwrap();
        assert_eq!(read.last, Some(last));
    }
    let long = "ä".repeat(UPSTREAM_DETAIL_MAX);
    let last = place
        .profiles
        .note_upstream(&settings, Outcome::Failed, Some(&long));
    assert_eq!(
        last.await.unwrap().detail.unwrap().len(),
        UPSTREAM_DETAIL_MAX
    );

    // It is told while the upstream is the same, and never of another.
    let again = set(&place, draft("https://example.com/a.git")).await;
    assert!(again.last.is_some());
    let other_branch = Draft {
        branch: Branch::parse("other").unwrap(),
        ..draft("https://example.com/a.git")
    };
    for moved in [other_branch, draft("https://example.com/b.git")] {
        assert!(set(&place, moved).await.last.is_none());
        let late = place
            .profiles
            .note_upstream(&settings, Outcome::Pulled, None);
        late.await.unwrap();
        let read = place.profiles.upstream(ada()).await.unwrap().unwrap();
        assert_eq!(read.last, None);
    }
    place.profiles.remove_upstream(ada()).await.unwrap();
    let late = place
        .profiles
        .note_upstream(&settings, Outcome::Pulled, None);
    late.await.unwrap();
    assert!(place.profiles.upstream(ada()).await.unwrap().is_none());
    set(&place, draft("https://example.com/a.git")).await;
    let late = place
        .profiles
        .note_upstream(&settings, Outcome::Pulled, None);
    late.await.unwrap();
    let read = place.profiles.upstream(ada()).await.unwrap().unwrap();
    assert_eq!(read.last, None);
}

#[tokio::test]
async fn what_a_crash_has_left_is_cleared_away() {
    let place = Place::new();
    set(&place, with_hosts("ssh://git@example.com/a.git", HOSTS)).await;
    let leave = |names: [&str; 3]| {
        for name in names {
            let path = place
                .root()
                .join("user")
                .join(format!("{}.{name}", ada().id()));
            std::fs::write(path, "half").unwrap();
        }
    };
    let left = ["upstream.tmp", "upstream-00.key", "upstream-00.tmp"];
    leave(left);
    set(&place, draft("ssh://git@example.com/a.git")).await;
    assert_eq!(beside(&place).len(), 3);
    leave(left);
    assert!(place.profiles.remove_upstream(ada()).await.unwrap());
    assert_eq!(beside(&place), [""; 0]);
    leave(left);
    assert!(!place.profiles.remove_upstream(ada()).await.unwrap());
    assert_eq!(beside(&place), [""; 0]);
}

#[tokio::test]
async fn damaged_settings_are_told_and_not_guessed() {
    let place = Place::new();
    set(&place, draft("https://example.com/a.git")).await;
    let file = place.root().join("user").join(&beside(&place)[0]);
    let whole = std::fs::read_to_string(&file).unwrap();
    let bad = whole.replace("https://", "ext::");
    let large = whole.clone() + &" ".repeat(64 * 1024);
    for text in ["", "{}", &whole[..whole.len() / 2], &bad, &large] {
        std::fs::write(&file, text).unwrap();
        assert!(place.profiles.upstream(ada()).await.is_err(), "{text:.40}");
    }
    // It can be taken away all the same.
    assert!(place.profiles.remove_upstream(ada()).await.unwrap());
}
