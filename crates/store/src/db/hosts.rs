//! Hosts that have a name here, and the groups that they are in.

use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::error::{reading, writing};
use super::limits::{GROUPS_MAX, HOSTS_MAX};
use super::servers::HOSTS;
use super::text::without_nul;
use super::{Database, DbError};

/// One host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRow {
    /// Its name here.
    pub name: String,
    /// The name or address to connect to.
    pub address: String,
    /// The port, where it is given.
    pub port: Option<i64>,
    /// The account there, where it is given.
    pub account: Option<String>,
    /// The file of the key that opens it.
    pub key_file: Option<String>,
    /// Hosts on the way.
    pub jump: Option<String>,
    /// The groups that it is in, sorted.
    pub groups: Vec<String>,
    /// What people should know of it.
    pub note: String,
    /// Who added it.
    pub added_by: String,
    /// When it was added.
    pub added_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
    /// What it said of itself, as JSON.
    pub facts: Option<String>,
    /// When it said so.
    pub facts_ms: Option<i64>,
}

impl Database {
    /// Writes a host down, in place of what was known under its name.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn put_host(&self, host: &HostRow) -> Result<(), DbError> {
        let host = host.clone();
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = sqlx::query(
                "INSERT INTO hosts (name, address, port, account, key_file, jump, note, added_by, \
                 added_ms, changed_ms, facts, facts_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                 ON CONFLICT (name) DO UPDATE SET address = excluded.address, \
                 port = excluded.port, account = excluded.account, \
                 key_file = excluded.key_file, jump = excluded.jump, note = excluded.note, \
                 added_by = excluded.added_by, added_ms = excluded.added_ms, \
                 changed_ms = excluded.changed_ms, facts = excluded.facts, \
                 facts_ms = excluded.facts_ms",
            );
            let query = query.bind(host.name.clone()).bind(host.address);
            let query = query.bind(host.port).bind(host.account);
            let query = query
                .bind(host.key_file)
                .bind(host.jump)
                .bind(without_nul(host.note));
            let query = query.bind(host.added_by).bind(host.added_ms);
            let query = query.bind(host.changed_ms).bind(host.facts);
            let query = query.bind(host.facts_ms);
            query.execute(&mut *transaction).await?;
            forget_groups(&mut transaction, &host.name).await?;
            for group in host.groups {
                let query = sqlx::query("INSERT INTO host_groups (host, name) VALUES ($1, $2)");
                let query = query.bind(host.name.clone()).bind(group);
                query.execute(&mut *transaction).await?;
            }
            self.count_change(&mut transaction, HOSTS).await?;
            transaction.commit().await
        };
        self.within(write).await.map_err(writing("a host"))
    }

    /// Writes down what a host said of itself. False when there is none of that name.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_host_facts(
        &self,
        name: &str,
        facts: &str,
        at_ms: i64,
    ) -> Result<bool, DbError> {
        let query = sqlx::query("UPDATE hosts SET facts = $1, facts_ms = $2 WHERE name = $3");
        let query = query.bind(facts.to_owned()).bind(at_ms);
        let query = query.bind(name.to_owned());
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let done = query.execute(&mut *transaction).await?.rows_affected() > 0;
            if done {
                self.count_change(&mut transaction, HOSTS).await?;
            }
            transaction.commit().await?;
            Ok(done)
        };
        self.within(write).await.map_err(writing("a host's facts"))
    }

    /// Forgets a host. False when there is none of that name.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn remove_host(&self, name: &str) -> Result<bool, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            forget_groups(&mut transaction, name).await?;
            let query = sqlx::query("DELETE FROM hosts WHERE name = $1").bind(name.to_owned());
            let done = query.execute(&mut *transaction).await?.rows_affected() > 0;
            if done {
                self.count_change(&mut transaction, HOSTS).await?;
            }
            transaction.commit().await?;
            Ok(done)
        };
        self.within(write).await.map_err(writing("a host"))
    }

    /// All hosts by name; at most [`HOSTS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn all_hosts(&self) -> Result<Vec<HostRow>, DbError> {
        let query = sqlx::query(
            "SELECT name, address, port, account, key_file, jump, note, added_by, added_ms, \
             changed_ms, facts, facts_ms FROM hosts ORDER BY name LIMIT $1",
        );
        let rows = query.bind(i64::from(HOSTS_MAX)).fetch_all(&self.readers);
        let rows = self.within(rows).await;
        let hosts: Result<Vec<HostRow>, _> =
            rows.and_then(|rows| rows.iter().map(host_of).collect());
        let mut hosts = hosts.map_err(reading("hosts"))?;
        let query = sqlx::query("SELECT host, name FROM host_groups ORDER BY host, name LIMIT $1");
        let rows = query.bind(i64::from(GROUPS_MAX)).fetch_all(&self.readers);
        let mut groups: HashMap<String, Vec<String>> = HashMap::new();
        for row in self
            .within(rows)
            .await
            .map_err(reading("groups of hosts"))?
        {
            let pair = row
                .try_get(0)
                .and_then(|host: String| Ok((host, row.try_get::<String, _>(1)?)));
            let (host, group) = pair.map_err(reading("groups of hosts"))?;
            groups.entry(host).or_default().push(group);
        }
        for host in &mut hosts {
            host.groups = groups.remove(&host.name).unwrap_or_default();
        }
        Ok(hosts)
    }
}

async fn forget_groups(
    transaction: &mut sqlx::Transaction<'static, sqlx::Any>,
    host: &str,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM host_groups WHERE host = $1").bind(host.to_owned());
    query.execute(&mut **transaction).await.map(drop)
}

fn host_of(row: &AnyRow) -> Result<HostRow, sqlx::Error> {
    Ok(HostRow {
        name: row.try_get(0)?,
        address: row.try_get(1)?,
        port: row.try_get(2)?,
        account: row.try_get(3)?,
        key_file: row.try_get(4)?,
        jump: row.try_get(5)?,
        groups: Vec::new(),
        note: row.try_get(6)?,
        added_by: row.try_get(7)?,
        added_ms: row.try_get(8)?,
        changed_ms: row.try_get(9)?,
        facts: row.try_get(10)?,
        facts_ms: row.try_get(11)?,
    })
}
