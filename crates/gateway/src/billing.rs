//! Who pays: the gate before a machine runs, and the ledger that is one.
//!
//! What machines have used is always counted, by account, whoever the gate is: an organization is
//! one account, and so is a person who is in none. A gate only says yes or no.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_sandbox::BoxFuture;
use wharf_store::db::{AccountRow, Database, DbError};

/// Says whether a machine of an account may run.
pub trait Gate: Send + Sync + 'static {
    /// Asked before a machine is made or goes on, and now and then while it runs.
    fn admit<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Admission, GateError>>;

    /// What an account may use, and has.
    fn standing<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Standing, GateError>>;

    /// The plans that there are, by name; none where nothing is counted against anybody, or where
    /// somebody else says who has which.
    fn plans(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A yes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Admission {
    /// How many machines of the account may run at once. It is held where they are counted.
    pub concurrent_max: Option<u32>,
}

/// No answer, or a no.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// There is no credit.
    #[error("{0}")]
    Refused(Refusal),
    /// The database did not answer.
    #[error("the database does not answer")]
    Database(#[from] DbError),
    /// Somebody else did not answer.
    #[error("{0}")]
    Outside(String),
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Why, for programs.
    pub code: BillingCode,
    /// Why and what to do, for people.
    pub message: String,
}

/// Why there is no credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillingCode {
    /// The plan has none, and none was given.
    NoCredits,
    /// What there was is used up.
    CreditsExhausted,
    /// As many machines run as may.
    ConcurrentLimit,
}

impl BillingCode {
    /// As programs compare it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCredits => "no_credits",
            Self::CreditsExhausted => "credits_exhausted",
            Self::ConcurrentLimit => "concurrent_limit",
        }
    }
}

impl Refusal {
    pub(crate) fn concurrent(most: u32) -> Self {
        let message = format!(
            "{most} sandboxes run at once under this plan, and that many do; end or pause one"
        );
        Self {
            code: BillingCode::ConcurrentLimit,
            message,
        }
    }
}

/// What an account may use, and has. Absent is unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The plan's name.
    pub plan: String,
    /// Machines that may run at once.
    pub concurrent_max: Option<u32>,
    /// What was given.
    pub granted: Option<Duration>,
    /// What was used.
    pub used: Duration,
}

/// Everybody may use as much as they like.
#[derive(Debug, Clone)]
pub struct Unlimited(Database);

impl Unlimited {
    /// What is used is looked up there.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self(database)
    }
}

impl Gate for Unlimited {
    fn admit<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Admission, GateError>> {
        Box::pin(async { Ok(Admission::default()) })
    }

    fn standing<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Standing, GateError>> {
        Box::pin(async move {
            let row = self.0.gateway_account(account).await?.unwrap_or_default();
            Ok(Standing {
                plan: "unlimited".to_owned(),
                used: used(&row),
                ..Standing::default()
            })
        })
    }
}

/// What a plan gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// Time of machines, once; more is given beside it. Absent is unlimited.
    pub time: Option<Duration>,
    /// Machines at once. Absent is unlimited.
    pub concurrent: Option<u32>,
}

/// Accounts with plans, kept in the database.
#[derive(Debug, Clone)]
pub struct Ledger {
    database: Database,
    plans: BTreeMap<String, Plan>,
    default: String,
}

impl Ledger {
    /// `default` is the plan of an account of which nobody has said another, or one that there is
    /// not any more.
    #[must_use]
    pub fn new(database: Database, plans: BTreeMap<String, Plan>, default: String) -> Self {
        Self {
            database,
            plans,
            default,
        }
    }

    async fn look(&self, account: &str) -> Result<Standing, DbError> {
        let row = self.database.gateway_account(account).await?;
        let row = row.unwrap_or_default();
        let named = row.plan.as_deref().and_then(|plan| {
            let found = self.plans.get_key_value(plan);
            found.map(|(name, plan)| (name.clone(), *plan))
        });
        let (plan, terms) = named.unwrap_or_else(|| {
            let terms = self.plans.get(&self.default).copied();
            // A default that is not there gives nothing, rather than everything.
            let nothing = Plan {
                time: Some(Duration::ZERO),
                concurrent: Some(0),
            };
            (self.default.clone(), terms.unwrap_or(nothing))
        });
        Ok(Standing {
            plan,
            concurrent_max: terms.concurrent,
            granted: terms.time.map(|time| time + span(row.granted_ms)),
            used: used(&row),
        })
    }
}

impl Gate for Ledger {
    fn admit<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Admission, GateError>> {
        Box::pin(async move {
            let standing = self.look(account).await?;
            let refused =
                |code, message: String| Err(GateError::Refused(Refusal { code, message }));
            match standing.granted {
                Some(Duration::ZERO) => refused(
                    BillingCode::NoCredits,
                    format!("the plan {:?} has no credit for sandboxes", standing.plan),
                ),
                Some(granted) if standing.used >= granted => refused(
                    BillingCode::CreditsExhausted,
                    format!("the {} s of sandboxes are used up", granted.as_secs()),
                ),
                _ => Ok(Admission {
                    concurrent_max: standing.concurrent_max,
                }),
            }
        })
    }

    fn standing<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Standing, GateError>> {
        Box::pin(async move { Ok(self.look(account).await?) })
    }

    fn plans(&self) -> Vec<String> {
        self.plans.keys().cloned().collect()
    }
}

fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

fn used(row: &AccountRow) -> Duration {
    span(row.used_ms)
}
