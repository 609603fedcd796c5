//! Accounts in the hands of an operator.

use darkroom::{
    adapters::{
        Query,
        db::{
            about::{About, Protection, protection},
            admin::*,
            tokens::{ApiKeysOf, InsertApiKey, SessionByApiKey, SessionByToken},
            users::CredentialsById,
            variants::{CompleteVariant, ReserveVariant},
        },
    },
    domain::{
        error::Code,
        ids::{ApiKeyId, TokenId, UserId},
        user::{ApiKey, Usage, User},
    },
};

use crate::sandbox::{ENGINE, Sandbox, first_of, made, now, seconds, token, variant};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn shut(users: &[&str], disabled: bool) -> SetDisabled {
    SetDisabled { users: words(users), disabled }
}

/// A login of the account, by its access token.
async fn login(sandbox: &Sandbox, user: &User) -> TokenId {
    let token = token(user.id, &TokenId::new().to_string());
    let id = token.id;
    sandbox.get(first_of(token)).await;
    id
}

async fn is_in(sandbox: &Sandbox, id: TokenId) -> bool {
    sandbox.get(SessionByToken { id, now: now() }).await.is_some()
}

pub async fn an_operator_sees_every_account_and_what_it_holds(sandbox: &Sandbox) {
    let (ada, bob) = (sandbox.user("ada").await, sandbox.user("bob").await);
    let image = sandbox.image(&ada).await;
    sandbox.image(&ada).await;
    let ready = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    sandbox.get(ReserveVariant { variant: variant(&image, 2) }).await;
    let (id, engine) = (ready.id, ENGINE);
    sandbox.get(CompleteVariant { id, made: made("v"), engine, now: now() }).await;
    sandbox.get(shut(&["bob"], true)).await;

    let usage = Usage { images: 2, variants: 1, bytes: 2050 };
    let ada = Account { user: ada, disabled: false, usage };
    let bob = Account { user: bob, disabled: true, usage: Usage::default() };
    let all = |disabled, limit| AllAccounts { disabled, limit };
    assert_eq!(sandbox.get(all(false, 9)).await, [bob.clone(), ada]);
    assert_eq!(sandbox.get(all(false, 1)).await, std::slice::from_ref(&bob));
    assert_eq!(sandbox.get(all(true, 9)).await, [bob]);
}

pub async fn an_account_is_shut_and_opened_by_its_name_or_id(sandbox: &Sandbox) {
    let (ada, bob) = (sandbox.user("Ada").await, sandbox.user("bob").await);
    let session = login(sandbox, &ada).await;
    let disabled = async |id| {
        let lookup = SessionByToken { id, now: now() };
        sandbox.get(lookup).await.map(|session| session.disabled)
    };
    // Whoever calls themselves by another's id is not that other.
    sandbox.user(&ada.id.to_string()).await;
    let id = ada.id.to_string();
    assert_eq!(sandbox.get(shut(&[&id, "aDA", "bob"], true)).await, [ada.clone(), bob]);
    assert_eq!(disabled(session).await, Some(true));
    let again = sandbox.get(shut(&["ADA"], true)).await;
    assert_eq!(again, std::slice::from_ref(&ada), "again is no fault");
    assert_eq!(sandbox.get(shut(&["ada"], false)).await, [ada]);
    assert_eq!(disabled(session).await, Some(false), "as it was");
}

pub async fn of_several_accounts_all_are_there_or_nothing_is_done(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let session = login(sandbox, &ada).await;
    let nobody = UserId::new().to_string();
    let error = sandbox.ask(shut(&["ada", "eve", &nobody], true)).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    assert!(error.detail.contains(&format!("eve, {nobody}")), "{}", error.detail);
    let revoke = Revoke { users: words(&["ada", "eve"]), api_keys: true };
    assert_eq!(sandbox.refusal(revoke).await, Code::NotFound);
    let lookup = SessionByToken { id: session, now: now() };
    assert!(!sandbox.get(lookup).await.unwrap().disabled);
}

pub async fn a_reset_password_ends_every_login(sandbox: &Sandbox) {
    let (ada, bob) = (sandbox.user("ada").await, sandbox.user("bob").await);
    let (hers, his) = (login(sandbox, &ada).await, login(sandbox, &bob).await);
    let reset = |user: &str| ResetPassword {
        user: user.to_owned(),
        password_hash: "$argon2id$new".to_owned(),
    };
    assert_eq!(sandbox.get(reset("ADA")).await, std::slice::from_ref(&ada));
    let credentials = sandbox.get(CredentialsById { id: ada.id }).await.unwrap();
    assert_eq!(credentials.password_hash, "$argon2id$new");
    assert_eq!((is_in(sandbox, hers).await, is_in(sandbox, his).await), (false, true));
    assert_eq!(sandbox.refusal(reset("eve")).await, Code::NotFound);
}

pub async fn a_revocation_spares_api_keys_unless_they_are_meant(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let key = ApiKey {
        id: ApiKeyId::new(),
        user_id: ada.id,
        name: "key".to_owned(),
        key_hash: "hash".to_owned(),
        created_at: now(),
    };
    sandbox.get(InsertApiKey { key: key.clone() }).await;
    let session = login(sandbox, &ada).await;
    let revoke = |api_keys| Revoke { users: words(&["ada", "Ada"]), api_keys };
    // The first login is that of the registration.
    let revoked = Revoked { user: ada.clone(), logins: 2, api_keys: 0 };
    assert_eq!(sandbox.get(revoke(false)).await, [revoked]);
    assert!(!is_in(sandbox, session).await);
    let by_key = SessionByApiKey { key_hash: key.key_hash.clone() };
    assert!(sandbox.get(by_key.clone()).await.is_some());
    let revoked = Revoked { user: ada.clone(), logins: 0, api_keys: 1 };
    assert_eq!(sandbox.get(revoke(true)).await, [revoked]);
    assert_eq!(sandbox.get(by_key).await, None);
    assert_eq!(sandbox.get(ApiKeysOf { user_id: ada.id }).await, []);
}

pub async fn a_database_says_what_it_is(sandbox: &Sandbox) {
    let told = About.run(&sandbox.db).await.unwrap();
    let known = ["PostgreSQL ", "SQLite "];
    assert!(known.iter().any(|name| told.product.starts_with(name)), "{told:?}");
    assert!(!told.product.contains(" on "), "{told:?}");
    assert!((told.now - now()).abs() < seconds(60), "{told:?}");
    assert!(!told.read_only);
    // The tests' own server is on this machine, or in a container of it.
    assert_eq!(protection(&sandbox.settings).await.unwrap(), Protection::Local);
}
