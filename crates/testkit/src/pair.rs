//! Two engines on one PostgreSQL, as two servers have them.

use std::time::Duration;

use wharf_exec::Zygote;
use wharf_store::db::Database;

use crate::{Setup, TestEngine, TestPostgres, zygote_options};

/// Two engines on one database.
pub struct Pair {
    /// One, `srv_a`.
    pub a: TestEngine,
    /// The other, `srv_b`.
    pub b: TestEngine,
    /// What they share.
    pub postgres: TestPostgres,
    /// The name of the database there.
    pub database: String,
}

/// Runs a test with two engines on one database; `urls` is where each is said to be. Without
/// PostgreSQL it is left out, which is said.
pub fn with_pair<F: Future<Output = Pair>>(urls: [String; 2], test: impl FnOnce(Pair) -> F) {
    let Some(postgres) = TestPostgres::start() else {
        return;
    };
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [dir_a, dir_b] = dirs.each_ref().map(tempfile::TempDir::path);
    // Before there are threads.
    let zygotes =
        [dir_a, dir_b].map(|dir| Zygote::fork(zygote_options(dir, &Setup::default())).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let database = postgres.make_database();
        let [zygote_a, zygote_b] = zygotes;
        let [url_a, url_b] = urls;
        let url = postgres.url(&database);
        let setup = |id: &'static str, peer_url: String| {
            let url = url.clone();
            async move {
                let opened = Database::open(&url).await.unwrap();
                Setup {
                    database: Some(opened.as_server(id)),
                    peer_url,
                    ..Setup::default()
                }
            }
        };
        let a = TestEngine::start(zygote_a, dir_a, setup("srv_a", url_a).await).await;
        let b = TestEngine::start(zygote_b, dir_b, setup("srv_b", url_b).await).await;
        let pair = Pair {
            a,
            b,
            postgres,
            database,
        };
        let pair = tokio::time::timeout(Duration::from_secs(180), test(pair)).await;
        let pair = pair.unwrap();
        for engine in [&pair.a, &pair.b] {
            engine.engine.shutdown(Duration::from_millis(200)).await;
            engine.executor.shutdown().await;
        }
    });
}
