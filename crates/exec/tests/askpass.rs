//! A password for sudo, here and on hosts. What asks is a shell that starts the program as sudo
//! does; that sudo itself is content is seen in the tests of the engine.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod far;
mod support;

use std::path::Path;
use std::time::Duration;

use far::bench::{with_bench as with_host, with_each};
use support::until;
use wharf_exec::{Askpass, AskpassOutcome, Executor, MAX_PASSWORD, TreeLimits};
use wharf_model::Secret;

/// What a shell's words for reading and writing could spoil.
const PASSWORD: &str = " p\\n'\"$(x) \u{c1}\u{e9} %s end\\ ";

/// Asks once and again, as one sudo does, and tells what it was answered.
fn asks(askpass: &Askpass) -> String {
    let program = askpass.program();
    format!("sh -c 'for i in 1 2; do \"$0\" && echo yes || echo \"no $?\"; done' '{program}'")
}

/// As a program that asks once.
fn asks_once(askpass: &Askpass) -> String {
    format!("sh -c '\"$0\"; echo over' '{}'", askpass.program())
}

fn outcome(given: u32, refused: bool) -> AskpassOutcome {
    AskpassOutcome { given, refused }
}

/// Nothing that others can look into has the password in it.
fn is_hidden(directory: &Path) {
    let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("end\\");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            assert!(!has(&bytes), "{entry:?} {file}");
        }
    }
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            left.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .flatten()
                    .map(|e| e.path()),
            );
        } else if kind.is_file() {
            assert!(!has(&std::fs::read(&path).unwrap()), "{}", path.display());
        }
    }
}

#[test]
fn each_sudo_gets_it_once_and_after_a_second_question_nobody() {
    support::with_bench(TreeLimits::default(), |bench| async move {
        let private = bench.directory.path().join("private");
        let askpass = bench.executor.askpass(Secret::new(PASSWORD.into()));
        let askpass = askpass.await.unwrap();
        assert_eq!(askpass.outcome().await, outcome(0, false));
        let both = format!("{0} | cat & {0}; wait", asks_once(&askpass));
        let said = bench.bash(&both).await.stdout();
        assert_eq!(
            said.matches(&format!("{PASSWORD}\n")).count(),
            2,
            "{said:?}"
        );
        assert_eq!(askpass.outcome().await, outcome(2, false));
        is_hidden(&private);

        let done = bench.bash(&asks(&askpass)).await;
        assert_eq!(done.stdout(), format!("{PASSWORD}\nyes\nno 1\n"));
        assert_eq!(askpass.outcome().await, outcome(3, true));
        let done = bench.bash(&asks_once(&askpass)).await;
        assert_eq!(done.stdout(), "over\n");
        assert_eq!(askpass.outcome().await, outcome(3, true));

        let program = askpass.program().to_owned();
        drop(askpass);
        until("the directory is gone", || {
            std::fs::read_dir(&private).unwrap().next().is_none()
        })
        .await;
        let done = bench.bash(&format!("'{program}'")).await;
        assert_eq!(done.code(), 127, "{}", done.stderr());
    });
}

#[test]
fn the_longest_password_arrives_whole_and_a_dead_asker_holds_nobody_up() {
    support::with_bench(TreeLimits::default(), |bench| async move {
        let longest = "x".repeat(MAX_PASSWORD);
        let askpass = bench.executor.askpass(Secret::new(longest.clone()));
        let askpass = askpass.await.unwrap();
        let directory = Path::new(askpass.program()).parent().unwrap().to_owned();
        let text = format!(
            "cd '{}' && echo ../1 >q && echo 1 >q && mkdir 2 && echo hi >2/p && echo 2 >q",
            directory.display()
        );
        assert_eq!(bench.bash(&text).await.code(), 0);
        let done = bench.bash(&asks_once(&askpass)).await;
        assert_eq!(done.stdout(), format!("{longest}\nover\n"));
        // What is no FIFO gets nothing: it might be a file on the disk.
        let kept = std::fs::read_to_string(directory.join("2/p")).unwrap();
        assert_eq!(kept, "hi\n");
    });
}

#[test]
fn on_a_host_it_is_the_same_in_every_shell() {
    with_each(|bench, kind| async move {
        let askpass = bench.executor.askpass(Secret::new(PASSWORD.into()));
        let askpass = askpass.await.unwrap();
        let both = format!("{0} | cat & {0}; wait", asks_once(&askpass));
        let said = bench.fresh(&both).await.stdout();
        let times = said.matches(&format!("{PASSWORD}\n")).count();
        assert_eq!(times, 2, "{kind}: {said:?}");
        assert_eq!(askpass.outcome().await, outcome(2, false), "{kind}");
        is_hidden(&bench.home);

        let done = bench.fork(&asks(&askpass)).await;
        let told = format!("{PASSWORD}\nyes\nno 1\n");
        assert_eq!(done.stdout(), told, "{kind}: {}", done.stderr());
        assert_eq!(askpass.outcome().await, outcome(3, true), "{kind}");
        let done = bench.fork(&asks_once(&askpass)).await;
        assert_eq!(done.stdout(), "over\n", "{kind}");

        let directory = Path::new(askpass.program()).parent().unwrap().to_owned();
        assert!(directory.exists());
        drop(askpass);
        until("the directory is gone", || !directory.exists()).await;
    });
}

#[test]
fn a_lost_connection_leaves_nothing_on_the_host() {
    with_host(|bench| async move {
        let askpass = bench.executor.askpass(Secret::new(PASSWORD.into()));
        let askpass = askpass.await.unwrap();
        let directory = Path::new(askpass.program()).parent().unwrap().to_owned();
        assert!(directory.exists());
        bench.opener.cut();
        until("the directory is gone", || !directory.exists()).await;
        let asked = tokio::time::timeout(Duration::from_secs(20), askpass.outcome());
        assert_eq!(asked.await.unwrap(), outcome(0, false));
    });
}
