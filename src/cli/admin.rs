//! `darkroom admin`: accounts in the hands of an operator, beside servers or without one.

use std::{
    io::{Read, stdin},
    process::ExitCode,
};

use clap::Subcommand;
use serde_json::json;

use super::on_database;
use crate::{
    adapters::{
        Query,
        db::{
            Db,
            admin::{Account, AllAccounts, ResetPassword, Revoke, SetDisabled},
        },
        password::Passwords,
        token::random,
    },
    domain::{
        error::{Error, Result},
        user::{User, check_password},
    },
    flows::sessions::BELIEVED,
};

/// More than the longest password takes.
const LINE: u64 = 4096;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print accounts, newest first, with what they hold.
    Users {
        /// Only those that are disabled.
        #[arg(long)]
        disabled: bool,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Shut accounts: logins, refresh tokens, access tokens and API keys are refused.
    ///
    /// Logins and refresh tokens at once; access tokens and API keys within three seconds, on every server: for so long a server
    /// believes what it has looked up. What the accounts have stays, jobs that were accepted go on, and nothing is revoked.
    Disable {
        /// The accounts.
        #[arg(required = true, value_name = "USER")]
        users: Vec<String>,
    },
    /// Open accounts again, as they were.
    Enable {
        /// The accounts.
        #[arg(required = true, value_name = "USER")]
        users: Vec<String>,
    },
    /// Give an account a new password, which is printed, and end its sessions; API keys stay.
    ResetPassword {
        /// The account.
        user: String,
        /// Read the new password from standard input: one line, 8 to 128 characters. Nothing secret is printed.
        #[arg(long)]
        stdin: bool,
    },
    /// End all sessions of accounts, within three seconds on every server; API keys stay.
    Revoke {
        /// The accounts.
        #[arg(required = true, value_name = "USER")]
        users: Vec<String>,
        /// Remove their API keys too, for good.
        #[arg(long)]
        api_keys: bool,
    },
}

/// Does it.
pub fn run(command: &Command) -> ExitCode {
    on_database(async |database| tell(database, command).await)
}

async fn tell(database: &Db, command: &Command) -> Result<String> {
    match command {
        Command::Users { disabled, limit, json } => {
            let limit = i64::from(*limit);
            let accounts = AllAccounts { disabled: *disabled, limit }.run(database).await?;
            let line = if *json { as_json } else { as_text };
            Ok(accounts.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        Command::Disable { users } => {
            let users = SetDisabled { users: users.clone(), disabled: true }.run(database).await?;
            let within = humantime::format_duration(BELIEVED);
            Ok(format!("{}\nevery server refuses them within {within}", lines(&users, "disabled")))
        }
        Command::Enable { users } => {
            let users = SetDisabled { users: users.clone(), disabled: false }.run(database).await?;
            Ok(lines(&users, "enabled"))
        }
        Command::ResetPassword { user, stdin } => {
            let password = if *stdin { said()? } else { random()? };
            let password_hash = Passwords::default().hash(password.clone()).await?;
            let users = ResetPassword { user: user.clone(), password_hash }.run(database).await?;
            let done = lines(&users, "has a new password, and no session");
            Ok(if *stdin { done } else { format!("{done}\n{password}") })
        }
        Command::Revoke { users, api_keys } => {
            let revoke = Revoke { users: users.clone(), api_keys: *api_keys };
            let mut told = Vec::new();
            for revoked in revoke.run(database).await? {
                let User { id, username, .. } = &revoked.user;
                let keys = api_keys.then(|| format!(", {} API keys", revoked.api_keys));
                let keys = keys.unwrap_or_default();
                told.push(format!("{id} {username} has lost {} sessions{keys}", revoked.logins));
            }
            Ok(told.join("\n"))
        }
    }
}

/// The password on standard input.
fn said() -> Result<String> {
    let refused = |detail: &str| Error::field("--stdin", detail);
    let mut text = String::new();
    let read = stdin().take(LINE).read_to_string(&mut text);
    read.map_err(|_| refused("must be text in UTF-8"))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.contains('\n') {
        return Err(refused("must be one line"));
    }
    match check_password(password) {
        Some(fault) => Err(refused(fault)),
        None => Ok(password.to_owned()),
    }
}

fn lines(users: &[User], what: &str) -> String {
    let line = |user: &User| format!("{} {} {what}", user.id, user.username);
    users.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn state(account: &Account) -> &'static str {
    if account.disabled { "disabled" } else { "enabled" }
}

fn as_text(account: &Account) -> String {
    format!(
        "{} {:<8} {} {} images, {} variants, {} bytes: {}",
        account.user.id,
        state(account),
        account.user.created_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        account.usage.images,
        account.usage.variants,
        account.usage.bytes,
        account.user.username,
    )
}

fn as_json(account: &Account) -> String {
    json!({
        "id": account.user.id,
        "username": account.user.username,
        "state": state(account),
        "created_at": account.user.created_at,
        "images": account.usage.images,
        "variants": account.usage.variants,
        "bytes": account.usage.bytes,
    })
    .to_string()
}
