//! Codes that people type once: for the first account, and for a new password.

use super::super::error::writing;
use super::super::{Database, DbError};
use super::statement;
use super::users::set_password_on;

impl Database {
    /// Writes a code down, in place of an older one of the same kind and subject.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn put_code(
        &self,
        kind: &str,
        subject: &str,
        hash: &str,
        (created_ms, expires_ms): (i64, i64),
    ) -> Result<(), DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                "DELETE FROM one_time_codes WHERE kind = $1 AND subject = $2",
                kind,
                subject,
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                "INSERT INTO one_time_codes (hash, kind, subject, created_ms, expires_ms) \
                 VALUES ($1, $2, $3, $4, $5)",
                hash,
                kind,
                subject,
                created_ms,
                expires_ms,
            );
            query.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.within(write).await.map_err(writing("a code"))
    }

    /// Whether a code is good still; it stays so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_code(&self, kind: &str, hash: &str, now_ms: i64) -> Result<bool, DbError> {
        let query = sqlx::query_scalar(
            "SELECT COUNT(*) FROM one_time_codes \
             WHERE hash = $1 AND kind = $2 AND expires_ms > $3",
        );
        let query = query.bind(hash).bind(kind).bind(now_ms);
        let found: Result<i64, _> = self.within(query.fetch_one(&self.readers)).await;
        Ok(found.map_err(super::super::error::reading("a code"))? > 0)
    }

    /// Uses a code for a new password up: sets it and ends all logins. The account's id; none when
    /// the code is not good, or the account is disabled.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn reset_password(
        &self,
        code_hash: &str,
        password: &str,
        now_ms: i64,
    ) -> Result<Option<String>, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = sqlx::query_scalar(
                "DELETE FROM one_time_codes WHERE hash = $1 AND kind = 'reset' \
                 AND expires_ms > $2 RETURNING subject",
            );
            let query = query.bind(code_hash).bind(now_ms);
            let user: Option<String> = query.fetch_optional(&mut *transaction).await?;
            let Some(user) = user else {
                return Ok(None);
            };
            if !set_password_on(&mut transaction, &user, password, None, now_ms).await? {
                return Ok(None);
            }
            transaction.commit().await?;
            Ok(Some(user))
        };
        self.within(write).await.map_err(writing("a password"))
    }
}
