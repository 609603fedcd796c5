//! Accounts.

use darkroom::{
    adapters::db::{
        images::ImageById,
        tokens::{InsertRefreshToken, SessionByToken},
        users::*,
        variants::{CompleteVariant, ReserveVariant},
    },
    domain::{
        error::Code,
        ids::{DeletionId, UserId},
        user::{Usage, User},
    },
};

use crate::sandbox::{ENGINE, Sandbox, made, now, token, variant};

pub async fn a_registered_account_can_log_in(sandbox: &Sandbox) {
    let user = sandbox.user("Ada.L").await;
    let by_name = sandbox.get(CredentialsByName { username: "ADA.l".to_owned() }).await.unwrap();
    assert_eq!(by_name.user, user);
    assert_eq!(by_name.password_hash, "$argon2id$old");
    assert!(!by_name.disabled);
    assert_eq!(sandbox.get(CredentialsById { id: user.id }).await, Some(by_name));
    let unknown = CredentialsByName { username: "ada".to_owned() };
    assert_eq!(sandbox.get(unknown).await, None);
    assert_eq!(sandbox.get(CredentialsById { id: UserId::new() }).await, None);
}

pub async fn names_are_unique_without_regard_to_case(sandbox: &Sandbox) {
    let queries = ["grace", "GRACE", "Grace", "gRACE"].map(|username| {
        let user = User { id: UserId::new(), username: username.to_owned(), created_at: now() };
        let token = token(user.id, username);
        CreateUser { user, password_hash: "hash".to_owned(), token }
    });
    let answers = sandbox.together(queries.to_vec()).await;
    let taken: Vec<Code> = answers.into_iter().filter_map(Result::err).map(|e| e.code).collect();
    assert_eq!(taken, [Code::UsernameTaken; 3]);
    assert!(sandbox.get(CredentialsByName { username: "grace".to_owned() }).await.is_some());
}

pub async fn a_new_password_ends_every_login(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let other = sandbox.user("other").await;
    let (first, second, theirs) = (token(user.id, "1"), token(user.id, "2"), token(other.id, "3"));
    for token in [&first, &second, &theirs] {
        sandbox
            .get(InsertRefreshToken {
                token: token.clone(),
                password_hash: "$argon2id$old".to_owned(),
            })
            .await;
    }
    let password_hash = "$argon2id$new".to_owned();
    sandbox.get(ChangePassword { user_id: user.id, password_hash }).await;
    let password_hash = "$argon2id$old".to_owned();
    let late = InsertRefreshToken { token: token(user.id, "4"), password_hash };
    assert_eq!(sandbox.refusal(late).await, Code::InvalidCredentials);
    let credentials = sandbox.get(CredentialsById { id: user.id }).await.unwrap();
    assert_eq!(credentials.password_hash, "$argon2id$new");
    for id in [first.id, second.id] {
        assert_eq!(sandbox.get(SessionByToken { id, now: now() }).await, None);
    }
    assert!(sandbox.get(SessionByToken { id: theirs.id, now: now() }).await.is_some());
}

pub async fn usage_counts_what_is_stored(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    assert_eq!(sandbox.get(UsageOf { user_id: user.id }).await, Usage::default());
    let image = sandbox.image(&user).await;
    sandbox.image(&user).await;
    let ready = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    sandbox.get(ReserveVariant { variant: variant(&image, 2) }).await;
    let (id, engine) = (ready.id, ENGINE);
    sandbox.get(CompleteVariant { id, made: made("v"), engine, now: now() }).await;
    let usage = Usage { images: 2, variants: 1, bytes: 2050 };
    assert_eq!(sandbox.get(UsageOf { user_id: user.id }).await, usage);
}

pub async fn a_deleted_account_takes_everything_with_it(sandbox: &Sandbox) {
    let (user, other) = (sandbox.user("ada").await, sandbox.user("other").await);
    let (image, kept) = (sandbox.image(&user).await, sandbox.image(&other).await);
    let reserved = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    let (id, engine) = (reserved.id, ENGINE);
    sandbox.get(CompleteVariant { id, made: made("variants/1"), engine, now: now() }).await;
    sandbox.job(&image, 2).await;
    let session = token(user.id, "session");
    sandbox
        .get(InsertRefreshToken {
            token: session.clone(),
            password_hash: "$argon2id$old".to_owned(),
        })
        .await;

    let deletion_id = DeletionId::new();
    let (deletion, mut keys) =
        sandbox.get(DeleteUser { user_id: user.id, deletion_id, now: now() }).await;
    keys.sort();
    assert_eq!(keys, [image.object_key.clone(), "variants/1".to_owned()]);
    assert_eq!((deletion.id, deletion.objects, deletion.remaining), (deletion_id, 2, 2));
    assert_eq!(deletion.finished_at, None);

    assert_eq!(sandbox.get(CredentialsById { id: user.id }).await, None);
    assert_eq!(sandbox.get(SessionByToken { id: session.id, now: now() }).await, None);
    assert_eq!(sandbox.get(UsageOf { user_id: user.id }).await, Usage::default());
    let image = ImageById { user_id: user.id, id: image.id };
    assert_eq!(sandbox.refusal(image).await, Code::NotFound);
    sandbox.get(ImageById { user_id: other.id, id: kept.id }).await;
    sandbox.user("ADA").await;
}

pub async fn an_account_that_is_not_there_is_not_found(sandbox: &Sandbox) {
    let user_id = UserId::new();
    let change = ChangePassword { user_id, password_hash: "hash".to_owned() };
    assert_eq!(sandbox.refusal(change).await, Code::NotFound);
    let delete = DeleteUser { user_id, deletion_id: DeletionId::new(), now: now() };
    assert_eq!(sandbox.refusal(delete).await, Code::NotFound);
    let login = InsertRefreshToken {
        token: token(user_id, "1"),
        password_hash: "$argon2id$old".to_owned(),
    };
    assert_eq!(sandbox.refusal(login).await, Code::InvalidCredentials);
}
