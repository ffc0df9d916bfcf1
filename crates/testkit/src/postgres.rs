//! A real PostgreSQL for tests.

use crate::postgres_server::Server;

/// A running server with files and a port of its own, which are gone when this is dropped.
#[derive(Debug)]
pub struct TestPostgres(Server);

impl TestPostgres {
    /// None, and a line about it, where there is no PostgreSQL; in CI that is a failure.
    #[must_use]
    pub fn start() -> Option<Self> {
        Server::start().map(Self)
    }

    /// Makes an empty database; its name.
    #[must_use]
    pub fn make_database(&self) -> String {
        self.0.make_database()
    }

    /// The URL of a database, by an account that needs no password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.0.url(database)
    }

    /// Does something in a database that the code under test does not do; what it says.
    pub fn execute(&self, database: &str, script: &str) -> String {
        self.0.execute(database, script)
    }
}
