//! Writes version after version into the profile of the user `crash` below a folder, and says the
//! id of each on a line of its own when it is acknowledged. The fault tests end it in between.
//! `writer FOLDER [SEED [COUNT]]`. `writer FOLDER upstream` gives the profile one upstream, another
//! one, and none, and says so in between.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use wharf_model::{Clock, Entropy, Timestamp};
use wharf_profiles::upstream::{Address, Branch, Draft, Protocols};
use wharf_profiles::{Author, Condition, Owner, Profiles, Sha256, Upload};

struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1000, Ordering::Relaxed))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let root = PathBuf::from(words.next().ok_or("which folder?")?);
    let seed = words.next().unwrap_or_default();
    let count: u32 = words.next().map_or(Ok(u32::MAX), |it| it.parse())?;
    let clock = Ticks(AtomicI64::new(1_700_000_000_000));
    let profiles = Profiles::open(root, Arc::new(clock));
    let owner = Owner::user("crash")?;
    if seed == "upstream" {
        return follow(&profiles, &owner).await;
    }
    let author = Author {
        name: "Crash".to_owned(),
        email: "crash@example.com".to_owned(),
    };
    for number in 0..count {
        // Few objects and many in turn: files of their own, and a pack.
        let files = if number % 2 == 0 { 2 } else { 40 };
        let mut upload = Upload::new();
        for file in 0..files {
            let content = Bytes::from(format!("{seed} {number} {file}\n").repeat(20));
            let hash = Sha256::of(&content);
            upload.file(&format!("d{file}/f.md"), &hash.to_string(), false)?;
            upload.content(hash, content)?;
        }
        let put = profiles.put_tree(&owner, upload, "", &author, Condition::Any);
        let tree = put.await?;
        writeln!(std::io::stdout(), "{}", tree.version)?;
    }
    Ok(())
}

struct Counted(AtomicI64);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        buffer.fill(number.to_le_bytes()[0]);
    }
}

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIBx5cvKXjwF7TQ7PvJJBnUiO3aCBvRzXr0VzB5KcvJ3T";

async fn follow(profiles: &Profiles, owner: &Owner) -> Result<(), Box<dyn std::error::Error>> {
    let entropy = Counted(AtomicI64::new(1));
    for host in ["a.example", "b.example"] {
        let url = format!("ssh://git@{host}/x.git");
        let draft = Draft {
            address: Address::parse(&url, Protocols::default())?,
            branch: Branch::parse("main")?,
            user: None,
            token: None,
            known_hosts: Some(format!("{host} ssh-ed25519 {KEY}")),
            push: false,
        };
        profiles.set_upstream(owner, draft, &entropy).await?;
        writeln!(std::io::stdout(), "{host}")?;
    }
    profiles.remove_upstream(owner).await?;
    writeln!(std::io::stdout(), "none")?;
    Ok(())
}
