//! Accounts as an operator sees them: all of them, named by their ids or usernames.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, cdn, changes,
    error::Stop,
    tx::{Tx, binds},
    users::ChangePassword,
};
use crate::domain::{
    delivery::ChangeKind,
    error::{Code, Error},
    ids::UserId,
    user::{Usage, User},
};

/// An account with what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The account.
    pub user: User,
    /// An operator has shut it.
    pub disabled: bool,
    /// What it holds.
    pub usage: Usage,
}

row! {
    struct UserRow {
        id: Uuid,
        username: String,
        created_at: DateTime<Utc>,
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        User { id: UserId(row.id), username: row.username, created_at: row.created_at }
    }
}

row! {
    struct AccountRow {
        disabled: bool,
        images: i64,
        variants: i64,
        bytes: i64,
        ..user: UserRow,
    }
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        let AccountRow { disabled, images, variants, bytes, user } = row;
        Account { user: user.into(), disabled, usage: Usage { images, variants, bytes } }
    }
}

/// All accounts, newest first.
#[derive(Debug, Clone)]
pub struct AllAccounts {
    /// Only those that are shut.
    pub disabled: bool,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for AllAccounts {
    const NAME: &'static str = "admin.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Account>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Account>, Stop> {
        // Postgres sums BIGINT up to NUMERIC, and a sum of no rows is NULL.
        let rows: Vec<AccountRow> = tx
            .fetch_all(
                "SELECT u.id, u.username, u.created_at, u.disabled,
                     (SELECT count(*) FROM images i WHERE i.user_id = u.id) AS images,
                     (SELECT count(*) FROM variants v
                      WHERE v.user_id = u.id AND v.status = 'ready') AS variants,
                     CAST((SELECT coalesce(sum(i.size), 0) FROM images i WHERE i.user_id = u.id)
                         + (SELECT coalesce(sum(v.size), 0) FROM variants v
                            WHERE v.user_id = u.id AND v.status = 'ready') AS BIGINT) AS bytes
                 FROM users u WHERE u.disabled OR NOT $2 ORDER BY u.id DESC LIMIT $1",
                binds![self.limit, self.disabled],
            )
            .await?;
        Ok(rows.into_iter().map(Account::from).collect())
    }
}

/// Shuts accounts, or opens them again; all that are named, or none.
#[derive(Debug, Clone)]
pub struct SetDisabled {
    /// Ids or usernames.
    pub users: Vec<String>,
    /// Whether they are to be shut.
    pub disabled: bool,
}

impl Transaction for SetDisabled {
    const NAME: &'static str = "admin.set_disabled";
    const MODE: Mode = Mode::Write;
    /// Each account once.
    type Output = Vec<User>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<User>, Stop> {
        let users = find(tx, &self.users).await?;
        for user in &users {
            let binds = binds![user.id, self.disabled];
            tx.execute("UPDATE users SET disabled = $2 WHERE id = $1", binds).await?;
            changes::of_account(tx, user.id, ChangeKind::Facts).await?;
            if self.disabled {
                cdn::forget_account(tx, user.id).await?;
            }
        }
        Ok(users)
    }
}

/// Sets the password of an account whose owner has lost it, and ends every login.
#[derive(Debug, Clone)]
pub struct ResetPassword {
    /// Its id or username.
    pub user: String,
    /// Argon2id, in PHC string form.
    pub password_hash: String,
}

impl Transaction for ResetPassword {
    const NAME: &'static str = "admin.reset_password";
    const MODE: Mode = Mode::Write;
    type Output = Vec<User>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<User>, Stop> {
        let users = find(tx, std::slice::from_ref(&self.user)).await?;
        for user in &users {
            let password_hash = self.password_hash.clone();
            ChangePassword { user_id: user.id, password_hash }.perform(tx).await?;
        }
        Ok(users)
    }
}

/// Ends the logins of accounts; of all that are named, or of none.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// Ids or usernames.
    pub users: Vec<String>,
    /// Whether their API keys go too.
    pub api_keys: bool,
}

/// What an account has lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Revoked {
    /// The account.
    pub user: User,
    /// Logins ended.
    pub logins: u64,
    /// API keys removed.
    pub api_keys: u64,
}

impl Transaction for Revoke {
    const NAME: &'static str = "admin.revoke";
    const MODE: Mode = Mode::Write;
    /// Each account once.
    type Output = Vec<Revoked>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Revoked>, Stop> {
        let mut revoked = Vec::new();
        for user in find(tx, &self.users).await? {
            let logins =
                tx.execute("DELETE FROM logins WHERE user_id = $1", binds![user.id]).await?;
            let api_keys = if self.api_keys {
                tx.execute("DELETE FROM api_keys WHERE user_id = $1", binds![user.id]).await?
            } else {
                0
            };
            revoked.push(Revoked { user, logins, api_keys });
        }
        Ok(revoked)
    }
}

/// The accounts that are meant, each once; nobody else changes them until the transaction ends. Those that don't exist are
/// named, all of them.
async fn find(tx: &mut Tx, meant: &[String]) -> Result<Vec<User>, Stop> {
    let mut found: Vec<User> = Vec::with_capacity(meant.len());
    let mut unknown = Vec::new();
    for word in meant {
        match find_one(tx, word).await? {
            Some(user) if found.contains(&user) => {}
            Some(user) => found.push(user),
            None => unknown.push(word.as_str()),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let detail = format!("no such account: {}; nothing was done", unknown.join(", "));
    Err(Error::new(Code::NotFound, detail).into())
}

/// A username may look like an id. The id is the stronger: nobody can choose theirs.
async fn find_one(tx: &mut Tx, word: &str) -> Result<Option<User>, Stop> {
    let lock = tx.dialect().for_update;
    let select = |column| {
        let sql = format!("SELECT id, username, created_at FROM users WHERE {column} {lock}");
        AssertSqlSafe(sql)
    };
    if let Ok(id) = word.parse::<UserId>() {
        let row: Option<UserRow> = tx.fetch_optional(select("id = $1"), binds![id]).await?;
        if row.is_some() {
            return Ok(row.map(User::from));
        }
    }
    let by_name = select("lower(username) = lower($1)");
    let row: Option<UserRow> = tx.fetch_optional(by_name, binds![word]).await?;
    Ok(row.map(User::from))
}
