//! Connections and the schema.

use darkroom::{
    adapters::{
        Query,
        db::{self, Db, SchemaState, Target},
    },
    domain::error::Code,
};
use futures_util::poll;

use crate::sandbox::Sandbox;

pub async fn many_machines_may_migrate_at_once(sandbox: &Sandbox) {
    let empty = sandbox.another_empty().await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let settings = empty.settings.clone();
            tokio::spawn(async move { db::migrate(&settings).await })
        })
        .collect();
    let mut applied = 0;
    for task in tasks {
        let report = task.await.unwrap().unwrap();
        let configured = empty.settings.migrate_url.is_some();
        assert_eq!(report.target, if configured { Target::Configured } else { Target::Same });
        assert!(report.version > 0);
        applied += usize::from(report.applied > 0);
    }
    assert_eq!(applied, 1, "one of them found work");
    assert_eq!(empty.db.schema().await.unwrap(), SchemaState::Current);
    empty.user("ada").await;
}

pub async fn a_schema_that_is_behind_is_noticed(sandbox: &Sandbox) {
    assert_eq!(sandbox.db.schema().await.unwrap(), SchemaState::Current);
    let empty = sandbox.another_empty().await;
    empty.db.ping().await.unwrap();
    let expected = db::migrate(&sandbox.settings).await.unwrap().version;
    let behind = SchemaState::Behind { applied: 0, expected };
    assert_eq!(empty.db.schema().await.unwrap(), behind);
    db::migrate(&empty.settings).await.unwrap();
    empty.meddle("DELETE FROM _sqlx_migrations").await;
    assert_eq!(empty.db.schema().await.unwrap(), behind);
}

pub async fn a_schema_that_is_ahead_is_left_alone(sandbox: &Sandbox) {
    sandbox
        .meddle(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (999999, 'later', true, '', 1)",
        )
        .await;
    assert_eq!(sandbox.db.schema().await.unwrap(), SchemaState::Ahead);
    assert_eq!(db::migrate(&sandbox.settings).await.unwrap().applied, 0);
}

pub async fn a_query_that_is_cut_off_leaves_nothing_behind(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    // Cut off a little later each time, so that every step is once the last.
    for polls in 0..40 {
        let image = crate::sandbox::image(user.id);
        let query = db::images::InsertImage { image, is_stored: false, jobs: Vec::new() };
        let mut future = Box::pin(query.run(&sandbox.db));
        for _ in 0..polls {
            if poll!(&mut future).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(future);
        sandbox.db.ping().await.unwrap();
    }
    // Whole or not at all; and those that come after see it committed, so nobody's `BEGIN` is left open.
    sandbox.image(&user).await;
    let other = Db::connect(&sandbox.settings).await.unwrap();
    let usage =
        |db: Db| async move { db::users::UsageOf { user_id: user.id }.run(&db).await.unwrap() };
    assert_eq!(usage(other).await, usage(sandbox.db.clone()).await);
}

pub async fn a_database_that_is_closed_is_unavailable(sandbox: &Sandbox) {
    sandbox.db.close().await;
    let error = sandbox.db.ping().await.unwrap_err();
    assert_eq!(error.code, Code::DependencyUnavailable);
    assert!(error.cause.is_some());
    assert_eq!(sandbox.refusal(db::queue::CountUnfinished {}).await, Code::DependencyUnavailable);
}

pub async fn many_tasks_share_few_connections(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let inserts = (0..120).map(|_| db::images::InsertImage {
        image: crate::sandbox::image(user.id),
        is_stored: false,
        jobs: Vec::new(),
    });
    for answer in sandbox.together(inserts.collect()).await {
        answer.unwrap();
    }
    let usages = (0..120).map(|_| db::users::UsageOf { user_id: user.id });
    for usage in sandbox.together(usages.collect()).await {
        assert_eq!(usage.unwrap().images, 120);
    }
}
