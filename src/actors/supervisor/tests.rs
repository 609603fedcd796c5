use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;

const BRISK: Duration = Duration::from_millis(1);

/// What children did, in the order in which they did it.
type Diary = Arc<Mutex<Vec<String>>>;

/// A child that writes down when it starts and stops, and dies when it is told anything.
struct Scribe {
    name: &'static str,
    diary: Diary,
    stops: bool,
}

impl Scribe {
    fn child(name: &'static str, diary: &Diary) -> Child {
        Self::that(name, diary, true)
    }

    fn that(name: &'static str, diary: &Diary, stops: bool) -> Child {
        let diary = diary.clone();
        Child::actor(name, move || Scribe { name, diary: diary.clone(), stops })
    }

    fn write(&self, what: &str) {
        self.diary.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Actor for Scribe {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        self.write("starts");
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        Err("told to die".into())
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.write("stops");
        if !self.stops {
            pending::<Infallible>().await;
        }
        Ok(())
    }
}

/// Has the children that are alive die until that one has given up.
async fn kill_all(tree: &Tree, alive: &Mutex<Vec<ActorCell>>) {
    while tree.gave_up.borrow().is_none() {
        for cell in std::mem::take(&mut *alive.lock().unwrap()) {
            // One that died of itself is as dead.
            let _ = cell.send_message::<()>(());
        }
        tokio::task::yield_now().await;
    }
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(10)
}

fn entries(diary: &Diary) -> Vec<String> {
    diary.lock().unwrap().clone()
}

#[test]
fn backoff_doubles_and_is_bounded() {
    let pauses = [1, 2, 3, 1000].map(|n| backoff(FIRST_BACKOFF, n));
    assert_eq!(pauses, [FIRST_BACKOFF, FIRST_BACKOFF * 2, FIRST_BACKOFF * 4, LAST_BACKOFF]);
}

#[tokio::test]
async fn children_start_in_order_and_drain_in_the_opposite_one() {
    let diary = Diary::default();
    let children = ["a", "b", "c"].map(|name| Scribe::child(name, &diary));
    let tree = Tree::start(children.into()).await.unwrap();
    assert_eq!(tree.alive().await, ["a", "b", "c"]);
    assert!(tree.drain(soon()).await.is_empty());
    let expected = ["a starts", "b starts", "c starts", "c stops", "b stops", "a stops"];
    assert_eq!(entries(&diary), expected);
    assert!(tree.alive().await.is_empty());
}

#[tokio::test]
async fn a_child_that_does_not_finish_is_killed_and_named() {
    let diary = Diary::default();
    let children = vec![
        Scribe::child("a", &diary),
        Scribe::that("stubborn", &diary, false),
        Scribe::child("c", &diary),
    ];
    let tree = Tree::start(children).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(3);
    let killed = tree.drain(deadline).await;
    assert!(killed.contains(&"stubborn") && !killed.contains(&"c"), "{killed:?}");
    assert!(entries(&diary).contains(&"c stops".to_owned()));
}

#[tokio::test]
async fn if_one_can_not_start_none_is_left_running() {
    let diary = Diary::default();
    let broken = Child::new("broken", |_| async {
        Err(SpawnErr::StartupFailed(Error::unavailable("the disk", "full").into()))
    });
    let started = Tree::start(vec![Scribe::child("a", &diary), broken]).await;
    let Err(error) = started else { panic!("it can't start") };
    assert_eq!(error.code, crate::domain::error::Code::DependencyUnavailable);
    assert_eq!(entries(&diary), ["a starts", "a stops"]);
}

#[tokio::test]
async fn one_that_dies_is_restarted_alone_until_it_has_died_too_often() {
    let diary = Diary::default();
    let incarnations = Arc::new(AtomicUsize::new(0));
    let alive: Arc<Mutex<Vec<ActorCell>>> = Arc::default();
    let frail = {
        let (diary, incarnations, alive) = (diary.clone(), incarnations.clone(), alive.clone());
        Child::new("frail", move |supervisor| {
            let scribe = Scribe { name: "frail", diary: diary.clone(), stops: true };
            let (incarnations, alive) = (incarnations.clone(), alive.clone());
            async move {
                let (actor, _) = Actor::spawn_linked(None, scribe, (), supervisor).await?;
                incarnations.fetch_add(1, Ordering::SeqCst);
                alive.lock().unwrap().push(actor.get_cell());
                Ok(actor.get_cell())
            }
        })
    };
    let children = vec![Scribe::child("firm", &diary), frail];
    let tree = Tree::start_at_pace(children, BRISK).await.unwrap();
    let ((), given_up) = tokio::join!(kill_all(&tree, &alive), tree.gave_up());
    assert_eq!(given_up, "frail");
    assert_eq!(incarnations.load(Ordering::SeqCst), MAX_RESTARTS + 1);
    assert_eq!(tree.alive().await, ["firm"], "the others went on");
    let starts = entries(&diary).iter().filter(|entry| *entry == "firm starts").count();
    assert_eq!(starts, 1);
    assert!(tree.drain(soon()).await.is_empty());
}

#[tokio::test]
async fn one_that_can_not_be_restarted_is_tried_again() {
    let diary = Diary::default();
    let tries = Arc::new(AtomicUsize::new(0));
    let alive: Arc<Mutex<Vec<ActorCell>>> = Arc::default();
    let flaky = {
        let (diary, tries, alive) = (diary.clone(), tries.clone(), alive.clone());
        Child::new("flaky", move |supervisor| {
            let scribe = Scribe { name: "flaky", diary: diary.clone(), stops: true };
            let (nth, alive) = (tries.fetch_add(1, Ordering::SeqCst), alive.clone());
            async move {
                if (1..=3).contains(&nth) {
                    return Err(SpawnErr::StartupFailed("not yet".into()));
                }
                let (actor, _) = Actor::spawn_linked(None, scribe, (), supervisor).await?;
                alive.lock().unwrap().push(actor.get_cell());
                Ok(actor.get_cell())
            }
        })
    };
    let tree = Tree::start_at_pace(vec![flaky], BRISK).await.unwrap();
    let first = alive.lock().unwrap().pop().unwrap();
    first.send_message::<()>(()).unwrap();
    while alive.lock().unwrap().is_empty() || tree.alive().await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(tries.load(Ordering::SeqCst), 5, "once, three times in vain, and once more");
    assert!(tree.drain(soon()).await.is_empty());
}
