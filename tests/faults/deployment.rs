//! docs/DEPLOYMENT.md, played through over servers that are like managed ones: TLS only, a password, and an authority that
//! vouches for them.

use std::{path::Path, time::Duration};

use crate::{
    guide,
    impostor::{Disguise, Impostor, Part},
    process::{Process, dying_with_us},
    proxy::{Link, Proxy},
    round::Trial,
    servers::{
        ESCAPED, PASSWORD,
        tls::{Authority, HOST},
    },
    world::{Ports, World, eventually},
};

/// `darkroom migrate`, `doctor`, an API and a worker, told what the guide names; then the README's first session.
pub async fn as_the_guide_says(trial: Trial) {
    let ports = Ports::over(&trial.managed).await;
    let world = World::managed(&trial, ports).await;
    let doctor = world.command("doctor").output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    let checked = said.contains("TLS, its certificate checked");
    assert!(doctor.status.success() && checked && !said.contains(PASSWORD), "{said}");
    let api = world.api().await;
    let _worker = world.worker().await;
    world.becomes(&api, 200, "ready").await;
    play(&api.url);
    let sql = "SELECT count(*) FROM jobs WHERE status = 'succeeded'";
    assert_eq!(world.ledger.count(sql).await, 1);
    // Two by the API, two by URL, which are stored behind their answers.
    let sql = "SELECT count(*) FROM variants WHERE status = 'ready'";
    eventually(async || (world.ledger.count(sql).await == 4).then_some(())).await;
    assert_eq!(world.ledger.count(&guide::query()).await, 0, "nothing waits");
}

/// The README's session, by its own script, in a copy of what it needs.
fn play(url: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("scripts")).unwrap();
    for file in ["README.md", "scripts/demo"] {
        std::fs::copy(root.join(file), copy.path().join(file)).unwrap();
    }
    std::os::unix::fs::symlink(root.join("tests"), copy.path().join("tests")).unwrap();
    let mut demo = dying_with_us();
    demo.arg("--").arg(copy.path().join("scripts/demo"));
    demo.env("DARKROOM_URL", url).env("NO_PROXY", "*");
    let played = demo.output().unwrap();
    let said = [played.stdout, played.stderr].concat();
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Somebody sits where each server should be, and shows another authority's certificate, one for another name, or none:
/// nobody tells them anything, `/ready` says that something is missing, and once the right one is back everything goes on.
pub async fn an_impostor_is_told_nothing(trial: Trial) {
    let servers = Ports::over(&trial.managed).await;
    let [postgres, redis, rabbitmq] = [servers.postgres, servers.redis, servers.rabbitmq.unwrap()]
        .map(|port| (port, Proxy::before(port, Link::Open)));
    let ports =
        Ports { postgres: postgres.1.port, redis: redis.1.port, rabbitmq: Some(rabbitmq.1.port) };
    let mut world = World::managed(&trial, ports).await;
    // Why a connection was not made is told, where it may be made again soon, only to who asks for it.
    world.tell("LOG_LEVEL", "info,darkroom=debug");
    let api = world.api().await;
    let _worker = world.worker().await;
    world.client.sign_up().await;
    world.becomes(&api, 200, "ready").await;

    let disguises = [
        (Disguise::Tls(Authority::new().identity(HOST)), UNKNOWN),
        (Disguise::Tls(trial.managed.authority().identity("elsewhere.example")), MISNAMED),
    ];
    let mut orders = 0..;
    for ((target, way), part, (status, word), plain) in [
        (&redis, Part::Other, (200, "degraded"), "corrupt message"),
        (&rabbitmq, Part::Other, (200, "degraded"), "corrupt message"),
        (&postgres, Part::Postgres, (503, "unready"), "server does not support TLS"),
    ] {
        for (disguise, why) in disguises.iter().chain([&(Disguise::Plain, plain)]) {
            let complaints = world.lines(why);
            let impostor = Impostor::new(part, disguise).await;
            way.lead_to(impostor.port);
            eventually(async || impostor.was_left().then_some(())).await;
            world.becomes(&api, status, word).await;
            eventually(async || (world.lines(why) > complaints).then_some(())).await;
            if part == Part::Postgres {
                who_starts_ends(&world, why).await;
            } else {
                let order = orders.next().unwrap();
                world.client.enqueue_all(order..order + 1, Duration::ZERO).await;
            }
            assert!(impostor.was_left());
            way.lead_to(*target);
            world.becomes(&api, 200, "ready").await;
        }
    }
    world.accuse().await;
    assert_eq!(world.lines(PASSWORD) + world.lines(ESCAPED), 0, "a password is in a log");
}

/// Nobody that is known vouches for the certificate.
const UNKNOWN: &str = "invalid peer certificate: UnknownIssuer";
/// It is somebody else's.
const MISNAMED: &str = "invalid peer certificate: certificate not valid for name";

/// Who finds the impostor at its start ends, and says why.
async fn who_starts_ends(world: &World, why: &str) {
    for command in ["migrate", "serve"] {
        let mut begun = world.command(command);
        begun.env("STARTUP_TIMEOUT", "5s").env("PORT", "0");
        let mut process = Process::begin(command.to_owned(), begun);
        let status = eventually(async || process.has_ended()).await;
        let said =
            eventually(async || Some(process.said()).filter(|said| said.contains(why))).await;
        assert_eq!(status.code(), Some(69), "{said}");
        assert!(!said.contains(PASSWORD) && !said.contains(ESCAPED), "{said}");
    }
}
