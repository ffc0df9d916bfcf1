//! What an account may use of sandboxes, and what it has used.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::super::error::{reading, writing};
use super::super::text::without_nul;
use super::super::{Database, DbError};
use super::statement;

/// One account: an organization, or a person who is in none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountRow {
    /// Its id.
    pub account: String,
    /// Its plan, where somebody has said which.
    pub plan: Option<String>,
    /// What it was given beside the plan's own.
    pub granted_ms: i64,
    /// What it has used.
    pub used_ms: i64,
    /// When this was last changed.
    pub changed_ms: i64,
}

impl Database {
    /// One account; nothing where it was never charged nor given anything.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn gateway_account(&self, account: &str) -> Result<Option<AccountRow>, DbError> {
        let query = statement!(
            "SELECT account, plan, granted_ms, used_ms, changed_ms FROM gateway_accounts \
             WHERE account = $1",
            account,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(account_of).transpose())
            .map_err(reading("accounts"))
    }

    /// Says which plan an account has, and gives it something beside.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn grant_gateway_account(
        &self,
        account: &str,
        plan: Option<&str>,
        granted_ms: i64,
        now_ms: i64,
    ) -> Result<(), DbError> {
        let query = statement!(
            "INSERT INTO gateway_accounts (account, plan, granted_ms, used_ms, changed_ms) \
             VALUES ($1, $2, $3, 0, $4) ON CONFLICT (account) DO UPDATE SET \
             plan = COALESCE(excluded.plan, gateway_accounts.plan), \
             granted_ms = gateway_accounts.granted_ms + excluded.granted_ms, \
             changed_ms = excluded.changed_ms",
            account,
            plan.map(|plan| without_nul(plan.to_owned())),
            granted_ms,
            now_ms,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("an account"))
    }
}

/// Adds to what an account has used.
pub(super) async fn charge_on(
    connection: &mut AnyConnection,
    account: &str,
    used_ms: i64,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let query = statement!(
        "INSERT INTO gateway_accounts (account, plan, granted_ms, used_ms, changed_ms) \
         VALUES ($1, NULL, 0, $2, $3) ON CONFLICT (account) DO UPDATE SET \
         used_ms = gateway_accounts.used_ms + excluded.used_ms, \
         changed_ms = excluded.changed_ms",
        account,
        used_ms,
        now_ms,
    );
    query.execute(connection).await.map(drop)
}

fn account_of(row: &AnyRow) -> Result<AccountRow, sqlx::Error> {
    Ok(AccountRow {
        account: row.try_get(0)?,
        plan: row.try_get(1)?,
        granted_ms: row.try_get(2)?,
        used_ms: row.try_get(3)?,
        changed_ms: row.try_get(4)?,
    })
}
